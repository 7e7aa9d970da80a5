// Decides whether a password may be tried now: who was wrong often, for one node from one address, is checked one at a time, so that guessing cannot eat the CPU of others.
import { Buckets } from "./bucket.ts";

const WRONG_AT_ONCE = 10;
const WRONG_PER_S = 1 / 2;
/** Names are chosen by who guesses. */
const SUSPECTS_MAX = 4_096;

export class Guesses {
	readonly #wrong = new Buckets(WRONG_PER_S, WRONG_AT_ONCE);
	/** Names with a check under way, and how many. */
	readonly #trying = new Map<string, number>();
	/** Names that were wrong too often. */
	readonly #suspect = new Set<string>();

	/** Counts as a try if it says yes; `tried` has to follow. */
	mayTry(name: string, nowMs: number): boolean {
		const trying = this.#trying.get(name) ?? 0;
		if (this.#suspect.has(name)) {
			if (this.#wrong.of(name, nowMs).isFull(nowMs)) this.#suspect.delete(name);
			else if (trying > 0) return false;
		}
		this.#trying.set(name, trying + 1);
		return true;
	}

	/** undefined: it was not checked after all. */
	tried(name: string, wasRight: boolean | undefined, nowMs: number): void {
		const left = (this.#trying.get(name) ?? 0) - 1;
		if (left > 0) this.#trying.set(name, left);
		else this.#trying.delete(name);
		if (wasRight === true) this.#suspect.delete(name);
		if (wasRight !== false || this.#wrong.of(name, nowMs).take(nowMs)) return;
		if (this.#suspect.size >= SUSPECTS_MAX) this.#suspect.clear();
		this.#suspect.add(name);
	}
}
