// Connects a question about an incident, decision, action or event to the records that answer it.
import { fail } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";
import { actionOf, type Explanation, explain, type Focus, type Thread } from "../memory/explain.ts";
import { approvalOf } from "../memory/explain-approvals.ts";
import { whyNoIncident } from "../memory/explain-event.ts";
import { levelAskedIn } from "../memory/explain-level.ts";
import { type LogRow, rowOf } from "../memory/log-row.ts";
import { isOutput } from "../record.ts";
import type { CoreDesk, LogRecord } from "./ports.ts";
import type { Threads } from "./threads.ts";
import { type IncidentRow, incidentView, type Seen } from "./views.ts";

type WhyDesk = Pick<CoreDesk, "info" | "records" | "state">;

interface Answer {
	readonly schema: string;
	readonly rev: number;
	readonly at: string;
}

export interface WhyView extends Answer, Explanation {
	readonly subject: { readonly kind: "incident" | "decision" | "action" | "approval" | "event"; readonly id: string };
	/** The event that was asked about. */
	readonly record?: LogRow;
	/** Why that event belongs to no incident. */
	readonly none?: readonly string[];
}

export interface IncidentAnswer extends Answer {
	readonly incident: IncidentRow | Explanation["incident"];
	readonly timeline: readonly LogRow[];
}

const NOTHING: Thread = { incident: "", records: [], evidence: new Set(), partial: false };

const base = (seen: Seen, schema: string): Answer => ({ schema, rev: seen.info.head, at: new Date(seen.wallMs).toISOString() });

const recordAt = async (desk: WhyDesk, position: number): Promise<Result<LogRecord>> => {
	const { first, head } = desk.info();
	if (position > head || position < 1) return fail("NOT_FOUND", { what: "record", id: String(position), detail: `The log goes from ${first} to ${head}.` });
	if (position < first) return fail("RECORDS_ARCHIVED", { position, first });
	const [record] = await desk.records(position, 1);
	return record === undefined ? fail("NOT_FOUND", { what: "record", id: String(position), detail: "It is not in the log." }) : ok(record);
};

const incidentOfRecord = async (threads: Threads, { position, envelope }: LogRecord): Promise<string | undefined> => {
	if (isOutput(envelope) && envelope.correlationid !== undefined) return envelope.correlationid;
	const action = actionOf(envelope) ?? approvalOf(envelope) ?? levelAskedIn(envelope);
	if (action === undefined) return threads.incidentShownBy(position);
	const found = await threads.find(action);
	return found.ok ? found.value.incident : undefined;
};

const whyRecord = async (desk: WhyDesk, threads: Threads, seen: Seen, record: LogRecord): Promise<WhyView> => {
	const subject = { kind: "event", id: record.envelope.id } as const;
	const answer = { ...base(seen, "orion.why/1"), subject, record: rowOf(record) };
	const incident = await incidentOfRecord(threads, record);
	const thread = incident === undefined ? undefined : await threads.thread(incident);
	if (thread !== undefined) return { ...answer, ...explain(thread, "all") };
	return { ...answer, none: whyNoIncident(desk.state().policy, record.envelope), ...explain(NOTHING, "all"), partial: false };
};

/** Ids of incidents, decisions and actions (or their beginnings), ids of messages, log positions. */
export const why = async (desk: WhyDesk, threads: Threads, seen: Seen, id: string): Promise<Result<WhyView>> => {
	if (/^\d{1,15}$/.test(id)) {
		const record = await recordAt(desk, Number(id));
		return record.ok ? ok(await whyRecord(desk, threads, seen, record.value)) : record;
	}
	const found = await threads.find(id);
	if (!found.ok) {
		if (found.fault.code !== "NOT_FOUND") return found;
		const record = await threads.byMessageId(id);
		return record === undefined ? found : ok(await whyRecord(desk, threads, seen, record));
	}
	const thread = await threads.thread(found.value.incident);
	if (thread === undefined) return fail("NOT_FOUND", { what: "incident", id, detail: "See: orion incidents --all" });
	const { kind } = found.value;
	const focus: Focus = kind === "incident" ? "all" : { kind, id: found.value.id };
	return ok({ ...base(seen, "orion.why/1"), subject: { kind, id: found.value.id }, ...explain(thread, focus) });
};

export const incidentAnswer = async (threads: Threads, seen: Seen, id: string): Promise<Result<IncidentAnswer>> => {
	const found = await threads.find(id);
	if (!found.ok) return found;
	const thread = await threads.thread(found.value.incident);
	if (thread === undefined) return fail("NOT_FOUND", { what: "incident", id, detail: "See: orion incidents --all" });
	const told = explain(thread, "all");
	if (told.levelAsk !== undefined) return fail("NOT_FOUND", { what: "incident", id, detail: `It is an ask for a level. See: orion why ${thread.incident}` });
	return ok({ ...base(seen, "orion.incident/1"), incident: incidentView(seen, thread.incident) ?? told.incident, timeline: told.timeline });
};
