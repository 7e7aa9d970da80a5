// Shows that on the block nothing is sent past a limit, into a neighbour, to a leg without power or before its power is on, and that only one joint moves (HARM-146).
import { describe, expect, test } from "vitest";
import { aimBench, type Bench, beginBench, benchOn, isBenchReady, type JointAim, releaseBench, thereAndBack } from "../../firmware-bridge/body/bench.ts";
import { JOINT_NAMES } from "../../firmware-bridge/body/plan.ts";
import { MODELS, planOf, policyOf } from "./plans.ts";

const ALL = [1, 2, 3, 4, 5, 6];

describe.each(MODELS)("on the block: %s", (model) => {
	const plan = planOf(model);
	const begun = (legs: readonly number[]): Bench => {
		const bench = beginBench(plan, legs);
		if (!bench.ok) throw new Error(JSON.stringify(bench.fault));
		return bench.value;
	};
	const ready = (): Bench => {
		let bench = begun(ALL);
		while (!isBenchReady(plan, bench)) bench = benchOn(plan, bench, 20);
		return bench;
	};

	test("each joint to just inside its limits is taken, just outside is refused, and all that came with it", () => {
		const bench = ready();
		for (const leg of ALL)
			for (const joint of ["femur", "tibia"] as const) {
				const { min, max } = plan.jointDegrees[joint];
				const servo = policyOf(model).legs[leg - 1]?.servos[joint];
				const ends = [0, 180].map((degrees) => (degrees - (servo?.neutralDegrees ?? 0)) * (servo?.direction ?? 1)).sort((a, b) => a - b);
				const [low, high] = [Math.max(min, ends[0] ?? min), Math.min(max, ends[1] ?? max)];
				for (const [degrees, isTaken] of [
					[low, true],
					[high, true],
					[low - 0.1, false],
					[high + 0.1, false],
					[Number.NaN, false],
				] as const) {
					const good: JointAim = { leg, joint: "coxa", degrees: 0 };
					const aimed = aimBench(plan, bench, [good, { leg, joint, degrees }]);
					expect([leg, joint, degrees, aimed.ok]).toEqual([leg, joint, degrees, isTaken]);
				}
			}
	});

	test("hips that would meet are refused, also when the neighbour will only be there by then", () => {
		const bench = ready();
		for (const leg of plan.legs) {
			const other = plan.legs[leg.next - 1];
			if (other === undefined) throw new Error("no neighbour");
			const apart = ((((other.bearing - leg.bearing) * 180) / Math.PI + 360) % 360) - plan.neighbourMinDegrees;
			const half = apart / 2;
			const inLimits = Math.min(half + 1, plan.jointDegrees.coxa.max);
			const meeting: readonly JointAim[] = [
				{ leg: other.number, joint: "coxa", degrees: -inLimits },
				{ leg: leg.number, joint: "coxa", degrees: inLimits },
			];
			expect([leg.number, aimBench(plan, bench, meeting).ok]).toEqual([leg.number, 2 * inLimits <= apart]);
			expect(aimBench(plan, bench, meeting.slice(0, 1)).ok).toBe(true);
		}
	});

	test("a leg without power is aimed at by nobody; no joint moves before all groups have power; released, nothing ever has it again", () => {
		expect(aimBench(plan, begun([1]), [{ leg: 2, joint: "coxa", degrees: 0 }]).ok).toBe(false);
		const aims = thereAndBack(plan, ready().angles, 3);
		const aimed = aimBench(plan, begun(ALL), aims);
		if (!aimed.ok) throw new Error(JSON.stringify(aimed.fault));
		let bench = aimed.value;
		const powered = new Set<string>();
		while (!isBenchReady(plan, bench)) {
			const before = bench;
			bench = benchOn(plan, bench, 20);
			if (!isBenchReady(plan, before)) expect(bench.angles).toEqual(before.angles);
			powered.add(bench.powered.map(Number).join(""));
		}
		expect(powered.size).toBe(3);
		const gone = benchOn(plan, releaseBench(bench), 5_000);
		expect([gone.powered.includes(true), gone.aims, isBenchReady(plan, gone)]).toEqual([false, [], false]);
	});

	test("there and back: one joint at a time, and it ends where it began", () => {
		const from = ready();
		const aimed = aimBench(plan, from, thereAndBack(plan, from.angles, 3));
		if (!aimed.ok) throw new Error(JSON.stringify(aimed.fault));
		let bench = aimed.value;
		let turns = 0;
		while (bench.aims.length > 0) {
			const before = bench.angles;
			bench = benchOn(plan, bench, 20);
			const moved = bench.angles
				.flatMap((angles, leg) => JOINT_NAMES.map((joint) => Math.abs(angles[joint] - (before[leg]?.[joint] ?? Number.NaN))))
				.filter((by) => by > 0);
			expect(moved.length).toBeLessThanOrEqual(1);
			expect(Math.max(0, ...moved)).toBeLessThanOrEqual(0.2 + 1e-9);
			turns += 1;
			if (turns > 5_000) throw new Error("it never ends");
		}
		expect(bench.angles).toEqual(from.angles);
	});
});
