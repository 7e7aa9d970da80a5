// Decides whether an audit is what it was when it was signed: every entry, every checkpoint, the log beside it, and a checkpoint that was kept elsewhere.
import type { FilePort } from "../file-port.ts";
import { readWhole } from "../whole-file.ts";
import { CHECKPOINTS, encodeEntry, entryAt, firstOfEntries, parseHeader, splitCheckpoints, VERIFIER } from "./format.ts";
import { type Checkpoint, type CheckSignature, openCheckpoint, verifierKey } from "./note.ts";
import { CHAIN_START, chainHash, type Hash, leafHash, Tree } from "./tree.ts";

export interface Finding {
	readonly kind: "altered" | "missing" | "reordered" | "truncated" | "checkpoint" | "log" | "rewritten";
	/** The first entry that cannot be relied on. */
	readonly position: number;
	readonly file: string;
	readonly text: string;
}

export interface VerifyOptions {
	readonly files: FilePort;
	readonly folder: string;
	/** The key that is trusted, whatever name it is given under. */
	readonly publicKey: Uint8Array;
	readonly check: CheckSignature;
	/** Whether an entry is what the log has at its position; "none": the log has nothing there (any more). */
	readonly compare?: (position: number, entry: Uint8Array) => Promise<"same" | "other" | "none">;
	/** What the log has at a position, byte for byte. */
	readonly record?: (position: number) => Promise<Uint8Array | undefined>;
	/** Up to here there must be entries. */
	readonly enteredUpTo: number;
	/** A mesh writes to it now: what ends in the middle of an entry is being written. */
	readonly isRunning: boolean;
	/** A note that was kept elsewhere. */
	readonly kept?: string;
	readonly onProgress?: (position: number) => void;
}

export interface Verified {
	readonly origin: string;
	readonly first: number;
	readonly entries: number;
	readonly checkpoints: number;
	/** Position up to which a checkpoint vouches. */
	readonly signedUpTo: number;
	readonly compared: number;
	/** In the order of what they touch; the first is the one to look at. */
	readonly findings: readonly Finding[];
}

const FINDINGS_MAX = 1_000;

interface Vouched {
	readonly number: number;
	readonly checkpoint: Checkpoint;
}

class Verification {
	readonly #options: VerifyOptions;
	readonly findings: Finding[] = [];
	tree = new Tree();
	chain: Hash = CHAIN_START;
	origin = "";
	first = 1;
	compared = 0;
	#waiting: Vouched[] = [];
	/** The newest size that a checkpoint was found true for. */
	vouchedSize = 0;

	constructor(options: VerifyOptions) {
		this.#options = options;
	}

	find(kind: Finding["kind"], position: number, file: string, text: string): void {
		if (this.findings.length < FINDINGS_MAX) this.findings.push({ kind, position, file, text });
	}

	get next(): number {
		return this.first + this.tree.size;
	}

	/** Signatures first; what they were given over is held against the entries on the way. */
	checkpoints(text: string): number {
		const { notes, rest } = splitCheckpoints(text);
		let before = 0;
		for (const [index, note] of notes.entries()) {
			const number = index + 1;
			const opened = openCheckpoint(note, { name: this.origin, publicKey: this.#options.publicKey }, this.#options.check);
			if (!opened.ok) this.find("checkpoint", this.first + before, CHECKPOINTS, `checkpoint ${number} is forged or damaged: ${opened.why}`);
			else if (opened.checkpoint.origin !== this.origin)
				this.find("checkpoint", this.first + before, CHECKPOINTS, `checkpoint ${number} is of another audit: ${opened.checkpoint.origin}`);
			else if (opened.checkpoint.size < before)
				this.find("checkpoint", this.first + opened.checkpoint.size, CHECKPOINTS, `checkpoint ${number} stands after a newer one: the order was changed`);
			else {
				before = opened.checkpoint.size;
				this.#waiting.push({ number, checkpoint: opened.checkpoint });
			}
		}
		if (rest !== "" && !this.#options.isRunning)
			this.find("checkpoint", this.first + before, CHECKPOINTS, `${rest.length} characters after checkpoint ${notes.length} are no whole checkpoint`);
		this.#vouch();
		return notes.length;
	}

	/** A note from elsewhere, which nobody who holds this disk could change. */
	kept(note: string): void {
		const opened = openCheckpoint(note.replaceAll("\r\n", "\n"), { name: this.origin, publicKey: this.#options.publicKey }, this.#options.check);
		if (!opened.ok) {
			this.find("rewritten", this.first, "the checkpoint that was kept", `it was not signed by this audit: ${opened.why}`);
			return;
		}
		this.#waiting.push({ number: 0, checkpoint: opened.checkpoint });
		this.#waiting.sort((left, right) => left.checkpoint.size - right.checkpoint.size);
		this.#vouch();
	}

	#vouch(): void {
		for (let head = this.#waiting[0]; head !== undefined && head.checkpoint.size <= this.tree.size; head = this.#waiting[0]) {
			this.#waiting.shift();
			const { number, checkpoint } = head;
			if (checkpoint.size < this.tree.size) continue;
			if (Buffer.compare(checkpoint.root, this.tree.root()) === 0) this.vouchedSize = checkpoint.size;
			else if (number === 0)
				this.find(
					"rewritten",
					this.first,
					"the checkpoint that was kept",
					`the first ${checkpoint.size} entries are not those that it was signed over: the audit was rewritten`,
				);
			else {
				const from = this.first + this.vouchedSize;
				this.find(
					"rewritten",
					from,
					CHECKPOINTS,
					`the entries ${from} to ${this.first + checkpoint.size - 1} are not those that checkpoint ${number} was signed over`,
				);
			}
		}
	}

	/** Everything of one file of entries; false: nothing after it can be placed. */
	async entries(file: string, bytes: Uint8Array, isLast: boolean): Promise<boolean> {
		const header = parseHeader(bytes);
		if (header === undefined || header.origin !== this.origin) {
			this.find("altered", this.next, file, "the beginning of the file cannot be read, or is of another audit");
			return false;
		}
		if (header.first !== this.next) {
			const what = header.first > this.next ? `the entries ${this.next} to ${header.first - 1} are missing` : "it begins before the file before it ends";
			this.find(header.first > this.next ? "missing" : "reordered", Math.min(this.next, header.first), file, what);
			return false;
		}
		const follows = Buffer.compare(header.chain, this.chain) === 0 && Buffer.compare(header.tree.root(), this.tree.root()) === 0;
		if (header.tree.size !== this.tree.size || !follows) this.find("altered", this.next, file, "its beginning does not fit the entries before it");
		for (let at = header.bytes; at < bytes.length; ) {
			const entry = entryAt(bytes, at);
			if (typeof entry === "string") return this.#unreadable(file, bytes, at, isLast);
			if (!(await this.#entry(file, entry))) return false;
			at = entry.end;
		}
		return true;
	}

	async #entry(file: string, entry: { readonly position: number; readonly chain: Hash; readonly bytes: Uint8Array }): Promise<boolean> {
		const { next } = this;
		if (entry.position !== next) {
			if (entry.position > next) this.find("missing", next, file, `the entries ${next} to ${entry.position - 1} are missing`);
			else this.find("reordered", entry.position, file, `entry ${entry.position} stands where ${next} should stand`);
			return false;
		}
		const leaf = leafHash(entry.bytes);
		if (Buffer.compare(chainHash(this.chain, leaf), entry.chain) !== 0) {
			this.find("altered", next, file, `entry ${next} is not the one that was entered: it, or its hash, was altered`);
			return false;
		}
		this.tree.append(leaf);
		this.chain = entry.chain;
		this.#vouch();
		await this.#compare(file, next, entry.bytes);
		if (next % 1_000 === 0) this.#options.onProgress?.(next);
		return true;
	}

	async #compare(file: string, position: number, bytes: Uint8Array): Promise<void> {
		const found = await this.#options.compare?.(position, bytes);
		if (found === "same" || found === "other") this.compared += 1;
		if (found === "other") this.find("log", position, file, `entry ${position} and record ${position} of the log differ`);
	}

	/** What ends in the middle of an entry is being written, or was when the process ended: then it is the beginning of what the log has. */
	async #unreadable(file: string, bytes: Uint8Array, at: number, isLast: boolean): Promise<boolean> {
		const short = entryAt(bytes, at) === "short";
		if (short && isLast && (this.#options.isRunning || (await this.#isBegun(bytes.subarray(at))))) return true;
		const text = short ? `the file ends in the middle of entry ${this.next}` : `entry ${this.next} cannot be read`;
		this.find(short ? "truncated" : "altered", this.next, file, `${text} (byte ${at})`);
		return false;
	}

	/** Whether these bytes are the beginning of the entry that comes next, and not the rest of one that was whole. */
	async #isBegun(bytes: Uint8Array): Promise<boolean> {
		const record = this.#options.enteredUpTo >= this.next ? undefined : await this.#options.record?.(this.next);
		if (record === undefined) return false;
		const entry = encodeEntry(this.next, record, chainHash(this.chain, leafHash(record)));
		return Buffer.compare(entry.subarray(0, bytes.length), bytes) === 0;
	}

	/** The key that others are told to trust. */
	verifier(bytes: Uint8Array | undefined): void {
		const expected = `${verifierKey({ name: this.origin, publicKey: this.#options.publicKey })}\n`;
		if (bytes === undefined || new TextDecoder().decode(bytes) !== expected)
			this.find("checkpoint", this.first, VERIFIER, "the key in this file is not the one that the checkpoints are held against");
	}

	/** Whatever nobody came to. */
	end(isWhole: boolean): void {
		const last = this.next - 1;
		for (const { number, checkpoint } of isWhole ? this.#waiting : []) {
			const upTo = this.first + checkpoint.size - 1;
			const who = number === 0 ? "the checkpoint that was kept" : `checkpoint ${number}`;
			this.find("truncated", this.next, CHECKPOINTS, `the entries ${this.next} to ${upTo} are missing: ${who} was signed over ${checkpoint.size} entries`);
		}
		if (isWhole && this.#options.enteredUpTo > last)
			this.find("truncated", this.next, "entries", `the entries ${this.next} to ${this.#options.enteredUpTo} are missing: they were on disk`);
	}
}

const read = async ({ files, folder }: VerifyOptions, name: string): Promise<Uint8Array | undefined> => readWhole(files, `${folder}/${name}`);

/** What the first file of entries says that the audit is; undefined: there is none, or it cannot be read. */
const beginning = (bytes: Uint8Array | undefined): { readonly origin: string; readonly first: number } | undefined => {
	const header = bytes === undefined ? undefined : parseHeader(bytes);
	return header === undefined ? undefined : { origin: header.origin, first: header.first - header.tree.size };
};

/** Reads all of it. Only what cannot be read at all rejects, as the file system does. */
export const verifyAudit = async (options: VerifyOptions): Promise<Verified> => {
	const verification = new Verification(options);
	// Before the entries: whatever they vouch for was on disk before they were.
	const notes = await read(options, CHECKPOINTS);
	const names = (await options.files.list(options.folder)).filter((name) => firstOfEntries(name) !== undefined);
	const firstBytes = names[0] === undefined ? undefined : await read(options, names[0]);
	const began = beginning(firstBytes);
	let checkpoints = 0;
	let whole = false;
	if (began === undefined) verification.find("missing", 1, names[0] ?? "entries-*", "there are no entries, or the beginning of the first file cannot be read");
	else {
		verification.origin = began.origin;
		verification.first = began.first;
		verification.verifier(await read(options, VERIFIER));
		if (options.kept !== undefined) verification.kept(options.kept);
		if (notes === undefined) verification.find("checkpoint", began.first, CHECKPOINTS, "the checkpoints are missing");
		else checkpoints = verification.checkpoints(new TextDecoder().decode(notes));
		whole = true;
		for (const [index, name] of names.entries()) {
			const bytes = index === 0 ? firstBytes : await read(options, name);
			whole = bytes !== undefined && (await verification.entries(name, bytes, index === names.length - 1));
			if (!whole) break;
		}
	}
	verification.end(whole);
	const findings = verification.findings.sort((left, right) => left.position - right.position);
	const { origin, first, tree, compared, vouchedSize } = verification;
	return { origin, first, entries: tree.size, checkpoints, signedUpTo: first + vouchedSize - 1, compared, findings };
};
