// Decides which of the newest records stay in memory: readers that keep up never touch the disk.
import type { StoredRecord } from "./port.ts";

/** Records that were let go before the list is cut. */
const SPENT_MAX = 1_024;

export class NewestRecords {
	readonly #bytesMax: number;
	#records: StoredRecord[] = [];
	/** Index of the oldest that is still here. */
	#oldest = 0;
	#bytes = 0;

	constructor(bytesMax: number) {
		this.#bytesMax = bytesMax;
	}

	put(record: StoredRecord): void {
		this.#records.push(record);
		this.#bytes += record.bytes.length;
		while (this.#bytes > this.#bytesMax && this.#oldest < this.#records.length) {
			this.#bytes -= this.#records[this.#oldest]?.bytes.length ?? 0;
			this.#oldest += 1;
		}
		if (this.#oldest < SPENT_MAX) return;
		this.#records = this.#records.slice(this.#oldest);
		this.#oldest = 0;
	}

	/** Position of the oldest one here; Infinity if there is none. */
	get from(): number {
		return this.#records[this.#oldest]?.position ?? Number.POSITIVE_INFINITY;
	}

	/** From a position that is not below the oldest here. */
	page(from: number, recordsMax: number): readonly StoredRecord[] {
		let [low, high] = [this.#oldest, this.#records.length];
		while (low < high) {
			const middle = (low + high) >>> 1;
			if ((this.#records[middle]?.position ?? 0) < from) low = middle + 1;
			else high = middle;
		}
		return this.#records.slice(low, low + recordsMax);
	}
}
