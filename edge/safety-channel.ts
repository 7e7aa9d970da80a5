// Connects this node's presence to the broker on a connection of its own: init, ready, disconnected, a will that says lost, a pulse, its safe-stop, orders to stop, and core's beacons.
import { encodeEnvelope } from "../contracts/envelope.ts";
import { OrionError } from "../contracts/errors.ts";
import type { NodePulse, NodeSafety } from "../contracts/gen/types.ts";
import { type Ordered, type StopVerb, writeStopOrder } from "../contracts/stop-order.ts";
import { CORE_TOPICS, nodeTopic } from "../contracts/topics.ts";
import { KeptConnection } from "./kept-connection.ts";
import type { LatchOutcome } from "./machines/latch.ts";
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
	/** What the safe-stop is now; `order` is the newest order to stop that was heard. */
	readonly safety: () => { readonly said: NodeSafety; readonly order: string | undefined };
	/** What else its pulses say of this node. */
	readonly beside: () => Pick<NodePulse, "version" | "outboxCount" | "outboxBytes" | "outboxDailyBytes">;
	readonly onStop: (verb: StopVerb, bytes: Uint8Array) => void;
	/** Of a node that moves: leases reach it here, and it says more often that it is there. */
	readonly onLease?: (bytes: Uint8Array) => void;
	readonly onBeacon: (bytes: Uint8Array) => void;
	readonly onUp: () => void;
	readonly onDown: () => void;
}

const PULSE_EVERY_MS = 1_000;
const MOVER_PULSE_EVERY_MS = 100;
const ALL = "all";
const VERBS: readonly StopVerb[] = ["stop", "cut"];
/** Whole seconds are the least that the library can do; the beacon is what notices a silence sooner. */
const KEEPALIVE_SECONDS = 2;
const GOODBYE_MS_MAX = 1_000;
const UNSAID_MAX = 64;
/** A broker whose disk is down keeps this connection and does not answer: what it may not have kept is said again. */
const RESAY_AFTER_MS = 2_000;

/** What one connection begins and may end with. The will has no number: nobody knows whether it will ever be said, and a number that is never said is a hole. */
interface Greeting {
	readonly session: string;
	readonly conn: number;
	readonly will: Uint8Array;
}

interface Said {
	/** Milliseconds since it was sent, counted by pulses. */
	waitedMs: number;
	readonly topic: string;
	readonly bytes: Uint8Array;
}

export class SafetyChannel {
	readonly #options: SafetyChannelOptions;
	readonly #kept: KeptConnection;
	readonly #topic: string;
	#greeting: Greeting | undefined;
	#conn = 0;
	#connSession = "";
	#ready = false;
	/** Messages without a PUBACK; said again, in their order, before anything newer. */
	#unsaid: Said[] = [];
	readonly #orders: ReadonlyMap<string, StopVerb>;
	#cancelPulse: (() => void) | undefined;

	constructor(options: SafetyChannelOptions) {
		this.#options = options;
		this.#topic = nodeTopic(options.node, "state");
		this.#orders = new Map([options.node, ALL].flatMap((node) => VERBS.map((verb) => [nodeTopic(node, verb), verb] as const)));
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
				onMessage: (topic, bytes, retained) => this.#message(topic, bytes, retained),
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
			const said = this.#say(connection, this.#topic, this.#state("disconnected", this.#greeting)).catch(() => undefined);
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
		this.#say(connection, this.#topic, this.#state("ready", this.#greeting)).then(
			() => this.#options.note("ready", { session: this.#greeting?.session ?? "", conn: this.#conn }),
			() => undefined,
		);
	}

	/** Core holds this node for lost, and it is not: what it said on this connection is said once more. */
	readyAgain(): void {
		const { connection } = this.#kept;
		if (!this.#ready || connection === undefined || this.#greeting === undefined) return;
		this.#options.note("ready-again", { session: this.#greeting.session, conn: this.#greeting.conn });
		this.#say(connection, this.#topic, this.#state("ready", this.#greeting)).catch(() => undefined);
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

	async #say(connection: Connection, topic: string, bytes: Uint8Array): Promise<void> {
		this.#unsaid = [...this.#unsaid, { waitedMs: 0, topic, bytes }].slice(-UNSAID_MAX);
		await connection.publish(topic, bytes, { qos: 1, retain: true });
		this.#unsaid = this.#unsaid.filter((unsaid) => unsaid.bytes !== bytes);
	}

	#resay(connection: Connection, passedMs: number): void {
		for (const said of this.#unsaid) {
			said.waitedMs += passedMs;
			if (said.waitedMs < RESAY_AFTER_MS) continue;
			said.waitedMs = 0;
			connection.publish(said.topic, said.bytes, { qos: 1, retain: true }).then(
				() => {
					this.#unsaid = this.#unsaid.filter((unsaid) => unsaid !== said);
				},
				() => undefined,
			);
		}
	}

	/** The safe-stop changed, or an order was heard once more: a pulse says so at once, past every disk; the record of what is new follows. */
	safetyChanged(outcome: LatchOutcome | "presence" = "presence"): void {
		const { connection } = this.#kept;
		if (connection === undefined) return;
		this.#beat(connection);
		// Whoever ordered once more knows it from the pulse; a record of each would let anyone fill the disk of core.
		if (outcome !== "repeated" && outcome !== "known") this.#saySafety(connection);
	}

	/** Hands an order of somebody at this node to the mesh; rejects when there is no broker to take it. */
	async order(node: string, verb: StopVerb, ordered: Ordered): Promise<void> {
		const { connection } = this.#kept;
		if (connection === undefined) throw new OrionError("UNREACHABLE", { url: "the broker", detail: "this node has no connection to it" });
		await connection.publish(nodeTopic(node, verb), writeStopOrder(ordered), { qos: 1, retain: false });
	}

	#saySafety(connection: Connection): void {
		const { voice, node, safety } = this.#options;
		const bytes = encodeEnvelope(voice.numbered("safety", "dev.orion.node.safety.v1", safety().said));
		this.#say(connection, nodeTopic(node, "safety"), bytes).catch(() => undefined);
	}

	#message(topic: string, bytes: Uint8Array, retained: boolean): void {
		const verb = this.#orders.get(topic);
		if (verb === undefined) {
			if (topic === CORE_TOPICS.beacon) this.#options.onBeacon(bytes);
			else if (topic === nodeTopic(this.#options.node, "lease") && !retained) this.#options.onLease?.(bytes);
			return;
		}
		// What was kept is an order of yesterday: whoever means now says it now, and core lists what still holds.
		if (retained) this.#options.note("stop-ignored", { topic, why: "retained" });
		else this.#options.onStop(verb, bytes);
	}

	async #up(connection: Connection): Promise<void> {
		this.#ready = false;
		const before = this.#unsaid;
		this.#unsaid = [];
		const init = this.#greeting === undefined ? [] : [{ topic: this.#topic, bytes: this.#state("init", this.#greeting) }];
		for (const { topic, bytes } of [...before, ...init]) void this.#say(connection, topic, bytes).catch(() => undefined);
		this.#saySafety(connection);
		await connection.subscribe([{ topic: CORE_TOPICS.beacon, qos: 0 }, ...this.#filters()]);
		this.#beat(connection);
		this.#options.onUp();
	}

	#filters(): readonly { readonly topic: string; readonly qos: 0 | 1 }[] {
		const { node, onLease } = this.#options;
		const orders = [...this.#orders.keys()].map((topic) => ({ topic, qos: 1 as const }));
		return onLease === undefined ? orders : [...orders, { topic: nodeTopic(node, "lease"), qos: 0 }];
	}

	#down(): void {
		this.#greeting = undefined;
		this.#options.onDown();
	}

	#beat(connection: Connection): void {
		const { voice, node, safety, beside } = this.#options;
		const { said, order } = safety();
		connection.publish(nodeTopic(node, "pulse"), voice.pulse(said, order, beside()), { qos: 0, retain: false }).catch(() => undefined);
	}

	#pulse(): void {
		const { connection } = this.#kept;
		if (connection !== undefined) this.#beat(connection);
		const everyMs = this.#options.onLease === undefined ? PULSE_EVERY_MS : MOVER_PULSE_EVERY_MS;
		if (connection !== undefined) this.#resay(connection, everyMs);
		this.#cancelPulse = this.#options.timers.after(everyMs, () => this.#pulse());
	}
}
