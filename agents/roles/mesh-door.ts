// Composition of what other machines meet: the authority of the mesh, tokens for new nodes, and the listener that turns a token into a certificate.
import type { SecureListener } from "../../broker/ports.ts";
import { ok } from "../../contracts/result.ts";
import type { KeptFiles } from "../../core/service/world.ts";
import { openJoinDoor } from "./join-door.ts";
import { openJoinTokens } from "./join-tokens.ts";
import type { Listen } from "./listen.ts";
import { type MeshCa, openMeshCa } from "./mesh-ca.ts";
import type { OpenRegister } from "./node-register.ts";

/** The token as a person carries it: whom to believe, who it is for, and the secret. */
/** Begins with a letter, whatever the pin is: a word that begins with a dash is an option to every command line. */
const sayToken = (pin: string, node: string, secret: string): string => `orion.${pin}.${node}.${secret}`;

export const shownAddress = (address: string, port: number): string => `${address.includes(":") ? `[${address}]` : address}:${port}`;

interface OpenDoor {
	readonly joinPort: number;
	close(): Promise<void>;
}

export interface MeshDoor {
	/** What the broker listens with. */
	readonly secure: SecureListener;
	/** The same register, where each new node also gets a token, and one that is removed loses it. */
	readonly register: OpenRegister;
	open(facts: Readonly<Record<string, unknown>>): Promise<OpenDoor>;
}

const withTokens = (register: OpenRegister, ca: MeshCa, tokens: Awaited<ReturnType<typeof openJoinTokens>>, address: () => string): OpenRegister => ({
	...register,
	add: async (node, client) => {
		const added = await register.add(node, client);
		if (!added.ok) return added;
		const { secret, untilWallMs } = await tokens.mint(node);
		return ok({ ...added.value, join: { address: address(), token: sayToken(ca.pin, node, secret), untilWallMs } });
	},
	remove: async (node) => {
		await tokens.revoke(node);
		return register.remove(node);
	},
	revoke: async (node) => {
		await tokens.revoke(node);
		return register.revoke(node);
	},
});

/** Faults: CONFIG_INVALID. */
export const openMeshDoor = async (
	{ address, mqttsPort, joinPort }: Listen,
	mesh: string,
	files: KeptFiles,
	register: OpenRegister,
	time: { readonly wall: () => number; readonly now: () => number },
): Promise<MeshDoor> => {
	const ca = await openMeshCa(files, mesh, time.wall);
	const server = await ca.server();
	const tokens = await openJoinTokens(files, time.wall);
	let listensOn = joinPort;
	return {
		secure: { host: address, port: mqttsPort, ...server, caPem: ca.certificatePem, isRevoked: register.certificates.isRevoked, wall: time.wall },
		register: withTokens(register, ca, tokens, () => shownAddress(address, listensOn)),
		open: async (facts) => {
			const door = await openJoinDoor({ host: address, port: joinPort, ca, server, tokens, register, facts, now: time.now });
			listensOn = door.port;
			return { joinPort: door.port, close: door.close };
		},
	};
};
