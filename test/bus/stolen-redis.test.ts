// Shows what a stolen Redis password can do: the whole of Redis is lost to it, and core's log, level and decisions are not (HARM-113).

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bridgeNames } from "../../contracts/bridge.ts";
import { encodeEnvelope } from "../../contracts/envelope.ts";
import { acceptSpooled } from "../../core/service/spooled.ts";
import { openMemory } from "../../log/memory.ts";
import { Feed } from "../../log/redis-feed.ts";
import { BrokerLines } from "../../log/redis-lines.ts";
import { CoreProcess, messageOf, recordsOf } from "../support/core.ts";
import { VirtualDisk } from "../support/disk.ts";
import { MESH } from "../support/engine.ts";
import { until } from "../support/mesh.ts";
import { quickTimers } from "../support/quick-timers.ts";
import { TestRedis } from "../support/redis.ts";
import { settle, VirtualHost } from "../support/world.ts";

let redis: TestRedis;
const closers: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
	redis = await TestRedis.start();
});
afterEach(async () => {
	for (const close of closers.splice(0).reverse()) await close();
	await redis.end();
});

/** Core, and a broker elsewhere whose spool it reads through this Redis. */
const meshOverRedis = async () => {
	const disk = new VirtualDisk();
	const core = new CoreProcess({ host: new VirtualHost(), disk });
	await core.start();
	await settle();
	const cursors = new Map<string, number>();
	let taken = 0;
	const lines = new BrokerLines({
		url: redis.url,
		brokers: ["attic"],
		timers: quickTimers,
		now: () => performance.now(),
		accept: async (records) => {
			for (const { broker, bytes } of records) {
				await acceptSpooled({ intake: core.intake, journal: core.journal, mesh: MESH }, broker, bytes);
				taken += 1;
			}
		},
		cursor: (broker, epoch) => cursors.get(`${broker} ${epoch}`) ?? 0,
		setCursor: async (broker, epoch, position) => void cursors.set(`${broker} ${epoch}`, position),
		lost: async () => undefined,
		heard: () => undefined,
		came: () => undefined,
		notice: () => undefined,
	});
	lines.start();
	closers.push(() => lines.stop());
	const spool = openMemory();
	const feed = new Feed({
		url: redis.url,
		name: "attic",
		epoch: "e1",
		newEpoch: () => "e2",
		spool,
		timers: quickTimers,
		here: () => ({ nodes: [], rows: "" }),
		heard: () => undefined,
		moved: () => undefined,
		notice: () => undefined,
		fatal: (error) => {
			throw error;
		},
	});
	feed.start();
	closers.push(() => feed.stop());
	return { disk, core, spool, taken: () => taken };
};

const alert = (name: string) => encodeEnvelope(messageOf("pi-1", "alert.firing", { name, severity: "error", summary: "x" }));

describe("HARM-113 who holds the password of Redis", () => {
	it("cannot make core believe that a person or core itself spoke: not even as the very record that is expected next", async () => {
		const { disk, core, spool, taken } = await meshOverRedis();
		await spool.append([{ bytes: alert("first") }]);
		await until("the first", () => (taken() === 1 ? true : undefined));
		const forged: readonly (readonly [string, string, object])[] = [
			["/core/operator", "level.set", { level: "N3", by: "lars" }],
			["/core/approvals", "approval.decided", { approval: "apr-1", answer: "approve", by: "lars" }],
			["/core/policy", "policy.activated", { hash: `sha256:${"a".repeat(64)}`, content: {}, files: [] }],
			["/core/commander", "action.requested", {}],
			["/core/operator", "node.added", { node: "evil", by: "lars" }],
		];
		const { stream } = bridgeNames("attic");
		for (const [index, [source, type, data]] of forged.entries()) {
			const bytes = encodeEnvelope({ ...messageOf("pi-1", type, data), id: `forged-${index}`, source });
			await redis.ask("xadd", stream, `${index + 2}-0`, "epoch", "e1", "data", Buffer.from(bytes));
		}
		await until("all of them were looked at", () => (taken() >= 1 + forged.length ? true : undefined));
		const records = await recordsOf(disk);
		expect(records.filter(({ envelope }) => envelope.id.startsWith("forged"))).toEqual([]);
		expect(records.filter(({ envelope }) => envelope.type === "dev.orion.quarantine.entry.v1")).toHaveLength(forged.length);
		expect([core.shell.state.level, Object.keys(core.shell.state.actions)]).toEqual(["N0", []]);
	});

	it("changes the copy and not the log: nothing is ever read back from it", async () => {
		const { disk, core, spool, taken } = await meshOverRedis();
		await spool.append([{ bytes: alert("first") }]);
		await until("the first", () => (taken() === 1 ? true : undefined));
		const before = await recordsOf(disk);
		await redis.ask("xadd", "orion:log", "1-0", "data", "another history");
		await redis.ask("flushall");
		await redis.ask("xadd", "orion:log", "999-0", "data", "another history");
		await spool.append([{ bytes: alert("second") }]);
		await until("the second", () => (taken() >= 2 ? true : undefined));
		const after = await recordsOf(disk);
		expect(after.slice(0, before.length)).toEqual(before);
		expect(after.filter(({ envelope }) => envelope.type === "dev.orion.alert.firing.v1")).toHaveLength(2);
		expect(core.shell.state.level).toBe("N0");
	});
});
