// `npm run mutants [-- --only ROOM|ID]`: plants each seeded defect in a copy of the tree and demands that the test named with it fails.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));
// Two runs at a time do not meet.
const copy = join(root, `.cache/mutants-${process.pid}`);
const LEFT_OUT = new Set(["node_modules", ".git", "dist", ".cache"]);
const TEST_WITHIN_MS = 120_000;
/** All named tests together, once. */
const ALL_WITHIN_MS = 1_200_000;

const { values } = parseArgs({ options: { only: { type: "string" }, json: { type: "boolean", default: false } } });

const all = readdirSync(join(root, "test/mutants"))
	.filter((file) => file.endsWith(".json"))
	.sort()
	.flatMap((file) => JSON.parse(readFileSync(join(root, "test/mutants", file), "utf8")).map((mutant) => ({ room: file.slice(0, -".json".length), ...mutant })));
const chosen = all.filter(({ room, id }) => values.only === undefined || room === values.only || id === values.only);
if (chosen.length === 0) {
	process.stderr.write(`no mutant is called ${values.only}; rooms: ${[...new Set(all.map(({ room }) => room))].join(", ")}\n`);
	process.exit(2);
}

const makeCopy = () => {
	mkdirSync(copy, { recursive: true });
	for (const entry of readdirSync(root)) if (!LEFT_OUT.has(entry)) cpSync(join(root, entry), join(copy, entry), { recursive: true });
	symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
};

/** 0: the tests pass. */
const runTests = (tests, withinMs = TEST_WITHIN_MS) => {
	const { status, stdout, stderr } = spawnSync(join(root, "node_modules/.bin/vitest"), ["run", "--bail", "1", ...tests], {
		cwd: copy,
		timeout: withinMs,
		encoding: "utf8",
		// The same cases each time: a defect is caught always or never, not by luck.
		env: { ...process.env, NO_COLOR: "1", ORION_SEED: process.env.ORION_SEED ?? "20260501" },
	});
	return { status: status ?? -1, said: `${stdout}\n${stderr}` };
};

const plant = ({ file, find, replace, test }) => {
	const path = join(copy, file);
	const text = readFileSync(path, "utf8");
	if (text.split(find).length !== 2) return { outcome: "not found once" };
	writeFileSync(
		path,
		text.replace(find, () => replace),
	);
	const { status, said } = runTests([test]);
	writeFileSync(path, text);
	if (status === 0) return { outcome: "SURVIVED" };
	// A defect that does not even load was caught by nobody's test.
	return /No test files found|Failed to resolve|Transform failed/.test(said) ? { outcome: "did not run", said } : { outcome: "caught" };
};

process.on("exit", () => rmSync(copy, { recursive: true, force: true }));
makeCopy();
const tests = [...new Set(chosen.map(({ test }) => test))];
process.stderr.write(`${chosen.length} mutants; first ${tests.length} test files without any ...\n`);
const healthy = runTests(tests, ALL_WITHIN_MS);
if (healthy.status !== 0) {
	process.stderr.write(`${healthy.said}\nthe tests fail without a mutant: nothing can be said about mutants\n`);
	process.exit(1);
}
const results = [];
for (const mutant of chosen) {
	const beganMs = performance.now();
	const { outcome, said } = plant(mutant);
	results.push({ id: mutant.id, invariant: mutant.invariant, room: mutant.room, outcome, ms: Math.round(performance.now() - beganMs) });
	process.stderr.write(
		`${outcome.padEnd(16)}${mutant.room.padEnd(12)}${mutant.invariant.padEnd(10)}${mutant.id} (${Math.round(performance.now() - beganMs)} ms)\n`,
	);
	if (outcome === "did not run") process.stderr.write(`${said.slice(-2_000)}\n`);
}
const caught = results.filter(({ outcome }) => outcome === "caught").length;
if (values.json) process.stdout.write(`${JSON.stringify({ schema: "orion.mutants/1", results })}\n`);
process.stdout.write(`${caught} caught, ${results.length - caught} survived\n`);
process.exit(caught === results.length ? 0 : 1);
