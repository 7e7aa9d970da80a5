// Connects `orion approvals`, `approve` and `deny` to what is asked: the whole card first, then an answer bound to what it showed.
import { OrionError } from "../../contracts/errors.ts";
import { sayDuration } from "../../contracts/time.ts";
import type { ApprovalHistoryView, ApprovalsView, ApprovalView } from "../../core/service/views-approvals.ts";
import { ago, type Cell, clockTime, plain, table, wrap } from "./layout.ts";
import type { MeshClient } from "./mesh-client.ts";
import type { Session } from "./session.ts";

type Row = ApprovalsView["approvals"][number];

const PAGE = 200;
const LABEL_WIDTH = 10;
const SHOWN_HASH = "sha256:".length + 16;

const STATUS_SAYS: Readonly<Record<Row["status"], string>> = {
	open: "open",
	approved: "approved",
	denied: "denied",
	expired: "expired: nobody answered, nothing was done",
	superseded: "superseded: nothing was done",
	revoked: "withdrawn: nothing was done",
	void: "void: nothing was done",
};

const statusStyle = ({ paint }: Session, status: Row["status"]): ((text: string) => string) =>
	status === "open" ? paint.yellow : status === "approved" ? paint.green : status === "denied" ? paint.red : paint.dim;

const nth = (times: number): string => (times === 1 ? "the first time" : `for the ${times}${times === 2 ? "nd" : times === 3 ? "rd" : "th"} time`);

/** How it ended, by whom and why; undefined while it is open. */
const endOf = (row: Row): string | undefined => {
	if (row.status === "open") return undefined;
	const who = row.by === undefined ? "" : ` by ${row.by} (${row.via ?? "unknown"})`;
	const took = row.tookMs === undefined ? "" : ` after ${sayDuration(row.tookMs)}`;
	return `${row.status}${who}${took}${row.said === undefined ? "" : `: ${row.said}`}`;
};

const outcomeOf = ({ outcome }: Row): string | undefined =>
	outcome === undefined ? undefined : `${outcome.action} ${outcome.end}${outcome.undone === undefined ? "" : `, then ${outcome.undone}`}`;

/** Where the rest of the story stands: an ask for a level is a story of its own. */
const storyOf = ({ kind, incident, approval }: Row): string => `orion why ${kind === "level" ? approval : incident}`;

const cardOf = (session: Session, row: Row, now: string): string => {
	const { paint, width } = session;
	const left = row.status === "open" ? `${sayDuration(row.decideInMs)} left to decide` : STATUS_SAYS[row.status];
	const lines = [`${paint.bold(plain(row.title))}  ${paint.dim(row.approval)}`, `${paint.red(row.risk)} · ${statusStyle(session, row.status)(left)}`, ""];
	const facts: readonly (readonly [string, string | undefined])[] = [
		["runs", paint.bold(plain(row.plan))],
		["on", row.targets.map(plain).join(", ")],
		["why", plain(row.why)],
		["touches", plain(row.blast)],
		["undo", `${row.undo.replaceAll("-", " ")}: ${plain(row.undoSays)}`],
		["evidence", row.evidence.length === 0 ? "none" : row.evidence.map((position) => `#${position}`).join(" ")],
		[
			"asked",
			`${clockTime(row.askedAt, now)}, ${nth(row.times)}; decide by ${clockTime(row.decideBy, now)}, then carried out within ${sayDuration(row.executeWithinMs)} or not at all`,
		],
		["seen by", row.seen.length === 0 ? undefined : row.seen.map(plain).join(", ")],
		["answer", endOf(row) === undefined ? undefined : plain(endOf(row) ?? "")],
		["refused", row.refusedAnswers === 0 ? undefined : `${row.refusedAnswers} answers counted for nothing; see: ${storyOf(row)}`],
		["led to", outcomeOf(row)],
		["bound to", paint.dim(`${row.boundHash.slice(0, SHOWN_HASH)}…`)],
	];
	const indent = " ".repeat(2 + LABEL_WIDTH);
	for (const [label, text] of facts) if (text !== undefined) lines.push(`${paint.dim(`  ${label.padEnd(LABEL_WIDTH)}`)}${wrap(text, width, indent)}`);
	return lines.join("\n");
};

const rowsOf = async (mesh: MeshClient, status: "open" | "all"): Promise<ApprovalsView> => {
	let view = await mesh.get<ApprovalsView>(`/state/approvals?status=${status}&limit=${PAGE}`);
	const rows = [...view.approvals];
	while (view.next !== undefined) {
		view = await mesh.get<ApprovalsView>(`/state/approvals?status=${status}&limit=${PAGE}&after=${view.next}`);
		rows.push(...view.approvals);
	}
	return { ...view, approvals: rows };
};

export const listApprovals = async (session: Session, options: { readonly all?: boolean }): Promise<number> => {
	const mesh = await session.mesh();
	const view = await session.waiting(() => "asking", rowsOf(mesh, options.all === true ? "all" : "open"));
	const { paint, width } = session;
	if (session.json) {
		session.print(view);
		return 0;
	}
	const [first] = view.approvals;
	if (first === undefined) {
		session.say(
			options.all === true ? "nobody was asked anything so far" : `${paint.green("nothing waits for an answer")}; what was answered: orion approvals --all`,
		);
		return 0;
	}
	const cells = view.approvals.map((row): readonly Cell[] => [
		{ text: row.approval },
		{ text: row.status === "open" ? `${sayDuration(row.decideInMs)} left` : row.status, paint: statusStyle(session, row.status) },
		{ text: plain(row.plan) },
		{ text: plain(row.title), paint: paint.dim },
		{ text: row.by ?? "" },
		{ text: ago(Math.max(0, Date.parse(view.at) - Date.parse(row.askedAt))), paint: paint.dim },
	]);
	const columns = [
		{ title: "APPROVAL" },
		{ title: "STATUS" },
		{ title: "RUNS", flexible: true },
		{ title: "BECAUSE", flexible: true, spare: true },
		{ title: "BY", spare: true },
		{ title: "ASKED", spare: true },
	];
	const next = first.status === "open" ? `orion approve ${first.approval}    or: orion deny ${first.approval}` : `orion approvals show ${first.approval}`;
	session.say([...table(columns, cells, width, paint.dim), "", `${paint.dim("next:")} ${next}`].join("\n"));
	return 0;
};

/** The card, and the record that somebody looked at it. */
const look = async (session: Session, mesh: MeshClient, id: string): Promise<ApprovalView> => {
	const row = await session.waiting(() => "asking", mesh.get<ApprovalView>(`/state/approvals/${encodeURIComponent(id)}`));
	if (row.status === "open") await mesh.post(`/approvals/${row.approval}/seen`, { by: session.host.user, via: "cli" });
	return row;
};

export const showApproval = async (session: Session, id: string): Promise<number> => {
	const row = await look(session, await session.mesh(), id);
	if (session.json) {
		session.print(row);
		return 0;
	}
	const { paint } = session;
	const next = row.status === "open" ? `orion approve ${row.approval}    or: orion deny ${row.approval} -m why` : storyOf(row);
	session.say(`${cardOf(session, row, row.at)}\n\n${paint.dim("next:")} ${next}`);
	return 0;
};

interface Answering {
	readonly message?: string;
	readonly yes?: boolean;
}

const send = (session: Session, mesh: MeshClient, verdict: string, row: ApprovalView, message: string | undefined): Promise<ApprovalView> =>
	session.waiting(
		() => "answering",
		mesh.post<ApprovalView>(`/approvals/${row.approval}/${verdict}`, {
			boundHash: row.boundHash,
			by: session.host.user,
			via: "cli",
			...(message === undefined ? {} : { why: message }),
		}),
	);

/** What has to be typed: the thing itself, so that nobody types it by habit. */
const wordOf = ({ kind, args, node }: Row): string => plain(String((kind === "level" ? args["level"] : args["service"]) ?? node));

export const approve = async (session: Session, id: string, options: Answering): Promise<number> => {
	const { host, paint } = session;
	const isAsked = options.yes !== true;
	if (isAsked && (!host.inIsTty || session.json))
		throw new OrionError("USAGE", { detail: `nobody can be asked here; to approve ${id} without a look give --yes` });
	const mesh = await session.mesh();
	const row = await look(session, mesh, id);
	if (!session.json) session.say(cardOf(session, row, row.at));
	// What is over is not asked about; the mesh says so, and keeps that it was tried.
	if (isAsked && row.status === "open") {
		const typed = await host.askLine(`\nType ${wordOf(row)} to let it run: `);
		if (typed.trim() !== wordOf(row)) {
			session.note("that is something else; nothing was approved, and the question stands");
			return 1;
		}
	}
	const answered = await send(session, mesh, "approve", row, options.message);
	const done = answered.kind === "level" ? "; it is so now" : ` runs now as ${answered.outcome?.action ?? "an action"}`;
	if (session.json) session.print(answered);
	else session.say(`\n${paint.green("approved")}: ${plain(answered.plan)}${done}; see: ${storyOf(answered)}`);
	return 0;
};

export const deny = async (session: Session, id: string, options: Answering): Promise<number> => {
	const mesh = await session.mesh();
	const row = await look(session, mesh, id);
	const answered = await send(session, mesh, "deny", row, options.message);
	if (session.json) session.print(answered);
	else session.say(`${session.paint.red("denied")}: ${plain(answered.plan)} is not done; see: ${storyOf(answered)}`);
	return 0;
};

export const revoke = async (session: Session, id: string, options: Answering): Promise<number> => {
	const mesh = await session.mesh();
	const row = await look(session, mesh, id);
	const answered = await send(session, mesh, "revoke", row, options.message);
	if (session.json) session.print(answered);
	else session.say(`withdrawn: nobody is asked about ${plain(answered.plan)} any more for now, and it is not done`);
	return 0;
};

export const undo = async (session: Session, id: string, options: Answering): Promise<number> => {
	const mesh = await session.mesh();
	const body = { by: session.host.user, via: "cli", ...(options.message === undefined ? {} : { why: options.message }) };
	const row = await session.waiting(() => "asking", mesh.post<ApprovalView>(`/approvals/${encodeURIComponent(id)}/undo`, body));
	if (session.json) session.print(row);
	else session.say(`${session.paint.green("ordered")}: ${plain(row.plan)} is ${row.outcome?.undone ?? "taken back"}; see: orion why ${row.incident}`);
	return 0;
};

const counts = (named: Readonly<Record<string, number>>): string =>
	Object.entries(named)
		.map(([name, count]) => `${count} ${name}`)
		.join(", ") || "none";

export const showHistory = async (session: Session): Promise<number> => {
	const mesh = await session.mesh();
	const view = await session.waiting(() => "counting", mesh.get<ApprovalHistoryView>("/state/approvals/history"));
	const { paint, width } = session;
	if (session.json) {
		session.print(view);
		return 0;
	}
	const refusedInChat = Object.values(view.refusedInChat).reduce((sum, count) => sum + count, 0);
	if (view.asked === 0 && refusedInChat === 0) {
		session.say("nobody was asked anything so far");
		return 0;
	}
	const { medianMs, slowestTenthMs, longestMs, count } = view.toAnswer;
	const took =
		medianMs === undefined
			? "nobody answered yet"
			: `half within ${sayDuration(medianMs)}, nine in ten within ${sayDuration(slowestTenthMs ?? medianMs)}, the longest ${sayDuration(longestMs ?? medianMs)} (${count} answers)`;
	const lines: readonly (readonly [string, string])[] = [
		["asked", `${view.asked}, ${view.open} of them open`],
		["ended", counts(view.ends)],
		["answered", took],
		["refused", `${view.refusedAnswers} answers counted for nothing`],
		...(refusedInChat === 0 ? [] : [["in chat", `${refusedInChat} refused: ${counts(view.refusedInChat)}`] as const]),
		...view.people.map(({ by, answers }) => [plain(by), counts(answers)] as const),
		...view.days.slice(0, 14).map(({ day, asked }) => [day, `${asked} asked`] as const),
	];
	session.say(lines.map(([label, text]) => `${paint.dim(label.padEnd(12))}${wrap(text, width, " ".repeat(12))}`).join("\n"));
	return 0;
};
