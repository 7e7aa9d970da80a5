// Decides what a record looks like between other records: frames, the batches they form, and where the next good frame stands after damage.
import { assert } from "../contracts/result.ts";
import { crc32c } from "./crc32c.ts";

/** [length u32][crc32c u32][position u64][batchLeft u16][reserved u16 = 0][bytes], little endian; the crc covers everything after itself. */
export const FRAME_HEADER_BYTES = 20;
/** Also what bounds the memory that a flipped length can ask for. */
export const RECORD_BYTES_MAX = 16_777_216;
/** batchLeft is 16 bits. */
export const BATCH_RECORDS_MAX = 65_536;

const CRC_AT = 4;
const COVERED_AT = 8;
const LEFT_AT = 16;
const RESERVED_AT = 18;
const TWO_POW_32 = 4_294_967_296;

export interface Frame {
	readonly position: number;
	/** Records of the same atomic batch that still follow. */
	readonly batchLeft: number;
	readonly bytes: Uint8Array;
	/** Where the next frame begins. */
	readonly end: number;
}

/** `short`: the bytes end before the frame does, which at the end of a file is as bad as `bad`. */
export type Unread = "short" | "bad";

export const putU32 = (target: Uint8Array, at: number, value: number): void => {
	target[at] = value;
	target[at + 1] = value >>> 8;
	target[at + 2] = value >>> 16;
	target[at + 3] = value >>> 24;
};

/** Exact up to 2^53, which is as far as positions go. */
export const putU64 = (target: Uint8Array, at: number, value: number): void => {
	putU32(target, at, value % TWO_POW_32);
	putU32(target, at + 4, Math.floor(value / TWO_POW_32));
};

const u16 = (source: Uint8Array, at: number): number => (source[at] as number) | ((source[at + 1] as number) << 8);
export const u32 = (source: Uint8Array, at: number): number => (u16(source, at) | (u16(source, at + 2) << 16)) >>> 0;
export const u64 = (source: Uint8Array, at: number): number => u32(source, at) + u32(source, at + 4) * TWO_POW_32;

export const frameBytes = (record: Uint8Array): number => FRAME_HEADER_BYTES + record.length;

/** Writes one frame into target at `at`; returns where it ends. */
export const putFrame = (target: Uint8Array, at: number, position: number, batchLeft: number, record: Uint8Array): number => {
	assert(record.length <= RECORD_BYTES_MAX && batchLeft < BATCH_RECORDS_MAX, "a record or batch beyond its bound reached the frame");
	const end = at + FRAME_HEADER_BYTES + record.length;
	putU32(target, at, record.length);
	putU64(target, at + COVERED_AT, position);
	target[at + LEFT_AT] = batchLeft;
	target[at + LEFT_AT + 1] = batchLeft >>> 8;
	target[at + RESERVED_AT] = 0;
	target[at + RESERVED_AT + 1] = 0;
	target.set(record, at + FRAME_HEADER_BYTES);
	putU32(target, at + CRC_AT, crc32c(target, at + COVERED_AT, end));
	return end;
};

/** The frame at `at`, whatever its position is. */
export const frameAt = (source: Uint8Array, at: number, sourceEnd = source.length): Frame | Unread => {
	if (sourceEnd - at < FRAME_HEADER_BYTES) return "short";
	const length = u32(source, at);
	if (length > RECORD_BYTES_MAX) return "bad";
	const end = at + FRAME_HEADER_BYTES + length;
	if (end > sourceEnd) return "short";
	if (crc32c(source, at + COVERED_AT, end) !== u32(source, at + CRC_AT) || u16(source, at + RESERVED_AT) !== 0) return "bad";
	return { position: u64(source, at + COVERED_AT), batchLeft: u16(source, at + LEFT_AT), bytes: source.subarray(at + FRAME_HEADER_BYTES, end), end };
};

export interface Batch {
	readonly kind: "batch";
	readonly frames: readonly Frame[];
	readonly end: number;
}

/** A batch that cannot be read whole. `at` and `position` are those of its first frame that is not good. */
export interface BrokenBatch {
	readonly kind: Unread;
	readonly at: number;
	readonly position: number;
	/** Frames of it that are good, all before `at`. */
	readonly frames: readonly Frame[];
}

/** The whole batch at `at`, whose first record must have this position; frames are consecutive and count down to 0. */
export const batchAt = (source: Uint8Array, at: number, position: number, sourceEnd = source.length): Batch | BrokenBatch => {
	const frames: Frame[] = [];
	let next = at;
	for (;;) {
		const frame = frameAt(source, next, sourceEnd);
		const expected = position + frames.length;
		if (typeof frame === "string") return { kind: frame, at: next, position: expected, frames };
		const before = frames.at(-1);
		const inOrder = frame.position === expected && (before === undefined || frame.batchLeft === before.batchLeft - 1);
		if (!inOrder) return { kind: "bad", at: next, position: expected, frames };
		frames.push(frame);
		next = frame.end;
		if (frame.batchLeft === 0) return { kind: "batch", frames, end: next };
	}
};

/** No segment holds as many records; a frame further ahead than this is none. */
const AHEAD_MAX = 1_048_576;

interface Found {
	readonly at: number;
	readonly frame: Frame;
}

/**
 * The first good frame at or after `from` whose position can stand there. A record whose bytes contain a whole frame could be taken for
 * one; the records of the mesh are JSON text, in which the zero bytes of a frame cannot stand.
 */
const nextGoodFrame = (source: Uint8Array, from: number, expected: number): Found | undefined => {
	for (let at = from; at + FRAME_HEADER_BYTES <= source.length; at += 1) {
		const position = u64(source, at + COVERED_AT);
		if (position < expected || position > expected + AHEAD_MAX) continue;
		const frame = frameAt(source, at);
		if (typeof frame !== "string") return { at, frame };
	}
	return undefined;
};

/** Whether the frame `found` is known to begin a batch, from what is left of the broken one before it. */
const beginsBatch = (source: Uint8Array, broken: BrokenBatch, { at, frame }: Found): boolean => {
	const lastGood = broken.frames.at(-1);
	if (lastGood !== undefined) return frame.position === lastGood.position + lastGood.batchLeft + 1;
	if (frame.position === broken.position) return true;
	if (frame.position !== broken.position + 1 || at - broken.at < FRAME_HEADER_BYTES) return false;
	if (u64(source, broken.at + COVERED_AT) !== broken.position || u16(source, broken.at + LEFT_AT) !== 0) return false;
	// The one bit that flipped may be what said that more follows: then the checksum holds with it.
	const mended = new Uint8Array(source.subarray(broken.at, at));
	mended[LEFT_AT] = frame.batchLeft + 1;
	mended[LEFT_AT + 1] = (frame.batchLeft + 1) >>> 8;
	return typeof frameAt(mended, 0) === "string";
};

/** Follows good frames to the end of their batch. */
const lastOfBatch = (source: Uint8Array, first: Frame): Frame => {
	let last = first;
	while (last.batchLeft > 0) {
		const next = frameAt(source, last.end);
		if (typeof next === "string" || next.position !== last.position + 1 || next.batchLeft !== last.batchLeft - 1) break;
		last = next;
	}
	return last;
};

/**
 * Where reading can go on after a broken batch. A batch is served whole or not at all, so good frames are passed over until one is known
 * to begin a batch: it is better to lose the rest of a batch, and say so, than to serve half of it. undefined: nothing good is left.
 */
export const resumeAfter = (source: Uint8Array, first: BrokenBatch): { readonly at: number; readonly position: number } | undefined => {
	let broken = first;
	for (;;) {
		const found = nextGoodFrame(source, broken.at, broken.position);
		if (found === undefined) return undefined;
		if (beginsBatch(source, broken, found)) return { at: found.at, position: found.frame.position };
		const last = lastOfBatch(source, found.frame);
		if (last.batchLeft === 0) return { at: last.end, position: last.position + 1 };
		broken = { kind: "bad", at: last.end, position: last.position + 1, frames: [last] };
	}
};
