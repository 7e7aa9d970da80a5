// Shows that the tarball is enough: installed elsewhere without tools and without scripts it is small, starts a mesh, and can make a machine start it (RUN-50).
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { packInto } from "../../build/pack.mjs";
import { ORION, ROOT } from "../support/mesh.ts";

const INSTALLED_BYTES_MAX = 50 * 1_024 * 1_024;

let folder = "";
let files: readonly { readonly path: string }[] = [];
const home = (): string => join(folder, "node_modules/orion-mesh");
const orion = (...args: readonly string[]): string =>
	execFileSync(process.execPath, [join(home(), "bin/orion.mjs"), ...args], { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

const bytesOf = (path: string): number =>
	lstatSync(path).isDirectory() ? readdirSync(path).reduce((sum, name) => sum + bytesOf(join(path, name)), 0) : lstatSync(path).blocks * 512;

beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), "orion-pack-"));
	// Builds what is not built yet.
	execFileSync(process.execPath, [ORION, "version"]);
	const packed = packInto(join(folder, "tarball"));
	files = packed.files;
	writeFileSync(join(folder, "package.json"), '{"private":true}');
	const flags = ["--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"];
	execFileSync("npm", ["install", ...flags, packed.path], { cwd: folder, env: { ...process.env, NODE_OPTIONS: "" }, stdio: "pipe" });
}, 180_000);
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }));

test("RUN-50 it holds what runs, and nothing of what makes it", () => {
	const foreign = files.filter(({ path }) => /\.(ts|map|tgz)$/.test(path) || /^(test|docs|contracts|node_modules|\.ci|\.cache)\//.test(path));
	expect(foreign).toEqual([]);
	const read = (name: string): Readonly<Record<string, unknown>> => JSON.parse(readFileSync(join(ROOT, name), "utf8"));
	const { packages } = read("package-lock.json") as { readonly packages: Readonly<Record<string, { readonly dev?: boolean }>> };
	const { devDependencies } = read("package.json") as { readonly devDependencies: Readonly<Record<string, string>> };
	// What a package of the product asks for itself comes along with it: types, and a part of the serial port.
	const tools = Object.keys(devDependencies).filter((name) => packages[`node_modules/${name}`]?.dev === true);
	expect(tools).toEqual(expect.arrayContaining(["typescript", "vitest", "firmata-io", "johnny-five"]));
	expect(tools.filter((name) => existsSync(join(folder, "node_modules", name)))).toEqual([]);
	expect(bytesOf(join(folder, "node_modules"))).toBeLessThanOrEqual(INSTALLED_BYTES_MAX);
});

test("RUN-50 it says its version, starts a mesh with its agent, and ends it", async () => {
	expect(JSON.parse(orion("version", "--json"))).toMatchObject({ schema: "orion.version/1" });
	const args = ["up", "--json", "--mqtt-port", "0", "--http-port", "0", "--data", join(folder, "data")];
	const mesh = spawn(process.execPath, [join(home(), "bin/orion.mjs"), ...args], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
	const exited = once(mesh, "exit");
	let err = "";
	mesh.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
	const said: string[] = [];
	for await (const line of createInterface({ input: mesh.stdout })) {
		const { event, part } = JSON.parse(line) as { readonly event: string; readonly part?: string };
		said.push(part ?? event);
		if (event === "ready") mesh.kill("SIGINT");
	}
	expect([(await exited)[0], err]).toEqual([0, ""]);
	expect(said).toEqual(["config", "log", "core", "broker", "http", "agent", "ready", "stopped"]);
});

test("RUN-50 it can make a machine start it: units and the guard are in it", () => {
	const root = join(folder, "machine");
	for (const path of ["etc/systemd/system", "usr/local/lib"]) mkdirSync(join(root, path), { recursive: true });
	const made = JSON.parse(orion("install", "--role", "agent", "--root", root, "--json")) as { readonly steps: readonly { readonly what: string }[] };
	expect(made.steps.map(({ what }) => what)).toContain("/etc/systemd/system/orion-agent.service");
	expect(readFileSync(join(root, "etc/systemd/system/orion-agent.service"), "utf8")).toContain("node_modules/orion-mesh/dist/agent.js");
	execFileSync(process.execPath, [join(home(), "build/guard.mjs"), join(folder, "linux-guard")]);
	expect(existsSync(join(folder, "linux-guard"))).toBe(true);
});
