// Connects the linux-guard's sources to a program: built by the machine's own C compiler, where it will run. Words after the file are flags for it.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const FIRMWARE = join(root, "firmware-bridge/firmware");
const FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-D_FORTIFY_SOURCE=2", "-fstack-protector-strong"];

export const guardSources = () =>
	["linux-guard", "shared"].flatMap((folder) =>
		readdirSync(join(FIRMWARE, folder))
			.filter((file) => /\.[ch]$/.test(file))
			.sort()
			.map((file) => `${folder}/${file}`),
	);

/** Builds the guard into `file`; returns the hash of its sources, of which its hello tells the first eight bytes. */
export const buildGuard = (file, extraFlags = []) => {
	const sources = guardSources();
	const hash = createHash("sha256");
	for (const source of sources)
		hash
			.update(`${source}\0`)
			.update(readFileSync(join(FIRMWARE, source)))
			.update("\0");
	const sourceSha256 = hash.digest("hex");
	const bytes = sourceSha256
		.slice(0, 16)
		.match(/../g)
		.map((byte) => `0x${byte}`)
		.join();
	mkdirSync(dirname(file), { recursive: true });
	try {
		execFileSync("cc", [...FLAGS, ...extraFlags, `-DFIRMWARE_HASH=${bytes}`, ...sources.filter((source) => source.endsWith(".c")), "-o", resolve(file)], {
			cwd: FIRMWARE,
			encoding: "utf8",
			stdio: ["ignore", "pipe", "pipe"],
		});
	} catch (error) {
		throw new Error(error.code === "ENOENT" ? "TOOL_MISSING: cc is not on this machine (apt-get install gcc libc6-dev)" : `cc: ${error.stderr}`);
	}
	return sourceSha256;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const file = process.argv[2] ?? join(root, ".cache/linux-guard/linux-guard");
	process.stdout.write(`${file}: sources ${buildGuard(file, process.argv.slice(3)).slice(0, 16)}\n`);
}
