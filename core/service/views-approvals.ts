// Decides what people are shown of questions: the open ones with the time that is left, those that ended, and what answering was like so far.
import { LEVEL_EXECUTE_WITHIN_MS } from "../approvals/level-asks.ts";
import { isLive } from "../approvals/machine.ts";
import type { Level, Risk } from "../policy.ts";
import type { Approval, LevelAsk } from "../state.ts";
import { questionsOf } from "./approvals-desk.ts";
import type { Seen } from "./views.ts";

const iso = (wallMs: number): string => new Date(wallMs).toISOString();
const answer = (seen: Seen, schema: string) => ({ schema, rev: seen.info.head, at: iso(seen.wallMs) });

const outcomeOf = ({ action, undo }: Approval) => {
	if (action === undefined) return {};
	const undone = undo === undefined ? action.undone : `taken back by ${undo.id}: ${undo.end === "verified" ? "done" : (undo.end ?? "under-way")}`;
	return { outcome: { action: action.id, end: action.end ?? "under-way", ...(undone === undefined ? {} : { undone }) } };
};

/** What is so of each question, whatever it asks. */
const standing = ({ state: { clock }, wallMs }: Seen, question: Approval | LevelAsk) => {
	const { id, asked, status, askedWallMs, closedWallMs, by, via, why: said, tookMs, seen, refusals } = question;
	// Since the newest clock record as the wall says: for people, who decide nothing by a millisecond.
	const engineMs = clock.engineMs + Math.max(0, wallMs - clock.wallMs);
	const isOpen = isLive(status);
	return {
		approval: id,
		status: isOpen ? ("open" as const) : status,
		boundHash: asked.boundHash,
		askedAt: iso(askedWallMs),
		decideInMs: isOpen ? Math.max(0, asked.decideByEngineMs - engineMs) : 0,
		seen,
		refusedAnswers: refusals,
		...(by === undefined ? {} : { by }),
		...(via === undefined ? {} : { via }),
		...(said === undefined ? {} : { said }),
		...(closedWallMs === undefined ? {} : { decidedAt: iso(closedWallMs) }),
		...(tookMs === undefined ? {} : { tookMs }),
	};
};

const actionRow = (seen: Seen, approval: Approval) => {
	const { asked, title } = approval;
	return {
		...standing(seen, approval),
		kind: "action" as const,
		incident: asked.incident,
		title,
		node: asked.node,
		name: asked.name,
		args: asked.args,
		targets: asked.targets,
		risk: asked.risk as Risk | "LEVEL",
		plan: asked.plan,
		why: asked.why,
		blast: asked.blast,
		undo: asked.undo,
		undoSays: asked.undoSays,
		evidence: asked.evidence,
		times: asked.times,
		decideBy: asked.decideBy,
		executeBy: iso(Date.parse(asked.decideBy) + asked.executeWithinMs),
		executeWithinMs: asked.executeWithinMs,
		...outcomeOf(approval),
	};
};

export type ApprovalRow = Omit<ReturnType<typeof actionRow>, "kind"> & { readonly kind: "action" | "level" };

const LEVEL_DOES: Readonly<Record<Level, string>> = {
	N0: "observes and executes nothing",
	N2: "runs SAFE actions by itself",
	N3: "runs SAFE actions by itself, and RISKY ones after an admin's approval",
};

/** An ask for a higher level, in the words of every other question. It belongs to no incident. */
const levelRow = (seen: Seen, ask: LevelAsk): ApprovalRow => {
	const { level, before, asker, status, asked, askedWallMs } = ask;
	const decideByWallMs = askedWallMs + asked.decideWithinMs;
	return {
		...standing(seen, ask),
		kind: "level",
		incident: "",
		title: `${asker} asks for level ${level}`,
		node: "the whole mesh",
		name: "level",
		args: { level },
		targets: ["the whole mesh"],
		risk: "LEVEL",
		plan: `raise the level from ${before} to ${level}: from then on the mesh ${LEVEL_DOES[level]}`,
		why: `${asker} asked for it in a chat`,
		blast: "every node and every open incident, which is decided again",
		undo: "left-as-found",
		undoSays: `set it again: orion level ${before}, or /level ${before} in the chat`,
		evidence: [],
		times: 1,
		decideBy: iso(decideByWallMs),
		executeBy: iso(decideByWallMs + LEVEL_EXECUTE_WITHIN_MS),
		executeWithinMs: LEVEL_EXECUTE_WITHIN_MS,
		...(status === "approved" ? { outcome: { action: "level", end: "verified" } } : {}),
	};
};

const approvalRow = (seen: Seen, question: Approval | LevelAsk): ApprovalRow => ("level" in question ? levelRow(seen, question) : actionRow(seen, question));

/** Open ones first, the most pressing before the others; then the newest end first. Equal ones by id, so that a page can go on after any row. */
const inOrder = (left: Approval | LevelAsk, right: Approval | LevelAsk): number =>
	Number(isLive(right.status)) - Number(isLive(left.status)) ||
	(isLive(left.status) ? left.asked.decideByEngineMs - right.asked.decideByEngineMs : (right.closedMs ?? 0) - (left.closedMs ?? 0)) ||
	(left.id < right.id ? -1 : 1);

export interface ApprovalsQuery {
	readonly status: "open" | "all";
	readonly limit: number;
	/** Id of the last row of the page before. */
	readonly after?: string;
}

export const approvalsView = (seen: Seen, { status, limit, after }: ApprovalsQuery) => {
	const matching = questionsOf(seen.state)
		.filter((approval) => status === "all" || isLive(approval.status))
		.sort(inOrder);
	const begin = after === undefined ? 0 : matching.findIndex(({ id }) => id === after) + 1;
	const page = matching.slice(begin, begin + limit);
	const last = page.at(-1);
	const more = last !== undefined && begin + limit < matching.length;
	return {
		...answer(seen, "orion.approvals/1"),
		total: matching.length,
		approvals: page.map((approval) => approvalRow(seen, approval)),
		...(more ? { next: last.id } : {}),
	};
};

export const approvalView = (seen: Seen, approval: Approval | LevelAsk) => ({ ...answer(seen, "orion.approval/1"), ...approvalRow(seen, approval) });

const middle = (sorted: readonly number[], part: number): number | undefined => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];

const counted = (names: readonly string[]): Readonly<Record<string, number>> => {
	const counts: Record<string, number> = {};
	for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
	return counts;
};

/** What answering was like, over the questions that are still kept. */
export const approvalHistoryView = (seen: Seen) => {
	const all = questionsOf(seen.state);
	const over = all.filter(({ status }) => !isLive(status));
	const answered = over.filter(({ by }) => by !== undefined);
	const tookMs = answered.map((approval) => approval.tookMs ?? 0).sort((left, right) => left - right);
	const days = counted(all.map(({ askedWallMs }) => iso(askedWallMs).slice(0, 10)));
	const people = [...new Set(answered.map(({ by }) => by ?? ""))].sort();
	const [medianMs, slowMs, longestMs] = [middle(tookMs, 0.5), middle(tookMs, 0.9), tookMs.at(-1)];
	return {
		...answer(seen, "orion.approvals-history/1"),
		asked: all.length,
		open: all.length - over.length,
		ends: counted(over.map(({ status }) => status)),
		/** Time from the question to the answer, where there was one. */
		toAnswer: {
			count: tookMs.length,
			...(medianMs === undefined ? {} : { medianMs }),
			...(slowMs === undefined ? {} : { slowestTenthMs: slowMs }),
			...(longestMs === undefined ? {} : { longestMs }),
		},
		refusedAnswers: all.reduce((sum, { refusals }) => sum + refusals, 0),
		/** Taps and words in a chat that were refused at its door, by reason. */
		refusedInChat: seen.state.chat?.refused ?? {},
		days: Object.entries(days)
			.map(([day, asked]) => ({ day, asked }))
			.sort((left, right) => (left.day < right.day ? 1 : -1)),
		people: people.map((by) => ({ by, answers: counted(answered.filter((approval) => approval.by === by).map(({ status }) => status)) })),
	};
};

export type ApprovalsView = ReturnType<typeof approvalsView>;
export type ApprovalView = ReturnType<typeof approvalView>;
export type ApprovalHistoryView = ReturnType<typeof approvalHistoryView>;
