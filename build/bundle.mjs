// Connects the sources to dist/: the command line and core keep their packages outside, the agent is one file for a fast, small start.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { bundlePage } from "./page.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const ROOMS = ["contracts", "log", "core", "broker", "edge", "firmware-bridge", "agents"];

/** Newest change of any source, milliseconds since 1970: what bin/orion.mjs compares with dist/BUILT. */
const newestSource = (folder) => {
	let newest = 0;
	for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
		const path = join(folder, entry.name);
		newest = Math.max(newest, entry.isDirectory() ? newestSource(path) : statSync(join(root, path)).mtimeMs);
	}
	return newest;
};

/** Of the clone that it is built in; a copy without its history has none. */
const commit = () => {
	try {
		return execFileSync("git", ["rev-parse", "--short=12", "HEAD"], { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
	} catch {
		return "unknown";
	}
};

export const bundle = async () => {
	const common = {
		define: { ORION_COMMIT: JSON.stringify(commit()) },
		absWorkingDir: root,
		bundle: true,
		format: "esm",
		platform: "node",
		target: "node20",
		legalComments: "none",
		logLevel: "warning",
		sourcemap: true,
	};
	rmSync(join(root, "dist"), { recursive: true, force: true });
	mkdirSync(join(root, "dist"), { recursive: true });
	await build({ ...common, entryPoints: { orion: "agents/cli/main.ts" }, outdir: "dist", splitting: true, packages: "external" });
	await build({
		...common,
		entryPoints: { agent: "agents/roles/agent-main.ts", actuator: "agents/roles/actuator-main.ts", board: "agents/roles/board-main.ts" },
		outdir: "dist",
		// Loaded only where something hangs on a serial port: one brings compiled code, two are installed by who has such a thing.
		external: ["serialport", "firmata-io", "johnny-five"],
		minifySyntax: true,
		// Packages inside the bundle still call require() for Node's own modules.
		banner: { js: "import { createRequire as orionCreateRequire } from 'node:module'; const require = orionCreateRequire(import.meta.url);" },
	});
	const page = await bundlePage();
	mkdirSync(join(root, "dist/page"));
	for (const [part, text] of [
		["index.html", page.html],
		["page.css", page.css],
		["page.js", page.script],
	])
		writeFileSync(join(root, "dist/page", part), text);
	writeFileSync(join(root, "dist/BUILT"), `${Math.max(...ROOMS.map(newestSource))}\n`);
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const began = performance.now();
	await bundle();
	process.stderr.write(`built dist/ in ${Math.round(performance.now() - began)} ms\n`);
}
