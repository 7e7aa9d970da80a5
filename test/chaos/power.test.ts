// Shows that what a node accepted survives power cuts, kills and full disks of node and core, once each; the seeds are fixed, so that a defect is caught each time.
import { expect, test } from "vitest";
import { isKept, runPowerRounds } from "./power-rounds.ts";

test.each([1, 2, 3, 4, 5, 6])("LOSS-43 LOSS-44: 40 rounds of power cuts and full disks, seed %i", async (seed) => {
	const counts = await runPowerRounds({ rounds: 40, seed, say: () => undefined });
	const repeat = `repeat with: npm run chaos -- power --rounds 40 --seed ${seed}`;
	expect(counts, repeat).toMatchObject({ missing: 0, twice: 0, forks: 0, lanesOpen: 0 });
	expect(isKept(counts), repeat).toBe(true);
});
