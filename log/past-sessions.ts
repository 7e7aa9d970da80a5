// Decides what of a node's sessions is remembered once their windows were let go: up to where each lane was stored, so that a card put back from long ago doubles nothing.
import type { Lane } from "../contracts/envelope.ts";
import type { LaneWindow } from "./lane-window.ts";

/** Some years of a start every few hours, or half a megabyte; the one that was let go first goes first. */
const PAST_MAX = 4_096;

/** Everything up to there is stored or accounted for. */
export type PastMarks = Readonly<Partial<Record<Lane, number>>>;

/** A number that is missing can still come: what is above the lowest of them is not known for certain. */
const markOf = (window: LaneWindow): number => window.holes().reduce((lowest, { fromSeq }) => Math.min(lowest, fromSeq - 1), window.highest);

export class PastSessions {
	readonly #marks = new Map<string, PastMarks>();

	put(session: string, marks: PastMarks): void {
		this.#marks.set(session, marks);
		if (this.#marks.size <= PAST_MAX) return;
		const [oldest] = this.#marks.keys();
		if (oldest !== undefined) this.#marks.delete(oldest);
	}

	letGo(session: string, lanes: ReadonlyMap<Lane, LaneWindow>): void {
		this.put(session, Object.fromEntries([...lanes].map(([lane, window]) => [lane, markOf(window)])));
	}

	isStored(session: string, lane: Lane, seq: number): boolean {
		return seq <= (this.#marks.get(session)?.[lane] ?? 0);
	}

	/** What is known of a session that says something again; nothing of it stays here. */
	take(session: string): PastMarks {
		const marks = this.#marks.get(session) ?? {};
		this.#marks.delete(session);
		return marks;
	}

	entries(): Iterable<readonly [string, PastMarks]> {
		return this.#marks.entries();
	}
}
