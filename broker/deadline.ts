// Decides when somebody has waited long enough: all waits are equally long, so one timer serves them in their order.

export type Outcome<T> = { readonly value: T } | "failed" | "late";

interface Wait {
	readonly dueMs: number;
	readonly late: () => void;
}

/** Places for waits at first; always a power of two. */
const PLACES = 256;

/**
 * In the order in which they began, each in the place of its number. No Set: one that changes all the time leaves its older tables behind, and in the old
 * part of the heap they keep alive whatever stood in them, the whole message and all that hangs on it.
 */
class Waits {
	#places = new Array<Wait | undefined>(PLACES).fill(undefined);
	/** Numbers of the oldest that may still wait, and of the next one. */
	#from = 0;
	#to = 0;

	add(wait: Wait): number {
		if (this.#to - this.#from === this.#places.length) this.#grow();
		const number = this.#to;
		this.#to += 1;
		this.#places[number & (this.#places.length - 1)] = wait;
		return number;
	}

	/** False: it is over already. */
	end(number: number): boolean {
		if (number < this.#from) return false;
		const place = number & (this.#places.length - 1);
		const isThere = this.#places[place] !== undefined;
		this.#places[place] = undefined;
		while (this.#from < this.#to && this.#places[this.#from & (this.#places.length - 1)] === undefined) this.#from += 1;
		return isThere;
	}

	get oldest(): Wait | undefined {
		return this.#from === this.#to ? undefined : this.#places[this.#from & (this.#places.length - 1)];
	}

	get oldestNumber(): number {
		return this.#from;
	}

	#grow(): void {
		const grown = new Array<Wait | undefined>(this.#places.length * 2).fill(undefined);
		for (let number = this.#from; number < this.#to; number += 1) grown[number & (grown.length - 1)] = this.#places[number & (this.#places.length - 1)];
		this.#places = grown;
	}
}

export class Deadline {
	readonly #limitMs: number;
	readonly #now: () => number;
	readonly #waits = new Waits();
	#timer: NodeJS.Timeout | undefined;

	constructor(limitMs: number, now: () => number) {
		this.#limitMs = limitMs;
		this.#now = now;
	}

	/** Calls `done` once: with the result, with "failed", or with "late"; what comes after that is ignored. `ended` is called when the work is over, late or not. */
	race<T>(work: Promise<T>, done: (outcome: Outcome<T>) => void, ended?: () => void): void {
		const number = this.#waits.add({ dueMs: this.#now() + this.#limitMs, late: () => done("late") });
		this.#arm();
		const give = (outcome: Outcome<T>): void => {
			ended?.();
			if (this.#waits.end(number)) done(outcome);
		};
		work.then(
			(value) => give({ value }),
			() => give("failed"),
		);
	}

	#arm(): void {
		const { oldest } = this.#waits;
		if (this.#timer !== undefined || oldest === undefined) return;
		this.#timer = setTimeout(
			() => {
				this.#timer = undefined;
				this.#giveUp(this.#now());
				this.#arm();
			},
			Math.max(1, oldest.dueMs - this.#now()),
		);
		// A wait must not keep alive a process that is done.
		this.#timer.unref();
	}

	#giveUp(now: number): void {
		for (let wait = this.#waits.oldest; wait !== undefined; wait = this.#waits.oldest) {
			if (wait.dueMs > now) break;
			this.#waits.end(this.#waits.oldestNumber);
			wait.late();
		}
	}
}
