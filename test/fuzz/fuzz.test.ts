// Shows that ten thousand hostile packets end nothing, forge nothing and cost an honest node nothing; more of them with `npm run fuzz`.
import { expect, test } from "vitest";
import { isUnharmed, runFuzz } from "./fuzz-rounds.ts";

test("HARM-16: a storm of hostile packets", async () => {
	const seed = Date.now() % 1_000_000;
	const counts = await runFuzz({ packets: 10_000, seed, say: () => undefined });
	process.stdout.write(`fuzz, seed ${seed}: ${JSON.stringify(counts)}\n`);
	const repeat = `repeat with: npm run fuzz -- --packets 10000 --seed ${seed}`;
	expect(counts, repeat).toMatchObject({ crashes: 0, honestMissing: 0, honestTwice: 0, honestDropped: 0, forged: 0 });
	expect(isUnharmed(counts), repeat).toBe(true);
});
