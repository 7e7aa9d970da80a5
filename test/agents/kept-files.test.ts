// Shows that of two writes to a small file the later one stands, whatever the disk does, and that a process can wait until none is under way (HARM-173).
import { expect, test } from "vitest";
import { inTurn } from "../../agents/roles/kept-files.ts";
import type { KeptFiles } from "../../core/service/world.ts";

/** A disk that does one thing at a time, when it is told to. */
const slowDisk = () => {
	const begun: string[] = [];
	const ends: ((error?: Error) => void)[] = [];
	const files: KeptFiles = {
		read: () => Promise.resolve(undefined),
		write: (_name, text) =>
			new Promise<void>((resolve, reject) => {
				begun.push(text);
				ends.push((error) => (error === undefined ? resolve() : reject(error)));
			}),
	};
	const turns = async (): Promise<void> => {
		for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
	};
	return {
		files,
		begun,
		/** Ends the write that is under way, and lets all follow that may. */
		end: async (error?: Error): Promise<void> => {
			ends.shift()?.(error);
			await turns();
		},
		turns,
	};
};

test("HARM-173 a write begins when the one before has ended, also when that failed; what failed is said to who asked for it", async () => {
	const { files, begun, end, turns } = slowDisk();
	const kept = inTurn(files);
	const failed = expect(kept.write("order", "stop", "plain")).rejects.toThrow("no space");
	const last = kept.write("order", "none", "plain");
	await turns();
	expect(begun).toEqual(["stop"]);
	await end(new Error("no space"));
	await failed;
	expect(begun).toEqual(["stop", "none"]);
	await end();
	await last;
});

test("HARM-173 settled waits for all that was asked for, and for nothing when nothing was", async () => {
	const { files, end, turns } = slowDisk();
	const kept = inTurn(files);
	await kept.settled();
	void kept.write("order", "stop", "plain");
	void kept.write("order", "none", "plain");
	let isSettled = false;
	void kept.settled().then(() => {
		isSettled = true;
	});
	await turns();
	await end();
	expect(isSettled).toBe(false);
	await end();
	expect(isSettled).toBe(true);
});
