// Shows five nodes that are cut off again and again, wholly or one way only, over a network that is late, doubles, reorders and repeats; more with `npm run chaos`.
import { expect, test } from "vitest";
import { isReconciled, runPartitionRounds } from "./partition-rounds.ts";

test("HARM-104 HARM-105 LOSS-53: as many reconciliations as partitions, nothing old obeyed, no use too many, nothing lost", { timeout: 600_000 }, async () => {
	const seed = Date.now() % 1_000_000;
	const counts = await runPartitionRounds({ rounds: 20, seed, say: () => undefined });
	process.stdout.write(`partition rounds, seed ${seed}: ${JSON.stringify(counts)}\n`);
	const repeat = `repeat with: npm run chaos -- partition --rounds 20 --seed ${seed}`;
	expect(counts, repeat).toMatchObject({ reconciled: 20, reconciledTwice: 0, actedTooOften: 0, staleExecutions: 0, endsLost: 0, quarantined: 0, lanesOpen: 0 });
	expect(isReconciled(counts), repeat).toBe(true);
});
