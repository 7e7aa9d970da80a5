// Connects conformance tests to a broker process, and to it as a client that does exactly what the test says and nothing by itself.
import { type ChildProcess, spawn } from "node:child_process";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { generate, type IConnectPacket, type IPublishPacket, type Packet, parser } from "mqtt-packet";
import { ORION, until } from "../support/mesh.ts";

export type Version = 4 | 5;

/** `orion broker --config FILE` as a process of its own. */
export class BrokerProcess {
	readonly port: number;
	readonly #process: ChildProcess;

	private constructor(child: ChildProcess, port: number) {
		this.#process = child;
		this.port = port;
	}

	static start(file: string): Promise<BrokerProcess> {
		const child = spawn(process.execPath, [ORION, "broker", "--config", file, "--json"], { stdio: ["ignore", "pipe", "pipe"] });
		let said = "";
		child.stderr.on("data", (chunk: Buffer) => {
			said = (said + chunk.toString()).slice(-4_000);
		});
		return new Promise((resolve, reject) => {
			child.once("close", (code) => reject(new Error(`orion broker ended with ${code}: ${said}`)));
			createInterface({ input: child.stdout }).on("line", (line) => {
				const { event, mqtt } = JSON.parse(line) as { event: string; mqtt: string };
				if (event === "ready") resolve(new BrokerProcess(child, Number(new URL(mqtt).port)));
			});
		});
	}

	/** Resolves with the exit code. */
	stop(): Promise<number | null> {
		return new Promise((resolve) => {
			this.#process.once("close", (code) => resolve(code));
			this.#process.kill("SIGINT");
		});
	}
}

export interface Received {
	readonly topic: string;
	readonly text: string;
	readonly qos: number;
	readonly retain: boolean;
	readonly dup: boolean;
	readonly packet: IPublishPacket;
}

type ConnectOptions = Partial<Omit<IConnectPacket, "cmd">>;

export class Peer {
	readonly packets: Packet[] = [];
	readonly received: Received[] = [];
	readonly version: Version;
	closed = false;
	/** Thanks for what it gets, as a client should. */
	thanks = true;
	#messageId = 0;
	readonly #socket: Socket;

	private constructor(socket: Socket, version: Version) {
		this.#socket = socket;
		this.version = version;
		const decoder = parser({ protocolVersion: version });
		decoder.on("packet", (packet: Packet) => this.#take(packet));
		socket.on("data", (chunk) => decoder.parse(chunk));
		socket.on("error", () => undefined);
		socket.on("close", () => {
			this.closed = true;
		});
	}

	static open(port: number, version: Version): Promise<Peer> {
		const socket = connect({ port, host: "127.0.0.1", noDelay: true });
		return new Promise((resolve, reject) => {
			socket.once("connect", () => resolve(new Peer(socket, version)));
			socket.once("error", reject);
		});
	}

	/** Open, and its CONNECT answered with success. A session that is kept outlives the connection in both versions. */
	static async connected(port: number, version: Version, clientId: string, keeps: "clean" | "keeps" = "clean", more: ConnectOptions = {}): Promise<Peer> {
		const peer = await Peer.open(port, version);
		const properties = version === 5 && keeps === "keeps" ? { properties: { sessionExpiryInterval: 3_600 } } : {};
		const answer = await peer.ask(clientId, { clean: keeps === "clean", ...properties, ...more });
		if ((version === 5 ? answer.reasonCode : answer.returnCode) !== 0) throw new Error(`${clientId} was refused`);
		return peer;
	}

	/** The answer to this CONNECT. */
	ask(clientId: string, more: ConnectOptions = {}): Promise<Extract<Packet, { readonly cmd: "connack" }>> {
		this.send({ cmd: "connect", protocolId: "MQTT", protocolVersion: this.version, clean: true, clientId, keepalive: 60, ...more });
		return this.packet("connack");
	}

	send(packet: Packet): void {
		this.bytes(generate(packet, { protocolVersion: this.version }));
	}
	bytes(bytes: Uint8Array): void {
		this.#socket.write(bytes);
	}

	#take(packet: Packet): void {
		this.packets.push(packet);
		if (packet.cmd === "publish") {
			const { topic, payload, qos, retain, dup, messageId } = packet;
			this.received.push({ topic, text: payload.toString(), qos, retain, dup, packet });
			if (this.thanks && messageId !== undefined && qos > 0) this.send({ cmd: qos === 1 ? "puback" : "pubrec", messageId });
		}
		if (packet.cmd === "pubrel" && this.thanks && packet.messageId !== undefined) this.send({ cmd: "pubcomp", messageId: packet.messageId });
		if (packet.cmd === "pubrec" && packet.messageId !== undefined) this.send({ cmd: "pubrel", messageId: packet.messageId });
	}

	packet<C extends Packet["cmd"]>(cmd: C, messageId?: number): Promise<Extract<Packet, { readonly cmd: C }>> {
		return until(`a ${cmd}`, () =>
			this.packets.find(
				(packet): packet is Extract<Packet, { readonly cmd: C }> => packet.cmd === cmd && (messageId === undefined || packet.messageId === messageId),
			),
		);
	}

	/** Resolves when the broker has taken it as far as its QoS promises. */
	async publish(topic: string, text: string, qos: 0 | 1 | 2, more: Partial<IPublishPacket> = {}): Promise<void> {
		this.#messageId += 1;
		const messageId = this.#messageId;
		this.send({ cmd: "publish", topic, payload: text, qos, dup: false, retain: false, ...(qos === 0 ? {} : { messageId }), ...more });
		if (qos === 0) await this.ping();
		else await this.packet(qos === 1 ? "puback" : "pubcomp", messageId);
	}

	/** Granted QoS per filter. */
	async subscribe(qos: 0 | 1 | 2, ...filters: readonly string[]): Promise<readonly number[]> {
		this.#messageId += 1;
		const messageId = this.#messageId;
		this.send({ cmd: "subscribe", messageId, subscriptions: filters.map((topic) => ({ topic, qos })) });
		return (await this.packet("suback", messageId)).granted.map(Number);
	}

	async unsubscribe(...filters: readonly string[]): Promise<void> {
		this.#messageId += 1;
		const messageId = this.#messageId;
		this.send({ cmd: "unsubscribe", messageId, unsubscriptions: [...filters] });
		await this.packet("unsuback", messageId);
	}

	/** After it, what was sent before it was taken by the broker. */
	async ping(): Promise<void> {
		const count = this.packets.filter(({ cmd }) => cmd === "pingresp").length;
		this.send({ cmd: "pingreq" });
		await until("a pingresp", () => (this.packets.filter(({ cmd }) => cmd === "pingresp").length > count ? true : undefined));
	}

	async hears(count: number): Promise<readonly Received[]> {
		await until(`${count} messages`, () => (this.received.length >= count ? true : undefined));
		return this.received;
	}

	async ended(): Promise<void> {
		await until("the connection ends", () => (this.closed ? true : undefined));
	}

	/** With a goodbye. */
	async leave(): Promise<void> {
		this.send({ cmd: "disconnect" });
		await this.ended();
	}

	/** Without a word. */
	async vanish(): Promise<void> {
		this.#socket.resetAndDestroy();
		await this.ended();
	}
}
