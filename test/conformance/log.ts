// Shows that a log keeps the promises of its port, whatever it is made of: LOSS-2, LOSS-4, LOSS-5.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LANES } from "../../contracts/envelope.ts";
import { sayFault } from "../../contracts/errors.ts";
import type { Entry, Gap, Log } from "../../log/port.ts";
import { codeOf, kinds, named, numbered, plain, readAll, said, text } from "../support/log.ts";

export interface OpenedLog {
	readonly log: Log;
	/** Closes it and opens it again where that means anything. */
	readonly reopen?: () => Promise<Log>;
	/** Lets time pass. */
	readonly pass: (ms: number) => void;
}

export interface LogConformance {
	/** Small segments, so that a few records make several. */
	readonly open: () => Promise<OpenedLog>;
}

const gap = (fromSeq: number, toSeq: number): Gap => ({ source: "/nodes/a", session: "1.a", lane: "event", fromSeq, toSeq });
const ranges = (log: Log): readonly string[] => log.gaps().map(({ fromSeq, toSeq }) => `${fromSeq}-${toSeq}`);
const mark = (log: Log): string =>
	log
		.lanes()
		.map(({ contiguous, highest }) => `${contiguous}/${highest}`)
		.join(" ");

const order = ({ open }: LogConformance): void => {
	test("positions are 1, 2, 3, ... in the order of the appends", async () => {
		const { log } = await open();
		expect([log.head(), log.first(), await log.read(1, 10)]).toEqual([0, 1, []]);
		const outcomes = await Promise.all(["a", "b", "c"].map((word) => log.append([plain(word)])));
		expect(outcomes.flat()).toEqual([1, 2, 3].map((position) => ({ kind: "stored", position })));
		expect(await said(log)).toEqual(["1 a", "2 b", "3 c"]);
		expect([log.head(), log.first()]).toEqual([3, 1]);
		await log.close();
	});

	test("LOSS-2 a batch stays together, and others come before or after it", async () => {
		const { log } = await open();
		const batches = Array.from({ length: 30 }, (_, index) => Array.from({ length: 1 + (index % 4) }, (__, part) => plain(`${index}.${part}`)));
		const outcomes = await Promise.all(batches.map((batch) => log.append(batch)));
		expect(await said(log)).toEqual(batches.flat().map((entry, index) => `${index + 1} ${text(entry.bytes)}`));
		expect(outcomes.flat().map((outcome) => (outcome.kind === "stored" ? outcome.position : 0))).toEqual(batches.flat().map((_, index) => index + 1));
		await log.close();
	});

	test("an empty batch is nothing, and an empty record is one", async () => {
		const { log } = await open();
		expect(await log.append([])).toEqual([]);
		expect(await kinds(log, plain(""))).toEqual(["stored"]);
		expect(await said(log)).toEqual(["1 "]);
		await log.close();
	});

	test("nothing can be read before it is durable, and the listeners hear of it then", async () => {
		const { log } = await open();
		const heads: number[] = [];
		const stop = log.onCommit((head) => heads.push(head));
		const appended = log.append([plain("a"), plain("b")]);
		expect([log.head(), await log.read(1, 10)]).toEqual([0, []]);
		await appended;
		expect([log.head(), heads]).toEqual([2, [2]]);
		stop();
		await log.append([plain("c")]);
		expect(heads).toEqual([2]);
		await log.close();
	});

	test("a page begins where it is asked to, never holds more than asked for, and ends at the head", async () => {
		const { log } = await open();
		for (let index = 1; index <= 25; index += 1) await log.append([plain(`record ${index}`)]);
		const positions = async (from: number, recordsMax: number): Promise<readonly number[]> =>
			(await log.read(from, recordsMax)).map(({ position }) => position);
		expect(await positions(4, 3)).toEqual([4, 5, 6]);
		expect(await positions(24, 10)).toEqual([24, 25]);
		expect(await positions(26, 10)).toEqual([]);
		expect(await positions(0, 2)).toEqual([1, 2]);
		expect(await positions(1, 0)).toEqual([]);
		for (const pageRecords of [1, 2, 7, 100]) expect((await readAll(log, pageRecords)).length).toBe(25);
		await log.close();
	});
};

const dedup = ({ open }: LogConformance): void => {
	test("LOSS-4 the same number with the same bytes is stored once, also within a batch and while the first is on its way", async () => {
		const { log } = await open();
		const first = log.append([numbered(1), numbered(1)]);
		const second = kinds(log, numbered(1));
		expect((await first).map(({ kind }) => kind)).toEqual(["stored", "duplicate"]);
		expect(await second).toEqual(["duplicate"]);
		expect(await kinds(log, numbered(1), numbered(2))).toEqual(["duplicate", "stored"]);
		expect([log.head(), mark(log)]).toEqual([2, "2/2"]);
		await log.close();
	});

	test("LOSS-4 numbers count per source, session and lane", async () => {
		const { log } = await open();
		const keys = ["/nodes/a", "/nodes/b"].flatMap((source) =>
			["1.a", "2.b"].flatMap((session) => LANES.map((lane) => numbered(1, "x", session, lane, source))),
		);
		expect(await kinds(log, ...keys)).toEqual(keys.map(() => "stored"));
		expect(await kinds(log, ...keys)).toEqual(keys.map(() => "duplicate"));
		await log.close();
	});

	test("LOSS-4 the same key with other bytes is a fork, below and above the mark, and for ids", async () => {
		const { log } = await open();
		await log.append([numbered(1), numbered(5), named("x")]);
		expect(await kinds(log, numbered(1, "other"), numbered(5, "other"), named("x", "other"))).toEqual(["fork", "fork", "fork"]);
		expect(await kinds(log, numbered(1), numbered(5), named("x"))).toEqual(["duplicate", "duplicate", "duplicate"]);
		expect(await kinds(log, numbered(2, "one"), numbered(2, "two"))).toEqual(["stored", "fork"]);
		expect(log.head()).toBe(4);
		await log.close();
	});

	test("LOSS-4 what is compared is the message as it came, not the record that it became", async () => {
		const { log } = await open();
		const { key, bytes: identity } = numbered(1);
		if (key === undefined) throw new Error("a numbered entry has a key");
		const stamped = (at: string): Entry => ({ bytes: Buffer.from(`${text(identity)} at ${at}`), identity, key });
		expect(await kinds(log, stamped("noon"))).toEqual(["stored"]);
		expect(await kinds(log, stamped("midnight"))).toEqual(["duplicate"]);
		await log.close();
	});

	test("without a key nothing is a duplicate", async () => {
		const { log } = await open();
		expect(await kinds(log, plain("a"), plain("a"))).toEqual(["stored", "stored"]);
		await log.close();
	});

	test("LOSS-4 any order and repetition of messages stores each once, whatever is appended together", async () => {
		const deliveries = fc.array(fc.record({ seq: fc.integer({ min: 1, max: 12 }), lane: fc.constantFrom(...LANES), together: fc.boolean() }), {
			maxLength: 60,
		});
		await fc.assert(
			fc.asyncProperty(deliveries, async (sent) => {
				const { log } = await open();
				const batches: Entry[][] = [];
				for (const { seq, lane, together } of sent) {
					const entry = numbered(seq, `message ${seq}`, "1.a", lane);
					const last = batches.at(-1);
					if (together && last !== undefined) last.push(entry);
					else batches.push([entry]);
				}
				const outcomes = (await Promise.all(batches.map((batch) => log.append(batch)))).flat();
				const wanted = [...new Set(sent.map(({ seq, lane }) => `${lane} ${seq}`))];
				expect(outcomes.filter(({ kind }) => kind === "stored").length).toBe(wanted.length);
				expect(outcomes.some(({ kind }) => kind === "fork")).toBe(false);
				const stored = (await readAll(log)).map(({ bytes }) => text(bytes).split(" ").slice(3, 5).join(" "));
				expect(stored).toEqual(wanted);
				for (const { lane, contiguous, highest } of log.lanes()) {
					const seqs = new Set(sent.filter((message) => message.lane === lane).map(({ seq }) => seq));
					expect(highest).toBe(Math.max(...seqs));
					// LOSS-5: highest = received + missing.
					const missing = log.gaps().reduce((sum, hole) => sum + (hole.lane === lane ? hole.toSeq - hole.fromSeq + 1 : 0), 0);
					expect(highest).toBe(seqs.size + missing);
					expect(seqs.has(contiguous + 1)).toBe(false);
				}
				await log.close();
			}),
			{ numRuns: 60 },
		);
	});

	test("LOSS-4 an id is known again among the newest of its source, and for ten minutes", async () => {
		const { log, pass } = await open();
		expect(await kinds(log, named("x"), named("x", "message x", "/nodes/b"))).toEqual(["stored", "stored"]);
		pass(599_000);
		expect(await kinds(log, named("x"))).toEqual(["duplicate"]);
		for (let minutes = 0; minutes < 21; minutes += 1) pass(60_000);
		expect(await kinds(log, named("x"))).toEqual(["stored"]);
		await log.close();
	});

	test("LOSS-4 65,536 ids that came after it do not make an id forgotten; two windows of them do", async () => {
		const { log } = await open();
		const ids = (from: number, count: number): Entry[] => Array.from({ length: count }, (_, index) => named(`n${from + index}`, ""));
		await log.append([named("first")]);
		await log.append(ids(0, 65_535));
		expect(await kinds(log, named("first"))).toEqual(["duplicate"]);
		await log.append(ids(65_535, 65_536));
		await log.append(ids(131_071, 10));
		expect(await kinds(log, named("first"))).toEqual(["stored"]);
		await log.close();
	});
};

const gaps = ({ open }: LogConformance): void => {
	test("LOSS-5 the mark stops at a hole and moves over it when it is filled", async () => {
		const { log } = await open();
		await log.append([1, 2, 5, 6, 9].map((seq) => numbered(seq)));
		expect([mark(log), ranges(log)]).toEqual(["2/9", ["3-4", "7-8"]]);
		expect(await kinds(log, numbered(3), numbered(4))).toEqual(["stored", "stored"]);
		expect([mark(log), ranges(log)]).toEqual(["6/9", ["7-8"]]);
		await log.close();
	});

	test("LOSS-5 a gap that is accounted for is closed, and what comes of it later is a duplicate", async () => {
		const { log } = await open();
		await log.append([1, 4, 6].map((seq) => numbered(seq)));
		log.closeGap(gap(5, 5));
		expect([mark(log), ranges(log)]).toEqual(["1/6", ["2-3"]]);
		log.closeGap(gap(2, 3));
		log.closeGap(gap(2, 3));
		expect([mark(log), ranges(log)]).toEqual(["6/6", []]);
		expect(await kinds(log, numbered(3), numbered(7))).toEqual(["duplicate", "stored"]);
		await log.close();
	});

	test("LOSS-5 a gap that a node tells of before anything came after it", async () => {
		const { log } = await open();
		log.closeGap(gap(1, 3));
		expect([mark(log), ranges(log)]).toEqual(["3/3", []]);
		expect(await kinds(log, numbered(4))).toEqual(["stored"]);
		await log.close();
	});

	test("LOSS-5 beyond 4,096 numbers above a hole the hole is closed but still told; what comes late is stored until it is", async () => {
		const { log } = await open();
		await log.append(Array.from({ length: 4_096 }, (_, index) => numbered(index + 4, "")));
		expect([mark(log), ranges(log)]).toEqual(["0/4099", ["1-3"]]);
		await log.append([numbered(4_100, "")]);
		expect([mark(log), ranges(log)]).toEqual(["4100/4100", ["1-3"]]);
		expect(await kinds(log, numbered(2), numbered(2))).toEqual(["stored", "duplicate"]);
		expect(ranges(log)).toEqual(["1-1", "3-3"]);
		log.closeGap(gap(1, 1));
		log.closeGap(gap(3, 3));
		expect(ranges(log)).toEqual([]);
		expect(await kinds(log, numbered(3))).toEqual(["duplicate"]);
		await log.close();
	});

	test("what is older than the newest 4,096 numbers counts as a duplicate, whatever its bytes", async () => {
		const { log } = await open();
		await log.append(Array.from({ length: 5_000 }, (_, index) => numbered(index + 1, "")));
		expect(await kinds(log, numbered(900, "other"), numbered(905, "other"))).toEqual(["duplicate", "fork"]);
		await log.close();
	});

	test("the newest sessions of a source are remembered, and old ones go without being forgotten to be told", async () => {
		const { log } = await open();
		const session = (counter: number): string => `${counter}.0123456789abcdef`;
		await log.append([numbered(3, "", session(1))]);
		for (let counter = 2; counter <= 60; counter += 1) await log.append([numbered(1, "", session(counter))]);
		const tracked = new Set(log.lanes().map((lane) => lane.session));
		expect(tracked.size).toBeLessThanOrEqual(32);
		for (const counter of [57, 58, 59, 60]) expect(tracked).toContain(session(counter));
		expect(await kinds(log, numbered(1, "", session(57)), numbered(1, "other", session(58)))).toEqual(["duplicate", "fork"]);
		expect(log.gaps().map(({ session: of, fromSeq, toSeq }) => [of, fromSeq, toSeq])).toEqual([[session(1), 1, 2]]);
		for (const hole of log.gaps()) log.closeGap(hole);
		expect(log.gaps()).toEqual([]);
		await log.close();
	});

	test("of a session that was let go with a number missing, that number is still taken when it comes", async () => {
		const { log } = await open();
		const session = (counter: number): string => `${counter}.0123456789abcdef`;
		for (let counter = 1; counter <= 80; counter += 1) for (const seq of [1, 3]) await log.append([numbered(seq, "", session(counter))]);
		expect(log.lanes().map((lane) => lane.session)).not.toContain(session(1));
		expect(await kinds(log, numbered(1, "", session(1)), numbered(2, "", session(1)))).toEqual(["duplicate", "stored"]);
		await log.close();
	});

	test("a card that is put back from a session long ago doubles nothing: what was stored, and where a number was missing, is known", async () => {
		const { log, reopen } = await open();
		const session = (counter: number): string => `${counter}.0123456789abcdef`;
		for (const seq of [1, 2, 3]) await log.append([numbered(seq, "", session(1))]);
		for (const seq of [1, 2, 4]) await log.append([numbered(seq, "", session(2))]);
		for (let counter = 3; counter <= 80; counter += 1) await log.append([numbered(1, "", session(counter))]);
		const again = async (of: Log): Promise<readonly string[]> =>
			kinds(of, ...[1, 2, 3].map((seq) => numbered(seq, "", session(1))), ...[1, 2].map((seq) => numbered(seq, "", session(2))), numbered(1, "", session(40)));
		expect(log.lanes().map((lane) => lane.session)).not.toContain(session(1));
		expect(await again(log)).toEqual(Array(6).fill("duplicate"));
		// It goes on from there, as the session that it is.
		expect(await kinds(log, numbered(4, "", session(1)), numbered(3, "", session(2)))).toEqual(["stored", "stored"]);
		expect(log.lanes().find((lane) => lane.session === session(1))).toMatchObject({ contiguous: 4, highest: 4 });
		const reopened = (await reopen?.()) ?? log;
		expect(await again(reopened)).toEqual(Array(6).fill("duplicate"));
		await reopened.close();
	});
};

const upkeep = ({ open }: LogConformance): void => {
	test("a cursor begins at 0, moves on, and never goes back", async () => {
		const { log } = await open();
		expect(log.cursor("engine")).toBe(0);
		await Promise.all([log.setCursor("engine", 4), log.setCursor("engine", 2), log.setCursor("audit", 1)]);
		await log.setCursor("engine", 3);
		expect([log.cursor("engine"), log.cursor("audit"), log.cursor("other")]).toEqual([4, 1, 0]);
		await log.close();
	});

	test("a cursor that is asked to go back while it is on its way does not", async () => {
		const { log } = await open();
		for (let turns = 0; turns < 12; turns += 1) {
			const reader = `reader ${turns}`;
			const moving = log.setCursor(reader, 9);
			for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
			await log.setCursor(reader, 7);
			await moving;
			expect(log.cursor(reader)).toBe(9);
		}
		await log.close();
	});

	test("only whole segments go to the archive, never the newest, and the positions stay", async () => {
		const { log } = await open();
		for (let index = 1; index <= 40; index += 1) await log.append([numbered(index)]);
		expect(await log.archive(0)).toBe(0);
		const gone = await log.archive(25);
		expect(gone).toBeGreaterThan(0);
		expect(log.first()).toBe(gone + 1);
		expect(gone).toBeLessThanOrEqual(25);
		expect((await log.read(1, 1))[0]?.position).toBe(gone + 1);
		const rest = await log.archive(1_000);
		expect(log.first()).toBe(gone + rest + 1);
		expect(log.first()).toBeLessThanOrEqual(log.head());
		expect(await log.archive(1_000)).toBe(0);
		expect((await readAll(log)).map(({ position }) => position)).toEqual(Array.from({ length: 40 - gone - rest }, (_, index) => gone + rest + 1 + index));
		expect(await kinds(log, numbered(1), numbered(41))).toEqual(["duplicate", "stored"]);
		await log.close();
	});

	test("closing while busy finishes what was accepted and refuses what comes after", async () => {
		const { log, reopen } = await open();
		const accepted = Promise.all(Array.from({ length: 20 }, (_, index) => log.append([numbered(index + 1)])));
		const closed = log.close();
		expect(await codeOf(log.append([plain("late")]))).toBe("LOG_CLOSED");
		expect((await accepted).length).toBe(20);
		await closed;
		await log.close();
		expect(await codeOf(log.setCursor("engine", 1))).toBe("LOG_CLOSED");
		const again = await reopen?.();
		if (again !== undefined) expect(again.head()).toBe(20);
		await again?.close();
	});

	test("an empty log that was closed and opened again takes records", async () => {
		const { log, reopen } = await open();
		const again = (await reopen?.()) ?? log;
		await again.append([plain("a")]);
		expect(await said(again)).toEqual(["1 a"]);
		await again.close();
	});

	test("what was stored, known, missing and done is the same after it was closed and opened again", async () => {
		const { log, reopen } = await open();
		if (reopen === undefined) return;
		await log.append([numbered(1), numbered(2), plain("p"), numbered(5), named("x")]);
		for (let index = 6; index <= 30; index += 1) await log.append([numbered(index), numbered(index, "", "1.a", "decision")]);
		log.closeGap({ ...gap(1, 5), lane: "decision" });
		await log.setCursor("engine", 17);
		const before = [await said(log), log.lanes(), log.gaps(), log.head(), log.first(), log.cursor("engine")];
		const again = await reopen();
		expect([await said(again), again.lanes(), again.gaps(), again.head(), again.first(), again.cursor("engine")]).toEqual(before);
		expect(await kinds(again, numbered(5), numbered(5, "other"), named("x"), named("x", "other"), numbered(3))).toEqual([
			"duplicate",
			"fork",
			"duplicate",
			"fork",
			"stored",
		]);
		expect(again.head()).toBe(log.head() + 1);
		await again.close();
	});
};

/** Every promise of log/port.ts that can be seen from outside. */
export const logConformance = (name: string, conformance: LogConformance): void => {
	describe(`${name}: order`, () => order(conformance));
	describe(`${name}: duplicates`, () => dedup(conformance));
	describe(`${name}: gaps`, () => gaps(conformance));
	describe(`${name}: cursors, archive, closing`, () => upkeep(conformance));
	test(`${name}: refusals say what to do`, async () => {
		const { log } = await conformance.open();
		await log.close();
		const error = await log.append([plain("x")]).catch((refused: unknown) => refused);
		expect(sayFault((error as { fault: Parameters<typeof sayFault>[0] }).fault)).toContain("closed");
	});
};
