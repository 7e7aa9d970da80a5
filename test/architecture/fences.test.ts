// Shows that each fence between rooms (scanner, lint, compiler) stops what is planted against it, and lets through what the plan allows (RUN-4).
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { removeFolder } from "../support/remove-folder.ts";
import { ALLOWED, type Fence, type Planted, VIOLATIONS } from "./planted.ts";
import { faultsOf } from "./rooms.ts";
import { importsOf, ROOT } from "./sources.ts";

const TYPED_ROOMS = [
	"contracts",
	"log",
	"core",
	"core/service",
	"broker",
	"edge/machines",
	"edge",
	"firmware-bridge",
	"firmware-bridge/drivers",
	"firmware-bridge/virtual-board",
	"agents",
	"test",
];

describe("the scanner", () => {
	test.each(VIOLATIONS)("stops: $what", ({ path, code }) => {
		expect(faultsOf({ path, text: `// Planted.\n${code}\n` })).not.toEqual([]);
	});
	test.each(ALLOWED)("lets through: $what", ({ path, code }) => {
		expect(faultsOf({ path, text: `// Allowed.\n${code}\n` })).toEqual([]);
	});
	test("sees every form of import, and nothing in comments and texts", () => {
		const text = [
			'import a from "./a.ts";',
			'import { b,\n\tc } from "./b.ts";',
			'import type { d } from "./d.ts";',
			'import * as e from "./e.ts";',
			'import "./f.ts";',
			'export { g } from "./g.ts";',
			'export * from "./h.ts";',
			'export type { i } from "./i.ts";',
			'const j = await import("./j.ts");',
			"const k = import(`./k.ts`);",
			'type L = import("./l.ts").L;',
			'const m = require("./m.cjs");',
			"const n = import(where);",
			'// import o from "./o.ts";',
			' * import p from "./p.ts";',
			'const q = 1; // import("./q.ts")',
			"export const r = 1;",
		].join("\n");
		const found = importsOf(text).map((specifier) => specifier ?? "?");
		expect(found.sort()).toEqual([
			"./a.ts",
			"./b.ts",
			"./d.ts",
			"./e.ts",
			"./f.ts",
			"./g.ts",
			"./h.ts",
			"./i.ts",
			"./j.ts",
			"./k.ts",
			"./l.ts",
			"./m.cjs",
			"?",
		]);
	});
});

describe("lint and compiler", () => {
	const folder = mkdtempSync(join(tmpdir(), "orion-arrows-"));
	afterAll(() => removeFolder(folder));

	const write = (path: string, code: string): void => {
		mkdirSync(join(folder, dirname(path)), { recursive: true });
		writeFileSync(join(folder, path), `// Planted.\n${code}\n`);
	};
	const run = (tool: "biome" | "tsc", ...args: readonly string[]): { readonly output: string; readonly status: number | null } => {
		const { stdout, stderr, status } = spawnSync(join(ROOT, "node_modules/.bin", tool), args, { cwd: folder, encoding: "utf8", maxBuffer: 2 ** 26 });
		return { output: stdout + stderr, status };
	};
	const plant = (cases: readonly Planted[]): void => {
		for (const { path, code } of cases) write(path, code);
	};
	const remove = (cases: readonly Planted[]): void => {
		for (const { path } of cases) rmSync(join(folder, path), { force: true });
	};
	const stoppedBy = (fence: Fence): readonly Planted[] => VIOLATIONS.filter(({ fences }) => fences.includes(fence));
	/** Paths that a tool named in its output. */
	const named = (output: string, cases: readonly Planted[]): readonly string[] =>
		cases.map(({ path }) => path).filter((path) => new RegExp(`(^|[^\\w/-])${path.replaceAll(".", "\\.")}[:(]\\d`, "m").test(output));

	beforeAll(() => {
		for (const file of ["biome.json", "tsconfig.base.json", "tsconfig.json", "package.json"]) cpSync(join(ROOT, file), join(folder, file));
		for (const room of TYPED_ROOMS) {
			write(`${room}/here.ts`, "export const here = 1;");
			cpSync(join(ROOT, room, "tsconfig.json"), join(folder, room, "tsconfig.json"));
		}
		write("agents/roles/here.ts", "export const here = 1;");
		write("log/port.ts", "export const here = 1;");
		write("log/segments.ts", "export const here = 1;");
		write("build/here.mjs", "export const here = 1;");
		symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
	});

	const lint = () => run("biome", "lint", "--max-diagnostics=none", "--colors=off", ".");

	test("both let through what is allowed", () => {
		plant(ALLOWED);
		const linted = lint();
		const typed = run("tsc", "-b", "--pretty", "false", ...TYPED_ROOMS);
		expect(linted).toMatchObject({ status: 0 });
		expect(typed).toEqual({ output: "", status: 0 });
		remove(ALLOWED);
	});
	test("lint stops every planted import and every reach out of a pure room", () => {
		const cases = stoppedBy("lint");
		plant(cases);
		const { output, status } = lint();
		remove(cases);
		expect(status).not.toBe(0);
		expect(named(output, cases)).toEqual(cases.map(({ path }) => path));
	});
	test("the compiler stops every import of a room that is not referenced, and Node in pure rooms", () => {
		const cases = stoppedBy("types");
		plant(cases);
		const { output, status } = run("tsc", "-b", "--pretty", "false", ...TYPED_ROOMS);
		remove(cases);
		expect(status).not.toBe(0);
		expect(named(output, cases)).toEqual(cases.map(({ path }) => path));
	});
});
