// Decides what the kernel's texts say about a host. Pure: what a text does not say stays absent.
import type { RecordTypes } from "../../contracts/envelope.ts";

type Metrics = RecordTypes["dev.orion.host.metrics.v1"];

export interface CpuTimes {
	/** Clock ticks since boot. */
	readonly busyTicks: number;
	readonly totalTicks: number;
	readonly cpuCount: number;
}

const numbers = (fields: readonly string[]): readonly number[] => fields.map(Number);

/** /proc/stat: idle and iowait are not work; guest time is contained in user time already. */
export const parseStat = (text: string): CpuTimes | undefined => {
	const lines = text.split("\n");
	const fields = lines
		.find((line) => line.startsWith("cpu "))
		?.trim()
		.split(/\s+/)
		.slice(1, 9);
	if (fields === undefined || fields.length < 4) return undefined;
	const ticks = numbers(fields);
	if (ticks.some((value) => !Number.isFinite(value))) return undefined;
	const totalTicks = ticks.reduce((sum, value) => sum + value, 0);
	const idleTicks = (ticks[3] ?? 0) + (ticks[4] ?? 0);
	return { busyTicks: totalTicks - idleTicks, totalTicks, cpuCount: lines.filter((line) => /^cpu\d+ /.test(line)).length };
};

/** Busy share between two readings; absent if no time passed or a counter went back. */
export const cpuRatio = (before: CpuTimes | undefined, now: CpuTimes | undefined): number | undefined => {
	if (before === undefined || now === undefined) return undefined;
	const total = now.totalTicks - before.totalTicks;
	const busy = now.busyTicks - before.busyTicks;
	// iowait may go back a little on some kernels.
	return total <= 0 ? undefined : Math.min(1, Math.max(0, busy / total));
};

/** /proc/meminfo, kibibytes -> bytes. MemAvailable is missing before Linux 3.14: then the used share is unknown. */
export const parseMeminfo = (text: string): Partial<Metrics> => {
	const bytes = (name: string): number | undefined => {
		const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text);
		return match?.[1] === undefined ? undefined : Number(match[1]) * 1_024;
	};
	const total = bytes("MemTotal");
	const available = bytes("MemAvailable");
	const swapTotal = bytes("SwapTotal");
	const swapFree = bytes("SwapFree");
	return {
		...(total === undefined ? {} : { memoryTotalBytes: total }),
		...(available === undefined ? {} : { memoryAvailableBytes: available }),
		...(total === undefined || available === undefined || total <= 0 ? {} : { memoryUsedRatio: Math.min(1, Math.max(0, 1 - available / total)) }),
		...(swapTotal === undefined ? {} : { swapTotalBytes: swapTotal }),
		...(swapTotal === undefined || swapFree === undefined ? {} : { swapUsedBytes: Math.max(0, swapTotal - swapFree) }),
	};
};

export interface Mount {
	readonly device: string;
	readonly mount: string;
	readonly type: string;
}

/** File systems that hold data of their own. `/` counts whatever it is: in a container it is an overlay. */
const REAL_TYPES: readonly string[] = [
	"ext2",
	"ext3",
	"ext4",
	"xfs",
	"btrfs",
	"f2fs",
	"vfat",
	"exfat",
	"ntfs",
	"ntfs3",
	"zfs",
	"bcachefs",
	"jfs",
	"reiserfs",
	"nilfs2",
	"fuseblk",
	"hfsplus",
	"ubifs",
];
const MOUNTS_MAX = 64;

/** The kernel writes space, tab, newline and backslash in octal. */
const unescaped = (text: string): string => text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

/** /proc/mounts -> real file systems, each device once (bind mounts show the same one), the shortest mount point first found. */
export const parseMounts = (text: string): readonly Mount[] => {
	const byDevice = new Map<string, Mount>();
	for (const line of text.split("\n")) {
		const [device, mount, type] = line.split(" ").map(unescaped);
		if (device === undefined || mount === undefined || type === undefined) continue;
		if (!REAL_TYPES.includes(type) && mount !== "/") continue;
		const known = byDevice.get(device);
		if (known === undefined || mount.length < known.mount.length || mount === known.mount) byDevice.set(device, { device, mount, type });
	}
	return [...byDevice.values()].slice(0, MOUNTS_MAX);
};

export interface FileSystemSize {
	readonly blockBytes: number;
	readonly blocks: number;
	/** Blocks that ordinary users can have. */
	readonly blocksAvailable: number;
	readonly blocksFree: number;
}

/** As `df` counts: what only root may use is neither free nor used. */
export const diskOf = (
	{ device, mount }: Mount,
	{ blockBytes, blocks, blocksAvailable, blocksFree }: FileSystemSize,
): NonNullable<Metrics["disks"]>[number] | undefined => {
	const used = blocks - blocksFree;
	const usable = used + blocksAvailable;
	if (blocks <= 0 || usable <= 0 || used < 0) return undefined;
	return { mount, device, totalBytes: blocks * blockBytes, freeBytes: blocksAvailable * blockBytes, usedRatio: Math.min(1, Math.max(0, used / usable)) };
};

/** /proc/loadavg */
export const parseLoad = (text: string): Partial<Metrics> => {
	const [load1, load5, load15] = numbers(text.trim().split(/\s+/).slice(0, 3));
	if (load1 === undefined || load5 === undefined || load15 === undefined) return {};
	return [load1, load5, load15].every((load) => Number.isFinite(load) && load >= 0) ? { load1, load5, load15 } : {};
};

/** /proc/uptime -> seconds since boot. */
export const parseUptime = (text: string): number | undefined => {
	const seconds = Number(text.trim().split(/\s+/)[0]);
	return Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
};

/** Millidegrees as the kernel writes them; sensors that are not connected show absurd values and are left out. */
export const parseMillidegrees = (text: string): number | undefined => {
	if (!/^-?\d{1,7}\s*$/.test(text)) return undefined;
	const celsius = Number(text) / 1_000;
	return celsius > -60 && celsius < 200 && celsius !== 0 ? celsius : undefined;
};

export type Temperature = NonNullable<Metrics["temperatures"]>[number];

export interface Readings {
	readonly cpuBefore?: CpuTimes | undefined;
	readonly cpuNow?: CpuTimes | undefined;
	readonly windowMs?: number | undefined;
	readonly meminfo?: string | undefined;
	readonly loadavg?: string | undefined;
	readonly uptimeSeconds: number;
	readonly bootId?: string | undefined;
	readonly disks: readonly NonNullable<Metrics["disks"]>[number][];
	readonly temperatures: readonly Temperature[];
	readonly clockSynced?: boolean | undefined;
}

const TEMPERATURES_MAX = 64;

export const metricsOf = (readings: Readings): Metrics => {
	const { cpuNow, windowMs, disks, bootId, clockSynced } = readings;
	const ratio = cpuRatio(readings.cpuBefore, cpuNow);
	const temperatures = readings.temperatures.slice(0, TEMPERATURES_MAX);
	return {
		...(ratio === undefined ? {} : { cpuRatio: ratio, ...(windowMs === undefined ? {} : { windowMs: Math.round(windowMs) }) }),
		...(readings.loadavg === undefined ? {} : parseLoad(readings.loadavg)),
		...(cpuNow === undefined || cpuNow.cpuCount < 1 ? {} : { cpuCount: cpuNow.cpuCount }),
		...(readings.meminfo === undefined ? {} : parseMeminfo(readings.meminfo)),
		...(disks.length === 0 ? {} : { disks: [...disks], diskUsedRatioMax: Math.max(...disks.map(({ usedRatio }) => usedRatio)) }),
		...(temperatures.length === 0 ? {} : { temperatures, temperatureMaxCelsius: Math.max(...temperatures.map(({ celsius }) => celsius)) }),
		uptimeSeconds: readings.uptimeSeconds,
		...(bootId === undefined ? {} : { bootId }),
		...(clockSynced === undefined ? {} : { clockSynced }),
	};
};
