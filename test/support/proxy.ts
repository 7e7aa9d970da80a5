// Connects a client to a server through a network that can be told to misbehave: cut, slow, doubled, silent, or one way only.
import { connect, createServer, type Server, type Socket } from "node:net";

export type Way = "up" | "down";

/** What happens to whole MQTT packets on their way; `up` is from the client to the server. */
export interface Weather {
	/** Each packet arrives this much later, in order. */
	readonly delayMs?: number;
	/** At most one packet arrives in this time; what comes faster waits. */
	readonly oneEveryMs?: number;
	/** Asked for each PUBLISH: true sends its bytes twice. */
	readonly doubles?: () => boolean;
	/** Asked for each PUBLISH: true lets it overtake the one before it, if that one is still on its way. */
	readonly overtakes?: () => boolean;
}

export interface ProxyCounts {
	readonly connections: number;
	readonly cuts: number;
	readonly packets: number;
	readonly doubled: number;
	readonly overtaken: number;
	/** Packets of long ago that came once more. */
	readonly repeated: number;
	/** Packets that went into silence. */
	readonly swallowed: number;
}

const PUBLISH = 3;
const LENGTH_BYTES_MAX = 4;
const NOTHING = Buffer.alloc(0);
/** PUBLISH packets of one way that are remembered, to come again. */
const KEPT_MAX = 64;

/** Bytes of the packet at the beginning; undefined while its end has not come. */
const packetBytes = (bytes: Buffer): number | undefined => {
	let remaining = 0;
	for (let index = 0; index < LENGTH_BYTES_MAX; index += 1) {
		const next = bytes[1 + index];
		if (next === undefined) return undefined;
		remaining += (next & 0x7f) * 128 ** index;
		if (next < 0x80) return bytes.length >= 2 + index + remaining ? 2 + index + remaining : undefined;
	}
	// Not MQTT: it travels as it came.
	return bytes.length;
};

const isPublish = (packet: Buffer): boolean => (packet[0] ?? 0) >> 4 === PUBLISH;

/** One direction of one connection: packets in order, each not before its time. */
class Lane {
	readonly #target: Socket;
	readonly #weather: () => Weather;
	readonly #isSilent: () => boolean;
	readonly #count: (what: "packets" | "doubled" | "overtaken" | "swallowed") => void;
	readonly #keep: (publish: Buffer) => void;
	#rest: Buffer = NOTHING;
	#queue: { readonly bytes: Buffer; readonly dueMs: number }[] = [];
	#lastDueMs = 0;
	#timer: NodeJS.Timeout | undefined;
	#ended = false;

	constructor(
		target: Socket,
		weather: () => Weather,
		isSilent: () => boolean,
		count: (what: "packets" | "doubled" | "overtaken" | "swallowed") => void,
		keep: (publish: Buffer) => void,
	) {
		this.#target = target;
		this.#weather = weather;
		this.#isSilent = isSilent;
		this.#count = count;
		this.#keep = keep;
	}

	take(chunk: Buffer): void {
		this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
		for (let length = packetBytes(this.#rest); length !== undefined && this.#rest.length > 0; length = packetBytes(this.#rest)) {
			const packet = this.#rest.subarray(0, length);
			this.#rest = this.#rest.subarray(length);
			this.#count("packets");
			this.#schedule(packet);
			if (!isPublish(packet)) continue;
			this.#keep(packet);
			if (this.#weather().doubles?.() === true) {
				this.#count("doubled");
				this.#schedule(packet);
			}
			if (this.#weather().overtakes?.() === true) this.#overtake();
		}
		this.#run();
	}

	/** A packet of long ago comes now. */
	repeat(packet: Buffer): void {
		this.#schedule(packet);
		this.#run();
	}

	/** The newest two change places; each keeps its time. */
	#overtake(): void {
		const [before, newest] = this.#queue.slice(-2);
		if (before === undefined || newest === undefined || !isPublish(before.bytes)) return;
		this.#count("overtaken");
		this.#queue.splice(-2, 2, { bytes: newest.bytes, dueMs: before.dueMs }, { bytes: before.bytes, dueMs: newest.dueMs });
	}

	#schedule(bytes: Buffer): void {
		const { delayMs = 0, oneEveryMs = 0 } = this.#weather();
		const nowMs = performance.now();
		this.#lastDueMs = Math.max(nowMs + delayMs, this.#lastDueMs + oneEveryMs);
		this.#queue.push({ bytes, dueMs: this.#lastDueMs });
	}

	#run(): void {
		clearTimeout(this.#timer);
		const nowMs = performance.now();
		while (this.#queue[0] !== undefined && this.#queue[0].dueMs <= nowMs) {
			const packet = this.#queue.shift();
			if (packet === undefined || this.#target.destroyed) continue;
			if (this.#isSilent()) this.#count("swallowed");
			else this.#target.write(packet.bytes);
		}
		const next = this.#queue[0];
		if (next !== undefined) this.#timer = setTimeout(() => this.#run(), next.dueMs - nowMs);
		else if (this.#ended) this.#target.end();
	}

	/** The sender is done: the receiver learns it behind everything that is still on its way. */
	end(): void {
		this.#ended = true;
		this.#run();
	}

	drop(): void {
		clearTimeout(this.#timer);
		this.#queue = [];
	}
}

interface Pair {
	readonly ends: readonly [Socket, Socket];
	readonly lanes: Readonly<Record<Way, Lane>>;
	silent: Readonly<Record<Way, boolean>>;
}

/** A TCP proxy before one server; everything may be changed while connections run through it. */
export class FaultProxy {
	readonly #server: Server;
	readonly #target: () => number;
	readonly #pairs = new Set<Pair>();
	readonly #weather: Record<Way, Weather> = { up: {}, down: {} };
	readonly #counts = { connections: 0, cuts: 0, packets: 0, doubled: 0, overtaken: 0, repeated: 0, swallowed: 0 };
	readonly #muted: Record<Way, boolean> = { up: false, down: false };
	readonly #kept: Record<Way, Buffer[]> = { up: [], down: [] };
	#away = false;
	port = 0;

	private constructor(target: () => number) {
		this.#target = target;
		this.#server = createServer({ noDelay: true }, (socket) => this.#open(socket));
	}

	/** The target's port is asked at each connection: a server that was started again may have another. */
	static open(target: () => number): Promise<FaultProxy> {
		const proxy = new FaultProxy(target);
		return new Promise((resolve, reject) => {
			proxy.#server.once("error", reject);
			proxy.#server.listen(0, "127.0.0.1", () => {
				const address = proxy.#server.address();
				proxy.port = typeof address === "object" && address !== null ? address.port : 0;
				resolve(proxy);
			});
		});
	}

	get counts(): ProxyCounts {
		return { ...this.#counts };
	}
	/** Connections that run through it now. */
	get live(): number {
		return this.#pairs.size;
	}

	#open(client: Socket): void {
		if (this.#away) {
			client.destroy();
			return;
		}
		const server = connect({ port: this.#target(), host: "127.0.0.1", noDelay: true });
		this.#counts.connections += 1;
		const lane = (way: Way, target: Socket): Lane =>
			new Lane(
				target,
				() => this.#weather[way],
				() => pair.silent[way] || this.#muted[way],
				(what) => {
					this.#counts[what] += 1;
				},
				(publish) => {
					this.#kept[way] = [...this.#kept[way], publish].slice(-KEPT_MAX);
				},
			);
		const pair: Pair = { ends: [client, server], lanes: { up: lane("up", server), down: lane("down", client) }, silent: { up: false, down: false } };
		this.#pairs.add(pair);
		for (const [way, from] of [["up", client] as const, ["down", server] as const]) {
			from.on("data", (chunk) => pair.lanes[way].take(chunk));
			from.on("end", () => pair.lanes[way].end());
			from.on("error", () => undefined);
			from.on("close", () => this.#closed(pair, way));
		}
	}

	/** A side that is silent must not learn that the other has gone: that is what half open means. */
	#closed(pair: Pair, way: Way): void {
		if (pair.silent[way]) return;
		this.#end(pair);
	}

	#end(pair: Pair): void {
		this.#pairs.delete(pair);
		for (const way of ["up", "down"] as const) pair.lanes[way].drop();
		for (const socket of pair.ends) if (!socket.destroyed) socket.destroySoon();
	}

	/** From now on, for this way or for both. */
	weather(weather: Weather, way?: Way): void {
		for (const each of way === undefined ? (["up", "down"] as const) : [way]) this.#weather[each] = weather;
	}

	/** Ends every connection at once, what is on its way included. */
	cut(): void {
		for (const pair of [...this.#pairs]) {
			this.#counts.cuts += 1;
			this.#pairs.delete(pair);
			for (const way of ["up", "down"] as const) pair.lanes[way].drop();
			for (const socket of pair.ends) socket.resetAndDestroy();
		}
	}

	/** The connections that are there now stay open and carry nothing more, this way or both: nobody is told. */
	silence(way?: Way): void {
		for (const pair of this.#pairs) pair.silent = { up: way !== "down" || pair.silent.up, down: way !== "up" || pair.silent.down };
	}

	/** Every connection, also one that is made meanwhile, carries nothing this way. */
	mute(way: Way, isMuted: boolean): void {
		this.#muted[way] = isMuted;
	}

	/** What was published on this way of late comes once more, in another order, on every connection: whether it ever arrived or not. */
	repeat(way: Way, random: () => number): void {
		const order = [...this.#kept[way]].map((packet) => ({ packet, key: random() })).sort((left, right) => left.key - right.key);
		for (const pair of this.#pairs) {
			for (const { packet } of order) {
				this.#counts.repeated += 1;
				pair.lanes[way].repeat(packet);
			}
		}
	}

	/** While it is away new connections end at once; those that are there are cut. */
	away(isAway: boolean): void {
		this.#away = isAway;
		if (isAway) this.cut();
	}

	async close(): Promise<void> {
		const closed = new Promise<void>((resolve) => {
			this.#server.close(() => resolve());
		});
		for (const pair of [...this.#pairs]) this.#end(pair);
		for (const pair of this.#pairs) for (const socket of pair.ends) socket.destroy();
		await closed;
	}
}
