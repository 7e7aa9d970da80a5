// Decides what a robot that is only calculated does with its pulses: joints that need time, legs that go limp, feet that carry, a body that is pushed along, a battery that sags.
import type { BoardSensors, Pulses } from "../words.ts";
import { footingOf } from "./footing.ts";
import type { LegAngles } from "./leg.ts";
import { JOINT_NAMES, type JointName, type RobotPlan, radians, type Vec } from "./plan.ts";
import { footInBody, postureOf, sitStance } from "./posture.ts";
import { anglesOf } from "./servos.ts";

/** What is done to it on purpose. */
export interface TwinFaults {
	/** Its body lies on a block: no foot reaches the floor. */
	readonly isPropped: boolean;
	/** Joints that do not follow any more. */
	readonly stuck: readonly { readonly leg: number; readonly joint: JointName }[];
	/** Without load. */
	readonly batteryMv: number;
	/** Of the other pack. */
	readonly boardMv: number;
	/** Pushed over by this much. */
	readonly tiltDegrees: number;
	readonly rangeMm: number | undefined;
}

export interface Twin {
	readonly angles: readonly LegAngles[];
	/** Legs that get pulses. */
	readonly holding: readonly boolean[];
	readonly contact: readonly boolean[];
	readonly xMm: number;
	readonly yMm: number;
	readonly headingDegrees: number;
	readonly heightMm: number;
	/** Unit vector out of the floor, in the body's frame. */
	readonly up: Vec;
	/** Of the centre of mass inside the feet that carry; undefined on its belly. */
	readonly marginMm: number | undefined;
	readonly hasFallen: boolean;
	readonly drainedMv: number;
	readonly sagMv: number;
}

export const SOUND: TwinFaults = { isPropped: false, stuck: [], batteryMv: 8_100, boardMv: 7_900, tiltDegrees: 0, rangeMm: 800 };

const SERVO_DEGREES_PER_SECOND = 353;
const CONTACT_MM = 2;
const FALLEN_DEGREES = 60;
const GRAVITY_MG = 1_000;
/** Six legs that hold, and eighteen joints that move, at 8 V. */
const HOLD_SAG_MV = 150;
const MOVE_SAG_MV = 450;
const DRAIN_MV_PER_SECOND = 0.2;

const LEVEL: Vec = { x: 0, y: 0, z: 1 };
const NONE: readonly boolean[] = [false, false, false, false, false, false];

export const sittingTwin = (plan: RobotPlan): Twin => {
	const sit = postureOf(plan, sitStance(plan));
	const folded: LegAngles = { coxa: 0, femur: 60, tibia: 120 };
	return {
		angles: sit.ok ? sit.value.angles : plan.legs.map(() => folded),
		holding: NONE,
		contact: NONE,
		xMm: 0,
		yMm: 0,
		headingDegrees: 0,
		heightMm: plan.heightsMm.sit,
		up: LEVEL,
		marginMm: undefined,
		hasFallen: false,
		drainedMv: 0,
		sagMv: 0,
	};
};

const towards = (from: number, to: number, by: number): number => from + Math.max(-by, Math.min(by, to - from));

const follow = (before: LegAngles, target: LegAngles, byDegrees: number, stuck: readonly JointName[]): LegAngles => {
	const joint = (name: JointName): number => (stuck.includes(name) ? before[name] : towards(before[name], target[name], byDegrees));
	return { coxa: joint("coxa"), femur: joint("femur"), tibia: joint("tibia") };
};

/** How feet that carry moved against the body: the body moved the other way. */
const pushed = (before: readonly Vec[], after: readonly Vec[]): { readonly xMm: number; readonly yMm: number; readonly turn: number } => {
	const count = before.length;
	if (count === 0) return { xMm: 0, yMm: 0, turn: 0 };
	const mean = (spots: readonly Vec[], axis: "x" | "y"): number => spots.reduce((sum, spot) => sum + spot[axis], 0) / count;
	const [bx, by, ax, ay] = [mean(before, "x"), mean(before, "y"), mean(after, "x"), mean(after, "y")];
	let [across, along] = [0, 0];
	for (const [at, from] of before.entries()) {
		const to = after[at] ?? from;
		across += (from.x - bx) * (to.y - ay) - (from.y - by) * (to.x - ax);
		along += (from.x - bx) * (to.x - ax) + (from.y - by) * (to.y - ay);
	}
	const turn = along === 0 && across === 0 ? 0 : Math.atan2(across, along);
	// The part of the shift that comes from turning about a centre that is not the body's own.
	return { xMm: bx - (Math.cos(turn) * ax + Math.sin(turn) * ay), yMm: by - (Math.cos(turn) * ay - Math.sin(turn) * ax), turn: -turn };
};

/** Feet on the floor carry; on its belly none does. */
const standOn = (plan: RobotPlan, feet: readonly Vec[], holding: readonly boolean[]): Pick<Twin, "contact" | "heightMm" | "up" | "marginMm"> => {
	const footing = footingOf(feet, holding, plan.centreOfMassMm, CONTACT_MM);
	if (footing === undefined || footing.heightMm <= plan.heightsMm.sit + CONTACT_MM)
		return { contact: NONE, heightMm: plan.heightsMm.sit, up: LEVEL, marginMm: undefined };
	return footing;
};

/** On its block no foot carries, and nothing can tip. */
const propped = ({ heightMm }: Twin): Pick<Twin, "contact" | "heightMm" | "up" | "marginMm"> => ({ contact: NONE, heightMm, up: LEVEL, marginMm: undefined });

export const advanceTwin = (plan: RobotPlan, twin: Twin, pulsesUs: Pulses, elapsedMs: number, faults: TwinFaults): Twin => {
	const targets = anglesOf(plan, pulsesUs);
	const holding = targets.map((target) => target !== undefined);
	const byDegrees = (SERVO_DEGREES_PER_SECOND * elapsedMs) / 1_000;
	const angles = twin.angles.map((before, leg) => {
		const target = targets[leg];
		const stuck = faults.stuck.filter((one) => one.leg === leg + 1).map(({ joint }) => joint);
		return target === undefined ? before : follow(before, target, byDegrees, stuck);
	});
	const feetOf = (all: readonly LegAngles[]): readonly Vec[] => plan.legs.map((leg, at) => footInBody(plan, leg, all[at] ?? { coxa: 0, femur: 0, tibia: 0 }));
	const [before, feet] = [feetOf(twin.angles), feetOf(angles)];
	const { contact, heightMm, up, marginMm } = faults.isPropped ? propped(twin) : standOn(plan, feet, holding);
	const carried = contact.map((carries, leg) => carries && twin.contact[leg] === true);
	const push = pushed(
		before.filter((_, leg) => carried[leg]),
		feet.filter((_, leg) => carried[leg]),
	);
	const heading = radians(twin.headingDegrees);
	const moved = angles.reduce(
		(sum, now, leg) => sum + JOINT_NAMES.reduce((most, joint) => most + Math.abs(now[joint] - (twin.angles[leg]?.[joint] ?? 0)), 0),
		0,
	);
	const load = elapsedMs === 0 ? 0 : moved / (18 * byDegrees);
	const held = holding.filter((holds) => holds).length / plan.legs.length;
	return {
		angles,
		holding,
		contact,
		xMm: twin.xMm + push.xMm * Math.cos(heading) - push.yMm * Math.sin(heading),
		yMm: twin.yMm + push.xMm * Math.sin(heading) + push.yMm * Math.cos(heading),
		headingDegrees: twin.headingDegrees + (push.turn * 180) / Math.PI,
		heightMm,
		up,
		marginMm,
		hasFallen: twin.hasFallen || (marginMm !== undefined && marginMm < 0),
		drainedMv: twin.drainedMv + (DRAIN_MV_PER_SECOND * held * elapsedMs) / 1_000,
		sagMv: HOLD_SAG_MV * held + MOVE_SAG_MV * Math.min(1, load),
	};
};

/** As it stands, and tipped to the right by so much more. */
const gravityOf = ({ x, y, z }: Vec, tilt: number): [number, number, number] => {
	const [cos, sin] = [Math.cos(tilt), Math.sin(tilt)];
	return [Math.round(GRAVITY_MG * (cos * x + sin * z)), Math.round(GRAVITY_MG * y), Math.round(GRAVITY_MG * (cos * z - sin * x))];
};

/** What its sensors would say. */
export const senseTwin = (twin: Twin, faults: TwinFaults): Omit<BoardSensors, "kind" | "seq"> => {
	const tilt = radians(twin.hasFallen ? FALLEN_DEGREES : faults.tiltDegrees);
	return {
		servoMv: Math.round(faults.batteryMv - twin.drainedMv - twin.sagMv),
		boardMv: faults.boardMv,
		accelMg: gravityOf(twin.up, tilt),
		gyroDeciDps: [0, 0, 0],
		...(faults.rangeMm === undefined ? {} : { rangeMm: faults.rangeMm }),
	};
};
