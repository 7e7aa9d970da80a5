// Connects what the channel must not forget to a file: who may answer, which message shows which ask, and which update was the last.
import { randomBytes } from "node:crypto";
import { OrionError } from "../../../contracts/errors.ts";
import type { KeptFiles } from "../world.ts";

export interface Admin {
	readonly user: number;
	readonly name: string;
	/** Named in orion.yaml: taken away there, too. */
	readonly configured: boolean;
}

export interface Invite {
	/** SHA-256 of the code, so that the file gives nobody a way in. */
	readonly hash: string;
	readonly untilEngineMs: number;
	readonly by: string;
}

/** A message that shows an ask; `message` 0: on its way. */
export interface Shown {
	readonly approval: string;
	readonly chat: number;
	readonly message: number;
	readonly boundHash: string;
	/** What it shows now. */
	readonly stage: "ask" | "confirm" | "ended";
	/** Digest-free: the very text, so that the same one is not sent twice. */
	readonly text: string;
	readonly askedEngineMs: number;
	readonly remindAtEngineMs?: number;
	/** It was come back to; that happens once. */
	readonly reminded?: true;
	/** The message does not read so yet, as far as is known. */
	readonly due?: true;
}

/** A message that was shown again further down and whose buttons were not taken away yet. */
export interface Stale {
	readonly approval: string;
	readonly chat: number;
	readonly message: number;
}

export interface Alerted {
	readonly source: string;
	readonly atEngineMs: number;
}

export interface ChatState {
	/** The newest update that was dealt with, and whatever it led to is durable; it and those before are never acted on again. */
	readonly update: number;
	/** Engine time of it: a bot that nobody wrote to for a week counts its updates from another number. */
	readonly updateEngineMs?: number;
	/** Number of the bot that counts them. */
	readonly bot?: string;
	readonly invited: readonly Admin[];
	readonly invites: readonly Invite[];
	readonly shown: readonly Shown[];
	readonly stale?: readonly Stale[];
	/** Who was refused, and when the admins were told of it last, engine time. */
	readonly alerted?: readonly Alerted[];
	/** Engine time until which no asks are sent, by user. */
	readonly muted: readonly { readonly user: number; readonly untilEngineMs: number }[];
}

const FILE = "telegram.json";
const KEY_FILE = "telegram-key.json";
const KEY_BYTES = 32;
/** Messages of asks that ended are kept for the change of their last words, the newest so many. */
const SHOWN_MAX = 500;
const STALE_MAX = 200;

const EMPTY: ChatState = { update: 0, invited: [], invites: [], shown: [], muted: [] };

const damaged = (file: string): OrionError =>
	new OrionError("CONFIG_INVALID", { file, line: 1, column: 1, detail: "is not what core wrote; restore it, or remove it and invite the admins again" });

const parse = (file: string, text: string): Readonly<Record<string, unknown>> => {
	try {
		const value: unknown = JSON.parse(text);
		if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>;
	} catch {
		// One error below for all that it is not.
	}
	throw damaged(file);
};

const readKey = async (files: KeptFiles): Promise<Uint8Array> => {
	const text = await files.read(KEY_FILE);
	if (text !== undefined) {
		const { key } = parse(KEY_FILE, text);
		if (typeof key !== "string" || Buffer.from(key, "base64url").byteLength !== KEY_BYTES) throw damaged(KEY_FILE);
		return Buffer.from(key, "base64url");
	}
	const made = randomBytes(KEY_BYTES);
	await files.write(KEY_FILE, `${JSON.stringify({ schema: "orion.telegram-key/1", key: made.toString("base64url") })}\n`, "secret");
	return made;
};

const readState = async (files: KeptFiles): Promise<ChatState> => {
	const text = await files.read(FILE);
	if (text === undefined) return EMPTY;
	const value = parse(FILE, text);
	const later = [value["stale"], value["alerted"]];
	const lists = [value["invited"], value["invites"], value["shown"], value["muted"]];
	if (
		value["schema"] !== "orion.telegram/1" ||
		typeof value["update"] !== "number" ||
		!lists.every(Array.isArray) ||
		!later.every((list) => list === undefined || Array.isArray(list))
	)
		throw damaged(FILE);
	return value as unknown as ChatState;
};

/** What shows an ask in a chat is put in or replaced. */
export const withShown = (state: ChatState, shown: Shown): ChatState => ({
	...state,
	shown: [...state.shown.filter((each) => each.approval !== shown.approval || each.chat !== shown.chat), shown],
});

export const withStale = (state: ChatState, { approval, chat, message }: Stale): ChatState => ({
	...state,
	stale: [...(state.stale ?? []).filter((each) => each.chat !== chat || each.message !== message), { approval, chat, message }].slice(-STALE_MAX),
});

/** Each change is on disk when its promise resolves; changes are written one after the other. */
export class KeptChat {
	readonly key: Uint8Array;
	readonly #files: KeptFiles;
	#state: ChatState;
	#writing: Promise<void> = Promise.resolve();
	/** Why the newest change is not on disk; undefined: it is, or is on its way. */
	failed: string | undefined;

	private constructor(files: KeptFiles, key: Uint8Array, state: ChatState) {
		this.#files = files;
		this.key = key;
		this.#state = state;
	}

	/** Fault: CONFIG_INVALID. */
	static async open(files: KeptFiles): Promise<KeptChat> {
		return new KeptChat(files, await readKey(files), await readState(files));
	}

	get state(): ChatState {
		return this.#state;
	}

	change(by: (state: ChatState) => ChatState): Promise<void> {
		const next = by(this.#state);
		const ended = next.shown.filter(({ stage }) => stage === "ended");
		const tooOld = new Set(ended.slice(0, Math.max(0, ended.length - SHOWN_MAX)));
		this.#state = { ...next, shown: next.shown.filter((shown) => !tooOld.has(shown)) };
		const text = `${JSON.stringify({ schema: "orion.telegram/1", ...this.#state })}\n`;
		// Each text is the whole: one that a full disk refused holds up none that follows.
		this.#writing = this.#writing.catch(() => undefined).then(() => this.#write(text));
		return this.#writing;
	}

	async #write(text: string): Promise<void> {
		try {
			await this.#files.write(FILE, text, "secret");
			this.failed = undefined;
		} catch (error) {
			this.failed = error instanceof Error ? error.message : "unknown";
			throw error;
		}
	}

	shown(approval: string, chat: number): Shown | undefined {
		return this.#state.shown.find((each) => each.approval === approval && each.chat === chat);
	}

	/** Puts in or replaces what shows an ask in a chat. */
	show(shown: Shown): Promise<void> {
		return this.change((state) => withShown(state, shown));
	}
}
