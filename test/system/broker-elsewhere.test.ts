// Shows two brokers away from core: cut off they acknowledge, a node changes between them, and core has everything once (LOSS-25, LOSS-29).
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { connectAsync, type MqttClient } from "mqtt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BrokerProcess } from "../support/broker-process.ts";
import { ORION, TestMesh, until } from "../support/mesh.ts";
import { TestRedis } from "../support/redis.ts";

const run = promisify(execFile);

interface Added {
	readonly acl: string;
	readonly command: string;
}
interface Status {
	readonly mesh: string;
	readonly brokers?: readonly { readonly broker: string; readonly state: string; readonly lag: number; readonly nodes: readonly string[] }[];
}

let redis: TestRedis;
let mesh: TestMesh;
const brokers: BrokerProcess[] = [];
let password = "";

const status = (): Promise<Status> => mesh.ask<Status>("/state/status");

beforeAll(async () => {
	redis = await TestRedis.start();
	mesh = await TestMesh.make(`node: here\nredis:\n  url: ${redis.url}\n  brokers: [attic, garden]\n`);
	await mesh.start();
	password = (await mesh.ask<{ password: string }>("/nodes", { method: "POST", body: JSON.stringify({ node: "rover" }) })).password;
	for (const name of ["attic", "garden"]) {
		const { stdout } = await run(process.execPath, [ORION, "broker", "add", name, "--json", "--data", mesh.data]);
		const { acl, command } = JSON.parse(stdout) as Added;
		const [verb = "", ...rest] = acl.split(" ");
		await redis.ask(verb, ...rest);
		await redis.ask("acl", "save");
		const broker = new BrokerProcess(command);
		brokers.push(broker);
		await broker.start();
	}
	await until("both are here", async () => ((await status()).brokers?.every(({ state }) => state === "here") === true ? true : undefined));
}, 120_000);
afterAll(async () => {
	for (const broker of brokers) await broker.end();
	await mesh.remove();
	await redis.end();
});

const SESSION = "7.0123456789abcdef";

const eventOf = (meshId: string, seq: number) => ({
	specversion: "1.0",
	id: `rover-${seq}`,
	source: "/nodes/rover",
	type: "dev.orion.alert.firing.v1",
	mesh: meshId,
	session: SESSION,
	lane: "event",
	seq,
	mono: seq,
	time: "2026-01-01T00:00:00.000Z",
	data: { name: `n${seq % 5}`, severity: "info", summary: `number ${seq}` },
});

const connect = (broker: BrokerProcess | undefined): Promise<MqttClient> =>
	connectAsync(`mqtt://127.0.0.1:${broker?.port}`, { clientId: "rover", username: "rover", password, protocolVersion: 4, reconnectPeriod: 0 });

const publish = async (client: MqttClient, from: number, to: number): Promise<void> => {
	const { mesh: id } = await status();
	await Promise.all(
		Array.from({ length: to - from + 1 }, (_, index) => client.publishAsync("orion/v1/rover/evt/alert", JSON.stringify(eventOf(id, from + index)), { qos: 1 })),
	);
};

const seqs = async (): Promise<readonly number[]> =>
	(await mesh.records()).flatMap(({ envelope }) => (envelope.source === "/nodes/rover" && envelope.session === SESSION ? [envelope.seq ?? 0] : []));

const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index + 1);

describe("brokers elsewhere", () => {
	it("LOSS-25 let the same nodes in, and core gets what they say", async () => {
		const client = await until("the register", () => connect(brokers[0]).catch(() => undefined));
		await publish(client, 1, 20);
		await until("core has it", async () => ((await seqs()).length === 20 ? true : undefined));
		await until("core knows where the node is", async () =>
			(await status()).brokers?.some(({ broker, nodes }) => broker === "attic" && nodes.includes("rover")) === true ? true : undefined,
		);
		await client.endAsync();
	});

	it("LOSS-29 a node changes between two that are cut off, one of them is killed, and core has everything once", async () => {
		const other = await until("the register of the other", () => connect(brokers[1]).catch(() => undefined));
		await other.endAsync();
		await redis.kill();
		const first = await connect(brokers[0]);
		await publish(first, 21, 200);
		await first.endAsync();
		await brokers[0]?.kill();
		// It repeats the last ones there, because it cannot know what became of them.
		const second = await connect(brokers[1]);
		await publish(second, 181, 400);
		await until("status says why nothing is heard", async () => {
			const { out } = await mesh.orion("status");
			return /broker garden is silent .*heard through Redis only/s.test(out) && out.split("cannot be reached (").length === 2 ? true : undefined;
		});
		await redis.start();
		await until("core has what the second one held", async () => ((await seqs()).length === 20 + 220 ? true : undefined));
		await brokers[0]?.start();
		await until("core has it all", async () => ((await seqs()).length >= 400 ? true : undefined));
		expect([...(await seqs())].sort((left, right) => left - right)).toEqual(upTo(400));
		const gaps = (await mesh.records()).filter(({ envelope }) => ["dev.orion.log.gap.v1", "dev.orion.quarantine.entry.v1"].includes(envelope.type));
		expect(gaps).toEqual([]);
		await second.endAsync();
	});

	it("LOSS-25 core is killed while they go on", async () => {
		const { mesh: id } = await status();
		const client = await connect(brokers[1]);
		await mesh.kill();
		await Promise.all(
			Array.from({ length: 200 }, (_, index) => client.publishAsync("orion/v1/rover/evt/alert", JSON.stringify(eventOf(id, 401 + index)), { qos: 1 })),
		);
		await mesh.start();
		await until("core has it all", async () => ((await seqs()).length >= 600 ? true : undefined));
		expect([...(await seqs())].sort((left, right) => left - right)).toEqual(upTo(600));
		await client.endAsync();
	});
});
