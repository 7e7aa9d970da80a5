// Connects the data folder to what stands in it: who the mesh is, the token of the API, and where a running mesh can be found.
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { uuidv7 } from "uuidv7";
import { OrionError } from "../../contracts/errors.ts";
import { readText, writeKept } from "./kept-files.ts";

/** `--data`, else ORION_DATA, else the XDG data folder. */
export const dataFolder = (named: string | undefined): string => {
	if (named !== undefined) return resolve(named);
	const { ORION_DATA, XDG_DATA_HOME } = process.env;
	if (ORION_DATA !== undefined && ORION_DATA !== "") return resolve(ORION_DATA);
	return XDG_DATA_HOME !== undefined && XDG_DATA_HOME !== "" ? join(XDG_DATA_HOME, "orion") : join(homedir(), ".local/share/orion");
};

const FORMAT = 1;

export interface MeshIdentity {
	readonly mesh: string;
}

/** One level after the other: where a file system says "no such file" to every mkdir, a recursive one never ends. */
const makeLevels = async (folder: string): Promise<void> => {
	if (existsSync(folder)) return;
	await makeLevels(dirname(folder));
	await mkdir(folder, { mode: 0o700 });
};

const makeFolder = async (folder: string): Promise<void> => {
	try {
		await makeLevels(folder);
	} catch (error) {
		throw new OrionError("FOLDER_NOT_WRITABLE", { folder, detail: error instanceof Error ? error.message : "unknown" }, { cause: error });
	}
};

/** Reads who this mesh is, or makes it at the first start. Faults: FOLDER_NOT_WRITABLE, FOLDER_NEWER, CONFIG_INVALID. */
export const openDataFolder = async (folder: string): Promise<MeshIdentity> => {
	await makeFolder(folder);
	const file = join(folder, "mesh.json");
	const text = await readText(file);
	if (text === undefined) {
		const mesh = `mesh-${uuidv7().replaceAll("-", "").slice(-12)}`;
		try {
			await writeKept(folder, "mesh.json", `${JSON.stringify({ schema: "orion.mesh/1", format: FORMAT, mesh })}\n`, 0o600);
		} catch (error) {
			throw new OrionError("FOLDER_NOT_WRITABLE", { folder, detail: error instanceof Error ? error.message : "unknown" }, { cause: error });
		}
		return { mesh };
	}
	let value: { format?: unknown; mesh?: unknown };
	try {
		value = JSON.parse(text) as typeof value;
	} catch {
		throw new OrionError("CONFIG_INVALID", { file, line: 1, column: 1, detail: "is not JSON; restore it from a backup" });
	}
	if (typeof value.format !== "number" || typeof value.mesh !== "string")
		throw new OrionError("CONFIG_INVALID", { file, line: 1, column: 1, detail: "has no format or mesh; restore it from a backup" });
	if (value.format > FORMAT) throw new OrionError("FOLDER_NEWER", { folder, found: value.format, known: FORMAT });
	return { mesh: value.mesh };
};

/** The API token: 256 random bits in a file that only its owner reads. */
export const openToken = async (folder: string): Promise<{ readonly token: string; readonly file: string }> => {
	const file = join(folder, "token");
	const text = (await readText(file))?.trim();
	if (text !== undefined && text.length >= 32) return { token: text, file };
	const token = randomBytes(32).toString("base64url");
	await writeKept(folder, "token", `${token}\n`, 0o600);
	return { token, file };
};

export interface RunFile {
	readonly schema: "orion.run/1";
	readonly pid: number;
	readonly mqtt: string;
	readonly http: string;
	readonly tokenFile: string;
}

export const writeRunFile = (folder: string, run: Omit<RunFile, "schema">): Promise<void> =>
	writeKept(folder, "run.json", `${JSON.stringify({ schema: "orion.run/1", ...run })}\n`, 0o600);

export const removeRunFile = (folder: string): Promise<void> => rm(join(folder, "run.json"), { force: true });
