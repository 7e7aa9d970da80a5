// Decides how a question to a person is explained: what was asked, who saw it, every answer with what it counted for, how it ended, what it led to.
import { type Envelope, nodeOfSource, type RecordTypes } from "../../contracts/envelope.ts";
import type { Recorded } from "../record.ts";
import { type LogRow, rowOf } from "./log-row.ts";

type Requested = RecordTypes["dev.orion.approval.requested.v1"];
type Closed = RecordTypes["dev.orion.approval.closed.v1"];

export interface ExplainedApproval extends Pick<Requested, "decision" | "plan" | "risk" | "targets" | "boundHash" | "decideBy" | "times"> {
	readonly id: string;
	readonly position: number;
	readonly at: string;
	readonly status: "open" | Closed["end"];
	/** Views, answers, refusals, the end: in log order. */
	readonly steps: readonly LogRow[];
	readonly by?: string;
	readonly via?: Closed["via"];
	readonly why?: string;
	readonly tookMs?: number;
	readonly action?: string;
}

/** The question that a record speaks of; undefined for a record about something else, and for what a node claims. */
export const approvalOf = (envelope: Envelope): string | undefined => {
	switch (envelope.type) {
		case "dev.orion.approval.requested.v1":
		case "dev.orion.approval.decided.v1":
		case "dev.orion.approval.seen.v1":
		case "dev.orion.approval.undone.v1":
		case "dev.orion.approval.refused.v1":
		case "dev.orion.approval.closed.v1":
			return nodeOfSource(envelope.source) === undefined ? envelope.data.approval : undefined;
		default:
			return undefined;
	}
};

const endOf = (told: readonly Recorded[]): Partial<ExplainedApproval> => {
	const end = told.findLast(({ envelope }) => envelope.type === "dev.orion.approval.closed.v1")?.envelope;
	if (end?.type !== "dev.orion.approval.closed.v1") return {};
	const { approval: _id, incident: _incident, end: status, ...rest } = end.data;
	return { status, ...rest };
};

export const explainApprovals = (records: readonly Recorded[]): readonly ExplainedApproval[] =>
	records.flatMap(({ position, envelope }) => {
		if (envelope.type !== "dev.orion.approval.requested.v1") return [];
		const { approval: id, decision, plan, risk, targets, boundHash, decideBy, times } = envelope.data;
		const told = records.filter((record) => record.position !== position && approvalOf(record.envelope) === id);
		const led = records.find((record) => record.envelope.type === "dev.orion.action.requested.v1" && record.envelope.data.approval === id)?.envelope;
		const action = led?.type === "dev.orion.action.requested.v1" ? { action: led.data.action } : {};
		const at = envelope.recordedtime ?? envelope.time ?? "";
		const facts = { id, position, at, decision, plan, risk, targets, boundHash, decideBy, times };
		return [{ ...facts, status: "open" as const, steps: told.map(rowOf), ...endOf(told), ...action }];
	});
