// Connects the MQTT library to the door: the only file that imports it, and the place where its traps are closed.
import type { Socket } from "node:net";
import { Aedes, type AedesOptions, type Client, type ConnectPacket, type PublishPacket } from "aedes";
import { generate } from "mqtt-packet";
import { type Fault, fault } from "../contracts/errors.ts";
import { assert } from "../contracts/result.ts";
import { matches } from "./access.ts";
import { Crowd } from "./crowd.ts";
import type { Admission, Door } from "./door.ts";
import { PACKET_BYTES_MAX } from "./frame-filter.ts";
import { GuardedSocket } from "./guarded-socket.ts";
import { forgetAtEnd, type Hidden, type HiddenClient, markRepeats, publicationOf, requestOf } from "./library-insides.ts";
import type { BrokerLimits } from "./limits.ts";
import { type QosMax, REASONS } from "./packet-check.ts";
import type { Certified, Identity } from "./ports.ts";
import { connackOf, reasonOf } from "./reason-codes.ts";
import { Thanks } from "./thanks.ts";
import { Throttle } from "./throttle.ts";

interface Session {
	readonly conn: GuardedSocket;
	readonly certified: Certified | undefined;
	readonly client: Client;
	readonly thanks: Thanks;
	/** Filters and the QoS that was granted. */
	readonly granted: Map<string, 0 | 1>;
	/** Newest messages that were handed over, so that overlapping filters give one copy. */
	readonly handed: Set<number>;
	identity?: Identity;
	connectedAtMs?: number;
	/** A node that was removed leaves no last words. */
	muted: boolean;
	wantsReasons: boolean;
}

const KEEPALIVE_SECONDS_MAX = 120;
const BACKLOG_BYTES_MAX = 1_048_576;
const FILTERS_MAX = 64;
const HANDED_MAX = 256;
const RECEIVE_MAX = 1_024;
const SESSIONS_AWAY_MAX = 1_024;
const LEVELS_MAX = 100;
/** The library publishes wills of brokers that it has not heard of for three of these, its own too after a long stall. There is one broker: as rare as timers allow. */
const HEARTBEAT_MS = 536_870_911;
/** Where messages go that nobody shall see; no filter that is granted reaches it. */
const VOID_TOPIC = "orion/void";
/** Below it the library speaks to itself. */
export const RESERVED = "$SYS/";
const REFUSED = "not allowed here";
const NOBODY = "nobody speaks for this message";
const NOTHING = Buffer.alloc(0);
const V5 = 5;

const ADMINISTRATIVE = 0x98;

const plain = <T>(): Record<string, T> => Object.create(null) as Record<string, T>;

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
export interface LibraryOptions {
	readonly door: Door;
	/** Names this start of the broker inside the library. */
	readonly instance: string;
	readonly drainTimeoutMs: number;
	readonly connectTimeoutMs: number;
	readonly now: () => number;
	readonly limits: BrokerLimits;
	/** MQTT as the standard has it, with the library's own sessions, wills and QoS 2, and none of the mesh's rules. Default false. */
	readonly plain?: boolean;
	/** Default 1. */
	readonly qosMax?: QosMax;
}

export class Library {
	readonly #door: Door;
	readonly #drainTimeoutMs: number;
	readonly #now: () => number;
	readonly #plain: boolean;
	readonly #qosMax: QosMax;
	readonly #aedes: Aedes;
	readonly #crowd: Crowd<GuardedSocket>;
	readonly #throttle: Throttle;
	readonly #sessions = new Map<Client, Session>();
	readonly #wills = new WeakMap<object, Session>();
	#closing = false;

	private constructor({ door, instance, drainTimeoutMs, connectTimeoutMs, now, limits, plain = false, qosMax = 1 }: LibraryOptions) {
		this.#door = door;
		this.#drainTimeoutMs = drainTimeoutMs;
		this.#now = now;
		this.#plain = plain;
		this.#crowd = new Crowd(limits);
		this.#throttle = new Throttle(limits);
		this.#qosMax = qosMax;
		this.#aedes = new Aedes(this.#options(instance, connectTimeoutMs));
		this.#aedes.on("client", (client) => this.#registered(client));
		this.#aedes.on("clientReady", (client) => this.#sessions.get(client)?.conn.admit());
		this.#aedes.on("unsubscribe", (filters, client) => {
			for (const filter of filters) this.#sessions.get(client)?.granted.delete(filter);
		});
		// The only source left is the sweep for wills of other brokers: they are refused below, because nobody speaks for them.
		this.#aedes.addListener("error", () => undefined);
	}

	static async open(options: LibraryOptions): Promise<Library> {
		const library = new Library(options);
		await library.#aedes.listen();
		const hidden = library.#hidden();
		// Keyed by names that clients choose: `constructor` is a fine name for a node and must not be found on a prototype.
		hidden.clients = plain();
		hidden.brokers = plain();
		if (library.#plain) {
			markRepeats(hidden);
			return library;
		}
		// Every session ends with its connection, so nothing is kept for later; the library would grow a list for each client id.
		hidden.persistence.outgoingClearMessageId = () => Promise.resolve(undefined);
		return library;
	}

	#hidden(): Hidden {
		return this.#aedes as unknown as Hidden;
	}

	#options(id: string, connectTimeout: number): AedesOptions {
		return {
			id,
			// Without a bound no message waits for another; the sockets never make the library wait.
			concurrency: 0,
			heartbeatInterval: HEARTBEAT_MS,
			connectTimeout,
			drainTimeout: this.#drainTimeoutMs,
			keepaliveLimit: this.#plain ? 0 : KEEPALIVE_SECONDS_MAX,
			maxTopicLevels: LEVELS_MAX,
			maximumPacketSize: PACKET_BYTES_MAX,
			receiveMaximum: RECEIVE_MAX,
			pendingSessionsLimit: this.#plain ? SESSIONS_AWAY_MAX : 1,
			preConnect: (client, packet, done) => this.#preConnect(client, packet, done),
			authenticate: (client, _username, _password, done) => done(null, this.#sessions.get(client)?.identity !== undefined),
			authorizePublish: (client, packet, done) => this.#authorizePublish(client, packet, done),
			authorizeSubscribe: (client, subscription, done) => {
				const session = this.#sessions.get(client);
				done(null, session !== undefined && this.#grant(session, subscription.topic, subscription.qos) ? subscription : null);
			},
			authorizeForward: (client, packet) => (this.#plain || this.#isFirstCopy(client, packet.brokerId, packet.brokerCounter) ? packet : null),
		};
	}

	attach(socket: Socket, certified?: Certified): void {
		const conn = new GuardedSocket(
			socket,
			{ drainTimeoutMs: this.#drainTimeoutMs, backlogBytesMax: BACKLOG_BYTES_MAX, qosMax: this.#qosMax },
			{
				isUrgent: (topic) => this.#door.isUrgent(topic),
				onUrgent: ({ topic, payload }) => {
					if (session.identity !== undefined) this.#door.urgent(session.identity, topic, payload);
				},
				onRefused: ({ fault: found, reasonCode }) => this.#end(session, found, reasonCode),
				onRead: (packets, bytes) => (session.identity === undefined ? 0 : this.#pace(session, session.identity, packets, bytes)),
				onStalled: (detail) => this.#tell(session, fault("PEER_STALLED", { detail })),
			},
		);
		const entry = this.#crowd.arrives(conn, conn.remote);
		if (entry.kind === "refused") {
			this.#door.refused({ remote: conn.remote, fault: entry.fault });
			conn.destroy();
			return;
		}
		entry.makeRoom?.destroy();
		const client = this.#aedes.handle(conn);
		const session: Session = { conn, certified, client, thanks: new Thanks(conn), granted: new Map(), handed: new Set(), muted: false, wantsReasons: true };
		this.#sessions.set(client, session);
		this.#closeTraps(session);
		conn.once("close", () => {
			this.#crowd.leaves(conn);
			this.#sessions.delete(client);
		});
	}

	#closeTraps(session: Session): void {
		const hidden = session.client as unknown as HiddenClient;
		hidden.subscriptions = plain();
		// The library drops a message that was overtaken by a newer one as if it were a copy: a QoS 0 beacon would swallow a QoS 1 stop.
		// So it never learns what it handed over; copies are known by their own number in #isFirstCopy.
		if (!this.#plain) hidden.duplicates = new Proxy(plain<number>(), { set: () => true });
		const parser = hidden._parser;
		assert(typeof parser?.parse === "function", "the MQTT library keeps its parser elsewhere");
		const parse = parser.parse.bind(parser);
		// What the filter lets through and the library trips over ends that connection, not the process.
		parser.parse = (bytes) => {
			try {
				return parse(bytes);
			} catch (error) {
				this.#end(session, fault("PACKET_MALFORMED", { detail: error instanceof Error ? error.message : "unreadable" }), REASONS.malformed);
				return 0;
			}
		};
	}

	#tell(session: Session, found: Fault, clientId = session.identity?.clientId): void {
		this.#door.refused({ ...(clientId === undefined ? {} : { clientId }), remote: session.conn.remote, fault: found });
	}

	#pace(session: Session, identity: Identity, packets: number, bytes: number): number {
		const { waitMs, fault: found } = this.#throttle.read(identity, packets, bytes, this.#now());
		if (found !== undefined) this.#tell(session, found);
		return waitMs;
	}

	/** Ends a connection for what it sent; MQTT 5 has words for it. */
	#end(session: Session, found: Fault, reasonCode: number): void {
		this.#tell(session, found);
		const { client, conn } = session;
		if (client.version !== V5 || !client.connected) conn.destroy();
		else client.disconnect({ reasonCode, properties: { reasonString: reasonOf(found) } }, () => conn.destroy());
	}

	#preConnect(client: Client, packet: ConnectPacket, done: (error: Error | null, success: boolean) => void): void {
		const session = this.#sessions.get(client);
		if (session === undefined) {
			done(new Error(NOBODY), false);
			return;
		}
		const version = packet.protocolVersion ?? 0;
		session.wantsReasons = version === V5 && packet.properties?.requestProblemInformation !== false;
		if (!this.#plain) forgetAtEnd(packet);
		const finish = (asked: Admission): void => {
			if (client.closed) return;
			const crowded = asked.ok ? this.#crowded(session, asked.identity) : undefined;
			const admission: Admission = crowded === undefined ? asked : { ok: false, fault: crowded };
			if (admission.ok) {
				session.identity = admission.identity;
				if (packet.will !== undefined && !this.#plain) this.#wills.set(packet.will, session);
				done(null, true);
				return;
			}
			this.#refuseConnect(session, version, admission.fault);
			this.#tell(session, admission.fault, packet.clientId);
			done(new Error(reasonOf(admission.fault)), false);
		};
		this.#door
			.connect(requestOf(packet, version, session.conn.remote, session.certified))
			.then(finish, () => finish({ ok: false, fault: fault("BROKER_BUSY", { detail: "the check failed" }) }));
	}

	#crowded({ conn }: Session, { node, clientId }: Identity): Fault | undefined {
		const takesOver =
			!this.#plain && [...this.#sessions.values()].some(({ client, connectedAtMs }) => client.id === clientId && connectedAtMs !== undefined && !client.closed);
		return this.#crowd.isNamed(conn, node, clientId, takesOver, this.#now());
	}

	/** Written here because the library gives no reason string. */
	#refuseConnect({ conn }: Session, version: number, found: Fault): void {
		const { returnCode, reasonCode } = connackOf(found);
		const text = { cmd: "connack", sessionPresent: false } as const;
		if (version === V5) conn.write(generate({ ...text, reasonCode, properties: { reasonString: reasonOf(found) } }, { protocolVersion: V5 }));
		else conn.write(generate({ ...text, returnCode }));
	}

	#registered(client: Client): void {
		const session = this.#sessions.get(client);
		if (session === undefined) return;
		session.connectedAtMs = this.#now();
		// The library forgets the newer connection when the older one ends in the same moment; then it would not end the older one at the next take-over.
		for (const other of this.#sessions.values())
			if (other !== session && other.client.id === client.id && other.connectedAtMs !== undefined) other.client.close();
	}

	#authorizePublish(client: Client | null, packet: PublishPacket, done: (error?: Error | null) => void): void {
		const lastWords = this.#wills.get(packet);
		if (lastWords?.identity !== undefined) {
			this.#wills.delete(packet);
			if (!lastWords.muted && !this.#closing) this.#door.will(lastWords.identity, publicationOf(packet));
			// The broker says it itself, in its own order; to the library it is refused.
			done(new Error("said by the broker"));
			return;
		}
		const session = client === null ? undefined : this.#sessions.get(client);
		if (this.#plain && packet.cmd !== "publish") {
			// Last words, in the library's own shape: who may come in may leave them.
			done(packet.topic.startsWith(RESERVED) ? new Error(REFUSED) : null);
			return;
		}
		if (session?.identity === undefined || packet.cmd !== "publish") {
			done(new Error(NOBODY));
			return;
		}
		const { qos, messageId } = packet;
		let isAtOnce = true;
		this.#door.publish(session.identity, publicationOf(packet), (answer) => {
			if (answer.kind === "cut") {
				// An error would tell an MQTT 5 client to throw the message away; without an answer every client sends it again.
				session.conn.destroy();
				return;
			}
			if (answer.kind === "unchanged" || answer.kind === "refused") {
				done(answer.kind === "refused" ? new Error(REFUSED) : null);
				return;
			}
			delete packet.properties;
			packet.retain = false;
			if (answer.kind === "unanswered") {
				// As if it were answered already: the library then does nothing more with it.
				Object.assign(packet, { _notAuthorized: true });
				done(null);
				return;
			}
			if (answer.kind === "taken") {
				packet.topic = VOID_TOPIC;
				packet.payload = NOTHING;
				if (this.#thank(session, qos, messageId, answer.fault, isAtOnce)) Object.assign(packet, { _notAuthorized: true });
			}
			done(null);
		});
		isAtOnce = false;
	}

	/** True if nothing is left for the library to do. It reads on inside of its hook, which it must not do inside of its own reading: then it gives the answer itself. */
	#thank(session: Session, qos: number, messageId: number | undefined, found: Fault | undefined, isAtOnce: boolean): boolean {
		if (qos === 0 || messageId === undefined) return !isAtOnce;
		if (found !== undefined && session.client.version === V5) session.thanks.explain(messageId, found, session.wantsReasons);
		else if (isAtOnce) return false;
		else session.thanks.give(messageId);
		return true;
	}

	#grant(session: Session, filter: string, qos: number): boolean {
		const { identity, granted } = session;
		if (identity === undefined || !this.#door.maySubscribe(identity, filter)) return false;
		if (!granted.has(filter) && granted.size >= FILTERS_MAX) return false;
		granted.set(filter, qos === 0 ? 0 : 1);
		return true;
	}

	#isFirstCopy(client: Client, brokerId: string | null, counter: number): boolean {
		const handed = this.#sessions.get(client)?.handed;
		// A retained message that is handed over on SUBSCRIBE has no number.
		if (handed === undefined || brokerId === null) return true;
		if (handed.has(counter)) return false;
		handed.add(counter);
		for (const oldest of handed) {
			if (handed.size <= HANDED_MAX) break;
			handed.delete(oldest);
		}
		return true;
	}

	publish(topic: string, bytes: Uint8Array, qos: 0 | 1, retain: boolean): Promise<void> {
		return new Promise((resolve, reject) => {
			this.#aedes.publish({ cmd: "publish", topic, payload: bufferOf(bytes), qos, retain, dup: false }, (error) => (error ? reject(error) : resolve()));
		});
	}

	/** Writes it to the one live connection with this client id, if that one subscribed to the topic. */
	deliver(clientId: string, topic: string, bytes: Uint8Array): Promise<"delivered" | "nobody"> {
		const live = [...this.#sessions.values()].find(
			({ client, conn, connectedAtMs }) => client.id === clientId && connectedAtMs !== undefined && client.connected && !client.closed && conn.writable,
		);
		const granted = [...(live?.granted ?? [])].filter(([filter]) => matches(filter, topic)).map(([, qos]) => qos);
		if (live === undefined || granted.length === 0) return Promise.resolve("nobody");
		const qos = granted.includes(1) ? 1 : 0;
		return new Promise((resolve) => {
			live.client.publish({ cmd: "publish", topic, payload: bufferOf(bytes), qos, retain: false, dup: false }, () => resolve("delivered"));
		});
	}

	async drop(isMeant: (identity: Identity) => boolean): Promise<void> {
		const meant = [...this.#sessions.values()].filter(({ identity }) => identity !== undefined && isMeant(identity));
		await Promise.all(
			meant.map((session) => {
				session.muted = true;
				return new Promise<void>((resolve) => {
					session.client.disconnect({ reasonCode: ADMINISTRATIVE }, () => resolve());
				});
			}),
		);
	}

	connections(): readonly { readonly identity: Identity; readonly sinceMs: number }[] {
		return [...this.#sessions.values()].flatMap(({ identity, connectedAtMs, client }) =>
			identity === undefined || connectedAtMs === undefined || client.closed ? [] : [{ identity, sinceMs: this.#now() - connectedAtMs }],
		);
	}

	/** What a subscriber to this topic would be given at once. */
	async retained(topic: string): Promise<Uint8Array | undefined> {
		for await (const { payload } of this.#hidden().persistence.createRetainedStream(topic)) return payload;
		return undefined;
	}

	/** Ends all connections; nobody's will is published, because nobody was lost. */
	async close(): Promise<void> {
		this.#closing = true;
		await new Promise<void>((resolve) => {
			this.#aedes.close(() => resolve());
		});
		for (const { conn } of this.#sessions.values()) conn.destroy();
	}
}
