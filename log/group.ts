// Decides what of the batches that wait becomes records: what is new is framed, what was here before is only answered.
import { contentDigest } from "./crc32c.ts";
import { type Dedup, StagedDedup } from "./dedup.ts";
import { FRAME_HEADER_BYTES, frameBytes, putFrame } from "./frame.ts";
import type { AppendOutcome, Entry, StoredRecord } from "./port.ts";

export interface WaitingBatch {
	readonly entries: readonly Entry[];
	readonly bytes: number;
	readonly resolve: (outcomes: readonly AppendOutcome[]) => void;
	readonly reject: (error: unknown) => void;
}

export interface Group {
	readonly batches: readonly WaitingBatch[];
	/** By batch. */
	readonly outcomes: readonly (readonly AppendOutcome[])[];
	/** The frames of all that is new, one behind the other; views of it are the records. */
	readonly frames: Uint8Array;
	readonly records: readonly StoredRecord[];
	/** Where batches begin: position, and offset in the frames, by turns; flat, because there is one for almost every message. */
	readonly starts: readonly number[];
	/** What becomes known when the group is durable. */
	readonly staged: StagedDedup;
}

/** A class, because object literals as many as these went on being made in a shape that V8 had given up, and each look at one of them then moved it over. */
class Framed implements StoredRecord {
	readonly position: number;
	readonly bytes: Uint8Array;
	readonly type: string | undefined;

	constructor(position: number, bytes: Uint8Array, type: string | undefined) {
		this.position = position;
		this.bytes = bytes;
		this.type = type;
	}
}

const judgeEntry = (entry: Entry, staged: StagedDedup): "new" | "duplicate" | "fork" =>
	entry.key === undefined ? "new" : staged.judge(entry.key, contentDigest(entry.identity ?? entry.bytes));

/** Positions begin at `next`; nothing is remembered until the group is durable. */
export const judgeGroup = (batches: readonly WaitingBatch[], next: number, dedup: Dedup, nowMs: number): Group => {
	const staged = new StagedDedup(dedup, nowMs);
	const fresh: (readonly Entry[])[] = [];
	let position = next;
	let totalBytes = 0;
	const outcomes = batches.map(({ entries }) => {
		const stored: Entry[] = [];
		const answers = entries.map((entry): AppendOutcome => {
			const judged = judgeEntry(entry, staged);
			if (judged !== "new") return { kind: judged };
			stored.push(entry);
			totalBytes += frameBytes(entry.bytes);
			position += 1;
			return { kind: "stored", position: position - 1 };
		});
		fresh.push(stored);
		return answers;
	});
	return { batches, outcomes, staged, ...framed(fresh, next, totalBytes) };
};

const framed = (fresh: readonly (readonly Entry[])[], next: number, totalBytes: number): Pick<Group, "frames" | "records" | "starts"> => {
	const frames = Buffer.allocUnsafeSlow(totalBytes);
	const records: StoredRecord[] = [];
	const starts: number[] = [];
	let position = next;
	let offset = 0;
	for (const batch of fresh) {
		if (batch.length > 0) starts.push(position, offset);
		let left = batch.length;
		for (const { bytes, type } of batch) {
			left -= 1;
			const end = putFrame(frames, offset, position, left, bytes);
			records.push(new Framed(position, frames.subarray(offset + FRAME_HEADER_BYTES, end), type));
			offset = end;
			position += 1;
		}
	}
	return { frames, records, starts };
};
