// Shows what an operator sees in `orion status`, and what he then does, when Redis is stopped, emptied or set wrongly, or a broker elsewhere is cut off or has no disk left, all under load (RUN-62).
import { execFile } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";
import { connectAsync, type MqttClient } from "mqtt";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { BrokerProcess } from "../support/broker-process.ts";
import { ORION, TestMesh, until } from "../support/mesh.ts";
import { TestRedis } from "../support/redis.ts";
import { Relay } from "../support/relay.ts";

const run = promisify(execFile);

interface Status {
	readonly mesh: string;
	readonly core: { readonly head: number };
	readonly redis?: { readonly state: string; readonly lag: number; readonly upTo: number };
	readonly brokers?: readonly { readonly broker: string; readonly state: string; readonly lag: number; readonly silentMs?: number }[];
}

let redis: TestRedis;
let relay: Relay;
let mesh: TestMesh;
let broker: BrokerProcess;
let load: Load;
let password = "";
let meshId = "";

const status = (): Promise<Status> => mesh.ask<Status>("/state/status");
/** `orion status` on one line: where it is wrapped depends on the terminal. */
const page = async (): Promise<string> => (await mesh.orion("status")).out.replace(/\s+/g, " ");
const says = (what: RegExp): Promise<string> =>
	until(`orion status says ${what}`, async () => {
		const text = await page();
		return what.test(text) ? text : undefined;
	});

const SESSION = "7.0123456789abcdef";
const LATER = "8.0123456789abcdef";

const event = (seq: number, session = SESSION): string =>
	JSON.stringify({
		specversion: "1.0",
		id: `rover-${session}-${seq}`,
		source: "/nodes/rover",
		type: "dev.orion.alert.firing.v1",
		mesh: meshId,
		session,
		lane: "event",
		seq,
		mono: seq,
		time: "2026-01-01T00:00:00.000Z",
		data: { name: `n${seq % 5}`, severity: "info", summary: `number ${seq}` },
	});

const connect = (port: number): Promise<MqttClient> =>
	connectAsync(`mqtt://127.0.0.1:${port}`, { clientId: "rover", username: "rover", password, protocolVersion: 4, reconnectPeriod: 0 });

const EVERY_MS = 20;
const pause = (): Promise<void> =>
	new Promise((resolve) => {
		setTimeout(resolve, EVERY_MS);
	});

/** A node at the broker elsewhere: the next event when the one before was thanked for, the same again over a new connection when not. */
class Load {
	acknowledged = 0;
	#ending = false;
	#client: MqttClient | undefined;
	#gone: Promise<false> = Promise.resolve(false);
	#running: Promise<void> = Promise.resolve();

	start(): void {
		this.#ending = false;
		this.#running = this.#run();
	}

	async #run(): Promise<void> {
		while (!this.#ending) {
			if (await this.#send(this.acknowledged + 1)) this.acknowledged += 1;
			await pause();
		}
		await this.#client?.endAsync(true);
		this.#client = undefined;
	}

	async #send(seq: number): Promise<boolean> {
		try {
			const client = this.#client ?? (await this.#open());
			const thanked = client.publishAsync("orion/v1/rover/evt/alert", event(seq), { qos: 1 }).then(() => true);
			if (await Promise.race([thanked, this.#gone])) return true;
		} catch {
			// Not let in, or cut off.
		}
		this.#client?.end(true);
		this.#client = undefined;
		return false;
	}

	async #open(): Promise<MqttClient> {
		const client = await connect(broker.port);
		this.#client = client;
		client.on("error", () => undefined);
		this.#gone = new Promise((resolve) => {
			client.once("close", () => resolve(false));
		});
		return client;
	}

	/** Resolves when so many more were thanked for. */
	async goesOn(count: number): Promise<void> {
		const from = this.acknowledged;
		await until(`${count} more are thanked for`, () => (this.acknowledged >= from + count ? true : undefined));
	}

	async stop(): Promise<void> {
		this.#ending = true;
		await this.#running;
	}
}

const seqs = async (session = SESSION): Promise<readonly number[]> =>
	(await mesh.records()).flatMap(({ envelope }) => (envelope.source === "/nodes/rover" && envelope.session === session ? [envelope.seq ?? 0] : []));

/** Everything that was thanked for is at core once and in order, nothing was given up or refused, and Redis has all of core's log. */
const isWhole = async (): Promise<void> => {
	await load.stop();
	await until("core has it all", async () => ((await seqs()).length >= load.acknowledged ? true : undefined));
	// The last one may have been stored without thanks.
	const found = (await seqs()).filter((seq) => seq <= load.acknowledged);
	expect(found).toEqual(Array.from({ length: load.acknowledged }, (_, index) => index + 1));
	const untrue = (await mesh.records()).filter(({ envelope }) => /log\.(gap|loss)|quarantine/.test(envelope.type));
	expect(untrue).toEqual([]);
	await until("Redis has it all", async () => {
		const { core, redis: copy } = await status();
		return copy?.lag === 0 && (await redis.ask("xlen", "orion:log")) === core.head ? true : undefined;
	});
	expect(await says(/has a copy of every record/)).toMatch(/broker attic is here/);
};

beforeAll(async () => {
	redis = await TestRedis.start();
	relay = await Relay.open(0, redis.port);
	mesh = await TestMesh.make(`redis:\n  url: ${redis.url}\n  brokers: [attic]\n`, [], "core");
	await mesh.start();
	meshId = (await status()).mesh;
	password = (await mesh.ask<{ password: string }>("/nodes", { method: "POST", body: JSON.stringify({ node: "rover" }) })).password;
	const { stdout } = await run(process.execPath, [ORION, "broker", "add", "attic", "--json", "--data", mesh.data]);
	const { acl, command } = JSON.parse(stdout) as { readonly acl: string; readonly command: string };
	const [verb = "", ...rest] = acl.split(" ");
	await redis.ask(verb, ...rest);
	await redis.ask("acl", "save");
	expect(command).toContain(`:${redis.port}`);
	broker = new BrokerProcess(command.replace(`:${redis.port}`, `:${relay.port}`));
	await broker.start();
	load = new Load();
}, 120_000);
beforeEach(async () => {
	load.start();
	await load.goesOn(10);
});
afterEach(() => load.stop());
afterAll(async () => {
	await broker.end();
	await mesh.remove();
	await relay.close();
	await redis.end();
});

it("Redis is stopped: status says that nothing is lost and why the broker is not heard; started again, all is there", async () => {
	await redis.kill("SIGTERM");
	const text = await says(/cannot be reached .*broker attic is silent/);
	expect(text).toMatch(/Redis redis:\S+ cannot be reached/);
	expect(text).toMatch(/it is heard through Redis only; what its nodes say is on its own disk/);
	expect(text).toMatch(/cannot be reached \([^)]*\)\. Nothing is lost: what it misses is written when it is back/);
	await load.goesOn(50);
	await redis.start();
	await isWhole();
});

it("Redis is flushed: status says that it was written again, and there is nothing to do", async () => {
	await redis.ask("flushall");
	await says(/Redis at \S+ had lost what came after record \d+: written again from the log, nothing is missing/);
	await load.goesOn(50);
	await isWhole();
});

it("Redis is started with a wrong setting: status names the line, and that line mends it", async () => {
	await redis.kill("SIGTERM");
	await redis.start("--maxmemory-policy", "allkeys-lru");
	const text = await says(/Redis redis:\S+ gets nothing/);
	expect(text).toMatch(/has maxmemory-policy allkeys-lru, with which it may lose records; it must be noeviction/);
	const [, line = ""] = /Mend it: redis-cli (CONFIG SET \S+ \S+)/.exec(text) ?? [];
	expect(line).toBe("CONFIG SET maxmemory-policy noeviction");
	await load.goesOn(50);
	const [command = "", ...rest] = line.split(" ");
	await redis.ask(command.toLowerCase(), ...rest);
	await isWhole();
});

it("the disk of a broker is full: status says so and that it thanks nobody; with room again it goes on by itself", async () => {
	writeFileSync(broker.diskFull, "");
	const text = await says(/broker attic is here, \d+ nodes[^:]*, and its disk is full/);
	expect(text).toMatch(/its disk is full: it thanks nobody, and its nodes keep what they have\. Free some space there/);
	const { acknowledged } = load;
	await says(/its disk is full/);
	expect(load.acknowledged).toBe(acknowledged);
	rmSync(broker.diskFull);
	await load.goesOn(50);
	await isWhole();
	expect(await page()).not.toMatch(/disk is full/);
});

it("LOSS-56 a broker is cut off: status says where to look; nothing that it holds is given up, and all comes in order", async () => {
	relay.cut(true);
	const text = await says(/broker attic is silent/);
	expect(text).toMatch(
		/what its nodes say is on its own disk\. Look there: does orion broker run as attic, does it reach Redis, and does Redis still know its user \(ACL LIST\)\?/,
	);
	expect(text).toMatch(/has a copy of every record/);
	await load.goesOn(50);
	await load.stop();
	// Its node comes to core's own broker with a later number and a later session: core now knows what it misses, and that the session is over.
	const there = await connect(mesh.mqttPort);
	await there.publishAsync("orion/v1/rover/evt/alert", event(load.acknowledged + 1), { qos: 1 });
	await there.publishAsync("orion/v1/rover/evt/alert", event(1, LATER), { qos: 1 });
	await there.endAsync();
	load.acknowledged += 1;
	const missingMs = (await until("the broker is silent", async () => (await status()).brokers?.[0]?.silentMs)) + 8_000;
	await until("it is away for longer than holes of ended sessions wait", async () =>
		((await status()).brokers?.[0]?.silentMs ?? 0) > missingMs ? true : undefined,
	);
	relay.cut(false);
	await until("core has it all", async () => ((await seqs()).length >= load.acknowledged ? true : undefined));
	expect((await seqs()).toSorted((left, right) => left - right)).toEqual(Array.from({ length: load.acknowledged }, (_, index) => index + 1));
	expect((await mesh.records()).filter(({ envelope }) => /log\.(gap|loss)|quarantine/.test(envelope.type))).toEqual([]);
	await says(/has a copy of every record .*broker attic is here/);
});
