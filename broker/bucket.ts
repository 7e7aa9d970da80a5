// Decides how long somebody who took too much at once has to wait: tokens that come back at a steady rate, with a debt that is waited off.

export class Bucket {
	readonly #perSecond: number;
	readonly #burst: number;
	#left: number;
	#atMs: number;

	constructor(perSecond: number, burst: number, nowMs: number) {
		this.#perSecond = perSecond;
		this.#burst = burst;
		this.#left = burst;
		this.#atMs = nowMs;
	}

	#refill(nowMs: number): void {
		this.#left = Math.min(this.#burst, this.#left + (Math.max(0, nowMs - this.#atMs) / 1_000) * this.#perSecond);
		this.#atMs = nowMs;
	}

	/** What was taken was taken; the answer is how long nothing more may be, in milliseconds. */
	spend(count: number, nowMs: number): number {
		this.#refill(nowMs);
		this.#left -= count;
		return this.#left >= 0 ? 0 : (-this.#left / this.#perSecond) * 1_000;
	}

	has(nowMs: number): boolean {
		this.#refill(nowMs);
		return this.#left >= 1;
	}

	/** True, and one token less, if there is one. */
	take(nowMs: number): boolean {
		if (!this.has(nowMs)) return false;
		this.#left -= 1;
		return true;
	}

	/** True when nobody would notice that it was thrown away. */
	isFull(nowMs: number): boolean {
		this.#refill(nowMs);
		return this.#left >= this.#burst;
	}
}

const BUCKETS_MAX = 4_096;

/** A bucket for each name; names that others choose are bounded, and full buckets go first. */
export class Buckets {
	readonly #perSecond: number;
	readonly #burst: number;
	readonly #byName = new Map<string, Bucket>();

	constructor(perSecond: number, burst: number) {
		this.#perSecond = perSecond;
		this.#burst = burst;
	}

	of(name: string, nowMs: number): Bucket {
		const known = this.#byName.get(name);
		if (known !== undefined) return known;
		if (this.#byName.size >= BUCKETS_MAX) this.#makeRoom(nowMs);
		const made = new Bucket(this.#perSecond, this.#burst, nowMs);
		this.#byName.set(name, made);
		return made;
	}

	#makeRoom(nowMs: number): void {
		for (const [name, bucket] of this.#byName) if (bucket.isFull(nowMs)) this.#byName.delete(name);
		for (const name of this.#byName.keys()) {
			if (this.#byName.size < BUCKETS_MAX) return;
			this.#byName.delete(name);
		}
	}
}
