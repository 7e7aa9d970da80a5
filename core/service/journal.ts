// Connects everything that core records to the log: stamps it, puts a clock record before it when time has moved, and keeps the parsed newest ones at hand.
import { uuidv7 } from "uuidv7";
import { type Envelope, encodeEnvelope, type RecordType, type RecordTypes } from "../../contracts/envelope.ts";
import { OrionError } from "../../contracts/errors.ts";
import { isoTime } from "../../contracts/time.ts";
import type { AppendOutcome, Entry, EntryKey, Gap, Log } from "../../log/port.ts";
import type { LogRecord } from "./ports.ts";
import type { HostClock } from "./world.ts";

/** Inputs within this of a clock record need no other: engine time is that exact. */
const TICK_EVERY_MS = 100;
const NEWEST_COUNT = 1_024;

export interface Incoming {
	readonly envelope: Envelope;
	/** As it came; absent for core's own records. */
	readonly bytes?: Uint8Array;
	readonly key?: EntryKey;
}

const CLOSING_BRACE = 0x7d;

export interface Journal {
	/** One atomic batch of inputs; outcomes in their order. */
	append(inputs: readonly Incoming[]): Promise<readonly AppendOutcome[]>;
	/** Core's own record about itself. */
	note<T extends RecordType>(source: string, type: T, data: RecordTypes[T], subject?: string): Promise<number>;
	/** The engine's outputs, exactly as they are. */
	appendOutputs(outputs: readonly Envelope[]): Promise<void>;
	/** A clock record now, for timers. */
	tick(): Promise<void>;
	read(from: number, recordsMax: number): Promise<readonly LogRecord[]>;
	readonly bytesAppended: number;
}

export interface EngineTime {
	/** Engine time now, milliseconds. */
	engineMs(): number;
}

export const coreEnvelope = <T extends RecordType>(mesh: string, wallMs: number, source: string, type: T, data: RecordTypes[T], subject?: string): Envelope => {
	const at = isoTime(wallMs);
	const named = subject === undefined ? {} : { subject };
	return { specversion: "1.0", id: uuidv7(), source, type, ...named, time: at, mesh, recordedtime: at, data } as unknown as Envelope;
};

/** The parsed newest records, so that what was parsed at the door is not parsed again by who keeps up. Few: what is kept through a flood is copied by each collection of garbage. */
class Newest {
	readonly #envelopes = new Array<Envelope | undefined>(NEWEST_COUNT).fill(undefined);
	readonly #positions = new Float64Array(NEWEST_COUNT);

	put(position: number, envelope: Envelope): void {
		const place = position % NEWEST_COUNT;
		this.#envelopes[place] = envelope;
		this.#positions[place] = position;
	}

	get(position: number): Envelope | undefined {
		const place = position % NEWEST_COUNT;
		return this.#positions[place] === position ? this.#envelopes[place] : undefined;
	}
}

export interface JournalOptions {
	readonly log: Log;
	readonly mesh: string;
	readonly clock: HostClock;
	readonly time: EngineTime;
	/** Told of each record that is durable. */
	readonly onStored?: (position: number, envelope: Envelope) => void;
}

class LogJournal implements Journal {
	readonly #options: JournalOptions;
	readonly #newest = new Newest();
	#tickedMs = Number.NEGATIVE_INFINITY;
	#bytesAppended = 0;
	#stamp = stampOf(0);

	constructor(options: JournalOptions) {
		this.#options = options;
	}

	get bytesAppended(): number {
		return this.#bytesAppended;
	}

	append(inputs: readonly Incoming[]): Promise<readonly AppendOutcome[]> {
		const { clock } = this.#options;
		if (clock.now() - this.#tickedMs < TICK_EVERY_MS) return this.#store(inputs);
		return this.#store([{ envelope: this.#tickEnvelope() }, ...inputs]).then((outcomes) => outcomes.slice(1));
	}

	async note<T extends RecordType>(source: string, type: T, data: RecordTypes[T], subject?: string): Promise<number> {
		const { mesh, clock } = this.#options;
		const [outcome] = await this.append([{ envelope: coreEnvelope(mesh, clock.wall(), source, type, data, subject) }]);
		if (outcome?.kind !== "stored") throw new OrionError("LOG_CLOSED");
		return outcome.position;
	}

	async appendOutputs(outputs: readonly Envelope[]): Promise<void> {
		await this.#store(outputs.map((envelope) => ({ envelope })));
	}

	async tick(): Promise<void> {
		await this.#store([{ envelope: this.#tickEnvelope() }]);
	}

	async read(from: number, recordsMax: number): Promise<readonly LogRecord[]> {
		const stored = await this.#options.log.read(from, recordsMax);
		return stored.map(({ position, bytes }) => ({ position, envelope: this.#newest.get(position) ?? parseStored(bytes) }));
	}

	/** The same for everything within a millisecond. */
	#stampNow(): Stamp {
		const wallMs = this.#options.clock.wall();
		if (this.#stamp.wallMs !== wallMs) this.#stamp = stampOf(wallMs);
		return this.#stamp;
	}

	#tickEnvelope(): Envelope {
		const { mesh, clock, time } = this.#options;
		this.#tickedMs = clock.now();
		const data = {
			engineMs: Math.floor(time.engineMs()),
			wallMs: clock.wall(),
			quality: clock.quality(),
			offsetMinutes: clock.offsetMinutes(),
			bootId: clock.bootId,
			monoMs: clock.bootMs(),
		};
		return coreEnvelope(mesh, clock.wall(), "/core/clock", "dev.orion.clock.tick.v1", data);
	}

	async #store(inputs: readonly Incoming[]): Promise<readonly AppendOutcome[]> {
		const stamp = this.#stampNow();
		const entries = inputs.map((input) => entryOf(input, stamp));
		for (const entry of entries) this.#bytesAppended += entry.bytes.byteLength;
		let outcomes: readonly AppendOutcome[];
		try {
			outcomes = await this.#options.log.append(entries);
		} catch (error) {
			// The clock record, if there was one, is not in the log: the next append brings another.
			this.#tickedMs = Number.NEGATIVE_INFINITY;
			throw error;
		}
		for (let index = 0; index < outcomes.length; index += 1) {
			const outcome = outcomes[index];
			const envelope = inputs[index]?.envelope;
			if (outcome?.kind !== "stored" || envelope === undefined) continue;
			this.#newest.put(outcome.position, envelope);
			this.#options.onStored?.(outcome.position, envelope);
		}
		return outcomes;
	}
}

/**
 * A record of core's own under an id that says what it comes from: the second time nothing is written, and undefined is given.
 * It has no time of its own, so that what comes again is the same to the byte; the append stamps it.
 */
export const noteOnce = async (
	journal: Pick<Journal, "append">,
	record: Pick<Envelope, "id" | "source" | "type" | "subject" | "mesh" | "data">,
): Promise<number | undefined> => {
	const envelope = { specversion: "1.0", ...record } as unknown as Envelope;
	const [outcome] = await journal.append([{ envelope, bytes: encodeEnvelope(envelope), key: { kind: "id", source: envelope.source, id: envelope.id } }]);
	return outcome?.kind === "stored" ? outcome.position : undefined;
};

export const openJournal = (options: JournalOptions): Journal => new LogJournal(options);

const DECODER = new TextDecoder();

/** What stands in the log passed its contract at the door and its checksum since: it is read, not judged again. */
export const parseStored = (bytes: Uint8Array): Envelope => JSON.parse(DECODER.decode(bytes)) as Envelope;

const STAMP_START = ',"recordedtime":"';
const STAMP_BYTES = STAMP_START.length + "2026-01-01T00:00:00.000Z".length + '"}'.length;

/** When something was appended: as text, and as it stands at the end of a record. */
interface Stamp {
	readonly wallMs: number;
	readonly text: string;
	readonly bytes: Uint8Array;
}

const stampOf = (wallMs: number): Stamp => {
	const text = isoTime(wallMs);
	return { wallMs, text, bytes: Buffer.from(`${STAMP_START}${text}"}`, "latin1") };
};

/** Core's own record, or a message as it came with the time of the append in it. */
const entryOf = ({ envelope, bytes, key }: Incoming, stamp: Stamp): Entry => {
	const { type } = envelope;
	if (bytes === undefined) return { bytes: encodeEnvelope(envelope), type };
	(envelope as { recordedtime?: string }).recordedtime = stamp.text;
	// What makes a message the same message: as it came, without what may stand around it.
	const identity = bytes[bytes.length - 1] === CLOSING_BRACE ? bytes : bytes.subarray(0, bytes.lastIndexOf(CLOSING_BRACE) + 1);
	const record = stamped(identity, stamp);
	return key === undefined ? { bytes: record, type, identity } : { bytes: record, type, identity, key };
};

/** Puts the time of the append into a message, over its last brace, without writing the rest of it anew: the last of two equal names wins in JSON. */
const stamped = (message: Uint8Array, { bytes }: Stamp): Uint8Array => {
	const record = Buffer.allocUnsafe(message.length - 1 + bytes.length);
	record.set(message);
	record.set(bytes, message.length - 1);
	return record;
};

/** The message as it came, from the record that it became. */
export const identityOf = (record: Uint8Array): Uint8Array => {
	const at = record.length - STAMP_BYTES;
	const isStamped = at > 0 && DECODER.decode(record.subarray(at, at + STAMP_START.length)) === STAMP_START;
	return isStamped ? Buffer.concat([record.subarray(0, at), Buffer.from("}")]) : record;
};

/** What a message is known by when it comes again; measurements are sampled, so holes in their numbering mean nothing. */
export const keyOfEnvelope = (envelope: Envelope): EntryKey | undefined => {
	const { source, session, lane, seq, id } = envelope;
	// An update of a chat may come again after a crash; what it answered then stands here already.
	if (source === "/core/telegram" && envelope.type === "dev.orion.approval.decided.v1") return { kind: "id", source, id };
	if (!source.startsWith("/nodes/") || lane === "metric") return undefined;
	return session !== undefined && lane !== undefined && seq !== undefined ? { kind: "lane", source, session, lane, seq } : { kind: "id", source, id };
};

/** The same from a record on disk, to know it again after a restart. */
export const keyOfRecord = (record: Uint8Array): EntryKey | undefined => keyOfEnvelope(parseStored(record));

/** The hole that a message or record accounts for: one that core gave up waiting for, or one that the node says is gone. */
export const gapOfEnvelope = (envelope: Envelope): Gap | undefined => {
	if (envelope.type === "dev.orion.log.gap.v1") {
		const { source, session, lane, fromSeq, toSeq } = envelope.data;
		return { source, session, lane, fromSeq, toSeq };
	}
	if (envelope.type !== "dev.orion.log.loss.v1" || envelope.data.what !== "lane") return undefined;
	const { session = envelope.session, lane, fromSeq, toSeq } = envelope.data;
	return session === undefined || lane === undefined || fromSeq === undefined || toSeq === undefined
		? undefined
		: { source: envelope.source, session, lane, fromSeq, toSeq };
};

const ACCOUNTS_FOR = /"dev\.orion\.log\.(gap|loss)\.v1"/;

/** The same from a record on disk, so that a restart does not account for it again. */
export const gapOfRecord = (record: Uint8Array): Gap | undefined => {
	const bytes = Buffer.from(record.buffer, record.byteOffset, record.byteLength);
	// Every record is asked this at a start, and hardly any is one.
	return bytes.indexOf('"dev.orion.log.') >= 0 && ACCOUNTS_FOR.test(bytes.toString("latin1")) ? gapOfEnvelope(parseStored(record)) : undefined;
};
