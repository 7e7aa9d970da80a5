// `npm run chaos -- --rounds N [--seed S] [--json]`: more rounds of the chaos tests, with their counts.
import { parseArgs } from "node:util";
import { bundle } from "../../build/bundle.mjs";
import { load } from "../../build/run-typescript.mjs";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "20" }, seed: { type: "string" }, json: { type: "boolean", default: false } } });
const rounds = Number(values.rounds);
const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
if (!Number.isInteger(rounds) || rounds < 1 || !Number.isInteger(seed)) {
	process.stderr.write("usage: npm run chaos -- --rounds N [--seed S] [--json]\n");
	process.exit(2);
}
await bundle();
const { isClean, runKillRounds } = await load("test/chaos/kill-rounds.ts");
const beganMs = performance.now();
const counts = await runKillRounds({ rounds, seed, say: (line) => process.stderr.write(`${line}\n`) });
const result = { schema: "orion.chaos/1", seed, tookMs: Math.round(performance.now() - beganMs), ok: isClean(counts), ...counts };
if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
else for (const [name, value] of Object.entries(result)) process.stdout.write(`${name.padEnd(20)}${value}\n`);
if (!result.ok) {
	process.stderr.write(`FAILED; repeat with: npm run chaos -- --rounds ${rounds} --seed ${seed}\n`);
	process.exit(1);
}
