// Shows that what walks stops: the whole loop over the real firmware, with lease, link, orders, board and process failing in mid-stride.
import { describe, expect, test } from "vitest";
import { anglesOf } from "../../firmware-bridge/body/servos.ts";
import { CHANNELS, LoopRig, plan, TTL_MS } from "./loop-rig.ts";

const walking = async () => {
	const rig = await (await LoopRig.onBoard()).armed();
	await rig.walking(1_500);
	expect(rig.kind).toBe("moving");
	return rig;
};

describe("the control loop over the leg board", () => {
	test("HARM-70 it stands up by a person's word, from sitting, with the arming on disk before the outputs are on", async () => {
		const rig = await LoopRig.onBoard();
		expect(rig.loop.arm(0)).toMatchObject({ ok: false });
		await rig.turns(1_600);
		expect(rig.kind).toBe("off");
		expect(rig.loop.arm(7)).toMatchObject({ ok: false, fault: { facts: { why: "other-epoch" } } });
		expect(rig.loop.arm(0)).toEqual({ ok: true, value: undefined });
		expect(rig.kept).toEqual([{ armed: true, latched: false, armEpoch: 1 }]);
		expect(rig.line.board.outputsOn).toBe(false);
		await rig.turns(4_000);
		expect(rig.kinds).toEqual(["off", "rising", "armed"]);
		expect(rig.line.board.outputsOn).toBe(true);
		expect(rig.faults).toEqual([]);
	});

	test("HARM-70 armed again in the very turn in which it went off: refused until the board says off, and never lost", async () => {
		const rig = await (await LoopRig.onBoard()).armed();
		rig.loop.sit();
		await rig.turns(1_000);
		for (let turn = 0; turn < 250 && rig.kind !== "off"; turn++) {
			rig.line.runMs(20);
			rig.loop.heard();
			rig.loop.turn();
		}
		expect(rig.kind).toBe("off");
		expect(rig.loop.arm(rig.loop.mover.armEpoch)).toMatchObject({ ok: false, fault: { facts: { why: "board-not-off" } } });
		await rig.turns(1_500);
		expect(rig.loop.arm(rig.loop.mover.armEpoch).ok).toBe(true);
		await rig.turns(4_000);
		expect(rig.kind).toBe("armed");
	});

	test("HARM-71 nothing moves without a lease; under one it walks as far as it was told", async () => {
		const rig = await (await LoopRig.onBoard()).armed();
		const before = rig.line.pulsesUs(CHANNELS);
		await rig.turns(500);
		expect(rig.line.pulsesUs(CHANNELS)).toEqual(before);
		await rig.walking(3_000);
		expect(rig.loop.motion.travelled.yMm).toBeGreaterThan(100);
		expect(Math.abs(rig.loop.motion.travelled.xMm)).toBeLessThan(1);
		expect(rig.line.pulsesUs(CHANNELS)).not.toEqual(before);
	});

	test("HARM-71 what comes out of the servo chips is the pose that was meant, to a step of the chip", async () => {
		const rig = await walking();
		const posture = rig.loop.motion.kind === "standing" ? rig.loop.motion.walk.posture : undefined;
		const found = anglesOf(plan, rig.line.pulsesUs(CHANNELS));
		for (const [leg, angles] of (posture?.angles ?? []).entries())
			for (const joint of ["coxa", "femur", "tibia"] as const) expect(Math.abs((found[leg]?.[joint] ?? Number.NaN) - angles[joint])).toBeLessThan(0.6);
		expect(posture).toBeDefined();
	});

	test("HARM-72 a lease that is not renewed ends it: no pulse changes after the ttl and 45 ms, then it sits, then it is off", async () => {
		const rig = await walking();
		const slowAt = rig.line.now();
		await rig.turns(2_000);
		expect(rig.kind).toBe("hold");
		expect(rig.line.lastPulseChangeMs()).toBeLessThanOrEqual(slowAt + TTL_MS + 45);
		expect(rig.line.board.outputsOn).toBe(true);
		await rig.turns(8_000);
		expect(rig.kinds.slice(-4)).toEqual(["moving", "hold", "settling", "off"]);
		expect(rig.line.board.outputsOn).toBe(false);
		expect(rig.kept.at(-1)?.armed).toBe(false);
		expect(rig.faults).toEqual([]);
	});

	test("HARM-72 renewals that come 500 ms late are no renewals: it stops although the key is still held", async () => {
		const rig = await walking();
		const heldSince = rig.line.now();
		await rig.turns(1_500, () => void rig.lease({ tick: rig.line.now() - 500 }));
		expect(rig.kind).toBe("hold");
		expect(rig.line.lastPulseChangeMs()).toBeLessThanOrEqual(heldSince + TTL_MS + 45);
	});

	test("HARM-72 core that is not heard any more holds it even under a lease; hearing it again moves nothing", async () => {
		const rig = await walking();
		const silentAt = rig.line.now();
		rig.isLinked = false;
		await rig.walking(2_000);
		expect(rig.kind).toBe("hold");
		expect(rig.line.lastPulseChangeMs()).toBeLessThanOrEqual(silentAt + 1_500 + 45);
		rig.isLinked = true;
		const stoodAt = rig.line.lastPulseChangeMs();
		await rig.walking(1_500);
		expect(rig.kind).toBe("hold");
		expect(rig.line.lastPulseChangeMs()).toBe(stoodAt);
	});

	test("HARM-73 a stop in mid-stride: it sits at once and is off within 4 s; while it holds, nothing arms it", async () => {
		const rig = await walking();
		rig.loop.order("stop", true);
		expect(rig.kind).toBe("settling");
		await rig.walking(4_000);
		expect(rig.kind).toBe("off");
		expect(rig.line.board.outputsOn).toBe(false);
		expect(rig.loop.arm(rig.loop.mover.armEpoch)).toMatchObject({ ok: false, fault: { facts: { why: "inhibited" } } });
		rig.loop.order("stop", false);
		await rig.turns(100);
		expect(rig.kind).toBe("off");
		expect(rig.loop.arm(rig.loop.mover.armEpoch).ok).toBe(true);
	});

	test("HARM-73 a cut: outputs off within one turn, left only by presence, never to armed", async () => {
		const rig = await walking();
		const cutAt = rig.line.now();
		rig.loop.order("cut", true);
		rig.line.runMs(5);
		expect(rig.line.board.outputsOn).toBe(false);
		expect(rig.line.now() - cutAt).toBeLessThanOrEqual(20);
		await rig.walking(1_000);
		rig.loop.order("cut", false);
		await rig.turns(1_200);
		expect(rig.kind).toBe("cut");
		// A restart is no presence.
		expect(rig.kept.at(-1)).toMatchObject({ armed: false, latched: true });
		expect(rig.loop.presence().ok).toBe(true);
		expect(rig.kind).toBe("off");
	});

	test("HARM-74 a loop that dies in mid-stride is stopped by the board, and the next process finds it armed: fault, until somebody was there", async () => {
		const rig = await walking();
		const diedAt = rig.line.now();
		rig.line.runMs(300);
		expect(rig.line.lastPulseChangeMs()).toBeLessThanOrEqual(diedAt + 205);
		expect(rig.line.board.outputsOn).toBe(true);
		rig.line.runMs(2_000);
		expect(rig.line.board.outputsOn).toBe(false);
		const last = rig.kept.at(-1);
		expect(last?.armed).toBe(true);
		const next = new LoopRig(rig.line, await rig.line.driver(), last);
		await next.turns(2_000);
		expect(next.kind).toBe("fault");
		expect(next.loop.arm(next.loop.mover.armEpoch).ok).toBe(false);
		expect(next.loop.presence().ok).toBe(true);
		expect(next.kind).toBe("off");
	});

	test("HARM-74 a loop that stood still comes back to a board that has frozen, and does not go on", async () => {
		const rig = await walking();
		rig.line.runMs(600);
		await rig.walking(500);
		expect(rig.kind).toBe("fault");
		expect(rig.line.board.outputsOn).toBe(false);
	});

	test("HARM-74 a board that starts anew in mid-stride is a fault", async () => {
		const rig = await walking();
		rig.line.board.clearInterrupts();
		await rig.walking(1_000);
		expect(rig.kind).toBe("fault");
		expect(rig.line.board.outputsOn).toBe(false);
	});

	test("HARM-71 held half-way up it may be made ready again, but walks from nowhere: it sits", async () => {
		const rig = await LoopRig.onBoard();
		await rig.turns(1_600);
		rig.loop.arm(0);
		await rig.turns(1_600);
		expect(rig.kind).toBe("rising");
		rig.line.runMs(110);
		await rig.turns(40);
		expect(rig.kind).toBe("hold");
		await rig.turns(1_200);
		expect(rig.loop.resume(rig.loop.mover.armEpoch).ok).toBe(true);
		const before = rig.line.pulsesUs(CHANNELS);
		expect(rig.lease()).toMatchObject({ ok: false, fault: { facts: { why: "not-standing" } } });
		await rig.turns(100);
		expect(rig.line.pulsesUs(CHANNELS)).toEqual(before);
		expect(rig.loop.sit().ok).toBe(true);
		await rig.turns(3_500);
		expect(rig.kind).toBe("off");
		expect(rig.faults).toEqual([]);
	});

	test("HARM-75 a lease goes as far and lasts as long as it was opened for, and is never taken again", async () => {
		const rig = await (await LoopRig.onBoard()).armed();
		const bounds = { pathMm: 60, radiusMm: 5_000, timeMs: 60_000 };
		await rig.walking(4_000, { bounds });
		expect(rig.kind).toBe("armed");
		expect(rig.loop.motion.travelled.pathMm).toBeLessThanOrEqual(60 + 5);
		expect(rig.lease({ bounds })).toMatchObject({ ok: false, fault: { facts: { why: "lease-is-over" } } });
		await rig.walking(600, { id: "b", bounds: { pathMm: 5_000, radiusMm: 5_000, timeMs: 200 } });
		expect(rig.kind).toBe("armed");
		expect(rig.lease({ id: "c" }).ok).toBe(true);
	});

	test("HARM-75 another holder, another epoch, a tick of the future, a stride too long: refused, and nothing moves by it", async () => {
		const rig = await walking();
		expect(rig.lease({ id: "z", holder: "peter" })).toMatchObject({ fault: { facts: { why: "held-by-other" } } });
		expect(rig.lease({ armEpoch: 0 })).toMatchObject({ fault: { facts: { why: "other-epoch" } } });
		expect(rig.lease({ tick: rig.line.now() + 100 })).toMatchObject({ fault: { facts: { why: "tick-of-the-future" } } });
		expect(rig.lease({ ttlMs: 5_000 })).toMatchObject({ fault: { facts: { why: "lease-too-long" } } });
		expect(rig.lease({ yMm: 500 })).toMatchObject({ fault: { code: "BODY_LIMIT" } });
		expect(rig.kind).toBe("moving");
	});
});
