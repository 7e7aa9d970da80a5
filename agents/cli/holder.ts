// Connects a person's hold on a node that moves to its lease: a key of this terminal alone, renewed every 100 ms with the node's newest tick, ended when it lets go.
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { sha256Hex } from "../../contracts/digest.ts";
import type { LeaseEnd, LeaseRenew } from "../../contracts/gen/types.ts";
import type { MotionAsked, MotionOpened, MoverHeard } from "../../core/service/motion-leases.ts";
import type { MeshClient } from "./mesh-client.ts";

const RENEW_EVERY_MS = 100;
/** What comes later than this after the tick that core heard sits nothing down. */
const SIT_TTL_MS = 1_000;

export interface Hold {
	/** The node's newest word. */
	readonly heard: MoverHeard;
	/** Resolves when the node cannot be held any more, or it was let go. */
	readonly over: Promise<"let-go" | "lost">;
	letGo(): Promise<void>;
}

class Signing {
	readonly #key: KeyObject;
	readonly publicKey: string;
	readonly #keyId: string;

	constructor() {
		const { privateKey, publicKey } = generateKeyPairSync("ed25519");
		this.#key = privateKey;
		this.publicKey = publicKey.export({ format: "jwk" }).x ?? "";
		this.#keyId = sha256Hex(Buffer.from(this.publicKey, "base64url")).slice(0, 16);
	}

	sign(typ: "orion-lease-renew+jws" | "orion-lease-end+jws", payload: LeaseRenew | LeaseEnd): string {
		const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
		const text = `${part({ alg: "EdDSA", kid: this.#keyId, typ })}.${part(payload)}`;
		return `${text}.${sign(null, Buffer.from(text), this.#key).toString("base64url")}`;
	}
}

/** Core's word for a person who has a node sit down: nothing is held by it, so there is nothing to renew. Faults: MOVER_NOT_HEARD. */
export const askToSit = (client: Pick<MeshClient, "post">, node: string, holder: string): Promise<MotionOpened> => {
	const bounds = { distanceMm: 1, radiusMm: 1, timeMs: SIT_TTL_MS };
	const asked: Omit<MotionAsked, "via"> = { node, holder, holderKey: new Signing().publicKey, purpose: "sit", ttlMs: SIT_TTL_MS, bounds };
	return client.post<MotionOpened>("/lease/open", asked);
};

/** `mesh`: its id, which everything signed is bound to. `motion`: what is wanted now, asked at each renewal. Renewals follow each other: one that is not answered is followed by none. */
export const hold = async (
	client: Pick<MeshClient, "post">,
	mesh: string,
	asked: Omit<MotionAsked, "holderKey" | "via">,
	motion: () => LeaseRenew["motion"] = () => undefined,
): Promise<Hold> => {
	const signing = new Signing();
	const opened = await client.post<MotionOpened>("/lease/open", { ...asked, holderKey: signing.publicKey });
	const { node, lease } = opened;
	let heard: MoverHeard = opened;
	let number = 0;
	let held = true;
	const renew = async (): Promise<void> => {
		number += 1;
		const { session, armEpoch, tick } = heard;
		const wanted = motion();
		const renewal: LeaseRenew = { v: 1, mesh, node, session, lease, armEpoch, tick, number, ...(wanted === undefined ? {} : { motion: wanted }) };
		const signed = signing.sign("orion-lease-renew+jws", renewal);
		heard = await client.post<MoverHeard>("/lease/renew", { node, lease, signed });
	};
	const keep = async (): Promise<"let-go" | "lost"> => {
		let dueMs = performance.now();
		while (held) {
			dueMs = Math.max(dueMs + RENEW_EVERY_MS, performance.now());
			await new Promise<void>((resolve) => setTimeout(resolve, Math.max(0, dueMs - performance.now())));
			if (!held) break;
			try {
				await renew();
			} catch {
				// Whoever holds learns it at once; the node has stopped by itself before this terminal could say so.
				return "lost";
			}
		}
		return "let-go";
	};
	const over = keep();
	return {
		get heard() {
			return heard;
		},
		over,
		letGo: async () => {
			if (!held) return;
			held = false;
			await over;
			const signed = signing.sign("orion-lease-end+jws", { v: 1, mesh, node, lease });
			await client.post("/lease/end", { node, lease, signed });
		},
	};
};
