// Shows that the committed firmware is what its sources build, byte for byte, with the compiler that is here or fetched (HARM-25).
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

test("build/avr.mjs --check", () => {
	const said = execFileSync(process.execPath, [fileURLToPath(new URL("../../build/avr.mjs", import.meta.url)), "--check"], { encoding: "utf8" });
	expect(said).toContain("is what its sources build");
});
