// Shows that a Redis holds what the log holds whatever happens to it, and that what this mesh did not write is never written over (LOSS-20..24).

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { OrionError } from "../../contracts/errors.ts";
import { openMemory } from "../../log/memory.ts";
import type { Log } from "../../log/port.ts";
import { listOf, textOf } from "../../log/redis-connection.ts";
import { Mirror, type MirrorOptions } from "../../log/redis-mirror.ts";
import { dataOf } from "../../log/redis-place.ts";
import { quickTimers } from "../support/quick-timers.ts";
import { TestRedis } from "../support/redis.ts";

const ENCODER = new TextEncoder();
const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

let log: Log;
let redis: TestRedis;
let notices: (string | undefined)[];
const mirrors: Mirror[] = [];

beforeEach(async () => {
	log = openMemory();
	notices = [];
	redis = await TestRedis.start();
});
afterEach(async () => {
	for (const mirror of mirrors.splice(0)) await mirror.stop();
	await redis.end();
});

const append = async (count: number, type = "dev.orion.alert.firing.v1", into = log): Promise<void> => {
	for (let index = 0; index < count; index += 1) {
		const at = into.head() + 1;
		await into.append([{ bytes: ENCODER.encode(JSON.stringify({ type, number: at })) }]);
	}
};

const open = (more: Partial<MirrorOptions> = {}): Mirror => {
	const mirror = new Mirror({
		url: redis.url,
		log,
		mesh: "mesh-1",
		timers: quickTimers,
		now: () => performance.now(),
		familyRecordsMax: 10_000,
		notice: (said) => notices.push(said),
		...more,
	});
	mirrors.push(mirror);
	return mirror;
};

const until = async (what: string, isSo: () => boolean | Promise<boolean>): Promise<void> => {
	const deadline = performance.now() + 20_000;
	while (!(await isSo())) {
		if (performance.now() > deadline) throw new Error(`waited in vain for ${what}; notices: ${notices.join(" | ")}`);
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
};

const entries = async (key = "orion:log"): Promise<readonly (readonly [string, string])[]> =>
	listOf(await redis.ask("xrange", key, "-", "+")).map((entry) => [textOf(listOf(entry)[0]), text(dataOf(entry))]);

const recorded = async (): Promise<readonly (readonly [string, string])[]> =>
	(await log.read(1, 100_000)).map(({ position, bytes }) => [`${position}-0`, text(bytes)]);

const caughtUp = (mirror: Mirror): Promise<void> => until("the mirror", () => mirror.view().state === "mirroring" && mirror.view().lag === 0);

const codeOfStart = (mirror: Mirror): Promise<string> =>
	mirror.start().then(
		() => "started",
		(error: unknown) => (error instanceof OrionError ? error.fault.code : String(error)),
	);

describe("LOSS-20 what the log holds, Redis holds, under the same position", () => {
	it("writes every record, and each family into its stream", async () => {
		await append(700);
		await append(3, "dev.orion.incident.opened.v1");
		await append(2, "dev.orion.clock.tick.v1");
		const mirror = open();
		await mirror.start();
		await append(5, "dev.orion.decision.made.v1");
		await caughtUp(mirror);
		expect(await entries()).toEqual(await recorded());
		expect(await entries("orion:events")).toHaveLength(700);
		expect((await entries("orion:incidents")).map(([id]) => id)).toEqual(["701-0", "702-0", "703-0"]);
		expect(await entries("orion:decisions")).toHaveLength(5);
	});

	it("goes on where Redis stands after an end of the mesh", async () => {
		await append(20);
		const first = open();
		await first.start();
		await caughtUp(first);
		await first.stop();
		await append(20);
		const second = open();
		await second.start();
		await caughtUp(second);
		expect(await entries()).toEqual(await recorded());
		expect(await entries("orion:events")).toHaveLength(40);
	});

	it("has no family streams where none are wanted", async () => {
		await append(5);
		const mirror = open({ familyRecordsMax: 0 });
		await mirror.start();
		await caughtUp(mirror);
		expect(await redis.ask("exists", "orion:events")).toBe(0);
	});
});

describe("LOSS-21 a Redis that stops, forgets or goes back is written again from the log", () => {
	it("killed and started again while records come", async () => {
		await append(50);
		const mirror = open();
		await mirror.start();
		await caughtUp(mirror);
		for (let round = 0; round < 3; round += 1) {
			const load = append(200);
			await redis.kill();
			await load;
			expect(log.head()).toBe(50 + 200 * (round + 1));
			await until("the notice", () => mirror.view().state === "away");
			await redis.start();
			await caughtUp(mirror);
			expect(await entries()).toEqual(await recorded());
		}
	});

	it("flushed under an open connection, with nothing else happening", async () => {
		await append(30);
		const mirror = open();
		await mirror.start();
		await caughtUp(mirror);
		await redis.ask("flushall");
		await until("it is there again", async () => (await entries()).length === 30);
		expect(await entries()).toEqual(await recorded());
		await until("it is said", () => notices.some((said) => said?.includes("written again from the log") === true));
	});

	it("flushed between two records: the stream never begins in the middle", async () => {
		await append(30);
		// Looks only when records come.
		const mirror = open({ timers: { after: (delayMs, run) => timerFor(delayMs < 5_000 ? 10 : 1e9, run) } });
		await mirror.start();
		await caughtUp(mirror);
		await redis.ask("flushall");
		await append(1);
		await until("everything is there", async () => (await entries()).length === 31);
		expect(await entries()).toEqual(await recorded());
	});

	it("restored from an older file", async () => {
		await append(40);
		const mirror = open();
		await mirror.start();
		await caughtUp(mirror);
		await redis.kill("SIGTERM");
		redis.keep("older");
		await redis.start();
		await append(60);
		await caughtUp(mirror);
		await redis.kill();
		redis.putBack("older");
		await redis.start();
		await append(1);
		await until("everything is there", async () => (await entries()).length === 101);
		expect(await entries()).toEqual(await recorded());
		expect(await entries("orion:events")).toHaveLength(101);
	});

	it("only its log stream deleted: families are not doubled", async () => {
		await append(12);
		const mirror = open();
		await mirror.start();
		await caughtUp(mirror);
		await redis.ask("del", "orion:log");
		await until("it is there again", async () => (await entries()).length === 12);
		expect(await entries("orion:events")).toHaveLength(12);
	});
});

const timerFor = (delayMs: number, run: () => void): (() => void) => {
	const timer = setTimeout(run, Math.min(delayMs, 2_000_000_000));
	return () => clearTimeout(timer);
};

describe("LOSS-22 what this mesh did not write is never written over", () => {
	it("a Redis of another mesh is refused at the start, and left as it is", async () => {
		await append(10);
		const first = open({ mesh: "mesh-2" });
		await first.start();
		await caughtUp(first);
		await first.stop();
		await append(5);
		expect(await codeOfStart(open())).toBe("REDIS_FOREIGN");
		expect(await entries()).toHaveLength(10);
	});

	it("a stream that nobody says whose it is", async () => {
		await append(1);
		await redis.ask("xadd", "orion:log", "1-0", "data", "x");
		expect(await codeOfStart(open())).toBe("REDIS_FOREIGN");
	});

	it.each([
		["an entry ahead of the log", "900-0"],
		["an entry between positions", "10-1"],
	])("%s is forged: said, and nothing is mirrored behind it", async (_what, id) => {
		await append(10);
		const mirror = open();
		await mirror.start();
		await caughtUp(mirror);
		await redis.ask("xadd", "orion:log", id, "data", "forged");
		await append(3);
		await until("it is refused", () => mirror.view().state === "refused");
		expect(notices.at(-1)).toMatch(/was not written by this mesh/);
		expect((await entries()).at(-1)?.[0]).toBe(id);
	});

	it.each([
		["in the place of the next record", "11-0"],
		["between the last record and the next", "10-1"],
	])("an entry %s, when only a record makes it look", async (_what, id) => {
		await append(10);
		const mirror = open({ timers: { after: (delayMs, run) => timerFor(delayMs < 5_000 ? 10 : 1e9, run) } });
		await mirror.start();
		await caughtUp(mirror);
		await redis.ask("xadd", "orion:log", id, "data", "forged");
		await append(1);
		await until("it is refused", () => mirror.view().state === "refused");
		expect((await entries()).at(-1)).toEqual([id, "forged"]);
	});

	it("a history that went another way, as after a restored data folder", async () => {
		await append(10);
		const first = open();
		await first.start();
		await caughtUp(first);
		await first.stop();
		const other = openMemory();
		await append(9, undefined, other);
		await append(3, "dev.orion.alert.resolved.v1", other);
		expect(await codeOfStart(open({ log: other }))).toBe("REDIS_FOREIGN");
	});
});

describe("LOSS-23 a Redis that may forget is refused with the line to change", () => {
	it.each([
		["maxmemory-policy", "allkeys-lru", "redis-cli CONFIG SET maxmemory-policy noeviction"],
		["appendonly", "no", "redis-cli CONFIG SET appendonly yes"],
	])("%s %s at the start", async (setting, wrong, line) => {
		await redis.ask("config", "set", setting, wrong);
		const mirror = open();
		await expect(mirror.start()).rejects.toMatchObject({ fault: { code: "REDIS_SETTING" } });
		await expect(mirror.start()).rejects.toThrow(line);
	});

	it("set so later: said within a minute, and mirrored again when it is mended", async () => {
		await append(3);
		let nowMs = 0;
		const mirror = open({ now: () => nowMs });
		await mirror.start();
		await caughtUp(mirror);
		await redis.ask("config", "set", "maxmemory-policy", "volatile-ttl");
		nowMs = 61_000;
		await until("it is refused", () => mirror.view().state === "refused");
		expect(notices.at(-1)).toContain("redis-cli CONFIG SET maxmemory-policy noeviction");
		await redis.ask("config", "set", "maxmemory-policy", "noeviction");
		await append(3);
		await caughtUp(mirror);
		expect(notices.at(-1)).toBeUndefined();
		expect(await entries()).toEqual(await recorded());
	});

	it("a wrong password is said without showing it", async () => {
		await redis.ask("config", "set", "requirepass", "right");
		const mirror = open({ url: redis.url.replace("//", "//:wrong-secret@") });
		await expect(mirror.start()).rejects.toMatchObject({ fault: { code: "REDIS_AUTH" } });
		await expect(mirror.start()).rejects.not.toThrow("wrong-secret");
		expect(mirror.view().url).not.toContain("wrong-secret");
	});

	it("no memory left: said, and caught up when there is some", async () => {
		await append(3);
		const mirror = open();
		await mirror.start();
		await caughtUp(mirror);
		await redis.ask("config", "set", "maxmemory", "1");
		await append(20);
		await until("it is refused", () => mirror.view().state === "refused");
		expect(notices.at(-1)).toMatch(/does not take records/);
		await redis.ask("config", "set", "maxmemory", "0");
		await caughtUp(mirror);
		expect(await entries()).toEqual(await recorded());
	});
});

describe("LOSS-24 Redis is never in the way", () => {
	it("the mesh starts without it, and mirrors when it comes", async () => {
		await redis.kill();
		await append(100);
		const mirror = open();
		await mirror.start();
		expect(mirror.view()).toMatchObject({ state: "away", lag: 100 });
		await append(100);
		await redis.start();
		await caughtUp(mirror);
		expect(await entries()).toEqual(await recorded());
	});
});
