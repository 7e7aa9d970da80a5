// Connects what this node says to the broker: on the node's own disk first, then sent in order until the broker has acknowledged it.
import { type Envelope, encodeEnvelope, type Lane, parseEnvelope, type RecordType, type RecordTypes } from "../contracts/envelope.ts";
import type { NodeWatermark } from "../contracts/gen/types.ts";
import type { Log } from "../log/port.ts";
import type { Loss, Range } from "./machines/loss-ranges.ts";
import { type Letter, OutboxBook } from "./machines/outbox-book.ts";
import type { Connection, Note, Timers } from "./ports.ts";
import { type Thread, topicOf, type Voice } from "./voice.ts";

export interface OutboxOptions {
	readonly log: Log;
	readonly voice: Voice;
	readonly node: string;
	readonly timers: Timers;
	readonly note: Note;
	/** Messages above this many bytes are dropped, oldest first, and counted. */
	readonly bytesMax: number;
	/** Removes what the log has put out of the way. */
	readonly sweep: () => Promise<void>;
}

const CURSOR = "sent";
const PAGE_RECORDS = 256;
const SETTLE_EVERY_MS = 1_000;
const RETRY_MS = 500;
/** Records that are done with before whole segments are put away. */
const ARCHIVE_EVERY = 4_096;
/** On disk, what is done with lies between what is not; above this many times the bound the oldest are written anew, so that the rest can go. */
const SPREAD_MAX = 2;

const letterOf = (position: number, envelope: Envelope, bytes: number): Letter | undefined => {
	const { lane, session, seq } = envelope;
	if (lane === undefined || session === undefined || seq === undefined) return undefined;
	const covers = rangeOf(envelope);
	return { position, lane, session, seq, bytes, ...(covers === undefined ? {} : { covers }) };
};

const rangeOf = (envelope: Envelope): Range | undefined => {
	if (envelope.type !== "dev.orion.log.loss.v1") return undefined;
	const { session, lane, fromSeq, toSeq } = envelope.data;
	return session === undefined || lane === undefined || fromSeq === undefined || toSeq === undefined ? undefined : { session, lane, fromSeq, toSeq };
};

export class Outbox {
	readonly #options: OutboxOptions;
	readonly #book = new OutboxBook();
	#connection: Connection | undefined;
	#pumping = false;
	#again = false;
	#settling: (() => void) | undefined;
	#retrying: (() => void) | undefined;
	#archived = 0;
	/** Numbers that were taken for messages that the disk refused. */
	#unwritten: Loss[] = [];
	#idle: (() => void)[] = [];
	/** Every record from the first that is not done with, in order: how much disk it holds. */
	#spread: { readonly position: number; readonly bytes: number }[] = [];
	#spreadBytes = 0;
	#bytesWritten = 0;

	private constructor(options: OutboxOptions) {
		this.#options = options;
	}

	/** Reads what was not done with; what a loss record stands for is not sent. */
	static async open(options: OutboxOptions): Promise<Outbox> {
		const outbox = new Outbox(options);
		const { log, note } = options;
		const lost: Range[] = [];
		let from = Math.max(log.cursor(CURSOR) + 1, log.first());
		for (;;) {
			const page = await log.read(from, PAGE_RECORDS);
			for (const { position, bytes } of page) {
				outbox.#spreads(position, bytes.byteLength);
				const parsed = parseEnvelope(bytes);
				const letter = parsed.ok ? letterOf(position, parsed.value, bytes.byteLength) : undefined;
				if (letter === undefined) note("outbox-unreadable", { position });
				else outbox.#book.add(letter);
				if (letter?.covers !== undefined) lost.push(letter.covers);
				from = position + 1;
			}
			if (page.length === 0) break;
		}
		for (const range of lost) outbox.#book.drop(range);
		return outbox;
	}

	/** Not yet acknowledged. */
	get waiting(): number {
		return this.#book.waiting;
	}
	get bytes(): number {
		return this.#book.bytes;
	}

	/** Onto the disk since it was opened: a card bears only so much. */
	get bytesWritten(): number {
		return this.#bytesWritten;
	}

	/** Resolves when it is on this node's disk; from then on it is sent until it is acknowledged. */
	async emit<T extends RecordType>(type: T, data: RecordTypes[T], thread: Thread = {}): Promise<void> {
		const lane: Lane = type === "dev.orion.action.receipt.v1" ? "decision" : "event";
		await this.#store(this.#options.voice.numbered(lane, type, data, thread));
		await this.#tellLosses(this.#unwritten.splice(0));
		await this.#tellLosses(this.#book.makeRoom(this.#options.bytesMax));
	}

	async #store(envelope: ReturnType<Voice["numbered"]>): Promise<void> {
		const bytes = encodeEnvelope(envelope);
		const { lane, session, seq } = envelope;
		try {
			const [outcome] = await this.#options.log.append([{ bytes }]);
			if (outcome?.kind !== "stored") return;
			this.#written(outcome.position, bytes.byteLength);
			const letter = letterOf(outcome.position, envelope, bytes.byteLength);
			if (letter !== undefined) this.#book.add(letter);
		} catch (error) {
			this.#unwritten.push({ session, lane, fromSeq: seq, toSeq: seq, count: 1, bytes: bytes.byteLength });
			throw error;
		}
		void this.#pump();
	}

	async #tellLosses(losses: readonly Loss[]): Promise<void> {
		const { voice, note } = this.#options;
		if (losses.length > 0) this.#settleSoon();
		for (const loss of losses) {
			note("outbox-loss", { lane: loss.lane, fromSeq: loss.fromSeq, toSeq: loss.toSeq, count: loss.count });
			const data = { what: "lane" as const, source: voice.source, ...loss, why: "no room in the outbox of the node" };
			await this.#store(voice.numbered("event", "dev.orion.log.loss.v1", data));
		}
	}

	linkUp(connection: Connection): void {
		this.#connection = connection;
		this.#book.linkUp();
		void this.#pump();
	}

	linkDown(): void {
		this.#connection = undefined;
		this.#book.linkDown();
	}

	/** What core says that it has. */
	watermark(mark: NodeWatermark): void {
		this.#book.watermark(mark);
		this.#settleSoon();
		void this.#pump();
	}

	/** Resolves when everything is acknowledged, or after timeoutMs. */
	async flushed(timeoutMs: number): Promise<boolean> {
		if (this.#book.waiting === 0) return true;
		await new Promise<void>((resolve) => {
			const cancel = this.#options.timers.after(timeoutMs, resolve);
			this.#idle.push(() => {
				cancel();
				resolve();
			});
		});
		return this.#book.waiting === 0;
	}

	async close(): Promise<void> {
		this.linkDown();
		this.#retrying?.();
		this.#settling?.();
		this.#settling = undefined;
		await this.#settle();
		await this.#options.log.close();
	}

	async #pump(): Promise<void> {
		this.#again = true;
		if (this.#pumping) return;
		this.#pumping = true;
		try {
			while (this.#again) {
				this.#again = false;
				for (const letter of this.#book.take()) await this.#send(letter);
			}
		} catch (error) {
			this.#options.note("outbox-unreadable", { detail: error instanceof Error ? error.message : "unknown" });
		} finally {
			this.#pumping = false;
		}
	}

	/** Hands one over and does not wait for its PUBACK; what comes of an older connection is not listened to. */
	async #send(letter: Letter): Promise<void> {
		const { log, node, timers } = this.#options;
		const connection = this.#connection;
		const [record] = await log.read(letter.position, 1);
		if (connection === undefined || connection !== this.#connection || record?.position !== letter.position) return;
		const parsed = parseEnvelope(record.bytes);
		if (!parsed.ok) return;
		const { topic, retain } = topicOf(node, parsed.value);
		connection.publish(topic, record.bytes, { qos: 1, retain }).then(
			() => {
				if (connection !== this.#connection) return;
				this.#book.acknowledged(letter.position);
				this.#settleSoon();
				if (this.#book.waiting === 0) for (const resolve of this.#idle.splice(0)) resolve();
				void this.#pump();
			},
			() => {
				if (connection !== this.#connection) return;
				this.#book.returned(letter.position);
				// One pause for all that failed: a pause for each would send everything once for every message, and each time more.
				this.#retrying ??= timers.after(RETRY_MS, () => {
					this.#retrying = undefined;
					void this.#pump();
				});
			},
		);
	}

	/** The cursor is moved from time to time only: after a crash a little is sent twice, and core knows it by its number. */
	#settleSoon(): void {
		this.#settling ??= this.#options.timers.after(SETTLE_EVERY_MS, () => {
			this.#settling = undefined;
			this.#settle().catch((error: unknown) => this.#options.note("outbox-settle-failed", { detail: error instanceof Error ? error.message : "unknown" }));
		});
	}

	async #settle(): Promise<void> {
		const { log, sweep, bytesMax } = this.#options;
		const done = this.#book.doneBelow(log.head()) - 1;
		if (done > log.cursor(CURSOR)) await log.setCursor(CURSOR, done);
		const gone = this.#spread.findIndex(({ position }) => position > done);
		for (const { bytes } of this.#spread.splice(0, gone === -1 ? this.#spread.length : gone)) this.#spreadBytes -= bytes;
		if (this.#spreadBytes > bytesMax * SPREAD_MAX) await this.#gather();
		if (done - this.#archived < ARCHIVE_EVERY) return;
		this.#archived = done;
		if ((await log.archive(done)) > 0) await sweep();
	}

	#written(position: number, bytes: number): void {
		this.#bytesWritten += bytes;
		this.#spreads(position, bytes);
	}

	#spreads(position: number, bytes: number): void {
		this.#spread.push({ position, bytes });
		this.#spreadBytes += bytes;
	}

	/** Writes the oldest anew at the end, byte for byte: a receipt of long ago must not hold all that came and went since. */
	async #gather(): Promise<void> {
		const { log, bytesMax } = this.#options;
		let upTo = 0;
		let left = this.#spreadBytes;
		for (const { position, bytes } of this.#spread) {
			if (left <= bytesMax) break;
			left -= bytes;
			upTo = position;
		}
		for (let letter = this.#book.oldestWaiting(); letter !== undefined && letter.position <= upTo; letter = this.#book.oldestWaiting()) {
			const [record] = await log.read(letter.position, 1);
			if (record?.position !== letter.position) return;
			const [outcome] = await log.append([{ bytes: record.bytes }]);
			if (outcome?.kind !== "stored") return;
			this.#written(outcome.position, record.bytes.byteLength);
			this.#book.moved(letter.position, outcome.position);
		}
		this.#settleSoon();
	}
}
