// The one seam: what a log promises to whoever appends to it or reads it. Memory and segments on disk keep the same promises.
import type { Lane } from "../contracts/envelope.ts";

/** 1, 2, 3, ... without holes, in the order of the appends. 0 stands for "before the first". */
export type Position = number;

/** What makes a record the same record when it comes again. */
export type EntryKey =
	| { readonly kind: "lane"; readonly source: string; readonly session: string; readonly lane: Lane; readonly seq: number }
	| { readonly kind: "id"; readonly source: string; readonly id: string };

export interface Entry {
	readonly bytes: Uint8Array;
	/** Without a key the entry is never a duplicate. */
	readonly key?: EntryKey;
	/** What is compared under the same key (default: bytes): the message as it came, before core stamped it. */
	readonly identity?: Uint8Array;
	/** What kind of record it is, for readers that keep up. */
	readonly type?: string;
}

export interface StoredRecord {
	readonly position: Position;
	readonly bytes: Uint8Array;
	/** As whoever appended it said; of what comes from disk nobody knows, and it stands in the bytes. */
	readonly type?: string | undefined;
}

export type AppendOutcome =
	| { readonly kind: "stored"; readonly position: Position }
	/** The same key and the same bytes were stored before; nothing was written. */
	| { readonly kind: "duplicate" }
	/** The same key was stored with other bytes; nothing was written, and the caller has to say so. */
	| { readonly kind: "fork" };

export interface Gap {
	readonly source: string;
	readonly session: string;
	readonly lane: Lane;
	readonly fromSeq: number;
	readonly toSeq: number;
}

export interface LaneMark {
	readonly source: string;
	readonly session: string;
	readonly lane: Lane;
	/** Everything up to here is stored or accounted for. */
	readonly contiguous: number;
	/** Highest seq seen. */
	readonly highest: number;
}

export interface AppendLog {
	/**
	 * One atomic batch: after a crash all of its entries are there or none. Resolves when it is durable, with one outcome an entry.
	 * Batches that are waiting share one fsync. Rejects with OrionError: DISK_FULL (nothing was stored), LOG_CLOSED.
	 */
	append(batch: readonly Entry[]): Promise<readonly AppendOutcome[]>;
}

export interface ReadLog {
	/** Position of the newest durable record; 0 if there is none. */
	head(): Position;
	/** Position of the oldest record that is still here; head() + 1 if there is none. */
	first(): Position;
	/** Records from `from` on, in order, at most `recordsMax`; only durable ones. */
	read(from: Position, recordsMax: number): Promise<readonly StoredRecord[]>;
	/** Called after each group commit with the new head. Returns how to stop. */
	onCommit(listener: (head: Position) => void): () => void;
}

export interface Cursors {
	/** The position up to which this reader is done; 0 if it never began. */
	cursor(reader: string): Position;
	/** Durable when it resolves. Never moves back. */
	setCursor(reader: string, position: Position): Promise<void>;
}

export interface LaneMarks {
	/** Every lane of every session that is still tracked. */
	lanes(): readonly LaneMark[];
	/** Holes in the numbering that are open now. */
	gaps(): readonly Gap[];
	/** The hole is accounted for by a fact in the log: the contiguous mark moves over it. Durable through that fact. */
	closeGap(gap: Gap): void;
}

export interface Archive {
	/** Moves whole segments with nothing above `upTo` out of the way; returns how many records went. */
	archive(upTo: Position): Promise<number>;
}

export interface Log extends AppendLog, ReadLog, Cursors, LaneMarks, Archive {
	/** Flushes and gives the folder back. */
	close(): Promise<void>;
}
