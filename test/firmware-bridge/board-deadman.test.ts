// Shows, in cycles of the board's processor running its real image, that legs stop and lose power when nobody renews, whatever goes wrong.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { PolicyRobot } from "../../contracts/gen/types.ts";
import { CYCLES_PER_US } from "../../firmware-bridge/virtual-board/board.ts";
import { answerTo, FREEZE_MS_MAX, LEASE_MS_MAX, PROTOCOL_VERSION } from "../../firmware-bridge/words.ts";
import { BenchBoard, MIDDLE, ms, STATE_OFF } from "./bench-board.ts";
import { imageUnderTest } from "./image.ts";

const image = imageUnderTest();
const SELF_LOOP = 0xcfff;

const booted = (): BenchBoard => {
	const bench = new BenchBoard(image);
	bench.boot();
	return bench;
};

/** Last pulse change and outputs off, in ms after a cycle. */
const since = (bench: BenchBoard, cycles: number) => {
	const pulses = bench.of("pulses").filter((event) => event.atCycles > cycles && event.pulsesUs.some((pulseUs) => pulseUs > 0));
	const off = bench.of("outputs").find((event) => event.atCycles > cycles && !event.on);
	return {
		lastPulseMs: pulses.length === 0 ? 0 : ms((pulses.at(-1)?.atCycles ?? 0) - cycles),
		offMs: off === undefined ? Number.NaN : ms(off.atCycles - cycles),
	};
};

describe("boot (HARM-24)", () => {
	test("outputs are off from the first instruction: no write ever drives the line low, and hello says who it is", () => {
		const bench = new BenchBoard(image);
		const hello = bench.boot();
		expect(bench.of("outputs")).toEqual([]);
		expect(hello).toMatchObject({ version: 1, board: "leg-board", firmware: image.manifest.sourceSha256.slice(0, 16), resetCause: 1, state: "off" });
		expect(bench.heard[0]).toMatchObject({ kind: "hello", seq: 0 });
		expect(bench.of("pulses")).toEqual([]);
	});

	test("the level is written before the direction", () => {
		// The first two instructions at the program's entry, read from the image: sbi PORTD,4 then sbi DDRD,4.
		const entry = (image.flash[1] ?? 0) & 0xffff;
		expect(image.flash[0]).toBe(0x940c);
		expect([image.flash[entry], image.flash[entry + 1]]).toEqual([0x9a5c, 0x9a54]);
	});

	test("a nonce never comes again: not after a reset, not after 300 arms, not after a torn write of its counter", () => {
		const bench = new BenchBoard(image);
		const seen = new Set([bench.boot().nonce]);
		for (let round = 0; round < 300; round++) {
			bench.ask({ kind: "arm", answer: 1, leaseMs: 100, freezeMs: 0 }, "refused");
			seen.add(bench.hello().nonce);
		}
		expect(seen.size).toBe(301);
		const again = new BenchBoard(image, bench.board.eeprom);
		expect(seen.has(again.boot().nonce)).toBe(false);
		const torn = bench.board.eeprom;
		for (let slot = 0; slot < 4; slot++) torn.memory[slot] = 0x5a;
		expect(seen.has(new BenchBoard(image, torn).boot().nonce)).toBe(false);
	});
});

describe("while armed", () => {
	test("only the right answer to the newest nonce arms, with a lease and freeze time in range (HARM-23)", () => {
		const bench = booted();
		const refusal = (answer: number, leaseMs: number, freezeMs: number) => bench.ask({ kind: "arm", answer, leaseMs, freezeMs }, "refused").reason;
		expect(refusal(answerTo(bench.hello().nonce) ^ 1, 200, 0)).toBe("wrong-answer");
		const { nonce } = bench.hello();
		expect(refusal(answerTo(nonce), 0, 0)).toBe("time-out-of-range");
		expect(refusal(answerTo(nonce), 200, 0)).toBe("wrong-answer");
		expect(refusal(answerTo(bench.hello().nonce), LEASE_MS_MAX + 1, 0)).toBe("time-out-of-range");
		expect(refusal(answerTo(bench.hello().nonce), 200, FREEZE_MS_MAX + 1)).toBe("time-out-of-range");
		expect(bench.of("outputs")).toEqual([]);
		expect(bench.arm(500, 5_000)).toMatchObject({ state: "armed", cause: "armed" });
		expect(refusal(answerTo(bench.hello().nonce), 200, 0)).toBe("wrong-state");
		expect(bench.board.outputsOn).toBe(true);
	});

	test("pulses are what was asked, to one step of the chip, on the channels of the robot's policy file", () => {
		const bench = booted();
		bench.arm(500, 0);
		for (let tick = 0; tick < 40; tick++) {
			bench.renew();
			bench.board.run(20_000);
		}
		const wanted = MIDDLE.map((_, joint) => 500 + joint * 117);
		bench.pose(wanted);
		bench.board.run(10_000);
		const policy = parse(readFileSync(new URL("../../policies/robots/fnk0052.yaml", import.meta.url), "utf8")) as PolicyRobot;
		const channels = policy.legs.flatMap((leg) => [leg.servos.coxa.channel, leg.servos.femur.channel, leg.servos.tibia.channel]);
		channels.forEach((channel, joint) => {
			const chip = bench.board.chips.get(channel < 16 ? 0x41 : 0x40);
			expect(Math.abs((chip?.pulsesUs()[channel % 16] ?? 0) - (wanted[joint] ?? 0))).toBeLessThanOrEqual(4.88 / 2 + 0.01);
			expect(chip?.periodUs()).toBeCloseTo(19_988.5, 0);
		});
		const used = [...bench.board.chips.values()].flatMap((chip) => chip.pulsesUs()).filter((pulseUs) => pulseUs > 0);
		expect(used).toHaveLength(18);
	});

	test("power comes in three groups, 300 ms apart, whatever the pose says (HARM-22)", () => {
		const bench = booted();
		bench.arm(500, 0);
		const from = bench.of("outputs")[0]?.atCycles ?? 0;
		const firstPulse: number[] = [];
		for (let tick = 0; tick < 35; tick++) {
			bench.renew();
			bench.pose();
			bench.board.run(20_000);
		}
		for (const event of bench.of("pulses")) {
			const legs = event.pulsesUs.filter((pulseUs) => pulseUs > 0).length;
			if (legs > (firstPulse.length === 0 ? 0 : Math.max(...firstPulse.map((_, at) => at + 1)))) firstPulse[legs - 1] ??= ms(event.atCycles - from);
		}
		const joints = (address: number) =>
			bench
				.of("pulses")
				.filter((event) => event.address === address)
				.map((event) => ({ at: ms(event.atCycles - from), count: event.pulsesUs.filter((pulseUs) => pulseUs > 0).length }));
		// 0x41 carries legs 1, 2 and two joints of 3; 0x40 the last joint of 3 and legs 4, 5, 6.
		const first = (address: number, count: number) => joints(address).find((event) => event.count >= count)?.at ?? Number.NaN;
		expect(first(0x41, 1)).toBeLessThan(30);
		for (const [address, second, third] of [
			[0x41, 4, 7],
			[0x40, 4, 7],
		] as const) {
			expect(first(address, second) - 0).toBeGreaterThanOrEqual(300);
			expect(first(address, second)).toBeLessThan(325);
			expect(first(address, third)).toBeGreaterThanOrEqual(600);
			expect(first(address, third)).toBeLessThan(625);
		}
		expect(bench.status().poweredGroups).toBe(3);
	});

	test("poses and renewals of another arming, out of order, out of range or while off change nothing (HARM-23)", () => {
		const bench = booted();
		const refusal = (body: Parameters<BenchBoard["ask"]>[0]) => bench.ask(body, "refused").reason;
		expect(refusal({ kind: "pose", tag: 0, pulsesUs: MIDDLE })).toBe("wrong-state");
		expect(refusal({ kind: "renew", tag: 0 })).toBe("wrong-state");
		bench.arm(500, 0);
		expect(refusal({ kind: "renew", tag: bench.tag ^ 0x10000 })).toBe("other-arming");
		expect(refusal({ kind: "pose", tag: bench.tag, pulsesUs: MIDDLE.map((pulseUs, joint) => (joint === 17 ? 2_501 : pulseUs)) })).toBe("pulse-out-of-range");
		expect(refusal({ kind: "pose", tag: bench.tag, pulsesUs: MIDDLE.map((pulseUs, joint) => (joint === 0 ? 499 : pulseUs)) })).toBe("pulse-out-of-range");
		const { seq } = bench;
		bench.renew();
		bench.board.run(3_000);
		bench.seq = seq - 5;
		expect(refusal({ kind: "renew", tag: bench.tag })).toBe("seq-not-rising");
		expect(refusal({ kind: "pose", tag: bench.tag, pulsesUs: MIDDLE })).toBe("seq-not-rising");
		expect(bench.of("pulses")).toEqual([]);
		bench.seq = 1_000;
		expect(bench.ask({ kind: "hello", version: PROTOCOL_VERSION + 1 }, "refused").reason).toBe("version");
		expect(bench.status().refused).toBe(8);
	});
});

describe("when nobody renews (HARM-23)", () => {
	test.each([
		[200, 2_000],
		[200, 0],
		[500, 300],
		[60, 100],
	])("lease %i ms, freeze %i ms: last pulse change by the lease's end, outputs off by the end of the freeze", (leaseMs, freezeMs) => {
		const bench = booted();
		bench.arm(leaseMs, freezeMs);
		bench.walk(700);
		const last = bench.renew();
		for (let pose = 0; pose * 20 < leaseMs + freezeMs + 100; pose++)
			bench.pose(
				MIDDLE.map((pulseUs) => pulseUs + 5 * pose),
				last + pose * 20_000 * CYCLES_PER_US,
			);
		bench.board.runTo(last + (leaseMs + freezeMs + 300) * 1_000 * CYCLES_PER_US);
		const { lastPulseMs, offMs } = since(bench, last);
		expect(lastPulseMs).toBeGreaterThan(leaseMs - 30);
		expect(lastPulseMs).toBeLessThanOrEqual(leaseMs + 4);
		expect(offMs).toBeGreaterThan(leaseMs + freezeMs - 2);
		expect(offMs).toBeLessThanOrEqual(leaseMs + freezeMs + 1);
		expect(bench.state).toBe(STATE_OFF);
		expect([...bench.board.chips.values()].flatMap((chip) => chip.pulsesUs()).every((pulseUs) => pulseUs === 0)).toBe(true);
		const told = bench.heard.flatMap((frame) => (frame.kind === "status" && frame.seq === 0 ? [`${frame.state} ${frame.cause}`] : []));
		expect(told).toEqual(freezeMs === 0 ? ["off lease-ran-out"] : ["frozen lease-ran-out", "off freeze-over"]);
	});

	test("a late renewal brings nothing back: not while frozen, not when off; a new arm needs a new nonce", () => {
		const bench = booted();
		bench.arm(100, 1_000);
		const { nonce } = bench.hello();
		bench.walk(200);
		bench.board.run(150_000);
		expect(bench.status().state).toBe("frozen");
		const before = bench.of("pulses").length;
		for (let late = 0; late < 20; late++) {
			expect(bench.ask({ kind: "renew", tag: bench.tag }, "refused").reason).toBe("wrong-state");
			expect(bench.ask({ kind: "pose", tag: bench.tag, pulsesUs: MIDDLE }, "refused").reason).toBe("wrong-state");
		}
		expect(bench.of("pulses")).toHaveLength(before);
		expect(bench.board.runUntil(() => !bench.board.outputsOn, 1_100_000)).toBe(true);
		// The nonce told before off was entered is void.
		expect(bench.ask({ kind: "arm", answer: answerTo(nonce), leaseMs: 100, freezeMs: 0 }, "refused").reason).toBe("wrong-answer");
		expect(bench.of("outputs").map((event) => event.on)).toEqual([true, false]);
		expect(bench.arm(100, 0).state).toBe("armed");
	});

	test("stop freezes at once and is not lengthened by more stops; cut is off within 2 ms of its last byte", () => {
		const bench = booted();
		bench.arm(500, 400);
		bench.walk(700);
		const stopped = bench.say({ kind: "stop" });
		bench.board.run(8_000);
		const before = bench.of("pulses").length;
		for (let again = 0; again < 10; again++) {
			bench.renew();
			bench.pose();
			bench.say({ kind: "stop" });
			bench.board.run(30_000);
		}
		expect(bench.of("pulses")).toHaveLength(before);
		bench.board.run(200_000);
		expect(since(bench, stopped).offMs).toBeLessThanOrEqual(402);
		bench.arm(500, 5_000);
		bench.walk(100);
		const cut = bench.say({ kind: "cut" });
		bench.board.run(20_000);
		expect(since(bench, cut).offMs).toBeLessThan(2);
		expect(bench.status()).toMatchObject({ state: "off", cause: "cut" });
	});
});

describe("when the board itself fails (HARM-24)", () => {
	test("main loop hung: the timer interrupt takes outputs off at the lease's end, the watchdog resets after 250 ms, and it comes back off", () => {
		const bench = booted();
		bench.arm(100, 50);
		bench.walk(200);
		const hung = bench.board.cycles;
		bench.board.patch(image.manifest.symbols.turn, SELF_LOOP);
		bench.board.run(240_000);
		expect(bench.of("reset")).toEqual([]);
		expect(bench.board.outputsOn).toBe(false);
		expect(since(bench, hung).offMs).toBeLessThanOrEqual(151);
		bench.board.run(60_000);
		const [reset] = bench.of("reset");
		expect(ms((reset?.atCycles ?? 0) - hung)).toBeGreaterThan(250);
		expect(ms((reset?.atCycles ?? 0) - hung)).toBeLessThan(260);
		expect(since(bench, hung).lastPulseMs).toBe(0);
	});

	test.each([
		["the loop hangs with interrupts off", true],
		["interrupts are off and the loop runs on", false],
	])("%s: the watchdog takes outputs off within 260 ms, and hello says so", (_, hang) => {
		const bench = booted();
		bench.arm(500, 5_000);
		bench.walk(200);
		const hung = bench.board.cycles;
		const { turn } = image.manifest.symbols;
		const word = image.flash[turn >> 1] ?? 0;
		if (hang) bench.board.patch(turn, SELF_LOOP);
		const from = bench.heard.length;
		const deaf = setUpDeaf(bench);
		bench.board.runUntil(() => bench.of("reset").length > 0, 400_000);
		deaf();
		const { offMs, lastPulseMs } = since(bench, hung);
		expect(offMs).toBeGreaterThan(200);
		expect(offMs).toBeLessThanOrEqual(260);
		expect(lastPulseMs).toBeLessThan(5);
		bench.board.patch(turn, word);
		bench.board.run(60_000);
		expect(bench.heard.slice(from).find((frame) => frame.kind === "hello")).toMatchObject({ seq: 0, resetCause: 8, state: "off" });
		expect(bench.board.outputsOn).toBe(false);
		// What was armed before is void: its tag moves nothing.
		expect(bench.ask({ kind: "pose", tag: bench.tag, pulsesUs: MIDDLE }, "refused").reason).toBe("wrong-state");
	});

	test.each([
		["a chip loses power and comes back", (bench: BenchBoard) => bench.board.chips.get(0x40)?.losePower()],
		["the bus is silent", (bench: BenchBoard) => Object.assign(bench.board, { busFault: "no-answer" })],
		["the bus hangs", (bench: BenchBoard) => Object.assign(bench.board, { busFault: "hangs" })],
	])("%s: outputs off within 220 ms, chip fault, never set up again by itself", (_, breakIt) => {
		const bench = booted();
		bench.arm(500, 5_000);
		bench.walk(200);
		const broken = bench.board.cycles;
		breakIt(bench);
		for (let tick = 0; tick < 30; tick++) {
			bench.renew();
			bench.board.run(20_000);
		}
		expect(since(bench, broken).offMs).toBeLessThanOrEqual(220);
		expect(bench.status()).toMatchObject({ state: "off", cause: "chip-fault" });
		expect(bench.of("outputs").map((event) => event.on)).toEqual([true, false]);
		expect(bench.of("reset")).toEqual([]);
		if (bench.board.busFault !== "none") {
			const { nonce } = bench.hello();
			expect(bench.ask({ kind: "arm", answer: answerTo(nonce), leaseMs: 100, freezeMs: 0 }, "refused").reason).toBe("chip-not-ready");
			bench.board.busFault = "none";
		}
		expect(bench.arm(100, 0).state).toBe("armed");
	});
});

/** Takes interrupts away in every slice until told to stop. */
function setUpDeaf(bench: BenchBoard): () => void {
	const { board } = bench;
	const run = board.run.bind(board);
	board.run = (us: number) => {
		board.clearInterrupts();
		run(us);
	};
	return () => {
		board.run = run;
	};
}
