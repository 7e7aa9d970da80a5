// Shows that one bit flipped anywhere in a log, in any file of its folder, is found by name or changes nothing: LOSS-3, LOSS-4.
import { describe, expect, test } from "vitest";
import { codeOf, FOLDER, openFake } from "../support/log.ts";
import { checkAccepted, SEGMENT_BYTES_MAX, smallLog, view } from "./small-log.ts";

/** Some twenty thousand openings. */
const ALL_BITS_MS = 120_000;

describe("LOSS-3 one bit flipped anywhere", () => {
	for (const end of ["closed", "killed"] as const) {
		test(
			`in a log that was ${end}: found by name, or nothing is different`,
			async () => {
				const { disk, lines } = await smallLog(end);
				const whole = await view(await openFake(disk.afterKill(), { segmentBytesMax: SEGMENT_BYTES_MAX }));
				const found = new Map<string, number>();
				for (const path of disk.paths()) {
					for (let bit = 0; bit < disk.content(path).length * 8; bit += 1) {
						const where = `${path} bit ${bit}`;
						const flipped = disk.afterKill();
						flipped.flip(path, bit);
						try {
							const log = await openFake(flipped, { segmentBytesMax: SEGMENT_BYTES_MAX });
							expect(await view(log), where).toEqual(whole);
						} catch (error) {
							const code = await codeOf(Promise.reject(error));
							expect(["RECORD_DAMAGED", "FOLDER_NEWER", "FOLDER_FOREIGN"], `${where}: ${String(error)}`).toContain(code);
							found.set(`${path} ${code}`, (found.get(`${path} ${code}`) ?? 0) + 1);
							if (code === "RECORD_DAMAGED") await checkAccepted(flipped, lines, where);
						}
					}
				}
				// Every bit of every segment and of the facts of the folder counts.
				for (const path of disk.paths()) {
					if (/\.seg$|VERSION$|cursors$/.test(path)) expect(found.get(`${path} RECORD_DAMAGED`), path).toBe(disk.content(path).length * 8);
				}
			},
			ALL_BITS_MS,
		);
	}

	test("in the archive, where it matters only if what is known has to be learnt again", async () => {
		const { disk } = await smallLog("closed");
		const log = await openFake(disk, { segmentBytesMax: SEGMENT_BYTES_MAX });
		expect(await log.archive(5)).toBeGreaterThan(0);
		await log.close();
		const whole = await view(await openFake(disk.afterKill()));
		const archived = disk.paths().filter((path) => path.startsWith(`${FOLDER}/archive/`));
		for (const path of archived) {
			for (let bit = 0; bit < disk.content(path).length * 8; bit += 1) {
				const flipped = disk.afterKill();
				flipped.flip(path, bit);
				expect(await view(await openFake(flipped)), `${path} bit ${bit}`).toEqual(whole);
				const unknown = disk.afterKill();
				unknown.flip(path, bit);
				unknown.remove(`${FOLDER}/dedup`);
				const code = await codeOf(openFake(unknown));
				expect(["RECORD_DAMAGED", "FOLDER_NEWER", "FOLDER_FOREIGN"], `${path} bit ${bit}`).toContain(code);
			}
		}
		const relearnt = disk.afterKill();
		relearnt.remove(`${FOLDER}/dedup`);
		expect(await view(await openFake(relearnt))).toEqual(whole);
	});
});
