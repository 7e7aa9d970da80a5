// Shows core and a broker elsewhere on a real disk that is all but full: status says so, events are not thanked for, safety is, nothing that was thanked for is missing, and with room again all goes on (LOSS-63).
import { execFile, execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { connectAsync, type MqttClient } from "mqtt";
import { afterEach, expect, test } from "vitest";
import { BrokerProcess } from "../support/broker-process.ts";
import { ORION, TestMesh, until } from "../support/mesh.ts";
import { TestRedis } from "../support/redis.ts";

const run = promisify(execFile);
const MIB = 1_048_576;
const DISK_MIB = 160;
/** Leaves less than what is kept for safety, and enough that nothing is full. */
const FILL_MIB = 110;
const SESSION = "7.0123456789abcdef";

const OWN_MOUNTS: readonly string[] = ["unshare", "-r", "-m", "sh", "-c"];

/** What starts another command with a small disk of its own under one folder of its data. */
const onSmallDisk = (folder: string): readonly string[] => {
	const say = `for word; do [ "$before" = --data ] && data=$word; before=$word; done; mkdir -p "$data/${folder}" && mount -t tmpfs -o size=${DISK_MIB}m none "$data/${folder}" && exec "$@"`;
	return [...OWN_MOUNTS, say, "sh"];
};

/** Where this host allows no mounts of one's own there is nothing to see; that is said, never passed over. */
const mountsOr = (skip: (why: string) => never): void => {
	try {
		const [program = "", ...args] = [...OWN_MOUNTS, "mount -t tmpfs none /mnt"];
		execFileSync(program, args, { stdio: ["ignore", "ignore", "pipe"] });
	} catch (error) {
		const why = `this host allows no mount namespaces (${error instanceof Error ? error.message.split("\n")[0] : "unknown"})`;
		process.stderr.write(`\nSKIPPED: a real disk that is all but full: ${why}\n`);
		skip(why);
	}
};

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
	for (const close of closers.splice(0).reverse()) await close();
});

interface Node {
	readonly password: string;
	readonly mesh: string;
}

const joined = async (mesh: TestMesh): Promise<Node> => ({
	password: (await mesh.ask<{ password: string }>("/nodes", { method: "POST", body: JSON.stringify({ node: "rover" }) })).password,
	mesh: (await mesh.ask<{ mesh: string }>("/state/status")).mesh,
});

const connect = async (port: number, { password }: Node, clientId: string): Promise<MqttClient> => {
	const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { clientId, username: "rover", password, protocolVersion: 4, reconnectPeriod: 0 });
	client.on("error", () => undefined);
	closers.push(() => client.endAsync(true));
	return client;
};

const message = (node: Node, lane: "event" | "safety", seq: number, type: string, data: object): string =>
	JSON.stringify({
		specversion: "1.0",
		id: `rover-${lane}-${seq}`,
		source: "/nodes/rover",
		type: `dev.orion.${type}.v1`,
		mesh: node.mesh,
		session: SESSION,
		lane,
		seq,
		mono: seq,
		time: "2026-01-01T00:00:00.000Z",
		data,
	});

/** False: it cost the connection. */
const event = async (port: number, node: Node, seq: number): Promise<boolean> => {
	const client = await connect(port, node, "rover");
	const closed = new Promise<boolean>((resolve) => {
		client.once("close", () => resolve(false));
	});
	const text = message(node, "event", seq, "alert.firing", { name: `n${seq}`, severity: "info", summary: `number ${seq}` });
	const thanked = await Promise.race([client.publishAsync("orion/v1/rover/evt/alert", text, { qos: 1 }).then(() => true), closed]).catch(() => false);
	await client.endAsync(true);
	return thanked;
};

const says = (mesh: TestMesh, what: RegExp): Promise<string> =>
	until(`orion status says ${what}`, async () => {
		const text = (await mesh.orion("status")).out.replace(/\s+/g, " ");
		return what.test(text) ? text : undefined;
	});

/** Of the disk that only the process sees. */
const filling = (pid: number | undefined, folder: string): string => `/proc/${pid}/root${join(folder, "filling")}`;

const eventsAtCore = async (mesh: TestMesh): Promise<readonly number[]> =>
	(await mesh.records()).flatMap(({ envelope }) => (envelope.source === "/nodes/rover" && envelope.lane === "event" ? [envelope.seq ?? 0] : []));

test("LOSS-63 core", async ({ skip }) => {
	mountsOr(skip);
	const mesh = await TestMesh.make("", [], "core", onSmallDisk("log"));
	closers.push(() => mesh.remove());
	await mesh.start();
	const node = await joined(mesh);
	expect(await event(mesh.mqttPort, node, 1)).toBe(true);
	const file = filling(mesh.pid, join(mesh.data, "log"));
	writeFileSync(file, Buffer.alloc(FILL_MIB * MIB, 1));
	await says(mesh, /the disk of \S+log is \d+ % full, \d+ MiB left, kept for safety, receipts and decisions/);
	expect([await event(mesh.mqttPort, node, 2), await event(mesh.mqttPort, node, 2)]).toEqual([false, false]);
	const safety = await connect(mesh.mqttPort, node, "rover.safety");
	await safety.publishAsync("orion/v1/rover/state", message(node, "safety", 1, "node.state", { state: "ready", session: SESSION, conn: 1 }), {
		qos: 1,
		retain: true,
	});
	expect((await mesh.orion("stop", "rover")).out).toMatch(/stopped/);
	expect(await eventsAtCore(mesh)).toEqual([1]);
	rmSync(file);
	await says(mesh, /rover is stopped/);
	await until("it is taken again", () => event(mesh.mqttPort, node, 2).then((taken) => taken || undefined));
	expect(await eventsAtCore(mesh)).toEqual([1, 2]);
	expect((await mesh.orion("status")).out).not.toContain("the disk of");
}, 120_000);

test("LOSS-63 a broker elsewhere", async ({ skip }) => {
	mountsOr(skip);
	const redis = await TestRedis.start();
	closers.push(() => redis.end());
	const mesh = await TestMesh.make(`redis:\n  url: ${redis.url}\n  brokers: [attic]\n`, [], "core");
	closers.push(() => mesh.remove());
	await mesh.start();
	const node = await joined(mesh);
	const { stdout } = await run(process.execPath, [ORION, "broker", "add", "attic", "--json", "--data", mesh.data]);
	const { acl, command } = JSON.parse(stdout) as { readonly acl: string; readonly command: string };
	const [verb = "", ...rest] = acl.split(" ");
	await redis.ask(verb, ...rest);
	const broker = new BrokerProcess(command, onSmallDisk("spool"));
	closers.push(() => broker.end());
	await broker.start();
	await until("it knows the node", () =>
		event(broker.port, node, 1).then(
			(taken) => taken || undefined,
			() => undefined,
		),
	);
	const file = filling(broker.pid, join(broker.folder, "spool"));
	writeFileSync(file, Buffer.alloc(FILL_MIB * MIB, 1));
	await says(mesh, /broker attic is here, [^:]*its disk is full: it thanks nobody, and its nodes keep what they have\. Free some space there/);
	expect(await event(broker.port, node, 2)).toBe(false);
	expect(broker.said).toMatch(/the disk of \S+spool is \d+ % full/);
	rmSync(file);
	await until("it is taken again", () => event(broker.port, node, 2).then((taken) => taken || undefined));
	await until("core has both", async () => ((await eventsAtCore(mesh)).length === 2 ? true : undefined));
	expect(await eventsAtCore(mesh)).toEqual([1, 2]);
	expect((await mesh.orion("status")).out).not.toContain("disk is full");
	expect(broker.said).toMatch(/has room again/);
}, 120_000);
