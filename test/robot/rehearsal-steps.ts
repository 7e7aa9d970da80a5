// Says what each step of a rehearsal must do, wherever it is done: on the twin in moments, on the shipped firmware in the board's own time.
import { expect, test } from "vitest";
import type { Answer } from "../../agents/robot/step-run.ts";
import { sayFault } from "../../contracts/errors.ts";
import { JOINT_NAMES, type JointName, type RobotPlan, robotPlan } from "../../firmware-bridge/body/plan.ts";
import { postureOf, sitStance } from "../../firmware-bridge/body/posture.ts";
import { imageUnderTest } from "../firmware-bridge/image.ts";
import { rehearsedFile } from "../support/rehearsed.ts";
import { planOf, policyOf } from "./plans.ts";
import { RehearsalRig } from "./rehearsal-rig.ts";

const FIRMWARE = imageUnderTest().manifest.sourceSha256.slice(0, 16);

export type Where = "twin" | "shipped firmware";

export const firstSteps = (where: Where): void => {
	const open = () => (where === "twin" ? RehearsalRig.onTwin() : RehearsalRig.onBoard());

	test("HARM-145 steps 1 to 4: propped, bus, battery, cut; each unlocks the next, and it ends off", async () => {
		const rig = await open();
		for (const step of [1, 2, 3, 4]) {
			expect(rig.rehearsal.hold({ step: step + 1, id: "too soon", tick: rig.line.now(), ttlMs: 400 })).toMatchObject({
				fault: { facts: { why: "step-locked" } },
			});
			const record = await rig.step(step);
			expect(record).toMatchObject({ step, outcome: "passed", simulated: where === "twin" });
			expect(rig.rehearsal.state().upTo).toBe(step);
			expect(rig.loop.mover.kind).toBe("off");
		}
		expect(rig.records[2]?.measured["servoMv"]).toBeGreaterThan(7_000);
		expect(rig.records[3]?.measured["offMs"]).toBeLessThanOrEqual(250);
	});
};

export const laterSteps = (where: Where): void => {
	/** It sits near its neutral angles and has narrow limits, so that the emulated board need not move for minutes. */
	const narrow = (): RobotPlan => {
		const made = robotPlan({ ...policyOf("fnk0052"), restReachMm: 123, heightsMm: { sit: 106, stand: 110 } });
		if (!made.ok) throw new Error(sayFault(made.fault));
		const plan = made.value;
		const around = { coxa: { min: -2, max: 2 }, femur: { min: -2, max: 2 }, tibia: { min: 88, max: 92 } };
		return { ...plan, walking: { ...plan.walking, jointDegrees: around } };
	};
	const open = (upTo: number, plan = where === "twin" ? planOf("fnk0052") : narrow()) => {
		const simulated = where === "twin";
		const firmware = simulated ? null : FIRMWARE;
		const found = rehearsedFile(plan, { simulated, firmware }, upTo);
		return where === "twin" ? RehearsalRig.onTwin(plan, found) : RehearsalRig.onBoard(plan, found);
	};
	const anglesNow = (rig: RehearsalRig) => (rig.loop.motion.kind === "bench" ? rig.loop.motion.bench.angles : []);

	test("HARM-146 step 5: one joint at a time, never faster than 10 degrees a second, three degrees each way and back", async () => {
		const rig = await open(4);
		let before = anglesNow(rig);
		let [fastest, most] = [0, 0];
		const moved = new Set<string>();
		const record = await rig.step(5, {
			each: () => {
				const now = anglesNow(rig);
				const changed = now.flatMap((angles, leg) =>
					JOINT_NAMES.map((joint) => ({ name: `${leg + 1} ${joint}`, by: Math.abs(angles[joint] - (before[leg]?.[joint] ?? angles[joint])) })).filter(
						({ by }) => by > 0,
					),
				);
				most = Math.max(most, changed.length);
				for (const { name, by } of changed) {
					moved.add(name);
					fastest = Math.max(fastest, by);
				}
				before = now;
			},
		});
		expect(record).toMatchObject({ step: 5, outcome: "passed", simulated: where === "twin" });
		expect(moved.size).toBe(18);
		expect(most).toBe(1);
		// A turn may be as late as 40 ms.
		expect(fastest).toBeLessThanOrEqual(0.4 + 1e-9);
		expect(rig.rehearsal.state().upTo).toBe(5);
	});

	test("HARM-147 step 6: trims are kept with the record, in the poses from then on, and void what was done with others", async () => {
		const rig = await open(9);
		const before = rig.loop.plan;
		const trims: Answer[] = [
			{ trim: { leg: 2, joint: "femur", degrees: 2.5 } },
			{ trim: { leg: 2, joint: "femur", degrees: 90 } },
			{ trim: { leg: 9, joint: "coxa", degrees: 1 } },
			{ trim: { leg: 5, joint: "coxa", degrees: -1.5 } },
			{ yes: true },
		];
		const record = await rig.step(6, { answers: () => trims.shift() });
		expect(record).toMatchObject({ step: 6, outcome: "passed", measured: { trimmedJoints: 2 } });
		expect(rig.kept.trimDegrees.map((degrees, at) => [at, degrees]).filter(([, degrees]) => degrees !== 0)).toEqual([
			[4, 2.5],
			[12, -1.5],
		]);
		expect(rig.loop.plan.legs[1]?.servos.femur.trimDegrees).toBe((before.legs[1]?.servos.femur.trimDegrees ?? 0) + 2.5);
		// Steps 7 to 9 were done with other trims.
		expect(rig.rehearsal.state().upTo).toBe(6);
		expect(rig.rehearsal.state().mayWalk).toBe(where === "twin");
	});

	test("HARM-146 step 7: each joint to both of its ends, inside its limits, one at a time", async () => {
		const plan = narrow();
		const rig = await open(6, plan);
		const sat = postureOf(plan, sitStance(plan));
		const sittingOf = (leg: number, joint: JointName): number => (sat.ok ? (sat.value.angles[leg]?.[joint] ?? 0) : 0);
		const [least, greatest] = [new Map<string, number>(), new Map<string, number>()];
		const record = await rig.step(7, {
			each: () => {
				for (const [leg, angles] of anglesNow(rig).entries())
					for (const joint of JOINT_NAMES) {
						const key = `${leg} ${joint}`;
						least.set(key, Math.min(least.get(key) ?? 999, angles[joint]));
						greatest.set(key, Math.max(greatest.get(key) ?? -999, angles[joint]));
					}
			},
		});
		expect(record).toMatchObject({ step: 7, outcome: "passed" });
		for (let leg = 0; leg < 6; leg++)
			for (const joint of JOINT_NAMES) {
				const { min, max } = plan.walking.jointDegrees[joint];
				expect([leg, joint, least.get(`${leg} ${joint}`)]).toEqual([leg, joint, Math.min(min, sittingOf(leg, joint))]);
				// It began where it sits.
				expect(greatest.get(`${leg} ${joint}`)).toBeCloseTo(Math.max(max, sittingOf(leg, joint)), 6);
			}
	});

	test("HARM-148 step 8: whoever holds it falls silent in mid-stride; it freezes within 45 ms of what was held, sits, and is off by itself", async () => {
		const rig = await open(7, planOf("fnk0052"));
		const record = await rig.step(8);
		expect(record).toMatchObject({ step: 8, outcome: "passed" });
		expect(record.measured["heldAfterMs"]).toBeLessThanOrEqual(45);
		expect(record.measured["pathAfterMm"]).toBeLessThanOrEqual(20);
		expect(record.measured["offAfterMs"]).toBeGreaterThan(5_000);
		expect(rig.kinds.slice(-4)).toEqual(["moving", "hold", "settling", "off"]);
	});

	test("HARM-145 steps 9 and 10: it walks and turns on the block, then walks on the floor; after 9 it may walk as one likes", async () => {
		const rig = await open(8, planOf("fnk0052"));
		expect(rig.rehearsal.state().mayWalk).toBe(where === "twin");
		expect(await rig.step(9)).toMatchObject({ step: 9, outcome: "passed", measured: { turnedDegrees: 10 } });
		expect(rig.rehearsal.state()).toMatchObject({ upTo: 9, mayWalk: true });
		const ten = await rig.step(10);
		expect(ten).toMatchObject({ step: 10, outcome: "passed" });
		expect(ten.measured["pathMm"]).toBeGreaterThanOrEqual(150);
		expect(rig.loop.mover.kind).toBe("off");
	});

	test("HARM-149 a key that is released in any step with power is a step that was broken off: it sits, and what came after is locked", async () => {
		for (const step of where === "twin" ? [2, 5, 6, 7, 9, 10] : [5]) {
			const rig = await open(step, planOf("fnk0052"));
			let poweredMs = 0;
			const record = await rig.step(step, {
				holds: () => poweredMs < 1_500,
				each: () => {
					if (rig.loop.motion.kind !== "unpowered") poweredMs += 20;
				},
			});
			expect([step, record.outcome]).toEqual([step, "aborted"]);
			// At once, and not only when nobody was heard for long.
			expect([step, rig.loop.mover.kind === "settling" || rig.loop.mover.kind === "off"]).toEqual([step, true]);
			for (let turn = 0; turn < 400 && rig.driver.status().kind !== "off"; turn++) await rig.turns(20);
			expect([step, rig.rehearsal.state().upTo]).toEqual([step, step - 1]);
			expect([step, rig.driver.status().kind]).toEqual([step, "off"]);
		}
	});
};

/** `rig`: with real legs, as far as it knows, and the first step passed. */
export const onlyNamedLegs = async (rig: RehearsalRig): Promise<void> => {
	await rig.step(2);
	expect(rig.watched.poses.length).toBeGreaterThan(40);
	expect(rig.watched.poses.every(({ pulsesUs }) => pulsesUs.every((pulseUs) => pulseUs === 0))).toBe(true);
	await rig.step(3);
	await rig.step(4);
	const legs = new Set(rig.watched.poses.flatMap(({ pulsesUs }) => pulsesUs.flatMap((pulseUs, at) => (pulseUs === 0 ? [] : [Math.floor(at / 3) + 1]))));
	expect([...legs]).toEqual([1]);
};
