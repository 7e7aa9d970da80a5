// Decides when somebody has waited long enough: all waits are equally long, so one timer serves them in their order.

interface Wait {
	readonly dueMs: number;
	readonly give: (outcome: "late") => void;
}

export class Deadline {
	readonly #limitMs: number;
	readonly #now: () => number;
	readonly #waits = new Set<Wait>();
	#timer: NodeJS.Timeout | undefined;

	constructor(limitMs: number, now: () => number) {
		this.#limitMs = limitMs;
		this.#now = now;
	}

	/** Calls `done` once: with the result, with "failed", or with "late"; what comes after that is ignored. */
	race<T>(work: Promise<T>, done: (outcome: { readonly value: T } | "failed" | "late") => void): void {
		const give = (outcome: { readonly value: T } | "failed" | "late"): void => {
			if (this.#waits.delete(wait)) done(outcome);
		};
		const wait: Wait = { dueMs: this.#now() + this.#limitMs, give };
		this.#waits.add(wait);
		this.#arm();
		work.then(
			(value) => give({ value }),
			() => give("failed"),
		);
	}

	#arm(): void {
		const [oldest] = this.#waits;
		if (this.#timer !== undefined || oldest === undefined) return;
		this.#timer = setTimeout(
			() => {
				this.#timer = undefined;
				const now = this.#now();
				for (const wait of [...this.#waits]) {
					if (wait.dueMs > now) break;
					wait.give("late");
				}
				this.#arm();
			},
			Math.max(1, oldest.dueMs - this.#now()),
		);
		// A wait must not keep alive a process that is done.
		this.#timer.unref();
	}
}
