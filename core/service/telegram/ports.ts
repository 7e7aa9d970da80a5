// What the Telegram channel asks of the Bot API and of the mesh, so that both can be another one in tests.
import type { RecordTypes } from "../../../contracts/envelope.ts";
import type { Result } from "../../../contracts/result.ts";
import type { Level } from "../../policy.ts";

export interface Button {
	readonly text: string;
	/** At most 64 bytes. */
	readonly data: string;
}

/** Rows of buttons below a message; none: no buttons. */
export type Keyboard = readonly (readonly Button[])[];

/** Why a call did not succeed. `rate`, `down` and `conflict` pass; the others stay until somebody changes something. `unkept`: not a call, but this machine's own disk or log. */
export type ChatFaultKind = "rate" | "down" | "conflict" | "unauthorised" | "gone" | "refused" | "unkept";

export class ChatFault extends Error {
	readonly kind: ChatFaultKind;
	/** What Telegram asks to wait, milliseconds; 0 if it does not say. */
	readonly retryAfterMs: number;
	constructor(kind: ChatFaultKind, detail: string, retryAfterMs = 0) {
		super(detail);
		this.name = "ChatFault";
		this.kind = kind;
		this.retryAfterMs = retryAfterMs;
	}
}

/** The calls of the Bot API that are used. Each rejects with ChatFault. */
export interface BotApi {
	me(signal: AbortSignal): Promise<{ readonly id: number; readonly username: string }>;
	/** Updates from an offset on, as they came; waits up to waitSeconds for the first. */
	updates(offset: number, waitSeconds: number, signal: AbortSignal): Promise<readonly unknown[]>;
	/** Resolves with the message's id. */
	send(chat: number, html: string, keyboard: Keyboard, signal: AbortSignal): Promise<number>;
	edit(chat: number, message: number, html: string, keyboard: Keyboard, signal: AbortSignal): Promise<void>;
	answerTap(tap: string, text: string, signal: AbortSignal): Promise<void>;
	sendFile(chat: number, name: string, bytes: Uint8Array, caption: string, signal: AbortSignal): Promise<void>;
	sendPicture(chat: number, png: Uint8Array, caption: string, signal: AbortSignal): Promise<void>;
}

/** One ask as people are shown it. */
export interface Ask {
	readonly approval: string;
	readonly status: "open" | "approved" | "denied" | "expired" | "superseded" | "revoked" | "void";
	readonly incident: string;
	readonly title: string;
	readonly node: string;
	/** Name of the action. */
	readonly name: string;
	readonly risk: string;
	readonly plan: string;
	readonly why: string;
	readonly blast: string;
	readonly undo: string;
	readonly undoSays: string;
	readonly evidence: readonly number[];
	readonly boundHash: string;
	readonly askedAt: string;
	readonly decideBy: string;
	readonly decideInMs: number;
	readonly by?: string;
	readonly via?: string;
	readonly said?: string;
	readonly decidedAt?: string;
	/** What came of it, as far as it is known. */
	readonly outcome?: { readonly action: string; readonly end: string; readonly undone?: string };
}

/** Records that the channel writes. */
type ChatRecord = "dev.orion.chat.bound.v1" | "dev.orion.chat.invited.v1" | "dev.orion.chat.refused.v1";

/** The mesh as the channel sees it. Every text is plain; the channel escapes. */
export interface ChatDesk {
	/** Open asks, and those that ended in the last day, oldest first. */
	asks(): readonly Ask[];
	/** Calls back whenever something may have changed; returns how to stop. */
	onChange(listener: () => void): () => void;
	decide(answer: {
		readonly approval: string;
		readonly verdict: "approve" | "deny";
		readonly boundHash: string;
		readonly by: string;
		readonly why?: string;
		/** Of the record: what comes again after a crash is answered once. */
		readonly id: string;
	}): Promise<Result<{ readonly end: string }>>;
	saw(approval: string, by: string): Promise<void>;
	status(): string;
	incidents(): string;
	why(id: string): Promise<Result<string>>;
	level(): Level;
	lower(level: Level, by: string): Promise<void>;
	/** Asks for a higher level; what becomes of it is an ask like any other. */
	raise(level: Level, by: string): Promise<Result<{ readonly approval: string }>>;
	stop(by: string): Promise<string>;
	/** A picture of the number that an ask is about, if there is one. */
	picture(approval: string): Promise<{ readonly png: Uint8Array; readonly caption: string } | undefined>;
	record<T extends ChatRecord>(type: T, data: RecordTypes[T]): Promise<void>;
	/** What an operator should know of the channel now; undefined: nothing. */
	notice(text: string | undefined): void;
	/** Engine time, milliseconds: never backwards, and not the wall's. */
	engineMs(): number;
}
