// Shows in a second emulator, after each instruction, that the board's outputs are off from the first one, and after a supply that sagged (HARM-24, HARM-158).
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { answerTo, PROTOCOL_VERSION, tagOf } from "../../firmware-bridge/words.ts";
import { MIDDLE } from "./bench-board.ts";
import { imageUnderTest } from "./image.ts";
import { buildSimavr, SimavrBoard, type SimavrProgram } from "./simavr-board.ts";

const image = imageUnderTest();
const BROWN_OUT = 4;
let program: SimavrProgram;
let board: SimavrBoard;
beforeAll(() => {
	program = buildSimavr(image.flash);
}, 180_000);
afterAll(() => program?.remove());
beforeEach(() => {
	board = new SimavrBoard(program);
});
afterEach(() => board.end());

const levels = (): readonly string[] => board.line.map(({ level }) => level);

/** Armed and moving; returns the tag under which its renewals count. */
const armed = async (): Promise<number> => {
	await board.hear("hello", 300);
	await board.say({ kind: "hello", version: PROTOCOL_VERSION });
	const { nonce } = await board.hear("hello", 100);
	const tag = tagOf(nonce);
	await board.say({ kind: "arm", answer: answerTo(nonce), leaseMs: 200, freezeMs: 0 });
	await board.hear("status", 100);
	await beat(tag, 100);
	expect(levels().at(-1)).toBe("low");
	return tag;
};

/** Renews and poses every 20 ms. */
const beat = async (tag: number, forMs: number): Promise<void> => {
	for (let passedMs = 0; passedMs < forMs; passedMs += 20) {
		await board.say({ kind: "renew", tag });
		await board.say({ kind: "pose", tag, pulsesUs: MIDDLE });
		await board.run(20_000);
	}
};

test("HARM-158 power comes: the line is left to its pull-up, then driven high within the first instructions, and never low", async () => {
	await board.step(8);
	expect(levels()).toEqual(["float", "high"]);
	await board.run(500_000);
	expect(levels()).toEqual(["float", "high"]);
	const [hello] = board.heard;
	expect(hello).toMatchObject({ kind: "hello", firmware: image.manifest.sourceSha256.slice(0, 16), resetCause: 1, state: "off" });
});

test("HARM-158 the supply sags while legs have power: off at once, off after the start, and nobody's old renewals bring it back", async () => {
	const tag = await armed();
	const from = board.line.length;
	await board.sag();
	expect(levels().slice(from)).toEqual(["float"]);
	const hello = await board.hear("hello", 300);
	expect(hello).toMatchObject({ resetCause: BROWN_OUT, state: "off" });
	await beat(tag, 400);
	expect(levels().slice(from)).toEqual(["float", "high"]);
});

test("HARM-158 it sags at any instruction of its start, again and again: the line is never driven low", async () => {
	for (let instructions = 1; instructions <= 400; instructions++) {
		await board.step(instructions);
		await board.sag();
	}
	await board.run(500_000);
	expect(new Set(levels())).toEqual(new Set(["float", "high"]));
	expect(board.heard.at(-1)).toMatchObject({ kind: "hello", resetCause: BROWN_OUT, state: "off" });
});

test("HARM-158 it sags at any moment of a walk: off in that instruction, and after it", async () => {
	for (let round = 0; round < 12; round++) {
		const tag = await armed();
		await board.say({ kind: "renew", tag });
		await board.say({ kind: "pose", tag, pulsesUs: MIDDLE });
		// Between two bytes, within one, while the bus is busy, in the timer's interrupt.
		await board.run(1_000 + round * 397);
		const from = board.line.length;
		await board.sag();
		await board.run(20_000);
		expect(levels().slice(from)).toEqual(["float", "high"]);
		await board.power();
	}
});
