// `npm run mutants [-- --only ROOM|ID] [--trust-tests]`: plants each seeded defect in a copy of the tree and demands that the test named with it fails.
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { asked, refuse } from "../../build/command-line.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
// Two runs at a time do not meet, nor do the workers of one.
const copies = join(root, `.cache/mutants-${process.pid}`);
const LEFT_OUT = new Set(["node_modules", ".git", "dist", ".cache"]);
const TEST_WITHIN_MS = 120_000;
/** All named tests together, once. */
const ALL_WITHIN_MS = 1_200_000;

const HELP = `npm run mutants -- [--only ROOM|ID] [--trust-tests] [--json]

Plants each seeded defect in a copy of the tree; the test named with it has to fail. Exit 1 if one is not caught.
--trust-tests: the tests passed a moment ago and are not run without a defect first.

  npm run mutants
  npm run mutants -- --only bus
  npm run mutants -- --only log-no-dedup --trust-tests
`;
const { values } = asked(HELP, { only: { type: "string" }, json: { type: "boolean", default: false }, "trust-tests": { type: "boolean", default: false } });

const all = readdirSync(join(root, "test/mutants"))
	.filter((file) => file.endsWith(".json"))
	.sort()
	.flatMap((file) => JSON.parse(readFileSync(join(root, "test/mutants", file), "utf8")).map((mutant) => ({ room: file.slice(0, -".json".length), ...mutant })));
const chosen = all.filter(({ room, id }) => values.only === undefined || room === values.only || id === values.only);
if (chosen.length === 0) refuse(HELP, `no mutant is called ${values.only}; rooms: ${[...new Set(all.map(({ room }) => room))].join(", ")}`);

/** More at a time, and tests that wait for processes wait in vain. */
const WORKERS_MAX = 2;

const makeCopy = (copy) => {
	mkdirSync(copy, { recursive: true });
	for (const entry of readdirSync(root)) if (!LEFT_OUT.has(entry)) cpSync(join(root, entry), join(copy, entry), { recursive: true });
	symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
};

/** Status 0: the tests pass. */
const runTests = (copy, tests, withinMs = TEST_WITHIN_MS) =>
	new Promise((resolve) => {
		const child = spawn(join(root, "node_modules/.bin/vitest"), ["run", "--bail", "1", ...tests], {
			cwd: copy,
			timeout: withinMs,
			stdio: ["ignore", "pipe", "pipe"],
			// The same cases each time: a defect is caught always or never, not by luck.
			env: { ...process.env, NO_COLOR: "1", ORION_SEED: process.env.ORION_SEED ?? "20260501" },
		});
		let said = "";
		for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece) => (said = (said + piece).slice(-200_000)));
		child.once("close", (status) => resolve({ status: status ?? -1, said }));
	});

const plant = async (copy, { file, find, replace, test }) => {
	const path = join(copy, file);
	const text = readFileSync(path, "utf8");
	if (text.split(find).length !== 2) return { outcome: "not found once" };
	writeFileSync(
		path,
		text.replace(find, () => replace),
	);
	const { status, said } = await runTests(copy, [test]);
	writeFileSync(path, text);
	if (status === 0) return { outcome: "SURVIVED" };
	// A defect that does not even load, or that no compiler built, was caught by nobody's test.
	return /No test files found|Failed to resolve|Transform failed|TOOL_MISSING/.test(said) ? { outcome: "did not run", said } : { outcome: "caught" };
};

process.on("exit", () => rmSync(copies, { recursive: true, force: true }));
const workers = Array.from({ length: Math.min(WORKERS_MAX, availableParallelism(), chosen.length) }, (_, index) => join(copies, String(index)));
for (const copy of workers) makeCopy(copy);
const tests = [...new Set(chosen.map(({ test }) => test))];
if (values["trust-tests"]) process.stderr.write(`${chosen.length} mutants; the tests are taken to pass without any\n`);
else {
	process.stderr.write(`${chosen.length} mutants; first ${tests.length} test files without any ...\n`);
	const healthy = await runTests(workers[0], tests, ALL_WITHIN_MS);
	if (healthy.status !== 0) {
		process.stderr.write(`${healthy.said}\nthe tests fail without a mutant: nothing can be said about mutants\n`);
		process.exit(1);
	}
}
const results = [];
const waiting = [...chosen];
const work = async (copy) => {
	for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
		const beganMs = performance.now();
		const { outcome, said } = await plant(copy, mutant);
		const ms = Math.round(performance.now() - beganMs);
		results.push({ id: mutant.id, invariant: mutant.invariant, room: mutant.room, outcome, ms });
		process.stderr.write(`${outcome.padEnd(16)}${mutant.room.padEnd(12)}${mutant.invariant.padEnd(10)}${mutant.id} (${ms} ms)\n`);
		if (outcome === "did not run") process.stderr.write(`${said.slice(-2_000)}\n`);
	}
};
await Promise.all(workers.map(work));
const caught = results.filter(({ outcome }) => outcome === "caught").length;
const survivors = results.filter(({ outcome }) => outcome !== "caught").map(({ id, outcome }) => `${id} (${outcome})`);
if (survivors.length > 0) process.stderr.write(`not caught: ${survivors.join(", ")}\n`);
if (values.json) process.stdout.write(`${JSON.stringify({ schema: "orion.mutants/1", results })}\n`);
process.stdout.write(`${caught} caught, ${results.length - caught} survived\n`);
process.exit(caught === results.length ? 0 : 1);
