// Connects the built output to one tarball, for machines that run the mesh and do not make it: no sources, no tools of its makers.
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "./bundle.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Makes the tarball in `folder`, from what dist/ holds. Returns its path, and its files with their sizes in bytes. */
export const packInto = (folder) => {
	rmSync(folder, { recursive: true, force: true });
	mkdirSync(folder, { recursive: true });
	const said = execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], {
		cwd: root,
		encoding: "utf8",
		stdio: ["ignore", "pipe", "pipe"],
		maxBuffer: 1 << 24,
		env: { ...process.env, NODE_OPTIONS: "", npm_config_loglevel: "error" },
	});
	const [{ filename, files, size }] = JSON.parse(said);
	return { path: join(folder, filename), files, bytes: size };
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	await bundle();
	const { path, files, bytes } = packInto(join(root, ".cache/pack"));
	process.stdout.write(`${path}: ${files.length} files, ${(bytes / 1_048_576).toFixed(1)} MB\n`);
}
