// Connects this node to its own key: made at the first start, readable by its owner only, never sent.
import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { OrionError } from "../contracts/errors.ts";
import type { KeptFiles } from "./ports.ts";
import { keyIdOf } from "./signed.ts";

export interface NodeIdentity {
	readonly keyId: string;
	/** Raw Ed25519 public key, base64url. */
	readonly publicKey: string;
	readonly key: KeyObject;
}

const FILE = "node-key.json";

const broken = (cause?: unknown): OrionError =>
	new OrionError(
		"CONFIG_INVALID",
		{ file: FILE, line: 1, column: 1, detail: "is no Ed25519 private key; restore it from a backup, or remove it to get a new identity" },
		{ cause },
	);

const parse = (text: string): NodeIdentity => {
	try {
		const jwk: unknown = JSON.parse(text);
		const key = createPrivateKey({ key: jwk as Record<string, string>, format: "jwk" });
		const { x, crv } = key.export({ format: "jwk" });
		if (x === undefined || crv !== "Ed25519") throw broken();
		return { keyId: keyIdOf(x), publicKey: x, key };
	} catch (cause) {
		throw broken(cause);
	}
};

export const openIdentity = async (files: KeptFiles): Promise<NodeIdentity> => {
	const text = await files.read(FILE);
	if (text !== undefined) return parse(text);
	const made = JSON.stringify(generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" }));
	await files.write(FILE, `${made}\n`, "secret");
	return parse(made);
};
