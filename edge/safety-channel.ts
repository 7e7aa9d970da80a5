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

/** What one connection begins and may end with. The will has no number: nobody knows whether it will ever be said, and a number that is never said is a hole. */
interface Greeting {
	readonly session: string;
	readonly conn: number;
	readonly will: Uint8Array;
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
		this.#cancelPulse?.();
		this.#pulse();
	}

	/** Says that it goes, so that nobody takes it for lost. */
	async stop(): Promise<void> {
		this.#cancelPulse?.();
		const { connection } = this.#kept;
		if (connection !== undefined && this.#greeting !== undefined) {
			const said = this.#say(connection, this.#state("disconnected", this.#greeting)).catch(() => undefined);
			await Promise.race([said, new Promise<void>((resolve) => this.#options.timers.after(GOODBYE_MS_MAX, resolve))]);
		}
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
		this.#say(connection, this.#state("ready", this.#greeting)).then(
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
		this.#greeting = {
			session,
			conn: this.#conn,
			will: encodeEnvelope(voice.unnumbered("dev.orion.node.state.v1", { state: "lost", session, conn: this.#conn })),
		};
		return this.#greeting;
	}

	#state(state: "init" | "ready" | "disconnected", { session, conn }: Greeting): Uint8Array {
		return encodeEnvelope(this.#options.voice.numbered("safety", "dev.orion.node.state.v1", { state, session, conn }));
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
		const init = this.#greeting === undefined ? [] : [this.#state("init", this.#greeting)];
		for (const bytes of [...before, ...init]) void this.#say(connection, bytes).catch(() => undefined);
		await connection.subscribe([{ topic: CORE_TOPICS.beacon, qos: 0 }]);
		this.#beat(connection);
		this.#options.onUp();
	}

	#down(): void {
		this.#greeting = undefined;
		this.#options.onDown();
	}

	#beat(connection: Connection): void {
		const { voice, node, safety } = this.#options;
		connection.publish(nodeTopic(node, "pulse"), voice.pulse(safety()), { qos: 0, retain: false }).catch(() => undefined);
	}

	#pulse(): void {
		const { connection } = this.#kept;
		if (connection !== undefined) this.#beat(connection);
		this.#cancelPulse = this.#options.timers.after(PULSE_EVERY_MS, () => this.#pulse());
	}
}
