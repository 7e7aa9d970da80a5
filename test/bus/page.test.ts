// Shows that a page of records goes into Redis whole and under its own numbers, where the log has a hole, where numbers are large, and whatever bytes a record has (LOSS-57).

import { afterEach, beforeEach, expect, it } from "vitest";
import type { StoredRecord } from "../../log/port.ts";
import { listOf, textOf } from "../../log/redis-connection.ts";
import { Mirror } from "../../log/redis-mirror.ts";
import { unbroken } from "../../log/redis-page.ts";
import { dataOf } from "../../log/redis-place.ts";
import { until } from "../support/mesh.ts";
import { quickTimers } from "../support/quick-timers.ts";
import { TestRedis } from "../support/redis.ts";

let redis: TestRedis;
let mirror: Mirror | undefined;
beforeEach(async () => {
	redis = await TestRedis.start();
});
afterEach(async () => {
	await mirror?.stop();
	await redis.end();
});

const entries = async (key: string): Promise<readonly (readonly [string, string])[]> =>
	listOf(await redis.ask("xrange", key, "-", "+")).map((entry) => [textOf(listOf(entry)[0]), Buffer.from(dataOf(entry) ?? []).toString("latin1")]);

const TYPES = [
	"alert.firing",
	"incident.opened",
	"decision.made",
	"action.requested",
	"outcome.verified",
	"approval.requested",
	"approval.decided",
	"clock.tick",
];
const FIRST = 900_719_925_474_000;

it("every record is there once under its number, also behind a hole, and in its family", async () => {
	const records = Array.from({ length: 700 }, (_, index): StoredRecord => {
		const type = TYPES[index % TYPES.length] ?? "";
		// What was lost of a disk is a hole in the middle of a page; the last byte is no text.
		const position = FIRST + index + (index >= 300 ? 41 : 0);
		const bytes = Buffer.concat([Buffer.from(`{"type":"dev.orion.${type}.v1","number":${index}}`), Buffer.from([index % 256])]);
		return { position, bytes, type: `dev.orion.${type}.v1` };
	});
	const head = records.at(-1)?.position ?? 0;
	mirror = new Mirror({
		url: redis.url,
		log: {
			head: () => head,
			first: () => FIRST,
			read: (from, recordsMax) => Promise.resolve(records.filter(({ position }) => position >= from).slice(0, recordsMax)),
			onCommit: () => () => undefined,
		},
		mesh: "mesh-1",
		timers: quickTimers,
		now: () => performance.now(),
		familyRecordsMax: 10_000,
		notice: () => undefined,
	});
	await mirror.start();
	await until("everything is there", () => (mirror?.view().upTo === head ? true : undefined));
	const said = records.map(({ position, bytes }) => [`${position}-0`, Buffer.from(bytes).toString("latin1")] as const);
	expect(await entries("orion:log")).toEqual(said);
	for (const [family, types] of [
		["orion:events", ["alert.firing"]],
		["orion:incidents", ["incident.opened"]],
		["orion:approval_decisions", ["approval.decided"]],
	] as const)
		expect(await entries(family)).toEqual(said.filter(([, text]) => types.some((type) => text.includes(type))));
	expect(listOf(await redis.ask("hmget", "orion:mirror", "mesh", "position")).map(textOf)).toEqual(["mesh-1", String(head)]);
});

it("a page ends where the log has a hole", () => {
	const page = [5, 6, 8, 9].map((position): StoredRecord => ({ position, bytes: new Uint8Array() }));
	expect(unbroken(page).map(({ position }) => position)).toEqual([5, 6]);
	expect(unbroken(page.slice(2)).map(({ position }) => position)).toEqual([8, 9]);
	expect(unbroken([])).toEqual([]);
});
