// The doors of a mesh as they stand on a network, for tests of who gets in: authority, tokens, join listener and TLS broker, with a clock that tests set.
import { mkdtempSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { joinMesh } from "../../agents/roles/join.ts";
import { keptFiles } from "../../agents/roles/kept-files.ts";
import { openMeshDoor } from "../../agents/roles/mesh-door.ts";
import { readCertificate } from "../../agents/roles/node-certificate.ts";
import { openNodeRegister } from "../../agents/roles/node-register.ts";
import { openBroker } from "../../broker/broker.ts";
import type { Accepted, Rejected } from "../../broker/ports.ts";
import { OrionError } from "../../contracts/errors.ts";
import { instant, wallTime } from "../../contracts/time.ts";
import { mqttConnect } from "../../edge/mqtt.ts";
import type { ConnectOptions } from "../../edge/ports.ts";
import { removeFolder } from "../support/remove-folder.ts";

export const MESH = "mesh-0193a7c25f10";
export const HOUR_MS = 3_600_000;
const KEY = { keyId: "e3b0c44298fc1c14", publicKey: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" };
export const closers: (() => Promise<void> | void)[] = [];

export const closeAll = async (): Promise<void> => {
	for (const close of closers.splice(0).reverse()) await close();
};

export const folder = (): string => {
	const made = mkdtempSync(join(tmpdir(), "orion-join-"));
	closers.push(() => removeFolder(made));
	return made;
};

/** What the broker let through, and what it put into quarantine. */
export interface Taken {
	readonly accepted: string[];
	readonly quarantined: string[];
	readonly live: string[];
	readonly refused: string[];
}

const intakeOf = (taken: Taken) => ({
	accept: ({ topic }: Accepted) => Promise.resolve({ kind: "stored" as const, position: taken.accepted.push(topic) }),
	quarantine: ({ topic, fault }: Rejected) => Promise.resolve({ position: taken.quarantined.push(`${fault.code} ${topic}`) }),
	live: ({ topic }: Accepted) => void taken.live.push(topic),
});

/** A mesh's doors as they stand on a network: authority, tokens, join listener and TLS broker. */
/** With `data` of doors that were open before, as core finds them after a restart. */
export const doors = async (mesh = MESH, data = folder(), wallMs = Date.now()) => {
	const time = { wallMs, nowMs: 0 };
	const clock = {
		bootId: "boot",
		now: () => instant(time.nowMs),
		wall: () => wallTime(time.wallMs),
		bootMs: () => time.nowMs,
		quality: () => "synced" as const,
		offsetMinutes: () => 0,
	};
	const files = await keptFiles(data);
	const passwords = await openNodeRegister(files, clock);
	const listen = { address: "127.0.0.1", mqttsPort: 0, joinPort: 0 };
	const door = await openMeshDoor(listen, mesh, files, passwords, clock);
	const taken: Taken = { accepted: [], quarantined: [], live: [], refused: [] };
	const broker = await openBroker({
		mesh,
		host: "127.0.0.1",
		port: 0,
		secure: { ...door.secure, lookEveryMs: 20 },
		credentials: door.register,
		intake: intakeOf(taken),
		instance: "one",
		onRefusal: ({ fault }) => taken.refused.push(fault.code),
	});
	closers.push(() => broker.close());
	const open = await door.open({ mesh, mqttPort: broker.securePort, coreKeys: [KEY] });
	let closing: Promise<void> | undefined;
	/** Of the join listener alone. */
	const close = (): Promise<void> => {
		closing ??= open.close();
		return closing;
	};
	closers.push(close);
	const add = async (node: string, client = false) => {
		const added = await door.register.add(node, client);
		if (!added.ok || added.value.join === undefined) throw new Error("not added");
		return added.value.join;
	};
	return { time, clock, data, files, door, broker, taken, add, close, address: `127.0.0.1:${open.joinPort}` };
};

export const codeOf = async (work: Promise<unknown>): Promise<string> => {
	try {
		await work;
		return "none";
	} catch (error) {
		return error instanceof OrionError ? error.fault.code : String(error);
	}
};

const asNode = (clientId: string, more: Partial<ConnectOptions>): ConnectOptions => ({
	clientId,
	keepaliveSeconds: 5,
	onMessage: () => undefined,
	onClosed: () => undefined,
	...more,
});

export interface Credential {
	readonly url: string;
	readonly username: string;
	readonly password: string;
}

export const configOf = async (state: string, file = "node.json") =>
	JSON.parse(await readFile(join(state, file), "utf8")) as Credential & { readonly join: string };

/** Connects as the node whose folder this is, with the credential of its own or another. */
export const come = async (state: string, clientId: string, credential?: Partial<Credential>, more: Partial<ConnectOptions> = {}) => {
	const config = { ...(await configOf(state)), ...credential };
	const { tls } = await readCertificate(state, config.url);
	if (tls === undefined) throw new Error("no certificate");
	return mqttConnect({ ...config, tls: () => tls })(asNode(clientId, more));
};

/** A node that has joined; its folder. */
export const joined = async (mesh: Doors, node: string, client = false): Promise<string> => {
	const state = folder();
	await joinMesh(state, mesh.address, (await mesh.add(node, client)).token, client);
	return state;
};

export type Doors = Awaited<ReturnType<typeof doors>>;

/** Waits for a fact, not for a time. */
export const until = async (what: string, look: () => boolean): Promise<void> => {
	const deadline = performance.now() + 10_000;
	while (!look()) {
		if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 5));
	}
};
