// Decides whether streams still hold what they are for: each kind of update, of end, of kill and of race, often enough.
const KINDS: readonly string[] = [
	...["Approve", "Yes, let it run", "Back", "Deny", "Details", "Snooze"].map((label) => `admin ${label}`),
	...["approve", "deny"].flatMap((verdict) => ["telegram", "cli", "page"].map((via) => `${verdict} by ${via}`)),
	...["approved", "denied", "expired", "revoked", "superseded"].map((end) => `end ${end}`),
	"level approved",
	...["after a call", "before a call", "after an append", "before an append", "now"].map((how) => `kill ${how}`),
	...["/approve", "/deny", "/level", "/mute", "/stop", "/why"].map((word) => `command ${word}`),
	...["stranger tap", "stranger text", "invitation", "replayed update", "answered by several ways", "something ran"],
	...[
		"changed data",
		"another verb",
		"made-up data",
		"data at an unknown message",
		"data of another message",
		"data of another chat",
		"data of a button that is gone",
	],
	...["tap without sender", "tap of a bot", "tap in a group", "tap in a channel", "inline tap"],
	...["forwarded", "edited", "edit mark", "anonymous admin", "through a bot", "business", "message without sender", "group message", "message of a bot"],
	...["answer elsewhere", "answer elsewhere too late", "answer elsewhere at the end of time"],
	...["another-message", "forged", "over", "stranger", "unknown-ask", "invite-unknown"].map((reason) => `refused ${reason}`),
	...["asks to wait", "does not answer"].map((what) => `notice Telegram ${what} `),
	"notice another program polls the same bot",
];

/** Kinds that came less than once in fifty streams. One of them means that the generator has become weaker, not the chat better. */
export const tooRare = (counts: ReadonlyMap<string, number>, streams: number): readonly string[] =>
	KINDS.filter((kind) => (counts.get(kind) ?? 0) < Math.max(1, Math.floor(streams / 50)));
