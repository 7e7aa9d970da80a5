// Connects tests with real Redis and real sockets to real time, in which nobody waits longer than a moment.
import type { Timers } from "../../core/service/world.ts";

const WAIT_MS_MAX = 50;

export const quickTimers: Timers = {
	after: (delayMs, run) => {
		const timer = setTimeout(run, Math.min(delayMs, WAIT_MS_MAX));
		return () => clearTimeout(timer);
	},
};
