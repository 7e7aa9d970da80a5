// Connects core's folder to its log: the same keys, identities and gaps for the mesh that runs and for whoever reads it afterwards.
import { join } from "node:path";
import { gapOfRecord, identityOf, keyOfRecord } from "../../core/service/journal.ts";
import { nodeFiles } from "../../log/node-files.ts";
import type { SegmentsLog } from "../../log/segment-options.ts";
import { openSegments } from "../../log/segments.ts";

export interface CoreLogOptions {
	readonly data: string;
	readonly mesh: string;
	readonly acceptLoss: boolean;
	readonly onFatal: (error: unknown) => void;
}

/** Owns the folder until it is closed. Faults: those of the log. */
export const openCoreLog = ({ data, mesh, acceptLoss, onFatal }: CoreLogOptions): Promise<SegmentsLog> =>
	openSegments({ files: nodeFiles(), folder: join(data, "log"), mesh, keyOf: keyOfRecord, identityOf, gapOf: gapOfRecord, acceptLoss, onFatal });
