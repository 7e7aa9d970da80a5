// Decides what is counted of each record as it becomes durable: a few look-ups a record, and never more labels than there are nodes, types and actions.
import { type Envelope, nodeOfSource } from "../../contracts/envelope.ts";

/** Distinct nodes and actions that get a label of their own; beyond that they are counted together. */
const LABELS_MAX = 1_000;
const OTHER = "other";
/** Records whose arrival is remembered, to know how long a decision about them took. A power of two. */
const ARRIVALS = 65_536;
const OPEN_ACTIONS_MAX = 4_096;

/** Counts below or at each bound, in seconds. */
export class Histogram {
	readonly bounds: readonly number[];
	/** Not cumulative; the last one is beyond every bound. */
	readonly counts: number[];
	sum = 0;

	constructor(bounds: readonly number[]) {
		this.bounds = bounds;
		this.counts = new Array<number>(bounds.length + 1).fill(0);
	}

	observe(seconds: number): void {
		const found = this.bounds.findIndex((bound) => seconds <= bound);
		const index = found < 0 ? this.bounds.length : found;
		this.counts[index] = (this.counts[index] ?? 0) + 1;
		this.sum += seconds;
	}
}

/** Counts under two names, as `type` and `node`. */
export type Counts = ReadonlyMap<string, ReadonlyMap<string, number>>;

const add = (counts: Map<string, Map<string, number>>, one: string, other: string): void => {
	const inner = counts.get(one) ?? new Map<string, number>();
	if (inner.size === 0) counts.set(one, inner);
	inner.set(other, (inner.get(other) ?? 0) + 1);
};

export class Tally {
	readonly #now: () => number;
	readonly #nodes = new Map<string, string>();
	readonly #labels = new Set<string>();
	readonly #events = new Map<string, Map<string, number>>();
	readonly #outcomes = new Map<string, Map<string, number>>();
	readonly #open = new Map<string, string>();
	readonly #arrivedMs = new Float64Array(ARRIVALS);
	readonly #approvals = new Map<string, number>();
	/** How long people took to answer, in seconds. */
	readonly approvalWaits = new Histogram([5, 15, 30, 60, 120, 300, 600, 1_800]);
	readonly decisions = new Histogram([0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10]);
	#lost = 0;

	/** `now`: monotonic milliseconds. */
	constructor(now: () => number) {
		this.#now = now;
	}

	get events(): Counts {
		return this.#events;
	}
	/** Ends by action. */
	get outcomes(): Counts {
		return this.#outcomes;
	}
	/** Questions by how they ended. */
	get approvals(): ReadonlyMap<string, number> {
		return this.#approvals;
	}
	/** What loss records account for. */
	get lost(): number {
		return this.#lost;
	}

	/** A record is durable. */
	count(position: number, envelope: Envelope): void {
		const nowMs = this.#now();
		this.#arrivedMs[position % ARRIVALS] = nowMs;
		add(this.#events, envelope.type, this.#nodeOf(envelope.source));
		switch (envelope.type) {
			case "dev.orion.decision.made.v1":
				this.#decided(position, envelope.causeposition, nowMs);
				return;
			case "dev.orion.action.requested.v1":
				if (this.#open.size < OPEN_ACTIONS_MAX) this.#open.set(envelope.data.action, this.#label(envelope.data.name));
				return;
			case "dev.orion.action.closed.v1":
				add(this.#outcomes, this.#open.get(envelope.data.action) ?? OTHER, envelope.data.end);
				this.#open.delete(envelope.data.action);
				return;
			case "dev.orion.approval.closed.v1": {
				const { end, tookMs } = envelope.data;
				this.#approvals.set(end, (this.#approvals.get(end) ?? 0) + 1);
				// Silence is no answer: how long nobody answered says nothing of how long people take.
				if (end === "approved" || end === "denied") this.approvalWaits.observe(tookMs / 1_000);
				return;
			}
			case "dev.orion.level.answered.v1": {
				const { end } = envelope.data;
				this.#approvals.set(end, (this.#approvals.get(end) ?? 0) + 1);
				return;
			}
			case "dev.orion.log.loss.v1":
				this.#lost += envelope.data.count;
				return;
			default:
		}
	}

	#decided(position: number, cause: number | undefined, nowMs: number): void {
		// A cause that is too far back, or of before this start, arrived at a time that nobody remembers.
		if (cause === undefined || position - cause >= ARRIVALS) return;
		const arrivedMs = this.#arrivedMs[cause % ARRIVALS] ?? 0;
		if (arrivedMs > 0) this.decisions.observe((nowMs - arrivedMs) / 1_000);
	}

	#nodeOf(source: string): string {
		const known = this.#nodes.get(source);
		if (known !== undefined) return known;
		const node = this.#label(nodeOfSource(source) ?? "core");
		if (this.#nodes.size < LABELS_MAX * 8) this.#nodes.set(source, node);
		return node;
	}

	#label(name: string): string {
		if (this.#labels.has(name)) return name;
		if (this.#labels.size >= LABELS_MAX) return OTHER;
		this.#labels.add(name);
		return name;
	}
}
