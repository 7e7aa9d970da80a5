// Decides how something that waits for a person is shown, and how it is decided: never by one tap, and never by silence.
import type { ApprovalRow } from "./answers.ts";
import { type Child, code, el, pairs } from "./element.ts";
import { clock, isOver, left } from "./times.ts";

const whatRuns = ({ kind, name, args }: ApprovalRow): string => {
	if (kind === "level") return `level ${String(args["level"])}`;
	const with_ = Object.entries(args)
		.map(([key, value]) => `${key} ${String(value)}`)
		.join(", ");
	return with_ === "" ? name : `${name} (${with_})`;
};

const undoText = ({ undo, undoSays }: ApprovalRow): string => [undo === "impossible" ? "CANNOT be undone" : undefined, undoSays].filter(Boolean).join(": ");

/** As it is called on buttons. */
export const named = (row: ApprovalRow): string => (row.kind === "level" ? whatRuns(row) : row.name);

const facts = (row: ApprovalRow): HTMLElement => {
	const rows: (readonly [string, Child])[] = [
		[row.kind === "level" ? "sets" : "runs", el("strong", {}, whatRuns(row))],
		["on", [row.node, ...(row.targets ?? [])].filter((target, index, all) => all.indexOf(target) === index).join(", ")],
		["why", row.why],
		["risk", row.risk],
	];
	if (row.plan !== undefined) rows.push(["plan", row.plan]);
	if (row.blast !== undefined) rows.push(["touches", row.blast]);
	const undo = undoText(row);
	if (undo !== "") rows.push(["undo", undo]);
	return pairs(rows);
};

export interface Decide {
	approve(row: ApprovalRow, typed: string): Promise<void>;
	deny(row: ApprovalRow, why: string): Promise<void>;
	stop(): void;
}

/** What must be typed when there is no way back; undefined: a second tap is enough. */
const typedFor = (row: ApprovalRow): string | undefined => (row.undo === "impossible" ? row.node : undefined);

/** Opens the question whether it really is to be done; what it says came from core, and time runs while it is open. */
const ask = (dialog: HTMLDialogElement, row: ApprovalRow, atMs: number, verb: "approve" | "deny", decide: Decide): void => {
	const word = verb === "approve" ? typedFor(row) : undefined;
	const input = el("input", { id: "ask-text", autocomplete: "off", autocapitalize: "off", maxlength: "200" });
	const label =
		verb === "deny"
			? el("label", { for: "ask-text" }, "Why not? Whoever reads the log will thank you. (optional)")
			: word === undefined
				? undefined
				: el("label", { for: "ask-text" }, "This cannot be undone. Type ", code(word), " to go on:");
	const go = el("button", { type: "button", class: "first" }, verb === "approve" ? `Yes, ${row.kind === "level" ? "set" : "run"} ${named(row)}` : "Deny it");
	const back = el("button", { type: "button" }, "Back");
	const stop = el("button", { type: "button", class: "stop" }, "STOP");
	stop.addEventListener("click", () => {
		dialog.close();
		decide.stop();
	});
	const outcome = el("p", { class: "bad", role: "alert" });
	const clockLine = el("p", {}, left(row.decideInMs, atMs, "time to decide: "));
	const check = (): void => {
		go.disabled = isOver(clockLine) || (word !== undefined && input.value.trim() !== word);
		if (isOver(clockLine) && outcome.textContent === "") outcome.textContent = "The time to decide is over: nothing is done.";
	};
	const watching = setInterval(check, 250);
	dialog.addEventListener("close", () => clearInterval(watching), { once: true });
	input.addEventListener("input", check);
	back.addEventListener("click", () => dialog.close());
	go.addEventListener("click", () => {
		go.disabled = true;
		clearInterval(watching);
		outcome.textContent = "sent; waiting for core ...";
		(verb === "approve" ? decide.approve(row, input.value.trim()) : decide.deny(row, input.value.trim())).then(
			() => dialog.close(),
			(error: unknown) => {
				outcome.textContent = error instanceof Error ? error.message : "core did not answer; look again before you decide again";
			},
		);
	});
	input.addEventListener("keydown", (event) => {
		if (event.key === "Enter" && !go.disabled) go.click();
	});
	dialog.dataset["approval"] = row.approval;
	dialog.replaceChildren(
		el(
			"div",
			{ class: "top" },
			el("h2", { id: "ask-title" }, `${verb === "deny" ? "Deny" : row.kind === "level" ? "Set" : "Run"} ${whatRuns(row)} on ${row.node}?`),
			stop,
		),
		verb === "approve" ? facts(row) : el("p", {}, row.why),
		clockLine,
		...(label === undefined ? [] : [label, input]),
		el("div", { class: "row" }, ...(verb === "approve" ? [back, go] : [go, back])),
		outcome,
	);
	check();
	dialog.showModal();
	// The way back has the focus: a key pressed by habit changes nothing.
	(verb === "deny" || word !== undefined ? input : back).focus();
};

const ENDS: Readonly<Record<ApprovalRow["status"], string>> = {
	open: "waits",
	approved: "approved",
	denied: "denied: nothing was done",
	expired: "expired: nobody decided in time, nothing was done",
	superseded: "overtaken by a newer question: nothing was done",
	revoked: "taken back",
	void: "void: what it was about has changed, nothing was done",
};

const undone = ({ outcome }: ApprovalRow): string => (outcome?.undone === undefined ? "" : `, ${outcome.undone}`);

/** A question that is over, in one line. */
export const endedApproval = (row: ApprovalRow): HTMLElement => {
	const by = row.by === undefined ? "" : ` by ${row.by}${row.via === undefined ? "" : ` (${row.via})`}`;
	const why = row.said === undefined || row.said === "" ? "" : `: ${row.said}`;
	const outcome =
		row.outcome === undefined || row.kind === "level"
			? ""
			: row.outcome.end === "under-way"
				? " It is under way."
				: ` It ended ${row.outcome.end}${undone(row)}.`;
	return el(
		"p",
		{ class: "dim" },
		el("strong", {}, whatRuns(row)),
		` on ${row.node}: ${ENDS[row.status]}${by}${why}, ${clock(row.decidedAt ?? row.decideBy)}.${outcome}`,
	);
};

export const approvalCard = (row: ApprovalRow, atMs: number, dialog: HTMLDialogElement, decide: Decide): HTMLElement => {
	const approve = el("button", { type: "button", "aria-label": `Approve ${named(row)} on ${row.node}` }, "Approve ...");
	const deny = el("button", { type: "button", "aria-label": `Deny ${named(row)} on ${row.node}` }, "Deny ...");
	approve.addEventListener("click", () => ask(dialog, row, atMs, "approve", decide));
	deny.addEventListener("click", () => ask(dialog, row, atMs, "deny", decide));
	return el(
		"article",
		{ class: "card asks", "aria-label": `${named(row)} on ${row.node} waits for you` },
		el("h3", {}, row.title),
		facts(row),
		el("p", {}, left(row.decideInMs, atMs, "", " left to decide"), ". If nobody decides, nothing is done."),
		el("div", { class: "row" }, deny, approve),
	);
};
