// Shows that no death of agent, broker elsewhere, core and Redis, alone or in pairs, and no Redis that goes back or forgets, loses or doubles what a node accepted: LOSS-48, LOSS-49.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { keyIdOf } from "../../core/service/keys.ts";
import { listOf, textOf } from "../../log/redis-connection.ts";
import { dataOf, LOG_STREAM } from "../../log/redis-place.ts";
import { BrokerProcess } from "../support/broker-process.ts";
import { ORION, TestMesh, until } from "../support/mesh.ts";
import { seeded } from "../support/random.ts";
import { TestRedis } from "../support/redis.ts";
import { ChaosNode } from "./chaos-node.ts";
import { lanesOf, Reader } from "./network-rounds.ts";

const KILLED = ["agent", "broker", "core", "redis", "agent+broker", "agent+core", "agent+redis", "broker+core", "broker+redis", "core+redis"] as const;
/** What Redis alone can do to those who trust it: forget all, lose what was not synced, become an older copy of itself; beside a core that is killed, too. */
const FORGETS = ["flush", "power", "older", "core+power", "broker+older"] as const;
const FAULTS = [...KILLED, ...FORGETS];
type FaultName = (typeof FAULTS)[number];

export interface BusCounts {
	readonly rounds: number;
	readonly faults: Readonly<Partial<Record<FaultName, number>>>;
	readonly kills: { readonly agent: number; readonly broker: number; readonly core: number; readonly redis: number };
	/** Bytes of Redis' file that its power cuts took. */
	readonly redisBytesLost: number;
	readonly accepted: number;
	/** In core's log. */
	readonly missing: number;
	readonly twice: number;
	readonly quarantined: number;
	/** In `orion:log` of Redis, beside core's log: entries that are missing, another record, or under another number. */
	readonly mirrored: number;
	readonly mirroredWrong: number;
	readonly mirroredMissing: number;
	readonly lanes: number;
	readonly lanesOpen: number;
	readonly highest: number;
	readonly drainedWithinMsMax: number;
}

interface Status {
	readonly mesh: string;
	readonly redis?: { readonly state: string; readonly lag: number; readonly upTo: number };
}
interface Granted {
	readonly acl: string;
	readonly command: string;
}

const DRAINED_WITHIN_MS = 90_000;
const PAGE_RECORDS = 1_000;

const lasts = (random: () => number, minMs: number, maxMs: number): Promise<void> =>
	new Promise((resolve) => {
		setTimeout(resolve, minMs + random() * (maxMs - minMs));
	});

/** Core without a broker, Redis, a broker with its spool, and a node: each its own process. */
class Parts {
	readonly redis: TestRedis;
	readonly mesh: TestMesh;
	readonly broker: BrokerProcess;
	readonly node: ChaosNode;
	readonly reader: Reader;
	readonly kills = { agent: 0, broker: 0, core: 0, redis: 0 };
	redisBytesLost = 0;
	drainedWithinMsMax = 0;
	/** So much of Redis' file is taken for synced. */
	#syncedBytes = 0;
	#hasOlder = false;

	constructor(redis: TestRedis, mesh: TestMesh, broker: BrokerProcess, node: ChaosNode) {
		this.redis = redis;
		this.mesh = mesh;
		this.broker = broker;
		this.node = node;
		this.reader = new Reader(mesh);
	}

	async #end(part: string, random: () => number): Promise<void> {
		switch (part) {
			case "agent":
				await this.node.kill();
				this.kills.agent += 1;
				break;
			case "broker":
				await this.broker.kill();
				this.kills.broker += 1;
				break;
			case "core":
				await this.mesh.kill();
				this.kills.core += 1;
				break;
			case "flush":
				await this.redis.ask("flushall");
				break;
			case "power": {
				const before = this.redis.appendedBytes();
				const left = this.#syncedBytes + Math.floor(random() * (Math.max(before, this.#syncedBytes) - this.#syncedBytes));
				await this.redis.cutPower(left);
				this.redisBytesLost += before - left;
				this.kills.redis += 1;
				break;
			}
			default:
				await this.redis.kill();
				this.kills.redis += 1;
				if (part === "older" && this.#hasOlder) this.redis.putBack("older");
		}
	}

	async #begin(part: string): Promise<void> {
		if (part === "flush") return;
		if (part === "agent") await this.node.start();
		else if (part === "broker") await this.broker.start();
		else if (part === "core") await this.mesh.start();
		else await this.redis.start();
	}

	async fault(name: FaultName, random: () => number): Promise<void> {
		const parts = name.split("+");
		await Promise.all(parts.map((part) => this.#end(part, random)));
		await lasts(random, 0, 400);
		const late = random() < 0.5 ? parts : parts.toReversed();
		// One after the other: who comes first meets a mesh without the other.
		for (const part of late) {
			await this.#begin(part);
			await lasts(random, 0, 200);
		}
		this.#syncedBytes = this.redis.appendedBytes();
		if (random() < 0.5) return;
		this.redis.keep("older");
		this.#hasOlder = true;
	}

	async drained(): Promise<void> {
		const beganMs = performance.now();
		const waitedFor = [...this.node.accepted];
		await until(
			"everything that was accepted is in core's log, and its log in Redis",
			async () => {
				await this.reader.read();
				if (!waitedFor.every((summary) => this.reader.seen.has(summary))) return undefined;
				const { redis } = await this.mesh.ask<Status>("/state/status");
				return redis?.state === "mirroring" && redis.lag === 0 ? true : undefined;
			},
			DRAINED_WITHIN_MS,
		);
		this.drainedWithinMsMax = Math.max(this.drainedWithinMsMax, performance.now() - beganMs);
	}

	/** Every entry of the mirror beside the record of the same number. */
	async mirror(): Promise<Pick<BusCounts, "mirrored" | "mirroredWrong" | "mirroredMissing">> {
		const records = await this.mesh.records();
		const expected = new Map(records.map(({ position, envelope }) => [`${position}-0`, envelope.id]));
		const lastPosition = records.at(-1)?.position ?? 0;
		await until("the mirror has what was read", async () =>
			((await this.mesh.ask<Status>("/state/status")).redis?.upTo ?? 0) >= lastPosition ? true : undefined,
		);
		let mirrored = 0;
		let wrong = 0;
		for (let from = "-"; ; ) {
			const page = listOf(await this.redis.ask("xrange", LOG_STREAM, from, "+", "COUNT", String(PAGE_RECORDS)));
			for (const entry of page) {
				const id = textOf(listOf(entry)[0]);
				from = `(${id}`;
				// What core wrote after it was read is not compared.
				if (Number(id.split("-")[0]) > lastPosition) continue;
				mirrored += 1;
				const said = JSON.parse(new TextDecoder().decode(dataOf(entry))) as { readonly id?: string };
				if (said.id === undefined || expected.get(id) !== said.id) wrong += 1;
				expected.delete(id);
			}
			if (page.length < PAGE_RECORDS) break;
		}
		return { mirrored, mirroredWrong: wrong, mirroredMissing: expected.size };
	}

	async end(): Promise<void> {
		await this.node.kill();
		await this.broker.end();
		await this.mesh.remove();
		await this.redis.end();
	}
}

const prepare = async (): Promise<Parts> => {
	const redis = await TestRedis.start();
	const mesh = await TestMesh.make(`redis:\n  url: ${redis.url}\n  brokers: [attic]\n`, ["--no-broker"], "core");
	await mesh.start();
	const { stdout } = await promisify(execFile)(process.execPath, [ORION, "broker", "add", "attic", "--json", "--data", mesh.data]);
	const { acl, command } = JSON.parse(stdout) as Granted;
	const [verb = "", ...rest] = acl.split(" ");
	await redis.ask(verb, ...rest);
	await redis.ask("acl", "save");
	const broker = new BrokerProcess(command);
	await broker.start();
	const { x: publicKey } = JSON.parse(readFileSync(join(mesh.data, "core/core-key.json"), "utf8")) as { readonly x: string };
	const { mesh: name } = await mesh.ask<Status>("/state/status");
	const host = { schema: "orion.node-config/1", mesh: name, coreKeys: [{ keyId: keyIdOf(publicKey), publicKey }] };
	const node = await ChaosNode.make(mesh, broker.port, host);
	return new Parts(redis, mesh, broker, node);
};

export const runBusRounds = async (options: { readonly rounds: number; readonly seed: number; readonly say: (line: string) => void }): Promise<BusCounts> => {
	const random = seeded(options.seed);
	const parts = await prepare();
	const { node, reader } = parts;
	try {
		await node.start();
		// Once everything works, whatever comes later is a fault's doing.
		await until("the node is heard", () => (node.accepted.size > 0 ? true : undefined));
		await parts.drained();
		const faults: Partial<Record<FaultName, number>> = {};
		for (let round = 1; round <= options.rounds; round += 1) {
			// Each fault in its turn, so that few rounds see them all; when and for how long is chance.
			const name = FAULTS[(round - 1) % FAULTS.length] ?? "redis";
			await lasts(random, 100, 500);
			await parts.fault(name, random);
			faults[name] = (faults[name] ?? 0) + 1;
			// Sometimes the next fault meets those that still drain.
			if (random() < 0.4) await parts.drained();
			options.say(`round ${round} of ${options.rounds}: ${name}; ${node.accepted.size} accepted, ${reader.seen.size} seen in core's log`);
		}
		await node.quiet();
		await parts.drained();
		const mirror = await parts.mirror();
		await node.kill();
		return {
			rounds: options.rounds,
			faults,
			kills: parts.kills,
			redisBytesLost: parts.redisBytesLost,
			accepted: node.accepted.size,
			missing: [...node.accepted].filter((summary) => !reader.seen.has(summary)).length,
			twice: [...reader.seen.values()].filter((count) => count > 1).length,
			quarantined: reader.quarantined,
			...mirror,
			...(await lanesOf(parts.mesh)),
			drainedWithinMsMax: Math.round(parts.drainedWithinMsMax),
		};
	} finally {
		await parts.end();
	}
};

export const isCarried = (counts: BusCounts): boolean =>
	counts.accepted > 0 &&
	counts.missing === 0 &&
	counts.twice === 0 &&
	counts.quarantined === 0 &&
	counts.mirrored > counts.accepted &&
	counts.mirroredWrong === 0 &&
	counts.mirroredMissing === 0 &&
	counts.lanes > 0 &&
	counts.lanesOpen === 0;
