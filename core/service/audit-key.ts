// Connects the audit to its own signing key: made at the first start, used for checkpoints and nothing else.
//
// It is not core's key: commands and checkpoints are never signed by the same one, so what signs the one cannot be made to sign the other,
// and core's key can be replaced without ending the audit.
import { createPrivateKey, createPublicKey, generateKeyPairSync, type JsonWebKey, sign, verify } from "node:crypto";
import { OrionError } from "../../contracts/errors.ts";
import type { KeptFiles } from "./world.ts";

const KEY_FILE = "audit-key.json";

export interface AuditKey {
	/** Raw Ed25519 public key. */
	readonly publicKey: Uint8Array;
	sign(text: Uint8Array): Uint8Array;
}

const wrong = (detail: string): OrionError => new OrionError("CONFIG_INVALID", { file: KEY_FILE, line: 1, column: 1, detail });

const keyOf = (text: string): AuditKey => {
	try {
		const key = createPrivateKey({ key: JSON.parse(text) as JsonWebKey, format: "jwk" });
		const { x } = createPublicKey(key).export({ format: "jwk" });
		if (key.asymmetricKeyType !== "ed25519" || x === undefined) throw wrong("is no Ed25519 private key; restore it from a backup");
		return { publicKey: Buffer.from(x, "base64url"), sign: (bytes) => sign(null, bytes, key) };
	} catch (error) {
		throw error instanceof OrionError ? error : wrong("is no Ed25519 private key; restore it from a backup");
	}
};

/** undefined: no audit was ever signed here. Fault: CONFIG_INVALID. */
export const readAuditKey = async (files: KeptFiles): Promise<AuditKey | undefined> => {
	const text = await files.read(KEY_FILE);
	return text === undefined ? undefined : keyOf(text);
};

/** Fault: CONFIG_INVALID. */
export const openAuditKey = async (files: KeptFiles): Promise<AuditKey> => {
	const found = await readAuditKey(files);
	if (found !== undefined) return found;
	const text = JSON.stringify(generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" }));
	await files.write(KEY_FILE, `${text}\n`, "secret");
	return keyOf(text);
};

/** Whether this raw Ed25519 public key made this signature; a key that is none made none. */
export const checkEd25519 = (publicKey: Uint8Array, text: Uint8Array, signature: Uint8Array): boolean => {
	try {
		const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: Buffer.from(publicKey).toString("base64url") }, format: "jwk" });
		return verify(null, text, key, signature);
	} catch {
		return false;
	}
};
