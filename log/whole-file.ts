// Connects small files that are read and replaced as a whole: after a crash there is the old one or the new one, never a part.
import { crc32c } from "./crc32c.ts";
import { codeOf, type FilePort } from "./file-port.ts";

/** undefined: there is none. */
export const readWhole = async (files: FilePort, path: string): Promise<Uint8Array | undefined> => {
	try {
		const file = await files.open(path, "read");
		try {
			return await file.read(0, await file.sizeBytes());
		} finally {
			await file.close();
		}
	} catch (error) {
		if (codeOf(error) === "ENOENT") return undefined;
		throw error;
	}
};

/** Makes a file that was not there; one that a crash left half-made is made again. */
const makeWhole = async (files: FilePort, path: string, bytes: Uint8Array): Promise<void> => {
	await removeIfThere(files, path);
	const file = await files.open(path, "create");
	try {
		await file.write(0, bytes);
		await file.fsync();
	} finally {
		await file.close();
	}
};

export const removeIfThere = async (files: FilePort, path: string): Promise<void> => {
	try {
		await files.unlink(path);
	} catch (error) {
		if (codeOf(error) !== "ENOENT") throw error;
	}
};

/** Written beside, synced, renamed over the old one, and the folder synced. Not for two callers of one name at a time. */
export const replaceWhole = async (files: FilePort, folder: string, name: string, bytes: Uint8Array): Promise<void> => {
	const beside = `${folder}/${name}.new`;
	await makeWhole(files, beside, bytes);
	await files.rename(beside, `${folder}/${name}`);
	await files.syncFolder(folder);
};

/** As replaceWhole; the one that was there goes on under another name, so that damage to one of the two is not the end of both. */
export const replaceKeeping = async (files: FilePort, folder: string, name: string, older: string, bytes: Uint8Array): Promise<void> => {
	const beside = `${folder}/${name}.new`;
	await makeWhole(files, beside, bytes);
	try {
		await files.rename(`${folder}/${name}`, `${folder}/${older}`);
	} catch (error) {
		if (codeOf(error) !== "ENOENT") throw error;
	}
	await files.rename(beside, `${folder}/${name}`);
	await files.syncFolder(folder);
};

/** A JSON object with a checksum as its last field: one flipped bit anywhere makes it unreadable, and a person can still read it. */
export const checkedText = (value: Readonly<Record<string, unknown>>): Uint8Array => {
	const text = JSON.stringify(value);
	return new TextEncoder().encode(`${text.slice(0, -1)},"crc":"${crcText(text)}"}\n`);
};

const crcText = (text: string): string => crc32c(new TextEncoder().encode(text)).toString(16).padStart(8, "0");

/** undefined: not a word of it can be relied on. */
export const parseChecked = (bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined => {
	const text = new TextDecoder().decode(bytes);
	const match = /^(\{[^\0]*),"crc":"([0-9a-f]{8})"\}\n$/.exec(text);
	if (match?.[1] === undefined || match[2] !== crcText(`${match[1]}}`)) return undefined;
	return JSON.parse(`${match[1]}}`) as Readonly<Record<string, unknown>>;
};
