// Shows in calculated time what lets the loop write: an arming on disk, a live lease inside its bounds, a body that stands; and what a restart finds.
import { describe, expect, test } from "vitest";
import { LoopRig, onTwin, TTL_MS } from "./loop-rig.ts";

describe("the loop over the twin", () => {
	test("HARM-70 outputs are on only after it is on disk that it is armed, and it stands then", async () => {
		const { rig, driver } = await onTwin();
		expect(rig.kept[0]).toEqual({ armed: true, latched: false, armEpoch: 1 });
		expect(rig.kinds).toEqual(["off", "rising", "armed"]);
		expect(driver.status().poweredGroups).toBe(3);
	});

	test("HARM-58 nothing is enabled while it is not on disk that it is armed; a disk that fails is a fault", async () => {
		const { driver, time } = await onTwin();
		driver.disable(time.now());
		let isWritten: (error?: Error) => void = () => undefined;
		const next = new LoopRig(time, driver);
		next.disk = () => new Promise((resolve, reject) => (isWritten = (error) => (error === undefined ? resolve() : reject(error))));
		await next.turns(1_600);
		expect(next.loop.arm(0).ok).toBe(true);
		await next.turns(3_000);
		expect([next.kind, driver.status().kind, driver.status().poweredGroups]).toEqual(["off", "off", 0]);
		isWritten();
		await next.turns(100);
		expect([next.kind, driver.status().kind]).toEqual(["rising", "on"]);
		const full = new LoopRig(time, driver);
		driver.disable(time.now());
		full.disk = () => Promise.reject(new Error("ENOSPC"));
		await full.turns(1_600);
		full.loop.arm(0);
		await full.turns(3_000);
		expect(full.faults).not.toHaveLength(0);
		expect([full.kind, driver.status().kind]).toEqual(["off", "off"]);
		expect(full.kinds).not.toContain("rising");
	});

	test("HARM-75 a lease ends where its circle ends, however short the way was", async () => {
		const { rig } = await onTwin();
		await rig.walking(4_000, { bounds: { pathMm: 5_000, radiusMm: 50, timeMs: 60_000 } });
		expect(rig.kind).toBe("armed");
		const { xMm, yMm } = rig.loop.motion.travelled;
		expect(Math.hypot(xMm, yMm)).toBeGreaterThanOrEqual(50);
		expect(Math.hypot(xMm, yMm)).toBeLessThan(55);
	});

	test("HARM-71 no pulse changes without a lease, and none half-way up", async () => {
		const { rig, driver } = await onTwin();
		const stood = driver.twin.angles;
		await rig.turns(1_000);
		expect(driver.twin.angles).toEqual(stood);
		await rig.walking(1_000);
		await rig.turns(TTL_MS + 100);
		expect(rig.kind).toBe("hold");
		const held = driver.twin.angles;
		const { motion } = rig.loop;
		await rig.turns(1_000);
		expect(driver.twin.angles).toEqual(held);
		expect(rig.loop.motion).toBe(motion);
	});

	test("HARM-71 held half-way up, then made ready: a lease is refused, nothing jumps, and it can sit", async () => {
		const { time, driver } = await onTwin();
		driver.disable(time.now());
		const rig = new LoopRig(time, driver);
		await rig.turns(1_600);
		rig.loop.arm(0);
		await rig.turns(1_600);
		expect(rig.kind).toBe("rising");
		time.runMs(110);
		await rig.turns(1_500);
		expect(rig.loop.resume(rig.loop.mover.armEpoch).ok).toBe(true);
		expect(rig.lease()).toMatchObject({ ok: false, fault: { facts: { why: "not-standing" } } });
		expect(rig.loop.sit().ok).toBe(true);
		await rig.turns(3_500);
		expect(rig.kind).toBe("off");
	});

	test("HARM-72 a renewal is good from the tick that it echoes on: late ones end nothing later", async () => {
		const { rig, time } = await onTwin();
		await rig.walking(500);
		const lastAt = time.now();
		const done: number[] = [];
		await rig.turns(1_000, () => {
			rig.lease({ tick: lastAt - 100 });
			if (rig.kind === "hold" && done.length === 0) done.push(time.now());
		});
		expect(done[0]).toBeLessThanOrEqual(lastAt + TTL_MS + 45);
	});

	test("HARM-72 a tick of an earlier time never lengthens a lease: 3 s of delay take none", async () => {
		const { rig, time } = await onTwin();
		await rig.turns(1_000, () => void expect(rig.lease({ tick: time.now() - 3_000 })).toMatchObject({ fault: { facts: { why: "lease-is-over" } } }));
		expect(rig.kind).toBe("armed");
	});

	test("HARM-75 a lease ends where its bounds say and is never taken again, by whatever holder", async () => {
		const { rig } = await onTwin();
		const bounds = { pathMm: 60, radiusMm: 5_000, timeMs: 60_000 };
		await rig.walking(4_000, { bounds });
		expect(rig.kind).toBe("armed");
		expect(rig.loop.motion.travelled.pathMm).toBeGreaterThanOrEqual(60);
		expect(rig.loop.motion.travelled.pathMm).toBeLessThan(65);
		expect(rig.lease({ bounds })).toMatchObject({ ok: false, fault: { facts: { why: "lease-is-over" } } });
		expect(rig.lease({ id: "b", bounds }).ok).toBe(true);
	});

	test("HARM-73 HARM-74 a restart is no presence: what was armed, cut or at fault is at fault, and ends in off", async () => {
		const { rig, driver, time } = await onTwin();
		rig.loop.order("cut", true);
		expect(rig.kept.at(-1)).toMatchObject({ armed: false, latched: true });
		for (const found of [
			{ armed: true, latched: false, armEpoch: 4 },
			{ armed: false, latched: true, armEpoch: 4 },
		]) {
			const next = new LoopRig(time, driver, found);
			await next.turns(2_000);
			expect(next.kind).toBe("fault");
			expect(next.loop.arm(next.loop.mover.armEpoch).ok).toBe(false);
			expect(next.loop.presence().ok).toBe(true);
			expect(next.kind).toBe("off");
			expect(next.kept.at(-1)).toMatchObject({ armed: false, latched: false });
		}
	});
});
