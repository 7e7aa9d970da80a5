// Shows what the real StandardFirmata and the real johnny-five do with a pin that moves something, and so why nothing of ours moves by them (HARM-156, HARM-157).
import firmata from "firmata-io";
import five from "johnny-five";
import { afterEach, expect, test } from "vitest";
import { Pca9685 } from "../../firmware-bridge/virtual-board/pca9685.ts";
import { FirmataBench } from "./bench.ts";

const SERVO = 9;
const PERIOD_US = 20_000;
/** Interrupts of the board make an edge later by some microseconds. */
const EDGE_US = 20;

// A servo chip is reached through the first board that this process ever made.
afterEach(() => {
	five.Board.cache.length = 0;
});

const connected = async () => {
	const bench = new FirmataBench();
	const port = bench.port();
	const io = new firmata.Firmata(port, { reportVersionTimeout: 100, samplingInterval: 20 });
	port.open();
	await bench.until("the handshake", () => io.isReady);
	const board = new five.Board({ io, repl: false, debug: false, sigint: false });
	let isReady = false;
	board.once("ready", () => {
		isReady = true;
	});
	await bench.until("johnny-five", () => isReady);
	return { bench, port, io, board };
};

/** Widths of the pulses of a pin over the next `ms` of the board's time, from the first whole one. */
const widths = (bench: FirmataBench, pin: number, ms: number): readonly number[] => {
	const fromUs = bench.board.nowUs;
	bench.board.run(ms * 1_000);
	return bench.board.pulses(pin, fromUs).map(({ widthUs }) => widthUs);
};

/** Until what was written has come to the pin: the last pulses are all as wide as this. */
const settledAt = (bench: FirmataBench, widthUs: number): Promise<void> =>
	bench.until(`pulses of ${widthUs} us`, () => {
		const last = bench.board.pulses(SERVO, bench.board.nowUs - 5 * PERIOD_US);
		return last.length >= 4 && last.every((pulse) => Math.abs(pulse.widthUs - widthUs) < EDGE_US);
	});

test("HARM-156 its host is gone, its pulses go on: there is no time-out in it", async () => {
	const { bench, port, board } = await connected();
	const servo = new five.Servo({ board, pin: SERVO, startAt: 45 });
	await settledAt(bench, 600 + 1_800 / 4);
	servo.stop();
	await new Promise<void>((resolve) => port.close(() => resolve()));
	const after = widths(bench, SERVO, 3_100);
	// Three seconds of a host that is gone: 50 pulses in each of them, none of them other than before.
	expect(after.length).toBeGreaterThanOrEqual(150);
	for (const widthUs of after) expect(Math.abs(widthUs - 1_050)).toBeLessThan(EDGE_US);
});

test("HARM-156 a servo moves as soon as somebody names its pin: to 1,500 us, whatever was asked", async () => {
	const { bench, board } = await connected();
	new five.Servo({ board, pin: SERVO });
	await settledAt(bench, 1_500);
});

test("HARM-157 on a pin johnny-five's angles are 600 to 2,400 us wide; told the servo's own range they are what was meant", async () => {
	const { bench, board } = await connected();
	const asItComes = new five.Servo({ board, pin: SERVO });
	asItComes.to(180);
	await settledAt(bench, 2_400);
	const told = new five.Servo({ board, pin: SERVO, pwmRange: [600, 2_500] });
	for (const [degrees, widthUs] of [
		[180, 2_500],
		[90, 1_550],
		[0, 600],
	] as const) {
		told.to(degrees);
		await settledAt(bench, widthUs);
	}
});

test("HARM-157 asked for less than 544 us it goes to the other end: the number is taken for an angle, and too large a one", async () => {
	const { bench, board } = await connected();
	const servo = new five.Servo({ board, pin: SERVO, pwmRange: [500, 2_500] });
	servo.to(90);
	await settledAt(bench, 1_500);
	servo.to(0);
	await settledAt(bench, 2_500);
});

test("HARM-157 through a servo chip its pulses are 22 % too wide at 50 Hz: it takes a step of the chip for 4 us, and it is 4.88", async () => {
	const { bench, board } = await connected();
	const chip = (address: number): Pca9685 => bench.board.servoChips.get(address) ?? new Pca9685();
	const RANGE_US = [500, 2_500] as const;
	const asItComes = new five.Servo({ board, pin: 3, controller: "PCA9685", address: 0x40, pwmRange: RANGE_US });
	const stepUs = (): number => chip(0x40).periodUs() / 4_096;
	await bench.until("the chip is set up", () => Math.abs(stepUs() - 4.88) < 0.01);
	// Divided by the chip's own step the same calls give what was meant.
	const corrected = new five.Servo({ board, pin: 3, controller: "PCA9685", address: 0x41, pwmRange: [(500 * 4) / stepUs(), (2_500 * 4) / stepUs()] });
	for (const [degrees, meantUs] of [
		[0, 500],
		[90, 1_500],
		[180, 2_500],
	] as const) {
		asItComes.to(degrees);
		corrected.to(degrees);
		const near = (address: number, us: number): boolean => Math.abs((chip(address).pulsesUs()[3] ?? 0) - us) < 2 * stepUs();
		await bench.until(`${degrees} degrees`, () => near(0x40, meantUs * 1.22) && near(0x41, meantUs));
	}
	// Wider than any servo of the legs may get.
	expect(chip(0x40).pulsesUs()[3]).toBeGreaterThan(3_000);
});
