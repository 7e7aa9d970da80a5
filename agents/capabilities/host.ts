// Connects this host's own measurements to the mesh: reads /proc and /sys from time to time and sends what is there, nothing else.
import { readdir, readFile, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { RecordTypes } from "../../contracts/envelope.ts";
import type { Capability, CapabilityContext, Outcome } from "./capability.ts";
import { type CpuTimes, diskOf, type Mount, metricsOf, parseMillidegrees, parseMounts, parseStat, parseUptime, type Temperature } from "./host-readings.ts";

export interface HostOptions {
	readonly everyMs: number;
	/** "/" except in tests, which bring recorded hosts. */
	readonly root: string;
}

const text = async (path: string): Promise<string | undefined> => {
	try {
		return await readFile(path, "utf8");
	} catch {
		// Not every machine has every file; what is not there is absent in the answer.
		return undefined;
	}
};

const names = async (folder: string): Promise<readonly string[]> => {
	try {
		return (await readdir(folder)).sort();
	} catch {
		return [];
	}
};

const readDisk = async (mount: Mount): Promise<ReturnType<typeof diskOf>> => {
	try {
		const { bsize, blocks, bavail, bfree } = await statfs(mount.mount);
		return diskOf(mount, { blockBytes: bsize, blocks, blocksAvailable: bavail, blocksFree: bfree });
	} catch {
		// Gone since it was listed, or not for this user.
		return undefined;
	}
};

const isThere = <T>(value: T | undefined): value is T => value !== undefined;

const readZones = async (root: string): Promise<readonly Temperature[]> => {
	const folder = join(root, "sys/class/thermal");
	const zones = (await names(folder)).filter((name) => /^thermal_zone\d+$/.test(name));
	const read = await Promise.all(
		zones.map(async (zone) => {
			const celsius = parseMillidegrees((await text(join(folder, zone, "temp"))) ?? "");
			const type = (await text(join(folder, zone, "type")))?.trim();
			return celsius === undefined ? undefined : { name: type || zone, celsius };
		}),
	);
	return read.filter(isThere);
};

const readSensors = async (root: string): Promise<readonly Temperature[]> => {
	const folder = join(root, "sys/class/hwmon");
	const chips = await Promise.all(
		(await names(folder)).map(async (chip) => {
			const chipName = (await text(join(folder, chip, "name")))?.trim() || chip;
			const inputs = (await names(join(folder, chip))).filter((name) => /^temp\d+_input$/.test(name));
			return Promise.all(
				inputs.map(async (input) => {
					const celsius = parseMillidegrees((await text(join(folder, chip, input))) ?? "");
					const label = (await text(join(folder, chip, input.replace("_input", "_label"))))?.trim();
					return celsius === undefined ? undefined : { name: label ? `${chipName} ${label}` : `${chipName} ${input.replace("_input", "")}`, celsius };
				}),
			);
		}),
	);
	return chips.flat().filter(isThere);
};

/** Known only where systemd keeps the clock: the mark is there when it is disciplined, the folder when systemd would say so. */
const readClockSynced = async (root: string): Promise<boolean | undefined> => {
	const marks = await names(join(root, "run/systemd/timesync"));
	return marks.length === 0 ? undefined : marks.includes("synchronized");
};

export class HostReader {
	readonly #root: string;
	#before: { readonly cpu: CpuTimes | undefined; readonly uptimeSeconds: number } | undefined;

	constructor(root: string) {
		this.#root = root;
	}

	/** undefined where there is no /proc/uptime: then nothing can be told. */
	async read(): Promise<RecordTypes["dev.orion.host.metrics.v1"] | undefined> {
		const root = this.#root;
		const [stat, meminfo, loadavg, uptime, mounts, bootId] = await Promise.all(
			["proc/stat", "proc/meminfo", "proc/loadavg", "proc/uptime", "proc/mounts", "proc/sys/kernel/random/boot_id"].map((name) => text(join(root, name))),
		);
		const uptimeSeconds = parseUptime(uptime ?? "none");
		if (uptimeSeconds === undefined) return undefined;
		const cpuNow = stat === undefined ? undefined : parseStat(stat);
		const [disks, zones, sensors, clockSynced] = await Promise.all([
			Promise.all(parseMounts(mounts ?? "").map(readDisk)),
			readZones(root),
			readSensors(root),
			readClockSynced(root),
		]);
		const before = this.#before;
		this.#before = { cpu: cpuNow, uptimeSeconds };
		return metricsOf({
			cpuBefore: before?.cpu,
			cpuNow,
			windowMs: before === undefined ? undefined : (uptimeSeconds - before.uptimeSeconds) * 1_000,
			meminfo,
			loadavg,
			uptimeSeconds,
			bootId: bootId?.trim(),
			disks: disks.filter(isThere),
			temperatures: [...zones, ...sensors],
			clockSynced,
		});
	}
}

/** The first share of the CPUs needs two readings; they are this far apart at the start. */
const FIRST_WINDOW_MS = 500;

export const hostCapability = ({ everyMs, root }: HostOptions): Capability => {
	const reader = new HostReader(root);
	let cancel: (() => void) | undefined;
	let stopped = false;

	const measure = async (context: CapabilityContext): Promise<void> => {
		try {
			const metrics = await reader.read();
			if (metrics !== undefined && !stopped) context.measure("dev.orion.host.metrics.v1", metrics);
		} catch (error) {
			context.note("host-unreadable", { detail: error instanceof Error ? error.message : "unknown" });
		}
	};
	const round = (context: CapabilityContext, delayMs: number): void => {
		if (stopped) return;
		cancel = context.timers.after(delayMs, () => void measure(context).then(() => round(context, everyMs)));
	};
	const cannot = (): Promise<Outcome> => Promise.resolve({ phase: "failed", reason: "no-such-action" });

	return {
		name: "host",
		actions: {},
		services: [],
		start: async (context) => {
			await reader.read();
			round(context, Math.min(FIRST_WINDOW_MS, everyMs));
		},
		stop: () => {
			stopped = true;
			cancel?.();
			return Promise.resolve();
		},
		run: cannot,
		probe: cannot,
		announce: () => Promise.resolve(),
	};
};
