// Decides how an incident is explained: from its records, what happened, what was decided by which rows, what was done, and whether it helped.
import type { Envelope, RecordTypes } from "../../contracts/envelope.ts";
import type { Recorded } from "../record.ts";
import { type ExplainedApproval, explainApprovals } from "./explain-approvals.ts";
import { type ExplainedLevelAsk, explainLevelAsk } from "./explain-level.ts";
import type { LogRow } from "./log-row.ts";
import { rowOf } from "./log-row.ts";

type Made = RecordTypes["dev.orion.decision.made.v1"];
type Requested = RecordTypes["dev.orion.action.requested.v1"];

interface ExplainedDecision extends Omit<Made, "decision" | "incident"> {
	readonly id: string;
	readonly position: number;
	readonly at: string;
	/** The record that made core decide then. */
	readonly because?: LogRow;
}

interface ActionStep extends LogRow {
	/** What a receipt says. */
	readonly phase?: string;
	readonly reason?: string;
}

interface ExplainedAction extends Pick<Requested, "decision" | "name" | "node" | "args" | "risk" | "attempt"> {
	readonly id: string;
	readonly position: number;
	readonly at: string;
	/** How far it is: the newest of requested, dispatched, the phase of a receipt, asked, verifying, verified, failed. */
	readonly phase: string;
	/** Dispatch, receipts, questions, verification, undo: in log order. */
	readonly steps: readonly ActionStep[];
	readonly end?: RecordTypes["dev.orion.action.closed.v1"]["end"];
	readonly detail?: string;
	readonly tookMs?: number;
}

interface ExplainedIncident {
	readonly id: string;
	readonly title: string;
	readonly rule: string;
	readonly node: string;
	readonly service?: string;
	readonly severity: string;
	readonly status: "open" | "resolved";
	readonly openedAt: string;
	readonly resolvedAt?: string;
	readonly resolvedHow?: "cleared-by-itself" | "repaired";
	readonly reopened: number;
	readonly value?: number;
	readonly threshold?: number;
}

export interface Explanation {
	readonly incident?: ExplainedIncident;
	readonly events: readonly LogRow[];
	readonly decisions: readonly ExplainedDecision[];
	/** Questions to a person, with every answer. */
	readonly approvals: readonly ExplainedApproval[];
	/** The thread is that of an ask for a higher level; there is no incident then. */
	readonly levelAsk?: ExplainedLevelAsk;
	readonly actions: readonly ExplainedAction[];
	readonly breaker: readonly LogRow[];
	readonly asked: readonly (LogRow & { readonly why: string; readonly suggestion: string })[];
	readonly timeline: readonly LogRow[];
	/** True when records of the thread are archived, or were more than are kept at hand. */
	readonly partial: boolean;
}

/** What a reader asked about within the thread. */
export type Focus = "all" | { readonly kind: "decision" | "action" | "approval"; readonly id: string };

export interface Thread {
	readonly incident: string;
	/** The incident's own records, the inputs that show it, and what became of its commands, in log order. */
	readonly records: readonly Recorded[];
	/** Positions of the inputs that show it. */
	readonly evidence: ReadonlySet<number>;
	readonly partial: boolean;
}

const decisionsOf = (thread: Thread): readonly ExplainedDecision[] => {
	const byPosition = new Map(thread.records.map((record) => [record.position, record]));
	return thread.records.flatMap(({ position, envelope }) => {
		if (envelope.type !== "dev.orion.decision.made.v1") return [];
		const { decision: id, incident: _incident, rows, ...rest } = envelope.data;
		const cause = byPosition.get(envelope.causeposition ?? 0);
		const matchedFirst = [...rows.filter((row) => row.matched), ...rows.filter((row) => !row.matched)];
		const because = cause === undefined ? {} : { because: rowOf(cause) };
		return [{ id, position, at: timeOf(envelope), ...rest, rows: matchedFirst, ...because }];
	});
};

/** The action that a record speaks of; undefined for a record about something else. */
export const actionOf = (envelope: Envelope): string | undefined => {
	switch (envelope.type) {
		case "dev.orion.action.receipt.v1":
			return envelope.data.command;
		case "dev.orion.action.requested.v1":
		case "dev.orion.action.dispatched.v1":
		case "dev.orion.action.asked.v1":
		case "dev.orion.action.undelivered.v1":
		case "dev.orion.action.closed.v1":
		case "dev.orion.outcome.verifying.v1":
		case "dev.orion.outcome.verified.v1":
		case "dev.orion.outcome.failed.v1":
		case "dev.orion.outcome.undone.v1":
			return envelope.data.action;
		default:
			return undefined;
	}
};

const phaseAfter = (phase: string, envelope: Envelope): string => {
	switch (envelope.type) {
		case "dev.orion.action.dispatched.v1":
			return "dispatched";
		case "dev.orion.action.receipt.v1":
			return envelope.data.phase;
		case "dev.orion.action.asked.v1":
			return "asked";
		case "dev.orion.outcome.verifying.v1":
			return "verifying";
		case "dev.orion.outcome.verified.v1":
			return "verified";
		case "dev.orion.outcome.failed.v1":
			return "failed";
		case "dev.orion.action.closed.v1":
			return envelope.data.end;
		default:
			return phase;
	}
};

const timeOf = (envelope: Envelope): string => envelope.recordedtime ?? envelope.time ?? "";

const stepOf = (record: Recorded): ActionStep => {
	const { envelope } = record;
	if (envelope.type !== "dev.orion.action.receipt.v1") return rowOf(record);
	const { phase, reason } = envelope.data;
	return { ...rowOf(record), phase, ...(reason === undefined ? {} : { reason }) };
};

const explainAction = (thread: Thread, { position, envelope }: Recorded & { envelope: Envelope<"dev.orion.action.requested.v1"> }): ExplainedAction => {
	const { action: id, decision, name, node, args, risk, attempt } = envelope.data;
	const told = thread.records.filter((record) => record.position !== position && actionOf(record.envelope) === id);
	const end = told.findLast((record) => record.envelope.type === "dev.orion.action.closed.v1")?.envelope;
	const closed = end?.type === "dev.orion.action.closed.v1" ? { end: end.data.end, detail: end.data.detail, tookMs: end.data.tookMs } : {};
	const phase = told.reduce((before, record) => phaseAfter(before, record.envelope), "requested");
	const steps = told.filter((record) => record.envelope.type !== "dev.orion.action.closed.v1").map(stepOf);
	return { id, position, at: timeOf(envelope), decision, name, node, args, risk, attempt, phase, steps, ...closed };
};

const isRequested = (record: Recorded): record is Recorded & { envelope: Envelope<"dev.orion.action.requested.v1"> } =>
	record.envelope.type === "dev.orion.action.requested.v1";

/** The incident as its own records tell it, so that one that the engine's state forgot can still be explained. */
const incidentOf = (thread: Thread): ExplainedIncident | undefined => {
	let told: ExplainedIncident | undefined;
	for (const { envelope } of thread.records) {
		if (envelope.type === "dev.orion.incident.opened.v1") {
			const { incident: id, key: _key, events: _events, ...rest } = envelope.data;
			told = { id, ...rest, status: "open", openedAt: timeOf(envelope), reopened: 0 };
		} else if (told === undefined) continue;
		else if (envelope.type === "dev.orion.incident.updated.v1") {
			const { severity, value } = envelope.data;
			told = { ...told, severity, ...(value === undefined ? {} : { value }) };
		} else if (envelope.type === "dev.orion.incident.reopened.v1") {
			const { resolvedAt: _at, resolvedHow: _how, ...rest }: ExplainedIncident = told;
			told = { ...rest, status: "open", severity: envelope.data.severity, reopened: envelope.data.times };
		} else if (envelope.type === "dev.orion.incident.resolved.v1") {
			told = { ...told, status: "resolved", resolvedAt: timeOf(envelope), resolvedHow: envelope.data.how };
		}
	}
	return told;
};

const askedOf = (thread: Thread): Explanation["asked"] =>
	thread.records.flatMap((record) => {
		if (record.envelope.type !== "dev.orion.person.asked.v1") return [];
		const { why, suggestion } = record.envelope.data;
		return [{ ...rowOf(record), why, suggestion }];
	});

const narrow = (whole: Explanation, focus: Focus): Explanation => {
	if (focus === "all") return whole;
	if (focus.kind === "approval") {
		const approvals = whole.approvals.filter(({ id }) => id === focus.id);
		const decision = approvals[0]?.decision;
		const actions = whole.actions.filter(({ id }) => approvals.some((approval) => approval.action === id));
		return { ...whole, decisions: whole.decisions.filter(({ id }) => id === decision), approvals, actions };
	}
	const decision = focus.kind === "decision" ? focus.id : whole.actions.find((action) => action.id === focus.id)?.decision;
	const actions = whole.actions.filter((action) => (focus.kind === "action" ? action.id === focus.id : action.decision === decision));
	const approvals = whole.approvals.filter((approval) => approval.decision === decision);
	return { ...whole, decisions: whole.decisions.filter(({ id }) => id === decision), approvals, actions };
};

/** The whole card of an incident, or the part of it about one decision or action. */
export const explain = (thread: Thread, focus: Focus): Explanation => {
	const incident = incidentOf(thread);
	const levelAsk = explainLevelAsk(thread.records);
	const isBreaker = ({ envelope }: Recorded): boolean => envelope.type === "dev.orion.breaker.opened.v1" || envelope.type === "dev.orion.breaker.closed.v1";
	const whole: Explanation = {
		...(incident === undefined ? {} : { incident }),
		events: thread.records.filter(({ position }) => thread.evidence.has(position)).map(rowOf),
		decisions: decisionsOf(thread),
		approvals: explainApprovals(thread.records),
		...(levelAsk === undefined ? {} : { levelAsk }),
		actions: thread.records.filter(isRequested).map((record) => explainAction(thread, record)),
		breaker: thread.records.filter(isBreaker).map(rowOf),
		asked: askedOf(thread),
		// A clock record made a decision possible, but it is not something that happened.
		timeline: thread.records.filter(({ envelope }) => envelope.type !== "dev.orion.clock.tick.v1").map(rowOf),
		partial: thread.partial || (incident === undefined && levelAsk === undefined),
	};
	return narrow(whole, focus);
};
