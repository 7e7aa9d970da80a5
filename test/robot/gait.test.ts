// Shows that from every phase of every gait, with every stride and body that is allowed, what is sent keeps limits, slew and margin, and can be frozen there.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { gaitStance, judgeGait, legAt, NO_STRIDE, type Stride } from "../../firmware-bridge/body/gait.ts";
import type { GaitName, RobotPlan } from "../../firmware-bridge/body/plan.ts";
import { type BodyPose, type Posture, postureOf, straight } from "../../firmware-bridge/body/posture.ts";
import { pulsesFor } from "../../firmware-bridge/body/servos.ts";
import { largestChange, slowed } from "../../firmware-bridge/body/slew.ts";
import { checkWanted, standing, type Walk, walkOn } from "../../firmware-bridge/body/walk.ts";
import { footByChain, MODELS, marginByPairs, planOf, policyOf } from "./plans.ts";

const TICK_MS = 20;
const SLEW_DEGREES = (200 * TICK_MS) / 1_000;
const GAITS: readonly GaitName[] = ["tripod", "ripple"];

const strides = (plan: RobotPlan): fc.Arbitrary<Stride> => {
	const mm = plan.strideMaxMm * 0.7;
	const [d, t] = [fc.double({ min: -mm, max: mm, noNaN: true }), fc.double({ min: -plan.turnMaxDegrees, max: plan.turnMaxDegrees, noNaN: true })];
	return fc.oneof(
		fc.record({ xMm: d, yMm: d, turnDegrees: t }),
		fc.record({ xMm: fc.constant(0), yMm: fc.constantFrom(mm, -mm), turnDegrees: fc.constant(0) }),
		fc.record({ xMm: fc.constant(0), yMm: fc.constant(0), turnDegrees: t }),
		fc.constant(NO_STRIDE),
	);
};
const bodies = (plan: RobotPlan): fc.Arbitrary<BodyPose> => {
	const of = (axis: keyof typeof plan.bodyLimits) => fc.double({ min: -plan.bodyLimits[axis] * 0.5, max: plan.bodyLimits[axis] * 0.5, noNaN: true });
	const heightMm = of("heightMm").map((by) => by + plan.heightsMm.stand);
	const posed = fc.record({
		xMm: of("xMm"),
		yMm: of("yMm"),
		heightMm,
		rollDegrees: of("rollDegrees"),
		pitchDegrees: of("pitchDegrees"),
		yawDegrees: of("yawDegrees"),
	});
	return fc.oneof(fc.constant(straight(plan)), posed);
};

/** Frozen here, does it stand? From the joint angles alone: lowest feet carry, seen in the body's frame of a straight body. */
const frozenMargin = (plan: RobotPlan, model: (typeof MODELS)[number], posture: Posture): number => {
	const feet = posture.angles.map((angles, at) => footByChain(policyOf(model), at, angles));
	const floor = Math.min(...feet.map((foot) => foot.z));
	return marginByPairs(
		feet.filter((foot) => foot.z < floor + 1e-6),
		plan.centreOfMassMm,
	);
};

describe.each(MODELS)("%s", (model) => {
	const plan = planOf(model);

	test.each(GAITS)("%s: all feet stand at phase 0, at least three always, and the foot's path has no jump", (gait) => {
		const dense = 4_000;
		for (const leg of plan.legs) {
			let before = legAt(plan, gait, leg, -1 / dense);
			for (let step = 0; step <= dense; step++) {
				const now = legAt(plan, gait, leg, step / dense);
				expect(Math.abs(now.sweep - before.sweep)).toBeLessThan(0.01);
				expect(Math.abs(now.raisedMm - before.raisedMm)).toBeLessThan(plan.gaits[gait].liftMm / 100);
				before = now;
			}
			expect(legAt(plan, gait, leg, 0).standing).toBe(true);
		}
		for (let step = 0; step < dense; step++) {
			const stand = gaitStance(plan, gait, step / dense, NO_STRIDE, straight(plan)).standing.filter((foot) => foot).length;
			expect(stand).toBeGreaterThanOrEqual(gait === "ripple" ? 5 : 3);
		}
	});

	test.each(GAITS)(
		"%s: what a judged walk does at any phase is inside limits, stable by an independent count, and a servo can do it (HARM-21, HARM-22)",
		(gait) => {
			let judged = 0;
			fc.assert(
				fc.property(
					strides(plan),
					bodies(plan),
					fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 8, maxLength: 8 }),
					(stride, body, phases) => {
						if (!checkWanted(plan, gait, { stride, body }).ok) return;
						judged++;
						const level = body.rollDegrees === 0 && body.pitchDegrees === 0;
						for (const phase of phases) {
							const posture = postureOf(plan, gaitStance(plan, gait, phase, stride, body));
							// Judged at 120 phases with a reserve: in between, too, it stays inside the robot's own limits.
							if (!posture.ok) throw new Error(JSON.stringify(posture.fault));
							expect(posture.value.marginMm).toBeGreaterThanOrEqual(plan.marginMinMm);
							expect(pulsesFor(plan, posture.value.angles, [true, true, true, true, true, true]).ok).toBe(true);
							if (level && body.xMm === 0) expect(frozenMargin(plan, model, posture.value)).toBeGreaterThan(plan.marginMinMm - 0.5);
						}
					},
				),
				{ numRuns: 300 },
			);
			expect(judged).toBeGreaterThan(100);
		},
	);

	test.each(GAITS)(
		"%s: any sequence of wishes keeps slew, limits and margin in every tick, freezing is stable in every tick, and it ends standing (HARM-21, HARM-22)",
		(gait) => {
			const wish = fc.record({ stride: strides(plan), body: bodies(plan), ticks: fc.integer({ min: 1, max: 60 }) });
			let moved = 0;
			const live = (walk: Walk, wanted: { stride: Stride; body: BodyPose }): Walk => {
				const next = walkOn(plan, walk, wanted, TICK_MS);
				if (!next.ok) {
					// Held with a reason: nothing was sent, and the pose it holds stands.
					expect(["UNSTABLE", "JOINT_LIMIT", "LEGS_COLLIDE", "OUT_OF_REACH"]).toContain(next.fault.code);
					return walk;
				}
				expect(largestChange(walk.posture.angles, next.value.posture.angles)).toBeLessThanOrEqual(SLEW_DEGREES + 1e-9);
				expect(next.value.posture.marginMm).toBeGreaterThanOrEqual(plan.marginMinMm);
				if (largestChange(walk.posture.angles, next.value.posture.angles) > 0) moved++;
				return next.value;
			};
			fc.assert(
				fc.property(fc.array(wish, { minLength: 1, maxLength: 5 }), (wishes) => {
					const start = standing(plan, gait);
					if (!start.ok) throw new Error("cannot stand");
					let walk = start.value;
					for (const { ticks, ...wanted } of wishes) {
						if (!checkWanted(plan, gait, wanted).ok) continue;
						for (let tick = 0; tick < ticks; tick++) walk = live(walk, wanted);
					}
					for (let tick = 0; tick < 1_000 && (walk.stepping || walk.phase !== 0); tick++) walk = live(walk, { stride: NO_STRIDE, body: straight(plan) });
					expect(walk.stepping).toBe(false);
					expect(walk.posture.stance.standing).toEqual([true, true, true, true, true, true]);
				}),
				{ numRuns: 40 },
			);
			expect(moved).toBeGreaterThan(2_000);
		},
	);

	test("marking time, walking and turning make progress: a cycle takes less than three times its fastest", () => {
		for (const gait of GAITS) {
			for (const stride of [NO_STRIDE, { xMm: 0, yMm: plan.strideMaxMm * 0.5, turnDegrees: 0 }, { xMm: 0, yMm: 0, turnDegrees: plan.turnMaxDegrees * 0.8 }]) {
				const start = standing(plan, gait);
				if (!start.ok) throw new Error("cannot stand");
				let walk: Walk = { ...start.value, stepping: true };
				let cycles = 0;
				for (let tick = 0; tick < 500; tick++) {
					const next = walkOn(plan, walk, { stride: stride === NO_STRIDE ? { xMm: 0, yMm: 1e-9, turnDegrees: 0 } : stride, body: straight(plan) }, TICK_MS);
					if (!next.ok) throw new Error(JSON.stringify(next.fault));
					if (next.value.phase < walk.phase) cycles++;
					walk = next.value;
				}
				expect(cycles).toBeGreaterThanOrEqual(Math.floor((500 * TICK_MS) / plan.gaits[gait].periodMs / 3));
			}
		}
	});

	test("standing feet move as one sheet: distances between them stay while the stride stays (no foot is dragged)", () => {
		const stride = { xMm: 5, yMm: plan.strideMaxMm * 0.5, turnDegrees: plan.turnMaxDegrees * 0.5 };
		const at = (phase: number) => gaitStance(plan, "tripod", phase, stride, straight(plan));
		for (let phase = 0.06; phase < 0.44; phase += 0.01) {
			const [now, next] = [at(phase), at(phase + 0.01)];
			for (const a of [0, 2, 4]) {
				for (const b of [0, 2, 4]) {
					const apart = ({ feet }: typeof now) => Math.hypot((feet[a]?.x ?? 0) - (feet[b]?.x ?? 0), (feet[a]?.y ?? 0) - (feet[b]?.y ?? 0));
					expect(apart(next)).toBeCloseTo(apart(now), 9);
				}
			}
		}
	});
});

describe("judged before the first step", () => {
	const plan = planOf("fnk0031");
	test("too long, too wide, not a number: refused with the axis", () => {
		const body = straight(plan);
		expect(judgeGait(plan, "tripod", { xMm: 0, yMm: 43, turnDegrees: 0 }, body)).toMatchObject({
			ok: false,
			fault: { code: "BODY_LIMIT", facts: { found: 43 } },
		});
		expect(judgeGait(plan, "tripod", { xMm: 0, yMm: 0, turnDegrees: -19 }, body)).toMatchObject({ ok: false, fault: { code: "BODY_LIMIT" } });
		expect(judgeGait(plan, "tripod", { xMm: Number.NaN, yMm: 0, turnDegrees: 0 }, body)).toMatchObject({ ok: false, fault: { code: "BODY_LIMIT" } });
	});

	test("a stride that would bring the centre of mass within 30 mm of an edge is refused (HARM-21)", () => {
		const shifted = { ...plan, centreOfMassMm: { x: 0, y: 25, z: 5 } };
		expect(judgeGait(shifted, "tripod", { xMm: 0, yMm: 38, turnDegrees: 0 }, straight(plan))).toMatchObject({
			ok: false,
			fault: { code: "UNSTABLE", facts: { minMm: 32 } },
		});
		expect(judgeGait(plan, "ripple", { xMm: 0, yMm: 42, turnDegrees: 0 }, straight(plan))).toMatchObject({ ok: true });
	});

	test("a step of which nothing is allowed is refused with its reason; a step of nothing is whole", () => {
		const start = standing(plan, "tripod");
		if (!start.ok) throw new Error("cannot stand");
		const { posture } = start.value;
		const refused = { ok: false as const, fault: { code: "UNSTABLE" as const, facts: {} } };
		expect(slowed(posture.angles, SLEW_DEGREES, () => refused)).toEqual(refused);
		expect(slowed(posture.angles, SLEW_DEGREES, () => ({ ok: true, value: posture }))).toEqual({ ok: true, value: { share: 1, posture } });
	});
});
