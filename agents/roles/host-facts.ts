// Connects whoever examines a host to what it says of itself: versions, rights, room on the disk, free ports, its clock, who owns a folder.
import { readFile, stat, statfs } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import type { ClockQuality } from "../../contracts/time.ts";
import { nodeFiles } from "../../log/node-files.ts";
import { hostClock } from "./host-clock.ts";

export interface FileFacts {
	readonly uid: number;
	/** The last nine bits: who may do what. */
	readonly mode: number;
}

export interface HostFacts {
	readonly nodeVersion: string;
	readonly uid: number;
	/** undefined: there is nothing. */
	file(path: string): Promise<FileFacts | undefined>;
	/** undefined: the system does not say. */
	disk(path: string): Promise<{ readonly usedRatio: number; readonly freeBytes: number } | undefined>;
	isPortFree(port: number): Promise<boolean>;
	clockQuality(): ClockQuality;
	/** Who holds the log's folder; undefined: nobody. */
	owner(data: string): Promise<{ readonly pid: number; readonly isAlive: boolean } | undefined>;
}

const LOOPBACK = "127.0.0.1";

const isPortFree = (port: number): Promise<boolean> =>
	new Promise((resolve) => {
		const server = createServer();
		server.once("error", () => resolve(false));
		server.listen({ host: LOOPBACK, port }, () => server.close(() => resolve(true)));
	});

const fileFacts = async (path: string): Promise<FileFacts | undefined> => {
	try {
		const { uid, mode } = await stat(path);
		return { uid, mode: mode & 0o777 };
	} catch {
		return undefined;
	}
};

const owner = async (data: string): ReturnType<HostFacts["owner"]> => {
	try {
		const { pid, startTicks, bootId } = JSON.parse(await readFile(join(data, "log/lock"), "utf8")) as { pid: number; startTicks: string; bootId: string };
		return { pid, isAlive: await nodeFiles().isAlive({ pid, startTicks, bootId }) };
	} catch {
		// No lock, or one that nobody can be read from: the next start takes it over.
		return undefined;
	}
};

export const hostFacts = (): HostFacts => ({
	nodeVersion: process.versions.node,
	uid: process.getuid?.() ?? 0,
	file: fileFacts,
	disk: async (path) => {
		try {
			const { bavail, bsize, blocks, bfree } = await statfs(path);
			const usable = blocks - bfree + bavail;
			return usable === 0 ? undefined : { usedRatio: (blocks - bfree) / usable, freeBytes: bavail * bsize };
		} catch {
			return undefined;
		}
	},
	isPortFree,
	clockQuality: () => hostClock().quality(),
	owner,
});
