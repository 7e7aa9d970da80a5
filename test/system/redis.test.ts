// Shows a mesh with a Redis: other programs read every record and its families with a consumer group, and status says how it is (LOSS-20, LOSS-24).
import { execFile } from "node:child_process";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { peer } from "../../build/peers.mjs";
import { TestMesh, until } from "../support/mesh.ts";
import { TestRedis } from "../support/redis.ts";

const run = promisify(execFile);
let redis: TestRedis;
let mesh: TestMesh;

interface Status {
	readonly redis?: { readonly state: string; readonly lag: number; readonly url: string };
	readonly notices: readonly { readonly severity: string; readonly text: string }[];
}
const status = (): Promise<Status> => mesh.ask<Status>("/state/status");

beforeAll(async () => {
	redis = await TestRedis.start();
	mesh = await TestMesh.make("node: here\n", ["--redis", redis.url]);
	await mesh.start();
});
afterAll(async () => {
	await mesh.remove();
	await redis.end();
});

const READER = `
import json, redis, sys
r = redis.Redis.from_url(sys.argv[1])
out = {}
for key in ("orion:log", "orion:events"):
    r.xgroup_create(key, "readers", id="0")
    seen, pending = [], True
    while pending:
        pending = r.xreadgroup("readers", "one", {key: ">"}, count=100)
        for _, entries in pending or []:
            for entry, fields in entries:
                seen.append([entry.decode(), json.loads(fields[b"data"])["type"]])
                r.xack(key, "readers", entry)
    out[key] = seen
    out[key + ":pending"] = r.xpending(key, "readers")["pending"]
print(json.dumps(out))
`;

type Read = Readonly<Record<string, readonly (readonly [string, string])[]>>;

describe("a mesh with a Redis", () => {
	it("LOSS-20 Python reads every record and the events with a consumer group", async () => {
		await mesh.ask("/events", { method: "POST", headers: { "content-type": "application/cloudevents+json" }, body: JSON.stringify(alert("one")) });
		await until("the mirror", async () => ((await status()).redis?.lag === 0 ? true : undefined));
		const { env } = peer("python3-redis");
		const library = dirname(dirname(peer("python3-redis").command));
		const { stdout } = await run("python3", ["-c", READER, redis.url], { env: { ...env, PYTHONPATH: library } });
		const read = JSON.parse(stdout) as Read;
		const log = read["orion:log"] ?? [];
		expect(log.map(([id]) => id)).toEqual(log.map((_, index) => `${index + 1}-0`));
		expect(log.map(([, type]) => type)).toContain("dev.orion.engine.started.v1");
		expect((read["orion:events"] ?? []).map(([, type]) => type)).toContain("dev.orion.alert.firing.v1");
		expect(read["orion:log:pending"]).toBe(0);
	});

	it("LOSS-24 goes on without it, says what to do, and catches up", async () => {
		await redis.kill();
		await mesh.ask("/events", { method: "POST", headers: { "content-type": "application/cloudevents+json" }, body: JSON.stringify(alert("two")) });
		const away = await until("it is said", async () => {
			const seen = await status();
			return seen.redis?.state === "away" ? seen : undefined;
		});
		expect(away.notices.map(({ text }) => text).join("\n")).toMatch(/Nothing is lost/);
		await redis.start();
		await until("the mirror", async () => {
			const seen = await status();
			return seen.redis?.state === "mirroring" && seen.redis.lag === 0 ? true : undefined;
		});
		expect((await status()).notices.map(({ text }) => text).join("\n")).not.toMatch(/cannot be reached/);
	});
});

const alert = (name: string) => ({
	specversion: "1.0",
	id: `id-${name}`,
	source: "/nodes/here.test",
	type: "dev.orion.alert.firing.v1",
	data: { name, severity: "warning", summary: name },
});
