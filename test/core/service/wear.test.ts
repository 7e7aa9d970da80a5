// Shows what is said of how much a disk bears: bytes a day once that can be known, and when a spool has no room (LOSS-50, LOSS-51).
import { expect, test } from "vitest";
import { OrionError } from "../../../contracts/errors.ts";
import { wallTime } from "../../../contracts/time.ts";
import { coreEnvelope } from "../../../core/service/journal.ts";
import { spoolJournal } from "../../../core/service/spooled.ts";
import { bytesPerDay } from "../../../core/service/wear.ts";
import { openMemory } from "../../../log/memory.ts";

const HOUR_MS = 3_600_000;

test.each([
	[1_000, 0, undefined],
	[1_000, HOUR_MS - 1, undefined],
	[1_000, HOUR_MS, 24_000],
	[0, HOUR_MS, 0],
	[5_000_000, 48 * HOUR_MS, 2_500_000],
])("LOSS-51 %i bytes in %i ms are %o a day", (bytes, sinceMs, expected) => {
	expect(bytesPerDay(bytes, sinceMs)).toBe(expected);
});

test("LOSS-50 a spool is full from the first refusal to the next record that it takes", async () => {
	const memory = openMemory();
	let refusal: Error | undefined;
	const spool = {
		append: (...given: Parameters<typeof memory.append>) => (refusal === undefined ? memory.append(...given) : Promise.reject(refusal)),
		read: (from: number, max: number) => memory.read(from, max),
	};
	const clock = { wall: () => wallTime(0) } as Parameters<typeof spoolJournal>[2];
	const journal = spoolJournal(spool, "mesh-1", clock);
	const one = () => journal.append([{ envelope: coreEnvelope("mesh-1", wallTime(0), "/core/intake", "dev.orion.log.gap.v1", gap) }]);
	const gap = { source: "/nodes/pi-3", session: "1.0123456789abcdef", lane: "event" as const, fromSeq: 1, toSeq: 1, count: 1, why: "session-ended" as const };
	await one();
	expect(journal.isFull).toBe(false);
	refusal = new OrionError("LOG_CLOSED");
	await expect(one()).rejects.toThrow();
	expect(journal.isFull).toBe(false);
	refusal = new OrionError("DISK_FULL", { folder: "spool" });
	await expect(one()).rejects.toThrow();
	expect(journal.isFull).toBe(true);
	refusal = undefined;
	await one();
	expect(journal.isFull).toBe(false);
});
