// Shows that `orion demo` runs whole on a bare machine: every step true, every figure measured, nothing left behind.
import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { expectGolden, shapeOf } from "../cli/shape.ts";
import { runOrion } from "../support/mesh.ts";
import { removeFolder } from "../support/remove-folder.ts";

let temp: string;
beforeEach(() => {
	temp = mkdtempSync(join(tmpdir(), "orion-test-"));
});
afterEach(() => removeFolder(temp));

/** Processes whose command names a folder. */
const processesIn = (folder: string): readonly string[] =>
	readdirSync("/proc").flatMap((pid) => {
		try {
			const command = /^\d+$/.test(pid) ? readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ") : "";
			return command.includes(folder) ? [command] : [];
		} catch {
			return [];
		}
	});

test("told whole: observed, repaired, given up, quarantined, survived, explained; and nothing is left (HARM-2 HARM-3 HARM-6 LOSS-9 TELL-1)", async () => {
	const { code, out, err } = await runOrion(["demo", "--telegram", "--json"], { TMPDIR: temp });
	expectGolden("demo.shape.txt", shapeOf(JSON.parse(out)));
	const told = JSON.parse(out) as {
		schema: string;
		ok: boolean;
		steps: { id: string; ok: boolean; ms: number; failed?: string; figures: Record<string, number> }[];
	};
	expect(
		told.steps.filter(({ ok }) => !ok).map(({ id, failed }) => `${id}: ${failed}`),
		err,
	).toEqual([]);
	expect(told).toMatchObject({ schema: "orion.demo/1", ok: true });
	expect(told.steps.map(({ id }) => id)).toEqual([
		"observe",
		"repair",
		"repair-again",
		"give-up",
		"ask",
		"telegram",
		"quarantine",
		"alone",
		"survive",
		"explain",
	]);
	expect(told.steps.find(({ id }) => id === "survive")?.figures["executions"]).toBe(1);
	expect(code).toBe(0);
	expect(readdirSync(temp)).toEqual([]);
	expect(processesIn(temp)).toEqual([]);
});

test("a mesh that cannot start is said, with exit 1, and nothing is left", async () => {
	const gone = join(temp, "gone");
	const { code, out, err } = await runOrion(["demo"], { TMPDIR: gone });
	expect(code).toBe(1);
	expect(out).toBe("");
	expect(err).toContain("gone");
	expect(existsSync(gone)).toBe(false);
});
