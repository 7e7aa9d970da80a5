// Shows that what broke its contract can be looked at, judged again by the rules of today, or dropped: once, by name, as a record (RUN-30).
import { describe, expect, test } from "vitest";
import { judgeAgain } from "../../../agents/roles/judge-again.ts";
import type { Envelope } from "../../../contracts/envelope.ts";
import { fault } from "../../../contracts/errors.ts";
import { CoreIntake } from "../../../core/service/intake.ts";
import { coreEnvelope, openJournal } from "../../../core/service/journal.ts";
import { Live } from "../../../core/service/live.ts";
import { Quarantine } from "../../../core/service/quarantine.ts";
import { openMemory } from "../../../log/memory.ts";
import { VirtualHost } from "../../support/world.ts";

const MESH = "mesh-1";
const TOPIC = "orion/v1/pi-1/evt/alert";
const alert = (id: string, more: object = {}) =>
	Buffer.from(
		JSON.stringify({
			specversion: "1.0",
			id,
			source: "/nodes/pi-1.script",
			type: "dev.orion.alert.firing.v1",
			data: { name: "door", severity: "error", summary: "open", ...more },
		}),
	);

const rig = () => {
	const log = openMemory();
	const world = new VirtualHost().process();
	const journal = openJournal({ log, mesh: MESH, clock: world.clock, time: { engineMs: () => 0 } });
	const intake = new CoreIntake(journal, new Live(world.clock), world);
	const judge = judgeAgain(MESH);
	const open = () =>
		new Quarantine({
			records: (from, recordsMax) => journal.read(from, recordsMax),
			ends: () => ({ first: log.first(), head: log.head() }),
			judge,
			accept: (message) => intake.accept(message),
			note: (settled) => journal.note("/core/operator", "dev.orion.quarantine.settled.v1", settled),
		});
	const put = async (bytes: Uint8Array, topic = TOPIC, clientId = "pi-1.script") =>
		(
			await intake.quarantine({
				identity: { node: "pi-1", clientId },
				topic,
				bytes,
				fault: fault("CONTRACT_VIOLATED", { schema: "alert.firing", pointer: "/data/severity", detail: "no" }),
			})
		).position;
	const all = async (type: string) => (await journal.read(1, 10_000)).filter(({ envelope }) => envelope.type === type);
	return { log, journal, open, put, all };
};

describe("RUN-30 the quarantine", () => {
	test("lists what waits, newest first and page by page", async () => {
		const { open, put } = rig();
		const positions: number[] = [];
		for (let index = 0; index < 5; index += 1) positions.push(await put(alert(`a-${index}`)));
		const quarantine = open();
		const first = await quarantine.list(2, undefined);
		expect(first).toMatchObject({ waiting: 5, older: 0, next: positions[3] });
		expect(first.rows.map(({ position }) => position)).toEqual([positions[4], positions[3]]);
		const rest = await quarantine.list(9, first.next ?? undefined);
		expect([rest.rows.map(({ position }) => position), rest.next]).toEqual([positions.slice(0, 3).reverse(), null]);
		// It follows what comes.
		await put(alert("a-6"));
		expect((await quarantine.list(1, undefined)).waiting).toBe(6);
	});

	test("shows one as it came, and where it broke", async () => {
		const { open, put } = rig();
		const position = await put(alert("a"));
		expect(await open().show(position)).toMatchObject({
			ok: true,
			value: { text: alert("a").toString(), contract: "alert.firing", pointer: "/data/severity", topic: TOPIC },
		});
		expect(await open().show(position + 1)).toMatchObject({ ok: false, fault: { code: "NOT_FOUND" } });
		expect(await open().show(1)).toMatchObject({ ok: false, fault: { code: "NOT_FOUND" } });
	});

	test("what passes today is taken with the bytes that came, by who sent it, and waits no longer", async () => {
		const { open, put, all } = rig();
		const position = await put(alert("a"));
		const quarantine = open();
		const retried = await quarantine.retry(position, "lars");
		const [taken] = await all("dev.orion.alert.firing.v1");
		expect(retried).toEqual({ ok: true, value: { entryPosition: position, how: "taken", position: taken?.position } });
		expect(taken?.envelope).toMatchObject({ id: "a", source: "/nodes/pi-1.script" });
		const [settled] = await all("dev.orion.quarantine.settled.v1");
		expect((settled?.envelope as Envelope | undefined)?.data).toEqual({ entryPosition: position, how: "taken", by: "lars", position: taken?.position });
		expect((await quarantine.list(9, undefined)).waiting).toBe(0);
		// Also for whoever asks after a restart, and once only.
		for (const each of [quarantine, open()])
			expect(await each.retry(position, "eve")).toMatchObject({ ok: false, fault: { code: "QUARANTINE_SETTLED", facts: { by: "lars" } } });
		expect(await all("dev.orion.alert.firing.v1")).toHaveLength(1);
	});

	test("two who do it at the same moment: one of them does it", async () => {
		const { open, put, all } = rig();
		const position = await put(alert("a"));
		const quarantine = open();
		const answers = await Promise.all([quarantine.retry(position, "a"), quarantine.drop(position, "b", undefined), quarantine.retry(position, "c")]);
		expect(answers.map(({ ok }) => ok)).toEqual([true, false, false]);
		expect(await all("dev.orion.quarantine.settled.v1")).toHaveLength(1);
	});

	test.each([
		["still broken", alert("a", { severity: "terrible" }), TOPIC, "pi-1.script", "CONTRACT_VIOLATED"],
		["no JSON", Buffer.from("{"), TOPIC, "pi-1.script", "NOT_JSON"],
		["of another node", alert("a"), "orion/v1/pi-2/evt/alert", "pi-1.script", "TOPIC_REFUSED"],
		["an order to stop", Buffer.from("x"), "orion/v1/all/stop", "pi-1.safety", "TOPIC_MISMATCH"],
		["from no client id", alert("a"), TOPIC, "PI 1", "CLIENT_ID_REFUSED"],
	])("%s: it waits on, and nothing is recorded", async (_name, bytes, topic, clientId, code) => {
		const { open, put, log } = rig();
		const position = await put(bytes, topic, clientId);
		const head = log.head();
		const quarantine = open();
		expect(await quarantine.retry(position, "lars")).toMatchObject({ ok: false, fault: { code } });
		expect([log.head(), (await quarantine.list(9, undefined)).waiting]).toEqual([head, 1]);
	});

	test("one that is known already is not taken twice", async () => {
		const { open, put, all } = rig();
		const [first, second] = [await put(alert("a")), await put(alert("a"))];
		const quarantine = open();
		await quarantine.retry(first, "lars");
		expect(await quarantine.retry(second, "lars")).toMatchObject({ ok: true, value: { how: "duplicate" } });
		expect(await all("dev.orion.alert.firing.v1")).toHaveLength(1);
	});

	test("one that was too large to be kept can only be dropped", async () => {
		const { open, put, all } = rig();
		const position = await put(Buffer.alloc(70_000, 120));
		const quarantine = open();
		expect(await quarantine.retry(position, "lars")).toMatchObject({ ok: false, fault: { code: "QUARANTINE_NOT_KEPT" } });
		expect(await quarantine.drop(position, "lars", "too large")).toEqual({ ok: true, value: { entryPosition: position, how: "dropped" } });
		expect((await all("dev.orion.quarantine.settled.v1"))[0]?.envelope.data).toEqual({ entryPosition: position, how: "dropped", by: "lars", why: "too large" });
		expect(await open().show(position)).toMatchObject({ value: { settled: { how: "dropped" } } });
	});

	test("a flood is bounded: the newest thousand are listed, older ones are counted and can still be dealt with", async () => {
		const { open, put, journal } = rig();
		const position = await put(alert("a"));
		const [oldest] = await journal.read(position, 1);
		const data = oldest?.envelope.type === "dev.orion.quarantine.entry.v1" ? oldest.envelope.data : undefined;
		if (data === undefined) throw new Error("no entry");
		for (let round = 0; round < 4; round += 1)
			await journal.append(Array.from({ length: 300 }, () => ({ envelope: coreEnvelope(MESH, 0, "/core/intake", "dev.orion.quarantine.entry.v1", data) })));
		const quarantine = open();
		expect(await quarantine.list(500, undefined)).toMatchObject({ waiting: 1_201, older: 201 });
		expect(await quarantine.drop(position, "lars", undefined)).toMatchObject({ ok: true });
		expect(await quarantine.list(500, undefined)).toMatchObject({ waiting: 1_200, older: 200 });
	});
});
