// Connects core to its signing key and its term: made at the first start, raised at each start, on disk before anything is signed.
import { generateKeyPairSync } from "node:crypto";
import { CompactSign, importJWK, type JWK } from "jose";
import { sha256Hex } from "../../contracts/digest.ts";
import { OrionError } from "../../contracts/errors.ts";
import type { CoreTerm } from "./ports.ts";
import type { KeptFiles } from "./world.ts";

export type SignedKind = "orion-command+jws" | "orion-beacon+jws" | "orion-policy+jws" | "orion-lease-open+jws";

export interface CoreKey {
	readonly keyId: string;
	/** Raw Ed25519 public key, base64url. */
	readonly publicKey: string;
	/** Compact JWS; Ed25519 is deterministic, so the same payload gives the same text. */
	sign(kind: SignedKind, payload: unknown): Promise<string>;
}

const KEY_FILE = "core-key.json";
const TERM_FILE = "core-term.json";

/** First 16 hex characters of the SHA-256 of the raw public key. */
export const keyIdOf = (publicKeyBase64Url: string): string => sha256Hex(Buffer.from(publicKeyBase64Url, "base64url")).slice(0, 16);

const parse = (file: string, text: string): Readonly<Record<string, unknown>> => {
	try {
		const value: unknown = JSON.parse(text);
		if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>;
	} catch {
		// Falls through to the one error below.
	}
	throw new OrionError("CONFIG_INVALID", { file, line: 1, column: 1, detail: "is not the JSON that core wrote; restore it from a backup" });
};

const readOrMakeJwk = async (files: KeptFiles): Promise<JWK> => {
	const text = await files.read(KEY_FILE);
	if (text !== undefined) return parse(KEY_FILE, text) as JWK;
	const jwk = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" }) as JWK;
	await files.write(KEY_FILE, `${JSON.stringify(jwk)}\n`, "secret");
	return jwk;
};

export const openCoreKey = async (files: KeptFiles): Promise<CoreKey> => {
	const jwk = await readOrMakeJwk(files);
	const { x } = jwk;
	if (jwk.kty !== "OKP" || jwk.crv !== "Ed25519" || x === undefined || jwk.d === undefined) {
		throw new OrionError("CONFIG_INVALID", { file: KEY_FILE, line: 1, column: 1, detail: "is no Ed25519 private key; restore it from a backup" });
	}
	const key = await importJWK(jwk, "EdDSA");
	const keyId = keyIdOf(x);
	const encoder = new TextEncoder();
	return {
		keyId,
		publicKey: x,
		sign: (kind, payload) => new CompactSign(encoder.encode(JSON.stringify(payload))).setProtectedHeader({ alg: "EdDSA", kid: keyId, typ: kind }).sign(key),
	};
};

/** The next term, durable before it is used: an old core that comes back has a lower one and is refused. */
export const raiseTerm = async (files: KeptFiles, keyId: string): Promise<CoreTerm> => {
	const text = await files.read(TERM_FILE);
	const before = text === undefined ? 0 : parse(TERM_FILE, text)["counter"];
	if (typeof before !== "number" || !Number.isSafeInteger(before) || before < 0) {
		throw new OrionError("CONFIG_INVALID", { file: TERM_FILE, line: 1, column: 1, detail: "has no counter; restore it from a backup" });
	}
	const term: CoreTerm = { counter: before + 1, keyId };
	await files.write(TERM_FILE, `${JSON.stringify(term)}\n`, "plain");
	return term;
};
