// Connects tests of the command line to a data folder on this disk, as a mesh leaves it: its log, its audit and its key.
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openAudit } from "../../agents/roles/audit.ts";
import { openCoreLog } from "../../agents/roles/core-log.ts";
import { hostTimers } from "../../agents/roles/host-clock.ts";
import { keptFiles } from "../../agents/roles/kept-files.ts";
import type { Envelope } from "../../contracts/envelope.ts";
import { encodeEnvelope } from "../../contracts/envelope.ts";
import { Audit } from "../../core/service/audit.ts";
import { removeFolder } from "../support/remove-folder.ts";
import { VirtualHost } from "../support/world.ts";

export const MESH = "mesh-000000000001";

export interface LeftFolder {
	readonly data: string;
	remove(): void;
}

const onFatal = (error: unknown): never => {
	throw error;
};

/** What a mesh wrote that had these records and was stopped in order. */
export const leftFolder = async (envelopes: readonly Envelope[]): Promise<LeftFolder> => {
	const data = mkdtempSync(join(tmpdir(), "orion-left-"));
	mkdirSync(join(data, "core"));
	writeFileSync(join(data, "mesh.json"), JSON.stringify({ schema: "orion.mesh/1", format: 1, mesh: MESH }));
	const log = await openCoreLog({ data, mesh: MESH, acceptLoss: false, onFatal });
	await log.append(envelopes.map((envelope) => ({ bytes: encodeEnvelope(envelope) })));
	const store = await openAudit({ data, mesh: MESH, log, kept: await keptFiles(join(data, "core")) });
	const world = Object.assign(new VirtualHost().process(), { timers: hostTimers() });
	const audit = new Audit({ log, world, store, notice: () => undefined });
	audit.start();
	await audit.stop();
	await log.close();
	return { data, remove: () => removeFolder(data) };
};
