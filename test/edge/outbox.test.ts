// Shows that what the outbox accepted is on the node's disk and is sent until it is acknowledged, that what had to be dropped is counted, and that numbers have no silent hole (LOSS-5, LOSS-8).
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Envelope, type Lane, parseEnvelope } from "../../contracts/envelope.ts";
import type { NodeWatermark } from "../../contracts/gen/types.ts";
import { type Letter, OutboxBook, WINDOW } from "../../edge/machines/outbox-book.ts";
import { Outbox } from "../../edge/outbox.ts";
import type { Connection } from "../../edge/ports.ts";
import type { Session } from "../../edge/session.ts";
import { Voice } from "../../edge/voice.ts";
import { Disk, Notes, noSweep, VirtualTime } from "./world.ts";

const sessionOf = (counter: number): Session => ({ id: `${counter}.00000000000000aa`, counter, tick: () => 7 });

/** A broker as a connection shows it: acknowledges, withholds, or refuses. */
class Line implements Connection {
	readonly got: { readonly topic: string; readonly envelope: Envelope; readonly retain: boolean }[] = [];
	readonly unanswered: { resolve: () => void; reject: (error: Error) => void }[] = [];
	mode: "answers" | "silent" | "refuses" = "answers";
	publish(topic: string, bytes: Uint8Array, { retain }: { retain: boolean }): Promise<void> {
		const parsed = parseEnvelope(bytes);
		if (!parsed.ok) throw new Error(JSON.stringify(parsed.fault));
		if (this.mode === "refuses") return Promise.reject(new Error("Connection closed"));
		this.got.push({ topic, envelope: parsed.value, retain });
		if (this.mode === "answers") return Promise.resolve();
		return new Promise((resolve, reject) => this.unanswered.push({ resolve, reject }));
	}
	subscribe(): Promise<void> {
		return Promise.resolve();
	}
	close(): Promise<void> {
		return Promise.resolve();
	}
	destroy(): void {}
	seqs(lane: Lane): readonly (number | undefined)[] {
		return this.got.filter(({ envelope }) => envelope.lane === lane).map(({ envelope }) => envelope.seq);
	}
}

const open = async (disk: Disk, counter = 1, bytesMax = 1_000_000) => {
	const time = new VirtualTime();
	const notes = new Notes();
	const voice = new Voice({ mesh: "mesh-1", node: "pi-1", clock: time.clock(), session: () => sessionOf(counter) });
	const outbox = await Outbox.open({ log: disk.log(), voice, node: "pi-1", timers: time, note: notes.note, bytesMax, sweep: noSweep });
	return { time, notes, voice, outbox };
};

const up = (outbox: Outbox, number: number) =>
	outbox.emit("dev.orion.process.up.v1", { service: `s${number}`, pid: number, startTicks: 1, how: "started", starts: 1 });
const mark = (change: Partial<NodeWatermark> = {}): NodeWatermark => ({
	node: "pi-1",
	counter: 1,
	session: sessionOf(1).id,
	lanes: {},
	instance: "i1",
	...change,
});

describe("LOSS-8: accepted is kept until acknowledged", () => {
	test("resolves when on disk, without any link; sent in order when there is one", async () => {
		const disk = new Disk();
		const { outbox, time } = await open(disk);
		for (let number = 1; number <= 5; number++) await up(outbox, number);
		expect(disk.records.length).toBe(5);
		const line = new Line();
		outbox.linkUp(line);
		await time.settle();
		expect(line.seqs("event")).toEqual([1, 2, 3, 4, 5]);
		expect(line.got[0]).toMatchObject({
			topic: "orion/v1/pi-1/evt/process.up",
			retain: false,
			envelope: { source: "/nodes/pi-1", mesh: "mesh-1", lane: "event", session: sessionOf(1).id, mono: 7 },
		});
		expect(outbox.waiting).toBe(0);
	});

	test("receipts go to their action's topic on a lane of their own, about is kept at the broker", async () => {
		const { outbox, time } = await open(new Disk());
		const line = new Line();
		outbox.linkUp(line);
		await up(outbox, 1);
		await outbox.emit("dev.orion.action.receipt.v1", { command: "act-1", action: "process.restart", phase: "accepted" });
		await outbox.emit("dev.orion.node.about.v1", { role: "node", version: "1", capabilities: [], actions: [], services: [], contracts: 1, keyId: "k" });
		await time.settle();
		expect(line.got.map(({ topic, retain, envelope }) => [topic, retain, envelope.lane, envelope.seq])).toEqual([
			["orion/v1/pi-1/evt/process.up", false, "event", 1],
			["orion/v1/pi-1/ack/process.restart", false, "decision", 1],
			["orion/v1/pi-1/about", true, "event", 2],
		]);
	});

	test("at most a window is on its way; each acknowledgement lets the next one go", async () => {
		const { outbox, time } = await open(new Disk());
		for (let number = 1; number <= WINDOW + 5; number++) await up(outbox, number);
		const line = new Line();
		line.mode = "silent";
		outbox.linkUp(line);
		await time.settle();
		expect(line.got.length).toBe(WINDOW);
		line.unanswered[0]?.resolve();
		await time.settle();
		expect(line.got.length).toBe(WINDOW + 1);
		expect(outbox.waiting).toBe(WINDOW + 4);
	});

	test("without a PUBACK it is sent again over the next connection, in order and byte for byte", async () => {
		const { outbox, time } = await open(new Disk());
		const first = new Line();
		first.mode = "silent";
		outbox.linkUp(first);
		for (let number = 1; number <= 3; number++) await up(outbox, number);
		await time.settle();
		first.unanswered[1]?.resolve();
		await time.settle();
		outbox.linkDown();
		first.unanswered[0]?.resolve();
		await time.settle();
		const second = new Line();
		outbox.linkUp(second);
		await time.settle();
		expect(second.seqs("event")).toEqual([1, 3]);
		expect(second.got[0]?.envelope).toEqual(first.got[0]?.envelope);
	});

	test("an answer of an older connection does not count for the newer one", async () => {
		const { outbox, time } = await open(new Disk());
		const first = new Line();
		first.mode = "silent";
		outbox.linkUp(first);
		await up(outbox, 1);
		await time.settle();
		outbox.linkDown();
		const second = new Line();
		second.mode = "silent";
		outbox.linkUp(second);
		await time.settle();
		first.unanswered[0]?.resolve();
		await time.settle();
		expect(outbox.waiting).toBe(1);
		second.unanswered[0]?.resolve();
		await time.settle();
		expect(outbox.waiting).toBe(0);
	});

	test("a publish that fails while the link stands is tried again after a pause, not in a loop", async () => {
		const { outbox, time } = await open(new Disk());
		const line = new Line();
		line.mode = "refuses";
		outbox.linkUp(line);
		await up(outbox, 1);
		await time.settle();
		line.mode = "answers";
		expect(line.got.length).toBe(0);
		await time.advance(500);
		expect(line.seqs("event")).toEqual([1]);
	});

	/** Emits, sends, acknowledges; the agent may die at an append; the next life must bring everything that was accepted. */
	test.each([1, 2, 3, 4].flatMap((at) => (["before", "after"] as const).map((when) => [at, when] as const)))(
		"the agent dies at append %i, %s it is on disk: nothing accepted is missing",
		async (at, when) => {
			const disk = new Disk();
			disk.dies = { at, when };
			const accepted: string[] = [];
			const first = await open(disk);
			const line = new Line();
			first.outbox.linkUp(line);
			for (let number = 1; number <= 4; number++) void up(first.outbox, number).then(() => accepted.push(`s${number}`));
			await first.time.settle();
			disk.dies = undefined;
			const second = await open(disk, 2);
			const later = new Line();
			second.outbox.linkUp(later);
			await up(second.outbox, 9);
			await second.time.settle();
			const arrived = new Set([...line.got, ...later.got].map(({ envelope }) => (envelope.data as { service: string }).service));
			for (const service of [...accepted, "s9"]) expect(arrived).toContain(service);
			const sessions = later.got.map(({ envelope }) => envelope.session);
			expect(sessions).toEqual([...sessions].sort());
		},
	);

	test("property: over any course of links, acknowledgements, deaths and emits, everything accepted arrives, in order per session", async () => {
		const step = fc.constantFrom("emit", "emit", "link", "silent-link", "cut", "answer", "die", "mark");
		await fc.assert(
			fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
				const disk = new Disk();
				let life = await open(disk);
				let counter = 1;
				let line: Line | undefined;
				const lines: Line[] = [];
				const accepted: string[] = [];
				let number = 0;
				const link = (mode: Line["mode"]): void => {
					life.outbox.linkDown();
					line = new Line();
					line.mode = mode;
					lines.push(line);
					life.outbox.linkUp(line);
				};
				for (const action of [...steps, "link" as const]) {
					if (action === "emit") {
						number += 1;
						await up(life.outbox, number);
						accepted.push(`s${number}`);
					} else if (action === "link") link("answers");
					else if (action === "silent-link") link("silent");
					else if (action === "cut") life.outbox.linkDown();
					else if (action === "answer") line?.unanswered.shift()?.resolve();
					else if (action === "mark") await life.time.advance(1_000);
					else {
						counter += 1;
						life = await open(disk, counter);
						line = undefined;
					}
					await life.time.settle();
				}
				const arrived = new Set(lines.flatMap(({ got }) => got.map(({ envelope }) => (envelope.data as { service: string }).service)));
				expect([...arrived].sort()).toEqual([...accepted].sort());
				for (const { got } of lines) {
					const order = got.map(({ envelope }) => Number((envelope.session ?? "").split(".")[0]) * 1_000 + (envelope.seq ?? 0));
					expect(order).toEqual([...order].sort((a, b) => a - b));
				}
			}),
			{ numRuns: 60 },
		);
	});
});

describe("what core has, the node forgets", () => {
	test("the cursor moves only over what is acknowledged or covered, so that a restart sends again only the rest", async () => {
		const disk = new Disk();
		const { outbox, time } = await open(disk);
		const line = new Line();
		line.mode = "silent";
		outbox.linkUp(line);
		for (let number = 1; number <= 4; number++) await up(outbox, number);
		await time.settle();
		for (const { resolve } of line.unanswered.slice(0, 3)) resolve();
		outbox.watermark(mark({ lanes: { event: 2 } }));
		await time.advance(1_000);
		expect(disk.cursors.get("sent")).toBe(2);
		const second = await open(disk, 2);
		const again = new Line();
		second.outbox.linkUp(again);
		await second.time.settle();
		expect(again.seqs("event")).toEqual([3, 4]);
	});

	test("another broker: what only the old one had acknowledged is sent again", async () => {
		const { outbox, time } = await open(new Disk());
		outbox.linkUp(new Line());
		outbox.watermark(mark({ lanes: { event: 0 } }));
		for (let number = 1; number <= 3; number++) await up(outbox, number);
		await time.settle();
		outbox.linkDown();
		const line = new Line();
		outbox.linkUp(line);
		await time.settle();
		expect(line.got).toEqual([]);
		outbox.watermark(mark({ lanes: { event: 1 }, instance: "i2" }));
		await time.settle();
		expect(line.seqs("event")).toEqual([2, 3]);
	});

	test("flushed tells whether everything is acknowledged, within its time", async () => {
		const { outbox, time } = await open(new Disk());
		const line = new Line();
		line.mode = "silent";
		outbox.linkUp(line);
		await up(outbox, 1);
		const late = outbox.flushed(1_000);
		await time.advance(1_000);
		expect(await late).toBe(false);
		const soon = outbox.flushed(1_000);
		line.unanswered[0]?.resolve();
		expect(await soon).toBe(true);
	});
});

describe("LOSS-5: no room", () => {
	/** Every number of a lane is either sent or in the range of a loss record that is sent. */
	const accounted = (got: Line["got"], session: string, lane: Lane): { readonly missing: readonly number[]; readonly highest: number } => {
		const seen = new Set<number>();
		for (const { envelope } of got) {
			if (envelope.session === session && envelope.lane === lane && envelope.seq !== undefined) seen.add(envelope.seq);
			if (envelope.type !== "dev.orion.log.loss.v1" || envelope.data.lane !== lane || envelope.data.session !== session) continue;
			for (let seq = envelope.data.fromSeq ?? 0; seq <= (envelope.data.toSeq ?? -1); seq++) seen.add(seq);
		}
		const highest = Math.max(0, ...seen);
		return { highest, missing: Array.from({ length: highest }, (_, index) => index + 1).filter((seq) => !seen.has(seq)) };
	};

	test("the oldest events go, receipts never; loss records take their place and account for every number, also over a restart", async () => {
		const disk = new Disk();
		const { outbox } = await open(disk, 1, 20_000);
		for (let number = 1; number <= 200; number++) {
			await up(outbox, number);
			if (number % 20 === 0) await outbox.emit("dev.orion.action.receipt.v1", { command: `c${number}`, action: "process.restart", phase: "done" });
		}
		expect(outbox.bytes).toBeLessThanOrEqual(20_000);
		const second = await open(disk, 2, 20_000);
		const line = new Line();
		second.outbox.linkUp(line);
		await second.time.settle();
		expect(line.got.length).toBeLessThan(80);
		expect(line.seqs("decision")).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
		expect(accounted(line.got, sessionOf(1).id, "event").missing).toEqual([]);
		expect(line.got.some(({ envelope }) => (envelope.data as { service?: string }).service === "s200")).toBe(true);
		expect(line.got.some(({ envelope }) => (envelope.data as { service?: string }).service === "s1")).toBe(false);
	});

	test("property: whatever the bound and the number, every number of the lane is sent or told as lost", async () => {
		await fc.assert(
			fc.asyncProperty(fc.integer({ min: 2_000, max: 30_000 }), fc.integer({ min: 1, max: 150 }), async (bytesMax, count) => {
				const { outbox, time } = await open(new Disk(), 1, bytesMax);
				for (let number = 1; number <= count; number++) await up(outbox, number);
				const line = new Line();
				outbox.linkUp(line);
				await time.settle();
				const { missing, highest } = accounted(line.got, sessionOf(1).id, "event");
				expect(missing).toEqual([]);
				expect(highest).toBeGreaterThanOrEqual(count);
			}),
			{ numRuns: 25 },
		);
	});

	test("a receipt of long ago does not hold the disk: what lies between the first that waits and the end stays bounded, and the receipt still arrives", async () => {
		const disk = new Disk();
		const { outbox, time } = await open(disk, 1, 20_000);
		await outbox.emit("dev.orion.action.receipt.v1", { command: "act-1", action: "process.restart", phase: "done" });
		for (let number = 1; number <= 1_500; number++) {
			await up(outbox, number);
			if (number % 50 === 0) await time.advance(1_000);
		}
		await time.advance(2_000);
		const held = disk.records.slice(disk.cursors.get("sent") ?? 0).reduce((sum, bytes) => sum + bytes.byteLength, 0);
		expect(held).toBeLessThan(60_000);
		// LOSS-54: what was written anew wore the disk as well.
		const onDisk = disk.records.reduce((sum, bytes) => sum + bytes.byteLength, 0);
		expect(disk.records.length).toBeGreaterThan(1_501);
		expect(outbox.bytesWritten).toBe(onDisk);
		const second = await open(disk, 2, 20_000);
		expect(second.outbox.bytesWritten).toBe(0);
		const line = new Line();
		second.outbox.linkUp(line);
		await second.time.settle();
		expect(line.seqs("decision")).toEqual([1]);
		expect(accounted(line.got, sessionOf(1).id, "event").missing).toEqual([]);
	});

	test("a number that the full disk took is told as lost when there is room again", async () => {
		const disk = new Disk();
		const { outbox, time } = await open(disk);
		await up(outbox, 1);
		disk.full = true;
		await expect(up(outbox, 2)).rejects.toThrow(/full/);
		disk.full = false;
		await up(outbox, 3);
		const line = new Line();
		outbox.linkUp(line);
		await time.settle();
		expect(line.seqs("event")).toEqual([1, 3, 4]);
		expect(line.got.at(-1)).toMatchObject({
			topic: "orion/v1/pi-1/evt/log.loss",
			envelope: { data: { what: "lane", lane: "event", fromSeq: 2, toSeq: 2, count: 1 } },
		});
	});

	test("acknowledged ones go first, and that is no loss; metrics go before events", () => {
		const book = new OutboxBook();
		const letter = (position: number, lane: Lane): Letter => ({ position, lane, session: sessionOf(1).id, seq: position, bytes: 100 });
		book.add(letter(1, "event"));
		book.linkUp();
		book.take();
		book.acknowledged(1);
		book.linkDown();
		for (const [position, lane] of [
			[2, "event"],
			[3, "metric"],
			[4, "event"],
			[5, "decision"],
			[6, "safety"],
		] as const)
			book.add(letter(position, lane));
		expect(book.makeRoom(560)).toEqual([]);
		expect(book.makeRoom(440)).toMatchObject(
			[
				{ lane: "metric", fromSeq: 3, toSeq: 3 },
				{ lane: "event", fromSeq: 2, toSeq: 2 },
			].sort((a, b) => a.lane.localeCompare(b.lane)),
		);
		expect(book.makeRoom(1)).toMatchObject([{ lane: "event", fromSeq: 4 }]);
		expect(book.bytes).toBe(200);
	});
});
