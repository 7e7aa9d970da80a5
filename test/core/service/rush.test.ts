// Shows that readers of the log step aside for a flood, and only for as long as it lasts.
import { describe, expect, test } from "vitest";
import { Rush } from "../../../core/service/rush.ts";

const host = () => {
	const state = { nowMs: 1_000, head: 0, turns: 0 };
	const world = {
		clock: { now: () => state.nowMs } as never,
		timers: {
			after: (delayMs: number, run: () => void) => {
				expect(delayMs).toBe(0);
				state.turns += 1;
				queueMicrotask(run);
				return () => undefined;
			},
		},
	};
	return { state, rush: new Rush({ head: () => state.head }, world) };
};

describe("a rush", () => {
	test("is more than ten records a millisecond, judged over ten milliseconds at least", () => {
		const { state, rush } = host();
		state.head = 5_000;
		state.nowMs += 9;
		expect(rush.isOn()).toBe(false);
		state.nowMs += 1;
		expect(rush.isOn()).toBe(true);
		state.head += 101;
		state.nowMs += 10;
		expect(rush.isOn()).toBe(true);
		state.head += 100;
		state.nowMs += 10;
		expect(rush.isOn()).toBe(false);
	});

	test("gives the door more turns, and one when it is over", async () => {
		const { state, rush } = host();
		await rush.giveWay(7);
		expect(state.turns).toBe(1);
		state.head = 200;
		state.nowMs += 10;
		await rush.giveWay(7);
		expect(state.turns).toBe(8);
		state.nowMs += 10;
		await rush.giveWay(7);
		expect(state.turns).toBe(9);
	});
});
