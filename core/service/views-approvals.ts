// Decides what people are shown of questions: the open ones with the time that is left, those that ended, and what answering was like so far.
import { isLive } from "../approvals/machine.ts";
import type { Approval } from "../state.ts";
import type { Seen } from "./views.ts";

const iso = (wallMs: number): string => new Date(wallMs).toISOString();
const answer = (seen: Seen, schema: string) => ({ schema, rev: seen.info.head, at: iso(seen.wallMs) });

const outcomeOf = ({ action, undo }: Approval) => {
	if (action === undefined) return {};
	const undone = undo === undefined ? action.undone : `taken back by ${undo.id}: ${undo.end === "verified" ? "done" : (undo.end ?? "under-way")}`;
	return { outcome: { action: action.id, end: action.end ?? "under-way", ...(undone === undefined ? {} : { undone }) } };
};

const approvalRow = ({ state, wallMs }: Seen, approval: Approval) => {
	const { id, asked, status, title, askedWallMs, closedWallMs, by, via, why: said, tookMs } = approval;
	const { clock } = state;
	// Since the newest clock record as the wall says: for people, who decide nothing by a millisecond.
	const engineMs = clock.engineMs + Math.max(0, wallMs - clock.wallMs);
	const isOpen = isLive(status);
	return {
		approval: id,
		status: isOpen ? ("open" as const) : status,
		incident: asked.incident,
		title,
		node: asked.node,
		name: asked.name,
		args: asked.args,
		targets: asked.targets,
		risk: asked.risk,
		plan: asked.plan,
		why: asked.why,
		blast: asked.blast,
		undo: asked.undo,
		undoSays: asked.undoSays,
		evidence: asked.evidence,
		boundHash: asked.boundHash,
		times: asked.times,
		askedAt: iso(askedWallMs),
		decideBy: asked.decideBy,
		decideInMs: isOpen ? Math.max(0, asked.decideByEngineMs - engineMs) : 0,
		executeBy: iso(Date.parse(asked.decideBy) + asked.executeWithinMs),
		executeWithinMs: asked.executeWithinMs,
		seen: approval.seen,
		refusedAnswers: approval.refusals,
		...(by === undefined ? {} : { by }),
		...(via === undefined ? {} : { via }),
		...(said === undefined ? {} : { said }),
		...(closedWallMs === undefined ? {} : { decidedAt: iso(closedWallMs) }),
		...(tookMs === undefined ? {} : { tookMs }),
		...outcomeOf(approval),
	};
};

/** Open ones first, the most pressing before the others; then the newest end first. Equal ones by id, so that a page can go on after any row. */
const inOrder = (left: Approval, right: Approval): number =>
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
	const matching = Object.values(seen.state.approvals)
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

export const approvalView = (seen: Seen, approval: Approval) => ({ ...answer(seen, "orion.approval/1"), ...approvalRow(seen, approval) });

const middle = (sorted: readonly number[], part: number): number | undefined => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];

const counted = (names: readonly string[]): Readonly<Record<string, number>> => {
	const counts: Record<string, number> = {};
	for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
	return counts;
};

/** What answering was like, over the questions that are still kept. */
export const approvalHistoryView = (seen: Seen) => {
	const all = Object.values(seen.state.approvals);
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
