// Connects broker tests to a real broker on a free port, real MQTT clients and raw sockets; the intake behaves like a log that can be slowed or broken.
import { randomUUID } from "node:crypto";
import { connect as connectSocket, type Socket } from "node:net";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import { generate, type Packet, parser } from "mqtt-packet";
import { openBroker } from "../../broker/broker.ts";
import type { Accepted, BrokerOptions, Identity, Intake, Kept, OpenBroker, Refusal, Rejected } from "../../broker/ports.ts";
import { type Fault, fault } from "../../contracts/errors.ts";

export const MESH = "mesh-1";
export const PASSWORD = "a fine password";
export const SESSION = "7.00000000000000ff";

/** Asks until it is so; the bound is for a test that failed. */
export const until = async <T>(what: string, ask: () => T | undefined | false, withinMs = 5_000): Promise<T> => {
	const endMs = performance.now() + withinMs;
	while (performance.now() < endMs) {
		const answer = ask();
		if (answer !== undefined && answer !== false) return answer;
		await new Promise<void>((resolve) => {
			setImmediate(resolve);
		});
	}
	throw new Error(`not within ${withinMs} ms: ${what}`);
};

type Hold = "open" | "held" | "down";

/** Keeps messages in arrays, recognises a repeated id and the same id with other bytes, and can be held or broken. */
export class FakeIntake implements Intake {
	readonly stored: Accepted[] = [];
	readonly quarantined: Rejected[] = [];
	readonly shown: Accepted[] = [];
	/** What happened in which order: "stored:ID", and what the test adds. */
	readonly order: string[] = [];
	/** Messages that came while it was held. */
	waiting = 0;
	#hold: Hold = "open";
	#release: (() => void)[] = [];

	hold(hold: Hold): void {
		this.#hold = hold;
		if (hold !== "held") for (const release of this.#release.splice(0)) release();
	}

	async #pass(): Promise<void> {
		this.waiting += 1;
		// A disk takes a moment, even a good one.
		await new Promise<void>((resolve) => {
			if (this.#hold === "held") this.#release.push(resolve);
			else setImmediate(resolve);
		});
		this.waiting -= 1;
		if (this.#hold === "down") throw new Error("the disk is down");
	}

	async accept(message: Accepted): Promise<Kept> {
		await this.#pass();
		const { id, source } = message.envelope;
		const known = this.stored.find(({ envelope }) => envelope.id === id && envelope.source === source);
		if (known === undefined) {
			this.stored.push(message);
			this.order.push(`stored:${id}`);
			return { kind: "stored", position: this.stored.length };
		}
		if (Buffer.compare(known.bytes, message.bytes) === 0) return { kind: "duplicate" };
		const found: Fault = fault("ID_REUSED", { source, id });
		this.quarantined.push({ identity: message.identity, topic: message.topic, bytes: message.bytes, fault: found });
		return { kind: "fork", position: this.quarantined.length, fault: found };
	}

	async quarantine(message: Rejected): Promise<{ readonly position: number }> {
		await this.#pass();
		this.quarantined.push(message);
		this.order.push(`quarantined:${message.fault.code}`);
		return { position: this.quarantined.length };
	}

	live(message: Accepted): void {
		this.shown.push(message);
	}
}

export interface Stop {
	readonly verb: "stop" | "cut";
	readonly node: string;
	readonly by: Identity;
	readonly bytes: Uint8Array;
}

/** A broker with everything that has to be closed after a test. */
export class Rig {
	readonly broker: OpenBroker;
	readonly intake: FakeIntake;
	readonly refusals: readonly Refusal[];
	readonly stops: readonly Stop[];
	readonly #clients: MqttClient[] = [];
	readonly #sockets: Socket[] = [];

	private constructor(broker: OpenBroker, intake: FakeIntake, refusals: readonly Refusal[], stops: readonly Stop[]) {
		this.broker = broker;
		this.intake = intake;
		this.refusals = refusals;
		this.stops = stops;
	}

	static async open(options: Partial<BrokerOptions> = {}): Promise<Rig> {
		const intake = new FakeIntake();
		const refusals: Refusal[] = [];
		const stops: Stop[] = [];
		const broker = await openBroker({
			mesh: MESH,
			host: "127.0.0.1",
			port: 0,
			credentials: { check: (_username, password) => Promise.resolve(Buffer.from(password).toString() === PASSWORD) },
			intake,
			instance: "i1",
			onStop: (verb, node, by, bytes) => stops.push({ verb, node, by, bytes }),
			onRefusal: (refusal) => refusals.push(refusal),
			...options,
		});
		return new Rig(broker, intake, refusals, stops);
	}

	client(clientId: string, options: IClientOptions = {}): MqttClient {
		const client = mqtt.connect({
			host: "127.0.0.1",
			port: this.broker.port,
			protocolVersion: 4,
			clientId,
			username: clientId.split(".")[0] ?? "",
			password: PASSWORD,
			reconnectPeriod: 0,
			connectTimeout: 5_000,
			...options,
		});
		client.setMaxListeners(0).on("error", () => undefined);
		this.#clients.push(client);
		return client;
	}

	connected(clientId: string, options: IClientOptions = {}): Promise<MqttClient> {
		const client = this.client(clientId, options);
		return new Promise((resolve, reject) => {
			client.once("connect", () => resolve(client));
			client.once("error", reject);
			client.once("close", () => reject(new Error("closed")));
		});
	}

	/** A connection that speaks in bytes. */
	raw(port = this.broker.port): Promise<Raw> {
		const socket = connectSocket(port, "127.0.0.1");
		this.#sockets.push(socket);
		return new Promise((resolve, reject) => {
			socket.once("connect", () => resolve(new Raw(socket)));
			socket.once("error", reject);
		});
	}

	/** A raw connection that has said who it is. */
	async rawConnected(clientId: string, version: 4 | 5 = 4): Promise<Raw> {
		const raw = await this.raw();
		raw.send(connectPacket(clientId, version));
		await raw.packet("connack");
		return raw;
	}

	/** Time for an answer that should not come: what another connection is told now was sent after it. */
	async lull(): Promise<void> {
		const witness = await this.rawConnected("witness");
		for (const count of [1, 2, 3]) {
			witness.send(PING);
			await witness.packet("pingresp", count);
		}
		witness.socket.destroy();
	}

	async close(): Promise<void> {
		this.intake.hold("open");
		for (const client of this.#clients) client.end(true);
		for (const socket of this.#sockets) socket.destroy();
		await this.broker.close();
	}
}

export const connectPacket = (clientId: string, protocolVersion: 4 | 5 = 4, more: Record<string, unknown> = {}): Buffer =>
	generate({
		cmd: "connect",
		protocolId: "MQTT",
		protocolVersion,
		clean: true,
		clientId,
		keepalive: 60,
		username: clientId.split(".")[0] ?? "",
		password: Buffer.from(PASSWORD),
		...more,
	} as Packet);

export class Raw {
	readonly socket: Socket;
	readonly packets: Packet[] = [];
	closed = false;

	constructor(socket: Socket) {
		this.socket = socket;
		let decoder = parser({ protocolVersion: 4 });
		let first = true;
		const take = (packet: Packet): void => {
			this.packets.push(packet);
		};
		decoder.on("packet", take);
		socket.on("data", (chunk) => {
			if (first && chunk.length > 4) {
				// Properties in a CONNACK: MQTT 5.
				if ((chunk[1] ?? 0) > 2) {
					decoder = parser({ protocolVersion: 5 });
					decoder.on("packet", take);
				}
			}
			first = false;
			decoder.parse(chunk);
		});
		socket.on("error", () => undefined);
		socket.on("close", () => {
			this.closed = true;
		});
	}

	send(bytes: Uint8Array): void {
		this.socket.write(bytes);
	}

	packet<C extends Packet["cmd"]>(cmd: C, count = 1): Promise<Extract<Packet, { readonly cmd: C }>> {
		return until(`packet ${cmd}`, () => this.packets.filter((packet): packet is Extract<Packet, { readonly cmd: C }> => packet.cmd === cmd)[count - 1]);
	}

	async ended(): Promise<void> {
		await until("the connection ends", () => this.closed);
	}
}

/** The result of a publish: undefined, or the error. */
export const published = (
	client: MqttClient,
	topic: string,
	message: unknown,
	options: { readonly qos?: 0 | 1 | 2; readonly retain?: boolean } = {},
): Promise<Error | undefined> =>
	new Promise((resolve) => {
		const bytes = message instanceof Uint8Array ? Buffer.from(message) : Buffer.from(typeof message === "string" ? message : JSON.stringify(message));
		client.publish(topic, bytes, { qos: options.qos ?? 1, retain: options.retain ?? false }, (error) => resolve(error ?? undefined));
		// Without a reconnect the answer will never come.
		if (client.options.reconnectPeriod === 0) client.once("close", () => resolve(new Error("the connection ended")));
	});

/** Granted QoS per filter, 128 and above for refused. */
export const subscribed = (client: MqttClient, ...filters: readonly string[]): Promise<readonly number[]> =>
	new Promise((resolve) => {
		client.subscribe([...filters], { qos: 1 }, (_error, _granted, packet) => resolve((packet?.granted ?? []).map(Number)));
		client.once("close", () => resolve([]));
	});

export interface Heard {
	readonly topic: string;
	readonly text: string;
	readonly retain: boolean;
}

export const hear = (client: MqttClient): Heard[] => {
	const heard: Heard[] = [];
	client.on("message", (topic, payload, packet) => heard.push({ topic, text: payload.toString(), retain: packet.retain }));
	return heard;
};

/** An alert as any script sends it. */
export const alert = (source: string, more: Record<string, unknown> = {}): Record<string, unknown> => {
	return {
		specversion: "1.0",
		id: randomUUID(),
		source,
		type: "dev.orion.alert.firing.v1",
		data: { name: "backup", severity: "warning", summary: "the backup is late" },
		...more,
	};
};

/** The same as a node sends it: numbered and dated. */
export const numbered = (node: string, seq: number, more: Record<string, unknown> = {}): Record<string, unknown> =>
	alert(`/nodes/${node}`, { mesh: MESH, session: SESSION, lane: "event", seq, mono: seq, time: "2026-11-21T00:00:00Z", ...more });

export const stateOf = (node: string, state: string, conn: number, session = SESSION, more: Record<string, unknown> = {}): Record<string, unknown> =>
	numbered(node, conn * 10 + 1, { type: "dev.orion.node.state.v1", lane: "safety", session, data: { state, session, conn }, ...more });

export const PING = Buffer.from([0xc0, 0]);

export const publishBytes = (topic: string, payload: string | Buffer, protocolVersion: 4 | 5 = 4, more: Record<string, unknown> = {}): Buffer =>
	generate({ cmd: "publish", topic, payload, qos: 1, messageId: 7, dup: false, retain: false, ...more } as Packet, { protocolVersion });
