// Shows that host measurements are what the kernel says: on recorded hosts, on this one, and absent where there is nothing (TELL-6).
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { cpus, loadavg, tmpdir, totalmem, uptime } from "node:os";
import { dirname, join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { HostReader, hostCapability } from "../../agents/capabilities/host.ts";
import {
	cpuRatio,
	diskOf,
	metricsOf,
	parseLoad,
	parseMeminfo,
	parseMillidegrees,
	parseMounts,
	parseStat,
	parseUptime,
} from "../../agents/capabilities/host-readings.ts";
import { checkContract, type RecordTypes } from "../../contracts/envelope.ts";
import { Notes, VirtualTime } from "../edge/world.ts";
import { removeFolder } from "../support/remove-folder.ts";

/** Texts as a Raspberry Pi 4 (4 CPUs, thermal zone, SD card) and a PC (2 CPUs, two sensor chips, NVMe) show them. */
const PI = {
	"proc/stat":
		"cpu  10132153 290696 3084719 46828483 16683 0 25195 0 175628 0\ncpu0 1393280 32966 572056 13343292 6130 0 17875 0 23933 0\ncpu1 1335 0 0 1 0 0 0 0 0 0\ncpu2 1 0 0 1 0 0 0 0 0 0\ncpu3 1 0 0 1 0 0 0 0 0 0\nintr 1 2\nctxt 5\nbtime 1700000000\n",
	"proc/meminfo":
		"MemTotal:        3884360 kB\nMemFree:          317636 kB\nMemAvailable:    2874848 kB\nBuffers:          147432 kB\nSwapTotal:        102396 kB\nSwapFree:          99836 kB\n",
	"proc/loadavg": "0.52 0.58 0.59 1/467 12345\n",
	"proc/uptime": "350735.47 1234567.89\n",
	"proc/sys/kernel/random/boot_id": "a1b2c3d4-0000-4000-8000-000000000001\n",
	"proc/mounts":
		"proc /proc proc rw 0 0\nsysfs /sys sysfs rw 0 0\ndevtmpfs /dev devtmpfs rw 0 0\n/dev/mmcblk0p2 / ext4 rw,noatime 0 0\ntmpfs /run tmpfs rw 0 0\n/dev/mmcblk0p1 /boot/firmware vfat rw 0 0\n/dev/sda1 /mnt/my\\040disk ext4 rw 0 0\n/dev/mmcblk0p2 /var/lib/docker/bind ext4 rw 0 0\n",
	"sys/class/thermal/thermal_zone0/temp": "48312\n",
	"sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
	"run/systemd/timesync/synchronized": "",
};
const PC = {
	"proc/stat": "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 50 0 50 400 0 0 0 0 0 0\ncpu1 50 0 50 400 0 0 0 0 0 0\n",
	"proc/meminfo":
		"MemTotal:       16303428 kB\nMemFree:         8123456 kB\nMemAvailable:   12000000 kB\nSwapTotal:             0 kB\nSwapFree:              0 kB\n",
	"proc/loadavg": "1.00 2.00 3.00 2/900 4\n",
	"proc/uptime": "100.00 150.00\n",
	"proc/mounts": "overlay / overlay rw 0 0\n/dev/nvme0n1p2 /home xfs rw 0 0\nsquash /snap/x squashfs ro 0 0\n",
	"sys/class/hwmon/hwmon0/name": "k10temp\n",
	"sys/class/hwmon/hwmon0/temp1_input": "61500\n",
	"sys/class/hwmon/hwmon0/temp1_label": "Tctl\n",
	"sys/class/hwmon/hwmon1/name": "nvme\n",
	"sys/class/hwmon/hwmon1/temp1_input": "38850\n",
	"sys/class/hwmon/hwmon1/temp2_input": "-273150\n",
	"sys/class/hwmon/hwmon1/temp3_input": "no data\n",
};

let root: string;
beforeEach(async () => {
	root = await mkdtemp(join(tmpdir(), "orion-host-"));
});
afterEach(async () => {
	removeFolder(root);
});

const record = async (files: Readonly<Record<string, string>>): Promise<void> => {
	for (const [name, text] of Object.entries(files)) {
		await mkdir(dirname(join(root, name)), { recursive: true });
		await writeFile(join(root, name), text);
	}
};

describe("recorded hosts", () => {
	test("a Raspberry Pi", async () => {
		await record(PI);
		const metrics = await new HostReader(root).read();
		expect(metrics).toMatchObject({
			cpuCount: 4,
			load1: 0.52,
			load15: 0.59,
			memoryTotalBytes: 3_884_360 * 1_024,
			memoryUsedRatio: 1 - 2_874_848 / 3_884_360,
			swapUsedBytes: 2_560 * 1_024,
			temperatures: [{ name: "cpu-thermal", celsius: 48.312 }],
			temperatureMaxCelsius: 48.312,
			uptimeSeconds: 350_735.47,
			bootId: "a1b2c3d4-0000-4000-8000-000000000001",
			clockSynced: true,
		});
		expect(metrics).not.toHaveProperty("cpuRatio");
		expect(checkContract("host.metrics", metrics).ok).toBe(true);
	});

	test("a PC: sensors by chip and label, absurd ones left out, no swap is a figure, an unknown clock is absent", async () => {
		await record(PC);
		const reader = new HostReader(root);
		await reader.read();
		await record({ "proc/stat": "cpu  150 0 150 900 0 0 0 0 0 0\ncpu0 1 0 0 0\ncpu1 1 0 0 0\n", "proc/uptime": "105.00 1.00\n" });
		const metrics = await reader.read();
		expect(metrics).toMatchObject({
			cpuRatio: 0.5,
			windowMs: 5_000,
			swapTotalBytes: 0,
			swapUsedBytes: 0,
			temperatures: [
				{ name: "k10temp Tctl", celsius: 61.5 },
				{ name: "nvme temp1", celsius: 38.85 },
			],
			temperatureMaxCelsius: 61.5,
		});
		expect(metrics).not.toHaveProperty("clockSynced");
		expect(metrics).not.toHaveProperty("bootId");
	});

	test("one file after the other taken away: what is gone is absent, the rest stays, nothing is invented", async () => {
		const fields: Readonly<Record<string, readonly string[]>> = {
			"proc/stat": ["cpuCount"],
			"proc/meminfo": ["memoryTotalBytes", "memoryAvailableBytes", "memoryUsedRatio", "swapTotalBytes", "swapUsedBytes"],
			"proc/loadavg": ["load1", "load5", "load15"],
			"proc/mounts": ["disks", "diskUsedRatioMax"],
			"proc/sys/kernel/random/boot_id": ["bootId"],
			"sys/class/thermal/thermal_zone0/temp": ["temperatures", "temperatureMaxCelsius"],
			"run/systemd/timesync/synchronized": ["clockSynced"],
		};
		await record(PI);
		const whole = await new HostReader(root).read();
		for (const [file, gone] of Object.entries(fields)) {
			const without = join(tmpdir(), `${root.split("/").at(-1)}-copy`);
			await cp(root, without, { recursive: true });
			await rm(join(without, file));
			const metrics = await new HostReader(without).read();
			await rm(without, { recursive: true });
			expect(
				Object.keys(whole ?? {})
					.filter((name) => !Object.hasOwn(metrics ?? {}, name))
					.sort(),
			).toEqual([...gone].sort());
		}
		await rm(join(root, "proc/uptime"));
		expect(await new HostReader(root).read()).toBeUndefined();
	});
});

describe("parsers", () => {
	test("mounts: real file systems only, each device once under its shortest mount point, / whatever it is, escapes undone", () => {
		expect(parseMounts(PI["proc/mounts"]).map(({ mount, device }) => [mount, device])).toEqual([
			["/", "/dev/mmcblk0p2"],
			["/boot/firmware", "/dev/mmcblk0p1"],
			["/mnt/my disk", "/dev/sda1"],
		]);
		expect(parseMounts(PC["proc/mounts"]).map(({ mount }) => mount)).toEqual(["/", "/home"]);
	});

	test("an old kernel does not say what memory is available: then nobody does", () => {
		expect(parseMeminfo("MemTotal: 1000 kB\nMemFree: 10 kB\n")).toEqual({ memoryTotalBytes: 1_024_000 });
		expect(parseMeminfo("")).toEqual({});
	});

	test("a disk counts as df does: what only root may use is neither free nor used", () => {
		const mount = { mount: "/", device: "d", type: "ext4" };
		expect(diskOf(mount, { blockBytes: 1_000, blocks: 100, blocksFree: 30, blocksAvailable: 20 })).toMatchObject({
			totalBytes: 100_000,
			freeBytes: 20_000,
			usedRatio: 70 / 90,
		});
		expect(diskOf(mount, { blockBytes: 1_000, blocks: 0, blocksFree: 0, blocksAvailable: 0 })).toBeUndefined();
	});

	test.each([
		["no time passed", { busyTicks: 5, totalTicks: 10 }, { busyTicks: 5, totalTicks: 10 }, undefined],
		["counter went back", { busyTicks: 5, totalTicks: 10 }, { busyTicks: 5, totalTicks: 9 }, undefined],
		["idle", { busyTicks: 5, totalTicks: 10 }, { busyTicks: 5, totalTicks: 20 }, 0],
		["busy", { busyTicks: 5, totalTicks: 10 }, { busyTicks: 15, totalTicks: 20 }, 1],
		["iowait went back", { busyTicks: 5, totalTicks: 10 }, { busyTicks: 16, totalTicks: 20 }, 1],
	])("cpu share: %s", (_, before, now, ratio) => {
		expect(cpuRatio({ ...before, cpuCount: 1 }, { ...now, cpuCount: 1 })).toBe(ratio);
		expect(cpuRatio(undefined, { ...now, cpuCount: 1 })).toBeUndefined();
	});

	test("property: any text is read without an error, and what comes out obeys the contract", () => {
		fc.assert(
			fc.property(fc.string(), fc.string(), fc.string(), fc.string(), (stat, meminfo, load, mounts) => {
				parseMounts(mounts);
				parseMillidegrees(stat);
				const cpu = parseStat(`cpu ${stat}`);
				const metrics = metricsOf({
					cpuBefore: cpu,
					cpuNow: cpu,
					windowMs: 1,
					meminfo,
					loadavg: load,
					uptimeSeconds: parseUptime(stat) ?? 0,
					disks: [],
					temperatures: [],
				});
				expect(checkContract("host.metrics", metrics)).toMatchObject({ ok: true });
				parseLoad(load);
				parseMeminfo(meminfo);
			}),
		);
	});
});

describe("this machine", () => {
	test("what is read is what Node and the kernel say", async () => {
		const reader = new HostReader("/");
		await reader.read();
		const ticks = async (): Promise<number> =>
			(await readFile("/proc/stat", "utf8"))
				.split("\n", 1)[0]
				?.split(/\s+/)
				.slice(1)
				.reduce((sum, field) => sum + Number(field), 0) ?? 0;
		const before = await ticks();
		while ((await ticks()) - before < 4) await new Promise((resolve) => setImmediate(resolve));
		const metrics = (await reader.read()) as RecordTypes["dev.orion.host.metrics.v1"];
		expect(checkContract("host.metrics", metrics)).toMatchObject({ ok: true });
		expect(metrics.cpuCount).toBe(cpus().length);
		expect(metrics.cpuRatio).toBeGreaterThanOrEqual(0);
		expect(Math.abs((metrics.memoryTotalBytes ?? 0) - totalmem())).toBeLessThan(1_024 * 1_024);
		expect(Math.abs(metrics.uptimeSeconds - uptime())).toBeLessThan(2);
		expect(Math.abs((metrics.load15 ?? -1) - (loadavg()[2] ?? 0))).toBeLessThan(0.5);
		expect(metrics.disks?.some(({ mount }) => mount === "/")).toBe(true);
		expect(metrics.bootId).toBe((await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim());
	});

	test("it is measured regularly, the first time soon, and not after the end", async () => {
		const time = new VirtualTime();
		const measured: unknown[] = [];
		const host = hostCapability({ everyMs: 5_000, root: "/" });
		const context = {
			emit: () => Promise.resolve(),
			measure: (_type: string, data: unknown) => void measured.push(data),
			safety: () => "working" as const,
			clock: time.clock(),
			timers: time,
			note: new Notes().note,
		};
		const round = async (afterMs: number, wanted: number): Promise<void> => {
			const until = async (what: () => boolean): Promise<void> => {
				for (let tries = 0; !what() && tries < 10_000; tries++) await new Promise((resolve) => setImmediate(resolve));
			};
			await until(() => time.waiting === 1);
			await time.advance(afterMs);
			await until(() => measured.length === wanted);
			expect(measured.length).toBe(wanted);
		};
		await host.start(context);
		await round(500, 1);
		await round(5_000, 2);
		await host.stop("agent-stop");
		await time.advance(60_000);
		expect(measured.length).toBe(2);
	});
});
