// Decides what a growing list of entries hashes to: its root as RFC 6962 has it, the chain from entry to entry, and the proof that one is in it.
import { sha256Bytes } from "../../contracts/digest.ts";
import { assert } from "../../contracts/result.ts";

export type Hash = Uint8Array;
export const HASH_BYTES = 32;

const LEAF = 0;
const NODE = 1;
const CHAIN = 2;

const prefixed = (prefix: number, first: Uint8Array, second?: Uint8Array): Uint8Array => {
	const bytes = Buffer.allocUnsafe(1 + first.length + (second?.length ?? 0));
	bytes[0] = prefix;
	bytes.set(first, 1);
	if (second !== undefined) bytes.set(second, 1 + first.length);
	return bytes;
};

/** SHA-256(0x00 || entry) */
export const leafHash = (entry: Uint8Array): Hash => sha256Bytes(prefixed(LEAF, entry));
/** SHA-256(0x01 || left || right) */
const nodeHash = (left: Hash, right: Hash): Hash => sha256Bytes(prefixed(NODE, left, right));
/** SHA-256(0x02 || chain before || leaf): every entry vouches for all before it, also where no checkpoint was signed yet. */
export const chainHash = (before: Hash, leaf: Hash): Hash => sha256Bytes(prefixed(CHAIN, before, leaf));
/** Before the first entry. */
export const CHAIN_START: Hash = new Uint8Array(HASH_BYTES);

/** How many perfect trees a tree of this size consists of: the ones in its binary form. */
const treesIn = (size: number): number => {
	let count = 0;
	for (let left = size; left > 0; left = Math.floor(left / 2)) count += left % 2;
	return count;
};

/** The roots of the perfect trees that a tree consists of, largest first: all that is needed to go on with it. */
export class Tree {
	#size: number;
	readonly #range: Hash[];

	constructor(size = 0, range: readonly Hash[] = []) {
		assert(range.length === treesIn(size), "a tree with another number of parts than its size has");
		this.#size = size;
		this.#range = [...range];
	}

	get size(): number {
		return this.#size;
	}
	get range(): readonly Hash[] {
		return this.#range;
	}

	append(leaf: Hash): void {
		let hash = leaf;
		for (let left = this.#size; left % 2 === 1; left = Math.floor(left / 2)) {
			const before = this.#range.pop();
			assert(before !== undefined, "a tree lost one of its parts");
			hash = nodeHash(before, hash);
		}
		this.#range.push(hash);
		this.#size += 1;
	}

	root(): Hash {
		return this.#range.length === 0 ? sha256Bytes(new Uint8Array(0)) : this.#range.reduceRight((right, left) => nodeHash(left, right));
	}

	copy(): Tree {
		return new Tree(this.#size, this.#range);
	}
}

/** Whether a range can be that of a tree of this size. */
export const isRangeOf = (size: number, hashes: number): boolean => treesIn(size) === hashes;

const rootOf = (leaves: readonly Hash[]): Hash => {
	const tree = new Tree();
	for (const leaf of leaves) tree.append(leaf);
	return tree.root();
};

/** Largest power of two below a size from 2 on. */
const splitOf = (size: number): number => {
	let split = 1;
	while (split * 2 < size) split *= 2;
	return split;
};

/** The hashes that lead from one leaf to the root of all, nearest first (RFC 6962, 2.1.1). */
export const inclusionProof = (leaves: readonly Hash[], index: number): readonly Hash[] => {
	assert(index >= 0 && index < leaves.length, "a proof of an entry that is not in the tree");
	if (leaves.length === 1) return [];
	const split = splitOf(leaves.length);
	return index < split
		? [...inclusionProof(leaves.slice(0, split), index), rootOf(leaves.slice(split))]
		: [...inclusionProof(leaves.slice(split), index - split), rootOf(leaves.slice(0, split))];
};
