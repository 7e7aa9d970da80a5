// Shows on this disk, with a real process that is killed at random moments: nothing acknowledged is missing, nothing is there twice. LOSS-1, LOSS-2, LOSS-4.
import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { nodeFiles } from "../../log/node-files.ts";
import { openSegments } from "../../log/segments.ts";
import { keyOf, type numbered, readAll, text } from "../support/log.ts";
import { seeded } from "../support/random.ts";
import { removeFolder } from "../support/remove-folder.ts";

const SEED = 20_260_101;
const ROUNDS = 8;

let folder = "";
beforeAll(async () => {
	folder = mkdtempSync(join(tmpdir(), "orion-kill-"));
	await build({
		entryPoints: [fileURLToPath(new URL("append-child.ts", import.meta.url))],
		outfile: join(folder, "append-child.mjs"),
		bundle: true,
		platform: "node",
		format: "esm",
		target: "node20",
	});
});
afterAll(() => removeFolder(folder));

/** Lets it append until it has said so many bytes, and kills it; resolves with what it said. */
const killAfter = (round: number, bytes: number): Promise<string> =>
	new Promise((resolve, reject) => {
		const child = spawn(process.execPath, [join(folder, "append-child.mjs"), join(folder, "log"), String(round)], { stdio: ["ignore", "pipe", "pipe"] });
		let out = "";
		let err = "";
		child.stderr.on("data", (chunk: Buffer) => {
			err += chunk.toString();
		});
		child.stdout.on("data", (chunk: Buffer) => {
			out += chunk.toString();
			if (out.length >= bytes) child.kill("SIGKILL");
		});
		child.once("close", (_, signal) => (signal === "SIGKILL" ? resolve(out) : reject(new Error(err))));
	});

test(`LOSS-1 LOSS-2 LOSS-4 kill -9 at ${ROUNDS} random moments, seed ${SEED}`, async () => {
	const random = seeded(SEED);
	const told: string[] = [];
	for (let round = 1; round <= ROUNDS; round += 1) {
		// The first ones die while they open, or right after.
		const out = await killAfter(round, round <= 2 ? 1 : Math.floor(random() * 40_000));
		told.push(...out.split("\n").slice(0, -1));
	}
	const log = await openSegments({
		files: nodeFiles(),
		folder: join(folder, "log"),
		mesh: "mesh-1",
		keyOf,
		onFatal: (error) => {
			throw error;
		},
	});
	expect(log.losses).toEqual([]);
	const records = await readAll(log, 1_000);
	const stored = records.map(({ position, bytes }) => `${position} ${text(bytes).split(" ").slice(2, 5).join(" ")}`);
	const missing = new Set(told);
	for (const line of stored) missing.delete(line);
	expect([...missing]).toEqual([]);
	expect(told.length).toBeGreaterThan(1_000);
	// None twice, no holes in the positions, no half batches.
	expect(new Set(stored.map((line) => line.slice(line.indexOf(" ")))).size).toBe(stored.length);
	expect(records.every(({ position }, index) => position === index + 1)).toBe(true);
	expect(log.gaps()).toEqual([]);
	for (const { contiguous, highest } of log.lanes()) {
		expect(contiguous).toBe(highest);
		let whole = 0;
		while (whole < highest) whole += 1 + ((whole + 1) % 3);
		expect(whole).toBe(highest);
	}
	// All of it is known again.
	const outcomes = await log.append(records.map(({ bytes }) => ({ bytes, ...keyed(bytes) })));
	expect(outcomes.filter(({ kind }) => kind !== "duplicate")).toEqual([]);
	await log.close();
}, 60_000);

const keyed = (bytes: Uint8Array): Pick<ReturnType<typeof numbered>, "key"> => {
	const key = keyOf(bytes);
	return key === undefined ? {} : { key };
};
