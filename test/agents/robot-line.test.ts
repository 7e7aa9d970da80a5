// Shows on calculated clocks what of a lease and an order reaches the actuator: how long it is good there, what ends it, and what a robot that falls silent is for the mesh.
import { mkdtempSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AgentLine } from "../../agents/robot/agent-line.ts";
import { Leases } from "../../edge/leases.ts";
import type { SessionStore } from "../../edge/session.ts";
import { keysOf, Notes, Signer } from "../edge/world.ts";
import { removeFolder } from "../support/remove-folder.ts";
import { until } from "./mesh.ts";

const SESSION = "5.00000000000000aa";
const TTL_MS = 400;
const STATE = {
	schema: "orion.robot/1",
	model: "fnk0052",
	simulated: true,
	board: "twin",
	state: "armed",
	cause: null,
	causeRow: null,
	inForce: [],
	warnings: [],
	armEpoch: 7,
	tick: 50_000,
	lease: null,
	rehearsal: { upTo: 0, mayWalk: true, run: null, ended: null },
	driver: { state: "on", fault: null, detail: "", firmware: null },
	servoMv: 7_900,
	boardMv: 7_900,
	tiltDegrees: 0,
	rangeMm: 800,
	marginMm: 90,
	travelled: { xMm: 0, yMm: 0, headingDegrees: 0, pathMm: 0 },
	body: null,
	heightMm: null,
	feet: [],
};

/** An actuator that is only a socket, and an agent whose clocks stand still until they are moved. */
class Rig {
	readonly folder = mkdtempSync(join(tmpdir(), "orion-line-"));
	readonly notes = new Notes();
	readonly core = new Signer();
	readonly holder = new Signer();
	readonly lines: Record<string, unknown>[] = [];
	readonly timers: { atMs: number; run: () => void; on: boolean }[] = [];
	nowMs = 1_000;
	changes = 0;
	#server: Server | undefined;
	#socket: Socket | undefined;
	#line: AgentLine | undefined;

	async open(): Promise<this> {
		const path = join(this.folder, "robot.sock");
		this.#server = createServer((socket) => {
			this.#socket = socket;
			socket.on("error", () => undefined);
			socket.on("data", (piece: Buffer) => {
				for (const line of piece.toString().split("\n").filter(Boolean)) this.lines.push(JSON.parse(line) as Record<string, unknown>);
			});
		});
		await new Promise<void>((resolve) => this.#server?.listen(path, resolve));
		const tick = (): number => this.nowMs;
		const sessions: SessionStore = {
			current: () => ({ id: SESSION, counter: 5, tick }),
			isBehind: () => false,
			begin: () => Promise.reject(new Error("none")),
		};
		const leases = new Leases({ mesh: "mesh-1", node: "pi-1", keys: keysOf(this.core), sessions, armEpoch: () => this.line.robot?.armEpoch ?? -1 });
		const after = (ms: number, run: () => void): (() => void) => {
			const timer = { atMs: this.nowMs + ms, run, on: true };
			this.timers.push(timer);
			return () => (timer.on = false);
		};
		const note = this.notes.note;
		this.#line = new AgentLine({ path, leases, note, timers: { after }, nowMs: tick, onChange: () => (this.changes += 1), onState: () => undefined });
		await until("it is connected", () => this.of("watch").length > 0);
		return this;
	}

	get line(): AgentLine {
		if (this.#line === undefined) throw new Error("not open");
		return this.#line;
	}
	of(verb: string): readonly Record<string, unknown>[] {
		return this.lines.filter((line) => line["verb"] === verb);
	}
	/** Resolves when it was heard. */
	async says(change: object = {}): Promise<void> {
		const state = { ...STATE, ...change };
		this.#socket?.write(`${JSON.stringify(state)}\n`);
		await until("it is heard", () => JSON.stringify(this.line.robot) === JSON.stringify(state));
	}
	async refuses(why: string): Promise<void> {
		const before = this.notes.of("robot-refused").length;
		this.#socket?.write(`${JSON.stringify({ schema: "orion.error/1", code: "ROBOT_REFUSED", why, detail: "" })}\n`);
		await until("it is heard", () => this.notes.of("robot-refused").length > before);
	}
	pass(ms: number): void {
		this.nowMs += ms;
		for (const timer of this.timers.splice(0)) {
			if (timer.on && timer.atMs <= this.nowMs) timer.run();
			else if (timer.on) this.timers.push(timer);
		}
	}
	hangUp(): void {
		this.#socket?.destroy();
	}
	#common(lease: string, tick: number) {
		return { v: 1, mesh: "mesh-1", node: "pi-1", session: SESSION, lease, armEpoch: 7, tick };
	}
	opens(lease: string, tick = this.nowMs, purpose = "move") {
		const bounds = { distanceMm: 900, radiusMm: 500, timeMs: 60_000 };
		const payload = { ...this.#common(lease, tick), ttlMs: TTL_MS, holder: "peter", holderKey: this.holder.publicKey, purpose, bounds };
		return this.line.lease(this.core.sign("orion-lease-open+jws", payload));
	}
	renews(lease: string, number: number, tick = this.nowMs, more: object = {}) {
		return this.line.lease(this.holder.sign("orion-lease-renew+jws", { ...this.#common(lease, tick), number, ...more }));
	}
	async close(): Promise<void> {
		this.#line?.close();
		this.#socket?.destroy();
		await new Promise((resolve) => this.#server?.close(resolve));
		removeFolder(this.folder);
	}
}

const A = "00112233445566aa";
const B = "00112233445566bb";
let rig: Rig;
beforeEach(async () => {
	rig = await new Rig().open();
	await rig.says();
});
afterEach(() => rig.close());

test("HARM-119 a lease is good on the robot's clock as long as on the agent's, and never longer, however old the echo and the word are", async () => {
	rig.pass(60);
	expect(rig.opens(A, rig.nowMs - 150).kind).toBe("held");
	await until("it is passed on", () => rig.of("lease").length === 1);
	// 60 ms after the robot said 50,000, with 400 - 150 ms left: good until 50,310.
	const [first = {}] = rig.of("lease");
	expect(Number(first["tick"]) + Number(first["ttlMs"])).toBe(50_000 + 60 + TTL_MS - 150);
	expect(first).toMatchObject({ id: A, holder: "peter", armEpoch: 7, pathMm: 900, radiusMm: 500, timeMs: 60_000 });
	expect(first["stride"]).toBeUndefined();
	rig.pass(100);
	const motion = { gait: "ripple", stride: { xMm: 0, yMm: 30, turnDegrees: 5 } };
	expect(rig.renews(A, 1, rig.nowMs - 20, { motion }).kind).toBe("held");
	await until("it is passed on", () => rig.of("lease").length === 2);
	const [, second = {}] = rig.of("lease");
	expect(Number(second["tick"]) + Number(second["ttlMs"])).toBe(50_000 + 160 + TTL_MS - 20);
	expect(second).toMatchObject(motion);
});

test("HARM-167 a sit of the mesh is said to the robot once, and nothing is held after it; an old one, or of another arming, is not said", async () => {
	expect(rig.opens(A).kind).toBe("held");
	expect(rig.opens(B, rig.nowMs - TTL_MS, "sit")).toMatchObject({ kind: "refused", reason: "too-old" });
	expect(rig.opens(B, rig.nowMs, "sit")).toEqual({ kind: "sit", by: "peter" });
	expect(rig.opens(B, rig.nowMs, "sit")).toMatchObject({ kind: "refused", reason: "used-before" });
	expect(rig.renews(A, 1)).toMatchObject({ kind: "refused" });
	await until("it is said", () => rig.of("sit").length > 0);
	await rig.says({ armEpoch: 8, state: "settling" });
	expect(rig.opens("00112233445566cc", rig.nowMs, "sit")).toMatchObject({ kind: "refused", reason: "other-epoch" });
	expect(rig.of("sit")).toHaveLength(1);
});

test("HARM-119 what the robot refuses, a new epoch and another purpose are held by nobody", async () => {
	rig.opens(A);
	await rig.refuses("not-standing");
	rig.pass(100);
	expect(rig.renews(A, 1)).toMatchObject({ kind: "refused", reason: "unknown-key" });
	rig.opens(B);
	await rig.says({ armEpoch: 8, state: "hold", causeRow: "lease-over" });
	await rig.says({ armEpoch: 7, state: "armed" });
	expect(rig.renews(B, 1)).toMatchObject({ kind: "refused", reason: "unknown-key" });
	expect(rig.opens("00112233445566cc", rig.nowMs, "calibrate")).toMatchObject({ kind: "refused", reason: "wrong-purpose" });
	expect(rig.of("lease")).toHaveLength(2);
});

test("HARM-120 an order goes to the robot at once, ends what was held, and is said again to a robot that comes back", async () => {
	rig.opens(A);
	rig.line.held("cut");
	await until("it is told", () => rig.of("order").at(-1)?.["order"] === "cut");
	expect(rig.renews(A, 1)).toMatchObject({ kind: "refused", reason: "unknown-key" });
	const before = rig.of("order").length;
	rig.hangUp();
	await until("it is missed", () => rig.line.robot === undefined);
	rig.pass(500);
	await until("it is told again", () => rig.of("order").length > before);
	expect(rig.of("order").at(-1)).toEqual({ verb: "order", source: "node", order: "cut" });
	rig.line.held(undefined);
	await until("it is taken back", () => rig.of("order").at(-1)?.["order"] === null);
});

test("HARM-122 an order counts as heard only once the robot does what it says: a stop once it settles, a cut once it is cut", async () => {
	await rig.says({ state: "moving" });
	expect(rig.line.obeys).toBe(true);
	rig.line.held("stop");
	for (const state of ["moving", "armed", "rising", "calibrating", "hold"]) {
		await rig.says({ state });
		expect([state, rig.line.obeys]).toEqual([state, false]);
	}
	for (const state of ["settling", "off", "boot", "cut", "fault"]) {
		await rig.says({ state });
		expect([state, rig.line.obeys]).toEqual([state, true]);
	}
	rig.line.held("cut");
	for (const state of ["moving", "settling", "off", "fault"]) {
		await rig.says({ state });
		expect([state, rig.line.obeys]).toEqual([state, false]);
	}
	await rig.says({ state: "cut" });
	expect(rig.line.obeys).toBe(true);
	rig.line.held(undefined);
	await rig.says({ state: "armed" });
	expect(rig.line.obeys).toBe(true);
});

test("HARM-121 a robot that says nothing for two seconds is at fault, names no epoch and takes no lease; before its first word it boots", async () => {
	expect(rig.line.safety()).toEqual({ kind: "mover", state: "armed", armEpoch: 7, simulated: true });
	const before = rig.changes;
	rig.pass(1_999);
	expect(rig.line.safety().state).toBe("armed");
	rig.pass(1);
	expect(rig.line.safety()).toEqual({ kind: "mover", state: "fault", cause: "robot-not-heard", simulated: true });
	expect(rig.changes).toBe(before + 1);
	expect(rig.opens(A)).toMatchObject({ kind: "refused", reason: "robot-not-heard" });
	await rig.says({ state: "hold", causeRow: "lease-over", cause: "nobody held the lease any more" });
	expect(rig.line.safety()).toMatchObject({ state: "hold", cause: "lease-over", armEpoch: 7 });
	const other = await new Rig().open();
	expect(other.line.safety()).toEqual({ kind: "mover", state: "boot" });
	await other.close();
});

test.each([
	["no JSON", "?"],
	["no object", "7"],
	["a state that is none", JSON.stringify({ ...STATE, state: "flying" })],
	["a tick that is no number", JSON.stringify({ ...STATE, tick: "50000" })],
	["an epoch below none", JSON.stringify({ ...STATE, armEpoch: -1 })],
	["a row that is none", JSON.stringify({ ...STATE, causeRow: "Battery low!" })],
	["feet without numbers", JSON.stringify({ ...STATE, feet: [{ xMm: 0 }] })],
	["no part of it", JSON.stringify({ ...STATE, driver: null })],
])("HARM-121 a line that is %s changes nothing", async (_what, line) => {
	const { readRobotLine } = await import("../../agents/robot/said.ts");
	expect(readRobotLine(line).kind).toBe("unreadable");
	expect(readRobotLine(JSON.stringify(STATE)).kind).toBe("state");
});
