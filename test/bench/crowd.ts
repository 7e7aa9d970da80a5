// Measures what many clients cost: how much later others hear when twenty never read, and how much memory a thousand connected ones take.
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { generate, type Packet, parser } from "mqtt-packet";
import { TestMesh, until } from "../support/mesh.ts";
import { type Figure, figure } from "./figures.ts";
import { quantile } from "./load.ts";
import { type PeerBroker, type PeerProgram, startBareAedes, startMosquitto, startPlainBroker } from "./peers.ts";

const FROZEN = 20;
const SECONDS = 6;
const PER_SECOND = 1_000;
const PAYLOAD_BYTES = 1_024;
const CLIENTS = 1_000;

const rssMegabytes = (pid: number): number => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? Number.NaN) / 1_024;
const pass = (ms: number): Promise<void> =>
	new Promise((resolve) => {
		setTimeout(resolve, ms);
	});

const open = async (port: number, clientId: string, more: Record<string, unknown> = {}): Promise<Socket> => {
	const socket = connect({ port, host: "127.0.0.1", noDelay: true });
	socket.on("error", () => undefined);
	const answered = new Promise<void>((resolve, reject) => {
		socket.once("data", (chunk: Buffer) => (chunk[3] === 0 ? resolve() : reject(new Error(`${clientId} was refused with ${chunk[3]}`))));
		socket.once("close", () => reject(new Error(`${clientId} was closed`)));
	});
	socket.write(generate({ cmd: "connect", protocolId: "MQTT", protocolVersion: 4, clean: true, clientId, keepalive: 60, ...more } as Packet));
	await answered;
	return socket;
};

const subscribe = (socket: Socket): void => {
	socket.write(generate({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "bench/x", qos: 0 }] } as Packet));
};

/** Milliseconds from a publish to its arrival at one reader, with this many others that never read. */
const hearing = async (port: number, frozen: number): Promise<readonly number[]> => {
	const ice = await Promise.all(Array.from({ length: frozen }, (_none, index) => open(port, `ice-${index}`)));
	for (const socket of ice) {
		subscribe(socket);
		socket.pause();
	}
	const reader = await open(port, "reader");
	const found: number[] = [];
	const decoder = parser();
	decoder.on("packet", (packet: Packet) => {
		if (packet.cmd === "publish") found.push(performance.now() - Number(packet.payload.toString("latin1", 0, 20)));
	});
	reader.on("data", (chunk: Buffer) => decoder.parse(chunk));
	subscribe(reader);
	const writer = await open(port, "writer");
	await pass(300);
	const beganMs = performance.now();
	let sent = 0;
	while (performance.now() - beganMs < SECONDS * 1_000) {
		const due = Math.floor(((performance.now() - beganMs) / 1_000) * PER_SECOND);
		for (; sent < due; sent += 1) {
			const payload = performance.now().toFixed(6).padEnd(20).padEnd(PAYLOAD_BYTES, "x");
			writer.write(generate({ cmd: "publish", topic: "bench/x", payload, qos: 0, dup: false, retain: false }));
		}
		await pass(1);
	}
	await pass(500);
	for (const socket of [...ice, reader, writer]) socket.destroy();
	// A message that never came is as late as the bench is long.
	while (found.length < sent) found.push(SECONDS * 1_000);
	return found;
};

const added = async (broker: PeerBroker): Promise<number> => {
	try {
		const calm = quantile(await hearing(broker.port, 0), 0.99);
		return Math.max(0.01, quantile(await hearing(broker.port, FROZEN), 0.99) - calm);
	} finally {
		broker.stop();
	}
};

/** Memory that a thousand connected clients add, each with one subscription. */
const crowd = async (pid: number, connected: (index: number) => Promise<Socket>): Promise<number> => {
	const before = rssMegabytes(pid);
	const sockets: Socket[] = [];
	for (let index = 0; index < CLIENTS; index += 50) sockets.push(...(await Promise.all(Array.from({ length: 50 }, (_none, more) => connected(index + more)))));
	await pass(1_000);
	const after = rssMegabytes(pid);
	for (const socket of sockets) socket.destroy();
	return Math.max(0.01, after - before);
};

const ourCrowd = async (): Promise<number> => {
	const limits = "{ connectionsMax: 4096, connectionsPerAddressMax: 4096, connectionsPerNodeMax: 4096 }";
	const mesh = await TestMesh.make(`node: host\nmqtt:\n  limits: ${limits}\n`);
	try {
		await mesh.start();
		const { username, password } = await mesh.ask<{ username: string; password: string }>("/nodes", {
			method: "POST",
			body: JSON.stringify({ node: "crowd" }),
		});
		const credentials = { username, password: Buffer.from(password) };
		(await open(mesh.mqttPort, "crowd.first", credentials)).destroy();
		await until("the mesh is calm", async () => ((await mesh.ask<{ core: { lag: number } }>("/state/status")).core.lag < 10 ? true : undefined));
		return await crowd(mesh.pid ?? 0, async (index) => {
			const socket = await open(mesh.mqttPort, `crowd.c${index}`, credentials);
			socket.write(generate({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "orion/v1/crowd/verdict", qos: 1 }] } as Packet));
			return socket;
		});
	} finally {
		await mesh.stop();
		await mesh.remove();
	}
};

const theirCrowd = async (broker: PeerBroker): Promise<number> => {
	try {
		return await crowd(broker.pid, async (index) => {
			const socket = await open(broker.port, `c${index}`);
			subscribe(socket);
			return socket;
		});
	} finally {
		broker.stop();
	}
};

export const crowdFigures = async (program: PeerProgram, say: (line: string) => void): Promise<readonly Figure[]> => {
	const ours = await added(await startPlainBroker());
	say(`frozen: ours +${ours.toFixed(1)} ms`);
	const theirs = await added(await startMosquitto(program));
	const bare = await added(await startBareAedes());
	say(`frozen: Mosquitto +${theirs.toFixed(1)} ms, bare library +${bare.toFixed(1)} ms`);
	const memory = await ourCrowd();
	const mosquitto = await theirCrowd(await startMosquitto(program));
	const library = await theirCrowd(await startBareAedes());
	say(`1,000 clients: ours ${memory.toFixed(1)} MB, Mosquitto ${mosquitto.toFixed(1)} MB, bare library ${library.toFixed(1)} MB`);
	return [
		figure("frozen.p99", ours, "ms", { name: "bare MQTT library", value: bare, unit: "ms" }, "< 100 ms", (value) => value < 100),
		figure("frozen.p99.mosquitto", ours, "ms", { name: "bare Mosquitto", value: theirs, unit: "ms" }, "< 100 ms", (value) => value < 100),
		figure("clients.1000", memory, "MB", { name: "bare Mosquitto", value: mosquitto, unit: "MB" }, "< 128 MB", (value) => value < 128),
		figure("clients.1000.library", memory, "MB", { name: "bare MQTT library", value: library, unit: "MB" }, "no bound", () => true),
	];
};
