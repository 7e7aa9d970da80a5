// Shows what core says regularly: a beacon that waits for nothing, watermarks when they change, and holes that become facts once.
import { describe, expect, test } from "vitest";
import type { CoreBeacon, NodeWatermark } from "../../../contracts/gen/types.ts";
import { CoreProcess, messageOf, payloadOf, recordsOf } from "../../support/core.ts";
import { VirtualDisk } from "../../support/disk.ts";
import { SESSION } from "../../support/engine.ts";
import { settle, VirtualHost } from "../../support/world.ts";

const LATER = "2.00112233445566aa";

const opened = async (change: { readonly spoolsEmptyMs?: () => number } = {}) => {
	const host = new VirtualHost();
	const disk = new VirtualDisk({ now: () => host.time.nowMs });
	const said: { topic: string; text: string; retain: boolean }[] = [];
	const publish = {
		publish: (topic: string, bytes: Uint8Array, { retain }: { retain: boolean }) => {
			said.push({ topic, text: Buffer.from(bytes).toString(), retain });
			return Promise.resolve();
		},
	};
	const core = new CoreProcess({ host, disk, publish, ...change });
	await core.start();
	core.rounds.start();
	await host.time.advance(0);
	const gaps = async () => (await recordsOf(disk)).flatMap(({ envelope }) => (envelope.type === "dev.orion.log.gap.v1" ? [envelope.data] : []));
	return { host, disk, core, said, gaps };
};

const alert = (seq: number, session = SESSION) => messageOf("pi-1", "alert.firing", { name: `a${seq}`, severity: "info", summary: "s" }, seq, session);
const beacons = (said: readonly { topic: string; text: string }[]) =>
	said.filter(({ topic }) => topic.endsWith("/beacon")).map(({ text }) => payloadOf(text) as CoreBeacon);

describe("the beacon", () => {
	test("comes twice a second, never retained, with a rising counter, the level and the newest ticks", async () => {
		const { host, core, said } = await opened();
		core.live.pulse("pi-1", { session: SESSION, tick: 77, safety: "working" });
		await host.time.advance(5_000);
		expect(beacons(said).map(({ counter }) => counter)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
		expect(beacons(said).at(-1)).toMatchObject({ level: "N0", ticks: { "pi-1": 77 }, coreTerm: { counter: 1 } });
		expect(said.filter(({ topic, retain }) => topic.endsWith("/beacon") && retain)).toEqual([]);
	});

	test("does not wait for the disk", async () => {
		const { host, core, said } = await opened();
		await core.accept(alert(2));
		core.log.append = () => new Promise(() => undefined);
		const before = beacons(said).length;
		await host.time.advance(120_000);
		expect(beacons(said).length).toBe(before + 240);
	});
});

describe("watermarks", () => {
	test("are retained, said when they change, and speak of the newest session", async () => {
		const { host, core, said } = await opened();
		const marks = () => said.filter(({ topic }) => topic === "orion/v1/pi-1/watermark").map(({ text }) => JSON.parse(text) as NodeWatermark);
		await core.accept(alert(1));
		await core.accept(alert(2));
		await host.time.advance(3_000);
		await core.accept(alert(4));
		await host.time.advance(3_000);
		await core.accept(alert(1, LATER));
		await host.time.advance(1_000);
		expect(marks()).toMatchObject([
			{ session: SESSION, counter: 1, lanes: { event: 2 } },
			{ session: LATER, counter: 2, lanes: { event: 1 } },
		]);
		expect(said.filter(({ topic }) => topic.endsWith("/watermark")).every(({ retain }) => retain)).toBe(true);
	});
});

describe("holes (LOSS-5)", () => {
	test("one that nobody fills for a minute is a fact, once", async () => {
		const { host, core, gaps, disk } = await opened();
		for (const seq of [1, 2, 5]) await core.accept(alert(seq));
		await host.time.advance(59_000);
		expect(await gaps()).toEqual([]);
		await host.time.advance(120_000);
		expect(await gaps()).toEqual([{ source: "/nodes/pi-1", session: SESSION, lane: "event", fromSeq: 3, toSeq: 4, why: "timed-out" }]);
		expect(disk.log.lanes()).toMatchObject([{ contiguous: 5, highest: 5 }]);
	});

	test("one that is filled in time is none", async () => {
		const { host, core, gaps } = await opened();
		for (const seq of [1, 3]) await core.accept(alert(seq));
		await host.time.advance(30_000);
		await core.accept(alert(2));
		await host.time.advance(120_000);
		expect(await gaps()).toEqual([]);
	});

	test("one whose session has ended is a fact a few seconds later", async () => {
		const { host, core, gaps } = await opened();
		for (const seq of [1, 3]) await core.accept(alert(seq));
		await core.accept(alert(1, LATER));
		await host.time.advance(8_000);
		expect(await gaps()).toMatchObject([{ fromSeq: 2, toSeq: 2, why: "session-ended" }]);
	});

	test.each([
		["session-ended", 5_000],
		["timed-out", 60_000],
	])("LOSS-56: %s, it is none before every broker elsewhere has said later than that that core has all of its spool", async (why, graceMs) => {
		let emptyMs = Number.NEGATIVE_INFINITY;
		const { host, core, gaps } = await opened({ spoolsEmptyMs: () => emptyMs });
		for (const seq of [1, 3]) await core.accept(alert(seq));
		if (why === "session-ended") await core.accept(alert(1, LATER));
		await host.time.advance(3_600_000);
		expect(await gaps()).toEqual([]);
		// Heard, and heard no more: what it took afterwards nobody knows.
		const heardMs = host.time.nowMs;
		emptyMs = heardMs;
		await host.time.advance(2 * graceMs);
		expect(await gaps()).toEqual([]);
		// The hole is seen in the round after it was heard: its time is over a second later.
		emptyMs = heardMs + graceMs;
		await host.time.advance(2_000);
		expect(await gaps()).toEqual([]);
		emptyMs = heardMs + graceMs + 1_000;
		await host.time.advance(2_000);
		expect(await gaps()).toMatchObject([{ fromSeq: 2, toSeq: 2, why }]);
	});

	test("a disk that is slower than a round makes no fact twice", async () => {
		const { host, core, gaps } = await opened();
		for (const seq of [1, 3]) await core.accept(alert(seq));
		const append = core.log.append.bind(core.log);
		core.log.append = async (entries) => {
			await new Promise<void>((resolve) => host.time.after(5_500, resolve));
			return append(entries);
		};
		await host.time.advance(90_000);
		expect(await gaps()).toHaveLength(1);
	});
});

test("the rounds end with core, and what they were at is finished", async () => {
	const { host, core, said } = await opened();
	await core.rounds.stop();
	await settle();
	const before = said.length;
	await host.time.advance(10_000);
	expect(said.length).toBe(before);
});
