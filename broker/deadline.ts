// Decides when somebody has waited long enough: all waits are equally long, so one timer serves them in their order.

export type Outcome<T> = { readonly value: T } | "failed" | "late";

interface Wait {
	readonly dueMs: number;
	/** undefined: it is over. */
	late: (() => void) | undefined;
}

/** Waits that are over before the list is cut. */
const SPENT_MAX = 1_024;

export class Deadline {
	readonly #limitMs: number;
	readonly #now: () => number;
	/**
	 * In the order in which they began. No Set: one that changes all the time leaves its older tables behind, and in the old part of the heap they keep
	 * alive whatever stood in them, the whole message and all that hangs on it.
	 */
	#waits: Wait[] = [];
	/** Index of the oldest that may still wait. */
	#oldest = 0;
	#timer: NodeJS.Timeout | undefined;

	constructor(limitMs: number, now: () => number) {
		this.#limitMs = limitMs;
		this.#now = now;
	}

	/** Calls `done` once: with the result, with "failed", or with "late"; what comes after that is ignored. `ended` is called when the work is over, late or not. */
	race<T>(work: Promise<T>, done: (outcome: Outcome<T>) => void, ended?: () => void): void {
		const wait: Wait = { dueMs: this.#now() + this.#limitMs, late: () => done("late") };
		this.#waits.push(wait);
		this.#arm();
		const give = (outcome: Outcome<T>): void => {
			ended?.();
			if (this.#end(wait) !== undefined) done(outcome);
		};
		work.then(
			(value) => give({ value }),
			() => give("failed"),
		);
	}

	#arm(): void {
		const oldest = this.#waits[this.#oldest];
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
		for (let wait = this.#waits[this.#oldest]; wait !== undefined; wait = this.#waits[this.#oldest]) {
			if (wait.dueMs > now) break;
			this.#end(wait)?.();
		}
	}

	/** What was to be told if it had been late; undefined: it is over already. */
	#end(wait: Wait): (() => void) | undefined {
		const { late } = wait;
		wait.late = undefined;
		while (this.#oldest < this.#waits.length && this.#waits[this.#oldest]?.late === undefined) this.#oldest += 1;
		if (this.#oldest >= SPENT_MAX && this.#oldest * 2 >= this.#waits.length) {
			this.#waits = this.#waits.slice(this.#oldest);
			this.#oldest = 0;
		}
		return late;
	}
}
