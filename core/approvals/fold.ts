// Folds questions and their answers into the state: what is asked, who saw it, what was answered, how it ended, what came of it.
import type { Envelope } from "../../contracts/envelope.ts";
import type { Recorded } from "../record.ts";
import { type Approval, type EngineState, mapRows, put, rowOf } from "../state.ts";
import { isFromPerson, refusalOf } from "./answers.ts";
import { isLive } from "./machine.ts";

const SEEN_MAX = 16;

const change = (state: EngineState, id: string, next: (approval: Approval) => Approval): EngineState => {
	const approval = rowOf(state.approvals, id);
	return approval === undefined ? state : { ...state, approvals: put(state.approvals, id, next(approval)) };
};

const changeAll = (state: EngineState, next: (approval: Approval) => Approval): EngineState => {
	const approvals = mapRows(state.approvals, next);
	return approvals === state.approvals ? state : { ...state, approvals };
};

const requested = (state: EngineState, { data }: Envelope<"dev.orion.approval.requested.v1">): EngineState => {
	const incident = rowOf(state.incidents, data.incident);
	const approval: Approval = {
		id: data.approval,
		status: "open",
		asked: data,
		title: incident?.title ?? data.why,
		severity: incident?.severity ?? "warning",
		reopened: incident?.reopened ?? 0,
		askedMs: state.clock.engineMs,
		askedWallMs: state.clock.wallMs,
		seen: [],
		refusals: 0,
		unsure: false,
		forgiven: false,
	};
	return { ...state, approvals: put(state.approvals, approval.id, approval) };
};

/** An answer that counts is kept with the question at once, so that one that no core has decided on yet is not lost. */
const answered = (state: EngineState, { envelope, position }: Recorded & { readonly envelope: Envelope<"dev.orion.approval.decided.v1"> }): EngineState => {
	const { approval: id, verdict, by, via, why } = envelope.data;
	const { engineMs: atMs } = state.clock;
	const approval = rowOf(state.approvals, id);
	if (!isFromPerson(envelope.source) || refusalOf(approval, envelope.data, atMs) !== undefined) return state;
	const answer = { verdict, by, via, position, atMs, ...(why === undefined ? {} : { why }) };
	return change(state, id, (before) => ({ ...before, status: "answered", answer }));
};

const closed = (state: EngineState, { data }: Envelope<"dev.orion.approval.closed.v1">): EngineState => {
	const { end, by, via, why, tookMs } = data;
	const { engineMs: closedMs, wallMs: closedWallMs } = state.clock;
	const said = { ...(by === undefined ? {} : { by }), ...(via === undefined ? {} : { via }), ...(why === undefined ? {} : { why }) };
	return change(state, data.approval, (before) => ({ ...before, ...said, status: end, closedMs, closedWallMs, tookMs }));
};

const ofAction = (state: EngineState, action: string, next: (approval: Approval) => Approval): EngineState =>
	changeAll(state, (approval) => (approval.action?.id === action ? next(approval) : approval));

/** What ended long ago leaves the state, and the oldest when they are too many; the log keeps all. */
const forget = (state: EngineState): EngineState => {
	const limits = state.policy?.approvals;
	const over = Object.values(state.approvals).filter(({ status }) => !isLive(status));
	if (limits === undefined || over.length === 0) return state;
	const tooMany = over.length - limits.keepMax;
	const gone = new Set(
		over
			.sort((left, right) => (left.closedMs ?? 0) - (right.closedMs ?? 0))
			.filter(({ closedMs = 0 }, index) => index < tooMany || state.clock.engineMs - closedMs > limits.forgetAfterMs)
			.map(({ id }) => id),
	);
	if (gone.size === 0) return state;
	return { ...state, approvals: Object.fromEntries(Object.entries(state.approvals).filter(([id]) => !gone.has(id))) };
};

export const foldApprovals = (state: EngineState, record: Recorded): EngineState => {
	const { envelope } = record;
	switch (envelope.type) {
		case "dev.orion.approval.requested.v1":
			return requested(state, envelope);
		case "dev.orion.approval.decided.v1":
			return answered(state, { ...record, envelope });
		case "dev.orion.approval.seen.v1": {
			const { approval, by, via } = envelope.data;
			const who = `${by} (${via})`;
			return isFromPerson(envelope.source)
				? change(state, approval, (before) => (before.seen.includes(who) ? before : { ...before, seen: [...before.seen, who].slice(0, SEEN_MAX) }))
				: state;
		}
		case "dev.orion.approval.refused.v1":
			return change(state, envelope.data.approval, (before) => ({ ...before, refusals: before.refusals + 1 }));
		case "dev.orion.approval.closed.v1":
			return closed(state, envelope);
		case "dev.orion.action.requested.v1": {
			const { approval, action: id, undoes } = envelope.data;
			if (undoes !== undefined) return change(state, undoes, (before) => ({ ...before, undo: { id } }));
			return approval === undefined ? state : change(state, approval, (before) => ({ ...before, action: { id } }));
		}
		case "dev.orion.action.closed.v1": {
			const { action: id, end } = envelope.data;
			if (state.actions[id]?.undoes !== undefined)
				return changeAll(state, (approval) => (approval.undo?.id === id ? { ...approval, undo: { id, end } } : approval));
			return ofAction(state, id, (before) => ({ ...before, action: { ...before.action, id, end } }));
		}
		case "dev.orion.outcome.undone.v1": {
			const { action: id, how } = envelope.data;
			return ofAction(state, id, (before) => ({ ...before, action: { ...before.action, id, undone: how } }));
		}
		case "dev.orion.level.set.v1":
			// Whoever sets the level is there: what nobody answered before may be asked once more.
			return changeAll(state, (approval) => (approval.status === "expired" && !approval.forgiven ? { ...approval, forgiven: true } : approval));
		case "dev.orion.engine.started.v1":
			return envelope.data.downtimeMs === null ? changeAll(state, (approval) => (isLive(approval.status) ? { ...approval, unsure: true } : approval)) : state;
		case "dev.orion.clock.tick.v1":
			return forget(state);
		default:
			return state;
	}
};
