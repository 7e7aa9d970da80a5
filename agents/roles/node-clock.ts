// Connects a node's idea of time to its host: milliseconds since boot, time asleep included, so that a command cannot look younger than it is.

import { randomBytes } from "node:crypto";
import { openSync, readSync } from "node:fs";
import { instant, wallTime } from "../../contracts/time.ts";
import type { NodeClock, Randomness } from "../../edge/ports.ts";
import { isClockSynced } from "./host-clock.ts";

/** The monotonic clock stands still while the host sleeps; /proc/uptime does not. Its resolution is 10 ms, so it only corrects. */
const CORRECT_ABOVE_MS = 50;
const COMPARE_EVERY_MS = 20;
const QUALITY_EVERY_MS = 5_000;

const monotonicMs = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000;

const uptimeReader = (): (() => number | undefined) => {
	let descriptor: number | undefined;
	try {
		descriptor = openSync("/proc/uptime", "r");
	} catch {
		return () => undefined;
	}
	const buffer = Buffer.alloc(64);
	const open = descriptor;
	return () => {
		const seconds = Number.parseFloat(buffer.toString("latin1", 0, readSync(open, buffer, 0, buffer.byteLength, 0)));
		return Number.isFinite(seconds) ? seconds * 1_000 : undefined;
	};
};

export const nodeClock = (): NodeClock => {
	const uptimeMs = uptimeReader();
	let asleepMs = 0;
	let comparedMs = Number.NEGATIVE_INFINITY;
	let synced = false;
	let lookedMs = Number.NEGATIVE_INFINITY;
	const bootMs = (): number => {
		const now = monotonicMs();
		if (now - comparedMs >= COMPARE_EVERY_MS) {
			comparedMs = now;
			const behindMs = (uptimeMs() ?? now + asleepMs) - (now + asleepMs);
			// Only ever forward: time that was counted is not taken back.
			if (behindMs > CORRECT_ABOVE_MS) asleepMs += behindMs;
		}
		return now + asleepMs;
	};
	return {
		now: () => instant(bootMs()),
		bootMs,
		wall: () => wallTime(Date.now()),
		quality: () => {
			const now = monotonicMs();
			if (now - lookedMs >= QUALITY_EVERY_MS) {
				lookedMs = now;
				synced = isClockSynced();
			}
			return synced ? "synced" : "unsynced";
		},
	};
};

export const nodeRandomness = (): Randomness => ({
	hex: (bytes) => randomBytes(bytes).toString("hex"),
	ratio: () => randomBytes(4).readUInt32LE() / 2 ** 32,
});
