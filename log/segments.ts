// Connects the log's port to segments on disk: batches that wait share one write and one fdatasync, and nobody is told before it.
import { OrionError } from "../contracts/errors.ts";
import { encodeDedup } from "./dedup-copy.ts";
import { codeOf, detailOf, isDiskFull, isNotWritable } from "./file-port.ts";
import { writeLosses } from "./folder-facts.ts";
import { lockFolder } from "./folder-lock.ts";
import { BATCH_RECORDS_MAX, RECORD_BYTES_MAX } from "./frame.ts";
import { type Group, judgeGroup, type WaitingBatch } from "./group.ts";
import { NewestRecords } from "./newest-records.ts";
import { createSegment, type OpenedFolder, openFolder } from "./open-folder.ts";
import type { AppendOutcome, Entry, Gap, LaneMark, Position, StoredRecord } from "./port.ts";
import { firstOfName } from "./segment-format.ts";
import { ARCHIVE, DEDUP, DEDUP_OLDER, type RecordLoss, type SegmentsLog, type SegmentsOptions } from "./segment-options.ts";
import { PAGE_BYTES_MAX, readSegment } from "./segment-read.ts";
import type { Damage } from "./segment-scan.ts";
import { StoredCursors } from "./stored-cursors.ts";
import { removeIfThere, replaceKeeping } from "./whole-file.ts";

export type { RecordLoss, SegmentsLog, SegmentsOptions } from "./segment-options.ts";

const SEGMENT_BYTES_MAX = 16_777_216;
/** Who keeps up reads from here. More of it outlives collections of garbage and is copied by them, for readers that are far behind anyway. */
const MEMORY_BYTES_MAX = 1_048_576;
/** What one write takes at most, so that the first of many that wait is not told later than it must. */
const GROUP_BYTES_MAX = 1_048_576;

/** A copy is made when there is at least one new record for so many ids in it. */
const COPY_SHARE = 4;

const giveWay = (): Promise<void> =>
	new Promise((resolve) => {
		setImmediate(resolve);
	});

const lossOf = ({ fromPosition, toPosition, fromOffset, toOffset }: Damage): RecordLoss => ({ fromPosition, toPosition, bytes: toOffset - fromOffset });

class SegmentLog implements SegmentsLog {
	readonly losses: readonly RecordLoss[];
	readonly #options: SegmentsOptions;
	readonly #unlock: () => Promise<void>;
	readonly #now: () => number;
	readonly #segmentBytesMax: number;
	readonly #opened: OpenedFolder;
	readonly #cursors: StoredCursors;
	readonly #newest: NewestRecords;
	readonly #listeners = new Set<(head: Position) => void>();
	readonly #background = new Set<Promise<void>>();
	#active: OpenedFolder["active"];
	#queue: WaitingBatch[] = [];
	#committing: Promise<void> | undefined;
	#archiving: Promise<unknown> = Promise.resolve();
	#copying: Promise<void> = Promise.resolve();
	#head: Position;
	#next: Position;
	#untoldDamages: readonly Damage[];
	/** Positions up to which the copies of what was stored reach, and whether a gap was closed since the newest. */
	#copiedUpTo: Position;
	#olderCopiedUpTo: Position = 0;
	#isCopyStale = false;
	#isHalfRolled = false;
	#fatal: OrionError | undefined;
	#closing: Promise<void> | undefined;

	constructor(options: SegmentsOptions, opened: OpenedFolder, unlock: () => Promise<void>, now: () => number) {
		this.#options = options;
		this.#opened = opened;
		this.#unlock = unlock;
		this.#now = now;
		this.#active = opened.active;
		this.#segmentBytesMax = options.segmentBytesMax ?? SEGMENT_BYTES_MAX;
		this.#cursors = new StoredCursors(options.files, options.folder, opened.cursors);
		this.#newest = new NewestRecords(options.memoryBytesMax ?? MEMORY_BYTES_MAX);
		this.#head = opened.head;
		this.#next = opened.next;
		this.#untoldDamages = opened.newDamages;
		this.#copiedUpTo = opened.copiedUpTo;
		this.losses = opened.newDamages.map(lossOf);
	}

	append(entries: readonly Entry[]): Promise<readonly AppendOutcome[]> {
		const refusal = this.#fatal ?? (this.#closing === undefined ? undefined : new OrionError("LOG_CLOSED"));
		if (refusal !== undefined) return Promise.reject(refusal);
		if (entries.length === 0) return Promise.resolve([]);
		let bytes = 0;
		for (const entry of entries) {
			if (entry.bytes.length > RECORD_BYTES_MAX) return Promise.reject(new OrionError("TOO_LARGE", { bytes: entry.bytes.length, bytesMax: RECORD_BYTES_MAX }));
			bytes += entry.bytes.length;
		}
		if (entries.length > BATCH_RECORDS_MAX) return Promise.reject(new OrionError("TOO_LARGE", { bytes, bytesMax: RECORD_BYTES_MAX }));
		return new Promise((resolve, reject) => {
			this.#queue.push({ entries, bytes, resolve, reject });
			this.#committing ??= this.#commitAll();
		});
	}

	async #commitAll(): Promise<void> {
		// Whoever appends in the same turn shares the first write.
		await Promise.resolve();
		while (this.#queue.length > 0) {
			const batches = this.#takeGroup();
			try {
				await this.#commit(batches);
			} catch (error) {
				if (error instanceof OrionError && error.fault.code === "DISK_FULL") for (const { reject } of batches) reject(error);
				else this.#die(error, batches);
			}
		}
		this.#committing = undefined;
	}

	#takeGroup(): readonly WaitingBatch[] {
		const bytesMax = Math.min(GROUP_BYTES_MAX, this.#segmentBytesMax);
		let count = 0;
		for (let bytes = 0; count < this.#queue.length && (count === 0 || bytes < bytesMax); count += 1) bytes += this.#queue[count]?.bytes ?? 0;
		const batches = this.#queue.slice(0, count);
		this.#queue = count === this.#queue.length ? [] : this.#queue.slice(count);
		return batches;
	}

	async #commit(batches: readonly WaitingBatch[]): Promise<void> {
		const group = judgeGroup(batches, this.#next, this.#opened.dedup, this.#now());
		if (group.records.length > 0) await this.#store(group);
		group.batches.forEach(({ resolve }, index) => {
			resolve(group.outcomes[index] ?? []);
		});
		if (group.records.length > 0) for (const listener of this.#listeners) listener(this.#head);
		if (this.#opened.tail.isDue(this.#queue.length === 0)) this.#inBackground(this.#opened.tail.sync());
	}

	async #store(group: Group): Promise<void> {
		const { segment } = this.#active;
		if (segment.records > 0 && (this.#isHalfRolled || segment.endOffset + group.frames.length > this.#segmentBytesMax)) await this.#roll();
		await this.#write(group.frames);
		await this.#active.file.fdatasync();
		const head = this.#next + group.records.length - 1;
		await this.#opened.tail.commit(head);
		if (this.#untoldDamages.length > 0) await this.#acceptDamages();
		group.staged.apply();
		const { segment: active } = this.#active;
		for (let index = 0; index < group.starts.length; index += 2) active.note(group.starts[index] ?? 0, active.endOffset + (group.starts[index + 1] ?? 0));
		active.grow(head, active.endOffset + group.frames.length, group.records.length);
		for (const record of group.records) this.#newest.put(record);
		this.#head = head;
		this.#next = head + 1;
	}

	/** Nothing is there of a write that a full disk cut short. */
	async #write(frames: Uint8Array): Promise<void> {
		const { segment, file } = this.#active;
		try {
			await file.write(segment.endOffset, frames);
		} catch (error) {
			if (!isDiskFull(error)) throw error;
			await file.truncate(segment.endOffset);
			// The next batch may begin another segment; then a power cut must not bring back what was cut off from the end of this one.
			await file.fdatasync();
			throw new OrionError("DISK_FULL", { folder: this.#options.folder }, { cause: error });
		}
	}

	async #roll(): Promise<void> {
		const full = this.#active;
		// What a full disk leaves half-made is finished before anything else is stored: a log that grew past it in the older segment would have two places for one position.
		this.#isHalfRolled = true;
		try {
			this.#active = await createSegment(this.#options, this.#next);
			this.#isHalfRolled = false;
		} catch (error) {
			if (!isDiskFull(error)) throw error;
			throw new OrionError("DISK_FULL", { folder: this.#options.folder }, { cause: error });
		}
		this.#opened.segments.push(this.#active.segment);
		await full.file.close();
		// A copy costs as much as it remembers: a flood of ids must not be paid for with each segment.
		if ((this.#head - this.#copiedUpTo) * COPY_SHARE >= this.#opened.dedup.ids) this.#inBackground(this.#copyDedup());
	}

	/** The first batch carries the facts of what was lost, so from now on it is accepted. */
	async #acceptDamages(): Promise<void> {
		const { files, folder } = this.#options;
		try {
			await writeLosses(files, folder, [...this.#opened.acceptedDamages, ...this.#untoldDamages]);
			this.#untoldDamages = [];
		} catch (error) {
			if (!isDiskFull(error)) throw error;
		}
	}

	/** What must not fail is done while nobody waits for it. */
	#inBackground(work: Promise<void>): void {
		const done = work.catch((error: unknown) => this.#die(error, []));
		this.#background.add(done);
		void done.then(() => this.#background.delete(done));
	}

	/** A copy of what is known to be stored; without it a start parses every record. A full disk leaves the older one. */
	#copyDedup(): Promise<void> {
		const head = this.#head;
		this.#isCopyStale = false;
		const encoded = encodeDedup(this.#opened.dedup, head, giveWay);
		const { files, folder } = this.#options;
		const copied = this.#copying.then(async () => {
			try {
				await replaceKeeping(files, folder, DEDUP, DEDUP_OLDER, await encoded);
				this.#olderCopiedUpTo = this.#copiedUpTo;
				this.#copiedUpTo = head;
			} catch (error) {
				if (!isDiskFull(error)) throw error;
				this.#isCopyStale = true;
				await removeIfThere(files, `${folder}/${DEDUP}.new`);
			}
		});
		this.#copying = copied.catch(() => undefined);
		return copied;
	}

	/** What is on disk is no longer known: nothing is accepted any more, and the owner of the process is told to end it. */
	#die(error: unknown, batches: readonly WaitingBatch[]): void {
		const isFirst = this.#fatal === undefined;
		this.#fatal ??= new OrionError("FSYNC_FAILED", { folder: this.#options.folder, detail: detailOf(error) }, { cause: error });
		for (const { reject } of [...batches, ...this.#queue.splice(0)]) reject(this.#fatal);
		if (isFirst) this.#options.onFatal(this.#fatal);
	}

	head(): Position {
		return this.#head;
	}

	first(): Position {
		for (const { oldest } of this.#opened.segments) if (oldest !== undefined) return oldest;
		return this.#head + 1;
	}

	async read(from: Position, recordsMax: number): Promise<readonly StoredRecord[]> {
		if (this.#closing !== undefined) throw new OrionError("LOG_CLOSED");
		let next = Math.max(from, this.first());
		// All that is in memory is less than a page may hold.
		if (next >= this.#newest.from) return this.#newest.page(next, recordsMax);
		const records: StoredRecord[] = [];
		const upTo = this.#head;
		let bytesLeft = PAGE_BYTES_MAX;
		while (next <= upTo && records.length < recordsMax && bytesLeft > 0) {
			const wanted = recordsMax - records.length;
			const page = next >= this.#newest.from ? this.#newest.page(next, wanted) : await this.#readDisk(next, upTo, wanted, bytesLeft);
			const last = page.at(-1);
			if (last === undefined) break;
			records.push(...page);
			for (const { bytes } of page) bytesLeft -= bytes.length;
			next = last.position + 1;
		}
		return records;
	}

	/** Of the first segment that has something from there on; again if that one went to the archive meanwhile. */
	async #readDisk(from: Position, upTo: Position, recordsMax: number, bytesMax: number): Promise<readonly StoredRecord[]> {
		const { files, folder } = this.#options;
		for (;;) {
			const segment = this.#opened.segments.find(({ lastPosition, records }) => records > 0 && lastPosition >= from);
			if (segment === undefined) return [];
			try {
				return await readSegment({ files, folder, segment, from, upTo, recordsMax, bytesMax });
			} catch (error) {
				if (codeOf(error) !== "ENOENT" || this.#opened.segments.includes(segment)) throw error;
			}
		}
	}

	onCommit(listener: (head: Position) => void): () => void {
		this.#listeners.add(listener);
		return () => {
			this.#listeners.delete(listener);
		};
	}

	cursor(reader: string): Position {
		return this.#cursors.get(reader);
	}

	async setCursor(reader: string, position: Position): Promise<void> {
		this.#refuse();
		try {
			await this.#cursors.set(reader, position);
		} catch (error) {
			if (isDiskFull(error)) throw new OrionError("DISK_FULL", { folder: this.#options.folder }, { cause: error });
			this.#die(error, []);
			throw this.#fatal ?? error;
		}
	}

	#refuse(): void {
		if (this.#fatal !== undefined) throw this.#fatal;
		if (this.#closing !== undefined) throw new OrionError("LOG_CLOSED");
	}

	lanes(): readonly LaneMark[] {
		return this.#opened.dedup.lanes();
	}

	gaps(): readonly Gap[] {
		return this.#opened.dedup.gaps();
	}

	closeGap(gap: Gap): void {
		this.#opened.dedup.closeGap(gap);
		this.#isCopyStale = true;
	}

	async archive(upTo: Position): Promise<number> {
		this.#refuse();
		const archived = this.#archiving.then(() => this.#archive(upTo));
		this.#archiving = archived.catch(() => undefined);
		return archived;
	}

	async #archive(upTo: Position): Promise<number> {
		const { segments } = this.#opened;
		let count = 0;
		const going = segments.slice(0, -1).filter((_, index) => (firstOfName(segments[index + 1]?.name ?? "") ?? Number.POSITIVE_INFINITY) - 1 <= upTo);
		const last = going.at(-1);
		if (last === undefined) return 0;
		try {
			// What goes may never come back, and is known from the copies alone: one of them may be damaged.
			for (let copies = 0; copies < 2 && this.#olderCopiedUpTo < last.lastPosition; copies += 1) await this.#copyDedup();
			if (this.#olderCopiedUpTo < last.lastPosition) throw new OrionError("DISK_FULL", { folder: this.#options.folder });
			await this.#opened.tail.archive((segments[going.length]?.firstPosition ?? 1) - 1);
			// Whoever removes what was archived may have removed the folder with it.
			await this.#options.files.mkdir(`${this.#options.folder}/${ARCHIVE}`);
			for (const segment of going) count += await this.#moveToArchive(segment.name, segment.records);
			await this.#options.files.syncFolder(`${this.#options.folder}/${ARCHIVE}`);
			await this.#options.files.syncFolder(this.#options.folder);
			return count;
		} catch (error) {
			if (error instanceof OrionError) throw error;
			if (isDiskFull(error)) throw new OrionError("DISK_FULL", { folder: this.#options.folder }, { cause: error });
			this.#die(error, []);
			throw this.#fatal ?? error;
		}
	}

	async #moveToArchive(name: string, records: number): Promise<number> {
		const { files, folder } = this.#options;
		await files.rename(`${folder}/${name}`, `${folder}/${ARCHIVE}/${name}`);
		this.#opened.segments.shift();
		return records;
	}

	close(): Promise<void> {
		this.#closing ??= this.#close();
		return this.#closing;
	}

	async #close(): Promise<void> {
		await this.#committing;
		await this.#archiving;
		await this.#cursors.settled();
		try {
			if (this.#fatal === undefined && (this.#isCopyStale || this.#head > this.#copiedUpTo)) await this.#copyDedup();
			await Promise.all(this.#background);
			if (this.#fatal === undefined) await this.#opened.tail.sync();
		} catch (error) {
			this.#die(error, []);
		}
		await this.#active.file.close();
		await this.#opened.tail.close();
		await this.#unlock();
		if (this.#fatal !== undefined) throw this.#fatal;
	}
}

/** What went wrong while opening, in the words of the operator. */
const typed = (error: unknown, folder: string): unknown => {
	if (error instanceof OrionError) return error;
	if (isNotWritable(error)) return new OrionError("FOLDER_NOT_WRITABLE", { folder, detail: detailOf(error) }, { cause: error });
	if (isDiskFull(error)) return new OrionError("DISK_FULL", { folder }, { cause: error });
	return codeOf(error) === "" ? error : new OrionError("FSYNC_FAILED", { folder, detail: detailOf(error) }, { cause: error });
};

/**
 * Opens a folder, or makes it. Every record is verified before anything is served. Rejects with OrionError: FOLDER_OWNED, FOLDER_NEWER,
 * FOLDER_FOREIGN, FOLDER_NOT_WRITABLE, RECORD_DAMAGED, DISK_FULL, FSYNC_FAILED.
 */
export const openSegments = async (options: SegmentsOptions): Promise<SegmentsLog> => {
	const { files, folder } = options;
	const now = (): number => options.clock?.now() ?? performance.now();
	try {
		await files.mkdir(`${folder}/${ARCHIVE}`);
		const unlock = await lockFolder(files, folder);
		try {
			return new SegmentLog(options, await openFolder(options, now()), unlock, now);
		} catch (error) {
			await unlock();
			throw error;
		}
	} catch (error) {
		throw typed(error, folder);
	}
};
