// What core's adapters ask of the world: clocks, small files that survive a power cut, and a way to end the process.
import type { Clock, ClockQuality } from "../../contracts/time.ts";

/** Small files in core's folder, each replaced as a whole and on disk when the promise resolves. */
export interface KeptFiles {
	/** undefined if there is no such file. */
	read(name: string): Promise<string | undefined>;
	/** `secret` files are readable by their owner only. */
	write(name: string, text: string, secret: "secret" | "plain"): Promise<void>;
}

export interface HostClock extends Clock {
	/** Changes with each boot of the host: what the monotonic clock counts from. */
	readonly bootId: string;
	/** Milliseconds since that boot. */
	bootMs(): number;
	quality(): ClockQuality;
	/** UTC offset of the host, minutes. */
	offsetMinutes(): number;
}

/** Timers of the host, so that tests can be the ones who let time pass. */
export interface Timers {
	/** Calls once after delayMs; returns how to cancel. */
	after(delayMs: number, run: () => void): () => void;
}

export interface World {
	readonly files: KeptFiles;
	readonly clock: HostClock;
	readonly timers: Timers;
	/** Something broke that must not be survived: says why and ends the process. */
	readonly fatal: (error: unknown) => void;
}
