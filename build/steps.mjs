// Runs named commands one after the other, shows how long each took, and stops at the first that fails.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** steps: [name, command, ...arguments][]. Exits with the code of the first one that fails. */
export const runSteps = (title, steps) => {
	const took = [];
	for (const [name, command, ...args] of steps) {
		process.stdout.write(`\n=== ${title}: ${name}\n`);
		const beganMs = performance.now();
		const { status, error } = spawnSync(command, args, {
			cwd: root,
			stdio: "inherit",
			env: { ...process.env, NODE_OPTIONS: "", npm_config_loglevel: "error" },
		});
		took.push(`${name} ${((performance.now() - beganMs) / 1_000).toFixed(1)} s`);
		if (status === 0) continue;
		process.stderr.write(`\n${title} FAILED at: ${name}${error === undefined ? "" : ` (${error.message})`}\n`);
		process.exit(status ?? 1);
	}
	process.stdout.write(`\n${title} passed: ${took.join(", ")}\n`);
};

const bin = (name) => `${root}node_modules/.bin/${name}`;

export const CHECKS = [
	["types", bin("tsc"), "-b"],
	["lint, format and arrows", bin("biome"), "check", "--error-on-warnings", "."],
	["dead code", bin("knip")],
	["unit", bin("vitest"), "run", "--project", "unit"],
];
