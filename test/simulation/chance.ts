// Decides what goes wrong in a run, from its seed alone: how often each fault comes differs from run to run, so that some have few and some many.
import { seeded } from "../support/random.ts";

export class Chance {
	readonly #next: () => number;

	constructor(seed: number) {
		this.#next = seeded(seed);
		// Neighbouring seeds begin alike.
		for (let n = 0; n < 8; n++) this.#next();
	}

	/** True in this share of cases. */
	hits(share: number): boolean {
		return this.#next() < share;
	}
	/** A whole number from `min` to `max`, both included. */
	whole(min: number, max: number): number {
		return min + Math.floor(this.#next() * (max - min + 1));
	}
	/** Often small, sometimes near `max`. */
	mostlySmall(max: number): number {
		return Math.floor(this.#next() ** 3 * max);
	}
	pick<T>(from: readonly [T, ...T[]]): T {
		return from[this.whole(0, from.length - 1)] ?? from[0];
	}
	/** A share that is nothing in half of the runs. */
	share(max: number): number {
		return this.hits(0.5) ? 0 : this.#next() * max;
	}
}

export interface Faults {
	/** Shares of messages. */
	readonly dropped: number;
	readonly duplicated: number;
	readonly delayMsMax: number;
	/** Milliseconds between two of a kind, on the average; 0 = never. */
	readonly serviceEndsEveryMs: number;
	readonly agentEndsEveryMs: number;
	readonly linkEndsEveryMs: number;
	readonly coreEndsEveryMs: number;
	readonly diskFullEveryMs: number;
	readonly operatorEveryMs: number;
	readonly alertEveryMs: number;
	/** A person looks at what is asked. */
	readonly personEveryMs: number;
	/** Shares of starts of core. */
	readonly otherCode: number;
	readonly otherPolicy: number;
	readonly hostReboots: number;
	/** Whether wall time may be believed; if not, it is moved by years at any time. */
	readonly wallSynced: boolean;
	readonly brokenServices: number;
}

const every = (chance: Chance, ms: number): number => (chance.hits(0.3) ? 0 : chance.whole(Math.floor(ms / 3), ms * 3));

export const faultsOf = (chance: Chance): Faults => ({
	dropped: chance.share(0.4),
	duplicated: chance.share(0.4),
	delayMsMax: chance.pick([5, 200, 3_000]),
	serviceEndsEveryMs: chance.whole(5_000, 60_000),
	agentEndsEveryMs: every(chance, 60_000),
	linkEndsEveryMs: every(chance, 60_000),
	coreEndsEveryMs: every(chance, 40_000),
	diskFullEveryMs: every(chance, 120_000),
	operatorEveryMs: every(chance, 90_000),
	alertEveryMs: every(chance, 40_000),
	personEveryMs: every(chance, 8_000),
	otherCode: chance.share(0.5),
	otherPolicy: chance.share(0.5),
	hostReboots: chance.share(0.5),
	wallSynced: chance.hits(0.5),
	brokenServices: chance.share(0.6),
});
