// Shows that an order to stop holds until exactly it is released by whoever may, through repeats, late releases, restarts and files that cannot be read.
import { describe, expect, test } from "vitest";
import { readStopOrder, writeStopOrder } from "../../contracts/stop-order.ts";
import {
	type HeldOrder,
	heldBy,
	heldVerb,
	type LatchBook,
	type LatchInput,
	ORDERS_MAX,
	openLatch,
	RELEASED_MAX,
	stepLatch,
} from "../../edge/machines/latch.ts";
import { StopLatch, sayLatch } from "../../edge/stop-latch.ts";
import { MemoryFiles, Notes } from "./world.ts";

const name = (number: number): string => number.toString(16).padStart(16, "0");
const order = (number: number, verb: "stop" | "cut" = "stop", by = "peter"): HeldOrder => ({ order: name(number), verb, by, via: "cli" });
const run = (...inputs: readonly LatchInput[]): LatchBook => inputs.reduce((book, input) => stepLatch(book, input).book, openLatch);
const ordered = (number: number, verb?: "stop" | "cut"): LatchInput => ({ kind: "order", order: order(number, verb) });
const listed = (number: number, verb?: "stop" | "cut"): LatchInput => ({ kind: "listed", order: order(number, verb) });
const release = (...numbers: readonly number[]): LatchInput => ({ kind: "release", orders: numbers.map(name) });

describe("the latch (HARM-40)", () => {
	test("holds from the first order on, names who ordered it, and is opened by the release of that order", () => {
		const held = run(ordered(1));
		expect([heldVerb(held), heldBy(held)?.by, held.heard]).toEqual(["stop", "peter", name(1)]);
		const open = stepLatch(held, release(1));
		expect([open.outcome, heldVerb(open.book), open.book.released]).toEqual(["released", undefined, [name(1)]]);
	});
	test("counts repeats and keeps its first order's name; the same message twice is one order", () => {
		const held = run(ordered(1), ordered(1), { kind: "order", order: order(2, "stop", "anna") });
		expect([held.repeats, heldBy(held)?.by, heldVerb(held)]).toEqual([1, "peter", "stop"]);
		expect(stepLatch(held, ordered(2)).outcome).toBe("known");
	});
	test("a release that was decided before a newer order came does not open it", () => {
		const step = stepLatch(run(ordered(1), ordered(2)), release(1));
		expect([step.outcome, step.book.orders.map((held) => held.order)]).toEqual(["still-held", [name(2)]]);
		expect(stepLatch(step.book, release(2)).outcome).toBe("released");
	});
	test("a cut goes beyond a stop, and no release from afar opens it; a person at the node does", () => {
		const cut = stepLatch(run(ordered(1)), ordered(2, "cut"));
		expect([cut.outcome, heldVerb(cut.book), heldBy(cut.book)?.order]).toEqual(["raised", "cut", name(2)]);
		expect(stepLatch(cut.book, release(1, 2))).toEqual({ book: cut.book, outcome: "needs-presence" });
		expect(heldVerb(run(ordered(1, "cut"), ordered(2, "stop")))).toBe("cut");
		const open = stepLatch(cut.book, { kind: "presence" });
		expect([open.outcome, open.book.orders, open.book.released]).toEqual(["released", [], [name(1), name(2)]]);
	});
	test("core's list latches who missed the order, is no repeat, and does not bring back what was released", () => {
		const held = run(listed(1), listed(1), listed(1));
		expect([heldVerb(held), held.repeats]).toEqual(["stop", 0]);
		const open = run(ordered(1), { kind: "presence" }, listed(1));
		expect(heldVerb(open)).toBeUndefined();
		expect(heldVerb(run(ordered(1), { kind: "presence" }, ordered(1)))).toBe("stop");
	});
	test("a release that comes before its order keeps core's list from latching it", () => {
		const step = stepLatch(openLatch, release(1));
		expect(heldVerb(stepLatch(step.book, listed(1)).book)).toBeUndefined();
		expect(stepLatch(openLatch, { kind: "presence" }).outcome).toBe("not-latched");
	});
	test("holds a bounded number of orders, and among them a cut before any stop", () => {
		const held = run(ordered(1, "cut"), ...Array.from({ length: 100 }, (_, index) => ordered(index + 2)));
		expect([held.orders.length, heldVerb(held), held.repeats]).toEqual([ORDERS_MAX, "cut", 100]);
		const rounds = Array.from({ length: 100 }, (_, index): readonly LatchInput[] => [ordered(index), { kind: "presence" }]).flat();
		expect(run(...rounds).released).toHaveLength(RELEASED_MAX);
	});
});

describe("the latch and its file (HARM-41)", () => {
	const open = async (files: MemoryFiles, calls: string[] = []) =>
		StopLatch.open({ files, note: new Notes().note, onOutcome: (outcome) => calls.push(outcome) });

	test("a restart keeps what held and what was released", async () => {
		const files = new MemoryFiles();
		const before = await open(files);
		before.order("stop", order(1));
		before.release([name(1)]);
		before.order("cut", order(2));
		await before.settled();
		const after = await open(files);
		expect([after.isLatched, heldVerb(after.book), after.book.released]).toEqual([true, "cut", [name(1)]]);
		after.listed("stop", order(1));
		expect(after.book.orders).toHaveLength(1);
	});
	test("whatever must stop is told before the file is written, and a full disk undoes nothing", async () => {
		const calls: string[] = [];
		const files = new MemoryFiles();
		const notes = new Notes();
		files.write = () => {
			calls.push("write");
			return Promise.reject(new Error("full"));
		};
		const latch = await StopLatch.open({ files, note: notes.note, onOutcome: (outcome) => calls.push(outcome) });
		latch.order("stop", order(1));
		expect([latch.isLatched, calls]).toEqual([true, ["latched"]]);
		await latch.settled();
		expect([latch.isLatched, calls]).toEqual([true, ["latched", "write"]]);
		expect(notes.of("stop-not-written")).toEqual([{ detail: "full" }]);
	});
	test("whoever orders again is answered again", async () => {
		const calls: string[] = [];
		const latch = await open(new MemoryFiles(), calls);
		latch.order("stop", order(1));
		latch.order("stop", order(1));
		latch.order("stop", order(2));
		latch.listed("stop", order(2));
		expect(calls).toEqual(["latched", "known", "repeated"]);
	});
	test.each([
		["nothing", ""],
		["no JSON", "{"],
		["another file", '{"schema":"orion.other/1"}'],
		["an order without a name", '{"schema":"orion.stop-latch/1","orders":[{"verb":"stop","by":"p","via":"cli"}],"released":[]}'],
		["no list", '{"schema":"orion.stop-latch/1","orders":"none","released":[]}'],
	])("a file with %s is no permission: the node begins stopped, and can be released", async (_, text) => {
		const files = new MemoryFiles();
		files.texts.set("stop.json", text);
		const latch = await open(files);
		expect([latch.isLatched, sayLatch(latch.book).latch?.verb]).toEqual([true, "stop"]);
		expect(latch.release(latch.book.orders.map((held) => held.order))).toBe("released");
	});
});

describe("an order on the wire (HARM-42)", () => {
	test("says who and how, and is understood as it was written", () => {
		expect(readStopOrder(writeStopOrder({ order: name(7), by: "peter", via: "cli" }))).toEqual({ order: name(7), by: "peter", via: "cli" });
	});
	test.each(["", "stop!", "null", "[]", '{"v":1}', '{"v":2,"order":"00000000000000aa","by":"x","via":"cli"}', "\u0000", "{".repeat(100)])(
		"that says nothing readable (%j) is an order all the same, with one name for everyone who hears it",
		(text) => {
			const bytes = Buffer.from(text);
			expect(readStopOrder(bytes)).toMatchObject({ order: expect.stringMatching(/^[0-9a-f]{16}$/), by: "unnamed" });
			expect(readStopOrder(bytes)).toEqual(readStopOrder(Buffer.from(text)));
		},
	);
});
