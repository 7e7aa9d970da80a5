// Decides where in a segment a record stands: a sparse index of its batches, and the bytes that are passed over.

/** Bytes between two entries of the index: so much, and one batch, is read in vain at most to find a record. */
const INDEX_EVERY_BYTES = 65_536;

export class Segment {
	readonly name: string;
	readonly firstPosition: number;
	/** Position and offset of every so many bytes, both rising. */
	readonly #positions: number[] = [];
	readonly #offsets: number[] = [];
	#skips: { readonly fromOffset: number; readonly toOffset: number }[] = [];
	#lastPosition: number;
	#endOffset = 0;
	#records = 0;

	constructor(name: string, firstPosition: number) {
		this.name = name;
		this.firstPosition = firstPosition;
		this.#lastPosition = firstPosition - 1;
	}

	/** Position of its newest good record; one below its first if there is none. */
	get lastPosition(): number {
		return this.#lastPosition;
	}
	/** Where its newest good record ends, or what is passed over behind it; the next one stands there. */
	get endOffset(): number {
		return this.#endOffset;
	}
	/** Good ones. */
	get records(): number {
		return this.#records;
	}
	/** Position of its oldest good record; undefined if there is none. */
	get oldest(): number | undefined {
		return this.#positions[0];
	}

	/** A batch begins here. */
	note(position: number, offset: number): void {
		const last = this.#offsets.at(-1);
		if (last !== undefined && offset - last < INDEX_EVERY_BYTES) return;
		this.#positions.push(position);
		this.#offsets.push(offset);
	}

	/** Everything up to here is good, apart from what is passed over. */
	grow(lastPosition: number, endOffset: number, records: number): void {
		this.#records += records;
		this.#lastPosition = lastPosition;
		this.#endOffset = endOffset;
	}

	/** The header ends here. */
	begin(offset: number): void {
		this.#endOffset = offset;
	}

	skip(fromOffset: number, toOffset: number): void {
		this.#skips = [...this.#skips, { fromOffset, toOffset }];
		this.#endOffset = toOffset;
	}

	/** Where to begin to look for a position: at the newest entry that is not above it. */
	startOf(position: number): number {
		let [low, high] = [0, this.#positions.length];
		while (low < high) {
			const middle = (low + high) >>> 1;
			if ((this.#positions[middle] ?? 0) <= position) low = middle + 1;
			else high = middle;
		}
		return this.#offsets[Math.max(0, low - 1)] ?? this.#endOffset;
	}

	/** Where reading goes on when it comes to this offset. */
	passOver(offset: number): number {
		return this.#skips.reduce((at, skip) => (at === skip.fromOffset ? skip.toOffset : at), offset);
	}
}
