// Connects the folder to the small facts in it: whose it is, which losses were accepted, how far each reader is. Each can be told from a damaged one.
import { OrionError } from "../contracts/errors.ts";
import type { FilePort } from "./file-port.ts";
import { FORMAT } from "./segment-format.ts";
import type { Damage } from "./segment-scan.ts";
import { checkedText, parseChecked, readWhole, replaceWhole } from "./whole-file.ts";

const VERSION = "VERSION";
const LOSSES = "losses";
const CURSORS = "cursors";

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);
const isCount = (value: unknown): value is number => typeof value === "number" && Number.isSafeInteger(value) && value >= 0;

/** What a newer version may have written in a way of its own: only its format is looked for. */
const formatOf = (bytes: Uint8Array): number | undefined => {
	try {
		const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
		return isFields(value) && isCount(value["format"]) && value["crc"] === undefined ? value["format"] : undefined;
	} catch {
		return undefined;
	}
};

/** Rejects with OrionError FOLDER_NEWER or FOLDER_FOREIGN; resolves with whether the file is there and whole. */
export const checkVersion = async (files: FilePort, folder: string, mesh: string): Promise<"whole" | "missing" | "damaged"> => {
	const bytes = await readWhole(files, `${folder}/${VERSION}`);
	if (bytes === undefined) return "missing";
	const checked = parseChecked(bytes);
	const format = checked === undefined ? formatOf(bytes) : checked["format"];
	if (isCount(format) && format > FORMAT) throw new OrionError("FOLDER_NEWER", { folder, found: format, known: FORMAT });
	if (checked === undefined || format !== FORMAT || typeof checked["mesh"] !== "string") return "damaged";
	if (checked["mesh"] !== mesh) throw new OrionError("FOLDER_FOREIGN", { folder, found: checked["mesh"], expected: mesh });
	return "whole";
};

export const writeVersion = (files: FilePort, folder: string, mesh: string): Promise<void> =>
	replaceWhole(files, folder, VERSION, checkedText({ format: FORMAT, mesh }));

const isDamage = (value: unknown): value is Damage =>
	isFields(value) && typeof value["file"] === "string" && ["fromOffset", "toOffset", "fromPosition", "toPosition"].every((name) => isCount(value[name]));

/** Losses that were accepted and told. A list that cannot be read accepts nothing: what is damaged is then refused again. */
export const readLosses = async (files: FilePort, folder: string): Promise<readonly Damage[]> => {
	const bytes = await readWhole(files, `${folder}/${LOSSES}`);
	const losses = bytes === undefined ? undefined : parseChecked(bytes)?.["losses"];
	return Array.isArray(losses) ? losses.filter(isDamage) : [];
};

export const writeLosses = (files: FilePort, folder: string, losses: readonly Damage[]): Promise<void> =>
	replaceWhole(files, folder, LOSSES, checkedText({ losses }));

/** undefined: damaged. Readers that never moved are not in it. */
export const readCursors = async (files: FilePort, folder: string): Promise<ReadonlyMap<string, number> | undefined> => {
	const bytes = await readWhole(files, `${folder}/${CURSORS}`);
	if (bytes === undefined) return new Map();
	const cursors = parseChecked(bytes)?.["cursors"];
	if (!Array.isArray(cursors)) return undefined;
	return new Map(cursors.filter((row): row is [string, number] => Array.isArray(row) && typeof row[0] === "string" && isCount(row[1])));
};

export const writeCursors = (files: FilePort, folder: string, cursors: ReadonlyMap<string, number>): Promise<void> =>
	replaceWhole(files, folder, CURSORS, checkedText({ cursors: [...cursors] }));
