// Shows that a full disk refuses and recovers by itself, and that a failed fsync ends everything: LOSS-6, LOSS-7.
import { describe, expect, test } from "vitest";
import { ERRORS, OrionError } from "../../contracts/errors.ts";
import { FakeFiles, systemError } from "../support/files.ts";
import { codeOf, FOLDER, kinds, named, numbered, openFake, plain, readAll, said, text } from "../support/log.ts";

const SEGMENT = `${FOLDER}/00000000000000000001.seg`;

const usedBytes = (files: FakeFiles): number => files.paths().reduce((sum, path) => sum + files.content(path).length, 0);

describe("LOSS-7 a full disk", () => {
	test("refuses a batch whole at every number of bytes that are left, keeps what was acknowledged, and takes the batch when there is room", async () => {
		const batch = [numbered(2), numbered(3, "with some more to say")];
		for (let leftBytes = 0; ; leftBytes += 1) {
			const files = new FakeFiles();
			const log = await openFake(files);
			await log.append([numbered(1)]);
			const lengthBefore = files.content(SEGMENT).length;
			files.capacityBytes = usedBytes(files) + leftBytes;
			const code = await codeOf(log.append(batch));
			if (code === "nothing was refused") {
				expect(leftBytes).toBeGreaterThan(100);
				return;
			}
			expect([code, ERRORS.DISK_FULL.retryable]).toEqual(["DISK_FULL", true]);
			expect([files.content(SEGMENT).length, log.head(), log.gaps()]).toEqual([lengthBefore, 1, []]);
			expect((await said(log)).length).toBe(1);
			// Refused is not stored: neither a duplicate nor a fork when it comes again, also with other bytes.
			files.capacityBytes = Number.POSITIVE_INFINITY;
			expect(await kinds(log, numbered(2, "other"), numbered(3))).toEqual(["stored", "stored"]);
			await log.close();
			const again = await openFake(files);
			expect((await readAll(again)).map(({ position }) => position)).toEqual([1, 2, 3]);
			expect(await kinds(again, numbered(2, "other"))).toEqual(["duplicate"]);
		}
	});

	test("refuses all that share the write, and duplicates of what was not stored with them", async () => {
		const files = new FakeFiles();
		const log = await openFake(files);
		files.capacityBytes = usedBytes(files) + 10;
		const attempts = [log.append([numbered(1)]), log.append([numbered(1)]), log.append([numbered(2)])];
		expect(await Promise.all(attempts.map(codeOf))).toEqual(["DISK_FULL", "DISK_FULL", "DISK_FULL"]);
		files.capacityBytes = Number.POSITIVE_INFINITY;
		expect(await kinds(log, numbered(1), numbered(2))).toEqual(["stored", "stored"]);
	});

	test("when a new segment would be begun", async () => {
		const files = new FakeFiles();
		const log = await openFake(files, { segmentBytesMax: 120 });
		await log.append([plain("a".repeat(60))]);
		files.capacityBytes = usedBytes(files) + 12;
		expect(await codeOf(log.append([plain("b".repeat(60))]))).toBe("DISK_FULL");
		expect(await codeOf(log.append([plain("b".repeat(60))]))).toBe("DISK_FULL");
		files.capacityBytes = Number.POSITIVE_INFINITY;
		expect(await kinds(log, plain("c"))).toEqual(["stored"]);
		await log.close();
		expect((await said(await openFake(files))).map((line) => line.slice(0, 3))).toEqual(["1 a", "2 c"]);
	});

	test("LOSS-43 what was cut short does not come back, by a power cut, at the end of a segment that the log has left", async () => {
		const files = new FakeFiles();
		const log = await openFake(files, { segmentBytesMax: 200 });
		await log.append([plain("a".repeat(60))]);
		files.capacityBytes = usedBytes(files) + 30;
		expect(await codeOf(log.append([plain("b".repeat(60))]))).toBe("DISK_FULL");
		files.capacityBytes = Number.POSITIVE_INFINITY;
		await log.append([plain("c".repeat(150))]);
		const after = files.afterPowerCut({ tornBytes: (_path, pendingBytes) => pendingBytes, names: "live" });
		expect((await said(await openFake(after))).map((line) => line.slice(0, 3))).toEqual(["1 a", "2 c"]);
	});

	/** A segment that a full disk left half-made, and the older one with room for a short record. */
	const halfMade = async () => {
		const files = new FakeFiles();
		const log = await openFake(files, { segmentBytesMax: 170 });
		await log.append([plain("a".repeat(60))]);
		files.capacityBytes = usedBytes(files) + 12;
		expect(await codeOf(log.append([plain("b".repeat(80))]))).toBe("DISK_FULL");
		files.capacityBytes = Number.POSITIVE_INFINITY;
		return { files, log };
	};

	test("LOSS-43 no position has two places: a segment that was left half-made is finished before anything else is stored", async () => {
		const { files, log } = await halfMade();
		await log.append([plain("c")]);
		await log.append([plain("d".repeat(80))]);
		expect((await said(await openFake(files.afterKill()))).map((line) => line.slice(0, 3))).toEqual(["1 a", "2 c", "3 d"]);
	});

	test("LOSS-43 one that a start has removed is not there again after a power cut", async () => {
		const { files, log } = await halfMade();
		// Its name is on disk with the cursor's.
		await log.setCursor("engine", 1);
		const killed = files.afterKill();
		const again = await openFake(killed, { segmentBytesMax: 170 });
		// The mark of the first is on disk when the second is.
		for (const says of ["c", "d"]) await again.append([plain(says)]);
		expect((await said(await openFake(killed.afterPowerCut()))).map((line) => line.slice(0, 3))).toEqual(["1 a", "2 c", "3 d"]);
	});

	test("refuses a cursor and leaves it where it was", async () => {
		const files = new FakeFiles();
		const log = await openFake(files);
		await log.setCursor("engine", 1);
		files.capacityBytes = 0;
		expect([await codeOf(log.setCursor("engine", 2)), log.cursor("engine")]).toEqual(["DISK_FULL", 1]);
		files.capacityBytes = Number.POSITIVE_INFINITY;
		await log.setCursor("engine", 2);
		await log.close();
		expect((await openFake(files)).cursor("engine")).toBe(2);
	});

	test("archives nothing that could not be known again", async () => {
		const files = new FakeFiles();
		const log = await openFake(files, { segmentBytesMax: 120 });
		files.before = ({ kind, path }) => {
			if (kind === "write" && path.includes("dedup")) throw systemError("ENOSPC", path);
		};
		for (let seq = 1; seq <= 6; seq += 1) await log.append([numbered(seq)]);
		expect([await codeOf(log.archive(4)), log.first()]).toEqual(["DISK_FULL", 1]);
		files.before = undefined;
		expect(await log.archive(4)).toBeGreaterThan(0);
		expect(await kinds(await openFake(files.afterPowerCut()), numbered(1), numbered(7))).toEqual(["duplicate", "stored"]);
	});

	test("at the start is said by name", async () => {
		const files = new FakeFiles();
		files.capacityBytes = 10;
		expect(await codeOf(openFake(files))).toBe("DISK_FULL");
	});

	test("while closing: the log closes, and knows everything again from its records", async () => {
		const files = new FakeFiles();
		const log = await openFake(files);
		await log.append([numbered(1), named("x")]);
		files.capacityBytes = usedBytes(files);
		await log.close();
		files.capacityBytes = Number.POSITIVE_INFINITY;
		expect(await kinds(await openFake(files), numbered(1), named("x", "other"))).toEqual(["duplicate", "fork"]);
	});
});

describe("LOSS-6 a failed fsync", () => {
	const failing = async (isIt: (path: string) => boolean, code = "EIO") => {
		const files = new FakeFiles();
		const fatal: unknown[] = [];
		const log = await openFake(files, { onFatal: (error) => fatal.push(error) });
		await log.append([plain("kept")]);
		for (let turn = 0; turn < 200; turn += 1) await Promise.resolve();
		files.before = ({ kind, path }) => {
			if (["fdatasync", "fsync"].includes(kind) && isIt(path)) throw systemError(code, path);
		};
		return { files, fatal, log };
	};

	for (const code of ["EIO", "ENOSPC"]) {
		test(`of records (${code}): nobody is told, nothing more is accepted, and the owner hears it once`, async () => {
			const { files, fatal, log } = await failing((path) => path === SEGMENT, code);
			const attempts = await Promise.all([log.append([plain("a")]), log.append([plain("b")])].map(codeOf));
			expect(attempts).toEqual(["FSYNC_FAILED", "FSYNC_FAILED"]);
			files.before = undefined;
			expect(await codeOf(log.append([plain("c")]))).toBe("FSYNC_FAILED");
			expect(await codeOf(log.setCursor("engine", 1))).toBe("FSYNC_FAILED");
			expect(await codeOf(log.archive(1))).toBe("FSYNC_FAILED");
			expect([log.head(), fatal.length]).toEqual([1, 1]);
			expect(fatal[0]).toBeInstanceOf(OrionError);
			expect(ERRORS.FSYNC_FAILED.exit).toBe(70);
			expect((await log.read(1, 9)).map(({ bytes }) => text(bytes))).toEqual(["kept"]);
			expect(await codeOf(log.close())).toBe("FSYNC_FAILED");
			// What is found by the next process is whole batches.
			expect(["1 kept", "2 a", "3 b"].slice(0, 1)).toEqual((await said(await openFake(files.afterPowerCut()))).slice(0, 1));
		});
	}

	test("of the mark, in the background", async () => {
		const { fatal, log } = await failing((path) => path.endsWith("/tail"));
		await log.append([plain("a")]);
		for (let turn = 0; turn < 200; turn += 1) await Promise.resolve();
		expect(fatal.length).toBe(1);
		expect(await codeOf(log.append([plain("b")]))).toBe("FSYNC_FAILED");
	});

	test("of a cursor", async () => {
		const { fatal, log } = await failing((path) => path.includes("cursors"));
		expect(await codeOf(log.setCursor("engine", 1))).toBe("FSYNC_FAILED");
		expect([log.cursor("engine"), fatal.length]).toEqual([0, 1]);
	});

	test("a write that fails for another reason than room is as bad", async () => {
		const files = new FakeFiles();
		const fatal: unknown[] = [];
		const log = await openFake(files, { onFatal: (error) => fatal.push(error) });
		files.before = ({ kind }) => {
			if (kind === "write") throw systemError("EIO");
		};
		expect(await codeOf(log.append([plain("a")]))).toBe("FSYNC_FAILED");
		expect(fatal.length).toBe(1);
	});
});

test("a record or a batch beyond its bound is refused by name", async () => {
	const log = await openFake(new FakeFiles());
	expect(await codeOf(log.append([{ bytes: new Uint8Array(16_777_217) }]))).toBe("TOO_LARGE");
	expect(await codeOf(log.append(Array.from({ length: 65_537 }, () => plain(""))))).toBe("TOO_LARGE");
	expect((await log.append([{ bytes: new Uint8Array(16_777_216) }]))[0]?.kind).toBe("stored");
	expect((await log.append(Array.from({ length: 65_536 }, () => plain("")))).length).toBe(65_536);
	expect(log.head()).toBe(65_537);
});
