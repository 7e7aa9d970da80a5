// Shows that the line's frames survive every noise: what is said is what is heard, and what is damaged is never taken for a frame (HARM-20).
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeBoard, decodeHost, encodeHost, FrameReader } from "../../firmware-bridge/frames.ts";
import { crc16, RunSplitter, STUFFED_BYTES_MAX, stuff, unstuff, unwrap, wrap } from "../../firmware-bridge/wire.ts";
import { answerTo, type BoardFrame, type HostFrame, JOINT_COUNT, tagOf } from "../../firmware-bridge/words.ts";

const seq = fc.integer({ min: 0, max: 0xffffffff });
const tag = fc.integer({ min: 0, max: 0xffffff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const hostFrame: fc.Arbitrary<HostFrame> = fc.oneof(
	fc.record({ kind: fc.constant("hello" as const), seq, version: fc.integer({ min: 0, max: 255 }) }),
	fc.record({ kind: fc.constant("arm" as const), seq, answer: seq, leaseMs: u16, freezeMs: u16 }),
	fc.record({ kind: fc.constant("renew" as const), seq, tag }),
	fc.record({ kind: fc.constant("pose" as const), seq, tag, pulsesUs: fc.array(u16, { minLength: JOINT_COUNT, maxLength: JOINT_COUNT }) }),
	fc.record({ kind: fc.constantFrom("status" as const, "stop" as const, "cut" as const), seq }),
);

const framesOf = (bytes: Uint8Array): HostFrame[] => new FrameReader(decodeHost).push(bytes).flatMap((heard) => (heard.kind === "frame" ? [heard.frame] : []));

/** Bytes as a board sends them, built here by hand so that the parser is not judged by its own encoder. */
const boardBytes = (type: number, frameSeq: number, body: readonly number[]): Uint8Array =>
	wrap(Uint8Array.of(type, frameSeq & 255, (frameSeq >> 8) & 255, (frameSeq >> 16) & 255, frameSeq >>> 24, ...body));
const boardFrames = (bytes: Uint8Array): BoardFrame[] =>
	new FrameReader(decodeBoard).push(bytes).flatMap((heard) => (heard.kind === "frame" ? [heard.frame] : []));

describe("checksum and stuffing", () => {
	test("the checksum is CRC-16/CCITT-FALSE", () => {
		expect(crc16(new TextEncoder().encode("123456789"))).toBe(0x29b1);
	});

	test("unstuff(stuff(x)) = x, without a zero in between, for any bytes", () => {
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
				const stuffed = stuff(bytes);
				expect(stuffed.includes(0)).toBe(false);
				expect(unstuff(stuffed)).toEqual(bytes);
			}),
		);
	});

	test("every single flipped bit of every frame is noticed (HARM-20)", () => {
		fc.assert(
			fc.property(hostFrame, (frame) => {
				const bytes = encodeHost(frame);
				for (let bit = 8; bit < (bytes.length - 1) * 8; bit++) {
					const flipped = Uint8Array.from(bytes);
					flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
					expect(framesOf(flipped)).toEqual([]);
				}
			}),
			{ numRuns: 60 },
		);
	});
});

describe("frames", () => {
	test("what is said is what is heard", () => {
		fc.assert(
			fc.property(hostFrame, (frame) => {
				expect(framesOf(encodeHost(frame))).toEqual([frame]);
			}),
		);
	});

	test("a pose of 18 joints is less than 50 bytes", () => {
		const pulsesUs = Array.from({ length: JOINT_COUNT }, () => 1_500);
		expect(encodeHost({ kind: "pose", seq: 0xffffffff, tag: 0xffffff, pulsesUs }).length).toBe(49);
	});

	test("any noise, in any pieces, then a good frame: that frame is heard, and it is the last (HARM-20)", () => {
		const noise = fc.oneof(
			fc.uint8Array({ maxLength: 200 }),
			fc.array(fc.constantFrom(0, 1, 2, 255), { maxLength: 200 }).map((list) => Uint8Array.from(list)),
		);
		fc.assert(
			fc.property(noise, hostFrame, fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 9 }), (before, frame, sizes) => {
				const bytes = Uint8Array.of(...before, ...encodeHost(frame));
				const reader = new FrameReader(decodeHost);
				const heard = [];
				for (let at = 0, turn = 0; at < bytes.length; turn++) {
					const size = sizes[turn % sizes.length] ?? 1;
					heard.push(...reader.push(bytes.subarray(at, at + size)));
					at += size;
				}
				expect(heard.at(-1)).toEqual({ kind: "frame", frame });
			}),
			{ numRuns: 2_000 },
		);
	});

	test("a frame torn anywhere costs itself and not the next one (HARM-20)", () => {
		fc.assert(
			fc.property(hostFrame, hostFrame, (torn, next) => {
				const bytes = encodeHost(torn);
				for (let cut = 1; cut < bytes.length - 1; cut++) expect(framesOf(Uint8Array.of(...bytes.subarray(0, cut), ...encodeHost(next)))).toEqual([next]);
			}),
			{ numRuns: 40 },
		);
	});

	test("random runs almost never pass: below 1 in 5,000 of 200,000", () => {
		let passed = 0;
		let state = 12_345;
		const next = (): number => {
			state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
			return 1 + ((state >>> 16) % 255);
		};
		for (let round = 0; round < 200_000; round++) {
			const content = unwrap(Uint8Array.of(8, next(), next(), next(), next(), next(), next(), next()));
			if (content !== undefined) passed++;
		}
		expect(passed).toBeLessThan(40);
	});

	test("an endless run keeps its bound and ends at the next delimiter", () => {
		const splitter = new RunSplitter();
		for (let round = 0; round < 100; round++) expect(splitter.push(new Uint8Array(100).fill(7))).toEqual([]);
		expect(splitter.push(Uint8Array.of(0, 9, 0))).toEqual(["too long", Uint8Array.of(9)]);
		expect(splitter.push(Uint8Array.of(...new Uint8Array(STUFFED_BYTES_MAX).fill(7), 0))).toEqual([new Uint8Array(STUFFED_BYTES_MAX).fill(7)]);
	});
});

describe("bad input", () => {
	test.each([
		["too short", [1, 0, 0, 0]],
		["unknown type 9", [9, 0, 0, 0, 0]],
		["arm with 7 bytes", [2, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7]],
		["stop with 1 bytes", [6, 0, 0, 0, 0, 1]],
	])("a host's frame is refused with its reason: %s", (detail, content) => {
		expect(decodeHost(Uint8Array.from(content))).toEqual({ ok: false, fault: { code: "FRAME_INVALID", facts: { detail } } });
	});

	test.each([
		["unknown board 3", 0x81, [1, 3, ...new Array<number>(14).fill(0)]],
		["unknown state 7", 0x81, [1, 1, ...new Array<number>(13).fill(0), 7]],
		["unknown state 3", 0x82, [3, ...new Array<number>(19).fill(0)]],
		["unknown cause 9", 0x82, [0, 9, ...new Array<number>(18).fill(0)]],
		["unknown type 8", 0x83, [8, 1]],
		["unknown reason 0", 0x83, [1, 0]],
	])("a board's frame is refused with its reason: %s", (detail, type, body) => {
		expect(new FrameReader(decodeBoard).push(boardBytes(type, 1, body))).toEqual([{ kind: "noise", detail }]);
	});
});

describe("what a board says", () => {
	test("hello, status, refusal", () => {
		expect(boardFrames(boardBytes(0x81, 7, [1, 1, 0xde, 0xad, 0xbe, 0xef, 0, 1, 2, 3, 0x78, 0x56, 0x34, 0x92, 8, 0]))).toEqual([
			{ kind: "hello", seq: 7, version: 1, board: "leg-board", firmware: "deadbeef00010203", nonce: 0x92345678, resetCause: 8, state: "off" },
		]);
		expect(boardFrames(boardBytes(0x82, 0xfffffffe, [2, 1, 1, 2, 3, 4, 0, 0, 0x80, 200, 0, 7, 5, 0, 6, 0, 1, 0, 0, 0]))).toEqual([
			{
				kind: "status",
				seq: 0xfffffffe,
				state: "frozen",
				cause: "lease-ran-out",
				tag: 0x030201,
				lastSeq: 0x80000004,
				leaseLeftMs: 200,
				poweredGroups: 7,
				refused: 5,
				damaged: 6,
				uptimeMs: 1,
			},
		]);
		expect(boardFrames(boardBytes(0x83, 3, [4, 5]))).toEqual([{ kind: "refused", seq: 3, type: "pose", reason: "seq-not-rising" }]);
	});

	test("sensors that were not read are absent (TELL-6)", () => {
		const body = [0x10, 0x1d, 0, 0, 0xff, 0xff, 0, 0, 0xe8, 3, 1, 0, 2, 0, 3, 0, 9, 0];
		expect(boardFrames(boardBytes(0x84, 0, [...body, 5]))).toEqual([
			{ kind: "sensors", seq: 0, servoMv: 7_440, accelMg: [-1, 0, 1_000], gyroDeciDps: [1, 2, 3] },
		]);
		expect(boardFrames(boardBytes(0x84, 0, [...body, 0]))).toEqual([{ kind: "sensors", seq: 0 }]);
	});

	test("answer and tag of a nonce", () => {
		expect(answerTo(0)).toBe(0xffffffff);
		expect(answerTo(0x92345678)).toBe(0x6dcba987);
		expect(tagOf(0x92345678)).toBe(0x345678);
	});
});
