// Measures the door: QoS 1 messages authorised, judged, on disk and acknowledged, beside a bare Mosquitto that stores nothing.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, TestMesh, until } from "../support/mesh.ts";
import { type Figure, figure } from "./figures.ts";
import { latencies, median, Publisher, quantile, type Target, throughput } from "./load.ts";

const ROUNDS = 3;
const SECONDS = 4;
const CONNECTIONS = 4;
const WINDOW = 256;

/** About 300 bytes: what an alert of a node looks like. */
const payloadOf =
	(node: string, run: string): ((n: number) => Buffer) =>
	(n) =>
		Buffer.from(
			`{"specversion":"1.0","id":"${run}-${n}","source":"/nodes/${node}","type":"dev.orion.alert.firing.v1","data":{"name":"bench-${n % 50}","severity":"info","summary":"message ${n} of a bench that wants to know how fast it goes","value":${n},"threshold":10,"labels":{"rack":"2","room":"cellar"}}}`,
		);

const startMosquitto = async (command: string, env: NodeJS.ProcessEnv): Promise<{ readonly port: number; stop(): void }> => {
	const port = await freePort();
	const folder = mkdtempSync(join(tmpdir(), "orion-mosquitto-"));
	writeFileSync(
		join(folder, "conf"),
		`listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\nmax_inflight_messages 0\nlog_type none\nuser root\n`,
	);
	const child = spawn(command, ["-c", join(folder, "conf")], { env, stdio: "ignore" });
	await until(
		"mosquitto listens",
		() =>
			new Promise<true | undefined>((resolve) => {
				const socket = connect(port, "127.0.0.1");
				socket.once("connect", () => {
					socket.destroy();
					resolve(true);
				});
				socket.once("error", () => resolve(undefined));
			}),
	);
	return {
		port,
		stop: () => {
			child.kill("SIGKILL");
			rmSync(folder, { recursive: true, force: true });
		},
	};
};

/** One connection for each node: a single node is read no faster than its measure. */
const openAll = (targets: readonly Target[], run: string): Promise<readonly Publisher[]> =>
	Promise.all(
		targets.map((target, index) =>
			Publisher.open(target, `bench-${index}.${run}`, `orion/v1/bench-${index}/evt/alert`, payloadOf(`bench-${index}`, `${run}-${index}`)),
		),
	);

const measure = async (
	targets: readonly Target[],
	run: string,
	calm: () => Promise<void>,
): Promise<{ readonly rate: number; readonly p50: number; readonly p99: number }> => {
	const many = await openAll(targets, run);
	const rate = await throughput(many, WINDOW, SECONDS);
	for (const publisher of many) publisher.close();
	// The second figure is about 1,000 a second and not about what the first one left behind.
	await calm();
	const [one] = await openAll(targets.slice(0, 1), `${run}-slow`);
	if (one === undefined) throw new Error("no connection");
	const found = await latencies(one, 1_000, SECONDS);
	one.close();
	return { rate, p50: quantile(found, 0.5), p99: quantile(found, 0.99) };
};

export const wireFigures = async (
	peer: { readonly command: string; readonly env: NodeJS.ProcessEnv },
	say: (line: string) => void,
): Promise<readonly Figure[]> => {
	const mosquitto = await startMosquitto(peer.command, peer.env);
	const mesh = await TestMesh.make("node: host\n");
	try {
		await mesh.start();
		const nodes: Target[] = [];
		for (let index = 0; index < CONNECTIONS; index += 1) {
			const { username, password } = await mesh.ask<{ username: string; password: string }>("/nodes", {
				method: "POST",
				body: JSON.stringify({ node: `bench-${index}` }),
			});
			nodes.push({ port: mesh.mqttPort, username, password });
		}
		const calm = async (): Promise<void> => {
			await until(
				"core has decided on everything",
				async () => ((await mesh.ask<{ core: { lag: number } }>("/state/status")).core.lag < 100 ? true : undefined),
				120_000,
			);
		};
		const ours: Awaited<ReturnType<typeof measure>>[] = [];
		const theirs: Awaited<ReturnType<typeof measure>>[] = [];
		for (let round = 1; round <= ROUNDS; round++) {
			theirs.push(
				await measure(
					Array.from({ length: CONNECTIONS }, () => ({ port: mosquitto.port })),
					`m${round}`,
					() => Promise.resolve(),
				),
			);
			ours.push(await measure(nodes, `o${round}`, calm));
			say(`wire round ${round} of ${ROUNDS}: ours ${Math.round(ours.at(-1)?.rate ?? 0)}/s, Mosquitto ${Math.round(theirs.at(-1)?.rate ?? 0)}/s`);
		}
		const of = (runs: typeof ours, name: "rate" | "p50" | "p99"): number => median(runs.map((run) => run[name]));
		const beside = (name: "rate" | "p50" | "p99", unit: string) => ({ name: "bare Mosquitto, no storage", value: of(theirs, name), unit });
		return [
			figure("ingest.embedded", of(ours, "rate"), "acks/s", beside("rate", "acks/s"), "ratio >= 0.35 (0.5)", (_, ratio) => ratio >= 0.35),
			figure("puback.p50", of(ours, "p50"), "ms", beside("p50", "ms"), "< 1 ms", (value) => value < 1),
			figure("puback.p99", of(ours, "p99"), "ms", beside("p99", "ms"), "< 5 ms", (value) => value < 5),
		];
	} finally {
		mosquitto.stop();
		await mesh.stop();
		await mesh.remove();
	}
};
