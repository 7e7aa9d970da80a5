// Connects this run of the agent to a session that was never used before: its counter is on disk before the first message carries it.
import { sessionCounter } from "../contracts/envelope.ts";
import { OrionError } from "../contracts/errors.ts";
import type { KeptFiles, NodeClock, Randomness } from "./ports.ts";

export interface Session {
	/** `<counter>.<16 hex>` */
	readonly id: string;
	readonly counter: number;
	/** Milliseconds since it began: the node's tick. */
	tick(): number;
}

/** What core knows of this node's sessions. */
export interface CoreKnows {
	readonly counter: number;
	readonly session: string;
}

export interface SessionStore {
	current(): Session;
	/** True if core knows of sessions that this folder does not: it was restored from a copy, or is new for an old name. */
	isBehind(core: CoreKnows): boolean;
	/** Larger than both what this folder and what core knows. Durable when it resolves. */
	begin(core?: CoreKnows): Promise<Session>;
}

const FILE = "session.json";

const parseCounter = (text: string): number => {
	try {
		const value: unknown = JSON.parse(text);
		const counter = typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>)["counter"] : undefined;
		if (typeof counter === "number" && Number.isSafeInteger(counter) && counter >= 0) return counter;
	} catch {
		// Falls through to the one error below.
	}
	throw new OrionError("CONFIG_INVALID", { file: FILE, line: 1, column: 1, detail: "has no session counter; remove it, core knows how far it was" });
};

/** Begins the first session of this run. */
export const openSessions = async (files: KeptFiles, clock: NodeClock, random: Randomness): Promise<SessionStore> => {
	const text = await files.read(FILE);
	let newest = text === undefined ? 0 : parseCounter(text);
	const begin = async (core?: CoreKnows): Promise<Session> => {
		newest = Math.max(newest, core?.counter ?? 0) + 1;
		await files.write(FILE, `${JSON.stringify({ counter: newest })}\n`, "plain");
		const beganMs = clock.bootMs();
		return { id: `${newest}.${random.hex(8)}`, counter: newest, tick: () => Math.max(0, Math.floor(clock.bootMs() - beganMs)) };
	};
	let current = await begin();
	return {
		current: () => current,
		isBehind: ({ counter, session }) => session !== current.id && Math.max(counter, session === "" ? 0 : sessionCounter(session)) >= current.counter,
		begin: async (core) => {
			current = await begin(core);
			return current;
		},
	};
};
