// Shows that angles and foot positions are each other's inverse, that limits refuse with their reason, and that margins are what a pair-by-pair count says (HARM-21).
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anglesFor, footAt } from "../../firmware-bridge/body/leg.ts";
import { type RobotPlan, radians } from "../../firmware-bridge/body/plan.ts";
import { checkBody, footInBody, postureOf, sitStance, standStance, straight } from "../../firmware-bridge/body/posture.ts";
import { anglesOf, pulsesFor, trimsFromPoints } from "../../firmware-bridge/body/servos.ts";
import { marginInside, shadowOf } from "../../firmware-bridge/body/stability.ts";
import { footByChain, MODELS, marginByPairs, planOf, policyOf } from "./plans.ts";

const jointAngles = (plan: RobotPlan) => {
	const range = ({ min, max }: { min: number; max: number }) => fc.double({ min, max, noNaN: true });
	return fc.record({ coxa: range(plan.jointDegrees.coxa), femur: range(plan.jointDegrees.femur), tibia: range(plan.jointDegrees.tibia) });
};
const ALL = [true, true, true, true, true, true];

describe.each(MODELS)("%s", (model) => {
	const plan = planOf(model);
	const policy = policyOf(model);
	const leg = plan.legs[0];
	if (leg === undefined) throw new Error("no leg");

	test("angles -> foot -> angles -> foot differs by less than 1e-9 mm, wherever it is allowed", () => {
		let allowed = 0;
		fc.assert(
			fc.property(jointAngles(plan), (angles) => {
				const foot = footAt(plan, angles);
				const found = anglesFor(plan, leg, foot);
				if (!found.ok) return;
				allowed++;
				const again = footAt(plan, found.value);
				expect(Math.hypot(again.x - foot.x, again.y - foot.y, again.z - foot.z)).toBeLessThan(1e-9);
			}),
			{ numRuns: 20_000 },
		);
		expect(allowed).toBeGreaterThan(5_000);
	});

	test("the forward calculation is the chain of rigid frames", () => {
		fc.assert(
			fc.property(jointAngles(plan), fc.integer({ min: 0, max: 5 }), (angles, at) => {
				const one = plan.legs[at];
				if (one === undefined) return;
				const [ours, theirs] = [footInBody(plan, one, angles), footByChain(policy, at, angles)];
				expect(Math.hypot(ours.x - theirs.x, ours.y - theirs.y, ours.z - theirs.z)).toBeLessThan(1e-9);
			}),
		);
	});

	test("whatever is answered is inside the joints' limits (HARM-21)", () => {
		const mm = fc.double({ min: -260, max: 260, noNaN: true });
		fc.assert(
			fc.property(mm, mm, mm, (x, y, z) => {
				const found = anglesFor(plan, leg, { x, y, z });
				if (!found.ok) return;
				for (const joint of ["coxa", "femur", "tibia"] as const) {
					expect(found.value[joint]).toBeGreaterThanOrEqual(plan.jointDegrees[joint].min);
					expect(found.value[joint]).toBeLessThanOrEqual(plan.jointDegrees[joint].max);
				}
			}),
			{ numRuns: 5_000 },
		);
	});

	test("a body in any allowed pose stands with every foot where it should be, in the ground's frame", () => {
		const of = (axis: keyof typeof plan.bodyLimits) => fc.double({ min: -plan.bodyLimits[axis] / 2, max: plan.bodyLimits[axis] / 2, noNaN: true });
		const middle = straight(plan);
		const body = fc.record({
			xMm: of("xMm"),
			yMm: of("yMm"),
			heightMm: of("heightMm").map((by) => by + middle.heightMm),
			rollDegrees: of("rollDegrees"),
			pitchDegrees: of("pitchDegrees"),
			yawDegrees: of("yawDegrees"),
		});
		let held = 0;
		fc.assert(
			fc.property(body, (pose) => {
				expect(checkBody(plan, pose).ok).toBe(true);
				const posture = postureOf(plan, { ...standStance(plan), body: pose });
				if (!posture.ok) return;
				held++;
				posture.value.angles.forEach((angles, at) => {
					const foot = footByChain(policy, at, angles);
					// Roll about y, then pitch about x, then yaw about z, one after the other.
					const [r, p, y] = [radians(pose.rollDegrees), radians(pose.pitchDegrees), radians(pose.yawDegrees)];
					const rolled = { x: foot.x * Math.cos(r) + foot.z * Math.sin(r), y: foot.y, z: foot.z * Math.cos(r) - foot.x * Math.sin(r) };
					const pitched = { x: rolled.x, y: rolled.y * Math.cos(p) - rolled.z * Math.sin(p), z: rolled.y * Math.sin(p) + rolled.z * Math.cos(p) };
					const ground = {
						x: pitched.x * Math.cos(y) - pitched.y * Math.sin(y) + pose.xMm,
						y: pitched.x * Math.sin(y) + pitched.y * Math.cos(y) + pose.yMm,
						z: pitched.z + pose.heightMm,
					};
					const rest = plan.legs[at]?.rest ?? { x: 0, y: 0, z: 0 };
					expect(Math.hypot(ground.x - rest.x, ground.y - rest.y, ground.z)).toBeLessThan(1e-9);
				});
			}),
			{ numRuns: 500 },
		);
		expect(held).toBeGreaterThan(400);
	});

	test("standing and sitting are allowed postures; a body past its limits is refused by axis", () => {
		expect(postureOf(plan, standStance(plan)).ok).toBe(true);
		expect(postureOf(plan, sitStance(plan)).ok).toBe(true);
		expect(checkBody(plan, { ...straight(plan), rollDegrees: 11 })).toMatchObject({ ok: false, fault: { code: "BODY_LIMIT", facts: { axis: "rollDegrees" } } });
		expect(checkBody(plan, { ...straight(plan), xMm: Number.NaN })).toMatchObject({ ok: false, fault: { code: "BODY_LIMIT" } });
	});

	test("angles -> pulses -> angles is right to half a microsecond; a leg without power gets no pulse", () => {
		fc.assert(
			fc.property(fc.array(jointAngles(plan), { minLength: 6, maxLength: 6 }), (angles) => {
				const pulses = pulsesFor(plan, angles, ALL);
				if (!pulses.ok) return;
				for (const pulseUs of pulses.value) expect(pulseUs >= 500 && pulseUs <= 2_500).toBe(true);
				anglesOf(plan, pulses.value).forEach((found, at) => {
					for (const joint of ["coxa", "femur", "tibia"] as const) expect(found?.[joint]).toBeCloseTo(angles[at]?.[joint] ?? 0, 1);
				});
			}),
		);
		const stand = postureOf(plan, standStance(plan));
		const pulses = stand.ok ? pulsesFor(plan, stand.value.angles, [true, false, true, true, true, true]) : stand;
		expect(pulses.ok && pulses.value.map((pulseUs) => pulseUs === 0)).toEqual(Array.from({ length: 18 }, (_, joint) => joint >= 3 && joint < 6));
	});
});

describe("refusals say why (HARM-21)", () => {
	const plan = planOf("fnk0052");
	const leg = plan.legs[2];
	if (leg === undefined) throw new Error("no leg");

	test.each([
		["too far", { x: 240, y: 0, z: 0 }, { code: "OUT_OF_REACH", facts: { leg: 3, detail: "240 mm from the hip; 90 to 228 mm are allowed" } }],
		["too near", { x: 50, y: 0, z: 0 }, { code: "OUT_OF_REACH", facts: { leg: 3, detail: "50 mm from the hip; 90 to 228 mm are allowed" } }],
		["not a number", { x: Number.NaN, y: 0, z: 0 }, { code: "OUT_OF_REACH" }],
		["to the side", { x: 100, y: 110, z: -20 }, { code: "JOINT_LIMIT", facts: { leg: 3, joint: "coxa", degrees: 47.7, minDegrees: -45, maxDegrees: 45 } }],
		["straight up", { x: 60, y: 0, z: 160 }, { code: "JOINT_LIMIT", facts: { joint: "femur" } }],
	])("%s", (_, foot, expected) => {
		expect(anglesFor(plan, leg, foot)).toMatchObject({ ok: false, fault: expected });
	});

	test("legs turned towards each other, and a foot pattern that would fall", () => {
		const stand = standStance(plan);
		const reach = (at: number, turn: number) => {
			const one = plan.legs[at];
			if (one === undefined) throw new Error("no leg");
			const angle = one.bearing + radians(turn);
			return { x: one.mount.x + 140 * Math.cos(angle), y: one.mount.y + 140 * Math.sin(angle), z: 0 };
		};
		const feet = stand.feet.map((foot, at) => (at === 0 ? reach(0, -16) : at === 1 ? reach(1, 16) : foot));
		expect(postureOf(plan, { ...stand, feet })).toMatchObject({
			ok: false,
			fault: { code: "LEGS_COLLIDE", facts: { leg: 2, other: 1, degrees: 22, minDegrees: 25 } },
		});
		const oneSide = { ...stand, standing: [true, true, true, false, false, false] };
		expect(postureOf(plan, oneSide)).toMatchObject({ ok: false, fault: { code: "UNSTABLE", facts: { minMm: 30 } } });
		expect(postureOf(plan, { ...stand, standing: [true, false, false, true, false, false] })).toMatchObject({ ok: false, fault: { code: "UNSTABLE" } });
	});

	test("a floor that tilts moves the centre of mass: 70 degrees are refused, 30 are not", () => {
		const tilted = (by: number) => ({ x: Math.sin(radians(by)), y: 0, z: -Math.cos(radians(by)) });
		expect(postureOf(plan, standStance(plan), plan, tilted(70))).toMatchObject({ ok: false, fault: { code: "UNSTABLE" } });
		expect(postureOf(plan, standStance(plan), plan, tilted(30)).ok).toBe(true);
		expect(shadowOf({ x: 1, y: 2, z: 100 }, { x: 0, y: 0, z: -1 })).toEqual({ x: 1, y: 2 });
	});

	test("the margin is what trying every pair of feet says, and negative outside", () => {
		const spot = fc.record({ x: fc.integer({ min: -200, max: 200 }), y: fc.integer({ min: -200, max: 200 }), z: fc.constant(0) });
		fc.assert(
			fc.property(fc.array(spot, { minLength: 3, maxLength: 6 }), spot, (feet, at) => {
				const ours = marginInside(feet, at);
				if (Number.isFinite(ours) && new Set(feet.map((foot) => `${foot.x} ${foot.y}`)).size === feet.length)
					expect(ours).toBeCloseTo(marginByPairs(feet, at), 3);
			}),
		);
		expect(
			marginInside(
				[
					{ x: 0, y: 0 },
					{ x: 10, y: 0 },
				],
				{ x: 5, y: 0 },
			),
		).toBe(Number.NEGATIVE_INFINITY);
	});

	test("the vendor's figures: six feet 189 mm, three feet 104 mm", () => {
		const vendor = [
			[137.1, 189.4],
			[225, 0],
			[137.1, -189.4],
			[-137.1, -189.4],
			[-225, 0],
			[-137.1, 189.4],
		].map(([x, y]) => ({ x: x ?? 0, y: y ?? 0 }));
		expect(marginInside(vendor, { x: 0, y: 0 })).toBeCloseTo(189.4, 0);
		expect(
			marginInside(
				vendor.filter((_, at) => at % 2 === 0),
				{ x: 0, y: 0 },
			),
		).toBeCloseTo(104, 0);
		plan.legs.forEach((one, at) => {
			expect(Math.hypot(one.rest.x - (vendor[at]?.x ?? 0), one.rest.y - (vendor[at]?.y ?? 0))).toBeLessThan(1);
		});
	});
});

describe("calibration points of the vendor", () => {
	const plan = planOf("fnk0052");
	const lines = (first: string): string => [first, ...new Array<string>(5).fill("140\t0\t0")].join("\n");

	test("the default file means no trim; a point beside it trims that joint", () => {
		const none = trimsFromPoints(plan, lines("140\t0\t0"));
		expect(none).toEqual({ ok: true, value: new Array(6).fill({ coxa: 0, femur: 0, tibia: 0 }) });
		const found = trimsFromPoints(plan, `${lines("140\t10\t0")}\n`);
		expect(found.ok && found.value[0]?.coxa).toBeCloseTo(4.086, 2);
		expect(found.ok && found.value[1]).toEqual({ coxa: 0, femur: 0, tibia: 0 });
	});

	test.each([
		["140\t0\n", 1, "1 lines", "140\t0"],
		["words", 1, "not three whole numbers", lines("a\tb\tc")],
		["a fraction", 1, "not three whole numbers", lines("140.5\t0\t0")],
		["out of reach", 1, "leg 1 cannot stand there", lines("400\t0\t0")],
		["seven lines", 7, "7 lines", `${lines("140\t0\t0")}\n140\t0\t0`],
	])("refused: %s", (_, line, detail, text) => {
		expect(trimsFromPoints(plan, text)).toMatchObject({
			ok: false,
			fault: { code: "POINTS_INVALID", facts: { line: detail === "1 lines" ? 2 : line, detail } },
		});
	});
});
