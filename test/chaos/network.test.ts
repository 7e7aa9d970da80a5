// Shows that a node behind a network that cuts, delays, doubles and falls silent, which is killed and restored meanwhile, loses and doubles nothing; more with `npm run chaos`.
import { expect, test } from "vitest";
import { isAccountedFor, runNetworkRounds } from "./network-rounds.ts";

test("LOSS-40 LOSS-41 LOSS-42: every fault of the network and of the processes, and each number received or told as lost", async () => {
	const seed = Date.now() % 1_000_000;
	const counts = await runNetworkRounds({ rounds: 20, seed, say: () => undefined });
	process.stdout.write(`network rounds, seed ${seed}: ${JSON.stringify(counts)}\n`);
	const repeat = `repeat with: npm run chaos -- network --rounds 20 --seed ${seed}`;
	expect(counts, repeat).toMatchObject({ missing: 0, twice: 0, quarantined: 0, lanesOpen: 0 });
	expect(isAccountedFor(counts), repeat).toBe(true);
});
