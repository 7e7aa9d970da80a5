#!/usr/bin/env -S node --max-semi-space-size=48
// A larger space for what is short-lived: without it the broker spends a third of its time clearing up.
// Connects the command `orion` to its built code, and builds that first where it is missing or older than the sources beside it.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
	process.stderr.write(`orion needs Node 20.19 or newer; this is ${process.versions.node}.\n`);
	process.exit(1);
}

const changedSince = (folder, since) =>
	readdirSync(folder, { withFileTypes: true }).some((entry) => {
		const path = join(folder, entry.name);
		return entry.isDirectory() ? changedSince(path, since) : statSync(path).mtimeMs > since;
	});

const isStale = () => {
	const stamp = join(root, "dist/BUILT");
	if (!existsSync(stamp)) return true;
	// An installed package has no sources beside it.
	if (!existsSync(join(root, "build/bundle.mjs"))) return false;
	const built = Number(readFileSync(stamp, "utf8"));
	return ["contracts", "log", "core", "broker", "edge", "firmware-bridge", "agents"].some((room) => changedSince(join(root, room), built));
};

if (isStale()) {
	process.stderr.write("orion: building (about a second, once per change) ...\n");
	const { bundle } = await import("../build/bundle.mjs");
	await bundle();
}
await import("../dist/orion.js");
