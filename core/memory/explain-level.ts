// Decides how an ask for a higher level is explained: who asked, who looked, every answer with what it counted for, how it ended, and the level that it set.
import { type Envelope, nodeOfSource, type RecordTypes } from "../../contracts/envelope.ts";
import type { Recorded } from "../record.ts";
import { approvalOf } from "./explain-approvals.ts";
import { type LogRow, rowOf } from "./log-row.ts";

type Asked = RecordTypes["dev.orion.level.asked.v1"];
type Answered = RecordTypes["dev.orion.level.answered.v1"];

export interface ExplainedLevelAsk extends Pick<Asked, "level" | "before" | "decideWithinMs"> {
	readonly id: string;
	readonly position: number;
	readonly at: string;
	readonly askedBy: string;
	readonly askedVia: string;
	readonly status: "open" | Answered["end"];
	readonly by?: string;
	readonly via?: string;
	readonly why?: string;
	/** The ask itself, views, answers, refusals, the end, the level that was set: in log order. */
	readonly steps: readonly LogRow[];
}

/** The ask for a level that a record of core begins or ends; undefined for a record about something else, and for what a node claims. */
export const levelAskedIn = (envelope: Envelope): string | undefined =>
	(envelope.type === "dev.orion.level.asked.v1" || envelope.type === "dev.orion.level.answered.v1") && nodeOfSource(envelope.source) === undefined
		? envelope.data.ask
		: undefined;

const isAsked = (record: Recorded): record is Recorded & { envelope: Envelope<"dev.orion.level.asked.v1"> } =>
	record.envelope.type === "dev.orion.level.asked.v1" && levelAskedIn(record.envelope) !== undefined;

/** Its first end is its only one. */
const endOf = (told: readonly Recorded[]): Pick<ExplainedLevelAsk, "status" | "by" | "via" | "why"> => {
	const end = told.find(({ envelope }) => envelope.type === "dev.orion.level.answered.v1")?.envelope;
	if (end?.type !== "dev.orion.level.answered.v1") return { status: "open" };
	const { ask: _id, end: status, ...rest } = end.data;
	return { status, ...rest };
};

/** undefined: these records tell of no ask for a level. */
export const explainLevelAsk = (records: readonly Recorded[]): ExplainedLevelAsk | undefined => {
	const asked = records.find(isAsked);
	if (asked === undefined) return undefined;
	const { position, envelope } = asked;
	const { ask: id, level, before, by: askedBy, via: askedVia, decideWithinMs } = envelope.data;
	const isAbout = ({ envelope: told }: Recorded): boolean =>
		levelAskedIn(told) === id || approvalOf(told) === id || (told.type === "dev.orion.level.set.v1" && nodeOfSource(told.source) === undefined);
	const told = records.filter((record) => record.position >= position && isAbout(record));
	const at = envelope.recordedtime ?? envelope.time ?? "";
	return { id, position, at, level, before, askedBy, askedVia, decideWithinMs, ...endOf(told), steps: told.map(rowOf) };
};
