// Shows that getting up starts from sitting with power in three groups, and that sitting down from every phase and pose has no jump and ends in time.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { gaitStance, NO_STRIDE } from "../../firmware-bridge/body/gait.ts";
import { robotPlan } from "../../firmware-bridge/body/plan.ts";
import { postureOf, sitStance, standStance, straight } from "../../firmware-bridge/body/posture.ts";
import { beginRise, beginSit, type Settling, settleOn } from "../../firmware-bridge/body/settle.ts";
import { largestChange } from "../../firmware-bridge/body/slew.ts";
import { footByChain, MODELS, planOf, policyOf } from "./plans.ts";

const TICK_MS = 20;
const SLEW_DEGREES = 4;

const next = (plan: ReturnType<typeof planOf>, now: Settling): Settling => {
	const after = settleOn(plan, now, TICK_MS);
	if (!after.ok) throw new Error(`${now.stage}: ${JSON.stringify(after.fault)}`);
	expect(largestChange(now.posture.angles, after.value.posture.angles)).toBeLessThanOrEqual(SLEW_DEGREES + 1e-9);
	expect(after.value.posture.marginMm).toBeGreaterThanOrEqual(plan.marginMinMm);
	return after.value;
};

describe.each(MODELS)("%s", (model) => {
	const plan = planOf(model);

	test("getting up: first the sit pose, groups at least 300 ms apart, no movement before all have power, feet never slide (HARM-22)", () => {
		const begun = beginRise(plan);
		const sit = postureOf(plan, sitStance(plan));
		if (!begun.ok || !sit.ok) throw new Error("cannot sit");
		expect(begun.value.posture.angles).toEqual(sit.value.angles);
		let now = begun.value;
		const poweredAt: number[] = [];
		for (let tick = 0, count = 0; now.stage !== "stood"; tick++) {
			const powered = now.powered.filter((leg) => leg).length;
			if (powered > count) poweredAt.push(tick * TICK_MS);
			count = powered;
			if (powered < 6) expect(now.posture.angles).toEqual(sit.value.angles);
			expect(now.posture.stance.feet).toEqual(plan.legs.map((leg) => leg.rest));
			now = next(plan, now);
			expect(tick).toBeLessThan(500);
		}
		expect(poweredAt).toHaveLength(3);
		expect((poweredAt[1] ?? 0) - (poweredAt[0] ?? 0)).toBeGreaterThanOrEqual(300);
		expect((poweredAt[2] ?? 0) - (poweredAt[1] ?? 0)).toBeGreaterThanOrEqual(300);
		expect(now.posture.stance.body).toEqual(straight(plan));
		expect(settleOn(plan, now, TICK_MS)).toEqual({ ok: true, value: now });
	});

	test("sitting down from anywhere, evenly drawn: always ends on the belly, within 3 s, never in a stance that is refused (HARM-22)", () => {
		// Properties draw mostly near the middle; what collides lies at the edges, so these cases are spread evenly, and are the same each time.
		let drawn = 12_345;
		const ratio = (): number => {
			drawn = (drawn * 1_103_515_245 + 12_345) % 2_147_483_648;
			return drawn / 2_147_483_648;
		};
		const within = (bound: number): number => (ratio() * 2 - 1) * bound;
		const mm = plan.strideMaxMm * 0.6;
		const { bodyLimits: body } = plan;
		let sat = 0;
		for (let round = 0; round < 6_000; round++) {
			const gait = ratio() < 0.5 ? ("tripod" as const) : ("ripple" as const);
			const phase = ratio();
			const stride = { xMm: within(mm), yMm: within(mm), turnDegrees: within(plan.turnMaxDegrees) };
			const pose = {
				rollDegrees: within(body.rollDegrees),
				pitchDegrees: within(body.pitchDegrees),
				yawDegrees: within(body.yawDegrees),
				xMm: within(body.xMm),
				yMm: within(body.yMm),
				heightMm: plan.heightsMm.stand + within(body.heightMm),
			};
			const from = postureOf(plan, gaitStance(plan, gait, phase, stride, pose), plan.walking);
			if (!from.ok) continue;
			sat += 1;
			let now = beginSit(plan, from.value);
			let elapsedMs = 0;
			for (; now.stage !== "off" && elapsedMs <= 3_000; elapsedMs += TICK_MS) {
				const after = settleOn(plan, now, TICK_MS);
				if (!after.ok) throw new Error(`${now.stage} at ${now.progress}: ${JSON.stringify(after.fault)} from ${JSON.stringify({ gait, phase, stride, pose })}`);
				now = after.value;
			}
			expect(elapsedMs).toBeLessThanOrEqual(3_000);
			expect(now.posture.stance.body).toMatchObject({ rollDegrees: 0, pitchDegrees: 0, heightMm: plan.heightsMm.sit });
		}
		expect(sat).toBeGreaterThan(5_000);
	});

	test("sitting down from every phase and pose: no jump, feet down before the body, 300 ms of rest, off in pairs, within 3 s (HARM-22)", () => {
		const mm = plan.strideMaxMm * 0.6;
		const axis = (name: keyof typeof plan.bodyLimits) => fc.double({ min: -plan.bodyLimits[name], max: plan.bodyLimits[name], noNaN: true });
		const start = fc.record({
			gait: fc.constantFrom("tripod" as const, "ripple" as const),
			phase: fc.double({ min: 0, max: 1, noNaN: true }),
			stride: fc.record({
				xMm: fc.double({ min: -mm, max: mm, noNaN: true }),
				yMm: fc.double({ min: -mm, max: mm, noNaN: true }),
				turnDegrees: fc.double({ min: -plan.turnMaxDegrees, max: plan.turnMaxDegrees, noNaN: true }),
			}),
			rollDegrees: axis("rollDegrees"),
			pitchDegrees: axis("pitchDegrees"),
			yawDegrees: axis("yawDegrees"),
			xMm: axis("xMm"),
			yMm: axis("yMm"),
			heightMm: axis("heightMm").map((by) => by + plan.heightsMm.stand),
		});
		let sat = 0;
		let slowestMs = 0;
		fc.assert(
			fc.property(start, ({ gait, phase, stride, ...body }) => {
				const from = postureOf(plan, gaitStance(plan, gait, phase, stride, body), plan.walking);
				if (!from.ok) return;
				sat++;
				let now = beginSit(plan, from.value);
				const spent: Record<string, number> = {};
				let elapsedMs = 0;
				while (now.stage !== "off") {
					const raised = now.posture.stance.feet.some((foot) => foot.z > 0);
					if (raised) expect(now.posture.stance.body).toEqual(from.value.stance.body);
					spent[now.stage] = (spent[now.stage] ?? 0) + TICK_MS;
					const off = now.powered.filter((leg) => !leg).length;
					expect(off % 2).toBe(0);
					now = next(plan, now);
					const offNow = now.powered.filter((leg) => !leg).length;
					expect(offNow - off === 0 || offNow - off === 2).toBe(true);
					elapsedMs += TICK_MS;
					expect(elapsedMs).toBeLessThanOrEqual(3_000);
				}
				slowestMs = Math.max(slowestMs, elapsedMs);
				expect(spent["resting"]).toBeGreaterThanOrEqual(300);
				// On the belly by the angles alone: all feet as far below the hips as the belly is.
				now.posture.angles.forEach((angles, at) => {
					expect(footByChain(policyOf(model), at, angles).z).toBeCloseTo(-plan.heightsMm.sit, 6);
				});
			}),
			{ numRuns: 300 },
		);
		expect(sat).toBeGreaterThan(80);
		expect(slowestMs).toBeGreaterThan(1_000);
	});

	test("a pose at an edge of what walking allows still has room for the way down (HARM-22)", () => {
		// Two legs turned towards each other as far as any walk may: judged to the same limits, the first step down would be refused.
		for (let turnDegrees = plan.turnMaxDegrees; turnDegrees > 0; turnDegrees -= 0.01) {
			const from = postureOf(plan, gaitStance(plan, "tripod", 0, { xMm: 0, yMm: -plan.strideMaxMm * 0.35, turnDegrees }, straight(plan)), plan.walking);
			if (!from.ok) continue;
			expect(settleOn(plan, beginSit(plan, from.value), TICK_MS).ok).toBe(true);
			break;
		}
		for (const joint of ["coxa", "femur", "tibia"] as const) {
			expect(plan.walking.jointDegrees[joint].min).toBeGreaterThan(plan.jointDegrees[joint].min);
			expect(plan.walking.jointDegrees[joint].max).toBeLessThan(plan.jointDegrees[joint].max);
		}
		expect(plan.walking.neighbourMinDegrees).toBeGreaterThan(plan.neighbourMinDegrees);
		expect(plan.walking.marginMinMm).toBeGreaterThan(plan.marginMinMm);
	});

	test("sitting down from halfway up, and from halfway down, is as smooth", () => {
		const begun = beginRise(plan);
		if (!begun.ok) throw new Error("cannot sit");
		let now = begun.value;
		while (now.stage !== "lifting" || now.progress < 0.5) now = next(plan, now);
		now = beginSit(plan, now.posture);
		while (now.stage !== "lowering-body" || now.progress < 0.5) now = next(plan, now);
		now = beginSit(plan, now.posture);
		while (now.stage !== "off") now = next(plan, now);
		expect(now.powered).toEqual(new Array(6).fill(false));
	});

	test("a frozen gait has no way but down: standing with all feet is where rising ends", () => {
		const stood = postureOf(plan, standStance(plan));
		const marking = postureOf(plan, gaitStance(plan, "tripod", 0, NO_STRIDE, straight(plan)));
		expect(stood.ok && marking.ok && largestChange(stood.value.angles, marking.value.angles)).toBe(0);
	});
});

describe("a policy file that contradicts itself is refused (RUN-3)", () => {
	const good = policyOf("fnk0052");
	const [first, ...others] = good.legs;
	if (first === undefined) throw new Error("no leg");
	test.each([
		["two servos share a channel", { legs: [{ ...first, servos: { ...first.servos, coxa: first.servos.tibia } }, ...others] }],
		[
			"powerGroups must name each leg once",
			{
				powerGroups: [
					[1, 4],
					[2, 5],
					[3, 3],
				],
			},
		],
		["leg 1 and its neighbours do not agree", { legs: [{ ...first, neighbours: [3, 6] }, ...others] }],
		["jointDegrees.femur is empty", { jointDegrees: { ...good.jointDegrees, femur: { min: 10, max: 10 } } }],
		["reachMm is empty", { reachMm: { min: 200, max: 100 } }],
		["heightsMm: it must sit lower than it stands", { heightsMm: { sit: 64, stand: 64 } }],
		["batteryMv must rise: cut, sit, armMin, warn", { batteryMv: { ...good.batteryMv, cut: 6_700 } }],
		["sit: its parts take longer than withinMs", { sit: { ...good.sit, lowerBodyMs: 2_000, lowerFeetMs: 800 } }],
	])("%s", (detail, change) => {
		expect(robotPlan({ ...good, ...change })).toEqual({ ok: false, fault: { code: "ROBOT_INVALID", facts: { model: "fnk0052", detail } } });
	});
});
