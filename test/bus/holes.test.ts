// Shows that a number which is missing at core is never given up while a broker elsewhere may hold it, also one that is cut off and not yet known to be (LOSS-56).

import { afterEach, beforeEach, expect, it } from "vitest";
import { type Envelope, encodeEnvelope, parseEnvelope } from "../../contracts/envelope.ts";
import { openMemory } from "../../log/memory.ts";
import type { Log, Position } from "../../log/port.ts";
import { textOf } from "../../log/redis-connection.ts";
import { Feed } from "../../log/redis-feed.ts";
import { BrokerLines } from "../../log/redis-lines.ts";
import { CoreProcess, messageOf, recordsOf } from "../support/core.ts";
import { VirtualDisk } from "../support/disk.ts";
import { SESSION } from "../support/engine.ts";
import { until } from "../support/mesh.ts";
import { quickTimers } from "../support/quick-timers.ts";
import { TestRedis } from "../support/redis.ts";
import { VirtualHost } from "../support/world.ts";

const LATER = "2.00112233445566aa";

let redis: TestRedis;
let host: VirtualHost;
let disk: VirtualDisk;
let core: CoreProcess;
let lines: BrokerLines;
const feeds: Feed[] = [];

beforeEach(async () => {
	redis = await TestRedis.start();
	host = new VirtualHost();
	disk = new VirtualDisk({ now: () => host.time.nowMs });
	const cursors = new Map<string, Position>();
	lines = new BrokerLines({
		url: redis.url,
		brokers: ["attic", "garden"],
		timers: quickTimers,
		now: () => host.time.nowMs,
		accept: async (records) => {
			for (const { bytes } of records) {
				const parsed = parseEnvelope(bytes);
				if (parsed.ok) await core.accept(parsed.value);
			}
		},
		cursor: (broker, epoch) => cursors.get(`${broker} ${epoch}`) ?? 0,
		setCursor: async (broker, epoch, position) => {
			cursors.set(`${broker} ${epoch}`, position);
		},
		lost: () => Promise.reject(new Error("nothing is lost here")),
		heard: () => undefined,
		came: () => undefined,
		notice: () => undefined,
	});
	core = new CoreProcess({ host, disk, spoolsEmptyMs: () => lines.spoolsEmptyMs() });
	await core.start();
	core.rounds.start();
	await host.time.advance(0);
	lines.start();
});
afterEach(async () => {
	for (const feed of feeds.splice(0)) await feed.stop();
	await lines.stop();
	await core.rounds.stop();
	await redis.end();
});

const feedOf = (name: string, spool: Log, nodes: readonly string[] = []): Feed => {
	const feed = new Feed({
		url: redis.url,
		name,
		epoch: `of-${name}`,
		newEpoch: () => `again-${name}`,
		spool,
		timers: quickTimers,
		here: () => ({ nodes, rows: "" }),
		heard: () => undefined,
		moved: () => undefined,
		notice: () => undefined,
		fatal: (error) => {
			throw error;
		},
	});
	feeds.push(feed);
	feed.start();
	return feed;
};

const alert = (seq: number, session = SESSION): Envelope =>
	messageOf("pi-1", "alert.firing", { name: `a${seq}`, severity: "info", summary: "s" }, seq, session);
const take = async (spool: Log, ...envelopes: readonly Envelope[]): Promise<void> => {
	for (const envelope of envelopes) await spool.append([{ bytes: encodeEnvelope(envelope) }]);
};
const records = async (type: string) => (await recordsOf(disk)).filter(({ envelope }) => envelope.type === type);
const seqs = async (session: string) =>
	(await records("dev.orion.alert.firing.v1")).filter(({ envelope }) => envelope.session === session).map(({ envelope }) => envelope.seq);
const alerts = (count: number): Promise<true> =>
	until(`${count} alerts at core`, async () => ((await records("dev.orion.alert.firing.v1")).length >= count ? true : undefined));
/** Both were heard at what is now, with nothing that core has not. */
const bothHere = (): Promise<true> => until("both are here and empty", () => (lines.spoolsEmptyMs() === host.time.nowMs ? true : undefined));

const connections = async (): Promise<number> =>
	textOf(await redis.ask("client", "list"))
		.trim()
		.split("\n").length;

it("two brokers, one is cut off with the numbers: none is given up, and they come when it is back", async () => {
	const [attic, garden] = [openMemory(), openMemory()];
	await take(attic, alert(1));
	const cut = feedOf("attic", attic);
	const nodes: string[] = [];
	feedOf("garden", garden, nodes);
	await alerts(1);
	// Its node changed to the other one, and began anew there: what is missing of the session before is due after seconds.
	await take(garden, alert(4), alert(5), alert(1, LATER));
	await alerts(4);
	await bothHere();
	await host.time.advance(3_000);
	await bothHere();
	// From here on it is cut off, and has just thanked for these; for four seconds nobody can know.
	const clients = await connections();
	await cut.stop();
	await until("Redis has seen it go", async () => ((await connections()) <= clients - 2 ? true : undefined));
	// A word of it that was still on its way came before this one.
	nodes.push("pi-2");
	await until("a later word of the other one", () => (lines.brokerOf("pi-2") === "garden" ? true : undefined));
	await take(attic, alert(2), alert(3));
	await host.time.advance(4_000);
	expect(lines.view().find(({ broker }) => broker === "attic")).toMatchObject({ state: "here", lag: 0 });
	expect(await records("dev.orion.log.gap.v1")).toEqual([]);
	// Nor for an hour, while everybody knows.
	await host.time.advance(3_600_000);
	await until("the other one is here", () => (lines.view().find(({ broker }) => broker === "garden")?.state === "here" ? true : undefined));
	await host.time.advance(1_000);
	expect(lines.view().find(({ broker }) => broker === "attic")?.state).toBe("silent");
	expect(await records("dev.orion.log.gap.v1")).toEqual([]);

	feedOf("attic", attic);
	await alerts(6);
	expect((await seqs(SESSION)).toSorted()).toEqual([1, 2, 3, 4, 5]);
	// What nobody holds is given up as ever: both say again and again that they have nothing.
	await take(garden, alert(3, LATER));
	await alerts(7);
	for (let seconds = 0; seconds < 66; seconds += 3) {
		await bothHere();
		await host.time.advance(3_000);
	}
	expect((await records("dev.orion.log.gap.v1")).map(({ envelope }) => envelope.data)).toEqual([
		{ source: "/nodes/pi-1", session: LATER, lane: "event", fromSeq: 2, toSeq: 2, why: "timed-out" },
	]);
});
