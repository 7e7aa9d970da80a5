// Connects the audit to its folder and its key, for the mesh that runs and for whoever verifies it.
import { join } from "node:path";
import { OrionError } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";
import { type AuditStore, enteredUpTo } from "../../core/service/audit.ts";
import { checkEd25519, openAuditKey } from "../../core/service/audit-key.ts";
import type { KeptFiles } from "../../core/service/world.ts";
import { AuditFile } from "../../log/audit/store.ts";
import { nodeFiles } from "../../log/node-files.ts";
import type { Log } from "../../log/port.ts";

export interface AuditPlace {
	readonly data: string;
	readonly mesh: string;
	readonly log: Log;
	/** Core's folder: the key lies there. */
	readonly kept: KeptFiles;
}

/** A damaged audit does not keep the mesh from seeing and telling; it keeps it from acting. Faults: AUDIT_DAMAGED, CONFIG_INVALID. */
export const openAudit = async ({ data, mesh, log, kept }: AuditPlace): Promise<Result<AuditStore>> => {
	try {
		const key = await openAuditKey(kept);
		const folder = join(data, "audit");
		const signer = (name: string) => ({ name, ...key });
		return ok(await AuditFile.open({ files: nodeFiles(), folder, mesh, log, enteredUpTo: enteredUpTo(log), signer, check: checkEd25519 }));
	} catch (error) {
		const blocked = error instanceof OrionError && ["AUDIT_DAMAGED", "CONFIG_INVALID", "DISK_FULL"].includes(error.fault.code);
		if (blocked) return { ok: false, fault: error.fault };
		throw error;
	}
};
