// Decides who owns a folder: one living process, named in its lock file. What a dead one left is taken over.
import { OrionError } from "../contracts/errors.ts";
import { codeOf, type FilePort, type ProcessMark } from "./file-port.ts";
import { readWhole, removeIfThere } from "./whole-file.ts";

const LOCK = "lock";
/** Others may take over the same stale lock at the same moment; each round somebody wins. */
const ROUNDS_MAX = 8;

const encode = (mark: ProcessMark): Uint8Array => new TextEncoder().encode(`${JSON.stringify(mark)}\n`);

/** undefined: nobody can be read from it. A power cut leaves such a file, and it must not keep a mesh from starting. */
const parseMark = (bytes: Uint8Array): ProcessMark | undefined => {
	try {
		const value = JSON.parse(new TextDecoder().decode(bytes)) as Partial<Record<keyof ProcessMark, unknown>> | null;
		if (typeof value !== "object" || value === null || typeof value.pid !== "number") return undefined;
		const text = (field: unknown): string => (typeof field === "string" ? field : "");
		return { pid: value.pid, startTicks: text(value.startTicks), bootId: text(value.bootId) };
	} catch {
		return undefined;
	}
};

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/**
 * Moves a stale lock out of the way. It may have been replaced since it was read: then it is somebody's, and goes back, and the next
 * round finds its owner alive. Only a third process that claims between those two steps could own the folder as well.
 */
const clearStale = async (files: FilePort, path: string, aside: string, stale: Uint8Array): Promise<void> => {
	try {
		await files.rename(path, aside);
	} catch (error) {
		if (codeOf(error) === "ENOENT") return;
		throw error;
	}
	const moved = await readWhole(files, aside);
	if (moved !== undefined && !isSame(moved, stale)) {
		await files.link(aside, path).catch((error: unknown) => {
			if (codeOf(error) !== "EEXIST") throw error;
		});
	}
	await removeIfThere(files, aside);
};

/** The lock has its content from its first moment on, because it is written under another name and then linked. */
const claim = async (files: FilePort, path: string, beside: string, mine: Uint8Array): Promise<boolean> => {
	try {
		await removeIfThere(files, beside);
		const file = await files.open(beside, "create");
		try {
			await file.write(0, mine);
		} finally {
			await file.close();
		}
		await files.link(beside, path);
		await removeIfThere(files, beside);
		return true;
	} catch (error) {
		// Taken; or another open in this process used the name beside at the same moment.
		if (!["EEXIST", "ENOENT"].includes(codeOf(error))) throw error;
		await removeIfThere(files, beside);
		return false;
	}
};

/** Takes the folder; resolves with how to give it back. Rejects with OrionError FOLDER_OWNED. */
export const lockFolder = async (files: FilePort, folder: string): Promise<() => Promise<void>> => {
	const path = `${folder}/${LOCK}`;
	const self = await files.self();
	const mine = encode(self);
	let pid = "unknown";
	for (let round = 0; round < ROUNDS_MAX; round += 1) {
		if (await claim(files, path, `${path}.${self.pid}`, mine)) {
			return async () => {
				const found = await readWhole(files, path);
				if (found !== undefined && isSame(found, mine)) await removeIfThere(files, path);
			};
		}
		const found = await readWhole(files, path);
		if (found === undefined) continue;
		const owner = parseMark(found);
		if (owner !== undefined && (await files.isAlive(owner))) throw new OrionError("FOLDER_OWNED", { folder, pid: owner.pid });
		pid = owner === undefined ? "unknown" : String(owner.pid);
		await clearStale(files, path, `${path}.stale.${self.pid}`, found);
	}
	throw new OrionError("FOLDER_OWNED", { folder, pid });
};
