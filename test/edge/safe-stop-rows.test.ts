// Shows that the agents' table and the page of the safe-stop say what the policy file says, and that a file that means something else is refused.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { MOVER_RULES, STILL_RULES } from "../../edge/machines/safe-stop-rows.ts";
import { ROOT } from "../support/mesh.ts";

const { readRows, safeStopFiles } = (await import(join(ROOT, "build/safe-stop.mjs"))) as {
	readRows: (text: string) => unknown;
	safeStopFiles: () => Readonly<Record<string, string>>;
};
const SOURCE = readFileSync(join(ROOT, "policies/safe-stop.yaml"), "utf8");

test.each(Object.keys(safeStopFiles()))("HARM-54 %s is up to date", (file) => {
	expect(readFileSync(join(ROOT, file), "utf8")).toBe(safeStopFiles()[file]);
});

test("HARM-54 what a person relies on stands in the rows: cut and stop at once, and no row without an end", () => {
	const row = (cause: string) => MOVER_RULES.rules.find((rule) => rule.cause === cause);
	expect(row("cut")).toMatchObject({ in: "any", graceMs: 0, action: "cut", clears: "presence" });
	expect(row("stop")).toMatchObject({ in: "any", graceMs: 0, action: "settle", clears: "release" });
	expect(row("lease-over")).toMatchObject({ graceMs: 0, action: "hold" });
	expect(MOVER_RULES.timing.leaseMaxMs).toBeLessThanOrEqual(1_000);
	for (const cause of ["driver-error", "board-reset", "tilt", "battery-empty", "found-armed"])
		expect(row(cause)).toMatchObject({ action: "fault", clears: "presence" });
	for (const value of Object.values(MOVER_RULES.timing)) expect(value).toBeGreaterThan(0);
	expect([STILL_RULES.stop.becomes, STILL_RULES.cut.becomes, STILL_RULES["link-silent"].becomes]).toEqual(["stopped", "stopped", "alone"]);
});

test.each([
	["a time of zero, which others read as never", "holdFor: 5s", "holdFor: 0s", "/mover/timing/holdFor"],
	["a row twice", "id: obstacle,", "id: loop-late,", "loop-late twice"],
	["a cause that nobody sees", "cause: tilt", "cause: mood", "/mover/rules/5/cause"],
	["no row for a cut of what stands still", "cause: cut, grace: 0ms, becomes", "cause: stop, grace: 0ms, becomes", "exactly one row for cut, stop"],
	["a key twice", "version: 1", "version: 1\nversion: 1", "unique"],
])("HARM-54 %s is refused", (_, find, replace, says) => {
	expect(() => readRows(SOURCE.replace(find, replace))).toThrow(says);
});
