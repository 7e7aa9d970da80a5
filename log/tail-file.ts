// Connects the folder to what is known to be durable: a record that was acknowledged and is bad is damage, one that never was is cut.
//
// A record whose checksum fails at the end of the log is either one that a crash left half-written, and nobody was told that it was
// stored, or one that was stored and acknowledged and whose bits flipped since. The first must be cut silently, the second must never be,
// and the bytes alone cannot tell them apart. So the position up to which everything was durable is kept in a file of its own:
//
// - A mark is written after the fdatasync of its records and before anybody is told, so it never claims what was not on disk, and after
//   the death of the process (the system lives on) it covers every record that was acknowledged.
// - It is synced in the background, at once when nothing else is waiting and every few commits under load, because a second fsync in the
//   way of each acknowledgement would double what a single message waits for. A power cut within that time loses the mark, not the
//   records: they are whole and are kept. Only a power cut within that time and a flipped bit in just those records would be taken
//   for a torn write.
// - Three slots: the newest one known to be on disk is never written over while another is written or synced, so a torn mark leaves
//   an older one that is true as well.
// - It also says up to where segments may have gone to the archive, before the first of them goes: a segment that is missing above that
//   is damage. And a file of marks of which none can be read is damage: unknown is not nothing.
import { type FilePort, isDiskFull, type OpenFile } from "./file-port.ts";
import { encodeMark, MARK_SLOT_BYTES, MARK_SLOTS, MARKS_BYTES, newestMark, type TailMark } from "./segment-format.ts";

const TAIL = "tail";
/** Commits under load after which the mark is synced though more is waiting. */
const COMMITS_PER_SYNC = 16;

export class TailFile {
	readonly #file: OpenFile;
	#mark: TailMark;
	/** Known to be on disk. */
	#kept: number;
	#syncing: { readonly slot: number; readonly done: Promise<void> } | undefined;
	/** The slot that is written until the next sync begins, and whether it holds a whole mark. */
	#target: { readonly slot: number; isWhole: boolean } | undefined;
	#unsynced = 0;
	/** One at a time: two writes of one slot could end in the wrong order, and a sync must not begin inside of one. */
	#writing: Promise<void> | undefined;

	private constructor(file: OpenFile, mark: TailMark, kept: number) {
		this.#file = file;
		this.#mark = mark;
		this.#kept = kept;
	}

	/** A folder that knows `committed` and `archivedUpTo` from elsewhere, or is new. */
	static async create(files: FilePort, folder: string, known: Omit<TailMark, "generation">): Promise<TailFile> {
		const file = await files.open(`${folder}/${TAIL}`, "create");
		const mark = { generation: 1, ...known };
		const bytes = new Uint8Array(MARKS_BYTES);
		bytes.set(encodeMark(mark));
		await file.write(0, bytes);
		await file.fsync();
		return new TailFile(file, mark, 0);
	}

	/** undefined: none of the marks can be read. Rejects with ENOENT if there is no such file. */
	static async open(files: FilePort, folder: string): Promise<TailFile | undefined> {
		const file = await files.open(`${folder}/${TAIL}`, "write");
		const newest = newestMark(await file.read(0, MARKS_BYTES));
		if (newest !== undefined) return new TailFile(file, newest.mark, newest.slot);
		await file.close();
		return undefined;
	}

	get committed(): number {
		return this.#mark.committed;
	}
	get archivedUpTo(): number {
		return this.#mark.archivedUpTo;
	}

	/** What was found at the start may be in the memory of the system only. */
	async settle(): Promise<void> {
		await this.#file.fdatasync();
	}

	/** Before anybody is told. A full disk leaves the older mark, which stays true. */
	async commit(committed: number): Promise<void> {
		try {
			await this.#write({ committed });
		} catch (error) {
			if (!isDiskFull(error)) throw error;
		}
	}

	/** On disk when it resolves; only then may segments go. */
	async archive(archivedUpTo: number): Promise<void> {
		await this.#write({ archivedUpTo });
		await this.sync();
	}

	async #write(news: Partial<TailMark>): Promise<void> {
		while (this.#writing !== undefined) await this.#writing;
		const mark = { ...this.#mark, ...news, generation: this.#mark.generation + 1 };
		const written = this.#writeMark(mark);
		this.#writing = written.catch(() => undefined);
		try {
			await written;
		} finally {
			this.#writing = undefined;
		}
	}

	async #writeMark(mark: TailMark): Promise<void> {
		this.#target ??= { slot: this.#freeSlot(), isWhole: false };
		const target = this.#target;
		target.isWhole = false;
		await this.#file.write(target.slot * MARK_SLOT_BYTES, encodeMark(mark));
		target.isWhole = true;
		this.#mark = mark;
		this.#unsynced += 1;
	}

	#freeSlot(): number {
		const slots = Array.from({ length: MARK_SLOTS }, (_, slot) => slot);
		return slots.find((slot) => slot !== this.#kept && slot !== this.#syncing?.slot) ?? 0;
	}

	/** Whether a background sync is due. */
	isDue(isIdle: boolean): boolean {
		return this.#syncing === undefined && this.#target?.isWhole === true && (isIdle || this.#unsynced >= COMMITS_PER_SYNC);
	}

	/** Everything written before the call is on disk when it resolves. */
	async sync(): Promise<void> {
		while (this.#syncing !== undefined || this.#writing !== undefined) await (this.#syncing?.done ?? this.#writing);
		if (this.#target?.isWhole !== true) return;
		const { slot } = this.#target;
		this.#target = undefined;
		this.#unsynced = 0;
		const done = this.#file.fdatasync();
		this.#syncing = { slot, done: done.catch(() => undefined) };
		try {
			await done;
			this.#kept = slot;
		} finally {
			this.#syncing = undefined;
		}
	}

	close(): Promise<void> {
		return this.#file.close();
	}
}
