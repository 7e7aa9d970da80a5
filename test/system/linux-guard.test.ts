// Shows that the linux-guard, a real process over an emulated bus, obeys the same dead-man as the board, and survives nobody (HARM-20 to HARM-24).
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { postureOf, standStance } from "../../firmware-bridge/body/posture.ts";
import { anglesOf, pulsesFor } from "../../firmware-bridge/body/servos.ts";
import { decodeBoard, encodeHost, FrameReader } from "../../firmware-bridge/frames.ts";
import { answerTo, type BoardFrame, type HostFrame, tagOf } from "../../firmware-bridge/words.ts";
import { EmulatedBus } from "../firmware-bridge/emulated-bus.ts";
import { footByChain, planOf, policyOf } from "../robot/plans.ts";
import { removeFolder } from "../support/remove-folder.ts";

const BUILD = fileURLToPath(new URL("../../build/guard.mjs", import.meta.url));
const ALL = [true, true, true, true, true, true];
/** Long enough that a busy machine loses no lease on the way; the longest that the guard takes. */
const LEASE_MS = 500;
/** Room for a busy machine, and less than the freeze that a cut must not wait for; the figures themselves are the bench's. */
const SLACK_MS = 4_000;

type Body = HostFrame extends infer F ? (F extends HostFrame ? Omit<F, "seq"> : never) : never;

/** Looks every few milliseconds until the fact is there. */
const until = async (what: string, fact: () => boolean, withinMs = 30_000): Promise<void> => {
	const end = performance.now() + withinMs;
	while (!fact()) {
		if (performance.now() > end) throw new Error(`never happened: ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 2));
	}
};

class Host {
	readonly heard: BoardFrame[] = [];
	readonly #socket: Socket;
	closed = false;
	seq = 0;
	tag = 0;
	constructor(path: string) {
		const reader = new FrameReader(decodeBoard);
		this.#socket = connect(path);
		this.#socket.on("data", (piece) => {
			for (const found of reader.push(piece)) if (found.kind === "frame") this.heard.push(found.frame);
		});
		this.#socket.on("error", () => {});
		this.#socket.on("close", () => {
			this.closed = true;
		});
	}
	write(bytes: Uint8Array): void {
		this.#socket.write(bytes);
	}
	say(body: Body): number {
		this.seq++;
		this.write(encodeHost({ ...body, seq: this.seq } as HostFrame));
		return this.seq;
	}
	async ask<K extends BoardFrame["kind"]>(body: Body, kind: K): Promise<Extract<BoardFrame, { kind: K }>> {
		const seq = this.say(body);
		let answer: BoardFrame | undefined;
		await until(`an answer to ${body.kind}`, () => {
			answer = this.heard.find((frame) => frame.seq === seq && frame.kind !== "sensors");
			return answer !== undefined;
		});
		if (answer?.kind !== kind) throw new Error(`${body.kind} was answered by ${JSON.stringify(answer)}`);
		return answer as Extract<BoardFrame, { kind: K }>;
	}
	async arm(leaseMs: number, freezeMs: number): Promise<void> {
		const { nonce } = await this.ask({ kind: "hello", version: 1 }, "hello");
		this.tag = tagOf(nonce);
		expect((await this.ask({ kind: "arm", answer: answerTo(nonce), leaseMs, freezeMs }, "status")).cause).not.toBe("boot");
	}
	/** Renews every 20 ms until the fact is there. */
	async renewUntil(what: string, fact: () => boolean): Promise<void> {
		const beat = setInterval(() => this.say({ kind: "renew", tag: this.tag }), 20);
		await until(what, fact).finally(() => clearInterval(beat));
	}
	leave(): void {
		this.#socket.destroy();
	}
}

let folder = "";
let program = "";
beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), "orion-guard-"));
	program = join(folder, "linux-guard");
	execFileSync(process.execPath, [BUILD, program]);
});
afterAll(() => removeFolder(folder));

let bus: EmulatedBus;
let guard: ChildProcess;
let path = "";
let count = 0;
let said = "";
const startGuard = async (): Promise<void> => {
	guard = spawn(program, ["--socket", path, "--bus", `emulated:${path}.bus`], { stdio: ["ignore", "ignore", "pipe"] });
	guard.stderr?.on("data", (piece: Buffer) => {
		said += piece.toString();
	});
	await until("the guard listens", () => bus.fed > 0);
};
beforeEach(async () => {
	count++;
	path = join(folder, `guard-${count}`);
	said = "";
	bus = new EmulatedBus();
	await bus.listen(`${path}.bus`);
	await startGuard();
});
afterEach(async () => {
	guard.kill("SIGKILL");
	await bus.close();
});

/** One host at a time: until the guard has seen the last one go, the next is turned away. */
const nextHost = async (): Promise<Host> => {
	for (;;) {
		const host = new Host(path);
		await until("hello, or turned away", () => host.heard.length > 0 || host.closed);
		if (!host.closed) return host;
	}
};

const offAfter = (fromMs: number): number =>
	(bus.events.find((event) => event.kind === "power" && !event.on && event.atMs > fromMs)?.atMs ?? Number.NaN) - fromMs;

describe("linux-guard", () => {
	test("start, hello, a second host is turned away, an orderly end leaves power off", async () => {
		const host = new Host(path);
		await until("hello unasked", () => host.heard.some((frame) => frame.kind === "hello" && frame.seq === 0));
		expect(host.heard.find((frame) => frame.kind === "hello")).toMatchObject({ board: "linux-guard", resetCause: 0, state: "off" });
		expect(bus.powered).toBe(false);
		const second = new Host(path);
		await until("the second host is turned away", () => second.closed);
		expect(second.heard).toEqual([]);
		await host.arm(LEASE_MS, 5_000);
		await until("power", () => bus.powered);
		guard.kill("SIGTERM");
		await until("the end", () => guard.exitCode !== null);
		expect(guard.exitCode).toBe(0);
		expect(bus.powered).toBe(false);
	});

	test("HARM-118 what is left to do after a guard that was killed: power off and every channel silent, whatever it left", async () => {
		const host = new Host(path);
		await host.arm(500, 5_000);
		host.say({ kind: "pose", tag: host.tag, pulsesUs: new Array<number>(18).fill(1_500) });
		await host.renewUntil("pulses", () => bus.pulseUs(3) > 0 || bus.events.some(({ kind }) => kind === "pulses"));
		expect(bus.powered).toBe(true);
		guard.kill("SIGKILL");
		await until("the guard is gone", () => guard.signalCode !== null);
		const before = bus.events.length;
		// Not waited for in a way that keeps the bus from answering: it lives in this process.
		await promisify(execFile)(program, ["--off", "--bus", `emulated:${path}.bus`]);
		await until("power is off, by a word", () => bus.events.slice(before).some((event) => event.kind === "power" && !event.on));
		expect(bus.powered).toBe(false);
		for (const chip of bus.chips.values()) expect(Math.max(...chip.pulsesUs())).toBe(0);
		host.leave();
	});

	test("pulses on the bus, decoded back to feet, are the posture that was asked, to a step of the chip (HARM-21)", async () => {
		const plan = planOf("fnk0052");
		const posture = postureOf(plan, standStance(plan));
		const pulses = posture.ok ? pulsesFor(plan, posture.value.angles, ALL) : posture;
		if (!pulses.ok) throw new Error(pulses.fault.code);
		const host = new Host(path);
		const channels = plan.legs.flatMap((leg) => [leg.servos.coxa.channel, leg.servos.femur.channel, leg.servos.tibia.channel]);
		let seen: readonly number[] = [];
		// Its groups get power one after the other; on a machine that lost the lease meanwhile it is armed again.
		const isWhole = () => seen.every((pulseUs) => pulseUs > 0);
		for (let again = 0; again < 20 && (seen.length === 0 || !isWhole()); again++) {
			await host.arm(LEASE_MS, 1_000);
			const from = host.heard.length;
			host.say({ kind: "pose", tag: host.tag, pulsesUs: pulses.value });
			const isOver = () => host.heard.slice(from).some((frame) => frame.kind === "status" && frame.state !== "armed");
			await host.renewUntil("all eighteen pulses", () => {
				seen = channels.map((channel) => bus.pulseUs(channel));
				return isWhole() || isOver();
			});
			if (!isWhole()) await host.ask({ kind: "cut" }, "status");
		}
		const found = anglesOf(plan, seen);
		plan.legs.forEach((leg, at) => {
			const angles = found[at];
			if (angles === undefined) throw new Error(`leg ${at + 1} got no pulse`);
			const foot = footByChain(policyOf("fnk0052"), at, angles);
			// Half a step of 0.44 degrees at each joint of a leg of 233 mm.
			expect(Math.hypot(foot.x - leg.rest.x, foot.y - leg.rest.y, foot.z + plan.heightsMm.stand)).toBeLessThan(2);
		});
		host.leave();
	});

	test("nobody renews: pulses stop changing, power goes, a late renewal brings nothing back (HARM-23)", async () => {
		const host = new Host(path);
		const fromMs = performance.now();
		await host.arm(LEASE_MS, 300);
		const poses = setInterval(
			() => host.say({ kind: "pose", tag: host.tag, pulsesUs: new Array<number>(18).fill(1_000 + (Math.round(performance.now() - fromMs) % 1_000)) }),
			10,
		);
		// The guard waits for each answer of the bus before it says anything: what it said, was so on the bus before.
		const movedAt = () => bus.events.findLastIndex((event) => event.kind === "pulses" && event.pulsesUs.some((pulseUs) => pulseUs > 0));
		const isSaid = (cause: string) => host.heard.some((frame) => frame.kind === "status" && frame.cause === cause);
		await until("it is frozen", () => isSaid("lease-ran-out") || isSaid("freeze-over"));
		const lastMoved = movedAt();
		await until("off", () => Number.isFinite(offAfter(fromMs)) && isSaid("freeze-over"));
		clearInterval(poses);
		expect(offAfter(fromMs)).toBeGreaterThan(LEASE_MS + 300 - 2);
		expect(offAfter(fromMs)).toBeLessThan(LEASE_MS + 300 + SLACK_MS);
		expect(lastMoved).toBeGreaterThanOrEqual(0);
		expect(movedAt()).toBe(lastMoved);
		expect((await host.ask({ kind: "renew", tag: host.tag }, "refused")).reason).toBe("wrong-state");
		expect(bus.powered).toBe(false);
		host.leave();
	});

	test("the host's connection ends: frozen at once, then off; the next host needs a new nonce", async () => {
		const host = new Host(path);
		await host.arm(LEASE_MS, 200);
		const { nonce } = await host.ask({ kind: "hello", version: 1 }, "hello");
		const fromMs = performance.now();
		host.leave();
		await until("off", () => Number.isFinite(offAfter(fromMs)));
		const next = await nextHost();
		expect((await next.ask({ kind: "arm", answer: answerTo(nonce), leaseMs: 100, freezeMs: 0 }, "refused")).reason).toBe("wrong-answer");
		expect((await next.ask({ kind: "status" }, "status")).cause).toBe("freeze-over");
		next.leave();
	});

	test("cut takes power at once; noise in front of it does not hinder it (HARM-20)", async () => {
		const host = new Host(path);
		await host.arm(LEASE_MS, 5_000);
		const fromMs = performance.now();
		host.write(Uint8Array.from({ length: 300 }, (_, at) => (at * 73) % 256));
		host.say({ kind: "cut" });
		await until("off", () => Number.isFinite(offAfter(fromMs)));
		expect(offAfter(fromMs)).toBeLessThan(SLACK_MS);
		expect((await host.ask({ kind: "status" }, "status")).cause).toBe("cut");
		host.leave();
	});

	test.each([
		["a chip that lost power and came back", () => bus.chips.get(0x41)?.losePower()],
		["a bus that does not answer", () => Object.assign(bus, { answering: false })],
	])("%s: power off, chip fault, never set up again by itself", async (_, breakIt) => {
		const host = new Host(path);
		await host.arm(LEASE_MS, 5_000);
		const fromMs = performance.now();
		breakIt();
		await host.renewUntil("off", () => Number.isFinite(offAfter(fromMs)));
		bus.answering = true;
		expect(await host.ask({ kind: "status" }, "status")).toMatchObject({ state: "off", cause: "chip-fault" });
		expect(bus.events.filter((event) => event.kind === "power" && event.on)).toHaveLength(1);
		host.leave();
	});

	test("battery, tilt and range are said as read; what does not answer is absent (TELL-6)", async () => {
		const host = new Host(path);
		const sensors = () => host.heard.findLast((frame) => frame.kind === "sensors");
		bus.imu.set([0x40, 0, 0xc0, 0, 0, 0, 0, 0, 0x0a, 0x3c, 0, 0, 0xff, 0x7d], 0x3b);
		await until("all sensors", () => sensors()?.kind === "sensors" && "accelMg" in (sensors() ?? {}));
		expect(sensors()).toMatchObject({ servoMv: 7_411, boardMv: 7_647, accelMg: [1_000, -1_000, 0], gyroDeciDps: [200, 0, -10], rangeMm: 420 });
		bus.adc = { 4: 130 };
		bus.rangeMm = undefined;
		await until("two of them gone", () => !("servoMv" in (sensors() ?? {})) && !("rangeMm" in (sensors() ?? {})));
		expect(sensors()).toMatchObject({ boardMv: 7_647 });
		host.leave();
	});

	test("stopped or killed: the watchdog is fed no more, the power line is let go (HARM-24)", async () => {
		const host = new Host(path);
		await host.arm(LEASE_MS, 5_000);
		guard.kill("SIGSTOP");
		// A feeding may be on its way; after that there is none for ten feeding periods.
		let fed = -1;
		let sinceMs = 0;
		await until("no feeding for a second", () => {
			if (bus.fed !== fed) [fed, sinceMs] = [bus.fed, performance.now()];
			return performance.now() - sinceMs > 1_000;
		});
		// Woken after its lease and part of its freeze: no renewal that waited meanwhile is honoured.
		host.say({ kind: "renew", tag: host.tag });
		guard.kill("SIGCONT");
		await until("it says so", () => host.heard.some((frame) => frame.kind === "refused" && frame.type === "renew"));
		// Off only where the machine took longer over this than the freeze lasts.
		expect((await host.ask({ kind: "status" }, "status")).state).not.toBe("armed");
		guard.kill("SIGKILL");
		await until("the line is let go", () => bus.events.some((event) => event.kind === "released"));
		expect(bus.powered).toBe(false);
	});

	test("stopped past its lease with a renewal waiting, ten times: whichever thread wakes first, the renewal is refused (HARM-23)", async () => {
		const host = new Host(path);
		for (let round = 0; round < 10; round++) {
			await host.arm(LEASE_MS, 5_000);
			guard.kill("SIGSTOP");
			const renewal = host.say({ kind: "renew", tag: host.tag });
			const stoppedMs = performance.now();
			await until("the lease is over", () => performance.now() - stoppedMs > LEASE_MS + 50);
			guard.kill("SIGCONT");
			await until("an answer", () => host.heard.some((frame) => frame.kind === "refused" && frame.seq === renewal));
			expect((await host.ask({ kind: "status" }, "status")).state).not.toBe("armed");
			expect((await host.ask({ kind: "cut" }, "status")).state).toBe("off");
		}
		host.leave();
	});

	test("a second guard on the same socket refuses to start; after a kill the next one starts with power off", async () => {
		const second = spawn(program, ["--socket", path, "--bus", `emulated:${path}.bus`], { stdio: ["ignore", "ignore", "pipe"] });
		let complaint = "";
		second.stderr.on("data", (piece: Buffer) => {
			complaint += piece.toString();
		});
		await until("the second ends", () => second.exitCode !== null);
		expect(second.exitCode).toBe(1);
		expect(complaint).toContain("another guard answers");
		guard.kill("SIGKILL");
		await until("the first is gone", () => guard.signalCode !== null);
		bus.fed = 0;
		await startGuard();
		expect(bus.powered).toBe(false);
		expect(said).not.toContain("usage");
	});
});
