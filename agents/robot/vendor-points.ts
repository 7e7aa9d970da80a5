// Decides which trims the vendor's calibration file asks for, beyond those that the robot has already.
import { fail } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";
import type { JointAim } from "../../firmware-bridge/body/bench.ts";
import { JOINT_NAMES, type RobotPlan } from "../../firmware-bridge/body/plan.ts";
import { trimsFromPoints } from "../../firmware-bridge/body/servos.ts";
import { TRIM_DEGREES_MAX } from "./rehearsal-scripts.ts";

/** Finer than any hobby servo. */
const STEP_DEGREES = 0.1;

/** `plan`: with every trim that is set now. Faults: POINTS_INVALID. */
export const trimsAsked = (plan: RobotPlan, text: string): Result<readonly JointAim[]> => {
	const wanted = trimsFromPoints(plan, text);
	if (!wanted.ok) return wanted;
	const trims: JointAim[] = [];
	for (const [at, leg] of plan.legs.entries()) {
		for (const joint of JOINT_NAMES) {
			const beyond = (wanted.value[at]?.[joint] ?? 0) - leg.servos[joint].trimDegrees;
			const degrees = Math.round(beyond / STEP_DEGREES) * STEP_DEGREES;
			if (Math.abs(degrees) > TRIM_DEGREES_MAX)
				return fail("POINTS_INVALID", {
					line: leg.number,
					detail: `${joint} would be trimmed by ${Math.round(degrees)} degrees, more than ${TRIM_DEGREES_MAX}`,
				});
			if (degrees !== 0) trims.push({ leg: leg.number, joint, degrees });
		}
	}
	return ok(trims);
};
