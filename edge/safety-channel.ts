// Connects this node's presence to the broker on a connection of its own: init, ready, disconnected, a will that says lost, a pulse, and core's beacons.
import { encodeEnvelope } from "../contracts/envelope.ts";
import type { NodePulse } from "../contracts/gen/types.ts";
import { CORE_TOPICS, nodeTopic } from "../contracts/topics.ts";
import { KeptConnection } from "./kept-connection.ts";
import type { Connect, Connection, Note, Randomness, Timers } from "./ports.ts";
import type { SessionStore } from "./session.ts";
import type { Voice } from "./voice.ts";

export interface SafetyChannelOptions {
	readonly node: string;
	readonly connect: Connect;
	readonly timers: Timers;
	readonly random: Randomness;
	readonly note: Note;
	readonly sessions: SessionStore;
	readonly voice: Voice;
	readonly safety: () => NodePulse["safety"];
	readonly onBeacon: (bytes: Uint8Array) => void;
	readonly onUp: () => void;
	readonly onDown: () => void;
}

const PULSE_EVERY_MS = 1_000;
/** Whole seconds are the least that the library can do; the beacon is what notices a silence sooner. */
const KEEPALIVE_SECONDS = 2;
const GOODBYE_MS_MAX = 1_000;
const UNSAID_MAX = 64;

/**
 * What one connection says, numbered before it is opened, so that the numbering has no hole whatever happens: init, ready, and last either
 * `disconnected` or the will, which share a number because only one of them is ever said.
 */
interface Greeting {
	readonly session: string;
	readonly init: Uint8Array;
	readonly readySeq: number;
	readonly lastSeq: number;
	readonly will: Uint8Array;
	readonly conn: number;
}

export class SafetyChannel {
	readonly #options: SafetyChannelOptions;
	readonly #kept: KeptConnection;
	readonly #topic: string;
	#greeting: Greeting | undefined;
	#conn = 0;
	#connSession = "";
	#ready = false;
	/** State messages without a PUBACK; said again, in their order, before anything newer. */
	#unsaid: Uint8Array[] = [];
	#cancelPulse: (() => void) | undefined;

	constructor(options: SafetyChannelOptions) {
		this.#options = options;
		this.#topic = nodeTopic(options.node, "state");
		this.#kept = new KeptConnection({
			name: "safety",
			connect: options.connect,
			timers: options.timers,
			random: options.random,
			note: options.note,
			prepare: () => ({
				clientId: `${options.node}.safety`,
				keepaliveSeconds: KEEPALIVE_SECONDS,
				will: { topic: this.#topic, bytes: this.#greet().will, qos: 1, retain: true },
				onMessage: (topic, bytes) => {
					if (topic === CORE_TOPICS.beacon) options.onBeacon(bytes);
				},
			}),
			onUp: (connection) => this.#up(connection),
			onDown: () => this.#down(),
		});
	}

	start(): void {
		this.#kept.start();
		this.#pulse();
	}

	/** Says that it goes, so that nobody takes it for lost. */
	async stop(): Promise<void> {
		this.#cancelPulse?.();
		const { connection } = this.#kept;
		const greeting = this.#greeting;
		if (connection !== undefined && greeting !== undefined) {
			const last = [...this.#neverReady(greeting), this.#state("disconnected", greeting, greeting.lastSeq)];
			const said = Promise.all(last.map((bytes) => this.#say(connection, bytes))).catch(() => undefined);
			await Promise.race([said, new Promise<void>((resolve) => this.#options.timers.after(GOODBYE_MS_MAX, resolve))]);
		}
		this.#ready = true;
		this.#unsaid = [];
		this.#greeting = undefined;
		await this.#kept.stop();
	}

	/** Goes without a goodbye: the node goes on without its agent, and whoever watches should see that the agent is lost. */
	leave(): Promise<void> {
		this.#cancelPulse?.();
		return this.#kept.abandon();
	}

	/** Core may now send commands; said once for each connection. */
	ready(): void {
		const { connection } = this.#kept;
		if (this.#ready || connection === undefined || this.#greeting === undefined) return;
		this.#ready = true;
		this.#say(connection, this.#state("ready", this.#greeting, this.#greeting.readySeq)).then(
			() => this.#options.note("ready", { session: this.#greeting?.session ?? "", conn: this.#conn }),
			() => undefined,
		);
	}

	/** The same greeting until a connection was made with it: a CONNECT that was never answered may have left its will behind. */
	#greet(): Greeting {
		const { sessions, voice } = this.#options;
		const session = sessions.current().id;
		if (this.#greeting?.session === session) return this.#greeting;
		if (this.#connSession !== session) {
			this.#connSession = session;
			this.#conn = 0;
			this.#unsaid = [];
		}
		this.#conn += 1;
		const conn = this.#conn;
		const state = (state: "init" | "lost", seq?: number): Uint8Array =>
			encodeEnvelope(voice.numbered("safety", "dev.orion.node.state.v1", { state, session, conn }, {}, seq ?? voice.number("safety")));
		const init = state("init");
		const readySeq = voice.number("safety");
		const lastSeq = voice.number("safety");
		this.#greeting = { session, init, readySeq, lastSeq, will: state("lost", lastSeq), conn };
		return this.#greeting;
	}

	/** The number that was kept for `ready` must not stay open: it says what was so instead. */
	#neverReady(greeting: Greeting): readonly Uint8Array[] {
		return this.#ready ? [] : [this.#state("init", greeting, greeting.readySeq)];
	}

	#state(state: "init" | "ready" | "disconnected", { session, conn }: Greeting, seq: number): Uint8Array {
		return encodeEnvelope(this.#options.voice.numbered("safety", "dev.orion.node.state.v1", { state, session, conn }, {}, seq));
	}

	async #say(connection: Connection, bytes: Uint8Array): Promise<void> {
		this.#unsaid = [...this.#unsaid, bytes].slice(-UNSAID_MAX);
		await connection.publish(this.#topic, bytes, { qos: 1, retain: true });
		this.#unsaid = this.#unsaid.filter((unsaid) => unsaid !== bytes);
	}

	async #up(connection: Connection): Promise<void> {
		this.#ready = false;
		const before = this.#unsaid;
		this.#unsaid = [];
		for (const bytes of [...before, ...(this.#greeting === undefined ? [] : [this.#greeting.init])]) void this.#say(connection, bytes).catch(() => undefined);
		await connection.subscribe([{ topic: CORE_TOPICS.beacon, qos: 0 }]);
		this.#options.onUp();
	}

	#down(): void {
		if (this.#greeting !== undefined) this.#unsaid.push(...this.#neverReady(this.#greeting));
		this.#greeting = undefined;
		this.#options.onDown();
	}

	#pulse(): void {
		const { voice, node, safety, timers } = this.#options;
		this.#kept.connection?.publish(nodeTopic(node, "pulse"), voice.pulse(safety()), { qos: 0, retain: false }).catch(() => undefined);
		this.#cancelPulse = timers.after(PULSE_EVERY_MS, () => this.#pulse());
	}
}
