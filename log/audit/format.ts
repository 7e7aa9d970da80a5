// Decides what stands in the files of the audit: a header that says what came before, then entries that a person can read and a short script can check.
//
// entries-<first position, 20 digits>:
//
//     orion-audit 1
//     <origin>
//     <first position> <entries before> <chain before, hex>
//     <roots of the perfect trees before, hex, separated by commas; or ->
//     (empty line)
//     <position> <length in bytes> <chain after it, hex>
//     <the record, exactly as it stands in the log>
//     <position> ...
//
// An entry of no bytes stands for a position at which the log had no record any more when the audit came to it.
import { HASH_BYTES, type Hash, isRangeOf, Tree } from "./tree.ts";

const FORMAT = 1;
const LINE_FEED = 0x0a;
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

/** The notes of all checkpoints, each followed by an empty line. */
export const CHECKPOINTS = "checkpoints";
/** The key that they are signed with, as a verifier wants it. */
export const VERIFIER = "verifier";

export const entriesName = (firstPosition: number): string => `entries-${String(firstPosition).padStart(20, "0")}`;
export const firstOfEntries = (name: string): number | undefined => {
	const [, digits] = /^entries-(\d{20})$/.exec(name) ?? [];
	return digits === undefined ? undefined : Number(digits);
};

/** `orion-mesh/<mesh>/<first position>`: which tree this is. Also the name of the key that signs it. */
export const originOf = (mesh: string, firstPosition: number): string => `orion-mesh/${mesh}/${firstPosition}`;

const hex = (hash: Hash): string => Buffer.from(hash.buffer, hash.byteOffset, hash.length).toString("hex");
const HEX_HASH = /^[0-9a-f]{64}$/;
const unhex = (text: string): Hash | undefined => (HEX_HASH.test(text) ? Buffer.from(text, "hex") : undefined);
const count = (text: string): number | undefined => {
	const number = Number(text);
	return /^(0|[1-9]\d{0,15})$/.test(text) && Number.isSafeInteger(number) ? number : undefined;
};

export interface Header {
	readonly origin: string;
	/** Position of the first entry in this file. */
	readonly first: number;
	/** What came before it. */
	readonly tree: Tree;
	readonly chain: Hash;
	/** Where the first entry begins. */
	readonly bytes: number;
}

export const encodeHeader = ({ origin, first, tree, chain }: Omit<Header, "bytes">): Uint8Array => {
	const range = tree.range.length === 0 ? "-" : tree.range.map(hex).join(",");
	return ENCODER.encode(`orion-audit ${FORMAT}\n${origin}\n${first} ${tree.size} ${hex(chain)}\n${range}\n\n`);
};

const HEADER_BYTES_MAX = 8_192;

/** undefined: damaged, or of another format. */
export const parseHeader = (source: Uint8Array): Header | undefined => {
	const text = DECODER.decode(source.subarray(0, HEADER_BYTES_MAX));
	const [, origin = "", firstText = "", sizeText = "", chainText = "", rangeText = ""] =
		/^orion-audit 1\n(\S+)\n(\d+) (\d+) ([0-9a-f]{64})\n([0-9a-f,-]+)\n\n/.exec(text) ?? [];
	const [first, size, chain] = [count(firstText), count(sizeText), unhex(chainText)];
	const range = rangeText === "-" ? [] : rangeText.split(",").map(unhex);
	if (first === undefined || size === undefined || chain === undefined || !isRangeOf(size, range.length)) return undefined;
	if (!range.every((hash) => hash !== undefined)) return undefined;
	const header = { origin, first, tree: new Tree(size, range), chain };
	return { ...header, bytes: encodeHeader(header).length };
};

export interface EntryLine {
	readonly position: number;
	readonly chain: Hash;
	readonly bytes: Uint8Array;
	/** Where the next entry begins. */
	readonly end: number;
}

export interface NewEntry {
	readonly position: number;
	readonly bytes: Uint8Array;
	readonly chain: Hash;
}

/** One behind the other, in one piece: this is done for every record that there is. */
export const encodeEntries = (entries: readonly NewEntry[]): Uint8Array => {
	const lines = entries.map(({ position, bytes, chain }) => `${position} ${bytes.length} ${hex(chain)}\n`);
	const target = Buffer.allocUnsafe(entries.reduce((sum, { bytes }, index) => sum + (lines[index]?.length ?? 0) + bytes.length + 1, 0));
	let at = 0;
	for (const [index, { bytes }] of entries.entries()) {
		at += target.write(lines[index] ?? "", at, "latin1");
		target.set(bytes, at);
		at += bytes.length;
		target[at] = LINE_FEED;
		at += 1;
	}
	return target;
};

export const encodeEntry = (position: number, bytes: Uint8Array, chain: Hash): Uint8Array => encodeEntries([{ position, bytes, chain }]);

const LINE_BYTES_MAX = 16 + 1 + 10 + 1 + HASH_BYTES * 2;

/** The entry at `at`; "short": the bytes end before it does; "bad": it is none. */
export const entryAt = (source: Uint8Array, at: number): EntryLine | "short" | "bad" => {
	const lineEnd = source.indexOf(LINE_FEED, at);
	if (lineEnd < 0) return source.length - at > LINE_BYTES_MAX ? "bad" : "short";
	if (lineEnd - at > LINE_BYTES_MAX) return "bad";
	const [positionText = "", lengthText = "", chainText = "", ...more] = DECODER.decode(source.subarray(at, lineEnd)).split(" ");
	const [position, length, chain] = [count(positionText), count(lengthText), unhex(chainText)];
	if (position === undefined || length === undefined || chain === undefined || more.length > 0) return "bad";
	const end = lineEnd + 1 + length;
	if (end >= source.length) return "short";
	return source[end] === LINE_FEED ? { position, chain, bytes: source.subarray(lineEnd + 1, end), end: end + 1 } : "bad";
};

/** The blocks of the file of checkpoints, and what follows the last whole one: a note that a crash cut short, or none. */
export const splitCheckpoints = (text: string): { readonly notes: readonly string[]; readonly rest: string } => {
	const parts = text.split("\n\n");
	// text, signatures, text, signatures, ..., rest
	const rest = parts.length % 2 === 0 ? parts.splice(-2).join("\n\n") : (parts.pop() ?? "");
	const notes: string[] = [];
	for (let index = 0; index + 1 < parts.length; index += 2) notes.push(`${parts[index]}\n\n${parts[index + 1]}\n`);
	return { notes, rest };
};
