// Decides the pulse that puts a joint at an angle on this robot, the angle that a pulse means, and what the vendor's calibration points say about trims.
import { fail } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";
import { PULSE_US_MAX, PULSE_US_MIN, type Pulses } from "../words.ts";
import { anglesFor, type LegAngles } from "./leg.ts";
import { JOINT_NAMES, type JointName, LEG_COUNT, type LegPlan, type RobotPlan } from "./plan.ts";

const SERVO_DEGREES = 180;
const US_PER_DEGREE = (PULSE_US_MAX - PULSE_US_MIN) / SERVO_DEGREES;

/** Angles of a joint that its servo can be told, between its two ends. */
export const reachableDegrees = (leg: LegPlan, joint: JointName): { readonly min: number; readonly max: number } => {
	const { neutralDegrees, direction, trimDegrees } = leg.servos[joint];
	const [one, other] = [-neutralDegrees * direction - trimDegrees, (SERVO_DEGREES - neutralDegrees) * direction - trimDegrees];
	return { min: Math.min(one, other), max: Math.max(one, other) };
};

/** Angles of all legs -> pulses in the line's order; 0 for a leg without power. A servo that would have to pass its end refuses the whole pose. */
export const pulsesFor = (plan: RobotPlan, angles: readonly LegAngles[], powered: readonly boolean[]): Result<Pulses> => {
	const pulses: number[] = [];
	for (const leg of plan.legs) {
		for (const joint of JOINT_NAMES) {
			const { neutralDegrees, direction, trimDegrees } = leg.servos[joint];
			const servoDegrees = neutralDegrees + direction * ((angles[leg.number - 1]?.[joint] ?? Number.NaN) + trimDegrees);
			if (!(servoDegrees >= 0 && servoDegrees <= SERVO_DEGREES))
				return fail("JOINT_LIMIT", { leg: leg.number, joint: `${joint} servo`, degrees: Math.round(servoDegrees), minDegrees: 0, maxDegrees: SERVO_DEGREES });
			pulses.push(powered[leg.number - 1] === true ? Math.round(PULSE_US_MIN + servoDegrees * US_PER_DEGREE) : 0);
		}
	}
	return ok(pulses);
};

/** Pulses -> angles; undefined for a leg that gets none. */
export const anglesOf = (plan: RobotPlan, pulsesUs: Pulses): readonly (LegAngles | undefined)[] =>
	plan.legs.map((leg, at) => {
		const own = pulsesUs.slice(3 * at, 3 * at + 3);
		if (own.length < 3 || own.includes(0)) return undefined;
		const angle = (joint: JointName, index: number): number => {
			const { neutralDegrees, direction, trimDegrees } = leg.servos[joint];
			return (((own[index] ?? 0) - PULSE_US_MIN) / US_PER_DEGREE - neutralDegrees) * direction - trimDegrees;
		};
		return { coxa: angle("coxa", 0), femur: angle("femur", 1), tibia: angle("tibia", 2) };
	});

/** Where the vendor's calibration puts every foot, in its leg's frame. */
const REFERENCE_MM = { x: 140, y: 0, z: 0 };

/** The text of the vendor's point.txt (six lines: x y z in whole mm, tabs between) -> trims, leg 1 to 6. */
export const trimsFromPoints = (plan: RobotPlan, text: string): Result<readonly LegAngles[]> => {
	const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
	if (lines.length !== LEG_COUNT) return fail("POINTS_INVALID", { line: Math.min(lines.length, LEG_COUNT) + 1, detail: `${lines.length} lines` });
	const trims: LegAngles[] = [];
	for (const [at, leg] of plan.legs.entries()) {
		const numbers = /^\s*(-?\d{1,4})\s+(-?\d{1,4})\s+(-?\d{1,4})\s*$/.exec(lines[at] ?? "");
		if (numbers === null) return fail("POINTS_INVALID", { line: at + 1, detail: "not three whole numbers" });
		const [x, y, z] = numbers.slice(1).map(Number);
		const [found, reference] = [anglesFor(plan, leg, { x: x ?? 0, y: y ?? 0, z: z ?? 0 }), anglesFor(plan, leg, REFERENCE_MM)];
		if (!found.ok) return fail("POINTS_INVALID", { line: at + 1, detail: `leg ${leg.number} cannot stand there` });
		if (!reference.ok) return reference;
		const trim = (joint: JointName): number => found.value[joint] - reference.value[joint];
		trims.push({ coxa: trim("coxa"), femur: trim("femur"), tibia: trim("tibia") });
	}
	return ok(trims);
};
