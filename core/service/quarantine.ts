// Connects a person to the messages in quarantine: which ones wait, what was in them, judged again as they came, or dropped; each of that is a record.
import type { Envelope } from "../../contracts/envelope.ts";
import { fail } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";
import type { JudgedMessage, KeptMessage } from "./intake.ts";
import type { LogRecord } from "./ports.ts";

type Entry = Envelope<"dev.orion.quarantine.entry.v1">;
type SettledData = Envelope<"dev.orion.quarantine.settled.v1">["data"];

/** A message as today's rules judge it, whoever sent it by whichever way. */
export type JudgeAgain = (clientId: string, topic: string, bytes: Uint8Array) => Result<JudgedMessage>;

export interface QuarantineOptions {
	/** Records from a position on, and where they begin and end. */
	readonly records: (from: number, recordsMax: number) => Promise<readonly LogRecord[]>;
	readonly ends: () => { readonly first: number; readonly head: number };
	readonly judge: JudgeAgain;
	readonly accept: (message: JudgedMessage) => Promise<KeptMessage>;
	/** Durable when it resolves, with its position. */
	readonly note: (settled: SettledData) => Promise<number>;
}

export interface QuarantineRow {
	readonly position: number;
	readonly at: string;
	readonly identity: string;
	readonly topic: string;
	readonly code: string;
	readonly detail: string;
	readonly bytes: number;
	readonly kept: boolean;
}

export interface QuarantineList {
	/** How many wait. */
	readonly waiting: number;
	/** Waiting ones that are older than the ones that are listed at all. */
	readonly older: number;
	/** Newest first. */
	readonly rows: readonly QuarantineRow[];
	/** `before` of the next page. */
	readonly next: number | null;
}

export interface QuarantineEntry extends QuarantineRow {
	readonly contract?: string;
	readonly pointer?: string;
	/** As it came, as text; absent: it was too large to be kept. */
	readonly text?: string;
	readonly settled?: SettledData;
}

export interface QuarantineDesk {
	list(limit: number, before: number | undefined): Promise<QuarantineList>;
	/** Fault: NOT_FOUND. */
	show(position: number): Promise<Result<QuarantineEntry>>;
	/** Faults: NOT_FOUND, QUARANTINE_SETTLED, QUARANTINE_NOT_KEPT, and that which it still breaks on. */
	retry(position: number, by: string): Promise<Result<{ readonly entryPosition: number; readonly how: "taken" | "duplicate"; readonly position?: number }>>;
	/** Faults: NOT_FOUND, QUARANTINE_SETTLED. */
	drop(position: number, by: string, why: string | undefined): Promise<Result<{ readonly entryPosition: number; readonly how: "dropped" }>>;
}

/** So many waiting ones are listed; older ones are counted, and can still be shown by their position. */
const LISTED_MAX = 1_000;
const PAGE_RECORDS = 1_000;
const DETAIL_SHOWN = 300;

const rowOf = (position: number, { data, recordedtime, time }: Entry): QuarantineRow => ({
	position,
	at: recordedtime ?? time ?? "",
	identity: data.identity,
	topic: data.topic,
	code: data.code,
	detail: data.detail.slice(0, DETAIL_SHOWN),
	bytes: data.bytes,
	kept: data.bytesBase64 !== undefined,
});

export class Quarantine implements QuarantineDesk {
	readonly #options: QuarantineOptions;
	readonly #waiting = new Map<number, QuarantineRow>();
	readonly #settled = new Map<number, SettledData>();
	#readUpTo = 0;
	#older = 0;
	/** One person at a time: two who settle the same entry must not both succeed. */
	#turn: Promise<unknown> = Promise.resolve();

	constructor(options: QuarantineOptions) {
		this.#options = options;
	}

	async list(limit: number, before: number | undefined): Promise<QuarantineList> {
		await this.#inTurn(() => this.#follow());
		const newest = [...this.#waiting.values()].reverse().filter(({ position }) => before === undefined || position < before);
		const rows = newest.slice(0, limit);
		return { waiting: this.#waiting.size + this.#older, older: this.#older, rows, next: newest.length > rows.length ? (rows.at(-1)?.position ?? null) : null };
	}

	show(position: number): Promise<Result<QuarantineEntry>> {
		return this.#inTurn(async () => {
			const found = await this.#find(position);
			if (!found.ok) return found;
			const { data } = found.value;
			const settled = this.#settled.get(position);
			return ok({
				...rowOf(position, found.value),
				detail: data.detail,
				...(data.contract === undefined ? {} : { contract: data.contract }),
				...(data.pointer === undefined ? {} : { pointer: data.pointer }),
				...(data.bytesBase64 === undefined ? {} : { text: Buffer.from(data.bytesBase64, "base64").toString("utf8") }),
				...(settled === undefined ? {} : { settled }),
			});
		});
	}

	retry(position: number, by: string): ReturnType<QuarantineDesk["retry"]> {
		return this.#inTurn(async () => {
			const found = await this.#waitingAt(position);
			if (!found.ok) return found;
			const { identity, topic, bytesBase64, bytes } = found.value.data;
			if (bytesBase64 === undefined) return fail("QUARANTINE_NOT_KEPT", { position, bytes });
			const judged = this.#options.judge(identity, topic, Buffer.from(bytesBase64, "base64"));
			// It waits on: one more record of the same would tell nobody anything.
			if (!judged.ok) return judged;
			const kept = await this.#options.accept(judged.value);
			if (kept.kind === "fork") return { ok: false, fault: kept.fault };
			const taken = kept.kind === "stored" ? { how: "taken" as const, position: kept.position } : { how: "duplicate" as const };
			await this.#settle({ entryPosition: position, by, ...taken });
			return ok({ entryPosition: position, ...taken });
		});
	}

	drop(position: number, by: string, why: string | undefined): ReturnType<QuarantineDesk["drop"]> {
		return this.#inTurn(async () => {
			const found = await this.#waitingAt(position);
			if (!found.ok) return found;
			await this.#settle({ entryPosition: position, how: "dropped", by, ...(why === undefined ? {} : { why }) });
			return ok({ entryPosition: position, how: "dropped" });
		});
	}

	async #settle(settled: SettledData): Promise<void> {
		await this.#options.note(settled);
		this.#note(settled);
	}

	#inTurn<T>(work: () => Promise<T>): Promise<T> {
		const done = this.#turn.then(work);
		this.#turn = done.catch(() => undefined);
		return done;
	}

	async #waitingAt(position: number): Promise<Result<Entry>> {
		const found = await this.#find(position);
		const settled = this.#settled.get(position);
		return found.ok && settled !== undefined ? fail("QUARANTINE_SETTLED", { position, how: settled.how, by: settled.by }) : found;
	}

	async #find(position: number): Promise<Result<Entry>> {
		await this.#follow();
		const [record] = position < this.#options.ends().first ? [] : await this.#options.records(position, 1);
		if (record?.position === position && record.envelope.type === "dev.orion.quarantine.entry.v1") return ok(record.envelope);
		return fail("NOT_FOUND", { what: "message in quarantine at", id: String(position), detail: "See: orion quarantine ls" });
	}

	/** The log is read once, at the first question, and followed from then on. */
	async #follow(): Promise<void> {
		const { first, head } = this.#options.ends();
		for (let from = Math.max(first, this.#readUpTo + 1); from <= head; ) {
			const page = await this.#options.records(from, PAGE_RECORDS);
			const last = page.at(-1);
			if (last === undefined) break;
			for (const { position, envelope } of page) {
				if (envelope.type === "dev.orion.quarantine.entry.v1") this.#waiting.set(position, rowOf(position, envelope));
				if (envelope.type === "dev.orion.quarantine.settled.v1") this.#note(envelope.data);
			}
			this.#readUpTo = last.position;
			from = last.position + 1;
			this.#forgetOldest();
		}
	}

	#note(settled: SettledData): void {
		if (this.#settled.has(settled.entryPosition)) return;
		this.#settled.set(settled.entryPosition, settled);
		if (!this.#waiting.delete(settled.entryPosition)) this.#older = Math.max(0, this.#older - 1);
	}

	#forgetOldest(): void {
		for (const position of this.#waiting.keys()) {
			if (this.#waiting.size <= LISTED_MAX) return;
			this.#waiting.delete(position);
			this.#older += 1;
		}
	}
}
