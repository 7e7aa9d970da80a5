// Decides the joints of a robot that lies on a block: chosen legs get power one group after the other, and then one joint at a time moves, slowly.
import { fail } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";
import type { LegAngles } from "./leg.ts";
import { degrees, JOINT_NAMES, type JointName, type LegPlan, type Limits, type RobotPlan } from "./plan.ts";
import { postureOf, sitStance } from "./posture.ts";
import { reachableDegrees } from "./servos.ts";

const BENCH_DEGREES_PER_SECOND = 10;

/** A joint and where it shall be. */
export interface JointAim {
	/** 1 to 6. */
	readonly leg: number;
	readonly joint: JointName;
	readonly degrees: number;
}

export interface Bench {
	/** Legs (1 to 6) that get power; none of the others gets a pulse, ever. */
	readonly legs: readonly number[];
	readonly sinceMs: number;
	readonly powered: readonly boolean[];
	readonly angles: readonly LegAngles[];
	/** One after the other: only the first moves. */
	readonly aims: readonly JointAim[];
	readonly isReleased: boolean;
}

const NOBODY: readonly boolean[] = [false, false, false, false, false, false];

/** The first pose is that of sitting, as for every arming. */
export const beginBench = (plan: RobotPlan, legs: readonly number[]): Result<Bench> => {
	const sitting = postureOf(plan, sitStance(plan));
	return sitting.ok ? ok({ legs, sinceMs: 0, powered: NOBODY, angles: sitting.value.angles, aims: [], isReleased: false }) : sitting;
};

export const isBenchReady = (plan: RobotPlan, { sinceMs, isReleased }: Bench): boolean => !isReleased && sinceMs >= plan.powerGroups.length * plan.powerGapMs;

/** Outputs of all legs end; nothing brings them back but a new arming. */
export const releaseBench = (bench: Bench): Bench => ({ ...bench, powered: NOBODY, aims: [], isReleased: true });

const angleOf = (angles: readonly LegAngles[], leg: number, joint: JointName): number => angles[leg - 1]?.[joint] ?? Number.NaN;

/** How far a hip may turn before the leg comes too near to a neighbour that stands where it stands now. */
const hipRange = (plan: RobotPlan, limits: Limits, angles: readonly LegAngles[], leg: LegPlan): { readonly min: number; readonly max: number } => {
	const gap = (from: LegPlan, to: LegPlan): number => (degrees(to.bearing - from.bearing) + 360) % 360;
	let { min, max } = limits.jointDegrees.coxa;
	for (const other of plan.legs) {
		const there = angleOf(angles, other.number, "coxa");
		if (leg.next === other.number) max = Math.min(max, gap(leg, other) + there - limits.neighbourMinDegrees);
		if (other.next === leg.number) min = Math.max(min, there + limits.neighbourMinDegrees - gap(other, leg));
	}
	return { min, max };
};

/** Degrees that a joint may be sent to: its limits, its neighbours as they stand, and what its servo can turn. */
const benchRange = (
	plan: RobotPlan,
	limits: Limits,
	angles: readonly LegAngles[],
	leg: LegPlan,
	joint: JointName,
): { readonly min: number; readonly max: number } => {
	const range = joint === "coxa" ? hipRange(plan, limits, angles, leg) : limits.jointDegrees[joint];
	const servo = reachableDegrees(leg, joint);
	return { min: Math.max(range.min, servo.min), max: Math.min(range.max, servo.max) };
};

/** Each aim is judged with the others where they will be by then. Faults: JOINT_LIMIT; nothing is aimed at then. */
export const aimBench = (plan: RobotPlan, bench: Bench, aims: readonly JointAim[]): Result<Bench> => {
	let angles = bench.angles;
	for (const { leg: number, joint, degrees: to } of aims) {
		const leg = plan.legs[number - 1];
		if (leg === undefined || !bench.legs.includes(number)) return fail("JOINT_LIMIT", { leg: number, joint, degrees: to, minDegrees: 0, maxDegrees: 0 });
		const { min, max } = benchRange(plan, plan, angles, leg, joint);
		if (!(to >= min && to <= max))
			return fail("JOINT_LIMIT", { leg: number, joint, degrees: Math.round(to), minDegrees: Math.round(min), maxDegrees: Math.round(max) });
		angles = angles.map((before, at) => (at === number - 1 ? { ...before, [joint]: to } : before));
	}
	return ok({ ...bench, aims });
};

const towards = (from: number, to: number, by: number): number => from + Math.max(-by, Math.min(by, to - from));

/** One turn. Time that is left over in it when an aim is reached is not given to the next. */
export const benchOn = (plan: RobotPlan, bench: Bench, elapsedMs: number): Bench => {
	if (bench.isReleased) return bench;
	const sinceMs = bench.sinceMs + elapsedMs;
	const groups = plan.powerGroups.slice(0, 1 + Math.floor(sinceMs / plan.powerGapMs)).flat();
	const powered = plan.legs.map(({ number }) => groups.includes(number) && bench.legs.includes(number));
	const [aim, ...others] = bench.aims;
	if (aim === undefined || !isBenchReady(plan, bench)) return { ...bench, sinceMs, powered };
	const by = (BENCH_DEGREES_PER_SECOND * elapsedMs) / 1_000;
	const angles = bench.angles.map((before, at) => (at === aim.leg - 1 ? { ...before, [aim.joint]: towards(before[aim.joint], aim.degrees, by) } : before));
	return { ...bench, sinceMs, powered, angles, aims: angleOf(angles, aim.leg, aim.joint) === aim.degrees ? others : bench.aims };
};

/** Each joint of each leg, from where it is: this far one way, this far the other way, and back; never past the limits that keep a reserve. */
export const thereAndBack = (plan: RobotPlan, angles: readonly LegAngles[], reachDegrees: number): readonly JointAim[] =>
	plan.legs.flatMap((leg) =>
		JOINT_NAMES.flatMap((joint) => {
			const from = angleOf(angles, leg.number, joint);
			const { min, max } = benchRange(plan, plan.walking, angles, leg, joint);
			const aim = (degreesTo: number): JointAim => ({ leg: leg.number, joint, degrees: degreesTo });
			return [aim(Math.max(from, Math.min(max, from + reachDegrees))), aim(Math.min(from, Math.max(min, from - reachDegrees))), aim(from)];
		}),
	);
