// Decides what a button's data says: an opaque handle with a code that only this core can make, bound to the chat, the message, the ask and what was shown.
import { createHmac, timingSafeEqual } from "node:crypto";

/** ask to approve, confirm it, back, deny, details, snooze */
export type Verb = "approve" | "confirm" | "back" | "deny" | "details" | "snooze";

const LETTERS: Readonly<Record<Verb, string>> = { approve: "a", confirm: "c", back: "b", deny: "d", details: "i", snooze: "s" };
const VERBS = new Map((Object.keys(LETTERS) as Verb[]).map((verb) => [LETTERS[verb], verb]));
const CODE_BYTES = 12;
const FORM = /^2([acbdis])\.(apr-[0-9a-f]{4,32})\.([A-Za-z0-9_-]{16})$/;

export interface Handle {
	readonly verb: Verb;
	readonly approval: string;
	readonly code: string;
}

interface Bound {
	readonly verb: Verb;
	readonly approval: string;
	readonly chat: number;
	readonly message: number;
	/** Digest of what was shown: other arguments, other code. */
	readonly boundHash: string;
}

const codeOf = (key: Uint8Array, { verb, approval, chat, message, boundHash }: Bound): Buffer =>
	createHmac("sha256", key).update(`orion-tap/2\n${verb}\n${approval}\n${chat}\n${message}\n${boundHash}`).digest().subarray(0, CODE_BYTES);

/** At most 64 bytes, as the Bot API demands: 1 + 1 + 1 + 36 + 1 + 16. */
export const tapData = (key: Uint8Array, bound: Bound): string => `2${LETTERS[bound.verb]}.${bound.approval}.${codeOf(key, bound).toString("base64url")}`;

/** Undefined for anything that was not made by tapData. */
export const readTap = (data: string): Handle | undefined => {
	const [, letter, approval, code] = FORM.exec(data) ?? [];
	const verb = letter === undefined ? undefined : VERBS.get(letter);
	return verb === undefined || approval === undefined || code === undefined ? undefined : { verb, approval, code };
};

export const isGenuine = (key: Uint8Array, handle: Handle, { chat, message }: Pick<Bound, "chat" | "message">, boundHash: string): boolean => {
	const { verb, approval, code } = handle;
	return timingSafeEqual(Buffer.from(code, "base64url"), codeOf(key, { verb, approval, chat, message, boundHash }));
};
