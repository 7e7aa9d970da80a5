// Runs the built output once on whatever Node runs this: starts a mesh on free ports, asks it how it is, raises an alert, stops it.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const orion = fileURLToPath(new URL("../bin/orion.mjs", import.meta.url));
const data = mkdtempSync(join(tmpdir(), "orion-smoke-"));
const run = (...args) =>
	new Promise((resolve) => {
		const child = spawn(process.execPath, [orion, ...args, "--data", data], { stdio: ["ignore", "pipe", "inherit"] });
		let out = "";
		child.stdout.on("data", (chunk) => {
			out += chunk;
		});
		child.on("close", (code) => resolve({ code, out }));
	});

const mesh = spawn(process.execPath, [orion, "up", "--json", "--mqtt-port", "0", "--http-port", "0", "--data", data], { stdio: ["ignore", "pipe", "inherit"] });
const ended = new Promise((resolve) => mesh.on("close", resolve));
const guard = setTimeout(() => mesh.kill("SIGKILL"), 60_000);
let failed = 0;
for await (const line of createInterface({ input: mesh.stdout })) {
	if (!line.includes('"event":"ready"')) continue;
	const steps = [
		["status", "--json"],
		["alert", "smoke", "built output", "--severity", "warning"],
		["incidents", "--json"],
		["replay", "--json"],
	];
	for (const args of steps) {
		const { code, out } = await run(...args);
		process.stdout.write(`  orion ${args[0]}: exit ${code}\n`);
		if (code !== 0 || (args[0] === "incidents" && !out.includes("smoke"))) failed += 1;
	}
	mesh.kill("SIGINT");
	break;
}
const code = await ended;
clearTimeout(guard);
rmSync(data, { recursive: true, force: true });
if (code !== 0 || failed > 0) {
	process.stderr.write(`smoke FAILED: orion up ended with ${code}, ${failed} commands failed\n`);
	process.exit(1);
}
