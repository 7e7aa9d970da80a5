// Shows that the Redis which `orion install --role core` sets up is one that core takes, under its password, with the address where its unit has it (RUN-51).
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { planOf, type Step } from "../../agents/install/plan.ts";
import { peer } from "../../build/peers.mjs";
import { connectRedis } from "../../log/redis-connection.ts";
import { freePort, TestMesh, until } from "../support/mesh.ts";
import { removeFolder } from "../support/remove-folder.ts";

const PASSWORD = "0123456789abcdef0123456789abcdef0123456789abcdef";

let folder = "";
let server: ChildProcess | undefined;
let mesh: TestMesh | undefined;
afterEach(async () => {
	delete process.env["ORION_REDIS"];
	await mesh?.remove();
	if (server !== undefined && server.exitCode === null) {
		const exited = once(server, "exit");
		server.kill("SIGTERM");
		await exited;
	}
	removeFolder(folder);
});

const textAt = (steps: readonly Step[], path: string): string => {
	const step = steps.find((each) => each.kind === "file" && each.path === path);
	return step?.kind === "file" ? step.text : "";
};

test("RUN-51 its settings start a Redis that keeps everything, and core writes into it", async () => {
	folder = mkdtempSync(join(tmpdir(), "orion-own-redis-"));
	const redis = { kind: "own", program: "/usr/bin/redis-server", password: PASSWORD } as const;
	const steps = planOf({ role: "core", node: "/usr/bin/node", home: "/usr/lib/orion", units: {}, args: [], redis, model: "fnk0052" });
	const port = await freePort();
	const settings = textAt(steps, "/etc/orion/redis.conf").replace("port 6390", `port ${port}`).replace("dir /var/lib/orion-redis", `dir ${folder}`);
	expect(settings).toContain(`port ${port}\n`);
	writeFileSync(join(folder, "redis.conf"), settings);
	const { command, env } = peer("redis-server");
	const started = spawn(command, [join(folder, "redis.conf")], { env, stdio: ["ignore", "pipe", "pipe"] });
	server = started;
	let said = "";
	started.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
	await until("it is ready", () => {
		if (said.includes("Ready to accept connections")) return true;
		if (started.exitCode !== null) throw new Error(said);
		return undefined;
	});
	const url =
		textAt(steps, "/etc/orion/core.env")
			.match(/^ORION_REDIS=(.*)$/m)?.[1]
			?.replace(":6390", `:${port}`) ?? "";
	expect(url).toBe(`redis://:${PASSWORD}@127.0.0.1:${port}`);
	await expect(connectRedis({ url: `redis://127.0.0.1:${port}`, answerWithinMs: 10_000 }).then((client) => client.ask("ping"))).rejects.toThrow();
	// As its unit has it: from the environment, on no command line.
	process.env["ORION_REDIS"] = url;
	mesh = await TestMesh.make("", [], "core");
	await mesh.start();
	const records = (await mesh.records()).length;
	expect(records).toBeGreaterThan(0);
	const client = await connectRedis({ url, answerWithinMs: 10_000 });
	await until("its records are there", async () => (Number(await client.ask("xlen", "orion:log")) >= records ? true : undefined));
	client.end();
});
