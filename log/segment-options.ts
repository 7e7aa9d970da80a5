// What opening a log on disk asks for.
import type { FilePort } from "./file-port.ts";
import type { EntryKey, Gap, Log } from "./port.ts";

export interface SegmentsOptions {
	readonly files: FilePort;
	readonly folder: string;
	/** Everything in the folder is bound to it. */
	readonly mesh: string;
	/** What a record on disk is known by when it comes again: the key that it was appended with. */
	readonly keyOf: (record: Uint8Array) => EntryKey | undefined;
	/** What was compared under that key (default: the record). */
	readonly identityOf?: (record: Uint8Array) => Uint8Array;
	/** The gap that a record accounts for. Without it a gap that was closed before a crash may be open again after it, and be told twice. */
	readonly gapOf?: (record: Uint8Array) => Gap | undefined;
	/** Opens without what is damaged and lists it in `losses`; the first batch that is appended then has to carry the facts of it. */
	readonly acceptLoss?: boolean;
	/** What is on disk is no longer known: the process has to end (exit code 70) and start again. */
	readonly onFatal: (error: unknown) => void;
	/** Monotonic milliseconds; default: those of this process. */
	readonly clock?: { now(): number };
	/** A segment that would grow beyond this is closed and another begun. */
	readonly segmentBytesMax?: number;
	/** Newest records that readers get without touching the disk. */
	readonly memoryBytesMax?: number;
}

/** Records that are lost, and how many bytes stand in their place. */
export interface RecordLoss {
	readonly fromPosition: number;
	/** fromPosition - 1: the damage hit no record. */
	readonly toPosition: number;
	readonly bytes: number;
}

export interface SegmentsLog extends Log {
	/** Accepted at this start. They count as accepted when the first batch is durable; until then a start without acceptLoss is refused. */
	readonly losses: readonly RecordLoss[];
}

export const ARCHIVE = "archive";
/** The newest copy of what is known to be stored, and the one before it. */
export const DEDUP = "dedup";
export const DEDUP_OLDER = "dedup.old";
