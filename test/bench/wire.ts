// Measures the door: QoS 1 messages authorised, judged, on disk and acknowledged, beside a bare Mosquitto that stores nothing.
import { TestMesh, until } from "../support/mesh.ts";
import { type Figure, figure } from "./figures.ts";
import { latencies, median, Publisher, quantile, type Target, throughput } from "./load.ts";
import { type PeerProgram, startBareAedes, startMosquitto } from "./peers.ts";

const ROUNDS = 3;
const SECONDS = 4;
const CONNECTIONS = 4;
const WINDOW = 256;
/** About fifty alerts in all: what a household has, and what the engine keeps a row for. */
const ALERTS_PER_NODE = 12;

/** About 300 bytes: what an alert of a node looks like. */
export const payloadOf =
	(node: string, run: string): ((n: number) => Buffer) =>
	(n) =>
		Buffer.from(
			`{"specversion":"1.0","id":"${run}-${n}","source":"/nodes/${node}","type":"dev.orion.alert.firing.v1","data":{"name":"bench-${n % ALERTS_PER_NODE}","severity":"info","summary":"message ${n} of a bench that wants to know how fast it goes","value":${n},"threshold":10,"labels":{"rack":"2","room":"cellar"}}}`,
		);

/** One connection for each node: a single node is read no faster than its measure. */
export const openAll = (targets: readonly Target[], run: string): Promise<readonly Publisher[]> =>
	Promise.all(
		targets.map((target, index) =>
			Publisher.open(target, `bench-${index}.${run}`, `orion/v1/bench-${index}/evt/alert`, payloadOf(`bench-${index}`, `${run}-${index}`)),
		),
	);

interface Measured {
	readonly rate: number;
	readonly fullP50: number;
	readonly fullP99: number;
	readonly fullP999: number;
	readonly p50: number;
	readonly p99: number;
	readonly p999: number;
}

const measure = async (targets: readonly Target[], run: string, calm: () => Promise<void>): Promise<Measured> => {
	const many = await openAll(targets, run);
	const { rate, sampledMs } = await throughput(many, WINDOW, SECONDS);
	for (const publisher of many) publisher.close();
	// The second figure is about 1,000 a second and not about what the first one left behind.
	await calm();
	const [one] = await openAll(targets.slice(0, 1), `${run}-slow`);
	if (one === undefined) throw new Error("no connection");
	const found = await latencies(one, 1_000, SECONDS);
	one.close();
	return {
		rate,
		fullP50: quantile(sampledMs, 0.5),
		fullP99: quantile(sampledMs, 0.99),
		fullP999: quantile(sampledMs, 0.999),
		p50: quantile(found, 0.5),
		p99: quantile(found, 0.99),
		p999: quantile(found, 0.999),
	};
};

export const anybody = (port: number): readonly Target[] => Array.from({ length: CONNECTIONS }, () => ({ port }));
const nothing = (): Promise<void> => Promise.resolve();

export const wireFigures = async (peer: PeerProgram, say: (line: string) => void): Promise<readonly Figure[]> => {
	const mosquitto = await startMosquitto(peer);
	const bare = await startBareAedes();
	const mesh = await TestMesh.make("node: host\n");
	try {
		await mesh.start();
		const nodes: Target[] = [];
		for (let index = 0; index < CONNECTIONS; index += 1) {
			const body = JSON.stringify({ node: `bench-${index}` });
			const { username, password } = await mesh.ask<{ username: string; password: string }>("/nodes", { method: "POST", body });
			nodes.push({ port: mesh.mqttPort, username, password });
		}
		const calm = async (): Promise<void> => {
			await until(
				"core has decided on everything",
				async () => ((await mesh.ask<{ core: { lag: number } }>("/state/status")).core.lag < 100 ? true : undefined),
				120_000,
			);
		};
		const ours: Measured[] = [];
		const theirs: Measured[] = [];
		const library: Measured[] = [];
		for (let round = 1; round <= ROUNDS; round++) {
			theirs.push(await measure(anybody(mosquitto.port), `m${round}`, nothing));
			library.push(await measure(anybody(bare.port), `a${round}`, nothing));
			ours.push(await measure(nodes, `o${round}`, calm));
			const rates = [ours, theirs, library].map((runs) => Math.round(runs.at(-1)?.rate ?? 0));
			say(`wire round ${round} of ${ROUNDS}: ours ${rates[0]}/s, Mosquitto ${rates[1]}/s, bare library ${rates[2]}/s`);
		}
		const of = (runs: readonly Measured[], name: keyof Measured): number => median(runs.map((run) => run[name]));
		const beside = (name: keyof Measured, unit: string) => ({ name: "bare Mosquitto, no storage", value: of(theirs, name), unit });
		const library0 = { name: "bare MQTT library, no storage", value: of(library, "rate"), unit: "acks/s" };
		return [
			figure("ingest.embedded", of(ours, "rate"), "acks/s", beside("rate", "acks/s"), "ratio >= 0.35 (0.5)", (_, ratio) => ratio >= 0.35),
			figure("ingest.library", of(ours, "rate"), "acks/s", library0, "no bound", () => true),
			figure("puback.full.p50", of(ours, "fullP50"), "ms", beside("fullP50", "ms"), "no bound", () => true),
			figure("puback.full.p99", of(ours, "fullP99"), "ms", beside("fullP99", "ms"), "no bound", () => true),
			figure("puback.full.p999", of(ours, "fullP999"), "ms", beside("fullP999", "ms"), "no bound", () => true),
			figure("puback.p50", of(ours, "p50"), "ms", beside("p50", "ms"), "< 1 ms", (value) => value < 1),
			figure("puback.p99", of(ours, "p99"), "ms", beside("p99", "ms"), "< 5 ms", (value) => value < 5),
			figure("puback.p999", of(ours, "p999"), "ms", beside("p999", "ms"), "no bound", () => true),
		];
	} finally {
		mosquitto.stop();
		bare.stop();
		await mesh.stop();
		await mesh.remove();
	}
};
