// The one place that hashes: RFC 8785 canonical JSON and SHA-256.
import { createHash, hash } from "node:crypto";
import canonicalizeJson from "canonicalize";
import { assert } from "./result.ts";

const DEPTH_MAX = 64;

const depthOf = (value: unknown, depth: number): number => {
	if (depth > DEPTH_MAX) return depth;
	if (value === null || typeof value !== "object") return depth;
	let deepest = depth;
	for (const inner of Object.values(value)) deepest = Math.max(deepest, depthOf(inner, depth + 1));
	return deepest;
};

/** RFC 8785 text of a JSON value. Depth is bounded first: the library recurses and a 10 kB payload can exhaust the stack. */
export const canonicalText = (value: unknown): string => {
	assert(depthOf(value, 0) <= DEPTH_MAX, `a value deeper than ${DEPTH_MAX} levels reached digest`);
	const text = (canonicalizeJson as unknown as (input: unknown) => string | undefined)(value);
	assert(text !== undefined, "a value without a JSON form reached digest");
	return text;
};

/** SHA-256 of bytes or text, as lower-case hex. */
export const sha256Hex = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");

/** SHA-256 of bytes, as bytes: for trees and chains, where it is asked many times. */
export const sha256Bytes = (bytes: Uint8Array): Uint8Array => hash("sha256", bytes, "buffer");

/** Digest of a JSON value, independent of key order: `sha256:<hex>`. */
export const digest = (value: unknown): string => `sha256:${sha256Hex(canonicalText(value))}`;

/** Id of the index-th output of a cause: the same cause and index give the same id on every run. 32 hex characters. */
export const derivedId = (causeId: string, index: number): string => sha256Hex(`${causeId}\n${index}`).slice(0, 32);
