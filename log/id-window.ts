// Decides whether a message without a number was here before: by its id, among the newest of its source.
import type { Judged } from "./lane-window.ts";

/** Each id is remembered for at least this many that come after it, or this long, whichever ends first; at most twice as many are kept. */
const IDS_MAX = 65_536;
const IDS_FOR_MS = 600_000;

export interface IdSnapshot {
	readonly ids: readonly string[];
	readonly digests: Float64Array;
}

/** The first `count` of these, by id their digests. */
export interface Generation {
	readonly digests: ReadonlyMap<string, number>;
	readonly count: number;
}

/** Two generations: the older one is dropped whole, because a Map that deletes its oldest key with every new one runs at half the rate. */
export class IdWindow {
	#newer = new Map<string, number>();
	#older = new Map<string, number>();
	#beganMs: number;

	constructor(nowMs: number) {
		this.#beganMs = nowMs;
	}

	judge(id: string, digest: number): Judged {
		const known = this.#newer.get(id) ?? this.#older.get(id);
		if (known === undefined) return "new";
		return known === digest ? "duplicate" : "fork";
	}

	add(id: string, digest: number, nowMs: number): void {
		this.age(nowMs);
		this.#newer.set(id, digest);
	}

	/** Lets go of what is too old; called before an id is judged too, so that time counts when nothing new comes. */
	age(nowMs: number): void {
		if (this.#newer.size < IDS_MAX && nowMs - this.#beganMs < IDS_FOR_MS) return;
		// Nothing came for two spans: what is in the newer one is too old as well.
		this.#older = nowMs - this.#beganMs < 2 * IDS_FOR_MS ? this.#newer : new Map();
		this.#newer = new Map();
		this.#beganMs = nowMs;
	}

	get size(): number {
		return this.#newer.size + this.#older.size;
	}

	/** What is in it now: a generation grows at its end or is let go whole, so this stays true while it is read bit by bit. */
	generations(): readonly Generation[] {
		return [this.#older, this.#newer].map((digests) => ({ digests, count: digests.size }));
	}

	/** How old they are is not known any more: they are remembered as if they came now. */
	static restore(snapshot: IdSnapshot, nowMs: number): IdWindow {
		const window = new IdWindow(nowMs);
		snapshot.ids.forEach((id, index) => {
			window.add(id, snapshot.digests[index] ?? 0, nowMs);
		});
		return window;
	}
}
