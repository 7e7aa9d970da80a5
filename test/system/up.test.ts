// Shows that a new user's first commands do what the README says, on real processes: RUN-1, RUN-2, RUN-3.
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { runOrion, TestMesh, until } from "../support/mesh.ts";

const meshes: TestMesh[] = [];
const make = async (config = "node: host\n", args: readonly string[] = []): Promise<TestMesh> => {
	const mesh = await TestMesh.make(config, args);
	meshes.push(mesh);
	return mesh;
};

afterEach(async () => {
	for (const mesh of meshes.splice(0)) await mesh.remove();
});

interface Nodes {
	readonly nodes: readonly { readonly node: string; readonly presence?: string; readonly metrics?: { readonly memoryTotalBytes?: number } }[];
}
interface Incidents {
	readonly incidents: readonly { readonly id: string; readonly rule: string; readonly status: string; readonly title: string }[];
}

describe("a first start", () => {
	test("RUN-1: is ready, on loopback, at N0, with a token that only its owner reads, and measures this host for real", async () => {
		const mesh = await make();
		await mesh.start();
		expect(mesh.parts.map(({ part }) => part)).toEqual(["config", "log", "core", "broker", "http", "agent"]);
		expect(statSync(join(mesh.data, "token")).mode & 0o777).toBe(0o600);
		expect(statSync(join(mesh.data, "agent/node.json")).mode & 0o777).toBe(0o600);
		const total = Number(/MemTotal:\s+(\d+)/.exec(readFileSync("/proc/meminfo", "utf8"))?.[1]) * 1_024;
		const measured = await until("the host is measured", async () => (await mesh.ask<Nodes>("/state/nodes")).nodes.find((node) => node.metrics !== undefined));
		expect(measured.metrics?.memoryTotalBytes).toBe(total);
		const status = await mesh.orion("status", "--json");
		expect(status.code).toBe(0);
		expect(JSON.parse(status.out)).toMatchObject({ schema: "orion.status/1", level: "N0" });
		expect(await mesh.stop()).toBe(0);
		expect(existsSync(join(mesh.data, "run.json"))).toBe(false);
	});

	test("RUN-2: started again it goes on where it was: same mesh, same records, same open incidents, same level", async () => {
		const mesh = await make();
		await mesh.start();
		expect((await mesh.orion("alert", "door", "left open", "--severity", "warning")).code).toBe(0);
		expect((await mesh.orion("level", "N2", "-m", "trust it")).code).toBe(0);
		const before = await mesh.ask<Incidents & { mesh?: string }>("/state/incidents?status=open&limit=10");
		expect(before.incidents.map(({ rule }) => rule)).toEqual(["alert"]);
		await mesh.stop();
		await mesh.start();
		const after = await mesh.ask<Incidents>("/state/incidents?status=open&limit=10");
		expect(after.incidents.map(({ id }) => id)).toEqual(before.incidents.map(({ id }) => id));
		expect(JSON.parse((await mesh.orion("status", "--json")).out)).toMatchObject({ level: "N2" });
		expect((await mesh.orion("replay")).code).toBe(0);
	});
});

describe("bad input at the start: a clear error, the right exit code, nothing half-started", () => {
	const refused = async (mesh: TestMesh, ...more: readonly string[]) => {
		const ports = ["--mqtt-port", String(mesh.mqttPort), "--http-port", String(mesh.httpPort)];
		return runOrion(["up", "--data", mesh.data, ...ports, "--config", join(mesh.folder, "orion.yaml"), ...more]);
	};

	test("HARM-28: real legs are refused before anything is opened, because nothing of them was rehearsed", async () => {
		const { code, out, err } = await runOrion(["up", "--data", "/proc/orion", "--robot", "serial:/dev/ttyUSB0"]);
		expect(code).toBe(5);
		expect(out).not.toContain("OK");
		expect(err).toContain("--robot twin");
	});

	test("an unknown flag", async () => {
		const { code, err } = await runOrion(["up", "--frobnicate"]);
		expect([code, err]).toEqual([2, expect.stringContaining("--frobnicate")]);
	});

	test("a port in use names the port and the flag, and leaves no run file", async () => {
		const mesh = await make();
		const server = createServer();
		await new Promise<void>((resolve) => {
			server.listen(mesh.mqttPort, "127.0.0.1", resolve);
		});
		const { code, err } = await refused(mesh);
		server.close();
		expect(code).toBe(1);
		expect(err).toContain(String(mesh.mqttPort));
		expect(err).toContain("--mqtt-port");
		expect(existsSync(join(mesh.data, "run.json"))).toBe(false);
		await mesh.start();
	});

	test("broken YAML: file, line, column, what was expected", async () => {
		const mesh = await make("node: host\nprocesses:\n  web:\n    command: python3\n");
		const { code, err } = await refused(mesh);
		expect(code).toBe(2);
		expect(err).toMatch(/orion\.yaml:4:\d+: .*array/);
	});

	test("a policy that names an unknown action stops the start, and at a reload the old one stays in force", async () => {
		const mesh = await make("node: host\npolicies: mine\n");
		const { mkdirSync } = await import("node:fs");
		mkdirSync(join(mesh.folder, "mine"));
		const { ROOT } = await import("../support/mesh.ts");
		const good = readFileSync(join(ROOT, "policies/autonomy.yaml"), "utf8");
		const bad = good.replace("action: process.restart", "action: process.restrat");
		writeFileSync(join(mesh.folder, "mine/autonomy.yaml"), bad);
		const { code, err } = await refused(mesh);
		expect(code).toBe(2);
		expect(err).toMatch(/mine\/autonomy\.yaml:\d+:\d+: there is no action process\.restrat/);
		writeFileSync(join(mesh.folder, "mine/autonomy.yaml"), good);
		await mesh.start();
		writeFileSync(join(mesh.folder, "mine/autonomy.yaml"), bad);
		const reload = await mesh.orion("config", "reload");
		expect(reload.code).not.toBe(0);
		expect((await mesh.orion("status")).out).toContain("not taken over");
		writeFileSync(join(mesh.folder, "mine/autonomy.yaml"), good);
		expect((await mesh.orion("config", "reload")).code).toBe(0);
		expect((await mesh.orion("status")).out).not.toContain("not taken over");
	});

	test("a folder that another process owns, and one of a newer version", async () => {
		const mesh = await make();
		await mesh.start();
		const second = await runOrion(["up", "--data", mesh.data, "--mqtt-port", "0", "--http-port", "0"]);
		expect(second.code).toBe(1);
		expect(second.err).toContain(String(mesh.pid));
		await mesh.stop();
		writeFileSync(join(mesh.data, "mesh.json"), JSON.stringify({ schema: "orion.mesh/9", format: 9, mesh: "mesh-x" }));
		const newer = await refused(mesh);
		expect(newer.code).toBe(1);
		expect(newer.err).toContain("newer version");
	});

	test("a folder that cannot be written", async () => {
		const { code, err } = await runOrion(["up", "--data", "/proc/orion", "--mqtt-port", "0", "--http-port", "0"]);
		expect(code).toBe(1);
		expect(err).toContain("/proc/orion");
	});

	test("no mesh runs: exit 3 and what to do", async () => {
		const mesh = await make();
		const { code, err } = await runOrion(["status", "--data", mesh.data]);
		expect(code).toBe(3);
		expect(err).toContain("orion up");
	});
});
