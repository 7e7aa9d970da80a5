// Decides what a segment on disk is worth: which records are whole, which are damaged, and where a torn end begins. Changes nothing.
import { OrionError } from "../contracts/errors.ts";
import { assert } from "../contracts/result.ts";
import type { FilePort, OpenFile } from "./file-port.ts";
import { type BrokenBatch, batchAt, resumeAfter } from "./frame.ts";
import { Segment } from "./segment.ts";
import { FORMAT, firstOfName, HEADER_BYTES_MAX, parseSegmentHeader } from "./segment-format.ts";

const CHUNK_BYTES = 262_144;

/** Records that are not there any more, and the bytes that stand in their place. */
export interface Damage {
	readonly file: string;
	readonly fromOffset: number;
	readonly toOffset: number;
	readonly fromPosition: number;
	/** fromPosition - 1: nothing but a header was lost. */
	readonly toPosition: number;
}

export interface ScanOptions {
	readonly files: FilePort;
	readonly folder: string;
	readonly name: string;
	readonly mesh: string;
	/** First position of the segment after it; undefined for the last one. */
	readonly nextFirst: number | undefined;
	/** Everything up to here was durable once. */
	readonly committed: number;
	/** Each record that is whole, in order; the bytes are valid during the call only. */
	readonly onRecord: (position: number, bytes: Uint8Array) => void;
}

export interface ScannedSegment {
	readonly segment: Segment;
	readonly damages: readonly Damage[];
	/** What follows was never acknowledged and is cut; only in the last segment. */
	readonly tornAt?: number;
	/** Nothing may be appended behind damage that reaches the end. */
	readonly isSpoilt: boolean;
}

/** A window on a file that grows until what begins at its start is whole. */
class Window {
	readonly #file: OpenFile;
	readonly #sizeBytes: number;
	#bytes: Uint8Array = new Uint8Array(0);
	#offset: number;

	constructor(file: OpenFile, sizeBytes: number, offset: number) {
		this.#file = file;
		this.#sizeBytes = sizeBytes;
		this.#offset = offset;
	}

	/** Reads on, keeping what begins at `from`; false at the end of the file. */
	async more(from: number): Promise<boolean> {
		const kept = this.#bytes.subarray(from - this.#offset);
		const readTo = this.#offset + this.#bytes.length;
		if (readTo >= this.#sizeBytes) return false;
		const next = await this.#file.read(readTo, Math.max(CHUNK_BYTES, kept.length));
		if (next.length === 0) return false;
		this.#bytes = kept.length === 0 ? next : Buffer.concat([kept, next]);
		this.#offset = from;
		return true;
	}

	get bytes(): Uint8Array {
		return this.#bytes;
	}
	get offset(): number {
		return this.#offset;
	}
}

/** Whether a segment's header can be relied on. A folder of another mesh or a newer format is refused by name. */
const headerBytesOf = (bytes: Uint8Array, options: ScanOptions): number | undefined => {
	const header = parseSegmentHeader(bytes);
	if (header === undefined) return undefined;
	const { folder, mesh, name } = options;
	if (header.format > FORMAT) throw new OrionError("FOLDER_NEWER", { folder, found: header.format, known: FORMAT });
	if (header.mesh !== mesh) throw new OrionError("FOLDER_FOREIGN", { folder, found: header.mesh, expected: mesh });
	return header.firstPosition === firstOfName(name) ? header.bytes : undefined;
};

/** Whether the header of a segment is whole. */
export const hasHeader = async (options: Pick<ScanOptions, "files" | "folder" | "name" | "mesh">): Promise<boolean> => {
	const file = await options.files.open(`${options.folder}/${options.name}`, "read");
	try {
		return headerBytesOf(await file.read(0, HEADER_BYTES_MAX), options as ScanOptions) !== undefined;
	} finally {
		await file.close();
	}
};

class Scan {
	readonly #options: ScanOptions;
	readonly #file: OpenFile;
	readonly #sizeBytes: number;
	readonly #segment: Segment;
	readonly #damages: Damage[] = [];
	#offset = 0;
	#next: number;

	constructor(options: ScanOptions, file: OpenFile, sizeBytes: number) {
		const first = firstOfName(options.name);
		assert(first !== undefined, "a file that is no segment was scanned");
		this.#options = options;
		this.#file = file;
		this.#sizeBytes = sizeBytes;
		this.#next = first;
		this.#segment = new Segment(options.name, first);
	}

	async run(): Promise<ScannedSegment> {
		const headerBytes = headerBytesOf(await this.#file.read(0, HEADER_BYTES_MAX), this.#options);
		if (headerBytes === undefined) {
			// The first frame stands where the header would end; what is in the header is known from the name and the folder.
			const broken: BrokenBatch = { kind: "bad", at: 0, position: this.#next, frames: [] };
			if (!(await this.#passOver(0, this.#next, broken))) return this.#result(true);
		} else {
			this.#offset = headerBytes;
			this.#segment.begin(headerBytes);
		}
		for (;;) {
			const broken = await this.#readBatches();
			if (broken === undefined) break;
			const start = this.#next;
			if (this.#options.nextFirst === undefined && start > this.#options.committed) return { ...this.#result(false), tornAt: this.#offset };
			if (!(await this.#passOver(this.#offset, start, broken))) return this.#result(true);
		}
		return this.#missingAtEnd();
	}

	/** Batches up to the end of the file, or to one that is broken. */
	async #readBatches(): Promise<BrokenBatch | undefined> {
		const window = new Window(this.#file, this.#sizeBytes, this.#offset);
		while (this.#offset < this.#sizeBytes) {
			const at = this.#offset - window.offset;
			const batch = batchAt(window.bytes, at, this.#next);
			if (batch.kind === "short" && (await window.more(this.#offset))) continue;
			if (batch.kind !== "batch") return { ...batch, at: batch.at + window.offset };
			this.#segment.note(this.#next, this.#offset);
			for (const { position, bytes } of batch.frames) this.#options.onRecord(position, bytes);
			this.#offset = window.offset + batch.end;
			this.#next += batch.frames.length;
			this.#segment.grow(this.#next - 1, this.#offset, batch.frames.length);
		}
		return undefined;
	}

	/** Goes on behind damage that begins at an offset; false if nothing good follows in this segment. */
	async #passOver(fromOffset: number, fromPosition: number, broken: BrokenBatch): Promise<boolean> {
		const rest = await this.#file.read(fromOffset, this.#sizeBytes - fromOffset);
		const resume = resumeAfter(rest, { ...broken, at: broken.at - fromOffset });
		const { name, nextFirst, committed } = this.#options;
		const toOffset = resume === undefined ? this.#sizeBytes : fromOffset + resume.at;
		const next = resume === undefined ? (nextFirst ?? Math.max(committed, fromPosition - 1) + 1) : resume.position;
		this.#damages.push({ file: name, fromOffset, toOffset, fromPosition, toPosition: next - 1 });
		this.#offset = toOffset;
		this.#next = next;
		this.#segment.skip(fromOffset, toOffset);
		return resume !== undefined;
	}

	/** Whole records can be missing at the end without a single bad byte. */
	#missingAtEnd(): ScannedSegment {
		const { name, nextFirst, committed } = this.#options;
		const next = nextFirst ?? committed + 1;
		if (next <= this.#next) return this.#result(false);
		const at = this.#sizeBytes;
		this.#damages.push({ file: name, fromOffset: at, toOffset: at, fromPosition: this.#next, toPosition: next - 1 });
		return this.#result(true);
	}

	#result(isSpoilt: boolean): ScannedSegment {
		return { segment: this.#segment, damages: this.#damages, isSpoilt };
	}
}

/** Verifies every record. Rejects with OrionError: FOLDER_NEWER, FOLDER_FOREIGN. */
export const scanSegment = async (options: ScanOptions): Promise<ScannedSegment> => {
	const file = await options.files.open(`${options.folder}/${options.name}`, "read");
	try {
		return await new Scan(options, file, await file.sizeBytes()).run();
	} finally {
		await file.close();
	}
};
