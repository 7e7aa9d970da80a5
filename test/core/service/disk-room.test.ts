// Shows what a disk with little room still takes: bounds that hold both as a share and in bytes, a way back that does not shut the door behind it, and a system that says nothing (LOSS-63).
import fc from "fast-check";
import { expect, test } from "vitest";
import { type DiskFacts, DiskRoom, type Room, roomAfter, sayRoom } from "../../../core/service/disk-room.ts";
import { settle, VirtualHost } from "../../support/world.ts";

const MIB = 1_048_576;
const GIB = 1_024 * MIB;

test.each<[Room, number, number, Room]>([
	["enough", 0.84, 1 * GIB, "enough"],
	["enough", 0.85, 4 * GIB, "tight"],
	["enough", 0.85, 8 * GIB, "enough"],
	["enough", 0.99, 40 * GIB, "enough"],
	["enough", 0.94, 1 * GIB, "tight"],
	["enough", 0.95, 1 * GIB, "scarce"],
	["enough", 0.95, 2 * GIB, "tight"],
	["enough", 0.2, 64 * MIB - 1, "scarce"],
	["enough", 0.2, 64 * MIB, "enough"],
	["tight", 0.845, 4 * GIB, "tight"],
	["tight", 0.83, 4 * GIB, "enough"],
	["tight", 0.86, 9 * GIB, "tight"],
	["tight", 0.86, 10 * GIB, "enough"],
	["tight", 0.96, 1 * GIB, "scarce"],
	["scarce", 0.945, 1 * GIB, "scarce"],
	["scarce", 0.93, 1 * GIB, "tight"],
	["scarce", 0.3, 70 * MIB, "scarce"],
	["scarce", 0.3, 80 * MIB, "enough"],
	["scarce", 0.845, 4 * GIB, "tight"],
	["scarce", 0.5, 40 * GIB, "enough"],
])("LOSS-63 after %s, %d full and %d bytes free: %s", (before, usedRatio, freeBytes, expected) => {
	expect(roomAfter(before, { usedRatio, freeBytes })).toBe(expected);
});

const ROOMS: readonly Room[] = ["enough", "tight", "scarce"];
const disks = fc.record({ usedRatio: fc.double({ min: 0, max: 1, noNaN: true }), freeBytes: fc.integer({ min: 0, max: 20 * GIB }) });

test("LOSS-63 what stands still changes nothing, and more room is never less", () => {
	fc.assert(
		fc.property(fc.constantFrom(...ROOMS), disks, (before, disk) => {
			const once = roomAfter(before, disk);
			expect(roomAfter(once, disk)).toBe(once);
			const better = { usedRatio: disk.usedRatio * 0.9, freeBytes: disk.freeBytes + 512 * MIB };
			expect(ROOMS.indexOf(roomAfter(before, better))).toBeLessThanOrEqual(ROOMS.indexOf(once));
			expect(sayRoom(once, disk, "/d") === undefined).toBe(once === "enough");
		}),
	);
});

test("LOSS-63 the disk is looked at every five seconds, until it ends; what the system does not say, and an error, is room", async () => {
	const host = new VirtualHost();
	const { timers } = host.process();
	let found: () => Promise<DiskFacts | undefined> = () => Promise.resolve({ usedRatio: 0.99, freeBytes: 10 * MIB });
	const seen: string[] = [];
	const room = new DiskRoom({ folder: "/d", timers, facts: () => found(), looked: (now, _disk, before) => seen.push(`${before} ${now}`) });
	expect(room.now).toBe("enough");
	await room.start();
	expect([room.now, room.folder, seen]).toEqual(["scarce", "/d", ["enough scarce"]]);
	found = () => Promise.resolve(undefined);
	await host.time.advance(4_999);
	expect(room.now).toBe("scarce");
	await host.time.advance(1);
	expect(room.now).toBe("enough");
	found = () => Promise.reject(new Error("gone"));
	await host.time.advance(5_000);
	expect(seen).toEqual(["enough scarce", "scarce enough", "enough enough"]);
	let give: (disk: DiskFacts) => void = () => undefined;
	found = () =>
		new Promise((resolve) => {
			give = resolve;
		});
	await host.time.advance(5_000);
	room.stop();
	give({ usedRatio: 0.99, freeBytes: 0 });
	await settle();
	await host.time.advance(60_000);
	expect([room.now, seen.length]).toEqual(["enough", 3]);
});
