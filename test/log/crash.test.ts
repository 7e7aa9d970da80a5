// Shows that a crash at any moment loses nothing that was acknowledged and invents nothing: LOSS-1, LOSS-2, LOSS-4, LOSS-10.
import { describe, expect, test } from "vitest";
import type { Log } from "../../log/port.ts";
import type { SegmentsLog } from "../../log/segments.ts";
import { FakeFiles } from "../support/files.ts";
import { FOLDER, gapFact, named, numbered, openFake, plain, said, text } from "../support/log.ts";
import { seeded } from "../support/random.ts";

const SEGMENT_BYTES_MAX = 200;

/** What a client was told, at the moment of a crash. */
interface Told {
	readonly records: ReadonlySet<string>;
	readonly cursor: number;
	readonly archivedUpTo: number;
	readonly closedGaps: number;
}

interface Crash {
	readonly at: string;
	readonly disk: FakeFiles;
	readonly told: Told;
}

const BATCHES = [
	[numbered(1)],
	[numbered(2), plain("two a"), plain("two b")],
	[numbered(3), named("x")],
	[plain("big ".repeat(30))],
	[numbered(6)],
	[numbered(7), numbered(8), numbered(9), numbered(10)],
	[numbered(2)],
	[plain("last one"), numbered(11)],
];

/** One run of everything the log does, with the disk as a crash would leave it before each of its operations. */
const crashesOf = async (seed: number): Promise<readonly Crash[]> => {
	const random = seeded(seed);
	const files = new FakeFiles();
	const crashes: Crash[] = [];
	const records = new Set<string>();
	let told: Told = { records, cursor: 0, archivedUpTo: 0, closedGaps: 0 };
	files.before = ({ kind, path }) => {
		const at = `before ${kind} of ${path}, crash ${crashes.length}`;
		const now = { ...told, records: new Set(records) };
		const torn = random();
		crashes.push({ at: `${at}, power cut, nothing kept`, disk: files.afterPowerCut(), told: now });
		crashes.push({ at: `${at}, power cut, all kept`, disk: files.afterPowerCut({ tornBytes: () => Number.POSITIVE_INFINITY, names: "live" }), told: now });
		crashes.push({
			at: `${at}, power cut, torn`,
			disk: files.afterPowerCut({ tornBytes: (_, pendingBytes) => Math.floor(torn * (pendingBytes + 1)), names: random() < 0.5 ? "live" : "kept" }),
			told: now,
		});
		crashes.push({ at: `${at}, killed`, disk: files.afterKill(), told: now });
	};
	for (let start = 0; start < 2; start += 1) {
		const log = await openFake(files, { segmentBytesMax: SEGMENT_BYTES_MAX });
		for (const batch of BATCHES.slice(start * 4, start * 4 + 4)) {
			await log.append(batch);
			for (const entry of batch) records.add(text(entry.bytes));
		}
		await log.setCursor("engine", 3 + start);
		told = { ...told, cursor: 3 + start };
		const [gap] = log.gaps();
		if (gap !== undefined) {
			await log.append([gapFact(gap)]);
			records.add(text(gapFact(gap).bytes));
			log.closeGap(gap);
			told = { ...told, closedGaps: told.closedGaps + 1 };
		}
		await Promise.all([log.append([plain(`m ${start}`)]), log.append([plain(`n ${start}`), plain(`o ${start}`)])]);
		for (const word of ["m", "n", "o"]) records.add(`${word} ${start}`);
		told = { ...told, archivedUpTo: 4 };
		await log.archive(4);
		await log.close();
	}
	files.before = undefined;
	return crashes;
};

/** Everything ever written, in its order. */
const written = async (): Promise<readonly string[]> => {
	const files = new FakeFiles();
	const log = await openFake(files);
	for (let start = 0; start < 2; start += 1) {
		for (const batch of BATCHES.slice(start * 4, start * 4 + 4)) await log.append(batch);
		const [gap] = log.gaps();
		if (gap !== undefined) {
			await log.append([gapFact(gap)]);
			log.closeGap(gap);
		}
		for (const batch of [["m"], ["n", "o"]]) await log.append(batch.map((word) => plain(`${word} ${start}`)));
	}
	return (await said(log)).map((line) => line.slice(line.indexOf(" ") + 1));
};

const checkAfter = async (log: SegmentsLog, crash: Crash, all: readonly string[]): Promise<void> => {
	const lines = await said(log);
	const first = log.first();
	expect(log.losses, crash.at).toEqual([]);
	// In order, at their positions, and nothing that was not sent.
	expect(lines, crash.at).toEqual(all.slice(first - 1, log.head()).map((record, index) => `${first + index} ${record}`));
	if (first > 1) expect(first - 1, crash.at).toBeLessThanOrEqual(crash.told.archivedUpTo);
	for (const record of crash.told.records) expect(all.slice(0, log.head()), crash.at).toContain(record);
	// LOSS-2: the next record is not the rest of a batch.
	expect(["two a", "two b", "lane /nodes/a 1.a event 8 | message 8", "o 0", "o 1"], crash.at).not.toContain(all[log.head()]);
	expect(log.cursor("engine"), crash.at).toBeGreaterThanOrEqual(crash.told.cursor);
	// LOSS-5: a gap that was told of does not open again.
	if (crash.told.closedGaps > 0) expect(log.gaps(), crash.at).toEqual([]);
};

/** Whatever was told or not is sent again; each is there once. */
const sendAgain = async (log: Log, crash: Crash): Promise<void> => {
	const entries = BATCHES.flat().filter(({ key }) => key !== undefined);
	const outcomes = await log.append(entries);
	expect(
		outcomes.some(({ kind }) => kind === "fork"),
		crash.at,
	).toBe(false);
	for (const [index, outcome] of outcomes.entries()) {
		const entry = entries[index];
		if (entry !== undefined && crash.told.records.has(text(entry.bytes))) expect(outcome.kind, `${crash.at}: ${text(entry.bytes)}`).toBe("duplicate");
	}
	const keyed = (await said(log)).map((line) => line.slice(line.indexOf(" ") + 1)).filter((line) => /^(lane|id) /.test(line));
	expect(new Set(keyed).size, crash.at).toBe(keyed.length);
};

describe("a crash before any operation on the disk", () => {
	for (const seed of [1, 2]) {
		test(`LOSS-1 LOSS-2 LOSS-4 seed ${seed}: power cut or kill -9, everything acknowledged is there once`, async () => {
			const all = await written();
			const crashes = await crashesOf(seed);
			expect(crashes.length).toBeGreaterThan(400);
			for (const crash of crashes) {
				const log = await openAfter(crash);
				await checkAfter(log, crash, all);
				await sendAgain(log, crash);
				const before = await said(log);
				await log.close();
				const again = await openAfter(crash);
				expect(await said(again), crash.at).toEqual(before);
				await again.close();
			}
		});
	}

	test("LOSS-1 LOSS-2 a crash while a crash is mended", async () => {
		const all = await written();
		const crashes = (await crashesOf(4)).filter((_, index) => index % 29 === 0);
		for (const crash of crashes) {
			const second: FakeFiles[] = [];
			crash.disk.before = () => {
				second.push(crash.disk.afterPowerCut(), crash.disk.afterPowerCut({ tornBytes: (_, pending) => pending >>> 1, names: "live" }), crash.disk.afterKill());
			};
			const log = await openAfter(crash);
			for (const disk of second) await checkAfter(await openAfter({ ...crash, disk }), crash, all);
			crash.disk.before = undefined;
			await log.close();
		}
	});
});

const openAfter = (crash: Crash): Promise<SegmentsLog> =>
	openFake(crash.disk, { segmentBytesMax: SEGMENT_BYTES_MAX }).catch((error: unknown) => {
		throw new Error(`not opened ${crash.at}: ${String(error)}`, { cause: error });
	});

/** The disk at the moment when a batch is written, but not synced and not acknowledged. */
const inTheMiddleOf = async (batch: readonly string[]): Promise<{ readonly disk: FakeFiles; readonly segment: string; readonly keptBytes: number }> => {
	const files = new FakeFiles();
	const log = await openFake(files);
	await log.append([plain("first")]);
	await log.append([plain("second a"), plain("second b")]);
	const segment = `${FOLDER}/00000000000000000001.seg`;
	const keptBytes = files.content(segment).length;
	const disk = await new Promise<FakeFiles>((resolve) => {
		files.before = ({ kind, path }) => {
			if (kind === "fdatasync" && path === segment) resolve(files);
			return kind === "fdatasync" ? new Promise<void>(() => undefined) : undefined;
		};
		void log.append(batch.map(plain));
	});
	return { disk, segment, keptBytes };
};

const ACKNOWLEDGED = ["1 first", "2 second a", "3 second b"];

describe("a write that was cut short", () => {
	for (const [what, batch] of [
		["the last record", ["third"]],
		["the last batch", ["third a", "third b", "third c"]],
	] as const) {
		test(`LOSS-2 ${what} torn at every byte offset is cut, and only a whole one stays`, async () => {
			const { disk, segment, keptBytes } = await inTheMiddleOf(batch);
			const whole = disk.content(segment);
			const complete = [...ACKNOWLEDGED, ...batch.map((record, index) => `${4 + index} ${record}`)];
			for (let bytes = 0; bytes <= whole.length - keptBytes; bytes += 1) {
				const torn = disk.afterPowerCut({ tornBytes: (path) => (path === segment ? bytes : 0) });
				const killed = disk.afterKill();
				killed.put(segment, whole.subarray(0, keptBytes + bytes));
				const zeroed = disk.afterKill();
				zeroed.put(
					segment,
					Uint8Array.from(whole, (byte, index) => (index < keptBytes + bytes ? byte : 0)),
				);
				for (const after of [torn, killed, zeroed]) {
					const log = await openFake(after);
					// The rest may have been zero bytes anyway.
					const isWhole = Buffer.compare(Buffer.from(after.content(segment)), Buffer.from(whole)) === 0;
					expect(await said(log)).toEqual(isWhole ? complete : ACKNOWLEDGED);
					await log.append([plain("next")]);
					expect((await said(log)).at(-1)).toBe(`${(isWhole ? complete : ACKNOWLEDGED).length + 1} next`);
					await log.close();
					const again = await openFake(after);
					expect((await said(again)).length).toBe(log.head());
					await again.close();
				}
			}
		});
	}

	test("LOSS-2 sectors of one write that arrived out of order are cut from the first that is missing", async () => {
		const batch = ["third a", "third b", "third c"];
		const { disk, segment, keptBytes } = await inTheMiddleOf(batch);
		const whole = disk.content(segment);
		for (let from = keptBytes; from < whole.length - 1; from += 1) {
			const after = disk.afterKill();
			after.put(
				segment,
				Uint8Array.from(whole, (byte, index) => (index >= from && index < from + 2 ? 0xa5 : byte)),
			);
			const log = await openFake(after);
			expect(await said(log)).toEqual(ACKNOWLEDGED);
			await log.close();
		}
	});

	test("LOSS-1 what is found whole but was not synced is synced before it is served", async () => {
		const { disk } = await inTheMiddleOf(["third"]);
		const killed = disk.afterKill();
		const log = await openFake(killed);
		expect(await said(log)).toEqual([...ACKNOWLEDGED, "4 third"]);
		const again = await openFake(killed.afterPowerCut());
		expect(await said(again)).toEqual([...ACKNOWLEDGED, "4 third"]);
	});
});

test("LOSS-1 nobody is told before the data is on disk, and a power cut right after keeps it", async () => {
	const files = new FakeFiles();
	const log = await openFake(files);
	let release = (): void => undefined;
	const began = new Promise<void>((resolve) => {
		files.before = ({ kind, path }) => {
			if (kind !== "fdatasync" || !path.endsWith(".seg")) return undefined;
			resolve();
			return new Promise<void>((done) => {
				release = done;
			});
		};
	});
	let isTold = false;
	const appended = log.append([plain("a")]).then(() => {
		isTold = true;
	});
	await began;
	for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
	expect([isTold, log.head(), await log.read(1, 1)]).toEqual([false, 0, []]);
	release();
	await appended;
	const after = await openFake(files.afterPowerCut());
	expect(await said(after)).toEqual(["1 a"]);
});

test("batches that wait share one write and one fdatasync", async () => {
	const files = new FakeFiles();
	const log = await openFake(files);
	const syncsBefore = files.counts.fdatasync ?? 0;
	await Promise.all(Array.from({ length: 500 }, (_, index) => log.append([plain(`${index}`)])));
	// One for the records; one in the background for the mark.
	expect((files.counts.fdatasync ?? 0) - syncsBefore).toBeLessThanOrEqual(2);
	await log.close();
});
