// Shows that the log in memory and the log in segments keep the same promises; segments on a disk that could fail at any moment, and on the real one.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { openMemory } from "../../log/memory.ts";
import { nodeFiles } from "../../log/node-files.ts";
import type { Log } from "../../log/port.ts";
import { openSegments, type SegmentsOptions } from "../../log/segments.ts";
import { FakeFiles } from "../support/files.ts";
import { FOLDER, gapOf, keyOf, MESH } from "../support/log.ts";
import { removeFolder } from "../support/remove-folder.ts";
import { logConformance, type OpenedLog } from "./log.ts";

const SEGMENT_BYTES_MAX = 600;

class TestClock {
	#ms = 1_000;
	now(): number {
		return this.#ms;
	}
	pass(ms: number): void {
		this.#ms += ms;
	}
}

const segmentsOn = async (files: SegmentsOptions["files"], folder: string, memoryBytesMax: number): Promise<OpenedLog> => {
	const clock = new TestClock();
	const onFatal = (error: unknown): void => {
		throw error;
	};
	const open = (): Promise<Log> =>
		openSegments({ files, folder, mesh: MESH, keyOf, gapOf, onFatal, clock, segmentBytesMax: SEGMENT_BYTES_MAX, memoryBytesMax });
	const log = await open();
	const reopen = async (): Promise<Log> => {
		await log.close();
		return open();
	};
	return { log, reopen, pass: (ms) => clock.pass(ms) };
};

logConformance("memory", {
	open: async () => {
		const clock = new TestClock();
		return { log: openMemory({ clock, segmentRecords: 8 }), pass: (ms) => clock.pass(ms) };
	},
});

logConformance("segments", { open: () => segmentsOn(new FakeFiles(), FOLDER, 4_194_304) });
// Every read goes to the disk.
logConformance("segments without memory", { open: () => segmentsOn(new FakeFiles(), FOLDER, 0) });

const folders: string[] = [];
logConformance("segments on this disk", {
	open: () => {
		const folder = mkdtempSync(join(tmpdir(), "orion-log-"));
		folders.push(folder);
		return segmentsOn(nodeFiles(), folder, 0);
	},
});
afterAll(() => {
	for (const folder of folders) removeFolder(folder);
});
