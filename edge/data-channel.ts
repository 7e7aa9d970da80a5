// Connects the outbox, measurements and commands to the broker, and settles which session this is before anything else is said.
import { checkContract, encodeEnvelope, parseJson, type RecordTypes } from "../contracts/envelope.ts";
import type { NodeVerdict, NodeWatermark } from "../contracts/gen/types.ts";
import { CORE_TOPICS, nodeTopic, parseTopic } from "../contracts/topics.ts";
import { KeptConnection } from "./kept-connection.ts";
import type { Outbox } from "./outbox.ts";
import type { Connect, Connection, Note, Randomness, Timers } from "./ports.ts";
import { type Measured, topicOf, type Voice } from "./voice.ts";

export interface DataChannelOptions {
	readonly node: string;
	readonly connect: Connect;
	readonly timers: Timers;
	readonly random: Randomness;
	readonly note: Note;
	readonly outbox: Outbox;
	readonly voice: Voice;
	readonly onCommand: (action: string, bytes: Uint8Array) => void;
	readonly onBundle: (bytes: Uint8Array) => void;
	readonly onWatermark: (mark: NodeWatermark) => Promise<void>;
	/** Called when the session is settled and messages go out. */
	readonly onUp: () => void;
	readonly onDown: () => void;
}

const KEEPALIVE_SECONDS = 10;
/** A watermark that is kept at the broker comes right after the subscription; a node that is new there has none. */
const WATERMARK_WITHIN_MS = 200;

export class DataChannel {
	readonly #options: DataChannelOptions;
	readonly #kept: KeptConnection;
	#metricsLost = 0;
	#firstMark: (() => void) | undefined;

	constructor(options: DataChannelOptions) {
		this.#options = options;
		this.#kept = new KeptConnection({
			name: "data",
			connect: options.connect,
			timers: options.timers,
			random: options.random,
			note: options.note,
			prepare: () => ({ clientId: options.node, keepaliveSeconds: KEEPALIVE_SECONDS, onMessage: (topic, bytes) => this.#message(topic, bytes) }),
			onUp: (connection) => this.#up(connection),
			onDown: () => {
				options.outbox.linkDown();
				options.onDown();
			},
		});
	}

	/** Measurements that were not sent because there was no connection. */
	get metricsLost(): number {
		return this.#metricsLost;
	}

	start(): void {
		this.#kept.start();
	}

	stop(): Promise<void> {
		return this.#kept.stop();
	}

	/** Now or never: a measurement that is late is worth nothing, and the next one comes. */
	measure<T extends Measured>(type: T, data: RecordTypes[T]): void {
		const { voice, node } = this.#options;
		const envelope = voice.numbered("metric", type, data);
		const { connection } = this.#kept;
		if (connection === undefined) {
			this.#metricsLost += 1;
			return;
		}
		connection.publish(topicOf(node, envelope).topic, encodeEnvelope(envelope), { qos: 0, retain: false }).catch(() => {
			this.#metricsLost += 1;
		});
	}

	async #up(connection: Connection): Promise<void> {
		const { node, timers, outbox, onUp } = this.#options;
		const marked = new Promise<void>((resolve) => {
			const cancel = timers.after(WATERMARK_WITHIN_MS, resolve);
			this.#firstMark = () => {
				cancel();
				resolve();
			};
		});
		await connection.subscribe([
			{ topic: nodeTopic(node, "watermark"), qos: 1 },
			{ topic: nodeTopic(node, "verdict"), qos: 1 },
			{ topic: nodeTopic(node, "cmd", "+"), qos: 1 },
			{ topic: CORE_TOPICS.policy, qos: 1 },
		]);
		await marked;
		if (this.#kept.connection !== connection) return;
		outbox.linkUp(connection);
		onUp();
	}

	#message(topic: string, bytes: Uint8Array): void {
		const { node, note, onCommand, onBundle } = this.#options;
		if (topic === CORE_TOPICS.policy) {
			onBundle(bytes);
			return;
		}
		const parsed = parseTopic(topic);
		if (parsed?.kind !== "node" || parsed.node !== node) return;
		switch (parsed.channel) {
			case "cmd":
				onCommand(parsed.name ?? "unnamed", bytes);
				return;
			case "watermark":
				this.#mark(bytes);
				return;
			case "verdict":
				this.#verdict(bytes);
				return;
			default:
				note("unexpected-topic", { topic });
		}
	}

	#mark(bytes: Uint8Array): void {
		const { node, note, onWatermark, outbox } = this.#options;
		const mark = this.#parse("node.watermark", bytes);
		if (mark === undefined || mark.node !== node) return;
		onWatermark(mark)
			.then(() => outbox.watermark(mark))
			.catch((error: unknown) => note("watermark-failed", { detail: error instanceof Error ? error.message : "unknown" }))
			.finally(() => this.#firstMark?.());
	}

	/** Something this node said broke its contract: the operator of the mesh sees it in quarantine, whoever reads this node's output sees it here. */
	#verdict(bytes: Uint8Array): void {
		const verdict: NodeVerdict | undefined = this.#parse("node.verdict", bytes);
		if (verdict === undefined) return;
		const { topic, outcome, code, detail, pointer } = verdict;
		this.#options.note("verdict", { topic, outcome, code, detail, ...(pointer === undefined ? {} : { pointer }) });
	}

	#parse<K extends "node.watermark" | "node.verdict">(contract: K, bytes: Uint8Array): (K extends "node.watermark" ? NodeWatermark : NodeVerdict) | undefined {
		const json = parseJson(bytes);
		const checked = json.ok ? checkContract(contract, json.value) : json;
		if (checked.ok) return checked.value as K extends "node.watermark" ? NodeWatermark : NodeVerdict;
		this.#options.note("unreadable", { contract });
		return undefined;
	}
}
