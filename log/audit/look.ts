// Connects a reader to single things of an audit: one entry, the newest checkpoint, and the proof that the one is in the other.
import { OrionError } from "../../contracts/errors.ts";
import type { FilePort } from "../file-port.ts";
import { readWhole } from "../whole-file.ts";
import { CHECKPOINTS, type EntryLine, entryAt, firstOfEntries, parseHeader, splitCheckpoints } from "./format.ts";
import { type Hash, inclusionProof, leafHash } from "./tree.ts";

interface Place {
	readonly files: FilePort;
	readonly folder: string;
}

export interface Entry {
	readonly position: number;
	/** Its number in the tree. */
	readonly index: number;
	readonly bytes: Uint8Array;
	readonly leaf: Hash;
	readonly chain: Hash;
	readonly file: string;
}

const entriesFiles = async ({ files, folder }: Place): Promise<readonly string[]> => {
	const names = await files.list(folder).catch(() => []);
	return names.filter((name) => firstOfEntries(name) !== undefined);
};

/** The entries of one file, up to the first that cannot be read. */
function* entriesIn(bytes: Uint8Array): Generator<EntryLine> {
	for (let at = parseHeader(bytes)?.bytes ?? bytes.length; ; ) {
		const entry = entryAt(bytes, at);
		if (typeof entry === "string") return;
		yield entry;
		at = entry.end;
	}
}

/** Fault: NOT_FOUND. */
export const entryOf = async (place: Place, position: number): Promise<Entry> => {
	const names = await entriesFiles(place);
	const [oldest] = names;
	const file = names.findLast((name) => (firstOfEntries(name) ?? 0) <= position);
	const bytes = file === undefined ? undefined : await readWhole(place.files, `${place.folder}/${file}`);
	for (const entry of bytes === undefined ? [] : entriesIn(bytes)) {
		if (entry.position !== position || file === undefined) continue;
		const index = position - (firstOfEntries(oldest ?? "") ?? 1);
		return { position, index, bytes: entry.bytes, leaf: leafHash(entry.bytes), chain: entry.chain, file };
	}
	throw new OrionError("NOT_FOUND", { what: "entry", id: String(position), detail: `The audit in ${place.folder} has none at this position.` });
};

/** The note as it was signed. Fault: NOT_FOUND. */
export const newestNote = async ({ files, folder }: Place): Promise<string> => {
	const bytes = await readWhole(files, `${folder}/${CHECKPOINTS}`);
	const newest = bytes === undefined ? undefined : splitCheckpoints(new TextDecoder().decode(bytes)).notes.at(-1);
	if (newest === undefined)
		throw new OrionError("NOT_FOUND", { what: "checkpoint in", id: folder, detail: "A running mesh signs one each minute, and when it is stopped." });
	return newest;
};

/** C2SP tlog-proof: the entry, by its hash, is in the tree of the newest checkpoint. Fault: NOT_FOUND. */
export const proofOf = async (place: Place, { index, position }: Entry): Promise<string> => {
	const note = await newestNote(place);
	const size = Number(note.split("\n")[1]);
	if (!(index < size))
		throw new OrionError("NOT_FOUND", { what: "checkpoint over entry", id: String(position), detail: "The next one is signed within a minute." });
	const leaves: Hash[] = [];
	for (const name of await entriesFiles(place)) {
		const bytes = await readWhole(place.files, `${place.folder}/${name}`);
		for (const entry of bytes === undefined ? [] : entriesIn(bytes)) if (leaves.length < size) leaves.push(leafHash(entry.bytes));
	}
	const hashes = inclusionProof(leaves, index).map((hash) => `${Buffer.from(hash).toString("base64")}\n`);
	return `c2sp.org/tlog-proof@v1\nindex ${index}\n${hashes.join("")}\n${note}`;
};
