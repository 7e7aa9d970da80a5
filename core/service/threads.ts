// Connects the log to the threads in it: which records tell of which incident, or of which ask for a level, read backwards from the newest only as far as somebody asks.
import type { Envelope } from "../../contracts/envelope.ts";
import { fail } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";
import { actionOf, type Thread } from "../memory/explain.ts";
import { approvalOf } from "../memory/explain-approvals.ts";
import { levelAskedIn } from "../memory/explain-level.ts";
import { isOutput } from "../record.ts";
import type { CoreDesk, LogRecord } from "./ports.ts";

const PAGE_RECORDS = 256;
const POSITIONS_PER_THREAD_MAX = 512;
/** Records that stand this close together are read in one go. */
const READ_GAP_MAX = 16;
const CANDIDATES_SHOWN_MAX = 8;

const ID_START = /^(inc|dec|act|apr)-[0-9a-f]*$/;

const KINDS: Readonly<Record<string, Found["kind"]>> = { inc: "incident", dec: "decision", act: "action", apr: "approval" };

interface Entry {
	readonly incident: string;
	/** Everything that carries its correlation id, and the causes of its decisions. */
	readonly positions: Set<number>;
	/** Inputs that show it. */
	readonly evidence: Set<number>;
	/** Actions, and questions to a person. */
	readonly actions: Set<string>;
	/** Its first record was seen. */
	opened: boolean;
	oldest: number;
	truncated: boolean;
}

const freshEntry = (incident: string, position: number): Entry => ({
	incident,
	positions: new Set(),
	evidence: new Set(),
	actions: new Set(),
	opened: false,
	oldest: position,
	truncated: false,
});

export interface Found {
	readonly kind: "incident" | "decision" | "action" | "approval";
	readonly id: string;
	readonly incident: string;
}

export interface ThreadsOptions {
	readonly desk: Pick<CoreDesk, "info" | "records">;
	/** Lets other work of this process pass between two pages. */
	readonly pause: () => Promise<void>;
	readonly incidentsMax?: number;
}

export class Threads {
	readonly #options: ThreadsOptions;
	readonly #incidentsMax: number;
	readonly #entries = new Map<string, Entry>();
	/** Decision or action id -> incident. */
	readonly #incidentOf = new Map<string, string>();
	/** Inputs about an action, seen before or after the action itself. */
	readonly #receipts = new Map<string, number[]>();
	readonly #byEvidence = new Map<number, string>();
	/** Records in [lowest, highest] are in the index; empty while highest is 0. */
	#lowest = 0;
	#highest = 0;
	#full = false;
	#working: Promise<unknown> = Promise.resolve();

	constructor(options: ThreadsOptions) {
		this.#options = options;
		this.#incidentsMax = options.incidentsMax ?? 5_000;
	}

	/** An incident, decision or action by its id or the beginning of one. Faults: NOT_FOUND, AMBIGUOUS. */
	find(id: string): Promise<Result<Found>> {
		return this.#inTurn(async () => {
			await this.#readUntil(() => this.#isWhole(id));
			const ids = this.#incident(id) === undefined ? this.#idsFrom(id) : [id];
			const [only, ...more] = ids;
			if (only === undefined) return fail("NOT_FOUND", { what: "incident, decision, question, action or event", id, detail: this.#scope() });
			if (more.length > 0) {
				const shown = ids.slice(0, CANDIDATES_SHOWN_MAX).join(", ");
				return fail("AMBIGUOUS", { id, candidates: ids.length > CANDIDATES_SHOWN_MAX ? `${shown} and ${ids.length - CANDIDATES_SHOWN_MAX} more` : shown });
			}
			return ok({ kind: KINDS[only.slice(0, 3)] ?? "action", id: only, incident: this.#incident(only) ?? only });
		});
	}

	/** The incident that names this input as its evidence. */
	incidentShownBy(position: number): Promise<string | undefined> {
		return this.#inTurn(async () => {
			// What shows an incident comes before the record that says so.
			await this.#readUntil(() => this.#byEvidence.has(position) || this.#lowest <= position);
			return this.#byEvidence.get(position);
		});
	}

	/** Every record of an incident, in log order. */
	thread(incident: string): Promise<Thread | undefined> {
		return this.#inTurn(async () => {
			await this.#readUntil(() => this.#entries.get(incident)?.opened === true);
			const entry = this.#entries.get(incident);
			if (entry === undefined) return undefined;
			const receipts = [...entry.actions].flatMap((action) => this.#receipts.get(action) ?? []);
			const positions = [...new Set([...entry.positions, ...entry.evidence, ...receipts])].sort((a, b) => a - b);
			const records = await this.#read(positions);
			return { incident, records, evidence: entry.evidence, partial: entry.truncated || !entry.opened || records.length < positions.length };
		});
	}

	/** The newest record with this message id; looks at every record that is still here. */
	async byMessageId(messageId: string): Promise<LogRecord | undefined> {
		const { desk, pause } = this.#options;
		for (let end = desk.info().head; end >= desk.info().first && end > 0; end -= PAGE_RECORDS) {
			const from = Math.max(desk.info().first, end - PAGE_RECORDS + 1);
			const found = (await desk.records(from, end - from + 1)).findLast(({ envelope }) => envelope.id === messageId);
			if (found !== undefined) return found;
			await pause();
		}
		return undefined;
	}

	/** One reader of the log at a time: two would read the same pages. */
	#inTurn<T>(work: () => Promise<T>): Promise<T> {
		const next = this.#working.then(work, work);
		this.#working = next.catch(() => undefined);
		return next;
	}

	#incident(id: string): string | undefined {
		return this.#entries.has(id) ? id : this.#incidentOf.get(id);
	}

	/** True once nothing older can add to what is known of this id; never for the beginning of one. */
	#isWhole(id: string): boolean {
		const incident = this.#incident(id);
		return incident !== undefined && this.#entries.get(incident)?.opened === true;
	}

	#idsFrom(start: string): readonly string[] {
		if (!ID_START.test(start)) return [];
		return [...this.#entries.keys(), ...this.#incidentOf.keys()].filter((id) => id.startsWith(start)).reverse();
	}

	#scope(): string {
		if (this.#full) return `Looked at the newest ${this.#incidentsMax} incidents. See: orion incidents --all`;
		return this.#options.desk.info().first > 1 ? "Older records are archived. See: orion incidents --all" : "See: orion incidents --all";
	}

	/** First what is new, then backwards until `enough` or the oldest record. */
	async #readUntil(enough: () => boolean): Promise<void> {
		const { desk, pause } = this.#options;
		if (this.#highest === 0) {
			this.#highest = desk.info().head;
			this.#lowest = this.#highest + 1;
		}
		while (this.#highest < desk.info().head) {
			const page = await desk.records(this.#highest + 1, PAGE_RECORDS);
			for (const record of page) this.#learn(record);
			const last = page.at(-1);
			if (last === undefined) break;
			this.#highest = last.position;
			this.#forgetOldest();
			await pause();
		}
		while (!enough() && !this.#full && this.#lowest > Math.max(desk.info().first, 1)) {
			const from = Math.max(desk.info().first, this.#lowest - PAGE_RECORDS);
			const page = await desk.records(from, this.#lowest - from);
			for (const record of [...page].reverse()) this.#learn(record);
			this.#lowest = from;
			this.#full = this.#entries.size >= this.#incidentsMax;
			await pause();
		}
	}

	#learn({ position, envelope }: LogRecord): void {
		const action = actionOf(envelope) ?? approvalOf(envelope);
		// An ask for a level is a thread of its own, whose answers come as those to every other question.
		const levelAsk = levelAskedIn(envelope);
		// Only core's own word makes a record part of an incident; what a node claims to be about is its claim.
		const incident = levelAsk ?? (isOutput(envelope) ? envelope.correlationid : undefined);
		if (incident === undefined) {
			if (action !== undefined) this.#receipts.set(action, [...(this.#receipts.get(action) ?? []), position]);
			return;
		}
		const entry = this.#entries.get(incident) ?? freshEntry(incident, position);
		entry.oldest = Math.min(entry.oldest, position);
		this.#entries.set(incident, entry);
		this.#note(entry, position, envelope);
		if (levelAsk !== undefined) entry.actions.add(levelAsk);
		if (action !== undefined) {
			entry.actions.add(action);
			this.#incidentOf.set(action, incident);
		}
	}

	#note(entry: Entry, position: number, envelope: Envelope): void {
		const full = entry.positions.size >= POSITIONS_PER_THREAD_MAX;
		// The first record is never left out: without it nobody can say what the incident was.
		if (full && envelope.type !== "dev.orion.incident.opened.v1") entry.truncated = true;
		else entry.positions.add(position);
		switch (envelope.type) {
			case "dev.orion.incident.opened.v1":
				entry.opened = true;
				this.#show(entry, envelope.data.events);
				break;
			case "dev.orion.incident.reopened.v1":
			case "dev.orion.incident.updated.v1":
			case "dev.orion.incident.resolved.v1":
			case "dev.orion.outcome.verified.v1":
				this.#show(entry, envelope.data.events);
				break;
			case "dev.orion.decision.made.v1":
				this.#incidentOf.set(envelope.data.decision, entry.incident);
				if (envelope.causeposition !== undefined && !full) entry.positions.add(envelope.causeposition);
				break;
			case "dev.orion.level.asked.v1":
				entry.opened = true;
				break;
			case "dev.orion.level.answered.v1":
				// The level that a yes set is the next record of the same batch.
				if (envelope.data.end === "approved" && !full) entry.positions.add(position + 1);
				break;
			default:
		}
	}

	#show(entry: Entry, events: readonly number[]): void {
		for (const position of events) {
			if (entry.evidence.size >= POSITIONS_PER_THREAD_MAX) {
				entry.truncated = true;
				return;
			}
			entry.evidence.add(position);
			this.#byEvidence.set(position, entry.incident);
		}
	}

	#forgetOldest(): void {
		while (this.#entries.size > this.#incidentsMax) {
			const oldest = [...this.#entries.values()].reduce((old, entry) => (entry.oldest < old.oldest ? entry : old));
			this.#entries.delete(oldest.incident);
			for (const position of oldest.evidence) this.#byEvidence.delete(position);
			for (const action of oldest.actions) this.#receipts.delete(action);
			for (const [id, incident] of this.#incidentOf) if (incident === oldest.incident) this.#incidentOf.delete(id);
			this.#full = true;
		}
	}

	async #read(positions: readonly number[]): Promise<readonly LogRecord[]> {
		const { desk } = this.#options;
		const wanted = new Set(positions);
		const records: LogRecord[] = [];
		for (let index = 0; index < positions.length; ) {
			const from = positions[index] ?? 0;
			let last = from;
			for (index += 1; index < positions.length && (positions[index] ?? 0) - last <= READ_GAP_MAX && (positions[index] ?? 0) - from < PAGE_RECORDS; index++)
				last = positions[index] ?? last;
			if (last < desk.info().first) continue;
			const page = await desk.records(Math.max(from, desk.info().first), last - Math.max(from, desk.info().first) + 1);
			records.push(...page.filter(({ position }) => wanted.has(position)));
		}
		return records;
	}
}
