// Connects small files that must survive a power cut to a folder: written beside, synced, renamed, and the folder synced too.
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import type { KeptFiles } from "../../core/service/world.ts";

const isMissing = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOENT";

/** undefined if there is no such file. */
export const readText = async (path: string): Promise<string | undefined> => {
	try {
		return await readFile(path, "utf8");
	} catch (error) {
		if (isMissing(error)) return undefined;
		throw error;
	}
};

export const writeKept = async (folder: string, name: string, text: string, mode: number): Promise<void> => {
	const beside = join(folder, `.${name}.${process.pid}.new`);
	const file = await open(beside, "w", mode);
	try {
		await file.writeFile(text);
		await file.chmod(mode);
		await file.sync();
	} finally {
		await file.close();
	}
	await rename(beside, join(folder, name));
	const parent = await open(folder, "r");
	try {
		await parent.sync();
	} finally {
		await parent.close();
	}
};

export const keptFiles = async (folder: string): Promise<KeptFiles> => {
	await mkdir(folder, { recursive: true, mode: 0o700 });
	return {
		read: (name) => readText(join(folder, name)),
		write: (name, text, secret) => writeKept(folder, name, text, secret === "secret" ? 0o600 : 0o644),
	};
};

/** The same files, written one after the other: of two writes that were asked for, the later one stands. `settled` resolves when none is under way. */
export const inTurn = (files: KeptFiles): KeptFiles & { readonly settled: () => Promise<void> } => {
	let writing: Promise<void> = Promise.resolve();
	return {
		read: files.read,
		write: (...given) => {
			const next = writing.then(() => files.write(...given));
			writing = next.catch(() => undefined);
			return next;
		},
		settled: () => writing,
	};
};
