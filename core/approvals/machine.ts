// Decides what becomes of a question when something happens to it: one table, and which of several things that hold at once counts.
import type { RecordTypes } from "../../contracts/envelope.ts";

export type End = RecordTypes["dev.orion.approval.closed.v1"]["end"];
/** `answered`: an answer is on record, and counts as soon as engine time has moved on. Until then a stronger one takes its place. */
export type ApprovalStatus = "open" | "answered" | End;
/** `honour`: the answer was yes, and time has moved on since. */
export type Happening = "revoke" | "deny" | "supersede" | "void" | "expire" | "honour" | "approve";
export type Refusal = RecordTypes["dev.orion.approval.refused.v1"]["reason"];

/** What holds at the same time is decided in this order: every way to do nothing comes before the one to do something. */
const STRONGEST_FIRST: readonly Happening[] = ["revoke", "deny", "supersede", "void", "expire", "honour", "approve"];

type Row = Readonly<Record<Happening, ApprovalStatus | { readonly refused: Refusal } | undefined>>;

/** Nothing changes what has ended, and an answer to it is told so. */
const ended = (refused: Refusal): Row => ({
	revoke: { refused },
	deny: { refused },
	supersede: undefined,
	void: undefined,
	expire: undefined,
	honour: undefined,
	approve: { refused },
});

const TABLE: Readonly<Record<ApprovalStatus, Row>> = {
	open: { revoke: "revoked", deny: "denied", supersede: "superseded", void: "void", expire: "expired", honour: undefined, approve: "answered" },
	// It was answered in time: how old the answer may be is another bound, and passing that is `void`.
	answered: { revoke: "revoked", deny: "denied", supersede: "superseded", void: "void", expire: undefined, honour: "approved", approve: { refused: "used" } },
	approved: ended("used"),
	denied: ended("denied"),
	expired: ended("expired"),
	superseded: ended("superseded"),
	revoked: ended("revoked"),
	void: ended("void"),
};

export const isLive = (status: ApprovalStatus): status is "open" | "answered" => status === "open" || status === "answered";

/** The status after it; what refuses an answer; undefined: it changes nothing. */
export const next = (status: ApprovalStatus, happening: Happening): Row[Happening] => TABLE[status][happening];

/** Of what holds now, what counts: the strongest that changes anything. */
export const settled = (status: ApprovalStatus, holds: ReadonlySet<Happening>): { readonly happening: Happening; readonly end: End } | undefined => {
	for (const happening of STRONGEST_FIRST) {
		if (!holds.has(happening)) continue;
		const to = next(status, happening);
		if (typeof to === "string" && !isLive(to)) return { happening, end: to };
	}
	return undefined;
};

/** Whether an answer takes the place of another one that has not counted yet. */
export const isStronger = (answer: "approve" | "deny" | "revoke", than: "approve" | "deny" | "revoke"): boolean =>
	STRONGEST_FIRST.indexOf(answer) < STRONGEST_FIRST.indexOf(than);
