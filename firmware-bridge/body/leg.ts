// Decides the three joint angles that put a foot at a point of its leg's frame, or why none do; and the point that angles give.
import { type Fault, fail, fault } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";
import { degrees, JOINT_NAMES, type LegPlan, type Limits, type RobotPlan, radians, type Vec } from "./plan.ts";

/** Degrees. Coxa: 0 straight out, positive counter-clockwise from above. Femur: 0 level, positive up. Tibia: 0 straight, positive bends down. */
export interface LegAngles {
	readonly coxa: number;
	readonly femur: number;
	readonly tibia: number;
}

/** Leg's frame: x straight out from the hip axis, y counter-clockwise, z up. */
export const footAt = (plan: RobotPlan, angles: LegAngles): Vec => {
	const { coxa, femur, tibia } = plan.linksMm;
	const lift = radians(angles.femur);
	const shin = radians(angles.femur - angles.tibia);
	const out = coxa + femur * Math.cos(lift) + tibia * Math.cos(shin);
	const heading = radians(angles.coxa);
	return { x: out * Math.cos(heading), y: out * Math.sin(heading), z: femur * Math.sin(lift) + tibia * Math.sin(shin) };
};

const limitBroken = (limits: Limits, leg: LegPlan, angles: LegAngles): Fault | undefined => {
	for (const joint of JOINT_NAMES) {
		const { min, max } = limits.jointDegrees[joint];
		const found = angles[joint];
		if (!(found >= min && found <= max))
			return fault("JOINT_LIMIT", { leg: leg.number, joint, degrees: Math.round(found * 10) / 10, minDegrees: min, maxDegrees: max });
	}
	return undefined;
};

/** Closed form. Refuses what is out of reach or past a joint's limit, with the reason. */
export const anglesFor = (plan: RobotPlan, leg: LegPlan, foot: Vec, limits: Limits = plan): Result<LegAngles> => {
	const { coxa, femur, tibia } = plan.linksMm;
	const distance = Math.hypot(foot.x, foot.y, foot.z);
	const { min, max } = limits.reachMm;
	if (!(distance >= min && distance <= max))
		return fail("OUT_OF_REACH", { leg: leg.number, detail: `${Math.round(distance)} mm from the hip; ${min} to ${max} mm are allowed` });
	const out = Math.hypot(foot.x, foot.y) - coxa;
	const span = Math.hypot(out, foot.z);
	if (!(span <= femur + tibia && span >= Math.abs(femur - tibia) && span > 0))
		return fail("OUT_OF_REACH", {
			leg: leg.number,
			detail: `${Math.round(span)} mm from the femur axis; thigh and shin give ${Math.abs(femur - tibia)} to ${femur + tibia} mm`,
		});
	const rise = Math.acos((femur * femur + span * span - tibia * tibia) / (2 * femur * span));
	const knee = Math.acos((femur * femur + tibia * tibia - span * span) / (2 * femur * tibia));
	const angles = {
		coxa: degrees(Math.atan2(foot.y, foot.x)),
		femur: degrees(Math.atan2(foot.z, out) + rise),
		tibia: 180 - degrees(knee),
	};
	const broken = limitBroken(limits, leg, angles);
	return broken === undefined ? ok(angles) : { ok: false, fault: broken };
};
