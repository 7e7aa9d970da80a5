// Decides whether a password may be tried now: who was wrong often, for one node from one address, has to wait, so that guessing cannot eat the CPU of others.
import { Buckets } from "./bucket.ts";

const WRONG_AT_ONCE = 10;
const WRONG_PER_S = 1 / 2;

export class Guesses {
	readonly #wrong = new Buckets(WRONG_PER_S, WRONG_AT_ONCE);

	mayTry(name: string, nowMs: number): boolean {
		return this.#wrong.of(name, nowMs).has(nowMs);
	}

	wasWrong(name: string, nowMs: number): void {
		this.#wrong.of(name, nowMs).take(nowMs);
	}
}
