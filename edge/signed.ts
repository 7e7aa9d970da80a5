// Connects signed texts (compact JWS, EdDSA) to what they say, for the keys that this node obeys. Exactly one spelling of each is accepted.
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { sha256Hex } from "../contracts/digest.ts";
import { parseJson } from "../contracts/envelope.ts";
import { OrionError } from "../contracts/errors.ts";

export type SignedKind =
	| "orion-command+jws"
	| "orion-beacon+jws"
	| "orion-policy+jws"
	| "orion-lease-open+jws"
	| "orion-lease-renew+jws"
	| "orion-lease-end+jws";

export interface CoreKeyFile {
	readonly keyId: string;
	/** Raw Ed25519 public key, base64url. */
	readonly publicKey: string;
}

export type CoreKeys = ReadonlyMap<string, KeyObject>;

export type Verified =
	| { readonly kind: "verified"; readonly keyId: string; readonly payload: unknown }
	| { readonly kind: "not-verified"; readonly reason: "malformed" | "bad-signature" | "unknown-key"; readonly detail: string };

const SIGNED_BYTES_MAX = 65_536;
const SIGNATURE_BYTES = 64;

/** First 16 hex characters of the SHA-256 of the raw public key. */
export const keyIdOf = (publicKeyBase64Url: string): string => sha256Hex(Buffer.from(publicKeyBase64Url, "base64url")).slice(0, 16);

/** Throws CONFIG_INVALID for a key that is none, or that has another id than it says. */
export const coreKeysOf = (file: string, keys: readonly CoreKeyFile[]): CoreKeys =>
	new Map(
		keys.map(({ keyId, publicKey }) => {
			if (keyIdOf(publicKey) !== keyId) throw new OrionError("CONFIG_INVALID", { file, line: 1, column: 1, detail: `the key ${keyId} of core has another id` });
			try {
				return [keyId, createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: publicKey }, format: "jwk" })] as const;
			} catch (cause) {
				throw new OrionError("CONFIG_INVALID", { file, line: 1, column: 1, detail: `the key ${keyId} of core is no Ed25519 key` }, { cause });
			}
		}),
	);

/** Bytes of base64url text; undefined unless it is the one canonical spelling of them. */
const decoded = (text: string): Buffer | undefined => {
	const bytes = Buffer.from(text, "base64url");
	return bytes.toString("base64url") === text ? bytes : undefined;
};

const malformed = (detail: string): Verified => ({ kind: "not-verified", reason: "malformed", detail });

const keyIdIn = (header: Buffer, kind: SignedKind): string | undefined => {
	const parsed = parseJson(header);
	const kid = parsed.ok && typeof parsed.value === "object" && parsed.value !== null ? (parsed.value as Readonly<Record<string, unknown>>)["kid"] : undefined;
	if (typeof kid !== "string") return undefined;
	return header.toString("utf8") === JSON.stringify({ alg: "EdDSA", kid, typ: kind }) ? kid : undefined;
};

/** The payload is looked at only after the signature holds; one that spells a key twice, or adds white space, is not what core's signer writes. */
export const verifySigned = (bytes: Uint8Array, kind: SignedKind, keys: CoreKeys): Verified => {
	if (bytes.byteLength > SIGNED_BYTES_MAX) return malformed(`${bytes.byteLength} bytes`);
	const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
	const [head, body, tail, ...rest] = text.split(".");
	if (head === undefined || body === undefined || tail === undefined || rest.length > 0) return malformed("not three parts");
	const header = decoded(head);
	const payload = decoded(body);
	const signature = decoded(tail);
	if (header === undefined || payload === undefined || signature?.byteLength !== SIGNATURE_BYTES) return malformed("not base64url");
	const keyId = keyIdIn(header, kind);
	if (keyId === undefined) return malformed(`its header is not that of ${kind}`);
	const key = keys.get(keyId);
	if (key === undefined) return { kind: "not-verified", reason: "unknown-key", detail: `key ${keyId.slice(0, 64)} is none of this node's cores` };
	if (!verify(null, Buffer.from(`${head}.${body}`, "latin1"), key, signature))
		return { kind: "not-verified", reason: "bad-signature", detail: `not signed by ${keyId}` };
	const parsed = parseJson(payload);
	if (!parsed.ok) return malformed("its payload is no JSON");
	return JSON.stringify(parsed.value) === payload.toString("utf8")
		? { kind: "verified", keyId, payload: parsed.value }
		: malformed("its payload is not written as core writes it");
};
