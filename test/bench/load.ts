// Connects benches to any MQTT broker: QoS 1 publishes with a window in flight, or at a fixed rate, and the time to each PUBACK.
import { connect, type Socket } from "node:net";
import { generate } from "mqtt-packet";

export interface Target {
	readonly port: number;
	readonly username?: string;
	readonly password?: string;
}

/** The payload of message n; the same for every broker in a run. */
export type Payload = (n: number) => Buffer;

const PUBACK = 4;
const CONNACK = 2;

const remainingLength = (bytes: number): Buffer => {
	const digits: number[] = [];
	let left = bytes;
	do {
		digits.push((left % 128) | (left >= 128 ? 128 : 0));
		left = Math.floor(left / 128);
	} while (left > 0);
	return Buffer.from(digits);
};

const publishPacket = (topic: Buffer, messageId: number, payload: Buffer): Buffer => {
	const length = 2 + topic.length + 2 + payload.length;
	const head = Buffer.concat([
		Buffer.from([0x32]),
		remainingLength(length),
		Buffer.from([topic.length >> 8, topic.length & 255]),
		topic,
		Buffer.from([messageId >> 8, messageId & 255]),
	]);
	return Buffer.concat([head, payload]);
};

/** One connection that counts PUBACKs; everything it is sent is small, so packets are cut by hand. */
export class Publisher {
	readonly #socket: Socket;
	readonly #topic: Buffer;
	readonly #payload: Payload;
	readonly #sentMs = new Float64Array(65_536);
	#rest: Buffer = Buffer.alloc(0);
	#number = 0;
	#messageId = 0;
	acknowledged = 0;
	onAck: (latencyMs: number) => void = () => undefined;
	/** The connection ended, and not by us. */
	onGone: () => void = () => undefined;

	private constructor(socket: Socket, topic: string, payload: Payload) {
		this.#socket = socket;
		this.#topic = Buffer.from(topic);
		this.#payload = payload;
	}

	static async open(target: Target, clientId: string, topic: string, payload: Payload): Promise<Publisher> {
		const socket = connect(target.port, "127.0.0.1");
		socket.setNoDelay(true);
		await new Promise<void>((resolve, reject) => {
			socket.once("connect", resolve);
			socket.once("error", reject);
		});
		const publisher = new Publisher(socket, topic, payload);
		const credentials = target.username === undefined ? {} : { username: target.username, password: Buffer.from(target.password ?? "") };
		socket.write(generate({ cmd: "connect", protocolId: "MQTT", protocolVersion: 4, clean: true, clientId, keepalive: 60, ...credentials }));
		await new Promise<void>((resolve, reject) => {
			socket.once("data", (first: Buffer) => {
				if (first[0] === CONNACK << 4 && first[3] === 0) resolve();
				else reject(new Error(`${clientId}: refused with ${first[3]}`));
			});
			socket.once("close", () => reject(new Error(`${clientId}: closed before CONNACK`)));
		});
		socket.on("data", (chunk: Buffer) => publisher.#take(chunk));
		socket.on("error", () => undefined);
		socket.once("close", () => publisher.onGone());
		return publisher;
	}

	/** Sends `count` messages in one write. */
	send(count: number): void {
		const packets: Buffer[] = [];
		const now = performance.now();
		for (let index = 0; index < count; index++) {
			this.#messageId = (this.#messageId % 65_535) + 1;
			this.#sentMs[this.#messageId] = now;
			this.#number += 1;
			packets.push(publishPacket(this.#topic, this.#messageId, this.#payload(this.#number)));
		}
		this.#socket.write(packets.length === 1 && packets[0] !== undefined ? packets[0] : Buffer.concat(packets));
	}

	close(): void {
		this.onGone = () => undefined;
		this.#socket.destroy();
	}

	#take(chunk: Buffer): void {
		const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
		let at = 0;
		while (at + 2 <= bytes.length && at + 2 + (bytes[at + 1] ?? 0) <= bytes.length) {
			if ((bytes[at] ?? 0) >> 4 === PUBACK) {
				this.acknowledged += 1;
				this.onAck(performance.now() - (this.#sentMs[bytes.readUInt16BE(at + 2)] ?? 0));
			}
			at += 2 + (bytes[at + 1] ?? 0);
		}
		this.#rest = bytes.subarray(at);
	}
}

const pass = (ms: number): Promise<void> =>
	new Promise((resolve) => {
		setTimeout(resolve, ms);
	});

/** One acknowledgement in so many is timed at full load: the loader must not become the bottleneck. */
const SAMPLE_EVERY = 16;

/** Acknowledgements per second with `window` in flight on each connection, and how long some of them took. */
export const throughput = async (
	publishers: readonly Publisher[],
	window: number,
	seconds: number,
): Promise<{ readonly rate: number; readonly sampledMs: readonly number[] }> => {
	const sampledMs: number[] = [];
	let seen = 0;
	let stopped = false;
	for (const publisher of publishers) {
		let due = 0;
		publisher.onAck = (ms) => {
			due += 1;
			seen += 1;
			if (seen % SAMPLE_EVERY === 0) sampledMs.push(ms);
			// Refilled by quarters, so that the loader's own writes do not become the bottleneck.
			if (due < window / 4 || stopped) return;
			publisher.send(due);
			due = 0;
		};
		publisher.send(window);
	}
	await pass(1_000);
	const before = publishers.reduce((sum, publisher) => sum + publisher.acknowledged, 0);
	const beganMs = performance.now();
	await pass(seconds * 1_000);
	const count = publishers.reduce((sum, publisher) => sum + publisher.acknowledged, 0) - before;
	const rate = count / ((performance.now() - beganMs) / 1_000);
	stopped = true;
	await pass(300);
	return { rate, sampledMs };
};

/** Milliseconds to each PUBACK at a fixed rate per second. */
export const latencies = async (publisher: Publisher, perSecond: number, seconds: number): Promise<readonly number[]> => {
	const found: number[] = [];
	publisher.onAck = (ms) => found.push(ms);
	const beganMs = performance.now();
	let sent = 0;
	while (performance.now() - beganMs < seconds * 1_000) {
		const due = Math.floor(((performance.now() - beganMs) / 1_000) * perSecond) - sent;
		for (let index = 0; index < due; index++) publisher.send(1);
		sent += Math.max(due, 0);
		await pass(1);
	}
	await pass(200);
	return found;
};

export const quantile = (values: readonly number[], share: number): number => {
	const sorted = [...values].sort((a, b) => a - b);
	return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
};

export const median = (values: readonly number[]): number => quantile(values, 0.5);
