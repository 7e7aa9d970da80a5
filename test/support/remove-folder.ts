// Connects tests to the end of their folders: what still writes there for a moment, because it is just ending, does not make a test fail.
import { rmSync } from "node:fs";

const TRIES_MAX = 100;
const PAUSE_MS = 50;

/** Node's own retries empty a folder once and then only wait: what came meanwhile stays. */
export const removeFolder = (path: string): void => {
	for (let tries = 1; ; tries += 1) {
		try {
			rmSync(path, { recursive: true, force: true });
			return;
		} catch (error) {
			if (tries === TRIES_MAX || (error as NodeJS.ErrnoException).code !== "ENOTEMPTY") throw error;
			Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
		}
	}
};
