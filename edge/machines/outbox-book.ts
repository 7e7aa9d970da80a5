// Decides what of an outbox is sent next, sent again, forgotten, or dropped for room. It holds places and sizes, never the messages themselves.
import { LANES, type Lane } from "../../contracts/envelope.ts";
import type { NodeWatermark } from "../../contracts/gen/types.ts";
import { assert } from "../../contracts/result.ts";
import { joined, type Loss, type Range, touchesAny } from "./loss-ranges.ts";

/** Unacknowledged messages per lane: enough to fill the link, few enough to send again. */
export const WINDOW = 50;
/** Acknowledged ones that no watermark covers yet; above this the oldest acknowledged are forgotten. */
const ACKED_MAX = 10_000;
/** Dropping goes on to this share of the bound, so that one full outbox makes few loss records. */
const ROOM_RATIO = 0.9;
/** Places of a queue that were used up before it is cut. */
const QUEUE_SPENT_MAX = 4_096;
/** What goes first when there is no room. Receipts (decision) and safety are never dropped. */
const DROP_ORDER: readonly Lane[] = ["metric", "event"];

export interface Letter {
	readonly position: number;
	readonly lane: Lane;
	readonly session: string;
	readonly seq: number;
	readonly bytes: number;
	/** Set on a loss record: the messages that it stands for. Dropping it must not lose them a second time. */
	readonly covers?: Range;
}

type Phase = "pending" | "in-flight" | "acknowledged";

interface Row {
	readonly letter: Letter;
	phase: Phase;
}

const counterOf = (session: string): number => Number(session.slice(0, session.indexOf(".")));

interface Queue {
	readonly positions: number[];
	next: number;
}

const emptyQueues = (): Record<Lane, Queue> => ({
	safety: { positions: [], next: 0 },
	decision: { positions: [], next: 0 },
	event: { positions: [], next: 0 },
	metric: { positions: [], next: 0 },
});

export class OutboxBook {
	/** By position, in the order of the appends. */
	readonly #rows = new Map<number, Row>();
	readonly #inFlight: Record<Lane, number> = { safety: 0, decision: 0, event: 0, metric: 0 };
	/** Positions still to be sent, per lane; may name ones that are gone. */
	#queues = emptyQueues();
	#linked = false;
	#instance: string | undefined;
	#bytes = 0;
	#acknowledged = 0;

	get bytes(): number {
		return this.#bytes;
	}
	get waiting(): number {
		return this.#rows.size - this.#acknowledged;
	}

	/** Everything below this position is done with. */
	doneBelow(head: number): number {
		for (const position of this.#rows.keys()) return position;
		return head + 1;
	}

	add(letter: Letter): void {
		this.#rows.set(letter.position, { letter, phase: "pending" });
		this.#queues[letter.lane].positions.push(letter.position);
		this.#bytes += letter.bytes;
	}

	#requeue(): void {
		this.#queues = emptyQueues();
		for (const { letter, phase } of this.#rows.values()) if (phase === "pending") this.#queues[letter.lane].positions.push(letter.position);
	}

	/** The first one that is not done with, if it waits to be sent. */
	oldestWaiting(): Letter | undefined {
		for (const { letter, phase } of this.#rows.values()) return phase === "pending" ? letter : undefined;
		return undefined;
	}

	/** It stands at another place now; the numbers in it stay as they are. */
	moved(from: number, to: number): void {
		const row = this.#rows.get(from);
		if (row === undefined) return;
		this.#forget(from);
		this.add({ ...row.letter, position: to });
	}

	linkUp(): void {
		this.#linked = true;
	}

	/** What was on its way may have arrived or not: it is sent again, in its old order. */
	linkDown(): void {
		this.#linked = false;
		for (const row of this.#rows.values()) if (row.phase === "in-flight") row.phase = "pending";
		for (const lane of LANES) this.#inFlight[lane] = 0;
		this.#requeue();
	}

	/** Takes the next ones that may be sent: in order within a lane, at most a window of each. */
	take(): readonly Letter[] {
		if (!this.#linked) return [];
		return LANES.flatMap((lane) => this.#takeOf(lane));
	}

	#takeOf(lane: Lane): readonly Letter[] {
		const queue = this.#queues[lane];
		const out: Letter[] = [];
		while (this.#inFlight[lane] < WINDOW && queue.next < queue.positions.length) {
			const row = this.#rows.get(queue.positions[queue.next] ?? 0);
			queue.next += 1;
			if (row?.phase !== "pending") continue;
			row.phase = "in-flight";
			this.#inFlight[lane] += 1;
			out.push(row.letter);
		}
		if (queue.next >= QUEUE_SPENT_MAX) {
			queue.positions.splice(0, queue.next);
			queue.next = 0;
		}
		return out;
	}

	/** PUBACK: on the broker's disk. Kept until core says that it has it, because the broker may have to be rebuilt. */
	acknowledged(position: number): void {
		const row = this.#rows.get(position);
		if (row?.phase !== "in-flight") return;
		row.phase = "acknowledged";
		this.#inFlight[row.letter.lane] -= 1;
		this.#acknowledged += 1;
		if (this.#acknowledged > ACKED_MAX) this.#forgetAcknowledged(this.#acknowledged - ACKED_MAX);
	}

	/** Not sent after all: it goes back to its place. */
	returned(position: number): void {
		const row = this.#rows.get(position);
		if (row?.phase !== "in-flight") return;
		row.phase = "pending";
		this.#inFlight[row.letter.lane] -= 1;
		this.#requeue();
	}

	/** Forgets what core has on disk; a broker that is another one than before is told again what only the old one had acknowledged. */
	watermark({ session, counter, lanes, instance }: NodeWatermark): void {
		for (const { letter, phase } of this.#rows.values()) {
			const covered = letter.session === session && letter.seq <= (lanes[letter.lane] ?? 0);
			// Watermarks speak of the newest session only; of an older one the acknowledgement has to do.
			const older = phase === "acknowledged" && counterOf(letter.session) < counter;
			if (covered || older) this.#forget(letter.position);
		}
		if (this.#instance !== undefined && this.#instance !== instance) this.#sendAgain();
		this.#instance = instance;
	}

	#sendAgain(): void {
		for (const row of this.#rows.values()) {
			if (row.phase !== "acknowledged") continue;
			row.phase = "pending";
			this.#acknowledged -= 1;
		}
		this.#requeue();
	}

	#forget(position: number): void {
		const row = this.#rows.get(position);
		assert(row !== undefined, "forgot what was not there");
		this.#rows.delete(position);
		this.#bytes -= row.letter.bytes;
		if (row.phase === "in-flight") this.#inFlight[row.letter.lane] -= 1;
		if (row.phase === "acknowledged") this.#acknowledged -= 1;
	}

	#forgetAcknowledged(count: number): void {
		let left = count;
		for (const { letter, phase } of this.#rows.values()) {
			if (left === 0) return;
			if (phase !== "acknowledged") continue;
			this.#forget(letter.position);
			left -= 1;
		}
	}

	/**
	 * Makes room: first what is acknowledged, then the oldest of the lanes that may be dropped. Returns what was lost; the caller records it
	 * before anything else is sent. Nothing more to drop and still no room: the bound is held by whoever appends.
	 */
	makeRoom(bytesMax: number): readonly Loss[] {
		if (this.#bytes <= bytesMax) return [];
		const target = bytesMax * ROOM_RATIO;
		for (const { letter, phase } of this.#rows.values()) {
			if (this.#bytes <= target) return [];
			if (phase === "acknowledged") this.#forget(letter.position);
		}
		const losses: Loss[] = [];
		for (const lane of DROP_ORDER) {
			for (const { letter, phase } of this.#rows.values()) {
				if (this.#bytes <= target) return this.#absorbed(losses);
				if (letter.lane === lane && phase === "pending") losses.push(...this.#lose(letter));
			}
		}
		return this.#absorbed(losses);
	}

	/** A message that is given up, and what it stood for if it is a loss record. */
	#lose(letter: Letter): readonly Loss[] {
		this.#forget(letter.position);
		const { session, lane, seq, bytes, covers } = letter;
		const own: Loss = { session, lane, fromSeq: seq, toSeq: seq, count: 1, bytes };
		return covers === undefined ? [own] : [own, { ...covers, count: covers.toSeq - covers.fromSeq + 1, bytes: 0 }];
	}

	/** Loss records that touch the new losses become one with them, so that losing for a long time does not fill the outbox with records of it. */
	#absorbed(losses: readonly Loss[]): readonly Loss[] {
		let all = joined(losses);
		for (let found = true; found; ) {
			found = false;
			for (const { letter, phase } of this.#rows.values()) {
				if (phase !== "pending" || letter.covers === undefined || !touchesAny(letter.covers, all)) continue;
				all = joined([...all, ...this.#lose(letter)]);
				found = true;
			}
		}
		return all;
	}

	/** A loss record that was found on disk: what it stands for is not sent. */
	drop(range: Range): void {
		for (const { letter } of this.#rows.values()) {
			if (letter.session === range.session && letter.lane === range.lane && letter.seq >= range.fromSeq && letter.seq <= range.toSeq)
				this.#forget(letter.position);
		}
	}
}
