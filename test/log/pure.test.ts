// Shows the log's pure parts: checksums against published vectors, frames against every flipped bit and any noise, the window of a lane against a plain model.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { contentDigest, crc32c } from "../../log/crc32c.ts";
import { Dedup } from "../../log/dedup.ts";
import { decodeDedup, encodeDedup } from "../../log/dedup-copy.ts";
import { type BrokenBatch, batchAt, FRAME_HEADER_BYTES, frameAt, frameBytes, putFrame, putU64, resumeAfter, u64 } from "../../log/frame.ts";
import { LaneWindow } from "../../log/lane-window.ts";
import {
	encodeMark,
	encodeSegmentHeader,
	firstOfName,
	MARK_SLOT_BYTES,
	MARKS_BYTES,
	newestMark,
	parseSegmentHeader,
	segmentName,
} from "../../log/segment-format.ts";
import { checkedText, parseChecked } from "../../log/whole-file.ts";
import { bytesOf } from "../support/log.ts";

const flipped = (bytes: Uint8Array, bit: number): Uint8Array => {
	const copy = new Uint8Array(bytes);
	copy[bit >>> 3] = (copy[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
	return copy;
};

describe("checksums", () => {
	test("CRC-32C gives the published values", () => {
		const vectors: readonly (readonly [Uint8Array, number])[] = [
			[bytesOf("123456789"), 0xe3069283],
			[new Uint8Array(0), 0],
			[new Uint8Array(32), 0x8a9136aa],
			[new Uint8Array(32).fill(0xff), 0x62a8ab43],
			[Uint8Array.from({ length: 32 }, (_, index) => index), 0x46dd794e],
			[Uint8Array.from({ length: 32 }, (_, index) => 31 - index), 0x113fdb5c],
		];
		for (const [bytes, crc] of vectors) expect(crc32c(bytes)).toBe(crc);
	});

	test("CRC-32C of a part, and continued, is the same as of the whole, at every length and offset", () => {
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(80), fc.nat(80), (bytes, a, b) => {
				const [from, cut] = [Math.min(a, b, bytes.length), Math.min(Math.max(a, b), bytes.length)];
				expect(crc32c(bytes, from, bytes.length, crc32c(bytes, 0, from))).toBe(crc32c(bytes));
				expect(crc32c(bytes, from, cut)).toBe(crc32c(bytes.slice(from, cut)));
			}),
		);
	});

	test("a digest is an exact number that differs when content differs, at every length", () => {
		const seen = new Set<number>();
		for (let length = 0; length < 40; length += 1) {
			for (let bit = -1; bit < length * 8; bit += 1) {
				const digest = contentDigest(bit < 0 ? new Uint8Array(length) : flipped(new Uint8Array(length), bit));
				expect(Number.isSafeInteger(digest)).toBe(true);
				seen.add(digest);
			}
		}
		expect(seen.size).toBe(40 + (8 * 39 * 40) / 2);
	});
});

const framesOf = (batches: readonly (readonly Uint8Array[])[], first = 1): Uint8Array => {
	const bytes = new Uint8Array(batches.flat().reduce((sum, record) => sum + frameBytes(record), 0));
	let [at, position] = [0, first];
	for (const batch of batches) {
		for (const [index, record] of batch.entries()) {
			at = putFrame(bytes, at, position, batch.length - 1 - index, record);
			position += 1;
		}
	}
	return bytes;
};

const records = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 4 });

describe("frames", () => {
	test("what is written is what is read, at positions up to 2^53", () => {
		fc.assert(
			fc.property(records, fc.maxSafeNat(), (batch, base) => {
				const first = Math.max(1, base - 10);
				const read = batchAt(framesOf([batch], first), 0, first);
				expect(read.kind).toBe("batch");
				expect(read.frames.map(({ position, bytes }) => [position, [...bytes]])).toEqual(batch.map((record, index) => [first + index, [...record]]));
			}),
		);
		const bytes = new Uint8Array(8);
		for (const value of [0, 1, 255, 4_294_967_295, 4_294_967_296, Number.MAX_SAFE_INTEGER]) {
			putU64(bytes, 0, value);
			expect(u64(bytes, 0)).toBe(value);
		}
	});

	test("no flipped bit and no shorter piece is a frame", () => {
		const whole = framesOf([[bytesOf("a record")]]);
		for (let bit = 0; bit < whole.length * 8; bit += 1) expect(typeof frameAt(flipped(whole, bit), 0), `bit ${bit}`).toBe("string");
		for (let length = 0; length < whole.length; length += 1) expect(frameAt(whole, 0, length)).toBe("short");
		expect(FRAME_HEADER_BYTES).toBe(20);
	});

	test("any noise is survived, and is no frame", () => {
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (noise, at) => {
				expect(typeof frameAt(noise, Math.min(at, noise.length))).toBe("string");
				expect(resumeAfter(noise, { kind: "bad", at: 0, position: 1, frames: [] })).toBeUndefined();
			}),
		);
	});

	test("behind one flipped bit anywhere, reading goes on with whole batches only, and with all that stand behind the broken one", () => {
		fc.assert(
			fc.property(fc.array(records, { minLength: 1, maxLength: 5 }), fc.nat(), (batches, anyBit) => {
				const whole = framesOf(batches);
				const spoilt = flipped(whole, anyBit % (whole.length * 8));
				const starts: { readonly at: number; readonly position: number }[] = [];
				let [at, position] = [0, 1];
				for (const batch of batches) {
					starts.push({ at, position });
					at += framesOf([batch]).length;
					position += batch.length;
				}
				const ends = [...starts.slice(1), { at, position }];
				const brokenAt = ends.findIndex((end) => anyBit % (whole.length * 8) < end.at * 8);
				const start = starts[brokenAt] ?? { at: 0, position: 1 };
				const broken = batchAt(spoilt, start.at, start.position);
				expect(broken.kind).not.toBe("batch");
				const resumed = resumeAfter(spoilt, broken as BrokenBatch);
				const next = brokenAt === batches.length - 1 ? undefined : ends[brokenAt];
				if (next === undefined) {
					if (resumed !== undefined) expect(resumed).toEqual({ at, position });
				} else expect(ends).toContainEqual(resumed);
				// At most one whole batch more than was hit is given up, where its beginning cannot be known.
				if (next !== undefined) expect(ends.slice(brokenAt, brokenAt + 2)).toContainEqual(resumed);
			}),
			{ numRuns: 400 },
		);
	});
});

describe("what stands around the frames", () => {
	test("headers and marks: the same when read, and nothing when a bit is flipped", () => {
		const header = encodeSegmentHeader("mesh-ä", 77);
		expect(parseSegmentHeader(header)).toEqual({ format: 1, mesh: "mesh-ä", firstPosition: 77, bytes: header.length });
		for (let bit = 0; bit < header.length * 8; bit += 1) expect(parseSegmentHeader(flipped(header, bit))).toBeUndefined();
		const marks = new Uint8Array(MARKS_BYTES);
		marks.set(encodeMark({ generation: 8, committed: 3, archivedUpTo: 0 }));
		marks.set(encodeMark({ generation: 9, committed: 5, archivedUpTo: 2 }), MARK_SLOT_BYTES);
		expect(newestMark(marks)).toEqual({ mark: { generation: 9, committed: 5, archivedUpTo: 2 }, slot: 1 });
		for (let bit = 0; bit < 32 * 8; bit += 1) expect(newestMark(flipped(marks, MARK_SLOT_BYTES * 8 + bit))?.mark.generation).toBe(8);
		expect(newestMark(new Uint8Array(MARKS_BYTES))).toBeUndefined();
	});

	test("names of segments sort by position, and nothing else is one", () => {
		expect(segmentName(1)).toBe("00000000000000000001.seg");
		fc.assert(fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (position) => firstOfName(segmentName(position)) === position));
		for (const name of ["1.seg", "00000000000000000000.seg", "00000000000000000001.seg.new", "dedup", "99999999999999999999.seg"])
			expect(firstOfName(name)).toBeUndefined();
	});

	test("a checked text is unreadable with any bit flipped", () => {
		const written = checkedText({ cursors: [["a", 1]], text: 'with "crc":"' });
		expect(parseChecked(written)).toEqual({ cursors: [["a", 1]], text: 'with "crc":"' });
		for (let bit = 0; bit < written.length * 8; bit += 1) expect(parseChecked(flipped(written, bit)), `bit ${bit}`).toBeUndefined();
		fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => parseChecked(noise) === undefined));
	});
});

type Step = { readonly kind: "add"; readonly seq: number } | { readonly kind: "close"; readonly fromSeq: number; readonly toSeq: number };

const steps = fc.array(
	fc.oneof(
		fc.integer({ min: 1, max: 30 }).map((seq): Step => ({ kind: "add", seq })),
		fc.tuple(fc.integer({ min: 1, max: 30 }), fc.nat(5)).map(([fromSeq, more]): Step => ({ kind: "close", fromSeq, toSeq: fromSeq + more })),
	),
	{ maxLength: 40 },
);

describe("LOSS-4 LOSS-5 the window of a lane", () => {
	test("is what a plain set of numbers says, also after it was written and read", () => {
		fc.assert(
			fc.property(steps, fc.nat(40), (plan, copyAt) => {
				let lane = new LaneWindow();
				const [stored, covered] = [new Set<number>(), new Set<number>()];
				for (const [index, step] of plan.entries()) {
					if (index === copyAt) lane = LaneWindow.restore(lane.snapshot());
					if (step.kind === "close") {
						lane.close(step);
						for (let seq = step.fromSeq; seq <= step.toSeq; seq += 1) covered.add(seq);
					} else {
						expect(lane.judge(step.seq, step.seq * 7)).toBe(covered.has(step.seq) ? "duplicate" : "new");
						if (stored.has(step.seq)) expect(lane.judge(step.seq, 1)).toBe("fork");
						if (covered.has(step.seq)) continue;
						lane.add(step.seq, step.seq * 7);
						stored.add(step.seq);
						covered.add(step.seq);
					}
				}
				const highest = Math.max(0, ...covered);
				const missing = Array.from({ length: highest }, (_, index) => index + 1).filter((seq) => !covered.has(seq));
				expect(lane.highest).toBe(highest);
				expect(lane.contiguous).toBe((missing[0] ?? highest + 1) - 1);
				expect(lane.holes().flatMap(({ fromSeq, toSeq }) => Array.from({ length: toSeq - fromSeq + 1 }, (_, index) => fromSeq + index))).toEqual(missing);
			}),
			{ numRuns: 400 },
		);
	});

	test("stays bounded when every other number is left out for ever, and tells every one of them", () => {
		let lane = new LaneWindow();
		for (let seq = 1; seq <= 60_001; seq += 2) lane.add(seq, seq);
		lane = LaneWindow.restore(lane.snapshot());
		const holes = lane.holes();
		expect(holes.length).toBeLessThanOrEqual(1 + 1_024 + 4_096);
		const told = new Set(holes.flatMap(({ fromSeq, toSeq }) => Array.from({ length: toSeq - fromSeq + 1 }, (_, index) => fromSeq + index)));
		for (let seq = 2; seq <= 60_000; seq += 2) expect(told.has(seq)).toBe(true);
		// What was stored and is only told as missing for want of room is not stored again.
		expect(lane.judge(1, 1)).toBe("duplicate");
		for (const hole of holes) lane.close(hole);
		expect([lane.holes(), lane.contiguous, lane.highest]).toEqual([[], 60_001, 60_001]);
	});
});

const atOnce = (): Promise<void> => Promise.resolve();

test("LOSS-4 a copy of what is known knows the same, and a damaged one is none", async () => {
	const dedup = new Dedup();
	const lane = (seq: number, session = "1.a") => ({ kind: "lane", source: "/nodes/a", session, lane: "event", seq }) as const;
	for (const seq of [1, 2, 5]) dedup.add(lane(seq), seq * 3, 0);
	dedup.add(lane(4, "2.b"), 9, 0);
	dedup.add({ kind: "id", source: "/nodes/a.x", id: "ä\n" }, 2 ** 52 + 1, 0);
	const bytes = await encodeDedup(dedup, 4, atOnce);
	// As it comes from a file: a piece of a larger buffer, at any offset.
	const piece = Buffer.concat([Buffer.from("xyz"), bytes]).subarray(3);
	const copy = decodeDedup(piece, 0);
	expect(copy?.position).toBe(4);
	expect([copy?.dedup.lanes(), copy?.dedup.gaps()]).toEqual([dedup.lanes(), dedup.gaps()]);
	expect([copy?.dedup.judge(lane(5), 15, 0), copy?.dedup.judge(lane(5), 16, 0), copy?.dedup.judge(lane(3), 1, 0)]).toEqual(["duplicate", "fork", "new"]);
	expect(copy?.dedup.judge({ kind: "id", source: "/nodes/a.x", id: "ä\n" }, 2 ** 52 + 1, 0)).toBe("duplicate");
	for (let bit = 0; bit < bytes.length * 8; bit += 1) expect(decodeDedup(flipped(bytes, bit), 0), `bit ${bit}`).toBeUndefined();
});

test("LOSS-60 a copy knows the sessions that were let go; one of the format before knows none of them and is read all the same", async () => {
	const dedup = new Dedup();
	const lane = (session: string, seq: number) => ({ kind: "lane", source: "/nodes/a", session, lane: "event", seq }) as const;
	for (let counter = 1; counter <= 40; counter += 1) for (const seq of [1, 2]) dedup.add(lane(`${counter}.a`, seq), seq, 0);
	expect(dedup.lanes().some(({ session }) => session === "1.a")).toBe(false);
	const bytes = await encodeDedup(dedup, 80, atOnce);
	const judged = (known: Dedup | undefined) => [known?.judge(lane("1.a", 2), 2, 0), known?.judge(lane("1.a", 3), 3, 0), known?.judge(lane("40.a", 2), 2, 0)];
	expect(judged(decodeDedup(bytes, 0)?.dedup)).toEqual(["duplicate", "new", "duplicate"]);
	const older = Buffer.from(bytes);
	// Same length, so that everything else stands where it stood.
	const from = older.indexOf('"format":2');
	older.write('"format":1', from);
	older.write('"gone"', older.indexOf('"past"'));
	older.writeUInt32LE(crc32c(older, 12), 8);
	expect(judged(decodeDedup(older, 0)?.dedup)).toEqual(["new", "new", "duplicate"]);
	const newer = Buffer.from(older);
	newer.write('"format":3', from);
	newer.writeUInt32LE(crc32c(newer, 12), 8);
	expect(decodeDedup(newer, 0)).toBeUndefined();
});

test("LOSS-60 of one source 4,096 sessions that were let go are remembered", () => {
	const dedup = new Dedup();
	const lane = (counter: number, seq = 1) => ({ kind: "lane", source: "/nodes/a", session: `${counter}.a`, lane: "event", seq }) as const;
	for (let counter = 1; counter <= 5_000; counter += 1) dedup.add(lane(counter), counter, 0);
	expect([1, 860, 900, 2_000, 4_999].map((counter) => dedup.judge(lane(counter), 0, 0))).toEqual(["new", "new", "duplicate", "duplicate", "fork"]);
	expect(dedup.lanes()).toHaveLength(32);
});

test("LOSS-4 a copy that takes its time knows what was known when it was begun, and nothing that came since", async () => {
	const dedup = new Dedup();
	const idOf = (n: number) => ({ kind: "id", source: "/nodes/a.x", id: `m-${n}` }) as const;
	// More than are remembered: two generations are full.
	const count = 250_000;
	for (let n = 0; n < count; n += 1) dedup.add(idOf(n), n, 0);
	const known = Array.from({ length: count }, (_, n) => dedup.judge(idOf(n), n, 0) === "duplicate");
	expect(known.filter((isKnown) => !isKnown).length).toBeGreaterThan(0);
	let later = count;
	let turns = 0;
	const bytes = await encodeDedup(dedup, 7, () => {
		turns += 1;
		for (let n = 0; n < 2_000; n += 1, later += 1) dedup.add(idOf(later), later, 0);
		return Promise.resolve();
	});
	expect(turns).toBeGreaterThan(100);
	const copy = decodeDedup(bytes, 0);
	expect(copy?.position).toBe(7);
	const differing = known.findIndex((isKnown, n) => (copy?.dedup.judge(idOf(n), n, 0) === "duplicate") !== isKnown);
	expect(differing).toBe(-1);
	for (let n = count; n < later; n += 1) if (copy?.dedup.judge(idOf(n), n, 0) !== "new") expect.fail(`m-${n} came later`);
});
