// Connects work that must reach the disk to a disk that is full for a while: it is tried again until it is taken, or until there is no more time.
import { OrionError } from "../../contracts/errors.ts";
import type { Timers } from "./world.ts";

export const RETRY_FULL_DISK_MS = 1_000;

export const isDiskFull = (error: unknown): boolean => error instanceof OrionError && error.fault.code === "DISK_FULL";

/** undefined: the disk was still full when `ending` said that there is no more time; nothing was stored. Other errors pass. */
export const onceDiskHasRoom = async <T>(work: () => Promise<T>, timers: Timers, ending: () => boolean): Promise<{ readonly value: T } | undefined> => {
	for (;;) {
		try {
			return { value: await work() };
		} catch (error) {
			if (!isDiskFull(error)) throw error;
			if (ending()) return undefined;
			await new Promise<void>((resolve) => timers.after(RETRY_FULL_DISK_MS, resolve));
		}
	}
};
