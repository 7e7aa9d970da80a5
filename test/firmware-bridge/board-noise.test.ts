// Shows that noise, forged and replayed frames neither arm the board, nor keep it alive, nor move it (HARM-20, HARM-23).
import { describe, expect, test } from "vitest";
import { encodeHost } from "../../firmware-bridge/frames.ts";
import { CYCLES_PER_US } from "../../firmware-bridge/virtual-board/board.ts";
import { wrap } from "../../firmware-bridge/wire.ts";
import { BenchBoard, MIDDLE, ms, STATE_OFF } from "./bench-board.ts";
import { imageUnderTest } from "./image.ts";

const image = imageUnderTest();

/** Seeded, so that a failure is the same tomorrow. */
const chance = (seed: number) => {
	let state = seed >>> 0;
	return (below: number): number => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return Math.floor((state / 0x1_0000_0000) * below);
	};
};

/** Raw bytes, torn and flipped frames, and sound frames with arbitrary content; never cut or stop, which anyone may say. */
const nuisance = (next: (below: number) => number): Uint8Array => {
	const bytes = (count: number): number[] => Array.from({ length: count }, () => next(256));
	switch (next(4)) {
		case 0:
			return Uint8Array.from(bytes(1 + next(70)));
		case 1: {
			const type = [1, 2, 3, 4, 5, 8, 255][next(7)] ?? 0;
			const length = { 1: 1, 2: 8, 3: 3, 4: 39 }[type] ?? next(40);
			return wrap(Uint8Array.of(type, ...bytes(4), ...bytes(length)));
		}
		case 2:
			return wrap(Uint8Array.of(4, ...bytes(7), ...new Array<number>(36).fill(0).map((_, at) => (at % 2 === 0 ? 0xdc : 5)))).subarray(0, 1 + next(49));
		default: {
			const frame = wrap(Uint8Array.of(2, ...bytes(12)));
			const at = 1 + next(frame.length - 2);
			frame[at] = (frame[at] ?? 0) ^ (1 << next(8));
			return frame;
		}
	}
};

const fuzz = (bench: BenchBoard, next: (below: number) => number, forMs: number, alive: () => void): void => {
	const end = bench.board.cycles + forMs * 1_000 * CYCLES_PER_US;
	while (bench.board.cycles < end) {
		bench.board.runTo(bench.board.receive(nuisance(next)));
		alive();
	}
	// The line falls silent; what was begun ends.
	bench.board.runTo(bench.board.receive(Uint8Array.of(0)) + 5_000 * CYCLES_PER_US);
};

describe("byte fuzz", () => {
	test("while off: nothing arms it, nothing moves, and it still answers", () => {
		const bench = new BenchBoard(image);
		bench.boot();
		fuzz(bench, chance(1), 4_000, () => {});
		expect(bench.of("outputs")).toEqual([]);
		expect(bench.of("pulses")).toEqual([]);
		expect(bench.of("reset")).toEqual([]);
		expect(bench.noise).toBe(0);
		const status = bench.status();
		expect(status.damaged).toBeGreaterThan(100);
		expect(status.refused).toBeGreaterThan(50);
		expect(bench.arm(200, 0).state).toBe("armed");
	});

	test("while armed: the lease ends as if the line were silent, and pulses stay as they were", () => {
		const bench = new BenchBoard(image);
		bench.boot();
		for (let round = 0; round < 4; round++) {
			bench.arm(300, 100);
			// Until all three groups have power: that changes pulses too.
			bench.walk(700);
			bench.board.run(10_000);
			const pulsesBefore = bench.of("pulses").length;
			bench.seq = 0x7000_0000 + round;
			const last = bench.renew();
			fuzz(bench, chance(100 + round), 450, () => {});
			const off = bench.of("outputs").findLast((event) => !event.on);
			expect(ms((off?.atCycles ?? Number.NaN) - last)).toBeLessThanOrEqual(401);
			expect(ms((off?.atCycles ?? Number.NaN) - last)).toBeGreaterThan(398);
			expect(
				bench
					.of("pulses")
					.slice(pulsesBefore)
					.filter((event) => event.pulsesUs.some((pulseUs) => pulseUs > 0)),
			).toEqual([]);
			expect(bench.state).toBe(STATE_OFF);
			bench.seq = 0;
		}
		expect(bench.of("reset")).toEqual([]);
	});

	test("a renewal with any one bit flipped is no renewal", () => {
		const bench = new BenchBoard(image);
		bench.boot();
		bench.arm(500, 0);
		const armedSeq = bench.seq;
		const good = encodeHost({ kind: "renew", seq: 0x01020304, tag: bench.tag });
		for (let bit = 8; bit < (good.length - 1) * 8; bit++) {
			const flipped = Uint8Array.from(good);
			flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
			bench.board.runTo(bench.board.receive(flipped));
		}
		expect(bench.status()).toMatchObject({ state: "armed", lastSeq: armedSeq, refused: 0 });
	});

	test("a control loop goes on through noise between its frames: no good frame is lost", () => {
		const bench = new BenchBoard(image);
		bench.boot();
		bench.arm(200, 0);
		const next = chance(7);
		for (let tick = 0; tick < 50; tick++) {
			const from = bench.board.cycles;
			bench.board.receive(Uint8Array.from({ length: next(60) }, () => next(256)));
			bench.renew();
			bench.pose(MIDDLE.map((pulseUs) => pulseUs + 10 * tick));
			bench.board.runTo(from + 20_000 * CYCLES_PER_US);
		}
		bench.board.receive(Uint8Array.of(0));
		expect(bench.status()).toMatchObject({ state: "armed", lastSeq: bench.seq - 1 });
	});
});

describe("replayed captures", () => {
	/** Everything a host said in a session that armed, walked and let go. */
	const session = (bench: BenchBoard): readonly Uint8Array[] => {
		const from = bench.sent.length;
		bench.arm(200, 500);
		bench.walk(400);
		return bench.sent.slice(from);
	};
	const replay = (bench: BenchBoard, capture: readonly Uint8Array[]): void => {
		for (const frame of capture) bench.board.runTo(bench.board.receive(frame) + 3_000 * CYCLES_PER_US);
	};

	test("into the frozen board: no pulse changes, and off comes when it would have come", () => {
		const bench = new BenchBoard(image);
		bench.boot();
		const capture = session(bench);
		const last = bench.board.cycles;
		bench.board.run(230_000);
		expect(bench.status().state).toBe("frozen");
		const before = bench.of("pulses").length;
		replay(bench, capture);
		bench.board.run(400_000);
		const off = bench.of("outputs").findLast((event) => !event.on);
		expect(bench.of("outputs").map((event) => event.on)).toEqual([true, false]);
		expect(ms((off?.atCycles ?? Number.NaN) - last)).toBeLessThanOrEqual(700);
		expect(
			bench
				.of("pulses")
				.slice(before)
				.flatMap((event) => event.pulsesUs)
				.every((pulseUs) => pulseUs === 0),
		).toBe(true);
	});

	test("into the board that is off, after a reset, and into the next session: refused, and the next session ends on time", () => {
		const bench = new BenchBoard(image);
		bench.boot();
		const capture = session(bench);
		bench.board.run(800_000);
		const edges = bench.of("outputs").length;
		replay(bench, capture);
		expect(bench.of("outputs")).toHaveLength(edges);

		const restarted = new BenchBoard(image, bench.board.eeprom);
		restarted.boot();
		replay(restarted, capture);
		expect(restarted.of("outputs")).toEqual([]);

		// A new session whose seq starts lower than the capture's: tag alone must hold.
		restarted.seq = 10;
		restarted.arm(200, 0);
		const last = restarted.renew();
		restarted.board.run(8_000);
		const pulses = restarted.of("pulses").length;
		const motion = capture.filter((frame) => frame.length === 49 || frame.length === 13);
		expect(motion.length).toBeGreaterThan(20);
		replay(restarted, motion);
		expect(
			restarted
				.of("pulses")
				.slice(pulses)
				.flatMap((event) => event.pulsesUs)
				.every((pulseUs) => pulseUs === 0),
		).toBe(true);
		const off = restarted.of("outputs").findLast((event) => !event.on);
		expect(ms((off?.atCycles ?? Number.NaN) - last)).toBeLessThanOrEqual(201);
	});

	test("one session's own frames a second time, at once: seq does not rise, the lease is not renewed", () => {
		const bench = new BenchBoard(image);
		bench.boot();
		const from = bench.sent.length;
		bench.arm(200, 0);
		bench.walk(200);
		const capture = bench.sent.slice(from).filter((frame) => frame.length === 13);
		const last = bench.renew();
		bench.board.run(5_000);
		for (let round = 0; round < 4; round++) replay(bench, capture);
		bench.board.run(100_000);
		const off = bench.of("outputs").findLast((event) => !event.on);
		expect(ms((off?.atCycles ?? Number.NaN) - last)).toBeLessThanOrEqual(201);
	});
});
