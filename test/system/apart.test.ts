// Shows that core, broker and agent run as processes apart: joined over TLS, or through a broker and Redis without any broker at core; each may die and come back (RUN-45, RUN-46).
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, expect, test } from "vitest";
import { bundled } from "../../agents/roles/agent-process.ts";
import { keyIdOf } from "../../core/service/keys.ts";
import { expectGolden, shapeOf } from "../cli/shape.ts";
import { freePort, ORION, runOrion, TestMesh, until } from "../support/mesh.ts";
import { TestRedis } from "../support/redis.ts";

interface Nodes {
	readonly nodes: readonly { readonly node: string; readonly presence?: string; readonly metrics?: unknown }[];
}
interface Status {
	readonly mesh: string;
	readonly brokers?: readonly { readonly broker: string; readonly state: string; readonly nodes: readonly string[] }[];
}

const meshes: TestMesh[] = [];
const redises: TestRedis[] = [];
const children: ChildProcess[] = [];

const gone = (child: ChildProcess): Promise<unknown> =>
	child.exitCode === null && child.signalCode === null ? new Promise((resolve) => child.once("close", resolve)) : Promise.resolve();

afterEach(async () => {
	for (const child of children.splice(0).reverse()) {
		const ended = gone(child);
		child.kill("SIGTERM");
		await ended;
	}
	for (const mesh of meshes.splice(0)) await mesh.remove();
	for (const redis of redises.splice(0)) await redis.end();
});

/** A process of Node that says JSON lines; resolves when one of them has `word`. */
const start = async (args: readonly string[], word: string): Promise<ChildProcess> => {
	const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
	children.push(child);
	let said = "";
	child.stderr.on("data", (chunk: Buffer) => {
		said = (said + chunk.toString()).slice(-4_000);
	});
	await new Promise<void>((resolve, reject) => {
		createInterface({ input: child.stdout }).on("line", (line) => {
			if (line.includes(word)) resolve();
		});
		child.once("close", (code) => reject(new Error(`${args.join(" ")} ended with ${code}: ${said}`)));
	});
	return child;
};

const isReady = async (mesh: TestMesh, name: string): Promise<true | undefined> => {
	const found = (await mesh.ask<Nodes>("/state/nodes")).nodes.find(({ node }) => node === name);
	return found?.presence === "ready" && found.metrics !== undefined ? true : undefined;
};

/** Receipts that say that this was carried out, of one node. */
const carriedOut = async (mesh: TestMesh, node: string): Promise<number> =>
	(await mesh.records()).filter(
		({ envelope }) =>
			envelope.source === `/nodes/${node}` && envelope.type === "dev.orion.action.receipt.v1" && (envelope.data as { phase?: string }).phase === "done",
	).length;

test("RUN-45: core with its broker has no node of its own; an agent joins it, also one of the same host, and finds it again", async () => {
	const mesh = await TestMesh.make("", ["--listen", "127.0.0.1", "--mqtts-port", String(await freePort()), "--join-port", "0"], "core");
	meshes.push(mesh);
	await mesh.start();
	expect(mesh.parts.map(({ part }) => part)).toEqual(["config", "log", "core", "broker", "listen", "http"]);
	expectGolden("core.shape.txt", shapeOf(mesh.ready));
	expect((await mesh.ask<Nodes>("/state/nodes")).nodes).toEqual([]);
	const added = JSON.parse((await mesh.orion("node", "add", "pi-3", "--json")).out) as { readonly join: { readonly address: string; readonly token: string } };
	const state = join(mesh.folder, "pi-3");
	expect((await runOrion(["join", added.join.address, added.join.token, "--state", state, "--json"])).code).toBe(0);
	const agent = await start([ORION, "agent", "--state", state], '"ready"');
	await until("pi-3 is ready and measured", () => isReady(mesh, "pi-3"));
	await mesh.kill();
	expect(agent.exitCode).toBeNull();
	await mesh.start();
	await until("pi-3 is ready again", () => isReady(mesh, "pi-3"));
	expect(await mesh.stop()).toBe(0);
});

test("RUN-46: core without a broker, a broker and an agent, each its own process: a dead service is repaired, with core killed in between", async () => {
	const redis = await TestRedis.start();
	redises.push(redis);
	const config = `redis:\n  url: ${redis.url}\n  brokers: [attic]\n`;
	const mesh = await TestMesh.make(config, ["--no-broker"], "core");
	meshes.push(mesh);
	await mesh.start();
	expect(mesh.parts.map(({ part }) => part)).toEqual(["config", "log", "core", "redis", "http"]);
	const granted = JSON.parse((await mesh.orion("broker", "add", "attic", "--json")).out) as { readonly acl: string; readonly command: string };
	const [verb = "", ...rest] = granted.acl.split(" ");
	await redis.ask(verb, ...rest);
	const port = await freePort();
	const brokerArgs = [...granted.command.split(" ").slice(1), "--data", join(mesh.folder, "attic"), "--mqtt-port", String(port), "--json"];
	await start([ORION, ...brokerArgs], '"ready"');
	const { password } = await mesh.ask<{ readonly password: string }>("/nodes", { method: "POST", body: JSON.stringify({ node: "rover" }) });
	const state = join(mesh.folder, "rover");
	mkdirSync(state);
	const { x: publicKey } = JSON.parse(readFileSync(join(mesh.data, "core/core-key.json"), "utf8")) as { readonly x: string };
	const pidFile = join(state, "web.pid");
	const web = {
		command: [process.execPath, "-e", `require("node:fs").writeFileSync(${JSON.stringify(pidFile)}, String(process.pid)); setInterval(() => undefined, 1000)`],
	};
	const node = {
		schema: "orion.node-config/1",
		mesh: (await mesh.ask<Status>("/state/status")).mesh,
		node: "rover",
		url: `mqtt://127.0.0.1:${port}`,
		username: "rover",
		password,
		coreKeys: [{ keyId: keyIdOf(publicKey), publicKey }],
		processes: { web },
	};
	writeFileSync(join(state, "node.json"), JSON.stringify(node));
	await until("the broker knows rover", async () => {
		const { brokers } = await mesh.ask<Status>("/state/status");
		return brokers?.some(({ state: said }) => said === "here") === true ? true : undefined;
	});
	await start([bundled("agent"), "--state", state], '"started"');
	await until("rover is ready", () => isReady(mesh, "rover"));
	expect((await mesh.orion("level", "N2")).code).toBe(0);
	// Twice: the second time with a core that was killed and knows the node from its log only.
	let killed = 0;
	for (const times of [1, 2]) {
		if (times === 2) {
			await mesh.kill();
			await mesh.start();
			await until("rover is ready again", () => isReady(mesh, "rover"));
		}
		killed = await until("web runs, as another process than before", () => {
			const pid = existsSync(pidFile) ? Number(readFileSync(pidFile, "utf8")) : 0;
			return pid > 0 && pid !== killed ? pid : undefined;
		});
		process.kill(killed, "SIGKILL");
		await until("web was restarted by an order of core", async () => ((await carriedOut(mesh, "rover")) >= times ? true : undefined), 60_000);
	}
}, 300_000);
