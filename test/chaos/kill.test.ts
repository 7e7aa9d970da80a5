// Shows that SIGKILL of agent and mesh at random moments, under load and during repairs, loses, doubles and repeats nothing.
import { expect, test } from "vitest";
import { isClean, runKillRounds } from "./kill-rounds.ts";

test("LOSS-1 HARM-3 RUN-2: killed at random moments, nothing acknowledged is missing or twice, and each death is repaired once", async () => {
	const seed = Date.now() % 1_000_000;
	const lines: string[] = [];
	const counts = await runKillRounds({ rounds: 20, seed, say: (line) => lines.push(line) });
	process.stdout.write(`kill rounds, seed ${seed}: ${JSON.stringify(counts)}\n`);
	expect(counts, `repeat with: npm run chaos -- kill --rounds 20 --seed ${seed}`).toMatchObject({
		missing: 0,
		twice: 0,
		actionsDoneTwice: 0,
		replayExit: 0,
		serviceStarts: counts.serviceKills + 1,
	});
	expect(isClean(counts)).toBe(true);
});
