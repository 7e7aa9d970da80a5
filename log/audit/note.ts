// Decides how a checkpoint is written and read: C2SP tlog-checkpoint in a C2SP signed note, Ed25519, so that others' tools can read it.
import { sha256Bytes } from "../../contracts/digest.ts";
import { HASH_BYTES, type Hash } from "./tree.ts";

const ED25519 = 0x01;
const KEY_HASH_BYTES = 4;
const PUBLIC_KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

/** Who signs notes: its name, its raw Ed25519 public key, and the signature itself. */
export interface NoteSigner {
	readonly name: string;
	readonly publicKey: Uint8Array;
	sign(text: Uint8Array): Uint8Array;
}

/** Whether this raw public key made this signature. */
export type CheckSignature = (publicKey: Uint8Array, text: Uint8Array, signature: Uint8Array) => boolean;

/** What a reader knows of a signer. */
export interface NoteKey {
	readonly name: string;
	readonly publicKey: Uint8Array;
}

export interface Checkpoint {
	/** Which tree: no other has this name. */
	readonly origin: string;
	/** Entries in it. */
	readonly size: number;
	readonly root: Hash;
}

const ENCODER = new TextEncoder();
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

/** undefined: not base64, or not the one way to write these bytes. */
const unbase64 = (text: string, lengthBytes: number): Uint8Array | undefined => {
	const bytes = Buffer.from(text, "base64");
	return bytes.length === lengthBytes && bytes.toString("base64") === text ? bytes : undefined;
};

/** SHA-256(name || LF || 0x01 || public key), its first four bytes. */
const keyHash = ({ name, publicKey }: NoteKey): Uint8Array =>
	sha256Bytes(Buffer.concat([ENCODER.encode(`${name}\n`), new Uint8Array([ED25519]), publicKey])).subarray(0, KEY_HASH_BYTES);

/** `name+hash+base64(0x01 || public key)`: how a verifier is told which key to trust. */
export const verifierKey = (key: NoteKey): string =>
	`${key.name}+${Buffer.from(keyHash(key)).toString("hex")}+${base64(Buffer.concat([new Uint8Array([ED25519]), key.publicKey]))}`;

/** undefined: not the key of an Ed25519 verifier. */
export const parseVerifierKey = (text: string): NoteKey | undefined => {
	const [, name = "", hash = "", encoded = ""] = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text) ?? [];
	const bytes = unbase64(encoded, 1 + PUBLIC_KEY_BYTES);
	if (bytes === undefined || bytes[0] !== ED25519) return undefined;
	const key = { name, publicKey: bytes.subarray(1) };
	return Buffer.from(keyHash(key)).toString("hex") === hash ? key : undefined;
};

const textOf = ({ origin, size, root }: Checkpoint): string => `${origin}\n${size}\n${base64(root)}\n`;

/** The whole note, its last line break included. */
export const signCheckpoint = (checkpoint: Checkpoint, signer: NoteSigner): string => {
	const text = textOf(checkpoint);
	const signature = signer.sign(ENCODER.encode(text));
	return `${text}\n— ${signer.name} ${base64(Buffer.concat([keyHash(signer), signature]))}\n`;
};

const SIGNATURE = /^— ([^\s+]+) ([A-Za-z0-9+/=]+)$/;

interface Note {
	readonly checkpoint: Checkpoint;
	readonly text: string;
	readonly signatures: readonly { readonly name: string; readonly encoded: string }[];
}

/** undefined: not a note with a checkpoint. Lines after the root and signatures of others are allowed, as the formats have it. */
const parseNote = (note: string): Note | undefined => {
	const split = note.lastIndexOf("\n\n");
	if (split < 0 || !note.endsWith("\n")) return undefined;
	const text = note.slice(0, split + 1);
	const [origin = "", sizeText = "", rootText = "", ...more] = text.slice(0, -1).split("\n");
	const lines = note.slice(split + 2, -1).split("\n");
	const signatures = lines.map((line) => SIGNATURE.exec(line)).map((match) => ({ name: match?.[1] ?? "", encoded: match?.[2] ?? "" }));
	const root = unbase64(rootText, HASH_BYTES);
	const size = Number(sizeText);
	const isWhole =
		origin !== "" && /^(0|[1-9]\d*)$/.test(sizeText) && Number.isSafeInteger(size) && !more.includes("") && signatures.every(({ name }) => name !== "");
	return isWhole && root !== undefined ? { checkpoint: { origin, size, root }, text, signatures } : undefined;
};

export type OpenedNote = { readonly ok: true; readonly checkpoint: Checkpoint } | { readonly ok: false; readonly why: string };

/** A checkpoint that this key signed, or why it is none. */
export const openCheckpoint = (note: string, key: NoteKey, check: CheckSignature): OpenedNote => {
	const parsed = parseNote(note);
	if (parsed === undefined) return { ok: false, why: "it is not a signed checkpoint" };
	const hash = keyHash(key);
	for (const { name, encoded } of parsed.signatures) {
		const bytes = unbase64(encoded, KEY_HASH_BYTES + SIGNATURE_BYTES);
		if (name !== key.name || bytes === undefined || Buffer.compare(bytes.subarray(0, KEY_HASH_BYTES), hash) !== 0) continue;
		return check(key.publicKey, ENCODER.encode(parsed.text), bytes.subarray(KEY_HASH_BYTES))
			? { ok: true, checkpoint: parsed.checkpoint }
			: { ok: false, why: "its signature does not fit its text" };
	}
	return { ok: false, why: `it is not signed by ${key.name} with the key ${Buffer.from(hash).toString("hex")}` };
};
