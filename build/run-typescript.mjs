// Runs a TypeScript program of test/ or build/: bundled into .cache/, packages left outside, then imported.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The exports of the program at `entry` (from the project's root). */
export const load = async (entry) => {
	process.env.ORION_ROOT = root;
	mkdirSync(join(root, ".cache/run"), { recursive: true });
	const outfile = join(root, ".cache/run", `${entry.replaceAll("/", "-").replace(/\.ts$/, "")}-${process.pid}.mjs`);
	await build({
		absWorkingDir: root,
		entryPoints: [entry],
		outfile,
		bundle: true,
		platform: "node",
		format: "esm",
		target: "node20",
		packages: "external",
		sourcemap: "inline",
		logLevel: "warning",
	});
	return import(pathToFileURL(outfile).href);
};
