// Connects a socket to the broker's library through the frame filter, and takes the library's writes so that no slow peer ever holds it up.
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { FrameFilter, type Passed, type Urgent } from "./frame-filter.ts";
import type { PacketRefusal, QosMax } from "./packet-check.ts";

export interface SocketLimits {
	/** A peer that takes nothing for this long is let go. */
	readonly drainTimeoutMs: number;
	/** A peer for whom more than this waits is let go. */
	readonly backlogBytesMax: number;
	/** Default 1. */
	readonly qosMax?: QosMax;
}

export interface SocketEvents {
	isUrgent(topic: string): boolean;
	/** A packet that acts at once; it comes again in its place. */
	onUrgent(urgent: Urgent): void;
	/** Something that is not MQTT as it should be. The connection takes no more; whoever listens ends it. */
	onRefused(refusal: PacketRefusal): void;
	/** How long to read nothing more, in milliseconds. */
	onRead(packets: number, bytes: number): number;
	/** The peer was let go for taking too little. */
	onStalled(detail: string): void;
}

/** Bytes that wait for the library; more stay in the kernel, and so with the sender. */
const READ_AHEAD_BYTES = 65_536;
/** What was written last may still leave after the end was decided: a refusal is worth reading. */
const FAREWELL_MS = 1_000;
/** Timers are no finer. */
const WAIT_MIN_MS = 1;

export class GuardedSocket extends Duplex {
	readonly #socket: Socket;
	readonly #filter: FrameFilter;
	readonly #limits: SocketLimits;
	readonly #events: SocketEvents;
	#refused = false;
	#ended = false;
	#writesWaiting = 0;
	#writesDone = 0;
	#stallTimer: NodeJS.Timeout | undefined;
	#waitTimer: NodeJS.Timeout | undefined;

	constructor(socket: Socket, limits: SocketLimits, events: SocketEvents) {
		super({ readableHighWaterMark: READ_AHEAD_BYTES, writableHighWaterMark: limits.backlogBytesMax, allowHalfOpen: false, emitClose: true });
		this.#socket = socket;
		this.#limits = limits;
		this.#events = events;
		this.#filter = new FrameFilter((topic) => events.isUrgent(topic), limits.qosMax);
		socket.on("data", (chunk) => {
			const passed = this.#filter.push(chunk);
			this.#wait(events.onRead(passed.packets, chunk.length));
			this.#read(passed);
		});
		socket.on("end", () => {
			this.#ended = true;
			this.push(null);
		});
		socket.on("error", () => this.destroy());
		socket.on("close", () => this.destroy());
	}

	get remote(): string {
		return this.#socket.remoteAddress ?? "gone";
	}

	/** The client is known: packets behind its CONNECT go on. */
	admit(): void {
		this.#read(this.#filter.admit());
		this.#resume();
	}

	/** What comes too fast stays in the kernel, and so with its sender. */
	#wait(waitMs: number): void {
		if (waitMs < WAIT_MIN_MS || this.destroyed) return;
		clearTimeout(this.#waitTimer);
		this.#socket.pause();
		this.#waitTimer = setTimeout(() => {
			this.#waitTimer = undefined;
			this.#resume();
		}, waitMs);
		this.#waitTimer.unref();
	}

	#resume(): void {
		if (!this.#refused && this.#waitTimer === undefined && this.#filter.takesMore) this.#socket.resume();
	}

	#read({ pieces, urgent, refusal, awaitsAdmission }: Passed): void {
		if (this.destroyed || this.#ended || this.#refused) return;
		for (const order of urgent) this.#events.onUrgent(order);
		let room = true;
		for (const piece of pieces) room = this.push(piece);
		if (!room || awaitsAdmission) this.#socket.pause();
		if (refusal === undefined) return;
		this.#refused = true;
		this.#socket.pause();
		this.#events.onRefused(refusal);
	}

	override _read(): void {
		this.#resume();
	}

	override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
		this.#send(chunk);
		done();
	}

	override _writev(chunks: readonly { readonly chunk: Uint8Array }[], done: (error?: Error | null) => void): void {
		this.#send(Buffer.concat(chunks.map(({ chunk }) => chunk)));
		done();
	}

	/**
	 * The library waits for a peer that is slow, and with it everyone who published to that peer. So it is never told: what
	 * waits is counted here, and a peer that is too slow loses its connection instead of everyone's time.
	 */
	#send(bytes: Uint8Array): void {
		if (this.#socket.destroyed) return;
		this.#writesWaiting += 1;
		this.#socket.write(bytes, () => {
			this.#writesWaiting -= 1;
			this.#writesDone += 1;
		});
		if (this.#socket.writableLength > this.#limits.backlogBytesMax) this.#letGo(`${this.#socket.writableLength} bytes wait for it`);
		else if (this.#socket.writableLength > 0) this.#watch();
	}

	#watch(): void {
		if (this.#stallTimer !== undefined) return;
		const doneBefore = this.#writesDone;
		this.#stallTimer = setTimeout(() => {
			this.#stallTimer = undefined;
			if (this.#writesWaiting === 0) return;
			if (this.#writesDone > doneBefore) this.#watch();
			else this.#letGo(`it took nothing for ${this.#limits.drainTimeoutMs} ms`);
		}, this.#limits.drainTimeoutMs);
		this.#stallTimer.unref();
	}

	#letGo(detail: string): void {
		this.#socket.destroy();
		this.#events.onStalled(detail);
		this.destroy();
	}

	override _final(done: (error?: Error | null) => void): void {
		this.#socket.end();
		done();
	}

	override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
		clearTimeout(this.#stallTimer);
		clearTimeout(this.#waitTimer);
		const socket = this.#socket;
		if (!socket.destroyed) {
			// Unread bytes at the close would make the kernel reset the connection, and the peer would never read why it was refused.
			socket.removeAllListeners("data");
			socket.resume();
			socket.destroySoon();
			setTimeout(() => socket.destroy(), FAREWELL_MS).unref();
		}
		done(error);
	}
}
