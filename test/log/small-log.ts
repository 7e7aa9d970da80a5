// A small log with everything in it that a folder can hold, and what has to be true of it after damage was accepted.
import { expect } from "vitest";
import type { RecordLoss, SegmentsLog } from "../../log/segments.ts";
import { FakeFiles } from "../support/files.ts";
import { gapFact, kinds, named, numbered, openFake, plain, said } from "../support/log.ts";

export const SEGMENT_BYTES_MAX = 150;
const BATCHES = [[numbered(1)], [numbered(2), plain("b1"), plain("b2")], [numbered(4)], [named("x")], [plain("c1"), plain("c2")], [numbered(5)], [numbered(7)]];

/** A small log of several segments, with everything in it that a folder can hold. */
export const smallLog = async (end: "closed" | "killed"): Promise<{ readonly disk: FakeFiles; readonly lines: readonly string[] }> => {
	const files = new FakeFiles();
	const log = await openFake(files, { segmentBytesMax: SEGMENT_BYTES_MAX });
	for (const batch of BATCHES) await log.append(batch);
	await log.setCursor("engine", 6);
	for (const gap of log.gaps().slice(0, 1)) {
		await log.append([gapFact(gap)]);
		log.closeGap(gap);
	}
	const lines = await said(log);
	if (end === "closed") await log.close();
	return { disk: end === "closed" ? files : files.afterKill(), lines };
};

/** Everything that can be seen of a log, and what it still knows. */
export const view = async (log: SegmentsLog): Promise<unknown> => {
	const seen = [await said(log), log.head(), log.first(), log.cursor("engine"), log.lanes(), log.gaps()];
	const again = await kinds(log, numbered(1), numbered(2, "other"), named("x"), named("x", "other"), numbered(7), numbered(3));
	return [seen, again];
};

const inRange = (losses: readonly RecordLoss[], position: number): boolean =>
	losses.some((loss) => loss.fromPosition <= position && position <= loss.toPosition);
const positionOf = (line: string): number => Number(line.split(" ")[0]);

/** With the loss accepted: everything that is not told as lost is there, unaltered, and new records stand behind. */
export const checkAccepted = async (disk: FakeFiles, lines: readonly string[], where: string): Promise<readonly RecordLoss[]> => {
	const log = await openFake(disk, { acceptLoss: true, segmentBytesMax: SEGMENT_BYTES_MAX });
	expect(await said(log), where).toEqual(lines.filter((line) => !inRange(log.losses, positionOf(line))));
	for (const loss of log.losses) expect(loss.toPosition, where).toBeLessThanOrEqual(lines.length);
	const before = await said(log);
	const [outcome] = await log.append([plain("the fact of the loss")]);
	expect(outcome, where).toEqual({ kind: "stored", position: lines.length + 1 });
	await log.close();
	// From now on it is accepted.
	const again = await openFake(disk, { segmentBytesMax: SEGMENT_BYTES_MAX });
	expect(again.losses, where).toEqual([]);
	expect(await said(again), where).toEqual([...before, `${lines.length + 1} the fact of the loss`]);
	await again.close();
	return log.losses;
};
