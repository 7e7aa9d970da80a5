// `npm run fuzz:chat -- --streams N [--from SEED] [--seed S]`: streams of updates to the chat, from seeds; says what they held and, at a failure, the command that repeats it.
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { asked, refuse } from "../../../build/command-line.mjs";
import { load } from "../../../build/run-typescript.mjs";

const PROCESSES_MAX = 4;
const text = (given) => ({ type: "string", ...(given === undefined ? {} : { default: given }) });
const HELP = `npm run fuzz:chat -- [--streams N] [--from SEED] [--seed S] [--failures N]

Streams of updates to the chat, from seeds: strangers, replays, forgeries, core killed at any call; at a failure the command that repeats it.

  npm run fuzz:chat -- --streams 10000
  npm run fuzz:chat -- --seed 42
`;
const { values } = asked(HELP, { streams: text("1000"), from: text("1"), seed: text(), failures: text("1"), part: { type: "boolean", default: false } });
const streams = values.seed === undefined ? Number(values.streams) : 1;
const firstSeed = Number(values.seed ?? values.from);
const failuresMax = Number(values.failures);
if (![streams, firstSeed, failuresMax].every((value) => Number.isSafeInteger(value) && value > 0))
	refuse(HELP, "--streams, --from, --seed and --failures are whole numbers above 0");

const runHere = async () => {
	const { runStreams } = await load("test/telegram/streams/stream-rounds.ts");
	const ran = await runStreams({ firstSeed, streams, failuresMax, say: (line) => process.stderr.write(`${line}\n`) });
	return { ...ran, counts: [...ran.counts], failures: ran.failures.map(({ seed, error }) => ({ seed, said: error.stack ?? error.message })) };
};

/** A part of the seeds in a process of its own. */
const runApart = (from, count) =>
	new Promise((resolve, reject) => {
		const args = [fileURLToPath(import.meta.url), "--part", "--from", String(from), "--streams", String(count), "--failures", String(failuresMax)];
		const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
		let said = "";
		child.stdout.on("data", (chunk) => {
			said += chunk;
		});
		child.on("error", reject);
		child.on("close", (code) => (code === 0 ? resolve(JSON.parse(said)) : reject(new Error(`the streams from ${from} on ended with code ${code}`))));
	});

const runAll = async () => {
	const parts = Math.min(PROCESSES_MAX, availableParallelism(), Math.ceil(streams / 100));
	if (parts < 2) return [await runHere()];
	const each = Math.ceil(streams / parts);
	return Promise.all(Array.from({ length: parts }, (_, part) => runApart(firstSeed + part * each, Math.min(each, streams - part * each))));
};

if (values.part) {
	process.stdout.write(JSON.stringify(await runHere()));
	process.exit(0);
}
const beganMs = performance.now();
const parts = await runAll();
const took = ((performance.now() - beganMs) / 1_000).toFixed(1);
const counts = new Map();
for (const [kind, count] of parts.flatMap((part) => part.counts)) counts.set(kind, (counts.get(kind) ?? 0) + count);
const ran = parts.reduce((sum, part) => sum + part.streams, 0);
const failures = parts.flatMap((part) => part.failures);
for (const [kind, count] of [...counts].sort()) process.stdout.write(`${String(count).padStart(9)}  ${kind}\n`);
const { tooRare } = await load("test/telegram/streams/stream-kinds.ts");
// A floor only for runs that are long enough to reach it.
const rare = failures.length > 0 || ran < 200 ? [] : tooRare(counts, ran);
process.stdout.write(`${ran} streams, ${failures.length} failed, ${took} s\n`);
for (const { seed, said } of failures) process.stdout.write(`FAILED ${said}\n  npm run fuzz:chat -- --seed ${seed}\n`);
if (rare.length > 0) process.stdout.write(`hardly reached any more: ${rare.join(", ")}\n`);
process.exit(failures.length > 0 || rare.length > 0 ? 1 : 0);
