// Connects the audit to its files: entries are appended and chained, checkpoints signed over what is on disk; what a crash cut short is cut off, damage is refused.
import { OrionError } from "../../contracts/errors.ts";
import { type FilePort, isDiskFull, type OpenFile } from "../file-port.ts";
import type { ReadLog, StoredRecord } from "../port.ts";
import { readWhole, replaceWhole } from "../whole-file.ts";
import { CHECKPOINTS, encodeEntries, encodeHeader, entriesName, type NewEntry, originOf, VERIFIER } from "./format.ts";
import { type CheckSignature, type NoteSigner, signCheckpoint, verifierKey } from "./note.ts";
import { type AuditTail, findTail } from "./tail.ts";
import { CHAIN_START, chainHash, type Hash, leafHash, Tree } from "./tree.ts";

/** A file that would grow beyond this is closed and another begun. */
const FILE_BYTES_MAX = 16_777_216;

export interface AuditOptions {
	readonly files: FilePort;
	readonly folder: string;
	readonly mesh: string;
	/** What the audit is of: says where it begins, and what stands at its end. */
	readonly log: ReadLog;
	/** Up to here every record is known to have an entry on disk. */
	readonly enteredUpTo: number;
	/** The key under this name. */
	readonly signer: (name: string) => NoteSigner;
	readonly check: CheckSignature;
	readonly fileBytesMax?: number;
}

export class AuditFile {
	readonly origin: string;
	readonly first: number;
	readonly #options: AuditOptions;
	readonly #signer: NoteSigner;
	#tree: Tree;
	#chain: Hash;
	#entries: { readonly file: OpenFile; end: number };
	readonly #checkpoints: { readonly file: OpenFile; end: number };
	#last: number;
	#syncedUpTo: number;
	#signedUpTo: number;

	private constructor(options: AuditOptions, tail: AuditTail, entries: OpenFile, checkpoints: OpenFile) {
		this.#options = options;
		this.origin = tail.origin;
		this.first = tail.first;
		this.#signer = options.signer(tail.origin);
		this.#tree = tail.tree;
		this.#chain = tail.chain;
		this.#entries = { file: entries, end: tail.entriesEnd };
		this.#checkpoints = { file: checkpoints, end: tail.checkpointsEnd };
		this.#last = tail.first + tail.tree.size - 1;
		this.#syncedUpTo = this.#last;
		this.#signedUpTo = tail.first + tail.signed - 1;
	}

	/** Goes on where the files end, or begins them. Rejects with OrionError AUDIT_DAMAGED, DISK_FULL; else as the file system does. */
	static async open(options: AuditOptions): Promise<AuditFile> {
		const { files, folder, log, mesh, signer } = options;
		await files.mkdir(folder);
		const tail = (await findTail(options)) ?? (await begin(options, log.first()));
		const key = verifierKey(signer(tail.origin));
		const told = await readWhole(files, `${folder}/${VERIFIER}`);
		if (told === undefined || tail.tree.size === 0) await replaceWhole(files, folder, VERIFIER, new TextEncoder().encode(`${key}\n`));
		const entries = await files.open(`${folder}/${tail.file}`, "write");
		const checkpoints = await files.open(`${folder}/${CHECKPOINTS}`, "write");
		// What a crash cut short comes again from the log.
		await entries.truncate(tail.entriesEnd);
		await checkpoints.truncate(tail.checkpointsEnd);
		// What was found may be in the memory of the system only.
		await entries.fsync();
		await checkpoints.fsync();
		if (tail.origin !== originOf(mesh, tail.first)) throw damaged(tail.file, tail.first, `it is the audit of ${tail.origin}`);
		return new AuditFile(options, tail, entries, checkpoints);
	}

	/** Position of the newest entry; of the newest that is on disk; of the newest that a checkpoint vouches for. */
	get last(): number {
		return this.#last;
	}
	get syncedUpTo(): number {
		return this.#syncedUpTo;
	}
	get signedUpTo(): number {
		return this.#signedUpTo;
	}
	/** How a verifier is told which key to trust. */
	get verifier(): string {
		return verifierKey(this.#signer);
	}

	/** The records that follow the last entry; a position without one gets an entry of no bytes. Rejects with OrionError DISK_FULL: nothing was added. */
	async append(records: readonly StoredRecord[]): Promise<void> {
		if (this.#entries.end >= (this.#options.fileBytesMax ?? FILE_BYTES_MAX)) await this.#next();
		const tree = this.#tree.copy();
		let chain = this.#chain;
		let position = this.#last;
		const entries: NewEntry[] = [];
		const add = (bytes: Uint8Array): void => {
			const leaf = leafHash(bytes);
			position += 1;
			tree.append(leaf);
			chain = chainHash(chain, leaf);
			entries.push({ position, bytes, chain });
		};
		for (const record of records) {
			while (position + 1 < record.position) add(new Uint8Array(0));
			add(record.bytes);
		}
		await this.#write(this.#entries, encodeEntries(entries));
		this.#tree = tree;
		this.#chain = chain;
		this.#last = position;
	}

	/** Every entry is on disk when it resolves. */
	async sync(): Promise<void> {
		const last = this.#last;
		if (this.#syncedUpTo === last) return;
		await this.#entries.file.fdatasync();
		this.#syncedUpTo = last;
	}

	/** Signs the tree as it is now, once everything in it is on disk. Rejects with OrionError DISK_FULL. */
	async checkpoint(): Promise<void> {
		await this.sync();
		const note = signCheckpoint({ origin: this.origin, size: this.#tree.size, root: this.#tree.root() }, this.#signer);
		await this.#write(this.#checkpoints, new TextEncoder().encode(`${note}\n`));
		this.#signedUpTo = this.#last;
	}

	/** The next file begins with what came before it, and a checkpoint that is on disk vouches for that. */
	async #next(): Promise<void> {
		const { files, folder } = this.#options;
		if (this.#signedUpTo < this.#last) await this.checkpoint();
		await this.#checkpoints.file.fdatasync();
		const name = entriesName(this.#last + 1);
		const header = encodeHeader({ origin: this.origin, first: this.#last + 1, tree: this.#tree, chain: this.#chain });
		await whole(folder, () => replaceWhole(files, folder, name, header));
		const full = this.#entries.file;
		this.#entries = { file: await files.open(`${folder}/${name}`, "write"), end: header.length };
		await full.close();
	}

	/** Nothing is there of a write that a full disk cut short. */
	async #write(target: { readonly file: OpenFile; end: number }, bytes: Uint8Array): Promise<void> {
		try {
			await target.file.write(target.end, bytes);
		} catch (error) {
			if (!isDiskFull(error)) throw error;
			await target.file.truncate(target.end);
			throw new OrionError("DISK_FULL", { folder: this.#options.folder }, { cause: error });
		}
		target.end += bytes.length;
	}

	async close(): Promise<void> {
		await this.#checkpoints.file.fdatasync();
		await this.#entries.file.close();
		await this.#checkpoints.file.close();
	}
}

const damaged = (file: string, position: number, detail: string): OrionError => new OrionError("AUDIT_DAMAGED", { file, position, detail });

const whole = async (folder: string, work: () => Promise<void>): Promise<void> => {
	try {
		await work();
	} catch (error) {
		throw isDiskFull(error) ? new OrionError("DISK_FULL", { folder }, { cause: error }) : error;
	}
};

/** A new audit begins with the oldest record that is still here. The entries come last: without them there is no audit yet. */
const begin = async ({ files, folder, mesh }: AuditOptions, first: number): Promise<AuditTail> => {
	const origin = originOf(mesh, first);
	const tree = new Tree();
	const header = encodeHeader({ origin, first, tree, chain: CHAIN_START });
	await whole(folder, async () => {
		await replaceWhole(files, folder, CHECKPOINTS, new Uint8Array(0));
		await replaceWhole(files, folder, entriesName(first), header);
	});
	return { origin, first, file: entriesName(first), tree, chain: CHAIN_START, entriesEnd: header.length, checkpointsEnd: 0, signed: 0 };
};
