// Decides whether a robot's policy file makes sense, and what it means: one leg after the other, in radians where it is calculated.
// It lives in firmware-bridge because whatever drives legs, real, virtual or drawn, needs it, and agents may import firmware-bridge but not the other way round.
import { fail } from "../../contracts/errors.ts";
import type { PolicyRobot } from "../../contracts/gen/types.ts";
import { ok, type Result } from "../../contracts/result.ts";

export interface Vec {
	readonly x: number;
	readonly y: number;
	readonly z: number;
}

export type JointName = "coxa" | "femur" | "tibia";
export const JOINT_NAMES: readonly JointName[] = ["coxa", "femur", "tibia"];
export const LEG_COUNT = 6;

interface Servo {
	readonly channel: number;
	readonly neutralDegrees: number;
	readonly direction: 1 | -1;
	readonly trimDegrees: number;
}

export interface LegPlan {
	/** 1 to 6. */
	readonly number: number;
	readonly name: string;
	/** Hip axis in the body's frame: x right, y forward, z up from the hips' plane. */
	readonly mount: Vec;
	readonly bearing: number;
	/** The next leg counter-clockwise. */
	readonly next: number;
	readonly servos: Readonly<Record<JointName, Servo>>;
	/** Where the foot rests, in the ground's frame below a body that stands straight. */
	readonly rest: Vec;
}

export type GaitName = keyof PolicyRobot["gaits"];

/** What a posture is judged by. */
export type Limits = Pick<PolicyRobot, "reachMm" | "jointDegrees" | "neighbourMinDegrees" | "marginMinMm">;

export interface RobotPlan extends Omit<PolicyRobot, "legs"> {
	readonly legs: readonly LegPlan[];
	/** Tighter than the robot's own: whoever walks or poses keeps a reserve, so that the way down to sitting never starts at an edge. */
	readonly walking: Limits;
}

export const radians = (degrees: number): number => (degrees * Math.PI) / 180;
export const degrees = (angle: number): number => (angle * 180) / Math.PI;

const RESERVE_DEGREES = 2;
const RESERVE_MM = 2;
/** On the way down to the belly the legs turn towards each other by more than joints move otherwise. */
const NEIGHBOUR_RESERVE_DEGREES = 4;

const inside = ({ min, max }: { readonly min: number; readonly max: number }, by: number) => ({ min: min + by, max: max - by });

const withReserve = ({ reachMm, jointDegrees, neighbourMinDegrees, marginMinMm }: PolicyRobot): Limits => ({
	reachMm: inside(reachMm, RESERVE_MM),
	jointDegrees: {
		coxa: inside(jointDegrees.coxa, RESERVE_DEGREES),
		femur: inside(jointDegrees.femur, RESERVE_DEGREES),
		tibia: inside(jointDegrees.tibia, RESERVE_DEGREES),
	},
	neighbourMinDegrees: neighbourMinDegrees + NEIGHBOUR_RESERVE_DEGREES,
	marginMinMm: marginMinMm + RESERVE_MM,
});

const sameLegs = (legs: readonly number[]): boolean => [...legs].sort().join() === "1,2,3,4,5,6";

/** What the schema cannot say; undefined when nothing is wrong. */
const contradiction = (robot: PolicyRobot): string | undefined => {
	const channels = robot.legs.flatMap((leg) => JOINT_NAMES.map((joint) => leg.servos[joint].channel));
	if (new Set(channels).size !== channels.length) return "two servos share a channel";
	if (!sameLegs(robot.powerGroups.flat())) return "powerGroups must name each leg once";
	for (const [at, leg] of robot.legs.entries()) {
		const [clockwise, counter] = leg.neighbours;
		if (robot.legs[(counter ?? 0) - 1]?.neighbours[0] !== at + 1 || robot.legs[(clockwise ?? 0) - 1]?.neighbours[1] !== at + 1)
			return `leg ${at + 1} and its neighbours do not agree`;
	}
	for (const name of JOINT_NAMES) if (robot.jointDegrees[name].min >= robot.jointDegrees[name].max) return `jointDegrees.${name} is empty`;
	if (robot.reachMm.min >= robot.reachMm.max) return "reachMm is empty";
	if (robot.heightsMm.sit >= robot.heightsMm.stand) return "heightsMm: it must sit lower than it stands";
	const battery = robot.batteryMv;
	if (!(battery.cut < battery.sit && battery.sit < battery.armMin && battery.armMin <= battery.warn)) return "batteryMv must rise: cut, sit, armMin, warn";
	const { lowerFeetMs, lowerBodyMs, waitMs, offGapMs, withinMs } = robot.sit;
	if (lowerFeetMs + lowerBodyMs + waitMs + 2 * offGapMs >= withinMs) return "sit: its parts take longer than withinMs";
	return undefined;
};

/** A checked policy file -> the plan of the robot, or ROBOT_INVALID with what contradicts what. */
export const robotPlan = (robot: PolicyRobot): Result<RobotPlan> => {
	const detail = contradiction(robot);
	if (detail !== undefined) return fail("ROBOT_INVALID", { model: robot.model, detail });
	const legs = robot.legs.map((leg, at): LegPlan => {
		const bearing = radians(leg.bearingDegrees);
		return {
			number: at + 1,
			name: leg.name,
			mount: { ...leg.mountMm, z: 0 },
			bearing,
			next: leg.neighbours[1] ?? 0,
			servos: leg.servos,
			rest: { x: leg.mountMm.x + robot.restReachMm * Math.cos(bearing), y: leg.mountMm.y + robot.restReachMm * Math.sin(bearing), z: 0 },
		};
	});
	return ok({ ...robot, legs, walking: withReserve(robot) });
};

/** The same robot with these degrees (in the line's order of joints) added to the trims that it has. */
export const withTrims = (plan: RobotPlan, trimDegrees: readonly number[]): RobotPlan => ({
	...plan,
	legs: plan.legs.map((leg, at) => {
		const trimmed = (joint: JointName): Servo => {
			const servo = leg.servos[joint];
			return { ...servo, trimDegrees: servo.trimDegrees + (trimDegrees[at * JOINT_NAMES.length + JOINT_NAMES.indexOf(joint)] ?? 0) };
		};
		return { ...leg, servos: { coxa: trimmed("coxa"), femur: trimmed("femur"), tibia: trimmed("tibia") } };
	}),
});
