// Connects the demo to the records of its mesh as they are written: keeps them all, and waits for the ones a chapter needs.
import type { Envelope, RecordType } from "../../contracts/envelope.ts";

export interface Seen<T extends RecordType = RecordType> {
	readonly position: number;
	/** When the demo saw it: milliseconds of this process' own clock. */
	readonly atMs: number;
	readonly envelope: Envelope<T>;
}

/** What did not come in time; its words say what was waited for. */
export class NotSeen extends Error {}

interface Waiter {
	readonly matches: (seen: Seen) => boolean;
	readonly found: (seen: Seen) => void;
}

export class Watch {
	readonly #records: Seen[] = [];
	readonly #waiters = new Set<Waiter>();

	/** Position of the newest record that was seen. */
	get newest(): number {
		return this.#records.at(-1)?.position ?? 0;
	}

	add(position: number, envelope: Envelope, atMs: number): void {
		if (position <= this.newest) return;
		const seen: Seen = { position, atMs, envelope };
		this.#records.push(seen);
		for (const waiter of this.#waiters) if (waiter.matches(seen)) waiter.found(seen);
	}

	/** Records of a type behind a position, in order. */
	all<T extends RecordType>(type: T, after = 0, matches: (envelope: Envelope<T>) => boolean = () => true): readonly Seen<T>[] {
		return this.#records.filter((seen): seen is Seen<T> => seen.position > after && seen.envelope.type === type && matches(seen.envelope as Envelope<T>));
	}

	/** The first record of a type behind a position that fits, now or when it comes. Rejects with NotSeen, or when the demo is interrupted. */
	next<T extends RecordType>(
		type: T,
		after: number,
		options: { readonly what: string; readonly withinMs: number; readonly signal: AbortSignal },
		matches: (envelope: Envelope<T>) => boolean = () => true,
	): Promise<Seen<T>> {
		const [first] = this.all(type, after, matches);
		if (first !== undefined) return Promise.resolve(first);
		return new Promise((resolve, reject) => {
			const done = (finish: () => void): void => {
				clearTimeout(timer);
				options.signal.removeEventListener("abort", aborted);
				this.#waiters.delete(waiter);
				finish();
			};
			const waiter: Waiter = {
				matches: ({ position, envelope }) => position > after && envelope.type === type && matches(envelope as Envelope<T>),
				found: (seen) => done(() => resolve(seen as Seen<T>)),
			};
			const aborted = (): void => done(() => reject(options.signal.reason instanceof Error ? options.signal.reason : new Error("interrupted")));
			const timer = setTimeout(() => done(() => reject(new NotSeen(`${options.what}: not seen within ${options.withinMs / 1_000} s`))), options.withinMs);
			options.signal.addEventListener("abort", aborted, { once: true });
			if (options.signal.aborted) aborted();
			else this.#waiters.add(waiter);
		});
	}
}
