// Shows what a broker keeps of what core has: a day of it, the newest where it is much (LOSS-47).
import { mkdtempSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { forgetOldDays } from "../../agents/roles/spool-days.ts";
import { removeFolder } from "../support/remove-folder.ts";

const HOUR_MS = 3_600_000;
const NOW_MS = Date.UTC(2026, 5, 1);
let folder: string;

beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "orion-spool-"));
	for (const hours of [1, 10, 20, 23, 25, 50]) {
		const file = join(folder, `${hours}`);
		writeFileSync(file, Buffer.alloc(100));
		const at = new Date(NOW_MS - hours * HOUR_MS);
		utimesSync(file, at, at);
	}
});
afterEach(() => removeFolder(folder));

const kept = (): readonly number[] =>
	readdirSync(folder)
		.map(Number)
		.sort((left, right) => left - right);

it("LOSS-47 keeps what core has for a day", async () => {
	await forgetOldDays(folder, NOW_MS);
	expect(kept()).toEqual([1, 10, 20, 23]);
});

it("LOSS-47 keeps the newest where it is more than there is room for", async () => {
	await forgetOldDays(folder, NOW_MS, undefined, 250);
	expect(kept()).toEqual([1, 10]);
});
