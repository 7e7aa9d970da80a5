// Connects a log in memory to processes that end: what was durable stays, what a dead process still asks for is never answered.
import { OrionError } from "../../contracts/errors.ts";
import { openMemory } from "../../log/memory.ts";
import type { AppendOutcome, Entry, Gap, LaneMark, Log, Position, StoredRecord } from "../../log/port.ts";

const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

/** The disk under all processes of one core. */
export class VirtualDisk {
	readonly log: Log;
	full = false;
	/** Batches taken since the beginning, whoever gave them. */
	appends = 0;
	#life: Life | undefined;

	constructor(clock: { now(): number } = { now: () => 0 }) {
		this.log = openMemory({ clock });
	}

	/** The log as a new process sees it; the one before is dead from now on. */
	open(): Life {
		this.end();
		this.#life = new Life(this);
		return this.#life;
	}

	end(): void {
		if (this.#life !== undefined) this.#life.alive = false;
	}
}

/** The log in one process. */
export class Life implements Log {
	readonly #disk: VirtualDisk;
	alive = true;
	/** The process ends at the n-th batch from now: `kept` batches are durable although nobody is told. */
	endAt: { batches: number; readonly kept: boolean; readonly ended: () => void } | undefined;

	constructor(disk: VirtualDisk) {
		this.#disk = disk;
	}

	append(entries: readonly Entry[]): Promise<readonly AppendOutcome[]> {
		if (!this.alive) return never();
		if (this.#disk.full) return Promise.reject(new OrionError("DISK_FULL", { folder: "virtual" }));
		this.#disk.appends += 1;
		const { endAt } = this;
		if (endAt !== undefined) {
			endAt.batches -= 1;
			if (endAt.batches <= 0) {
				if (endAt.kept) void this.#disk.log.append(entries);
				this.alive = false;
				endAt.ended();
				return never();
			}
		}
		return this.#answer(this.#disk.log.append(entries));
	}

	async #answer<T>(asked: Promise<T>): Promise<T> {
		const answer = await asked;
		return this.alive ? answer : never();
	}

	head(): Position {
		return this.#disk.log.head();
	}
	first(): Position {
		return this.#disk.log.first();
	}
	read(from: Position, recordsMax: number): Promise<readonly StoredRecord[]> {
		return this.alive ? this.#answer(this.#disk.log.read(from, recordsMax)) : never();
	}
	onCommit(listener: (head: Position) => void): () => void {
		return this.#disk.log.onCommit((head) => {
			if (this.alive) listener(head);
		});
	}
	cursor(reader: string): Position {
		return this.#disk.log.cursor(reader);
	}
	setCursor(reader: string, position: Position): Promise<void> {
		if (!this.alive) return never();
		if (this.#disk.full) return Promise.reject(new OrionError("DISK_FULL", { folder: "virtual" }));
		return this.#answer(this.#disk.log.setCursor(reader, position));
	}
	lanes(): readonly LaneMark[] {
		return this.#disk.log.lanes();
	}
	gaps(): readonly Gap[] {
		return this.#disk.log.gaps();
	}
	closeGap(gap: Gap): void {
		if (this.alive) this.#disk.log.closeGap(gap);
	}
	archive(upTo: Position): Promise<number> {
		return this.#disk.log.archive(upTo);
	}
	async close(): Promise<void> {
		this.alive = false;
	}
}
