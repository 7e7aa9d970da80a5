// Connects whoever examines a host to what it says of itself: versions, rights, room on the disk, free ports, its clock, who owns a folder.
import { existsSync } from "node:fs";
import { readdir, readFile, readlink, stat, statfs } from "node:fs/promises";
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
	/** Whether anybody listens there, at whatever address. */
	listens(port: number): Promise<boolean>;
	/** Who has a device open, as far as this user may see. */
	holders(device: string): Promise<readonly { readonly pid: number; readonly name: string }[]>;
	exists(path: string): boolean;
	/** The program in the places where the system has its own; undefined: it is not installed. */
	program(name: string): string | undefined;
	/** What the folder, or the nearest above it that is there, lies on; undefined: the system does not say. */
	device(path: string): Promise<string | undefined>;
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

const LISTENING = "0A";

const listens = async (port: number): Promise<boolean> => {
	const hex = port.toString(16).toUpperCase().padStart(4, "0");
	for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
		const text = await readFile(table, "utf8").catch(() => "");
		for (const line of text.split("\n")) {
			const [, local = "", , state] = line.trim().split(/\s+/);
			if (state === LISTENING && local.endsWith(`:${hex}`)) return true;
		}
	}
	return false;
};

const holders = async (device: string): ReturnType<HostFacts["holders"]> => {
	const found: { pid: number; name: string }[] = [];
	for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
		const open = await readdir(`/proc/${pid}/fd`).catch(() => []);
		for (const number of open) {
			if ((await readlink(`/proc/${pid}/fd/${number}`).catch(() => "")) !== device) continue;
			found.push({ pid: Number(pid), name: (await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "")).trim() });
			break;
		}
	}
	return found;
};

const PLACES = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
const program = (name: string): string | undefined => PLACES.map((place) => join(place, name)).find((path) => existsSync(path));

/** Of the mounts that hold it the innermost. */
const device = async (path: string): Promise<string | undefined> => {
	const text = await readFile("/proc/self/mountinfo", "utf8").catch(() => "");
	let best: { mount: string; source: string } | undefined;
	for (const line of text.split("\n")) {
		const mount = line.split(" ")[4];
		const source = line.split(" - ")[1]?.split(" ")[1];
		if (mount === undefined || source === undefined) continue;
		const isAbove = mount === "/" || path === mount || path.startsWith(`${mount}/`);
		if (isAbove && mount.length >= (best?.mount.length ?? 0)) best = { mount, source };
	}
	return best?.source;
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
	listens,
	holders,
	exists: existsSync,
	program,
	device,
	owner,
});
