// Shows that a body is posed only under a lease, within the robot's limits and the lease's bounds, walks nowhere by it, and stays as it is when nobody renews.
import { describe, expect, test } from "vitest";
import { footingOf } from "../../firmware-bridge/body/footing.ts";
import { postureNow } from "../../firmware-bridge/body/motion.ts";
import { type BodyPose, footInBody } from "../../firmware-bridge/body/posture.ts";
import { onTwin, plan, TTL_MS } from "./loop-rig.ts";

type Rig = Awaited<ReturnType<typeof onTwin>>["rig"];
const bodyOf = (rig: Rig): Partial<BodyPose> => postureNow(rig.loop.motion)?.stance.body ?? {};
const posing = (rig: Rig, forMs: number, body: Partial<BodyPose>, more: object = {}): Promise<void> => rig.walking(forMs, { yMm: 0, body, ...more });
const lean = (xMm: number): { readonly xMm: number } => ({ xMm });
const BOUNDS = { pathMm: 5_000, radiusMm: 5_000, timeMs: 60_000 };

describe("HARM-164 a pose of the body", () => {
	test.each([
		[{ xMm: 20, yMm: -15 }],
		[{ heightMm: plan.heightsMm.stand + 12 }],
		[{ heightMm: plan.heightsMm.stand - 12 }],
		[{ rollDegrees: 6, pitchDegrees: -6 }],
		[{ yawDegrees: 9 }],
	])("under a lease it comes to %o, on six feet, and goes nowhere", async (body) => {
		const { rig, driver } = await onTwin();
		await posing(rig, 1_500, body);
		expect(bodyOf(rig)).toMatchObject(body);
		expect(driver.twin.contact).toEqual([true, true, true, true, true, true]);
		expect(rig.loop.motion.travelled).toEqual({ xMm: 0, yMm: 0, headingDegrees: 0, pathMm: 0 });
		await posing(rig, 1_500, {});
		expect(bodyOf(rig)).toMatchObject({ xMm: 0, yMm: 0, heightMm: plan.heightsMm.stand, rollDegrees: 0, pitchDegrees: 0, yawDegrees: 0 });
		expect(rig.faults).toEqual([]);
	});

	test.each(["xMm", "yMm", "heightMm", "rollDegrees", "pitchDegrees", "yawDegrees"] as const)(
		"%s past its limit is refused with what is allowed, and nothing moves",
		async (axis) => {
			const { rig } = await onTwin();
			const before = bodyOf(rig);
			const middle = axis === "heightMm" ? plan.heightsMm.stand : 0;
			for (const side of [-1, 1]) {
				const found = middle + side * (plan.bodyLimits[axis] + 0.5);
				const refused = rig.lease({ yMm: 0, body: { [axis]: found } });
				expect(refused).toMatchObject({ ok: false, fault: { code: "BODY_LIMIT", facts: { axis, found } } });
			}
			await rig.turns(200);
			expect(rig.kind).toBe("armed");
			expect(bodyOf(rig)).toEqual(before);
		},
	);

	test("a twin that leans stands on six feet all the same, and its sensor says how far it leans, and to which side", async () => {
		const { rig, driver } = await onTwin();
		await posing(rig, 1_500, { rollDegrees: 8 });
		expect(driver.twin.up.x).toBeLessThan(-0.1);
		expect(rig.loop.sensed.tiltDegrees).toBeGreaterThan(7.5);
		expect(rig.loop.sensed.tiltDegrees).toBeLessThan(8.5);
		await posing(rig, 1_500, { pitchDegrees: 8 });
		expect(driver.twin.up.y).toBeGreaterThan(0.1);
		expect(driver.twin.marginMm).toBeGreaterThan(plan.marginMinMm);
		expect(driver.twin.hasFallen).toBe(false);
		// Without the three feet of one side it tips, however it leans.
		const onOneSide = plan.legs.map((leg) => footInBody(plan, leg, driver.twin.angles[leg.number - 1] ?? { coxa: 0, femur: 0, tibia: 0 }));
		const sides = plan.legs.map(({ rest }) => rest.x > 0);
		expect(footingOf(onOneSide, sides, plan.centreOfMassMm, 2)?.marginMm).toBeLessThan(0);
	});

	test("without a lease, sitting, or held: refused", async () => {
		const { rig } = await onTwin();
		await posing(rig, 200, lean(20));
		await rig.turns(1_000);
		expect(rig.kind).toBe("hold");
		expect(rig.lease({ id: "b", yMm: 0, body: lean(20) })).toMatchObject({ ok: false, fault: { facts: { why: "wrong-state" } } });
		rig.loop.sit();
		await rig.turns(4_000);
		expect(rig.kind).toBe("off");
		expect(rig.lease({ id: "c", yMm: 0, body: lean(20) }).ok).toBe(false);
	});

	test("a lease that is not renewed freezes it half-way, within its ttl and 45 ms", async () => {
		const { rig } = await onTwin();
		await posing(rig, 100, lean(30));
		const fromMm = bodyOf(rig).xMm ?? Number.NaN;
		await rig.turns(TTL_MS + 60);
		expect(rig.kind).toBe("hold");
		const heldMm = bodyOf(rig).xMm ?? Number.NaN;
		// 60 mm in a second.
		expect(heldMm - fromMm).toBeLessThanOrEqual(0.06 * (TTL_MS + 45));
		await rig.turns(1_000);
		expect(bodyOf(rig).xMm).toBe(heldMm);
		expect(heldMm).toBeLessThan(30);
	});

	test.each([
		["distance", { pathMm: 10, radiusMm: 5_000, timeMs: 60_000 }],
		["area", { pathMm: 5_000, radiusMm: 10, timeMs: 60_000 }],
	])("the bound of %s counts a body that leans: it ends where the lease does", async (_, bounds) => {
		const { rig } = await onTwin();
		await posing(rig, 2_000, lean(30), { bounds });
		expect(rig.kind).toBe("armed");
		expect(bodyOf(rig).xMm).toBeGreaterThanOrEqual(10);
		expect(bodyOf(rig).xMm).toBeLessThanOrEqual(10 + 2 * 1.2);
	});

	test("the bound of time ends it too, and what leans already is where the next lease begins to count", async () => {
		const { rig } = await onTwin();
		await posing(rig, 600, lean(20));
		await rig.turns(40, () => void rig.loop.endLease("anna"));
		await posing(rig, 2_000, lean(30), { id: "b", bounds: { ...BOUNDS, pathMm: 20 } });
		expect(bodyOf(rig).xMm).toBe(30);
		await rig.turns(40, () => void rig.loop.endLease("anna"));
		await posing(rig, 2_000, lean(-30), { id: "c", bounds: { ...BOUNDS, timeMs: 200 } });
		expect(rig.kind).toBe("armed");
		expect(bodyOf(rig).xMm).toBeGreaterThan(10);
	});

	test("posed as far as it may be, it sits down from there without a jump, and is off", async () => {
		for (const side of [-1, 1]) {
			const { rig } = await onTwin();
			const { xMm, rollDegrees, yawDegrees } = plan.bodyLimits;
			const asked = [{ xMm: side * xMm }, { rollDegrees: side * rollDegrees }, { yawDegrees: side * yawDegrees }];
			for (const [at, body] of asked.entries()) {
				await posing(rig, 1_500, body, { id: String(at) });
				await rig.turns(20, () => void rig.loop.endLease("anna"));
			}
			expect(rig.loop.sit().ok).toBe(true);
			await rig.turns(4_000);
			expect([rig.kind, rig.faults]).toEqual(["off", []]);
		}
	});
});
