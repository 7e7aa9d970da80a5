// Decides how the chat reads: every foreign text stripped and escaped, one message for each stage of an ask, and nothing hidden by cutting it off.
import { sayDuration } from "../../../contracts/time.ts";
import type { Ask } from "./ports.ts";

/** Control, zero-width and direction-changing characters: they can make a text read as another one. A new line may stay. */
const UNSEEN = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{VS}]/gu;

/** Text as it is shown: stripped of what cannot be seen, combining marks limited. */
export const visible = (text: string): string => text.replace(UNSEEN, "").replace(/(\p{M}{2})\p{M}+/gu, "$1");

/** Stripped and escaped for Telegram's HTML. */
export const safe = (text: string): string => visible(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** The Bot API counts characters after the tags are taken away; with room for what is added later. */
const HTML_LENGTH_MAX = 3_600;

const row = (label: string, text: string): string => `<b>${label}</b> ${safe(text)}`;

/** HH:MM:SS UTC. */
const timeOf = (iso: string): string => `${iso.slice(11, 19)} UTC`;

const rowsOf = (ask: Ask): readonly (readonly [label: string, text: string])[] => [
	["Runs", ask.plan],
	["On", ask.node],
	["Why", ask.why],
	["Touches", ask.blast],
	["Undo", `${ask.undo}: ${ask.undoSays}`],
	["Evidence", ask.evidence.length === 0 ? "none" : `records ${ask.evidence.map((position) => `#${position}`).join(", ")}`],
];

const head = (ask: Ask): string => `<b>${safe(ask.risk)} approval</b> ${safe(ask.title)}`;

/** All that is asked, as plain text, for the file beside a message that is too long. */
export const wholeAsk = (ask: Ask): string =>
	[
		`${ask.risk} approval ${ask.approval}: ${visible(ask.title)}`,
		...rowsOf(ask).map(([label, text]) => `${label}: ${visible(text)}`),
		...(ask.incident === "" ? [] : [`Incident: ${ask.incident}`]),
		`Decide by: ${ask.decideBy}`,
		"",
	].join("\n");

/** Whether the rows fit into one message; if not, they are in a file and the message says so. */
export const fits = (ask: Ask): boolean => rowsOf(ask).reduce((sum, [, text]) => sum + safe(text).length + 16, head(ask).length) <= HTML_LENGTH_MAX;

const body = (ask: Ask): readonly string[] =>
	fits(ask)
		? rowsOf(ask).map(([label, text]) => row(label, text))
		: [row("Runs", `${ask.name} on ${ask.node}`), "This is too long for a message. All of it is in the file above: <b>read it before you answer.</b>"];

const MINUTE_MS = 60_000;

/** In whole minutes, because each change of it is an edit of the message. */
const left = (ms: number): string => (ms < MINUTE_MS ? "less than a minute" : sayDuration(Math.ceil(ms / MINUTE_MS) * MINUTE_MS));

const countdown = (ask: Ask): string => `Decide by <b>${timeOf(ask.decideBy)}</b> (in ${left(ask.decideInMs)}). Silence means no.`;

const identity = (ask: Ask): string => `<i>${safe([ask.approval, ask.incident].filter((id) => id !== "").join(" · "))}</i>`;

export const askText = (ask: Ask): string => [head(ask), ...body(ask), "", countdown(ask), identity(ask)].join("\n");

export const confirmText = (ask: Ask): string =>
	[head(ask), ...body(ask), "", "<b>Really?</b> The next tap lets it run.", countdown(ask), identity(ask)].join("\n");

const ENDS: Readonly<Record<Exclude<Ask["status"], "open">, string>> = {
	approved: "Approved",
	denied: "Denied: nothing was done",
	expired: "Expired: nobody answered, so nothing was done",
	superseded: "Superseded: what was asked is no longer what is needed; nothing was done",
	revoked: "Revoked: nothing was done",
	void: "Void: things changed after it was asked; nothing was done",
};

const outcomeText = ({ outcome }: Ask): string => {
	if (outcome === undefined) return "It is being done.";
	const undone = outcome.undone === undefined ? "" : ` Undo: ${safe(outcome.undone)}.`;
	return `${outcome.end === "verified" ? "Done, and verified." : `It ended: ${safe(outcome.end)}.`}${undone}`;
};

/** The last text of a message: it has no buttons. */
export const endText = (ask: Ask): string => {
	if (ask.status === "open") return askText(ask);
	const who = ask.by === undefined ? "" : ` by ${safe(ask.by)}`;
	const how = ask.via === undefined ? "" : ` (${safe(ask.via)})`;
	const when = ask.decidedAt === undefined ? "" : ` at ${timeOf(ask.decidedAt)}`;
	const said = ask.said === undefined || ask.said === "" ? [] : [row("Said", ask.said)];
	const came = ask.status === "approved" ? [outcomeText(ask)] : [];
	return [head(ask), row("Runs", ask.plan.slice(0, 500)), "", `<b>${ENDS[ask.status]}</b>${who}${how}${when}.`, ...said, ...came, identity(ask)].join("\n");
};

export const reminderText = (ask: Ask): string => `Still open: ${safe(ask.title)}\n${countdown(ask)}\n/approve ${safe(ask.approval)} shows it again.`;

export const digestText = (waiting: readonly Ask[]): string =>
	[
		`<b>${waiting.length} more ${waiting.length === 1 ? "approval waits" : "approvals wait"}</b>; so many in an hour are not sent one by one:`,
		...waiting.slice(0, 20).map((ask) => `• ${safe(ask.title.slice(0, 100))}: /approve ${safe(ask.approval)}`),
		...(waiting.length > 20 ? [`and ${waiting.length - 20} more: orion approvals`] : []),
	].join("\n");

export const HELP = [
	"<b>What I understand</b>",
	"/status what is so now",
	"/incidents what is wrong",
	"/why ID why something was done or not",
	"/approve ID shows that ask again, with its buttons",
	"/deny ID says no",
	"/mute 2h no asks here for a while; they still expire",
	"/level N0 lowers what the mesh may do by itself; a higher one is asked for",
	"/stop stops everything that moves, at once",
	"",
	"Releasing a stop, and cutting power, are not done from a chat.",
].join("\n");
