// Connects the folder of a mesh that does not run to its log, for whoever reads it afterwards.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { OrionError } from "../../contracts/errors.ts";
import type { Log } from "../../log/port.ts";
import { openCoreLog } from "./core-log.ts";

/** Owns the folder until the log is closed. Faults: NOT_FOUND, CONFIG_INVALID, and those of the log. */
export const openStoppedLog = async (data: string): Promise<{ readonly mesh: string; readonly log: Log }> => {
	const file = join(data, "mesh.json");
	const text = await readFile(file, "utf8").catch(() => undefined);
	if (text === undefined)
		throw new OrionError("NOT_FOUND", { what: "mesh in", id: data, detail: "Start one with `orion up`, or name another folder with --data." });
	const mesh = meshOf(file, text);
	const onFatal = (error: unknown): never => {
		throw error;
	};
	return { mesh, log: await openCoreLog({ data, mesh, acceptLoss: false, onFatal }) };
};

const meshOf = (file: string, text: string): string => {
	try {
		const value = JSON.parse(text) as { readonly mesh?: unknown };
		if (typeof value.mesh === "string") return value.mesh;
	} catch {
		// Said below: a file that is no JSON is as wrong as one without a mesh.
	}
	throw new OrionError("CONFIG_INVALID", { file, line: 1, column: 1, detail: "names no mesh; restore it from a backup" });
};
