// Shows that power cuts of a broker elsewhere, of core and of the Redis between them lose and double nothing that the broker thanked for.
import { expect, test } from "vitest";
import { isDelivered, runSpoolRounds } from "./spool-rounds.ts";

test("LOSS-62: 20 power cuts of spool, core and Redis, alone and together", async () => {
	const seed = Date.now() % 1_000_000;
	const counts = await runSpoolRounds({ rounds: 20, seed, say: () => undefined });
	process.stdout.write(`spool rounds, seed ${seed}: ${JSON.stringify(counts)}\n`);
	const repeat = `repeat with: npm run chaos -- spool --rounds 20 --seed ${seed}`;
	expect(counts, repeat).toMatchObject({ missing: 0, twice: 0, outOfOrder: 0, untrue: 0, epochs: 1, lanesOpen: 0 });
	expect(isDelivered(counts), repeat).toBe(true);
});
