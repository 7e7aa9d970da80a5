// Violations of the plan, planted: what each is, where it would stand, and which fences must stop it; and imports that every fence must let through.

export type Fence = "scanner" | "lint" | "types";

export interface Planted {
	readonly what: string;
	readonly path: string;
	readonly code: string;
	readonly fences: readonly Fence[];
}

const ALL: readonly Fence[] = ["scanner", "lint", "types"];
const NOT_TYPES: readonly Fence[] = ["scanner", "lint"];

const planted = (what: string, path: string, code: string, fences: readonly Fence[]): Planted => ({ what, path, code, fences });
const uses = (specifier: string): string => `import { here } from "${specifier}";\nexport const there = here;`;

/** Each in a file of its own; the rooms around them hold `here.ts`, log also `port.ts` and `segments.ts`. */
export const VIOLATIONS: readonly Planted[] = [
	planted("contracts imports log", "contracts/a.ts", uses("../log/port.ts"), ALL),
	planted("contracts imports core", "contracts/b.ts", uses("../core/here.ts"), ALL),
	planted("contracts imports a package", "contracts/c.ts", 'import { parse } from "yaml";\nexport const there = parse;', NOT_TYPES),
	planted("contracts reads files", "contracts/d.ts", 'import { readFileSync } from "node:fs";\nexport const there = readFileSync;', NOT_TYPES),
	planted("log imports core", "log/a.ts", uses("../core/here.ts"), ALL),
	planted("log imports edge", "log/b.ts", uses("../edge/here.ts"), ALL),
	planted("log reads files by itself", "log/c.ts", 'import { readFileSync } from "node:fs";\nexport const there = readFileSync;', ["scanner"]),
	planted("edge starts a process", "edge/d.ts", 'import { spawn } from "node:child_process";\nexport const there = spawn;', ["scanner"]),
	planted("broker reads files without naming Node", "broker/f.ts", 'import { readFileSync } from "fs";\nexport const there = readFileSync;', ["scanner"]),
	planted("core imports the log's port", "core/a.ts", uses("../log/port.ts"), ALL),
	planted("core imports its own service", "core/guardian/b.ts", uses("../service/here.ts"), ALL),
	planted("core imports types of the broker", "core/brain/c.ts", 'import type { here } from "../../broker/here.ts";\nexport type There = typeof here;', ALL),
	planted("core imports edge's machines", "core/d.ts", uses("../edge/machines/here.ts"), ALL),
	planted("core imports a package", "core/e.ts", 'import { Hono } from "hono";\nexport const there = Hono;', NOT_TYPES),
	planted("core reads files", "core/brain/f.ts", 'import { readFileSync } from "node:fs";\nexport const there = readFileSync;', ALL),
	planted("core imports what is known only when it runs", "core/g.ts", "export const there = (name: string) => import(name);", ["scanner"]),
	planted("core reads the clock", "core/h.ts", "export const there = Date.now();", NOT_TYPES),
	planted("core makes a date", "core/i.ts", "export const there = new Date();", NOT_TYPES),
	planted("core throws dice", "core/j.ts", "export const there = Math.random();", NOT_TYPES),
	planted("core waits with a timer", "core/k.ts", "setTimeout(() => undefined, 1);\nexport const there = 1;", ALL),
	planted("core repeats with a timer", "core/l.ts", "setInterval(() => undefined, 1);\nexport const there = 1;", ALL),
	planted("core looks at its process", "core/m.ts", "export const there = process.pid;", ALL),
	planted("core measures time", "core/n.ts", "export const there = performance.now();", ALL),
	planted("core asks for a zone", "core/o.ts", "export const there = Intl.DateTimeFormat().resolvedOptions().timeZone;", NOT_TYPES),
	planted(
		"core takes the long way to its process",
		"core/p.ts",
		'export const there = (globalThis as Readonly<Record<string, unknown>>)["process"];',
		NOT_TYPES,
	),
	planted("core sorts by the language of its host", "core/q.ts", 'export const there = "a".localeCompare("b");', NOT_TYPES),
	planted("core waits", "core/r.ts", "export const there = async (ready: PromiseLike<number>): Promise<number> => (await ready) + 1;", NOT_TYPES),
	planted("core prints", "core/s.ts", 'console.log("here");\nexport const there = 1;', ALL),
	planted("core/service imports the broker", "core/service/a.ts", uses("../../broker/here.ts"), ALL),
	planted("core/service hands edge on", "core/service/b.ts", 'export * from "../../edge/here.ts";', ALL),
	planted("core/service chooses its log", "core/service/c.ts", uses("../../log/segments.ts"), NOT_TYPES),
	planted("core/service imports agents later", "core/service/d.ts", 'export const there = () => import("../../agents/here.ts");', ALL),
	planted("broker imports core", "broker/a.ts", uses("../core/here.ts"), ALL),
	planted("broker imports core/service", "broker/b.ts", uses("../core/service/here.ts"), ALL),
	planted("broker imports edge", "broker/c.ts", uses("../edge/here.ts"), ALL),
	planted("broker chooses its log", "broker/d.ts", uses("../log/segments.ts"), NOT_TYPES),
	planted("a second file of the broker imports its library", "broker/e.ts", 'import { Aedes } from "aedes";\nexport const there = Aedes;', ["scanner"]),
	planted("a machine imports its adapter", "edge/machines/a.ts", uses("../here.ts"), ALL),
	planted("a machine imports the log's port", "edge/machines/b.ts", uses("../../log/port.ts"), ALL),
	planted("a machine hashes by itself", "edge/machines/c.ts", 'import { createHash } from "node:crypto";\nexport const there = createHash;', ALL),
	planted("a machine reads the clock", "edge/machines/d.ts", "export const there = (): number => Date.now();", NOT_TYPES),
	planted("a machine throws dice, called otherwise", "edge/machines/e.ts", "const { random } = Math;\nexport const there = random();", ["scanner"]),
	planted("edge imports core", "edge/a.ts", uses("../core/here.ts"), ALL),
	planted("edge imports the broker", "edge/b.ts", uses("../broker/here.ts"), ALL),
	planted("edge chooses its log", "edge/c.ts", uses("../log/segments.ts"), NOT_TYPES),
	planted("contracts imports firmware-bridge", "contracts/e.ts", uses("../firmware-bridge/here.ts"), ALL),
	planted("log imports firmware-bridge", "log/d.ts", uses("../firmware-bridge/here.ts"), ALL),
	planted("core imports firmware-bridge", "core/t.ts", uses("../firmware-bridge/here.ts"), ALL),
	planted("core/service imports firmware-bridge", "core/service/e.ts", uses("../../firmware-bridge/here.ts"), ALL),
	planted("broker imports firmware-bridge", "broker/g.ts", uses("../firmware-bridge/here.ts"), ALL),
	planted("a machine imports firmware-bridge", "edge/machines/f.ts", uses("../../firmware-bridge/here.ts"), ALL),
	planted("edge imports firmware-bridge", "edge/e.ts", uses("../firmware-bridge/here.ts"), ALL),
	planted("firmware-bridge imports edge", "firmware-bridge/a.ts", uses("../edge/here.ts"), ALL),
	planted("firmware-bridge imports the log's port", "firmware-bridge/b.ts", uses("../log/port.ts"), ALL),
	planted("firmware-bridge imports the board it is tested with", "firmware-bridge/c.ts", uses("./virtual-board/here.ts"), ALL),
	planted("firmware-bridge imports a package", "firmware-bridge/d.ts", 'import { CPU } from "avr8js";\nexport const there = CPU;', NOT_TYPES),
	planted("firmware-bridge opens a device", "firmware-bridge/e.ts", 'import { open } from "node:fs";\nexport const there = open;', ALL),
	planted("firmware-bridge looks at its process", "firmware-bridge/f.ts", "export const there = process.pid;", ALL),
	planted("the body imports core", "firmware-bridge/body/a.ts", uses("../../core/here.ts"), ALL),
	planted("the body imports agents", "firmware-bridge/body/b.ts", uses("../../agents/here.ts"), ALL),
	planted("the body reads the clock", "firmware-bridge/body/c.ts", "export const there = (): number => Date.now();", NOT_TYPES),
	planted("the body throws dice", "firmware-bridge/body/d.ts", "export const there = Math.random();", NOT_TYPES),
	planted("the body waits with a timer", "firmware-bridge/body/e.ts", "setTimeout(() => undefined, 1);\nexport const there = 1;", ALL),
	planted("the virtual board imports what it is to test", "firmware-bridge/virtual-board/a.ts", uses("../here.ts"), ALL),
	planted("the virtual board imports broker", "firmware-bridge/virtual-board/b.ts", uses("../../broker/here.ts"), ALL),
	planted(
		"the virtual board imports another package",
		"firmware-bridge/virtual-board/c.ts",
		'import { parse } from "yaml";\nexport const there = parse;',
		NOT_TYPES,
	),
	planted(
		"the virtual board reads its image by itself",
		"firmware-bridge/virtual-board/d.ts",
		'import { readFileSync } from "node:fs";\nexport const there = readFileSync;',
		ALL,
	),
	planted("a capability drives the virtual board", "agents/capabilities/d.ts", uses("../../firmware-bridge/virtual-board/here.ts"), ALL),
	// The compiler names a file outside the project once, at the capability above.
	planted("a role drives the virtual board", "agents/roles/e.ts", uses("../../firmware-bridge/virtual-board/here.ts"), NOT_TYPES),
	planted("agents simulates a processor", "agents/roles/f.ts", 'import { CPU } from "avr8js";\nexport const there = CPU;', ["scanner"]),
	planted("a capability chooses a log", "agents/capabilities/a.ts", uses("../../log/segments.ts"), NOT_TYPES),
	planted("agents imports a test", "agents/roles/b.ts", uses("../../test/here.ts"), ALL),
	planted("agents imports the build", "agents/cli/c.ts", 'import { here } from "../../build/here.mjs";\nexport const there = here;', NOT_TYPES),
	planted("a new room that nobody drew", "helpers/a.ts", "export const there = 1;", ["scanner"]),
];

const allowed = (path: string, code: string): Planted => planted(`${path} may`, path, code, ALL);

export const ALLOWED: readonly Planted[] = [
	allowed("contracts/z.ts", uses("./here.ts")),
	allowed("contracts/digest.ts", 'import { createHash } from "node:crypto";\nexport const there = createHash;'),
	allowed("log/z.ts", uses("../contracts/here.ts")),
	allowed("core/y.ts", uses("../contracts/here.ts")),
	allowed("core/brain/z.ts", uses("../here.ts")),
	allowed("core/guardian/z.ts", "export const there = (data: { readonly process: { readonly Date: number } }): number => data.process.Date;"),
	allowed("core/service/w.ts", uses("../here.ts")),
	allowed("core/service/x.ts", uses("../../contracts/here.ts")),
	allowed("core/service/y.ts", uses("../../log/port.ts")),
	allowed("core/service/z.ts", 'import { createHash } from "node:crypto";\nexport const there = [createHash, Date.now()];'),
	allowed("log/node-files.ts", 'import { readFileSync } from "node:fs";\nexport const there = readFileSync;'),
	allowed("broker/y.ts", uses("../log/port.ts")),
	allowed("broker/z.ts", uses("../contracts/here.ts")),
	allowed("edge/machines/z.ts", uses("../../contracts/here.ts")),
	allowed("edge/y.ts", uses("./machines/here.ts")),
	allowed("edge/z.ts", uses("../log/port.ts")),
	allowed("firmware-bridge/z.ts", uses("../contracts/here.ts")),
	allowed("firmware-bridge/body/y.ts", uses("../here.ts")),
	allowed("firmware-bridge/body/z.ts", uses("../../contracts/here.ts")),
	allowed("firmware-bridge/virtual-board/y.ts", uses("../../contracts/here.ts")),
	allowed("firmware-bridge/virtual-board/z.ts", 'import { CPU } from "avr8js";\nexport const there = CPU;'),
	allowed("agents/capabilities/x.ts", uses("../../firmware-bridge/here.ts")),
	allowed("agents/capabilities/y.ts", uses("../../edge/here.ts")),
	allowed("agents/capabilities/z.ts", uses("../../log/port.ts")),
	allowed("agents/roles/v.ts", uses("../../log/segments.ts")),
	allowed("agents/roles/w.ts", uses("../../broker/here.ts")),
	allowed("agents/roles/x.ts", uses("../../core/service/here.ts")),
	allowed("agents/cli/z.ts", uses("../roles/here.ts")),
	allowed("test/x.ts", uses("../firmware-bridge/here.ts")),
	allowed("test/y.ts", uses("../firmware-bridge/virtual-board/here.ts")),
	allowed("test/z.ts", uses("../log/segments.ts")),
];
