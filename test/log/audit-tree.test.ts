// Shows that roots, proofs, notes and keys are those of RFC 6962 and C2SP, by their published values and by a second way to compute them.
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { checkEd25519 } from "../../core/service/audit-key.ts";
import { openCheckpoint, parseVerifierKey, signCheckpoint, verifierKey } from "../../log/audit/note.ts";
import { inclusionProof, leafHash, Tree } from "../../log/audit/tree.ts";
import { PUBLIC_KEY, signerInto } from "../support/audit.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const sha256 = (...parts: readonly Uint8Array[]): Buffer => createHash("sha256").update(Buffer.concat(parts)).digest();

/** The definition, word for word: MTH(D[n]) = SHA-256(0x01 || MTH(D[0:k]) || MTH(D[k:n])). */
const defined = (leaves: readonly Uint8Array[]): Buffer => {
	if (leaves.length === 0) return sha256();
	if (leaves.length === 1) return sha256(Buffer.from([0]), leaves[0] ?? Buffer.of());
	const split = 2 ** Math.floor(Math.log2(leaves.length - 1));
	return sha256(Buffer.from([1]), defined(leaves.slice(0, split)), defined(leaves.slice(split)));
};

/** What a verifier does with a proof (RFC 9162, 2.1.3.2). */
const rootFrom = (index: number, size: number, leaf: Uint8Array, proof: readonly Uint8Array[]): string => {
	let [at, last] = [index, size - 1];
	let root: Uint8Array = leaf;
	for (const hash of proof) {
		if (at % 2 === 1 || at === last) {
			root = sha256(Buffer.from([1]), hash, root);
			while (at % 2 === 0 && at !== 0) [at, last] = [at >> 1, last >> 1];
		} else root = sha256(Buffer.from([1]), root, hash);
		[at, last] = [at >> 1, last >> 1];
	}
	return last === 0 ? hex(root) : "the proof is too short";
};

const REFERENCE = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"].map((text) => Buffer.from(text, "hex"));
const REFERENCE_ROOTS = [
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
	"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

describe("TELL-31 the tree", () => {
	test("has the roots of the reference trees of Certificate Transparency", () => {
		const tree = new Tree();
		const roots = [hex(tree.root())];
		for (const leaf of REFERENCE) {
			tree.append(leafHash(leaf));
			roots.push(hex(tree.root()));
		}
		expect(roots).toEqual(REFERENCE_ROOTS);
	});

	test("has the root of the definition at every size up to 130, also when it goes on from its parts", () => {
		const leaves = Array.from({ length: 130 }, (_, index) => Buffer.from(`leaf ${index}`));
		let tree = new Tree();
		for (const [index, leaf] of leaves.entries()) {
			tree.append(leafHash(leaf));
			tree = new Tree(tree.size, tree.range);
			expect(hex(tree.root())).toBe(hex(defined(leaves.slice(0, index + 1))));
		}
	});

	test("proves every entry of every size up to 40, and none in another place", () => {
		for (let size = 1; size <= 40; size += 1) {
			const leaves = Array.from({ length: size }, (_, index) => leafHash(Buffer.from(`leaf ${index}`)));
			const root = hex(defined(Array.from({ length: size }, (_, index) => Buffer.from(`leaf ${index}`))));
			for (const [index, leaf] of leaves.entries()) {
				const proof = inclusionProof(leaves, index);
				expect(rootFrom(index, size, leaf, proof)).toBe(root);
				if (size > 1) expect(rootFrom((index + 1) % size, size, leaf, proof)).not.toBe(root);
			}
		}
	});
});

describe("TELL-31 notes and keys", () => {
	const origin = "orion-mesh/mesh-1/1";
	const signer = signerInto()(origin);
	const note = signCheckpoint({ origin, size: 3, root: leafHash(Buffer.from("x")) }, signer);
	const key = { name: origin, publicKey: PUBLIC_KEY };

	test("a published verifier key is read, and written again the same", () => {
		const published = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
		const parsed = parseVerifierKey(published);
		expect(parsed?.name).toBe("PeterNeumann");
		expect(parsed === undefined ? "" : verifierKey(parsed)).toBe(published);
	});

	test.each([
		"",
		"a",
		"a+b+c",
		"Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
		"PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
	])("%j is no verifier key", (text) => expect(parseVerifierKey(text)).toBeUndefined());

	test("the note is three lines, an empty one, and a signature line", () => {
		expect(note).toMatch(/^orion-mesh\/mesh-1\/1\n3\n[A-Za-z0-9+/]{43}=\n\n— orion-mesh\/mesh-1\/1 [A-Za-z0-9+/]{91}=?=?\n$/);
		expect(openCheckpoint(note, key, checkEd25519)).toMatchObject({ ok: true, checkpoint: { origin, size: 3 } });
	});

	test("a note that others signed too is still ours; one that only they signed is not", () => {
		const cosigned = `${note}— witness.example ${Buffer.alloc(76, 1).toString("base64")}\n`;
		expect(openCheckpoint(cosigned, key, checkEd25519).ok).toBe(true);
		expect(openCheckpoint(note, { name: origin, publicKey: Buffer.alloc(32, 9) }, checkEd25519).ok).toBe(false);
		expect(openCheckpoint(note, { name: "another", publicKey: PUBLIC_KEY }, checkEd25519).ok).toBe(false);
	});

	test("a note with any one byte altered is refused", () => {
		const bytes = Buffer.from(note);
		for (let at = 0; at < bytes.length; at += 1)
			for (const bit of [1, 4, 32]) {
				const altered = Buffer.from(bytes);
				altered[at] = (altered[at] ?? 0) ^ bit;
				expect(openCheckpoint(altered.toString(), key, checkEd25519).ok, `byte ${at}, bit ${bit}`).toBe(false);
			}
	});
});
