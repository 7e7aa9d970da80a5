// Connects whoever looks at an audit to its files: the whole of it verified, one entry shown, the newest checkpoint read. Writes nothing.
import { join } from "node:path";
import { OrionError } from "../../contracts/errors.ts";
import { checkEd25519, readAuditKey } from "../../core/service/audit-key.ts";
import { entryOf, newestNote, proofOf } from "../../log/audit/look.ts";
import { parseVerifierKey } from "../../log/audit/note.ts";
import { type Finding, type Verified, type VerifyOptions, verifyAudit } from "../../log/audit/verify.ts";
import { nodeFiles } from "../../log/node-files.ts";
import { readText } from "./kept-files.ts";

export type AuditFinding = Finding;
export type AuditVerified = Verified;
export type AuditQuestion = Pick<VerifyOptions, "compare" | "record" | "enteredUpTo" | "isRunning" | "kept" | "onProgress">;

const placeOf = (data: string) => ({ files: nodeFiles(), folder: join(data, "audit") });

const readOnly = (folder: string) => ({
	read: (name: string) => readText(join(folder, name)),
	write: () => Promise.reject(new Error("BUG: whoever looks at an audit writes nothing")),
});

/** What is written in the folder of the audit for others. */
const toldKey = async (data: string): Promise<Uint8Array | undefined> => {
	const text = await readText(join(data, "audit/verifier"));
	return text === undefined ? undefined : parseVerifierKey(text.trim())?.publicKey;
};

/** The key that was named, else the one that this mesh signs with, else the one that lies beside the entries. */
const trustedKey = async (data: string, named: string | undefined): Promise<Uint8Array> => {
	if (named !== undefined) {
		const key = parseVerifierKey(named);
		if (key === undefined)
			throw new OrionError("USAGE", { detail: "--key is not a verifier key; it looks like name+1a2b3c4d+AbCd..., as `orion audit checkpoint` says it" });
		return key.publicKey;
	}
	const key = (await readAuditKey(readOnly(join(data, "core"))))?.publicKey ?? (await toldKey(data));
	if (key === undefined)
		throw new OrionError("NOT_FOUND", { what: "audit in", id: data, detail: "It is begun at the first `orion up`; name another folder with --data." });
	return key;
};

/** Faults: NOT_FOUND, USAGE, CONFIG_INVALID. */
export const checkAudit = async (data: string, key: string | undefined, question: AuditQuestion): Promise<AuditVerified> => {
	const publicKey = await trustedKey(data, key);
	return verifyAudit({ ...placeOf(data), publicKey, check: checkEd25519, ...question });
};

/** One entry, and with `proof` how it leads to the newest checkpoint. Fault: NOT_FOUND. */
export const auditEntry = async (data: string, position: number, proof: boolean) => {
	const entry = await entryOf(placeOf(data), position);
	return { entry, proof: proof ? await proofOf(placeOf(data), entry) : undefined };
};

/** Fault: NOT_FOUND. */
export const auditCheckpoint = async (data: string): Promise<{ readonly note: string; readonly verifier: string }> => ({
	note: await newestNote(placeOf(data)),
	verifier: (await readText(join(data, "audit/verifier")))?.trim() ?? "",
});
