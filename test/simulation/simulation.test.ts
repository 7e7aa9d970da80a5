// Shows that core keeps its promises in 200 worlds full of faults (HARM-1, HARM-3, HARM-5..9, TELL-1..3, TELL-5, LOSS-2, LOSS-4), and that they are full enough.
import { expect, test } from "vitest";
import { runSeeds } from "./main.ts";

test("200 seeds: no promise is broken, everything that can happen to an action happens", { timeout: 180_000 }, async () => {
	const { failures, coverage, executions, repaired, approved, starts } = await runSeeds({ firstSeed: 1, seeds: 200 });
	expect(failures.map(({ seed, error }) => `npm run sim -- --seed ${seed}: ${error.message}`)).toEqual([]);
	expect(coverage.missing()).toEqual([]);
	expect(approved).toBeGreaterThan(20);
	for (const count of [executions, repaired, starts]) expect(count).toBeGreaterThan(300);
});

test("the same seed is the same world, to the last record but for the ids of core's own", { timeout: 60_000 }, async () => {
	const [first, second] = [await runSeeds({ firstSeed: 7, seeds: 4 }), await runSeeds({ firstSeed: 7, seeds: 4 })];
	expect({ ...second, coverage: [...second.coverage.counts] }).toEqual({ ...first, coverage: [...first.coverage.counts] });
});
