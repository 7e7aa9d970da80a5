// Shows that one bit flipped anywhere in a log, in any file of its folder, is found by name or changes nothing: LOSS-3, LOSS-4.
import { describe, expect, test } from "vitest";
import type { FakeFiles } from "../support/files.ts";
import { codeOf, FOLDER, openFake, plain } from "../support/log.ts";
import { checkAccepted, SEGMENT_BYTES_MAX, smallLog, view } from "./small-log.ts";

/** Some ten thousand openings. */
const ALL_BITS_MS = 120_000;
const REFUSED = ["RECORD_DAMAGED", "FOLDER_NEWER", "FOLDER_FOREIGN"];

/** Every bit of some files; resolves with how many were found, by file and code. */
const flipAll = async (disk: FakeFiles, paths: readonly string[], whole: unknown, onDamage: (flipped: FakeFiles, where: string) => Promise<void>) => {
	const found = new Map<string, number>();
	for (const path of paths) {
		for (let bit = 0; bit < disk.content(path).length * 8; bit += 1) {
			const where = `${path} bit ${bit}`;
			const flipped = disk.afterKill();
			flipped.flip(path, bit);
			try {
				const log = await openFake(flipped, { segmentBytesMax: SEGMENT_BYTES_MAX });
				expect(await view(log), where).toEqual(whole);
			} catch (error) {
				const code = await codeOf(Promise.reject(error));
				expect(REFUSED, `${where}: ${String(error)}`).toContain(code);
				found.set(`${path} ${code}`, (found.get(`${path} ${code}`) ?? 0) + 1);
				if (code === "RECORD_DAMAGED") await onDamage(flipped, where);
			}
		}
	}
	return found;
};

const viewOf = async (disk: FakeFiles): Promise<unknown> => view(await openFake(disk.afterKill(), { segmentBytesMax: SEGMENT_BYTES_MAX }));

describe("LOSS-3 one bit flipped anywhere", () => {
	test("in a log that was closed: found by name, or nothing is different", { timeout: ALL_BITS_MS }, async () => {
		const { disk, lines } = await smallLog("closed");
		const found = await flipAll(disk, disk.paths(), await viewOf(disk), async (flipped, where) => {
			await checkAccepted(flipped, lines, where);
		});
		// Every bit of every segment and of the facts of the folder counts.
		for (const path of disk.paths()) {
			if (/\.seg$|VERSION$|cursors$/.test(path)) expect(found.get(`${path} RECORD_DAMAGED`), path).toBe(disk.content(path).length * 8);
		}
	});

	test("in what a kill leaves beside the segments", { timeout: ALL_BITS_MS }, async () => {
		const { disk, lines } = await smallLog("killed");
		const beside = disk.paths().filter((path) => !path.endsWith(".seg"));
		expect(beside).toContain(`${FOLDER}/lock`);
		await flipAll(disk, beside, await viewOf(disk), async (flipped, where) => {
			await checkAccepted(flipped, lines, where);
		});
	});

	test("in the list of accepted losses: what it accepted is refused again", async () => {
		const { disk, lines } = await smallLog("closed");
		disk.flip(`${FOLDER}/00000000000000000001.seg`, 500);
		const losses = await checkAccepted(disk, lines, "the first damage");
		const list = `${FOLDER}/losses`;
		const found = await flipAll(disk, [list], await viewOf(disk), async (flipped) => {
			const log = await openFake(flipped, { acceptLoss: true });
			expect(log.losses).toEqual(losses);
		});
		expect(found.get(`${list} RECORD_DAMAGED`)).toBe(disk.content(list).length * 8);
	});

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
				for (const name of ["dedup", "dedup.old"]) unknown.remove(`${FOLDER}/${name}`);
				const code = await codeOf(openFake(unknown));
				expect(REFUSED, `${path} bit ${bit}`).toContain(code);
			}
		}
		const relearnt = disk.afterKill();
		for (const name of ["dedup", "dedup.old"]) relearnt.remove(`${FOLDER}/${name}`);
		expect(await view(await openFake(relearnt))).toEqual(whole);
	});

	test("LOSS-4 in one of the two copies of what is known, when what was archived is gone for ever", async () => {
		const { disk } = await smallLog("closed");
		const log = await openFake(disk, { segmentBytesMax: SEGMENT_BYTES_MAX });
		expect(await log.archive(5)).toBeGreaterThan(0);
		await log.append([plain("more")]);
		await log.close();
		for (const path of disk.paths()) if (path.startsWith(`${FOLDER}/archive/`)) disk.remove(path);
		const copies = [`${FOLDER}/dedup`, `${FOLDER}/dedup.old`];
		const found = await flipAll(disk, copies, await viewOf(disk), async () => undefined);
		expect([...found]).toEqual([]);
		const unknown = disk.afterKill();
		for (const path of copies) unknown.remove(path);
		expect(await codeOf(openFake(unknown))).toBe("RECORD_DAMAGED");
		// Accepted: what the archive held is not asked for again.
		const accepted = await openFake(unknown, { acceptLoss: true });
		expect(accepted.gaps().filter(({ fromSeq }) => fromSeq === 1)).toEqual([]);
	});
});
