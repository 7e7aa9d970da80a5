// Shows that agent, broker elsewhere, core and Redis may be killed alone and in pairs, and Redis may forget, and nothing is lost or doubled; more with `npm run chaos`.
import { expect, test } from "vitest";
import { isCarried, runBusRounds } from "./bus-rounds.ts";

test("LOSS-48 LOSS-49: every death and pair of deaths between a node and core, and every way in which Redis forgets", { timeout: 600_000 }, async () => {
	const seed = Date.now() % 1_000_000;
	const counts = await runBusRounds({ rounds: 20, seed, say: () => undefined });
	process.stdout.write(`bus rounds, seed ${seed}: ${JSON.stringify(counts)}\n`);
	const repeat = `repeat with: npm run chaos -- bus --rounds 20 --seed ${seed}`;
	expect(counts, repeat).toMatchObject({ missing: 0, twice: 0, quarantined: 0, mirroredWrong: 0, mirroredMissing: 0, lanesOpen: 0 });
	expect(isCarried(counts), repeat).toBe(true);
});
