// Shows that what moves is driven only while it may be: through leases over links that slow down, holders that die, servos that fail and disks that are full.
import { beforeEach, describe, expect, test } from "vitest";
import { Leases } from "../../edge/leases.ts";
import { MOVER_RULES } from "../../edge/machines/safe-stop-rows.ts";
import { MoverLoop, type Servos } from "../../edge/mover.ts";
import type { SessionStore } from "../../edge/session.ts";
import { keysOf, MemoryFiles, Notes, Signer, VirtualTime } from "./world.ts";

const SESSION = "5.00000000000000aa";
const TICK_MS = 20;
const RENEW_MS = 100;
const TTL_MS = 400;

/** Servos that remember: outputs, and every target with its time. */
class Legs implements Servos {
	on = false;
	readonly said: string[] = [];
	readonly targetsMs: number[] = [];
	stepsLeft = 5;
	broken: "no" | "step" | "enable" = "no";
	readonly #nowMs: () => number;
	constructor(nowMs: () => number) {
		this.#nowMs = nowMs;
	}
	enable(): Promise<void> {
		if (this.broken === "enable") return Promise.reject(new Error("EIO"));
		this.on = true;
		this.said.push("enable");
		return Promise.resolve();
	}
	disable(): void {
		this.on = false;
		this.said.push("disable");
	}
	freeze(): void {
		this.said.push("freeze");
	}
	settle(): void {
		this.stepsLeft = 5;
		this.said.push("settle");
	}
	step(kind: string): "going" | "done" {
		if (this.broken === "step") throw new Error("ENOTTY");
		if (!this.on) throw new Error("BUG: a target with outputs off");
		this.targetsMs.push(this.#nowMs());
		this.stepsLeft -= 1;
		return (kind === "rising" || kind === "settling") && this.stepsLeft <= 0 ? "done" : "going";
	}
}

class Robot {
	readonly time = new VirtualTime();
	readonly files = new MemoryFiles();
	readonly legs = new Legs(() => this.time.nowMs);
	readonly notes = new Notes();
	readonly core = new Signer();
	readonly holder = new Signer();
	readonly kinds: string[] = [];
	loop: MoverLoop | undefined;
	/** The holder's view: the newest tick that it heard. */
	heardTick = 0;
	number = 0;
	lease = 1;

	get mover(): MoverLoop {
		if (this.loop === undefined) throw new Error("not open");
		return this.loop;
	}
	async open(): Promise<this> {
		const { time, files, legs, notes, core } = this;
		const sessions: SessionStore = {
			current: () => ({ id: SESSION, counter: 5, tick: () => time.nowMs }),
			isBehind: () => false,
			begin: () => Promise.reject(new Error("none")),
		};
		const leases: Leases = new Leases({ mesh: "mesh-1", node: "pi-1", keys: keysOf(core), sessions, armEpoch: () => this.mover.state.armEpoch });
		this.loop = await MoverLoop.open({
			rules: MOVER_RULES,
			servos: legs,
			files,
			leases,
			nowMs: () => time.nowMs,
			note: notes.note,
			onChange: ({ kind }) => this.kinds.push(kind),
		});
		return this;
	}
	/** A loop that runs, and a core that is heard twice a second. */
	async run(ms: number, each: (nowMs: number) => void = () => undefined): Promise<void> {
		for (const untilMs = this.time.nowMs + ms; this.time.nowMs < untilMs; ) {
			await this.time.advance(TICK_MS);
			if (this.time.nowMs % 500 === 0) this.mover.heard();
			each(this.time.nowMs);
			this.mover.tick();
		}
	}
	message(kind: "open" | "renew" | "end", tick = this.heardTick): Uint8Array {
		const lease = this.lease.toString(16).padStart(16, "0");
		const common = { v: 1, mesh: "mesh-1", node: "pi-1", session: SESSION, lease, armEpoch: this.mover.state.armEpoch, tick };
		if (kind === "end") return this.holder.sign("orion-lease-end+jws", { v: 1, mesh: "mesh-1", node: "pi-1", lease });
		if (kind === "renew") {
			this.number += 1;
			return this.holder.sign("orion-lease-renew+jws", { ...common, number: this.number });
		}
		const bounds = { distanceMm: 1_000, radiusMm: 500, timeMs: 60_000 };
		return this.core.sign("orion-lease-open+jws", { ...common, ttlMs: TTL_MS, holder: "peter", holderKey: this.holder.publicKey, purpose: "move", bounds });
	}
	/** Armed by a person, standing, held. */
	async up(): Promise<void> {
		await this.run(2_000);
		expect(this.mover.ready()).toEqual({ ok: true });
		expect(this.mover.arm(this.mover.state.armEpoch)).toEqual({ ok: true });
		await this.run(200);
		expect(this.mover.state.kind).toBe("armed");
		this.heardTick = this.time.nowMs;
		expect(this.mover.lease(this.message("open"))).toMatchObject({ kind: "held" });
	}
	/** The holder renews every 100 ms with the newest tick that it heard; `carry` is the network. */
	holding(carry: (bytes: Uint8Array, nowMs: number) => void): (nowMs: number) => void {
		return (nowMs) => {
			if (nowMs % RENEW_MS !== 0) return;
			this.heardTick = nowMs;
			carry(this.message("renew"), nowMs);
		};
	}
}

let robot: Robot;
beforeEach(async () => {
	robot = await new Robot().open();
});

describe("HARM-57 leases over a network", () => {
	test("held over a good link it moves; the holder dies, and it stops by itself within ttl + 45 ms", async () => {
		await robot.up();
		await robot.run(
			5_000,
			robot.holding((bytes) => robot.mover.lease(bytes)),
		);
		expect(robot.mover.state.kind).toBe("moving");
		const diedMs = robot.time.nowMs;
		await robot.run(2_000);
		expect(robot.mover.state.kind).toBe("hold");
		expect(Math.max(...robot.legs.targetsMs) - diedMs).toBeLessThanOrEqual(TTL_MS + 45);
		await robot.run(10_000);
		expect([robot.mover.state.kind, robot.legs.on]).toEqual(["off", false]);
	});
	test("a holder that dies stops what it moved and nothing else: the other robot goes on, and the other's renewals do not keep this one going", async () => {
		const other = await new Robot().open();
		await robot.up();
		await other.up();
		const mine = robot.holding((bytes) => robot.mover.lease(bytes));
		const others = other.holding((bytes) => {
			other.mover.lease(bytes);
			robot.mover.lease(bytes);
		});
		const both = async (ms: number, mineHolds: boolean): Promise<void> => {
			for (const untilMs = robot.time.nowMs + ms; robot.time.nowMs < untilMs; ) {
				await robot.run(TICK_MS, mineHolds ? mine : undefined);
				await other.run(TICK_MS, others);
			}
		};
		await both(2_000, true);
		expect([robot.mover.state.kind, other.mover.state.kind]).toEqual(["moving", "moving"]);
		const diedMs = robot.time.nowMs;
		await both(3_000, false);
		expect([robot.mover.state.kind, other.mover.state.kind]).toEqual(["hold", "moving"]);
		expect(Math.max(...robot.legs.targetsMs) - diedMs).toBeLessThanOrEqual(TTL_MS + 45);
		expect(other.time.nowMs - Math.max(...other.legs.targetsMs)).toBeLessThanOrEqual(TICK_MS);
	});
	test("one message per 200 ms: it stops within ttl + 45 ms of the slowing down, although the holder holds on", async () => {
		await robot.up();
		await robot.run(
			3_000,
			robot.holding((bytes) => robot.mover.lease(bytes)),
		);
		const slowedMs = robot.time.nowMs;
		const queue: Uint8Array[] = [];
		let deliveredMs = slowedMs;
		const hold = robot.holding((bytes) => queue.push(bytes));
		await robot.run(5_000, (nowMs) => {
			hold(nowMs);
			if (nowMs - deliveredMs < 200) return;
			deliveredMs = nowMs;
			const bytes = queue.shift();
			if (bytes !== undefined) robot.mover.lease(bytes);
		});
		expect(Math.max(...robot.legs.targetsMs) - slowedMs).toBeLessThanOrEqual(TTL_MS + 45);
		expect(robot.kinds.slice(-2)).toEqual(["moving", "hold"]);
		expect(queue.length).toBeGreaterThan(10);
	});
	test("a constant delay of 3 s: no lease is ever accepted, and nothing moves", async () => {
		await robot.run(2_000);
		robot.mover.ready();
		robot.mover.arm(robot.mover.state.armEpoch);
		await robot.run(200);
		const before = robot.legs.targetsMs.length;
		const late: { readonly dueMs: number; readonly bytes: Uint8Array }[] = [];
		const answers = new Set<string>();
		await robot.run(20_000, (nowMs) => {
			if (nowMs % RENEW_MS === 0) {
				robot.lease += 1;
				robot.heardTick = nowMs;
				late.push({ dueMs: nowMs + 3_000, bytes: robot.message("open") });
			}
			for (; late[0] !== undefined && late[0].dueMs <= nowMs; late.shift()) {
				const news = robot.mover.lease(late[0].bytes);
				answers.add(news.kind === "refused" ? news.reason : news.kind);
			}
		});
		expect([...answers]).toEqual(["too-old"]);
		expect([robot.mover.state.kind, robot.legs.targetsMs.length]).toEqual(["armed", before]);
	});
	test("a spike is no slow link: what waited 150 ms comes at once, and it moves on", async () => {
		await robot.up();
		let waiting: Uint8Array[] = [];
		await robot.run(
			3_000,
			robot.holding((bytes) => robot.mover.lease(bytes)),
		);
		const hold = robot.holding((bytes) => waiting.push(bytes));
		await robot.run(3_000, (nowMs) => {
			hold(nowMs);
			if (nowMs % 1_000 > 0 && nowMs % 1_000 <= 160) return;
			for (const bytes of waiting) robot.mover.lease(bytes);
			waiting = [];
		});
		expect(robot.mover.state.kind).toBe("moving");
	});
	test("let go: it stands and holds nothing; the same lease does not come back", async () => {
		await robot.up();
		await robot.run(
			500,
			robot.holding((bytes) => robot.mover.lease(bytes)),
		);
		const renewal = robot.message("renew", robot.time.nowMs);
		expect(robot.mover.lease(robot.message("end"))).toMatchObject({ kind: "ended" });
		expect(robot.mover.state.kind).toBe("armed");
		expect(robot.mover.lease(renewal)).toMatchObject({ kind: "refused" });
		robot.heardTick = robot.time.nowMs;
		expect(robot.mover.lease(robot.message("open"))).toMatchObject({ kind: "refused", reason: "used-before" });
	});
	test("core is not heard any more: it holds 1.5 s after the last beacon, although the lease is renewed", async () => {
		await robot.up();
		const quietMs = robot.time.nowMs;
		const hold = robot.holding((bytes) => robot.mover.lease(bytes));
		for (; robot.time.nowMs < quietMs + 3_000; ) {
			await robot.time.advance(TICK_MS);
			hold(robot.time.nowMs);
			robot.mover.tick();
		}
		expect([robot.mover.state.kind, robot.mover.state.cause]).toEqual(["hold", "link-lost"]);
		expect(Math.max(...robot.legs.targetsMs) - quietMs).toBeLessThanOrEqual(1_500);
	});
});

describe("HARM-58 what is driven", () => {
	test("armed is on disk before outputs are on; off is on disk after they are off", async () => {
		const write = robot.files.write.bind(robot.files);
		robot.files.write = (name, text, secret) => {
			robot.legs.said.push(`${JSON.parse(text).armed ? "armed" : "off"} on disk, outputs ${robot.legs.on ? "on" : "off"}`);
			return write(name, text, secret);
		};
		await robot.up();
		robot.mover.held("cut");
		await robot.mover.settled();
		expect(robot.legs.said).toEqual(["armed on disk, outputs off", "enable", "disable", "off on disk, outputs off"]);
	});
	test("a disk that is full arms nothing", async () => {
		robot.files.write = () => Promise.reject(new Error("ENOSPC"));
		await robot.run(2_000);
		robot.mover.ready();
		robot.mover.arm(robot.mover.state.armEpoch);
		await robot.run(1_000);
		expect([robot.legs.on, robot.mover.state.kind, robot.legs.targetsMs]).toEqual([false, "off", []]);
	});
	test.each(["step", "enable"] as const)("servos that fail at %s end in fault with outputs off, and are not tried again", async (broken) => {
		if (broken === "step") await robot.up();
		robot.legs.broken = broken;
		if (broken === "enable") {
			await robot.run(2_000);
			robot.mover.ready();
			robot.mover.arm(robot.mover.state.armEpoch);
		}
		await robot.run(2_000);
		expect([robot.mover.state.kind, robot.mover.state.cause, robot.legs.on]).toEqual(["fault", "driver-broke", false]);
		robot.legs.broken = "no";
		const before = robot.legs.targetsMs.length;
		await robot.run(5_000);
		expect([robot.mover.state.kind, robot.legs.targetsMs.length]).toEqual(["fault", before]);
	});
	test("a death while armed: the next start is in fault, at a higher epoch, until a person is there", async () => {
		await robot.up();
		const next = new Robot();
		for (const [name, text] of robot.files.texts) next.files.texts.set(name, text);
		await next.open();
		expect(next.mover.state).toMatchObject({ kind: "fault", cause: "found-armed" });
		expect(next.mover.state.armEpoch).toBeGreaterThan(robot.mover.state.armEpoch);
		expect(next.mover.ready()).toMatchObject({ ok: false });
		expect(next.mover.presence()).toEqual({ ok: true });
		expect(next.mover.state.kind).toBe("off");
		await next.mover.settled();
		expect(JSON.parse(next.files.texts.get("armed.json") ?? "{}")).toMatchObject({ armed: false });
	});
	test.each(["", "{", '{"armed":"no"}', "null"])("a file %j that cannot be read may have said armed", async (text) => {
		const next = new Robot();
		next.files.texts.set("armed.json", text);
		await next.open();
		expect(next.mover.state.kind).toBe("fault");
	});
	test.each([
		["stop", "settle"],
		["cut", "disable"],
	] as const)("%s while it moves: %s at once, and no target of the movement after it", async (verb, first) => {
		await robot.up();
		await robot.run(
			500,
			robot.holding((bytes) => robot.mover.lease(bytes)),
		);
		robot.legs.said.length = 0;
		robot.mover.held(verb);
		expect(robot.legs.said[0]).toBe(first);
		expect(robot.mover.lease(robot.message("renew", robot.time.nowMs))).toMatchObject({ kind: "refused" });
		await robot.run(5_000);
		expect([robot.mover.state.kind, robot.legs.on]).toEqual([verb === "cut" ? "cut" : "off", false]);
		robot.mover.held(undefined);
		await robot.run(2_000);
		expect(robot.legs.on).toBe(false);
	});
});
