// Shows that what was acknowledged and is damaged is told by position before the log goes on, and only what never was is cut: LOSS-2, LOSS-3.
import { describe, expect, test } from "vitest";
import { FakeFiles } from "../support/files.ts";
import { codeOf, FOLDER, openFake, plain, said } from "../support/log.ts";
import { checkAccepted, smallLog } from "./small-log.ts";

const SEGMENT = `${FOLDER}/00000000000000000001.seg`;

/** A log whose last record was acknowledged, as a crash right after it leaves the disk. */
const acknowledged = async (): Promise<{ readonly files: FakeFiles; readonly lastBytes: number }> => {
	const files = new FakeFiles();
	const log = await openFake(files);
	await log.append([plain("first")]);
	const before = files.content(SEGMENT).length;
	await log.append([plain("last a"), plain("last b")]);
	return { files, lastBytes: files.content(SEGMENT).length - before };
};

describe("LOSS-3 the last record", () => {
	test("was acknowledged and flipped since: damage, not a torn write; at every bit, after a kill and after a power cut", async () => {
		const { files, lastBytes } = await acknowledged();
		// The mark is synced when nothing else waits.
		for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
		const sizeBytes = files.content(SEGMENT).length;
		for (const after of [files.afterKill(), files.afterPowerCut()]) {
			for (let bit = (sizeBytes - lastBytes) * 8; bit < sizeBytes * 8; bit += 1) {
				const flipped = after.afterKill();
				flipped.flip(SEGMENT, bit);
				expect(await codeOf(openFake(flipped)), `bit ${bit}`).toBe("RECORD_DAMAGED");
				expect(await checkAccepted(flipped, ["1 first", "2 last a", "3 last b"], `bit ${bit}`)).toEqual([{ fromPosition: 2, toPosition: 3, bytes: lastBytes }]);
			}
		}
	});

	test("was acknowledged and is gone: damage at every length of the file", async () => {
		const { files } = await acknowledged();
		const whole = files.content(SEGMENT);
		for (let bytes = 0; bytes < whole.length; bytes += 1) {
			const cut = files.afterKill();
			cut.put(SEGMENT, whole.subarray(0, bytes));
			expect(await codeOf(openFake(cut)), `${bytes} bytes`).toBe("RECORD_DAMAGED");
			await checkAccepted(cut, ["1 first", "2 last a", "3 last b"], `${bytes} bytes`);
		}
	});

	test("was never acknowledged and is bad at any bit: cut without a word", async () => {
		const { files } = await acknowledged();
		for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
		const keptBytes = files.content(SEGMENT).length;
		const log = await openFake(files.afterKill());
		await log.close();
		const again = files.afterKill();
		const writer = await openFake(again);
		await new Promise<void>((resolve) => {
			again.before = ({ kind, path }) => {
				if (kind !== "fdatasync" || path !== SEGMENT) return undefined;
				resolve();
				return new Promise<void>(() => undefined);
			};
			void writer.append([plain("never told")]);
		});
		for (let bit = keptBytes * 8; bit < again.content(SEGMENT).length * 8; bit += 1) {
			const flipped = again.afterKill();
			flipped.flip(SEGMENT, bit);
			const opened = await openFake(flipped);
			expect(await said(opened), `bit ${bit}`).toEqual(["1 first", "2 last a", "3 last b"]);
		}
	});

	test("is bad and nobody knows whether it was acknowledged: damage, because unknown is not nothing", async () => {
		const { files } = await acknowledged();
		const disk = files.afterKill();
		disk.remove(`${FOLDER}/tail`);
		expect(await codeOf(openFake(disk))).toBe("RECORD_DAMAGED");
	});
});

describe("LOSS-3 damage in the middle", () => {
	test("a segment that is gone is told by its positions, wherever it was", async () => {
		const { disk, lines } = await smallLog("closed");
		const segments = disk.paths().filter((path) => path.endsWith(".seg"));
		expect(segments.length).toBeGreaterThan(2);
		for (const path of segments) {
			const without = disk.afterKill();
			without.remove(path);
			expect(await codeOf(openFake(without)), path).toBe("RECORD_DAMAGED");
			const losses = await checkAccepted(without, lines, path);
			expect(losses.length, path).toBe(1);
		}
	});

	test("only the batch with the bad record is lost, whole, and what follows in the segment is served", async () => {
		const files = new FakeFiles();
		const log = await openFake(files);
		for (const batch of [["a"], ["b1", "b2", "b3"], ["c"], ["d1", "d2"]]) await log.append(batch.map(plain));
		await log.close();
		const at = Buffer.from(files.content(SEGMENT)).indexOf("b2");
		files.flip(SEGMENT, at * 8);
		const accepted = await openFake(files, { acceptLoss: true, memoryBytesMax: 0 });
		expect(await said(accepted)).toEqual(["1 a", "5 c", "6 d1", "7 d2"]);
		expect(accepted.losses.map(({ fromPosition, toPosition }) => [fromPosition, toPosition])).toEqual([[2, 4]]);
		expect((await accepted.read(3, 1)).map(({ position }) => position)).toEqual([5]);
	});

	test("a loss is accepted when the first batch is durable, and not before", async () => {
		const { disk } = await smallLog("closed");
		disk.flip(SEGMENT, disk.content(SEGMENT).length * 8 - 1);
		const log = await openFake(disk, { acceptLoss: true });
		expect(log.losses.length).toBe(1);
		await log.close();
		expect(await codeOf(openFake(disk))).toBe("RECORD_DAMAGED");
		const told = await openFake(disk, { acceptLoss: true });
		expect(told.losses).toEqual(log.losses);
		await told.append([plain("the fact")]);
		const opened = await openFake(disk.afterPowerCut());
		expect(opened.losses).toEqual([]);
		await opened.close();
	});

	test("a disk that flips a bit while the log is open is found out by the next reader", async () => {
		const files = new FakeFiles();
		const log = await openFake(files, { memoryBytesMax: 0 });
		await log.append([plain("a"), plain("b")]);
		const at = Buffer.from(files.content(SEGMENT)).lastIndexOf("b");
		const content = files.content(SEGMENT);
		content[at] = 0x63;
		expect(await codeOf(log.read(2, 1))).toBe("RECORD_DAMAGED");
		expect((await log.read(1, 1)).length).toBe(1);
	});

	test("many bits at once, seeded: nothing is altered, and what is not there is told", async () => {
		const { disk, lines } = await smallLog("closed");
		const segments = disk.paths().filter((path) => path.endsWith(".seg"));
		for (let round = 0; round < 300; round += 1) {
			const spoilt = disk.afterKill();
			for (let flip = 0; flip < 1 + (round % 5); flip += 1) {
				const path = segments[(round * 7 + flip * 3) % segments.length] ?? SEGMENT;
				spoilt.flip(path, (round * 7_919 + flip * 104_729) % (spoilt.content(path).length * 8));
			}
			const code = await codeOf(openFake(spoilt).then((log) => log.close()));
			expect(["RECORD_DAMAGED", "FOLDER_NEWER", "FOLDER_FOREIGN", "nothing was refused"], `round ${round}`).toContain(code);
			if (code === "RECORD_DAMAGED") await checkAccepted(spoilt, lines, `round ${round}`);
		}
	});
});
