// Shows that what a broker elsewhere has on its disk reaches core once, in order, whatever ends in between (LOSS-25..28, LOSS-45, LOSS-46, LOSS-50).

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type BrokerWord, bridgeNames, bridgeRights, type CoreWord, parseBrokerWord } from "../../contracts/bridge.ts";
import { openMemory } from "../../log/memory.ts";
import type { Log, Position } from "../../log/port.ts";
import { connectRedis } from "../../log/redis-connection.ts";
import { Feed } from "../../log/redis-feed.ts";
import { BrokerLines } from "../../log/redis-lines.ts";
import { until } from "../support/mesh.ts";
import { quickTimers } from "../support/quick-timers.ts";
import { TestRedis } from "../support/redis.ts";

/** Core as the lines see it: what it has on disk survives it. */
class CoreSide {
	readonly records: string[] = [];
	readonly cursors = new Map<string, Position>();
	readonly heard: BrokerWord[] = [];
	readonly lost: (readonly [string, Position, Position])[] = [];
	readonly notices: (string | undefined)[] = [];
	/** So many times it cannot store what it is given. */
	refusals = 0;
	lines: BrokerLines;
	readonly #url: string;
	readonly #brokers: readonly string[];

	constructor(url: string, brokers: readonly string[]) {
		this.#url = url;
		this.#brokers = brokers;
		this.lines = this.start();
	}

	start(): BrokerLines {
		this.lines = new BrokerLines({
			url: this.#url,
			brokers: this.#brokers,
			timers: quickTimers,
			now: () => performance.now(),
			accept: async (records) => {
				if (this.refusals > 0) {
					this.refusals -= 1;
					throw new Error("the disk of core is full");
				}
				for (const { broker, bytes } of records) this.records.push(`${broker} ${new TextDecoder().decode(bytes)}`);
			},
			cursor: (broker, epoch) => this.cursors.get(`${broker} ${epoch}`) ?? 0,
			setCursor: async (broker, epoch, position) => {
				this.cursors.set(`${broker} ${epoch}`, position);
			},
			lost: async (broker, from, to) => {
				this.lost.push([broker, from, to]);
			},
			heard: (_broker, word) => this.heard.push(word),
			came: () => undefined,
			notice: (said) => this.notices.push(said),
		});
		this.lines.start();
		return this.lines;
	}
}

let redis: TestRedis;
let core: CoreSide;
const feeds: Feed[] = [];
const words: CoreWord[] = [];

beforeEach(async () => {
	redis = await TestRedis.start();
	core = new CoreSide(redis.url, ["attic", "garden"]);
});
afterEach(async () => {
	for (const feed of feeds.splice(0)) await feed.stop();
	await core.lines.stop();
	words.length = 0;
	await redis.end();
});

const fill = async (spool: Log, count: number): Promise<void> => {
	for (let index = 0; index < count; index += 1) await spool.append([{ bytes: new TextEncoder().encode(`${spool.head() + 1}`) }]);
};

const feedOf = (spool: Log, more: Partial<ConstructorParameters<typeof Feed>[0]> = {}): Feed => {
	const feed = new Feed({
		url: redis.url,
		name: "attic",
		epoch: "e1",
		newEpoch: () => "e2",
		spool,
		timers: quickTimers,
		here: () => ({ nodes: ["pi-3"], rows: "" }),
		heard: (word) => words.push(word),
		moved: () => undefined,
		notice: () => undefined,
		fatal: (error) => {
			throw error;
		},
		...more,
	});
	feeds.push(feed);
	feed.start();
	return feed;
};

const expected = (upTo: number, broker = "attic"): readonly string[] => Array.from({ length: upTo }, (_, index) => `${broker} ${index + 1}`);
const has = (count: number): Promise<true> =>
	until(`${count} records at core, not ${core.records.length}`, () => (core.records.length >= count ? true : undefined));

describe("LOSS-25 every record of a spool reaches core once and in order", () => {
	it("and the spool learns up to where it may forget", async () => {
		const spool = openMemory();
		await fill(spool, 1_000);
		const feed = feedOf(spool);
		await has(1_000);
		await fill(spool, 50);
		await has(1_050);
		expect(core.records).toEqual(expected(1_050));
		await until("the mark", () => (feed.view().upTo === 1_050 ? true : undefined));
		await until("the cursor", () => (spool.cursor("core") === 1_050 ? true : undefined));
		expect(await redis.ask("xlen", bridgeNames("attic").stream)).toBe(0);
	});

	it("when Redis is killed again and again", async () => {
		const spool = openMemory();
		feedOf(spool);
		for (let round = 1; round <= 3; round += 1) {
			await fill(spool, 300);
			await redis.kill();
			await fill(spool, 300);
			await redis.start();
			await has(600 * round);
		}
		expect(core.records).toEqual(expected(1_800));
	});

	it("when Redis is flushed with records on their way, and when it goes back to an older file", async () => {
		const spool = openMemory();
		await fill(spool, 100);
		feedOf(spool);
		await has(100);
		await redis.kill("SIGTERM");
		redis.keep("older");
		await redis.start();
		await fill(spool, 200);
		await has(300);
		await core.lines.stop();
		await fill(spool, 200);
		await until("records between", async () => (((await redis.ask("xlen", bridgeNames("attic").stream)) as number) > 0 ? true : undefined));
		await redis.ask("flushall");
		core.start();
		await has(500);
		await redis.kill();
		redis.putBack("older");
		await redis.start();
		await fill(spool, 10);
		await has(510);
		expect(core.records).toEqual(expected(510));
	});

	it("when core ends and starts again, and the broker too", async () => {
		const spool = openMemory();
		await fill(spool, 100);
		const first = feedOf(spool);
		await has(100);
		await core.lines.stop();
		await fill(spool, 100);
		await first.stop();
		await fill(spool, 100);
		feedOf(spool);
		core.start();
		await has(300);
		expect(core.records).toEqual(expected(300));
	});

	it("of two brokers, each in its own order", async () => {
		const spools = [openMemory(), openMemory()] as const;
		await fill(spools[0], 400);
		await fill(spools[1], 400);
		feedOf(spools[0]);
		feedOf(spools[1], { name: "garden" });
		await has(800);
		expect(core.records.filter((record) => record.startsWith("attic"))).toEqual(expected(400));
		expect(core.records.filter((record) => record.startsWith("garden"))).toEqual(expected(400, "garden"));
	});
});

describe("LOSS-26 a spool that is another one is no step back", () => {
	it("a new one counts from one, and is read from one", async () => {
		const spool = openMemory();
		await fill(spool, 200);
		const first = feedOf(spool);
		await has(200);
		await first.stop();
		const other = openMemory();
		await fill(other, 20);
		feedOf(other, { epoch: "e9" });
		await has(220);
		expect(core.records).toEqual([...expected(200), ...expected(20)]);
	});

	it("an older copy of itself gets another epoch, and what core may not know comes again", async () => {
		const spool = openMemory();
		await fill(spool, 200);
		const first = feedOf(spool);
		await has(200);
		await first.stop();
		const older = openMemory();
		await fill(older, 150);
		feedOf(older);
		await has(350);
		expect(core.cursors.get("attic e2")).toBe(150);
	});

	it("a forged entry in its stream is thrown away, and what it took the place of comes", async () => {
		const spool = openMemory();
		await fill(spool, 10);
		feedOf(spool);
		await has(10);
		await redis.ask("xadd", bridgeNames("attic").stream, "900-0", "epoch", "e1", "data", "forged");
		await fill(spool, 10);
		await has(20);
		expect(core.records).toEqual(expected(20));
	});
});

/** Never beats by itself within a test: what core does not answer changes nothing. */
const patient = {
	after: (delayMs: number, run: () => void) => {
		const timer = setTimeout(run, delayMs < 1_000 ? delayMs : 3_600_000);
		return () => clearTimeout(timer);
	},
};

describe("LOSS-27 without core a broker fills neither Redis nor its memory", () => {
	it("puts so many records between, and no more; LOSS-46 and forgets none of them, though Redis has them", async () => {
		const spool = openMemory();
		const moved: Position[] = [];
		const feed = feedOf(spool);
		await fill(spool, 1);
		await has(1);
		await until("the mark", () => (feed.view().upTo === 1 ? true : undefined));
		await feed.stop();
		const other = feedOf(spool, { timers: patient, moved: (upTo) => moved.push(upTo) });
		await until("it goes on", () => (other.view().state === "moving" ? true : undefined));
		await core.lines.stop();
		moved.length = 0;
		await fill(spool, 10_000);
		await until("the window is full", async () => (((await redis.ask("xlen", bridgeNames("attic").stream)) as number) >= 4_096 ? true : undefined));
		// Each of these is a turn to Redis and back behind what is being moved: a broker that goes on has moved a page meanwhile.
		for (let turn = 0; turn < 60; turn += 1) await other.say({ v: 1, kind: "answer", id: `${turn}`, outcome: "nobody" });
		// The page in which the window became full is the last one.
		expect(await redis.ask("xlen", bridgeNames("attic").stream)).toBeLessThan(4_096 + 256);
		expect(other.view().upTo).toBe(1);
		expect([moved, spool.cursor("core")]).toEqual([[], 1]);
		core.start();
		await has(10_001);
		expect(core.records).toEqual(expected(10_001));
	});
});

describe("LOSS-45 what core could not store it has not", () => {
	it("says nothing of it, and takes it again in the same order", async () => {
		const spool = openMemory();
		core.refusals = 3;
		await fill(spool, 50);
		feedOf(spool);
		await has(50);
		expect(core.refusals).toBe(0);
		expect(core.records).toEqual(expected(50));
	});
});

describe("LOSS-46 what a spool has no more is told, never passed over", () => {
	it("once, with its range, before what comes behind it", async () => {
		const spool = openMemory();
		await fill(spool, 30);
		// What core never said to have, and the disk does not have any more.
		const holed: ConstructorParameters<typeof Feed>[0]["spool"] = {
			first: () => 11,
			head: () => spool.head(),
			read: (from, max) => spool.read(Math.max(11, from), max),
			onCommit: (listener) => spool.onCommit(listener),
			cursor: (name) => spool.cursor(name),
			setCursor: (name, position) => spool.setCursor(name, position),
		};
		feedOf(spool, { spool: holed });
		await has(20);
		expect(core.lost).toEqual([["attic", 1, 10]]);
		expect(core.records).toEqual(expected(30).slice(10));
	});
});

describe("LOSS-28 a broker's user reaches its own stream and nothing else", () => {
	it("adds to it, says and hears; every other command and key is refused", async () => {
		await redis.ask("acl", "setuser", "broker-attic", "reset", "on", ">secret", ...bridgeRights("attic"));
		const url = redis.url.replace("//", "//broker-attic:secret@");
		const spool = openMemory();
		await fill(spool, 100);
		feedOf(spool, { url });
		await has(100);
		const thief = await connectRedis({ url, answerWithinMs: 5_000 });
		const refused: readonly [string, ...string[]][] = [
			["xadd", "orion:in:garden", "*", "data", "x"],
			["xadd", "orion:log", "*", "data", "x"],
			["xrange", "orion:log", "-", "+"],
			["xrange", "orion:in:attic", "-", "+"],
			["del", "orion:in:attic"],
			["flushall"],
			["config", "get", "*"],
			["get", "orion:mirror"],
			["publish", "orion:say:garden", "x"],
			["acl", "whoami"],
			["eval", "return 1", "0"],
		];
		for (const command of refused) await expect(thief.ask(...command), command.join(" ")).rejects.toThrow(/NOPERM/);
		await expect(thief.subscribe(["orion:out:garden"], () => undefined)).rejects.toThrow(/NOPERM/);
		thief.end();
	});
});

describe("LOSS-50 core knows how the disk of a broker is", () => {
	it("full or not, and what is written to it a day; an older broker does not say", async () => {
		let disk: { readonly full?: boolean; readonly bytesPerDay?: number } = {};
		feedOf(openMemory(), { here: () => ({ nodes: [], rows: "", ...disk }) });
		const seen = () => core.lines.view().find(({ broker }) => broker === "attic");
		await until("the broker", () => (seen()?.state === "here" ? true : undefined));
		expect(seen()).not.toHaveProperty("full");
		disk = { full: true, bytesPerDay: 1_000 };
		await until("a full disk", () => (seen()?.full === true && seen()?.bytesPerDay === 1_000 ? true : undefined));
		disk = { full: false, bytesPerDay: 2_000 };
		await until("room again", () => (seen()?.full === undefined && seen()?.bytesPerDay === 2_000 ? true : undefined));
	});

	it.each([{ full: "yes" }, { full: 1 }, { bytesPerDay: -1 }, { bytesPerDay: 1.5 }, { bytesPerDay: "many" }])("%o is no word of a broker", (wrong) => {
		const here = { v: 1, kind: "here", epoch: "e1", first: 1, head: 0, lostUpTo: 0, sync: true, nodes: [], rows: "" };
		const said = (word: object) => parseBrokerWord(new TextEncoder().encode(JSON.stringify(word)));
		expect(said(here)).toMatchObject({ ok: true });
		expect(said({ ...here, full: true, bytesPerDay: 5 })).toMatchObject({ ok: true });
		expect(said({ ...here, ...wrong })).toMatchObject({ ok: false, fault: { code: "CONTRACT_VIOLATED", facts: { pointer: `/${Object.keys(wrong)[0]}` } } });
	});
});

describe("what is said at once", () => {
	it("reaches the other end or nobody, and is not kept", async () => {
		const feed = feedOf(openMemory());
		await until("core hears", () => core.lines.view().find(({ broker, state }) => broker === "attic" && state === "here"));
		expect(core.lines.brokerOf("pi-3")).toBe("attic");
		expect(await core.lines.say("attic", { v: 1, kind: "drop", node: "pi-3" })).toBe(true);
		expect(await core.lines.say("garden", { v: 1, kind: "drop", node: "pi-3" })).toBe(false);
		await until("the word", () => words.find(({ kind }) => kind === "drop"));
		expect(await feed.say({ v: 1, kind: "answer", id: "1", outcome: "nobody" })).toBe(true);
		await until("the answer", () => core.heard.find(({ kind }) => kind === "answer"));
	});
});
