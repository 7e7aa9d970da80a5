// Shows that no phase between arm, renewal and the timer interrupt leaves outputs on while the board is off (HARM-23).
import { expect, test } from "vitest";
import { CYCLES_PER_US } from "../../firmware-bridge/virtual-board/board.ts";
import { answerTo, tagOf } from "../../firmware-bridge/words.ts";
import { BenchBoard, ms, STATE_OFF } from "./bench-board.ts";
import { imageUnderTest } from "./image.ts";

const image = imageUnderTest();
const TICK_CYCLES = 1_000 * CYCLES_PER_US;
const LEASE_MS = 2;

const alignedTo = (bench: BenchBoard): number => Math.ceil(bench.board.cycles / TICK_CYCLES) * TICK_CYCLES;
const edgesFrom = (bench: BenchBoard, from: number) => bench.board.events.slice(from).flatMap((event) => (event.kind === "outputs" ? [event] : []));

test("3,000 phases of arm against the timer, lease 1 ms, no freeze: outputs on once, for 1 ms at most, and never while off", () => {
	const bench = new BenchBoard(image);
	bench.boot();
	let onWhileOff = 0;
	bench.board.onEvent = (event) => {
		if (event.kind === "outputs" && event.on && bench.state === STATE_OFF) onWhileOff++;
	};
	let { nonce } = bench.hello();
	for (let phase = 0; phase < 3_000; phase++) {
		const eventsFrom = bench.board.events.length;
		const armed = bench.say({ kind: "arm", answer: answerTo(nonce), leaseMs: 1, freezeMs: 0 }, alignedTo(bench) + Math.round((phase * TICK_CYCLES) / 3_000));
		bench.board.runTo(armed + 3_600 * CYCLES_PER_US);
		const edges = edgesFrom(bench, eventsFrom);
		expect(edges.map((event) => event.on)).toEqual([true, false]);
		expect(bench.state).toBe(STATE_OFF);
		expect(ms((edges[1]?.atCycles ?? 0) - (edges[0]?.atCycles ?? 0))).toBeLessThanOrEqual(1.01);
		({ nonce } = bench.hello());
	}
	expect(onWhileOff).toBe(0);
	expect(bench.of("reset")).toEqual([]);
}, 300_000);

test("600 phases of a renewal around the end of a lease of 2 ms: outputs on once per arm, no longer than lease and renewal allow, never while off", () => {
	const bench = new BenchBoard(image);
	bench.boot();
	let { nonce } = bench.hello();
	let renewed = 0;
	for (let phase = 0; phase < 600; phase++) {
		bench.tag = tagOf(nonce);
		const heardFrom = bench.heard.length;
		const eventsFrom = bench.board.events.length;
		const armed = bench.say(
			{ kind: "arm", answer: answerTo(nonce), leaseMs: LEASE_MS, freezeMs: 0 },
			alignedTo(bench) + Math.round((phase * TICK_CYCLES) / 600),
		);
		// Outputs come on 2.4 ms after the arm (the chips are set up first); the renewal arrives 2.6 to 5 ms after it.
		const renewal = bench.renew(armed + (1_500 + ((phase * 7) % 48) * 50) * CYCLES_PER_US);
		bench.board.runTo(Math.max(renewal + (LEASE_MS * 1_000 + 500) * CYCLES_PER_US, armed + 5_200 * CYCLES_PER_US));
		const edges = edgesFrom(bench, eventsFrom);
		expect(edges.map((event) => event.on)).toEqual([true, false]);
		expect(bench.board.outputsOn).toBe(false);
		expect(bench.state).toBe(STATE_OFF);
		// Answers come in order: with this one, the renewal's refusal has been heard, if it was refused.
		({ nonce } = bench.hello());
		const refused = bench.heard.slice(heardFrom).some((frame) => frame.kind === "refused" && frame.type === "renew");
		const [on, off] = edges.map((event) => event.atCycles);
		if (refused) expect(ms((off ?? 0) - (on ?? 0))).toBeLessThanOrEqual(LEASE_MS + 0.01);
		else {
			renewed++;
			// Half a millisecond for the loop to read the renewal while it is still telling that it is armed.
			expect(ms((off ?? 0) - Math.max(renewal, on ?? 0))).toBeLessThanOrEqual(LEASE_MS + 0.5);
		}
	}
	// Both sides of the race were really visited.
	expect(renewed).toBeGreaterThan(600 / 10);
	expect(600 - renewed).toBeGreaterThan(600 / 10);
	expect(bench.of("reset")).toEqual([]);
}, 300_000);
