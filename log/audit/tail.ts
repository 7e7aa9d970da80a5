// Decides where an audit on disk ends: its last file is read and held against the newest checkpoint and the log, so that going on never forks it.
import { OrionError } from "../../contracts/errors.ts";
import { readWhole } from "../whole-file.ts";
import { CHECKPOINTS, entryAt, firstOfEntries, type Header, parseHeader, splitCheckpoints } from "./format.ts";
import { type Checkpoint, openCheckpoint } from "./note.ts";
import type { AuditOptions } from "./store.ts";
import { chainHash, type Hash, leafHash, type Tree } from "./tree.ts";

export interface AuditTail {
	readonly origin: string;
	/** Position of the first entry of all. */
	readonly first: number;
	/** The last file of entries, and where its last whole entry ends. */
	readonly file: string;
	readonly entriesEnd: number;
	readonly tree: Tree;
	readonly chain: Hash;
	/** Where the last whole checkpoint ends, and how many entries it vouches for. */
	readonly checkpointsEnd: number;
	readonly signed: number;
}

const damaged = (file: string, position: number, detail: string): OrionError => new OrionError("AUDIT_DAMAGED", { file, position, detail });

interface Signed {
	readonly end: number;
	readonly checkpoint: Checkpoint | undefined;
}

const newestCheckpoint = async ({ files, folder, signer, check }: AuditOptions, { origin, first }: { origin: string; first: number }): Promise<Signed> => {
	const bytes = await readWhole(files, `${folder}/${CHECKPOINTS}`);
	if (bytes === undefined) throw damaged(CHECKPOINTS, first, "the file is missing");
	const text = new TextDecoder().decode(bytes);
	const { notes, rest } = splitCheckpoints(text);
	const end = bytes.length - new TextEncoder().encode(rest).length;
	const newest = notes.at(-1);
	if (newest === undefined) return { end, checkpoint: undefined };
	const opened = openCheckpoint(newest, signer(origin), check);
	if (!opened.ok) throw damaged(CHECKPOINTS, first, `the newest checkpoint cannot be relied on: ${opened.why}`);
	return { end, checkpoint: opened.checkpoint };
};

interface Scanned {
	readonly tree: Tree;
	readonly chain: Hash;
	readonly end: number;
	/** The root when there were `signed` entries. */
	readonly signedRoot: Hash | undefined;
	/** The entries that no checkpoint vouches for. */
	readonly unsigned: readonly { readonly position: number; readonly bytes: Uint8Array }[];
}

/** Whole entries that fit each other, up to the first that does not. */
const scan = (bytes: Uint8Array, header: Header, first: number, signed: number): Scanned => {
	const { tree } = header;
	let { chain } = header;
	let end = header.bytes;
	let signedRoot = tree.size === signed ? tree.root() : undefined;
	const unsigned: { position: number; bytes: Uint8Array }[] = [];
	for (;;) {
		const entry = entryAt(bytes, end);
		if (typeof entry === "string" || entry.position !== first + tree.size) break;
		const leaf = leafHash(entry.bytes);
		const next = chainHash(chain, leaf);
		if (Buffer.compare(next, entry.chain) !== 0) break;
		tree.append(leaf);
		chain = next;
		end = entry.end;
		if (tree.size === signed) signedRoot = tree.root();
		if (tree.size > signed) unsigned.push(entry);
	}
	return { tree, chain, end, signedRoot, unsigned };
};

/** What no checkpoint vouches for is held against the log; an entry of no bytes stands for a record that is not there. */
const compareWithLog = async ({ log }: AuditOptions, file: string, unsigned: Scanned["unsigned"]): Promise<void> => {
	for (const { position, bytes } of unsigned) {
		if (position > log.head()) throw damaged(file, position, `the log ends at ${log.head()}: it was cut back, or is another one`);
		if (position < log.first()) continue;
		const [record] = await log.read(position, 1);
		const stored = record?.position === position ? record.bytes : new Uint8Array(0);
		if (stored.length > 0 && Buffer.compare(stored, bytes) !== 0) throw damaged(file, position, "the entry is not the record that stands in the log");
	}
};

/** undefined: there is no audit yet. Rejects with OrionError AUDIT_DAMAGED. */
export const findTail = async (options: AuditOptions): Promise<AuditTail | undefined> => {
	const { files, folder, enteredUpTo, log } = options;
	const firsts = (await files.list(folder)).map(firstOfEntries).filter((first) => first !== undefined);
	const [first] = firsts;
	const names = await files.list(folder);
	const file = names.filter((name) => firstOfEntries(name) !== undefined).at(-1);
	if (first === undefined || file === undefined) {
		const checkpoints = await readWhole(files, `${folder}/${CHECKPOINTS}`);
		if ((checkpoints?.length ?? 0) > 0) throw damaged("entries", 1, "there are checkpoints, and no entries");
		return undefined;
	}
	const bytes = await readWhole(files, `${folder}/${file}`);
	const header = bytes === undefined ? undefined : parseHeader(bytes);
	if (bytes === undefined || header === undefined) throw damaged(file, firsts.at(-1) ?? first, "the beginning of the file cannot be read");
	const begins = header.first - header.tree.size;
	const { end: checkpointsEnd, checkpoint } = await newestCheckpoint(options, { origin: header.origin, first: begins });
	const signed = checkpoint?.size ?? 0;
	if (signed < header.tree.size) throw damaged(CHECKPOINTS, begins + signed, "the newest checkpoint is older than the last file of entries");
	const scanned = scan(bytes, header, begins, signed);
	const known = Math.max(signed, enteredUpTo - begins + 1);
	if (scanned.tree.size < known)
		throw damaged(file, begins + scanned.tree.size, `the entry is damaged or missing, and was on disk: up to ${begins + known - 1} there were entries`);
	if (checkpoint !== undefined && (scanned.signedRoot === undefined || Buffer.compare(scanned.signedRoot, checkpoint.root) !== 0))
		throw damaged(file, begins, `the entries are not those that the checkpoint of ${signed} entries was signed over`);
	if (begins + scanned.tree.size - 1 > log.head()) throw damaged(file, log.head() + 1, `the log ends at ${log.head()}: it was cut back, or is another one`);
	await compareWithLog(options, file, scanned.unsigned);
	return {
		origin: header.origin,
		first: begins,
		file,
		tree: scanned.tree,
		chain: scanned.chain,
		entriesEnd: scanned.end,
		checkpointsEnd,
		signed,
	};
};
