// Shows what survives the end of core at any moment: what was durable is folded without acting, then decided on afresh, and a full disk only makes it wait.
import { describe, expect, test } from "vitest";
import { digest } from "../../../contracts/digest.ts";
import type { Envelope, RecordType } from "../../../contracts/envelope.ts";
import { Replay } from "../../../core/memory/replay.ts";
import { coreEnvelope } from "../../../core/service/journal.ts";
import { CoreProcess, type CoreProcessOptions, messageOf, recordsOf } from "../../support/core.ts";
import { VirtualDisk } from "../../support/disk.ts";
import { limitsWith, MESH, shippedPolicy, types } from "../../support/engine.ts";
import { settle, VirtualHost } from "../../support/world.ts";

const HOUR_MS = 3_600_000;

class Machine {
	readonly host = new VirtualHost();
	readonly disk = new VirtualDisk();
	core: CoreProcess | undefined;
	#starts = 0;

	async start(options: Partial<CoreProcessOptions> = {}): Promise<CoreProcess> {
		this.#starts += 1;
		const core = new CoreProcess({ host: this.host, disk: this.disk, term: this.#starts, ...options });
		this.core = core;
		await core.start();
		await settle();
		return core;
	}

	async all<T extends RecordType>(type: T): Promise<readonly Envelope<T>[]> {
		return (await recordsOf(this.disk)).flatMap(({ envelope }) => (envelope.type === type ? [envelope as Envelope<T>] : []));
	}

	async replay(): Promise<Replay> {
		const replay = new Replay(MESH);
		const stored = await this.disk.log.read(1, Number.MAX_SAFE_INTEGER);
		const records = await recordsOf(this.disk);
		for (const [index, { position, envelope }] of records.entries()) replay.push({ position, envelope, bytes: stored[index]?.bytes ?? new Uint8Array() });
		replay.finish();
		return replay;
	}
}

const down = (seq?: number) => messageOf("pi-1", "process.down", { service: "web", cause: "exited", exitCode: 1, downs: 1 }, seq);
const up = (seq?: number) => messageOf("pi-1", "process.up", { service: "web", pid: 7, startTicks: 7, how: "started", starts: 1 }, seq);
const ready = () => messageOf("pi-1", "node.state", { state: "ready", session: "1.00112233445566aa", conn: 1 });
const about = () =>
	messageOf("pi-1", "node.about", {
		role: "node",
		version: "1",
		capabilities: ["process"],
		actions: ["process.restart"],
		services: ["web"],
		contracts: 1,
		keyId: "k",
	});

describe("a start", () => {
	test("the first one records time, policy and itself, in one batch, at N0", async () => {
		const machine = new Machine();
		const core = await machine.start();
		expect(types((await recordsOf(machine.disk)).map(({ envelope }) => envelope))).toEqual(["clock.tick", "policy.activated", "engine.started"]);
		expect(machine.disk.appends).toBe(1);
		expect(core.shell.state).toMatchObject({ level: "N0", policyHash: shippedPolicy().hash });
	});

	test("a policy that is the same is not recorded again; another one is, and only from then on", async () => {
		const machine = new Machine();
		(await machine.start()).kill();
		(await machine.start()).kill();
		expect(await machine.all("dev.orion.policy.activated.v1")).toHaveLength(1);
		const core = await machine.start({ policy: limitsWith({ askTimesMax: 2 }) });
		expect(await machine.all("dev.orion.policy.activated.v1")).toHaveLength(2);
		expect(core.shell.state.policy?.limits.askTimesMax).toBe(2);
	});

	test("more news at a start than fit on a page are folded, and the start is decided on once", async () => {
		const machine = new Machine();
		const core = new CoreProcess({ host: machine.host, disk: machine.disk });
		const losses = Array.from({ length: 600 }, (_, n) => {
			const data = { what: "records" as const, fromPosition: n + 1, toPosition: n + 1, count: 1, bytes: 9, why: "test" };
			return { envelope: coreEnvelope(MESH, 0, "/core/log", "dev.orion.log.loss.v1", data) };
		});
		await core.start(losses);
		expect(core.shell.readUpTo).toBe(machine.disk.log.head());
	});
});

describe("what core had not decided on when it ended (HARM-9)", () => {
	/** Accepts these and dies before the first decision is on disk. */
	const dyingWith = async (machine: Machine, messages: readonly Envelope[]): Promise<void> => {
		const core = await machine.start({ level: "N2" });
		core.log.endAt = { batches: messages.length + 1, kept: false, ended: () => core.kill() };
		await Promise.all(messages.map((message) => Promise.race([core.accept(message), settle()])));
		await settle();
		core.kill();
	};

	test("is folded without acting, and one record decides on what is so", async () => {
		const machine = new Machine();
		await dyingWith(machine, [ready(), about(), down()]);
		expect(await machine.all("dev.orion.incident.opened.v1")).toEqual([]);
		await machine.start();
		const started = (await machine.all("dev.orion.engine.started.v1")).at(-1);
		const opened = await machine.all("dev.orion.incident.opened.v1");
		expect(opened.map(({ causationid }) => causationid)).toEqual([started?.id]);
		expect(await machine.all("dev.orion.action.requested.v1")).toHaveLength(1);
	});

	test("what was over by then leads to nothing", async () => {
		const machine = new Machine();
		await dyingWith(machine, [ready(), about(), down(1), up(2)]);
		await machine.start();
		expect(await machine.all("dev.orion.incident.opened.v1")).toEqual([]);
		expect(await machine.all("dev.orion.action.requested.v1")).toEqual([]);
		expect(await machine.all("dev.orion.process.down.v1")).toHaveLength(1);
	});

	test("a level and a policy that come with the start are in force before it decides", async () => {
		const machine = new Machine();
		await dyingWith(machine, [ready(), about(), down()]);
		await machine.start({ level: "N0" });
		expect((await machine.all("dev.orion.decision.made.v1")).map(({ data }) => data.verdict)).toEqual(["would"]);
	});
});

describe("an end at any batch (TELL-1, TELL-2)", () => {
	const story = [ready(), about(), down(1), up(2), down(3), messageOf("pi-1", "alert.firing", { name: "disk", severity: "error", summary: "s" }, 4)];

	test.each([true, false])("the batch is durable: %s; the state is that of a replay from the first record, which differs in no byte", async (kept) => {
		for (let batches = 1; batches <= 20; batches++) {
			const machine = new Machine();
			let core = await machine.start({ level: "N2" });
			core.log.endAt = { batches, kept, ended: () => core.kill() };
			for (const message of story) {
				await Promise.race([core.accept(message), settle().then(settle)]);
				await machine.host.time.advance(1_000);
			}
			core.kill();
			core = await machine.start();
			await machine.host.time.advance(30_000);
			expect(core.world.fatalities).toEqual([]);
			const replay = await machine.replay();
			expect(replay.divergence).toBeUndefined();
			expect(digest(replay.state)).toBe(digest(core.shell.state));
		}
	});

	test("after a clean end the snapshot gives the same state as the log does", async () => {
		const machine = new Machine();
		const first = await machine.start({ level: "N2" });
		for (const message of story) await first.accept(message);
		await settle();
		await first.stop();
		expect([...machine.host.files.texts.keys()]).toEqual(["snapshot-a.json"]);
		const withSnapshot = await machine.start();
		const state = digest(withSnapshot.shell.state);
		expect(state).toBe(digest((await machine.replay()).state));
	});

	test.each([
		["is no JSON", () => "{"],
		["is of another mesh", (text: string) => text.replace(`"mesh":"${MESH}"`, '"mesh":"other"')],
		["was changed by a byte", (text: string) => text.replace('"N2"', '"N3"')],
		["is empty", () => ""],
	])("a snapshot that %s is not believed", async (_name, spoil) => {
		const machine = new Machine();
		const first = await machine.start({ level: "N2" });
		await first.accept(down());
		await settle();
		await first.stop();
		for (const [name, text] of machine.host.files.texts) machine.host.files.texts.set(name, spoil(text));
		const core = await machine.start();
		expect(core.shell.state.level).toBe("N2");
		expect(digest(core.shell.state)).toBe(digest((await machine.replay()).state));
	});
});

describe("how long core was away", () => {
	const downtimes = async (machine: Machine) => (await machine.all("dev.orion.engine.started.v1")).map(({ data }) => data.downtimeMs);

	test("within one boot it is exact, after a kill and after a clean end", async () => {
		const machine = new Machine();
		(await machine.start()).kill();
		await machine.host.time.advance(7_000);
		const core = await machine.start();
		await core.accept(down());
		await settle();
		await core.stop();
		await machine.host.time.advance(5_000);
		await machine.start();
		expect(await downtimes(machine)).toEqual([null, 7_000, 5_000]);
	});

	test("the clock record is found although thousands of records stand behind it", async () => {
		const machine = new Machine();
		const core = await machine.start();
		for (let n = 0; n < 700; n++)
			await core.accept(messageOf("pi-1", "process.up", { service: "web", pid: n + 1, startTicks: 1, how: "started", starts: 1 }, n + 1));
		await settle();
		await core.stop();
		await machine.host.time.advance(5_000);
		await machine.start();
		expect((await downtimes(machine)).at(-1)).toBe(5_000);
	});

	test.each([
		["both clocks were synced", "synced", 0, 60_000],
		["the clock was not synced", "unsynced", 0, null],
		["the clock went back", "synced", -400 * 24 * HOUR_MS, null],
	] as const)("across boots, %s: %s", async (_name, quality, stepMs, expected) => {
		const machine = new Machine();
		machine.host.quality = quality;
		(await machine.start()).kill();
		machine.host.reboot();
		machine.host.wallOffsetMs += stepMs;
		await machine.host.time.advance(60_000);
		await machine.start();
		expect((await downtimes(machine)).at(-1)).toBe(expected);
	});

	test("unknown: cooldowns begin again, counted from the start (HARM-9)", async () => {
		const machine = new Machine();
		const core = await machine.start({ level: "N2" });
		for (const message of [ready(), about(), down()]) await core.accept(message);
		await settle();
		const [action] = Object.keys(core.shell.state.actions);
		await core.accept(messageOf("pi-1", "action.receipt", { command: action, action: "process.restart", phase: "failed" }));
		await machine.host.time.advance(4_900);
		core.kill();
		machine.host.reboot();
		machine.host.quality = "unsynced";
		await machine.start();
		await machine.host.time.advance(4_900);
		expect(await machine.all("dev.orion.action.requested.v1")).toHaveLength(1);
		await machine.host.time.advance(200);
		expect(await machine.all("dev.orion.action.requested.v1")).toHaveLength(2);
	});

	test("a wall clock that jumps by years moves no engine time (HARM-7)", async () => {
		const machine = new Machine();
		const core = await machine.start();
		await machine.host.time.advance(30_000);
		machine.host.wallOffsetMs += 30 * 365 * 24 * HOUR_MS;
		await machine.host.time.advance(30_000);
		machine.host.wallOffsetMs = -60_000;
		await machine.host.time.advance(30_000);
		expect(core.shell.state.clock).toMatchObject({ engineMs: 90_000, wallMs: expect.any(Number) });
		const ticks = await machine.all("dev.orion.clock.tick.v1");
		expect(ticks.map(({ data }) => data.engineMs)).toEqual([0, 30_000, 60_000, 90_000]);
	});
});

describe("time passes", () => {
	test("without anything to wait for a clock record is written every 30 s; with a timer when that is due", async () => {
		const machine = new Machine();
		const core = await machine.start({ level: "N2" });
		for (const message of [ready(), about(), down()]) await core.accept(message);
		await settle();
		const [action] = Object.keys(core.shell.state.actions);
		await core.accept(messageOf("pi-1", "action.receipt", { command: action, action: "process.restart", phase: "done" }));
		await core.accept(up());
		await machine.host.time.advance(2_999);
		expect(await machine.all("dev.orion.outcome.verified.v1")).toEqual([]);
		await machine.host.time.advance(2);
		expect(await machine.all("dev.orion.outcome.verified.v1")).toHaveLength(1);
	});
});

describe("a full disk (LOSS-7)", () => {
	const stuck = async () => {
		const machine = new Machine();
		const core = await machine.start({ level: "N2" });
		for (const message of [ready(), about()]) await core.accept(message);
		await settle();
		// The message is durable, the decision is not.
		const append = core.log.append.bind(core.log);
		core.log.append = (entries) => {
			core.log.append = append;
			const stored = append(entries);
			machine.disk.full = true;
			return stored;
		};
		await core.accept(down());
		await settle();
		return { machine, core };
	};

	test("stops the engine where it is; when there is room it goes on, and nothing was decided twice", async () => {
		const { machine, core } = await stuck();
		await machine.host.time.advance(60_000);
		expect(await machine.all("dev.orion.incident.opened.v1")).toEqual([]);
		expect(core.shell.state.incidents).toEqual({});
		await expect(core.accept(up())).rejects.toMatchObject({ fault: { code: "DISK_FULL" } });
		machine.disk.full = false;
		await machine.host.time.advance(1_000);
		expect(await machine.all("dev.orion.incident.opened.v1")).toHaveLength(1);
		expect(core.world.fatalities).toEqual([]);
		expect((await machine.replay()).divergence).toBeUndefined();
	});

	test("does not keep core from ending; what it could not record it decides at the next start", { timeout: 5_000 }, async () => {
		const { machine, core } = await stuck();
		machine.host.files.full = true;
		const stopped = core.shell.stop();
		await machine.host.time.advance(2_000);
		await stopped;
		expect(core.world.fatalities).toEqual([]);
		core.kill();
		machine.disk.full = false;
		await machine.start();
		expect(await machine.all("dev.orion.incident.opened.v1")).toHaveLength(1);
	});

	test("is asked again once a second and not in a loop, and the next message brings its own clock record", async () => {
		const machine = new Machine();
		const core = await machine.start();
		await core.accept(messageOf("pi-1", "host.metrics", { cpuCount: 4, uptimeSeconds: 5, bootId: "b", windowMs: 1_000 }));
		let asked = 0;
		const append = core.log.append.bind(core.log);
		core.log.append = (entries) => {
			asked += 1;
			return append(entries);
		};
		machine.disk.full = true;
		await machine.host.time.advance(180_000);
		expect(asked).toBeGreaterThan(2);
		expect(asked).toBeLessThan(180);
		machine.disk.full = false;
		const before = (await machine.all("dev.orion.clock.tick.v1")).length;
		await core.accept(down());
		expect(await machine.all("dev.orion.clock.tick.v1")).toHaveLength(before + 1);
		expect(core.world.fatalities).toEqual([]);
	});
});
