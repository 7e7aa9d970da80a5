// `npm run sim -- --seeds N [--seed S]`: worlds from seeds, with faults; says what was reached and, at a failure, the command that repeats it.
import { asked, refuse } from "../../build/command-line.mjs";
import { load } from "../../build/run-typescript.mjs";

const HELP = `npm run sim -- [--seeds N] [--seed S]

Whole worlds from seeds, with faults, in virtual time; says what was reached, and at a failure the command that repeats it.

  npm run sim -- --seeds 1000
  npm run sim -- --seed 42
`;
const { values } = asked(HELP, { seeds: { type: "string", default: "200" }, seed: { type: "string" } });
const seeds = values.seed === undefined ? Number(values.seeds) : 1;
const firstSeed = Number(values.seed ?? "1");
if (![seeds, firstSeed].every((value) => Number.isSafeInteger(value) && value > 0)) refuse(HELP, "--seeds and --seed are whole numbers above 0");
const { runSeeds } = await load("test/simulation/main.ts");
const beganMs = performance.now();
const ran = await runSeeds({ firstSeed, seeds, say: (line) => process.stderr.write(`${line}\n`) });
const took = ((performance.now() - beganMs) / 1_000).toFixed(1);
const { coverage, failures, records, starts, executions, repaired, approved } = ran;
if (values.seed === undefined) for (const [pair, count] of [...coverage.counts].sort()) process.stdout.write(`${String(count).padStart(9)}  ${pair}\n`);
process.stdout.write(
	`${ran.seeds} seeds, ${records} records, ${starts} starts of core, ${executions} effects, ${repaired} repairs, ${approved} approved, ${took} s\n`,
);
for (const { seed, error } of failures) process.stdout.write(`FAILED ${error.stack}\n  npm run sim -- --seed ${seed}\n`);
// A floor only for runs that are long enough to reach it.
const missing = seeds >= 200 ? coverage.missing() : [];
if (missing.length > 0) process.stdout.write(`not reached any more: ${missing.join(", ")}\n`);
process.exit(failures.length > 0 || missing.length > 0 ? 1 : 0);
