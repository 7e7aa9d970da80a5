// Connects the log's port to memory: the same promises as on disk but durability, for tests and simulation.
import { OrionError } from "../contracts/errors.ts";
import { Dedup } from "./dedup.ts";
import { judgeGroup, type WaitingBatch } from "./group.ts";
import type { AppendOutcome, Entry, Gap, LaneMark, Log, Position, StoredRecord } from "./port.ts";

export interface MemoryOptions {
	/** Monotonic milliseconds; default: time stands still. */
	readonly clock?: { now(): number };
	/** Records that are archived together. */
	readonly segmentRecords?: number;
}

const SEGMENT_RECORDS = 4_096;

class MemoryLog implements Log {
	readonly #options: MemoryOptions;
	readonly #dedup = new Dedup();
	readonly #cursors = new Map<string, Position>();
	readonly #listeners = new Set<(head: Position) => void>();
	#records: StoredRecord[] = [];
	#archived = 0;
	#queue: WaitingBatch[] = [];
	#committing: Promise<void> | undefined;
	#isClosed = false;

	constructor(options: MemoryOptions) {
		this.#options = options;
	}

	append(entries: readonly Entry[]): Promise<readonly AppendOutcome[]> {
		if (this.#isClosed) return Promise.reject(new OrionError("LOG_CLOSED"));
		if (entries.length === 0) return Promise.resolve([]);
		return new Promise((resolve, reject) => {
			this.#queue.push({ entries, bytes: 0, resolve, reject });
			this.#committing ??= this.#commitAll();
		});
	}

	/** Not in the caller's turn: nothing is there before the caller could wait for it. */
	async #commitAll(): Promise<void> {
		await Promise.resolve();
		const batches = this.#queue.splice(0);
		this.#committing = undefined;
		const { outcomes, records, staged } = judgeGroup(batches, this.head() + 1, this.#dedup, this.#options.clock?.now() ?? 0);
		staged.apply();
		this.#records.push(...records);
		batches.forEach(({ resolve }, index) => {
			resolve(outcomes[index] ?? []);
		});
		if (records.length > 0) for (const listener of this.#listeners) listener(this.head());
	}

	head(): Position {
		return this.#archived + this.#records.length;
	}
	first(): Position {
		return this.#archived + 1;
	}

	async read(from: Position, recordsMax: number): Promise<readonly StoredRecord[]> {
		if (this.#isClosed) throw new OrionError("LOG_CLOSED");
		const start = Math.max(from, this.first()) - this.first();
		return this.#records.slice(start, start + Math.max(0, recordsMax));
	}

	onCommit(listener: (head: Position) => void): () => void {
		this.#listeners.add(listener);
		return () => {
			this.#listeners.delete(listener);
		};
	}

	cursor(reader: string): Position {
		return this.#cursors.get(reader) ?? 0;
	}
	async setCursor(reader: string, position: Position): Promise<void> {
		if (this.#isClosed) throw new OrionError("LOG_CLOSED");
		if (position > this.cursor(reader)) this.#cursors.set(reader, position);
	}

	lanes(): readonly LaneMark[] {
		return this.#dedup.lanes();
	}
	gaps(): readonly Gap[] {
		return this.#dedup.gaps();
	}
	closeGap(gap: Gap): void {
		this.#dedup.closeGap(gap);
	}

	async archive(upTo: Position): Promise<number> {
		if (this.#isClosed) throw new OrionError("LOG_CLOSED");
		const segmentRecords = this.#options.segmentRecords ?? SEGMENT_RECORDS;
		const whole = Math.floor(Math.min(upTo, this.head() - 1) / segmentRecords) * segmentRecords;
		const count = Math.max(0, whole - this.#archived);
		this.#records = this.#records.slice(count);
		this.#archived += count;
		return count;
	}

	async close(): Promise<void> {
		this.#isClosed = true;
		await this.#committing;
	}
}

export const openMemory = (options: MemoryOptions = {}): Log => new MemoryLog(options);
