// Shows what the door of core keeps, and how: once, stamped, with a clock record; forks and storms in quarantine, counted, on disk before anyone is thanked.
import { describe, expect, test } from "vitest";
import { encodeEnvelope } from "../../../contracts/envelope.ts";
import { fault } from "../../../contracts/errors.ts";
import { identityOf, keyOfEnvelope, keyOfRecord } from "../../../core/service/journal.ts";
import { CoreProcess, messageOf, recordsOf } from "../../support/core.ts";
import { VirtualDisk } from "../../support/disk.ts";
import { SESSION } from "../../support/engine.ts";
import { settle, VirtualHost } from "../../support/world.ts";

const opened = async () => {
	const host = new VirtualHost();
	const disk = new VirtualDisk();
	const core = new CoreProcess({ host, disk });
	await core.start();
	await settle();
	return { host, disk, core };
};

const alert = (seq?: number, summary = "s") => messageOf("pi-1", "alert.firing", { name: "disk", severity: "error", summary }, seq);
const ofType = async (disk: VirtualDisk, name: string) => (await recordsOf(disk)).filter(({ envelope }) => envelope.type === `dev.orion.${name}.v1`);
const bad = (client = "pi-1.script", bytes = 10) => ({
	identity: { node: "pi-1", clientId: client },
	topic: "orion/v1/pi-1/evt/x",
	bytes: new Uint8Array(bytes).fill(65),
	fault: fault("CONTRACT_VIOLATED", { schema: "alert.firing", pointer: "/data/name", detail: "missing" }),
});

describe("messages (LOSS-4)", () => {
	test("the same again is a duplicate and is not stored; by number and by id", async () => {
		const { disk, core } = await opened();
		expect(await core.accept(alert(1))).toMatchObject({ kind: "stored" });
		expect(await core.accept(alert(1))).toEqual({ kind: "duplicate" });
		expect(await core.accept(alert())).toMatchObject({ kind: "stored" });
		expect(await core.accept(alert())).toEqual({ kind: "duplicate" });
		expect(await ofType(disk, "alert.firing")).toHaveLength(2);
	});

	test("the same number with other bytes is a fork: kept in quarantine, whole, and an incident", async () => {
		const { disk, core } = await opened();
		await core.accept(alert(1));
		const kept = await core.accept(alert(1, "other"));
		expect(kept).toMatchObject({ kind: "fork", fault: { code: "IDENTITY_FORK" } });
		await settle();
		const [entry] = await ofType(disk, "quarantine.entry");
		expect(entry?.position).toBe(kept.kind === "fork" ? kept.position : 0);
		expect(Object.values(core.shell.state.incidents).map(({ rule }) => rule)).toContain("identity-fork");
	});

	test("the same id with other bytes is an id used twice", async () => {
		const { core } = await opened();
		await core.accept({ ...alert(), id: "mine" });
		expect(await core.accept({ ...alert(undefined, "other"), id: "mine" })).toMatchObject({ kind: "fork", fault: { code: "ID_REUSED" } });
	});

	test("what a message is known by is read from the record as it was from the message, and it is compared as it came", async () => {
		const { disk, core } = await opened();
		for (const message of [alert(1), alert(), { ...alert(2), recordedtime: "2026-01-01T00:00:00.000Z" }]) {
			const bytes = encodeEnvelope(message);
			await core.accept({ ...message });
			const record = (await disk.log.read(disk.log.head(), 1))[0]?.bytes ?? new Uint8Array();
			const stored = disk.log.head();
			const own = (await disk.log.read(1, stored)).find((one) => Buffer.from(one.bytes).includes(message.id))?.bytes ?? record;
			expect(keyOfRecord(own)).toEqual(keyOfEnvelope(message));
			expect(Buffer.from(identityOf(own)).toString()).toBe(Buffer.from(bytes).toString());
		}
	});

	test("measurements have no key: they are sampled, and holes in their numbers mean nothing", () => {
		expect(keyOfEnvelope(messageOf("pi-1", "host.metrics", {}, 4, SESSION, "metric"))).toBeUndefined();
		expect(keyOfEnvelope({ ...alert(), source: "/core/operator" })).toBeUndefined();
	});

	test("a clock record stands before the first message of each 100 ms, and before no other", async () => {
		const { host, disk, core } = await opened();
		const before = (await ofType(disk, "clock.tick")).length;
		await host.time.advance(100);
		await core.accept(alert(1));
		await core.accept(alert(2));
		await host.time.advance(99);
		await core.accept(alert(3));
		expect((await ofType(disk, "clock.tick")).length).toBe(before + 1);
		await host.time.advance(1);
		await core.accept(alert(4));
		expect((await ofType(disk, "clock.tick")).length).toBe(before + 2);
		const ticks = await ofType(disk, "clock.tick");
		const last = await ofType(disk, "alert.firing");
		expect(ticks.at(-1)?.position).toBe((last.at(-1)?.position ?? 0) - 1);
	});
});

describe("bad messages and storms of them", () => {
	test("the first 20 of a sender in a minute are kept whole, the rest is counted, and the count is on disk", async () => {
		const { host, disk, core } = await opened();
		for (let n = 0; n < 50; n++) await core.intake.quarantine(bad());
		expect(await ofType(disk, "quarantine.entry")).toHaveLength(20);
		await host.time.advance(59_999);
		await core.intake.settle("over");
		expect(await ofType(disk, "quarantine.storm")).toHaveLength(0);
		await host.time.advance(1);
		await core.intake.settle("over");
		const [storm] = await ofType(disk, "quarantine.storm");
		expect(storm?.envelope.data).toMatchObject({ identity: "pi-1.script", count: 30, windowMs: 60_000, lastDetail: expect.stringContaining("/data/name") });
	});

	test("received = kept + counted, also when the storm goes on through windows and ends with core", async () => {
		const { host, disk, core } = await opened();
		for (let n = 0; n < 300; n++) {
			await core.intake.quarantine(bad(n % 3 === 0 ? "pi-1.other" : "pi-1.script"));
			await host.time.advance(700);
		}
		await core.intake.settle("all");
		const counted = (await ofType(disk, "quarantine.storm")).reduce((sum, { envelope }) => sum + (envelope.data as { count: number }).count, 0);
		expect((await ofType(disk, "quarantine.entry")).length + counted).toBe(300);
	});

	test("a message that is too large to be kept is described; senders do not share a window", async () => {
		const { disk, core } = await opened();
		await core.intake.quarantine(bad("pi-1.a", 70_000));
		for (let n = 0; n < 25; n++) await core.intake.quarantine(bad("pi-1.b"));
		await core.intake.quarantine(bad("pi-1.c"));
		const entries = (await ofType(disk, "quarantine.entry")).map(({ envelope }) => envelope.data as { identity: string; bytes: number; bytesBase64?: string });
		expect(entries[0]).toMatchObject({ identity: "pi-1.a", bytes: 70_000 });
		expect(entries[0]?.bytesBase64).toBeUndefined();
		expect(entries.filter(({ identity }) => identity === "pi-1.b")).toHaveLength(20);
		expect(entries.at(-1)?.identity).toBe("pi-1.c");
	});

	test("with a full disk nobody is thanked, and what could not be kept does not count as kept", async () => {
		const { disk, core } = await opened();
		disk.full = true;
		for (let n = 0; n < 30; n++) await expect(core.intake.quarantine(bad())).rejects.toMatchObject({ fault: { code: "DISK_FULL" } });
		disk.full = false;
		expect((await core.intake.quarantine(bad())).position).toBeGreaterThan(0);
		expect(await ofType(disk, "quarantine.entry")).toHaveLength(1);
	});
});

describe("pulses and measurements", () => {
	const metrics = (seq: number) => messageOf("pi-1", "host.metrics", { cpuCount: 4, uptimeSeconds: seq, bootId: "b", windowMs: 1_000 }, seq, SESSION, "metric");
	const heard = (message: ReturnType<typeof metrics>) => ({
		identity: { node: "pi-1", clientId: "pi-1" },
		topic: "t",
		envelope: message,
		bytes: encodeEnvelope(message),
	});
	const pulse = (tick: number, session = SESSION) => ({ ...heard(messageOf("pi-1", "node.pulse", { session, tick, safety: "working" })) });

	test("one measurement in 10 s is recorded, the newest is shown, the rest is counted", async () => {
		const { host, disk, core } = await opened();
		for (let n = 0; n < 25; n++) {
			core.intake.live(heard(metrics(n + 1)));
			await host.time.advance(1_000);
		}
		expect(await ofType(disk, "host.metrics")).toHaveLength(3);
		expect(core.live.view(() => true, ["pi-2"])).toMatchObject([
			{ node: "pi-1", metricsNotRecorded: 22, metrics: { uptimeSeconds: 25 } },
			{ node: "pi-2", metricsNotRecorded: 0 },
		]);
	});

	test("a full disk loses samples and nothing else", async () => {
		const { host, disk, core } = await opened();
		disk.full = true;
		core.intake.live(heard(metrics(1)));
		await host.time.advance(1);
		expect(core.world.fatalities).toEqual([]);
	});

	test("a pulse of an older session, or an older tick, tells nothing", async () => {
		const { core } = await opened();
		core.intake.live(pulse(50));
		core.intake.live(pulse(40));
		expect(core.live.tick("pi-1", SESSION)).toBe(50);
		core.intake.live(pulse(3, "2.00112233445566aa"));
		core.intake.live(pulse(90));
		expect(core.live.tick("pi-1", SESSION)).toBeUndefined();
		expect(core.live.tick("pi-1", "2.00112233445566aa")).toBe(3);
		expect(core.live.ticks()).toEqual({ "pi-1": 3 });
		core.live.forget("pi-1");
		expect(core.live.ticks()).toEqual({});
	});
});
