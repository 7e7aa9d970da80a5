// Connects core's idea of time to this host: monotonic since boot, wall time, and how far that can be trusted.
import { existsSync, readFileSync } from "node:fs";
import { instant, wallTime } from "../../contracts/time.ts";
import type { HostClock, Timers } from "../../core/service/world.ts";

/** Files that the usual time daemons leave when the clock is disciplined. */
const SYNCED_MARKS = ["/run/systemd/timesync/synchronized", "/run/chrony/synchronized"];

export const isClockSynced = (): boolean => SYNCED_MARKS.some((mark) => existsSync(mark));

const bootIdOf = (): string => {
	try {
		return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
	} catch {
		// Without one every start counts as a new boot: downtimes are then unknown, which is the safe side.
		return `unknown-${process.pid}-${process.hrtime.bigint()}`;
	}
};

export const hostClock = (): HostClock => ({
	bootId: bootIdOf(),
	now: () => instant(performance.now()),
	wall: () => wallTime(Date.now()),
	bootMs: () => Number(process.hrtime.bigint() / 1_000n) / 1_000,
	quality: () => (isClockSynced() ? "synced" : "unsynced"),
	offsetMinutes: () => -new Date().getTimezoneOffset(),
});

export const hostTimers = (): Timers => ({
	after: (delayMs, run) => {
		// A timer of 0 waits a millisecond; "as soon as the others had their turn" is meant.
		if (delayMs === 0) {
			const turn = setImmediate(run);
			return () => clearImmediate(turn);
		}
		const timer = setTimeout(run, delayMs);
		return () => clearTimeout(timer);
	},
});
