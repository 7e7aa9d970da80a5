// Decides for one lane of one session which numbers are stored, which are missing, and whether a known number came with other bytes.

/** Numbers above the contiguous mark; beyond this the oldest hole is closed. */
const ABOVE_MAX = 4_096;
/** Newest numbers whose content is remembered; older ones that come again count as duplicates. */
const DIGESTS_MAX = 4_096;
/** Holes that were closed for room, are not told yet and can still be filled; beyond this the oldest are told as one. */
const FORCED_MAX = 1_024;
const DIGESTS_MIN = 64;

export type Judged = "new" | "duplicate" | "fork";

export interface Hole {
	readonly fromSeq: number;
	readonly toSeq: number;
}

export interface LaneSnapshot {
	readonly contiguous: number;
	readonly highest: number;
	/** Ranges above the mark, flat: from, to, from, to, ... */
	readonly above: readonly number[];
	readonly forced: readonly number[];
	readonly coarse: readonly number[];
	/** Number and digest, flat. */
	readonly digests: Float64Array;
}

/** What a list of holes is without the numbers from..to. */
const without = (holes: readonly Hole[], fromSeq: number, toSeq: number): Hole[] =>
	holes.flatMap((hole) => {
		if (hole.toSeq < fromSeq || hole.fromSeq > toSeq) return [hole];
		const left = hole.fromSeq < fromSeq ? [{ fromSeq: hole.fromSeq, toSeq: fromSeq - 1 }] : [];
		const right = hole.toSeq > toSeq ? [{ fromSeq: toSeq + 1, toSeq: hole.toSeq }] : [];
		return [...left, ...right];
	});

/** Digests by number, in a ring that grows up to its bound: a number takes the place of the one that is a whole ring older. */
class DigestRing {
	#seqs = new Float64Array(0);
	#digests = new Float64Array(0);

	put(seq: number, digest: number): void {
		let at = seq % Math.max(1, this.#seqs.length);
		while (this.#seqs.length < DIGESTS_MAX && this.#seqs[at] !== 0 && this.#seqs[at] !== seq) {
			this.#grow();
			at = seq % this.#seqs.length;
		}
		if ((this.#seqs[at] ?? 0) > seq) return;
		this.#seqs[at] = seq;
		this.#digests[at] = digest;
	}

	get(seq: number): number | undefined {
		const at = seq % Math.max(1, this.#seqs.length);
		return this.#seqs[at] === seq ? this.#digests[at] : undefined;
	}

	clear(): void {
		this.#seqs = new Float64Array(0);
		this.#digests = new Float64Array(0);
	}

	#grow(): void {
		const [seqs, digests] = [this.#seqs, this.#digests];
		const size = Math.max(DIGESTS_MIN, seqs.length * 2);
		this.#seqs = new Float64Array(size);
		this.#digests = new Float64Array(size);
		seqs.forEach((seq, index) => {
			if (seq === 0) return;
			this.#seqs[seq % size] = seq;
			this.#digests[seq % size] = digests[index] ?? 0;
		});
	}

	/** Number and digest, flat. */
	flat(): Float64Array {
		const flat: number[] = [];
		this.#seqs.forEach((seq, index) => {
			if (seq !== 0) flat.push(seq, this.#digests[index] ?? 0);
		});
		return Float64Array.from(flat);
	}
}

export class LaneWindow {
	#contiguous = 0;
	#highest = 0;
	/** Sorted, apart, all above the mark: what is stored or accounted for beyond a hole. */
	#above: Hole[] = [];
	#aboveCount = 0;
	/** Closed for room, not told yet: a number in here that comes late is still stored. */
	#forced: Hole[] = [];
	/** The oldest of those, as one: with what was stored between them, so it is only told. */
	#coarse: Hole | undefined;
	readonly #digests = new DigestRing();

	get contiguous(): number {
		return this.#contiguous;
	}
	get highest(): number {
		return this.#highest;
	}

	judge(seq: number, digest: number): Judged {
		const known = this.#digests.get(seq);
		if (known !== undefined) return known === digest ? "duplicate" : "fork";
		return this.#isMissing(seq) ? "new" : "duplicate";
	}

	#isMissing(seq: number): boolean {
		if (seq <= this.#contiguous) return this.#forced.some(({ fromSeq, toSeq }) => fromSeq <= seq && seq <= toSeq);
		const range = this.#above[this.#firstEndingAt(seq)];
		return range === undefined || range.fromSeq > seq;
	}

	/** Index of the first range above that ends at or after seq. */
	#firstEndingAt(seq: number): number {
		let [low, high] = [0, this.#above.length];
		while (low < high) {
			const middle = (low + high) >>> 1;
			if ((this.#above[middle]?.toSeq ?? 0) < seq) low = middle + 1;
			else high = middle;
		}
		return low;
	}

	/** A number that was judged new is stored. */
	add(seq: number, digest: number): void {
		this.#digests.put(seq, digest);
		if (seq > this.#contiguous) this.#cover(seq, seq);
		else this.#forced = without(this.#forced, seq, seq);
	}

	/** The numbers are accounted for without being stored. */
	close(hole: Hole): void {
		if (hole.toSeq < hole.fromSeq) return;
		this.#forced = without(this.#forced, hole.fromSeq, hole.toSeq);
		if (this.#coarse !== undefined) [this.#coarse] = without([this.#coarse], hole.fromSeq, hole.toSeq);
		const fromSeq = Math.max(hole.fromSeq, this.#contiguous + 1);
		if (fromSeq <= hole.toSeq) this.#cover(fromSeq, hole.toSeq);
	}

	/** from..to, all above the mark, are no longer missing. */
	#cover(fromSeq: number, toSeq: number): void {
		if (toSeq > this.#highest) this.#highest = toSeq;
		if (this.#above.length === 0 && fromSeq === this.#contiguous + 1) {
			this.#contiguous = toSeq;
			return;
		}
		// Joined with every range that it touches.
		const first = this.#firstEndingAt(fromSeq - 1);
		let [joinedFrom, joinedTo, next] = [fromSeq, toSeq, first];
		for (; next < this.#above.length; next += 1) {
			const range = this.#above[next];
			if (range === undefined || range.fromSeq > toSeq + 1) break;
			joinedFrom = Math.min(joinedFrom, range.fromSeq);
			joinedTo = Math.max(joinedTo, range.toSeq);
			this.#aboveCount -= range.toSeq - range.fromSeq + 1;
		}
		this.#above.splice(first, next - first, { fromSeq: joinedFrom, toSeq: joinedTo });
		this.#aboveCount += joinedTo - joinedFrom + 1;
		this.#moveMark();
		while (this.#aboveCount > ABOVE_MAX) this.#forceOldest();
	}

	/** Over everything that touches the mark; a hole stops it. */
	#moveMark(): void {
		const [lowest] = this.#above;
		if (lowest === undefined || lowest.fromSeq !== this.#contiguous + 1) return;
		this.#contiguous = lowest.toSeq;
		this.#aboveCount -= lowest.toSeq - lowest.fromSeq + 1;
		this.#above.shift();
	}

	#forceOldest(): void {
		const [lowest] = this.#above;
		if (lowest === undefined) return;
		this.#forced.push({ fromSeq: this.#contiguous + 1, toSeq: lowest.fromSeq - 1 });
		this.#contiguous = lowest.fromSeq - 1;
		this.#moveMark();
		// A sender that leaves out every other number must not fill the memory: what it did send between is told as missing too.
		const oldest = this.#forced.length > FORCED_MAX ? this.#forced.shift() : undefined;
		if (oldest !== undefined) this.#coarse = { fromSeq: this.#coarse?.fromSeq ?? oldest.fromSeq, toSeq: oldest.toSeq };
	}

	/** Everything that is missing and was not told: closed for room first, then what is open. */
	holes(): readonly Hole[] {
		const open: Hole[] = [];
		let fromSeq = this.#contiguous + 1;
		for (const range of this.#above) {
			open.push({ fromSeq, toSeq: range.fromSeq - 1 });
			fromSeq = range.toSeq + 1;
		}
		return [...(this.#coarse === undefined ? [] : [this.#coarse]), ...this.#forced, ...open];
	}

	/** The session is over: the marks stay, the content is forgotten. */
	forgetContent(): void {
		this.#digests.clear();
	}

	snapshot(): LaneSnapshot {
		const flat = (holes: readonly Hole[]): readonly number[] => holes.flatMap(({ fromSeq, toSeq }) => [fromSeq, toSeq]);
		return {
			contiguous: this.#contiguous,
			highest: this.#highest,
			above: flat(this.#above),
			forced: flat(this.#forced),
			coarse: flat(this.#coarse === undefined ? [] : [this.#coarse]),
			digests: this.#digests.flat(),
		};
	}

	/** Of a lane of which only that is remembered. */
	static upTo(mark: number): LaneWindow {
		const lane = new LaneWindow();
		lane.close({ fromSeq: 1, toSeq: mark });
		return lane;
	}

	static restore(snapshot: LaneSnapshot): LaneWindow {
		const lane = new LaneWindow();
		const pairs = (flat: readonly number[]): Hole[] =>
			flat.flatMap((fromSeq, index) => (index % 2 === 0 ? [{ fromSeq, toSeq: flat[index + 1] ?? fromSeq }] : []));
		lane.#contiguous = snapshot.contiguous;
		lane.#highest = snapshot.highest;
		lane.#above = pairs(snapshot.above);
		lane.#aboveCount = lane.#above.reduce((sum, { fromSeq, toSeq }) => sum + toSeq - fromSeq + 1, 0);
		lane.#forced = pairs(snapshot.forced);
		[lane.#coarse] = pairs(snapshot.coarse);
		for (let at = 0; at + 1 < snapshot.digests.length; at += 2) lane.#digests.put(snapshot.digests[at] ?? 0, snapshot.digests[at + 1] ?? 0);
		return lane;
	}
}
