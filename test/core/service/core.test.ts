// Shows core as it is composed: an order to stop leaves at once while a policy is read or taken over, and what pulses do not say becomes presence (HARM-45, HARM-100).
import { expect, test } from "vitest";
import { fail, fault, OrionError } from "../../../contracts/errors.ts";
import type { Result } from "../../../contracts/result.ts";
import { type Core, openCore } from "../../../core/service/core.ts";
import type { DiskFacts } from "../../../core/service/disk-room.ts";
import type { LoadedPolicy } from "../../../core/service/policies.ts";
import { messageOf, recordsOf } from "../../support/core.ts";
import { VirtualDisk } from "../../support/disk.ts";
import { limitsWith, MESH, SESSION, shippedPolicy } from "../../support/engine.ts";
import { VirtualHost } from "../../support/world.ts";

const MIB = 1_048_576;
const ROOMY: DiskFacts = { usedRatio: 0.3, freeBytes: 20_000 * MIB };

const opened = async (readPolicy: () => Promise<Result<LoadedPolicy>>, found: () => DiskFacts | undefined = () => ROOMY) => {
	const host = new VirtualHost();
	const disk = new VirtualDisk({ now: () => host.time.nowMs });
	const world = host.process();
	const log = disk.open();
	const said: string[] = [];
	const core: Core = await openCore({
		log,
		audit: fail("LOG_CLOSED"),
		mesh: MESH,
		code: "0.1.0",
		commit: "0123456789ab",
		data: "data",
		host: "host",
		instance: "i",
		policy: shippedPolicy(),
		readPolicy,
		register: {
			nodes: () => [],
			add: () => Promise.resolve(fail("LOG_CLOSED")),
			remove: () => Promise.resolve(fail("LOG_CLOSED")),
			revoke: () => Promise.resolve(fail("LOG_CLOSED")),
		},
		world,
		disk: { folder: "data/log", facts: () => Promise.resolve(found()) },
		losses: [],
	});
	await core.connect(
		{
			publish: (topic) => {
				said.push(topic);
				return Promise.resolve();
			},
			deliver: () => Promise.resolve("nobody"),
			drop: () => Promise.resolve(),
			judge: () => fail("LOG_CLOSED"),
			connected: () => true,
		},
		{ mqtt: "", http: () => "" },
	);
	let tick = 0;
	const pulse = (node: string): void => {
		tick += 1;
		const envelope = { ...messageOf(node, "node.pulse", { session: SESSION, tick, safety: "working" }) };
		core.intake.live({ identity: { node, clientId: `${node}.safety` }, topic: "test", envelope, bytes: new Uint8Array() });
	};
	const orders = () => said.filter((topic) => /(stop|cut)$/.test(topic));
	const records = async (name: string) => (await recordsOf(disk)).filter(({ envelope }) => envelope.type === `dev.orion.${name}.v1`);
	return { host, log, core, pulse, orders, records };
};

test("HARM-45 while a policy is read, and while it is taken over on a disk that is stuck, orders leave at once", async () => {
	let give: (loaded: Result<LoadedPolicy>) => void = () => undefined;
	const { host, log, core, orders } = await opened(
		() =>
			new Promise((resolve) => {
				give = resolve;
			}),
	);
	const reloading = core.desk.reloadPolicy("anna");
	const first = core.desk.stop("stop", "all", "anna", "cli");
	expect(orders()).toEqual(["orion/v1/all/stop"]);
	const append = log.append.bind(log);
	let release: () => void = () => undefined;
	const stuck = new Promise<void>((resolve) => {
		release = resolve;
	});
	log.append = async (entries) => {
		await stuck;
		return append(entries);
	};
	give({ ok: true, value: limitsWith({ askTimesMax: 9 }) });
	await host.time.advance(10);
	const second = core.desk.stop("cut", "all", "anna", "cli");
	expect(orders()).toEqual(["orion/v1/all/stop", "orion/v1/all/cut"]);
	release();
	await host.time.advance(5_000);
	expect(await reloading).toMatchObject({ ok: true, value: { changed: true } });
	expect([(await first).verb, (await second).verb]).toEqual(["stop", "cut"]);
	const closing = core.close();
	await host.time.advance(1_000);
	await closing;
});

test("HARM-100 a node whose pulses stop is suspect, then lost, and ready again with its next pulses", async () => {
	const { host, core, pulse } = await opened(() => Promise.resolve(fail("LOG_CLOSED")));
	const envelope = messageOf("pi-1", "node.state", { state: "ready", session: SESSION, conn: 1 }, 1, SESSION, "safety");
	await core.intake.accept({
		identity: { node: "pi-1", clientId: "pi-1.safety" },
		topic: "test",
		envelope,
		bytes: new TextEncoder().encode(JSON.stringify(envelope)),
	});
	const found = () => core.desk.state().nodes["pi-1"]?.silence?.found ?? "none";
	const seconds = async (count: number, speaks: boolean): Promise<string> => {
		for (let second = 0; second < count; second += 1) {
			if (speaks) pulse("pi-1");
			await host.time.advance(1_000);
		}
		return found();
	};
	expect(await seconds(10, true)).toBe("none");
	expect(await seconds(4, false)).toBe("suspect");
	expect(await seconds(4, false)).toBe("lost");
	expect(await seconds(2, true)).toBe("none");
	const closing = core.close();
	await host.time.advance(1_000);
	await closing;
});

test("LOSS-63 a disk that is all but full: core says so, records no measurements, then thanks nobody but for safety and receipts; with room again all is taken", async () => {
	let disk: DiskFacts = ROOMY;
	const { host, core, records } = await opened(
		() => Promise.resolve(fail("LOG_CLOSED")),
		() => disk,
	);
	let seq = 0;
	const says = async (
		lane: "safety" | "decision" | "event" | undefined,
		type = "alert.firing",
		data: object = { name: "a", severity: "info", summary: "s" },
	) => {
		seq += 1;
		const { lane: _lane, seq: _seq, ...bare } = messageOf("pi-1", type, data, seq, SESSION);
		const envelope = (lane === undefined ? bare : { ...bare, lane, seq }) as ReturnType<typeof messageOf>;
		const bytes = new TextEncoder().encode(JSON.stringify(envelope));
		const accepted = core.intake.accept({ identity: { node: "pi-1", clientId: "pi-1" }, topic: "test", envelope, bytes });
		const answer = accepted.then(
			({ kind }) => kind,
			(error: unknown) => (error instanceof OrionError ? error.fault.code : "?"),
		);
		await host.time.advance(10);
		return answer;
	};
	const bad = async () => {
		const rejected = { identity: { node: "pi-1", clientId: "pi-1" }, topic: "test", bytes: new Uint8Array(10), fault: fault("NOT_JSON", { detail: "x" }) };
		const answer = core.intake.quarantine(rejected).then(
			() => "kept",
			(error: unknown) => (error instanceof OrionError ? error.fault.code : "?"),
		);
		await host.time.advance(10);
		return answer;
	};
	const measured = async (): Promise<boolean> => {
		const before = (await records("host.metrics")).length;
		const envelope = messageOf("pi-1", "host.metrics", { cpuRatio: 0.5 }, 1, SESSION, "metric");
		await host.time.advance(20_000);
		core.intake.live({ identity: { node: "pi-1", clientId: "pi-1" }, topic: "test", envelope, bytes: new TextEncoder().encode(JSON.stringify(envelope)) });
		await host.time.advance(100);
		return (await records("host.metrics")).length > before;
	};
	const gets = async (next: DiskFacts): Promise<string> => {
		disk = next;
		await host.time.advance(5_000);
		return core.desk.notices().find(({ text }) => text.startsWith("the disk of data/log"))?.text ?? "nothing";
	};
	const others = async () => [await says("event"), await says(undefined), await bad(), await measured()];
	const kept = async () => [
		await says("safety", "node.safety", { state: "working" }),
		await says("decision", "action.receipt", {}),
		await says(undefined, "node.state", { state: "lost" }),
	];

	expect([await gets(ROOMY), await others(), await kept()]).toEqual(["nothing", ["stored", "stored", "kept", true], ["stored", "stored", "stored"]]);
	expect(await gets({ usedRatio: 0.86, freeBytes: 3_500 * MIB })).toBe(
		"the disk of data/log is 86 % full, 3.4 GiB left: measurements are not recorded until there is room. Free some space there",
	);
	expect([await others(), await kept()]).toEqual([
		["stored", "stored", "kept", false],
		["stored", "stored", "stored"],
	]);
	expect(await gets({ usedRatio: 0.96, freeBytes: 600 * MIB })).toBe(
		"the disk of data/log is 96 % full, 600 MiB left, kept for safety, receipts and decisions: nodes keep what else they have until there is room. Free some space there",
	);
	expect([await others(), await kept()]).toEqual([
		["DISK_FULL", "DISK_FULL", "DISK_FULL", false],
		["stored", "stored", "stored"],
	]);
	// Core's own records go on: what a person orders is on disk.
	const level = core.desk.setLevel(core.desk.state().level, "anna", undefined);
	await host.time.advance(100);
	expect((await level).position).toBeGreaterThan(0);
	expect([await gets(ROOMY), await others(), await kept()]).toEqual(["nothing", ["stored", "stored", "kept", true], ["stored", "stored", "stored"]]);
	const closing = core.close();
	await host.time.advance(1_000);
	await closing;
});
