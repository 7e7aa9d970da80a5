// `npm run fuzz -- --packets N [--seed S] [--json]`: hostile packets against a real mesh, with an honest node beside them.
import { bundle } from "../../build/bundle.mjs";
import { asked, refuse } from "../../build/command-line.mjs";
import { load } from "../../build/run-typescript.mjs";

const HELP = `npm run fuzz -- [--packets N] [--seed S] [--json]

Hostile packets against a real mesh, with an honest node beside them; exit 1 if it crashes, believes a forgery or lets the honest node down.

  npm run fuzz -- --packets 1000000
  npm run fuzz -- --packets 100000 --seed 75621
`;
const { values } = asked(HELP, { packets: { type: "string", default: "100000" }, seed: { type: "string" }, json: { type: "boolean", default: false } });
const packets = Number(values.packets);
const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
if (!Number.isInteger(packets) || packets < 1 || !Number.isInteger(seed)) refuse(HELP, "--packets and --seed are whole numbers, packets at least 1");
await bundle();
const { isUnharmed, runFuzz } = await load("test/fuzz/fuzz-rounds.ts");
const beganMs = performance.now();
const counts = await runFuzz({ packets, seed, say: (line) => process.stderr.write(`${line}\n`) });
const result = { schema: "orion.fuzz/1", seed, tookMs: Math.round(performance.now() - beganMs), ok: isUnharmed(counts), ...counts };
if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
else for (const [name, value] of Object.entries(result)) process.stdout.write(`${name.padEnd(20)}${value}\n`);
if (!result.ok) {
	process.stderr.write(`FAILED; repeat with: npm run fuzz -- --packets ${packets} --seed ${seed}\n`);
	process.exit(1);
}
