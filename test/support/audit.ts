// Connects tests to an audit on a fake disk: a key that is always the same, a log in memory, and everything that was ever signed.
import { createPrivateKey, createPublicKey, sign } from "node:crypto";
import { checkEd25519 } from "../../core/service/audit-key.ts";
import type { NoteSigner } from "../../log/audit/note.ts";
import { AuditFile, type AuditOptions } from "../../log/audit/store.ts";
import { type Verified, type VerifyOptions, verifyAudit } from "../../log/audit/verify.ts";
import { openMemory } from "../../log/memory.ts";
import type { Log } from "../../log/port.ts";
import type { FakeFiles } from "./files.ts";
import { plain } from "./log.ts";

export const AUDIT = "/audit";
export const MESH = "mesh-1";

// An Ed25519 private key in PKCS #8 is these bytes and a seed.
const seed = Buffer.alloc(32, 7);
const privateKey = createPrivateKey({ key: Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]), format: "der", type: "pkcs8" });
export const PUBLIC_KEY: Uint8Array = Buffer.from(createPublicKey(privateKey).export({ format: "jwk" }).x ?? "", "base64url");

/** Texts that this signer signed. */
export const signerInto =
	(signed: string[] = []): ((name: string) => NoteSigner) =>
	(name) => ({
		name,
		publicKey: PUBLIC_KEY,
		sign: (text) => {
			signed.push(Buffer.from(text).toString());
			return sign(null, text, privateKey);
		},
	});

/** A log in memory with so many records of different lengths. */
export const logOf = async (count: number, says = (index: number): string => `{"record":${index},"pad":"${"x".repeat(index % 13)}"}`): Promise<Log> => {
	const log = openMemory();
	for (let index = 1; index <= count; index += 1) await log.append([plain(says(index))]);
	return log;
};

export const openFakeAudit = (files: FakeFiles, log: Log, more: Partial<AuditOptions> = {}): Promise<AuditFile> =>
	AuditFile.open({ files, folder: AUDIT, mesh: MESH, log, enteredUpTo: 0, signer: signerInto(), check: checkEd25519, ...more });

/** Enters everything that the log has, with a checkpoint after every so many entries and at the end. */
export const enterAll = async (audit: AuditFile, log: Log, checkpointEvery = 4): Promise<void> => {
	while (audit.last < log.head()) {
		await audit.append(await log.read(audit.last + 1, checkpointEvery - (audit.last % checkpointEvery)));
		if (audit.last % checkpointEvery === 0) await audit.checkpoint();
	}
	if (audit.signedUpTo < audit.last) await audit.checkpoint();
};

export const verifyFake = (files: FakeFiles, more: Partial<VerifyOptions> = {}): Promise<Verified> =>
	verifyAudit({ files, folder: AUDIT, publicKey: PUBLIC_KEY, check: checkEd25519, enteredUpTo: 0, isRunning: false, ...more });

/** Held against the log, byte for byte. */
export const beside = (log: Log): Pick<VerifyOptions, "compare" | "record"> => {
	const record = async (position: number) => (await log.read(position, 1)).find((found) => found.position === position)?.bytes;
	return {
		record,
		compare: async (position, entry) => {
			const bytes = await record(position);
			return bytes === undefined ? "none" : Buffer.compare(bytes, entry) === 0 ? "same" : "other";
		},
	};
};
