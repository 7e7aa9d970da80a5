// Lets a few checks run at a time and a bounded number wait: hashing passwords must not eat the CPU that messages need.

export class Turnstile {
	readonly #runningMax: number;
	readonly #waitingMax: number;
	#running = 0;
	readonly #waiting: (() => void)[] = [];

	constructor(runningMax: number, waitingMax: number) {
		this.#runningMax = runningMax;
		this.#waitingMax = waitingMax;
	}

	/** undefined if too many wait already. */
	async pass<T>(work: () => Promise<T>): Promise<T | undefined> {
		if (this.#running >= this.#runningMax) {
			if (this.#waiting.length >= this.#waitingMax) return undefined;
			await new Promise<void>((resolve) => {
				this.#waiting.push(resolve);
			});
		} else this.#running += 1;
		try {
			return await work();
		} finally {
			const next = this.#waiting.shift();
			if (next === undefined) this.#running -= 1;
			else next();
		}
	}
}
