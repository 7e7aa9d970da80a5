// Measures the mesh with a Redis: messages judged, on disk, acknowledged and mirrored; and what it costs in memory when that Redis is away.
import { readFileSync } from "node:fs";
import { TestMesh, until } from "../support/mesh.ts";
import { TestRedis } from "../support/redis.ts";
import { type Figure, figure } from "./figures.ts";
import { latencies, median, Publisher, quantile, type Target, throughput } from "./load.ts";
import { type PeerProgram, startBareAedes, startMosquitto } from "./peers.ts";
import { anybody, openAll, payloadOf } from "./wire.ts";

const ROUNDS = 3;
const SECONDS = 4;
const CONNECTIONS = 4;
const WINDOW = 256;
const CAUGHT_UP_WITHIN_MS = 300_000;
const PER_SECOND = 200;
const WARM_SECONDS = 15;

interface Status {
	readonly core: { readonly lag: number };
	readonly redis?: { readonly state: string; readonly upTo: number; readonly lag: number };
}
const statusOf = (mesh: TestMesh): Promise<Status> => mesh.ask<Status>("/state/status");

const targetOf = async (mesh: TestMesh, node: string): Promise<Target> => {
	const { username, password } = await mesh.ask<{ username: string; password: string }>("/nodes", { method: "POST", body: JSON.stringify({ node }) });
	return { port: mesh.mqttPort, username, password };
};

interface Loaded {
	readonly rate: number;
	/** From publish to PUBACK, of some of them. */
	readonly sampledMs: readonly number[];
}

const peerLoaded = async (port: number, run: string): Promise<Loaded> => {
	const publishers = await openAll(anybody(port), run);
	const loaded = await throughput(publishers, WINDOW, SECONDS);
	for (const publisher of publishers) publisher.close();
	return loaded;
};

/** From publish to PUBACK at 1,000 a second. */
const slowMs = async (target: Target, run: string): Promise<readonly number[]> => {
	const [publisher] = await openAll([target], run);
	if (publisher === undefined) throw new Error("no connection");
	const found = await latencies(publisher, 1_000, SECONDS);
	publisher.close();
	return found;
};

/** Milliseconds to PUBACK of ours and of the bare library with one XADD each: the median of the rounds. */
class Waits {
	readonly #rounds: { readonly ours: readonly number[]; readonly adding: readonly number[] }[] = [];
	readonly #name: string;

	constructor(name: string) {
		this.#name = name;
	}

	add(ours: readonly number[], adding: readonly number[]): void {
		this.#rounds.push({ ours, adding });
	}

	figures(): readonly Figure[] {
		return [
			["p50", 0.5],
			["p99", 0.99],
			["p999", 0.999],
		].map(([name, share]) => {
			const of = (whose: "ours" | "adding"): number => median(this.#rounds.map((round) => quantile(round[whose], Number(share))));
			const beside = { name: "bare MQTT library with one plain XADD each, no disk", value: of("adding"), unit: "ms" };
			return figure(`${this.#name}.${name}`, of("ours"), "ms", beside, "no bound", () => true);
		});
	}
}

/** Acknowledged a second, slowed as much as the last of them is later in Redis than it was acknowledged: what is caught up afterwards counts. */
const mirrored = async (mesh: TestMesh, nodes: readonly Target[], run: string, say: (line: string) => void): Promise<Loaded> => {
	const publishers = await openAll(nodes, run);
	const beganMs = performance.now();
	const { rate, sampledMs } = await throughput(publishers, WINDOW, SECONDS);
	const loadedMs = performance.now() - beganMs;
	const acknowledged = publishers.reduce((sum, publisher) => sum + publisher.acknowledged, 0);
	for (const publisher of publishers) publisher.close();
	const { redis } = await statusOf(mesh);
	const head = (redis?.upTo ?? 0) + (redis?.lag ?? 0);
	await until("everything is in Redis", async () => (((await statusOf(mesh)).redis?.upTo ?? 0) >= head ? true : undefined), CAUGHT_UP_WITHIN_MS);
	const tookMs = performance.now() - beganMs;
	say(`redis ${run}: ${acknowledged} acknowledged, ${redis?.lag} records behind at the end of the load, all of them mirrored after ${Math.round(tookMs)} ms`);
	await until("core has decided on everything", async () => ((await statusOf(mesh)).core.lag < 100 ? true : undefined), CAUGHT_UP_WITHIN_MS);
	return { rate: (rate * loadedMs) / tookMs, sampledMs };
};

export const ingestFigures = async (program: PeerProgram, say: (line: string) => void): Promise<readonly Figure[]> => {
	const redis = await TestRedis.start();
	// Nothing of the peer goes to disk: what Redis still writes for it would hold up the next one that is measured.
	const peerRedis = await TestRedis.start("--appendonly", "no");
	const mosquitto = await startMosquitto(program);
	const adding = await startBareAedes(peerRedis.url);
	const mesh = await TestMesh.make("node: host\n", ["--redis", redis.url]);
	try {
		await mesh.start();
		const nodes: Target[] = [];
		for (let index = 0; index < CONNECTIONS; index += 1) nodes.push(await targetOf(mesh, `bench-${index}`));
		const rates = { ours: [] as number[], mosquitto: [] as number[], adding: [] as number[] };
		const full = new Waits("puback.redis.full");
		const slow = new Waits("puback.redis");
		for (let round = 1; round <= ROUNDS; round += 1) {
			const theirs = await peerLoaded(mosquitto.port, `m${round}`);
			const added = await peerLoaded(adding.port, `x${round}`);
			const addedSlowMs = await slowMs({ port: adding.port }, `x${round}-slow`);
			await peerRedis.ask("flushall");
			const ours = await mirrored(mesh, nodes, `r${round}`, say);
			slow.add(await slowMs(nodes[0] ?? { port: mesh.mqttPort }, `r${round}-slow`), addedSlowMs);
			full.add(ours.sampledMs, added.sampledMs);
			rates.mosquitto.push(theirs.rate);
			rates.adding.push(added.rate);
			rates.ours.push(ours.rate);
			const [our, their, add] = [ours, theirs, added].map(({ rate }) => Math.round(rate));
			say(`redis round ${round} of ${ROUNDS}: ours ${our}/s, Mosquitto ${their}/s, bare library with one XADD each ${add}/s`);
		}
		const value = median(rates.ours);
		const bare = { name: "bare Mosquitto, no storage", value: median(rates.mosquitto), unit: "acks/s" };
		const library = { name: "bare MQTT library with one plain XADD each, no disk", value: median(rates.adding), unit: "acks/s" };
		return [
			figure("ingest.redis", value, "acks/s", bare, "ratio >= 0.35 (0.5)", (_, ratio) => ratio >= 0.35),
			figure("ingest.redis.xadd", value, "acks/s", library, "no bound", () => true),
			...full.figures(),
			...slow.figures(),
		];
	} finally {
		mosquitto.stop();
		adding.stop();
		await mesh.stop();
		await mesh.remove();
		await redis.end();
		await peerRedis.end();
	}
};

const rssMegabytes = (pid: number): number => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? Number.NaN) / 1_024;

const SLICE_SECONDS = 5;
/** With less than this of what was sent thanked for, the figure would be one of an idle mesh. */
const THANKED_SHARE = 0.9;

/** Events at a fixed rate for as long as they are asked for; over a new connection when the broker ended the one before. */
class SteadyLoad {
	readonly #target: Target;
	#publisher: Publisher | undefined;
	#isGone = false;
	#thankedBefore = 0;
	#seconds = 0;
	/** So many connections were ended by the broker. */
	cuts = 0;

	constructor(target: Target) {
		this.#target = target;
	}

	get acknowledged(): number {
		return this.#thankedBefore + (this.#publisher?.acknowledged ?? 0);
	}

	async run(seconds: number): Promise<void> {
		this.#seconds += seconds;
		for (let left = seconds; left > 0; left -= SLICE_SECONDS) {
			const publisher = this.#publisher === undefined || this.#isGone ? await this.#open() : this.#publisher;
			await latencies(publisher, PER_SECOND, Math.min(left, SLICE_SECONDS));
		}
		const sent = this.#seconds * PER_SECOND;
		if (this.acknowledged < sent * THANKED_SHARE)
			throw new Error(`only ${this.acknowledged} of ${sent} events were thanked for, ${this.cuts} connections ended`);
	}

	async #open(): Promise<Publisher> {
		if (this.#publisher !== undefined) this.cuts += 1;
		this.#thankedBefore = this.acknowledged;
		this.#publisher = undefined;
		const publisher = await Publisher.open(this.#target, "bench-0.down", "orion/v1/bench-0/evt/alert", payloadOf("bench-0", `down-${this.cuts}`));
		this.#isGone = false;
		publisher.onGone = () => {
			this.#isGone = true;
		};
		this.#publisher = publisher;
		return publisher;
	}

	close(): void {
		this.#publisher?.close();
	}
}

/** How much more than at its beginning the mesh ever took while it was loaded for so long. */
const growth = async (mesh: TestMesh, load: SteadyLoad, seconds: number): Promise<number> => {
	const pid = mesh.pid ?? 0;
	const before = rssMegabytes(pid);
	let most = before;
	const looking = setInterval(() => {
		most = Math.max(most, rssMegabytes(pid));
	}, 200);
	try {
		await load.run(seconds);
	} finally {
		clearInterval(looking);
	}
	return Math.max(0.01, most - before);
};

export const downFigures = async (seconds: number, say: (line: string) => void): Promise<readonly Figure[]> => {
	const redis = await TestRedis.start();
	const mesh = await TestMesh.make("node: host\n", ["--redis", redis.url]);
	try {
		await mesh.start();
		const load = new SteadyLoad(await targetOf(mesh, "bench-0"));
		// What a process takes to become warm is not what Redis costs.
		await load.run(WARM_SECONDS);
		const there = await growth(mesh, load, seconds);
		await redis.kill();
		await until("the mesh knows", async () => ((await statusOf(mesh)).redis?.state === "away" ? true : undefined));
		const away = await growth(mesh, load, seconds);
		const { acknowledged, cuts } = load;
		const { redis: behind } = await statusOf(mesh);
		load.close();
		const beganMs = performance.now();
		await redis.start();
		await until("Redis has everything", async () => ((await statusOf(mesh)).redis?.lag === 0 ? true : undefined), CAUGHT_UP_WITHIN_MS);
		const caughtUpMs = Math.round(performance.now() - beganMs);
		say(
			`redis away for ${seconds} s at ${PER_SECOND}/s: +${away.toFixed(1)} MB (there: +${there.toFixed(1)} MB), ${acknowledged} acknowledged, ${cuts} connections ended, ${behind?.lag} records behind, caught up in ${caughtUpMs} ms`,
		);
		const beside = { name: `the same ${seconds} s at ${PER_SECOND}/s with Redis there`, value: there, unit: "MB" };
		return [figure("redis-down.rss", away, "MB", beside, `< 64 MB within ${seconds} s`, (value) => value < 64)];
	} finally {
		await mesh.stop();
		await mesh.remove();
		await redis.end();
	}
};
