// Shows what an hour at 200 events a second without core, or without Redis, leaves at a broker elsewhere, and how it drains: all of it in order per lane, memory bounded, while core's own nodes are thanked as before (LOSS-58, LOSS-59).
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { latencies, Publisher, quantile, type Target } from "../bench/load.ts";
import { BrokerProcess } from "../support/broker-process.ts";
import { type LogLine, ORION, TestMesh, until } from "../support/mesh.ts";
import { TestRedis } from "../support/redis.ts";

export interface HourCounts {
	readonly away: Away;
	/** Thanked for at the broker elsewhere meanwhile, over how many nodes and how fast. */
	readonly events: number;
	readonly nodes: number;
	/** A disk that takes longer than half a second for a write ends the connection of who waits: the node says it again. */
	readonly reconnects: number;
	readonly pouredPerSecond: number;
	readonly drainedPerSecond: number;
	readonly drainedInMs: number;
	/** In core's log: of those nodes, in the order of their numbers; missing, twice or out of order; holes, losses and quarantine. */
	readonly inOrder: number;
	readonly outOfOrder: number;
	readonly facts: number;
	/** PUBACK at core's own door, 200 a second: before, meanwhile (unless it is core that is away), and while it drains. */
	readonly live: number;
	readonly liveP50BeforeMs: number;
	readonly liveP99BeforeMs: number;
	readonly liveP99MeanwhileMs?: number;
	readonly liveP50Ms: number;
	readonly liveP99Ms: number;
	/** Records that the copy in Redis lacks at the end. */
	readonly notMirrored: number;
	/** Most memory, megabytes: of the broker and of core, and of Redis while core was away. */
	readonly brokerMb: number;
	readonly coreMb: number;
	readonly redisMb?: number;
}

/** What is gone for an hour. */
export type Away = "core" | "redis";

const NODES = 4;
const WINDOW = 256;
const LIVE_PER_SECOND = 200;
const LIVE_BEFORE_SECONDS = 15;
const LIVE_SLICE_SECONDS = 2;
const SESSION = "7.0123456789abcdef";
const PAGE_RECORDS = 1_000;
const WITHIN_MS = 1_800_000;

interface Status {
	readonly mesh: string;
	readonly brokers?: readonly { readonly broker: string; readonly state: string; readonly lag: number }[];
	readonly redis?: { readonly upTo: number; readonly lag: number };
}

const payloadOf =
	(mesh: string, node: string) =>
	(seq: number): Buffer =>
		Buffer.from(
			`{"specversion":"1.0","id":"${node}-${seq}","source":"/nodes/${node}","type":"dev.orion.alert.firing.v1","mesh":"${mesh}","session":"${SESSION}","lane":"event","seq":${seq},"mono":${seq},"time":"2026-01-01T00:00:00.000Z","data":{"name":"n${seq % 12}","severity":"info","summary":"number ${seq}"}}`,
		);

/** So many messages, each thanked for before it is over; false: the connection ended first. */
const pour = (publisher: Publisher, count: number): Promise<boolean> =>
	new Promise((resolve) => {
		publisher.onGone = () => resolve(false);
		let [sent, due] = [0, 0];
		const send = (wanted: number): void => {
			const now = Math.min(wanted, count - sent);
			sent += now;
			if (now > 0) publisher.send(now);
		};
		publisher.onAck = () => {
			due += 1;
			if (publisher.acknowledged === count) resolve(true);
			if (due < WINDOW / 4) return;
			send(due);
			due = 0;
		};
		send(WINDOW);
	});

const megabytes = (pid: number | undefined): number =>
	Math.round(Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? Number.NaN) / 1_024);

class Hour {
	readonly redis: TestRedis;
	readonly mesh: TestMesh;
	readonly broker: BrokerProcess;
	readonly name: string;
	readonly #passwords = new Map<string, string>();
	/** What core's own node has said: said again, it would only be a duplicate. */
	#liveSaid = 0;

	private constructor(redis: TestRedis, mesh: TestMesh, broker: BrokerProcess, name: string) {
		this.redis = redis;
		this.mesh = mesh;
		this.broker = broker;
		this.name = name;
	}

	static async begin(): Promise<Hour> {
		const redis = await TestRedis.start();
		const mesh = await TestMesh.make(`redis:\n  url: ${redis.url}\n  brokers: [attic]\n`, [], "core");
		await mesh.start();
		const { mesh: name } = await mesh.ask<Status>("/state/status");
		const { stdout } = await promisify(execFile)(process.execPath, [ORION, "broker", "add", "attic", "--json", "--data", mesh.data]);
		const { acl, command } = JSON.parse(stdout) as { readonly acl: string; readonly command: string };
		const [verb = "", ...rest] = acl.split(" ");
		await redis.ask(verb, ...rest);
		// As the operator is told to: or Redis forgets the user when it starts again.
		await redis.ask("acl", "save");
		const broker = new BrokerProcess(command);
		await broker.start();
		return new Hour(redis, mesh, broker, name);
	}

	async target(node: string, port: number): Promise<Target> {
		const known = this.#passwords.get(node);
		const password = known ?? (await this.mesh.ask<{ password: string }>("/nodes", { method: "POST", body: JSON.stringify({ node }) })).password;
		this.#passwords.set(node, password);
		return { port, username: node, password };
	}

	/** `after`: so many it has said before. */
	open(target: Target, after = 0): Promise<Publisher> {
		const node = target.username ?? "";
		const payload = payloadOf(this.name, node);
		return Publisher.open(target, node, `orion/v1/${node}/evt/alert`, (number) => payload(number + after));
	}

	/** 200 a second at core's own door while `work` says so; a connection that ends is an error. */
	async live<T>(door: Target, work: (live: Publisher) => Promise<T>): Promise<T> {
		const live = await this.open(door, this.#liveSaid);
		const gone = new Promise<never>((_, reject) => {
			live.onGone = () => reject(new Error("core's own node was disconnected"));
		});
		try {
			return await Promise.race([work(live), gone]);
		} finally {
			this.#liveSaid += live.acknowledged;
			live.close();
		}
	}

	/** As a node does it: whose connection ended says again what was not thanked for. Resolves with how often that was. */
	async pourAll(target: Target, count: number): Promise<number> {
		for (let [thanked, cuts] = [0, 0]; ; cuts += 1) {
			const publisher = await until("a connection", () => this.open(target, thanked).catch(() => undefined));
			const isAll = await pour(publisher, count - thanked);
			publisher.close();
			if (isAll) return cuts;
			// Thanks come in the order in which it was said.
			thanked += publisher.acknowledged;
		}
	}

	async line(): Promise<{ readonly state: string; readonly lag: number } | undefined> {
		return (await this.mesh.ask<Status>("/state/status")).brokers?.[0];
	}

	async end(): Promise<void> {
		await this.broker.end();
		await this.mesh.remove();
		await this.redis.end();
	}
}

/** Page by page: a log of an hour is not held at once. */
const ordered = async (mesh: TestMesh): Promise<Pick<HourCounts, "inOrder" | "outOfOrder" | "facts">> => {
	const next = new Map<string, number>();
	let [inOrder, outOfOrder, facts] = [0, 0, 0];
	for (let from: number | null = 1; from !== null; ) {
		const page: { readonly records: readonly LogLine[]; readonly next: number | null } = await mesh.ask(`/state/log?from=${from}&limit=${PAGE_RECORDS}`);
		for (const { envelope } of page.records) {
			if (/log\.(gap|loss)|quarantine/.test(envelope.type)) facts += 1;
			if (!envelope.source.startsWith("/nodes/hour-") || envelope.type !== "dev.orion.alert.firing.v1") continue;
			const due = next.get(envelope.source) ?? 1;
			if (envelope.seq === due) inOrder += 1;
			else outOfOrder += 1;
			next.set(envelope.source, due + 1);
		}
		from = page.next;
	}
	return { inOrder, outOfOrder, facts };
};

const redisMegabytes = async (redis: TestRedis): Promise<number> => {
	const said = (await redis.ask("info", "memory")) as Uint8Array;
	return Math.round(Number(/used_memory_peak:(\d+)/.exec(Buffer.from(said).toString())?.[1] ?? Number.NaN) / 1_048_576);
};

/** How far the copy is behind the log once it had the time to follow: what comes all the time leaves it some records behind. */
const lacking = async ({ mesh, redis }: Hour): Promise<number> => {
	await until("the copy follows", async () => ((await mesh.ask<Status>("/state/status")).redis?.lag === 0 ? true : undefined), 120_000);
	const head = (await mesh.ask<Status>("/state/status")).redis?.upTo ?? Number.NaN;
	return head - Number(await redis.ask("xlen", "orion:log"));
};

/** Live traffic while it drains, slice by slice, until the spool is empty. */
const drain = async (hour: Hour, live: Publisher, say: (line: string) => void): Promise<{ readonly foundMs: readonly number[]; readonly tookMs: number }> => {
	const foundMs: number[] = [];
	const beganMs = performance.now();
	let lastSaidMs = 0;
	for (;;) {
		const slice = await latencies(live, LIVE_PER_SECOND, LIVE_SLICE_SECONDS);
		for (const ms of slice) foundMs.push(ms);
		const line = await hour.line();
		const tookMs = performance.now() - beganMs;
		if (line?.state === "here" && line.lag === 0) return { foundMs, tookMs };
		if (tookMs > WITHIN_MS) throw new Error(`not drained within ${WITHIN_MS} ms: ${line?.lag} records are left`);
		if (tookMs - lastSaidMs < 10_000) continue;
		lastSaidMs = tookMs;
		say(`${line?.lag} records are left after ${Math.round(tookMs / 1_000)} s, newest p99 of live ${quantile(slice, 0.99).toFixed(1)} ms`);
	}
};

/** Slice by slice until the other work is done. */
const besides = async (live: Publisher, work: Promise<unknown>): Promise<readonly number[]> => {
	let isOver = false;
	const over = work.finally(() => {
		isOver = true;
	});
	const foundMs: number[] = [];
	while (!isOver) for (const ms of await latencies(live, LIVE_PER_SECOND, LIVE_SLICE_SECONDS)) foundMs.push(ms);
	await over;
	return foundMs;
};

const fixed = (ms: number): number => Number(ms.toFixed(1));

/** While core, or Redis, is away: everything is said to the broker elsewhere, and to core's own door if core is there. */
const meanwhile = async (hour: Hour, away: Away, door: Target, pouring: () => Promise<readonly number[]>) => {
	const { mesh, redis } = hour;
	if (away === "core") {
		await mesh.kill();
		const cuts = await pouring();
		const redisMb = await redisMegabytes(redis);
		await mesh.start();
		await until("core knows how much there is", async () => (((await hour.line())?.lag ?? 0) > 0 ? true : undefined));
		return { cuts, seen: { redisMb } };
	}
	await redis.kill();
	const poured = pouring();
	const liveMs = await hour.live(door, (live) => besides(live, poured));
	const cuts = await poured;
	// Once it is silent to core, what it says next is how much there is.
	await until("the broker elsewhere is silent", async () => ((await hour.line())?.state === "silent" ? true : undefined));
	await redis.start();
	return { cuts, seen: { liveP99MeanwhileMs: fixed(quantile(liveMs, 0.99)) } };
};

export const runHour = async (options: { readonly events: number; readonly away: Away; readonly say: (line: string) => void }): Promise<HourCounts> => {
	const { events, away, say } = options;
	const hour = await Hour.begin();
	const { mesh, broker } = hour;
	try {
		const targets: Target[] = [];
		for (let index = 0; index < NODES; index += 1) targets.push(await hour.target(`hour-${index}`, broker.port));
		const door = await hour.target("live", mesh.mqttPort);
		// Made last: when the broker lets this one in, it knows the others, and nobody was refused meanwhile.
		const last = await hour.target("last", broker.port);
		(await until("the register", () => hour.open(last).catch(() => undefined))).close();
		const beforeMs = await hour.live(door, (live) => latencies(live, LIVE_PER_SECOND, LIVE_BEFORE_SECONDS));
		say(`${away} goes away; ${events} events are said to the broker elsewhere`);
		const each = Math.floor(events / NODES);
		let pouredMs = 0;
		const pouring = async (): Promise<readonly number[]> => {
			const fromMs = performance.now();
			const cuts = await Promise.all(targets.map((target) => hour.pourAll(target, each)));
			pouredMs = performance.now() - fromMs;
			return cuts;
		};
		const { cuts, seen } = await meanwhile(hour, away, door, pouring);
		const { foundMs, tookMs } = await hour.live(door, (live) => drain(hour, live, say));
		return {
			away,
			events: each * NODES,
			nodes: NODES,
			reconnects: cuts.reduce((sum, count) => sum + count, 0),
			pouredPerSecond: Math.round((each * NODES * 1_000) / pouredMs),
			drainedPerSecond: Math.round((each * NODES * 1_000) / tookMs),
			drainedInMs: Math.round(tookMs),
			...(await ordered(mesh)),
			live: foundMs.length,
			liveP50BeforeMs: fixed(quantile(beforeMs, 0.5)),
			liveP99BeforeMs: fixed(quantile(beforeMs, 0.99)),
			liveP50Ms: fixed(quantile(foundMs, 0.5)),
			liveP99Ms: fixed(quantile(foundMs, 0.99)),
			notMirrored: await lacking(hour),
			brokerMb: megabytes(broker.pid),
			coreMb: megabytes(mesh.pid),
			...seen,
		};
	} finally {
		await hour.end();
	}
};

const LIVE_P99_TIMES_MAX = 10;
const LIVE_P99_FLOOR_MS = 100;
const MEMORY_MAX_MB = 768;

/** Everything once and in order, memory bounded, and live traffic at most so much slower than before. */
export const isDrained = (counts: HourCounts): boolean =>
	counts.inOrder === counts.events &&
	counts.outOfOrder === 0 &&
	counts.facts === 0 &&
	counts.notMirrored <= 0 &&
	counts.live > 0 &&
	counts.liveP99Ms <= Math.max(LIVE_P99_FLOOR_MS, LIVE_P99_TIMES_MAX * counts.liveP99BeforeMs) &&
	counts.brokerMb <= MEMORY_MAX_MB &&
	counts.coreMb <= MEMORY_MAX_MB;
