// Connects a broker's spool to its disk after core has what it held: kept for a day, less of it where it is much, and the oldest goes first.
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

const DAY_MS = 24 * 3_600_000;
const KEPT_BYTES_MAX = 1_073_741_824;

/** Removes files of `folder` that were last written more than `keptMs` before `wallMs`, and what is above `bytesMax` in all. */
export const forgetOldDays = async (folder: string, wallMs: number, keptMs = DAY_MS, bytesMax = KEPT_BYTES_MAX): Promise<void> => {
	const files = await Promise.all(
		(await readdir(folder)).map(async (name) => {
			const { mtimeMs, size } = await stat(join(folder, name));
			return { name, mtimeMs, size };
		}),
	);
	let kept = 0;
	for (const { name, mtimeMs, size } of files.sort((left, right) => right.mtimeMs - left.mtimeMs)) {
		kept += size;
		if (wallMs - mtimeMs > keptMs || kept > bytesMax) await rm(join(folder, name), { force: true });
	}
};
