// Connects the log's file port to the file system of this host, and its processes to /proc.
import { constants } from "node:fs";
import { type FileHandle, link, mkdir, open, readdir, readFile, rename, unlink } from "node:fs/promises";
import { codeOf, type FilePort, type OpenFile, type ProcessMark } from "./file-port.ts";

const FLAGS = {
	read: constants.O_RDONLY,
	write: constants.O_RDWR,
	create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
} as const;

/** Only the owner: records may hold what is nobody else's business. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

class NodeFile implements OpenFile {
	readonly #handle: FileHandle;

	constructor(handle: FileHandle) {
		this.#handle = handle;
	}

	async read(offset: number, lengthBytes: number): Promise<Uint8Array> {
		const bytes = Buffer.allocUnsafeSlow(lengthBytes);
		let read = 0;
		while (read < lengthBytes) {
			const { bytesRead } = await this.#handle.read(bytes, read, lengthBytes - read, offset + read);
			if (bytesRead === 0) break;
			read += bytesRead;
		}
		return bytes.subarray(0, read);
	}

	/** The system may take a part only, and say why not the rest when it is asked again. */
	async write(offset: number, bytes: Uint8Array): Promise<void> {
		let written = 0;
		while (written < bytes.length) {
			const { bytesWritten } = await this.#handle.write(bytes, written, bytes.length - written, offset + written);
			written += bytesWritten;
		}
	}

	truncate(lengthBytes: number): Promise<void> {
		return this.#handle.truncate(lengthBytes);
	}
	async sizeBytes(): Promise<number> {
		return (await this.#handle.stat()).size;
	}
	fdatasync(): Promise<void> {
		return this.#handle.datasync();
	}
	fsync(): Promise<void> {
		return this.#handle.sync();
	}
	close(): Promise<void> {
		return this.#handle.close();
	}
}

const readIfThere = async (path: string): Promise<string> => {
	try {
		return await readFile(path, "utf8");
	} catch {
		return "";
	}
};

/** Fields of /proc/<pid>/stat after the name, which is in brackets and may hold anything. */
const statOf = async (pid: number): Promise<readonly string[]> => {
	const text = await readIfThere(`/proc/${pid}/stat`);
	return text === "" ? [] : text.slice(text.lastIndexOf(")") + 2).split(" ");
};
const STATE = 0;
const START_TICKS = 19;

const bootId = async (): Promise<string> => (await readIfThere("/proc/sys/kernel/random/boot_id")).trim();

/** Whether the system knows the pid at all; a process of somebody else's counts. */
const isKnown = (pid: number): boolean => {
	try {
		return process.kill(pid, 0);
	} catch (error) {
		return codeOf(error) === "EPERM";
	}
};

const isAlive = async (mark: ProcessMark): Promise<boolean> => {
	if (!Number.isSafeInteger(mark.pid) || mark.pid <= 0 || !isKnown(mark.pid)) return false;
	if (mark.bootId !== "" && mark.bootId !== (await bootId())) return false;
	const stat = await statOf(mark.pid);
	// Without /proc the pid is all there is to go by.
	if (stat.length === 0) return isKnown(mark.pid);
	// A zombie has given back its files; only its parent has not looked yet.
	if (stat[STATE] === "Z" || stat[STATE] === "X") return false;
	return mark.startTicks === "" || stat[START_TICKS] === mark.startTicks;
};

const syncFolder = async (folder: string): Promise<void> => {
	const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
	try {
		await handle.sync();
	} finally {
		await handle.close();
	}
};

export const nodeFiles = (): FilePort => ({
	open: async (path, how) => new NodeFile(await open(path, FLAGS[how], FILE_MODE)),
	rename,
	link,
	unlink,
	list: async (folder) => (await readdir(folder)).sort(),
	mkdir: async (folder) => {
		await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
	},
	syncFolder,
	self: async () => ({ pid: process.pid, startTicks: (await statOf(process.pid))[START_TICKS] ?? "", bootId: await bootId() }),
	isAlive,
});
