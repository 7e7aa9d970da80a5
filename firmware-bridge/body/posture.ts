// Decides the joint angles that hold a body over six feet, and whether that is reachable, inside every limit, and stable.
import { fail } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";
import { anglesFor, footAt, type LegAngles } from "./leg.ts";
import { degrees, type LegPlan, type Limits, type RobotPlan, radians, type Vec } from "./plan.ts";
import { marginInside, shadowOf } from "./stability.ts";

/** The body against the floor: offsets and turns from standing straight; height of the hip axes above the floor. */
export interface BodyPose {
	readonly xMm: number;
	readonly yMm: number;
	readonly heightMm: number;
	readonly rollDegrees: number;
	readonly pitchDegrees: number;
	readonly yawDegrees: number;
}

/** Ground's frame; z is how far the foot is raised. `standing` says which feet carry. */
export interface Stance {
	readonly body: BodyPose;
	readonly feet: readonly Vec[];
	readonly standing: readonly boolean[];
}

export interface Posture {
	readonly stance: Stance;
	/** Leg 1 to 6. */
	readonly angles: readonly LegAngles[];
	readonly marginMm: number;
}

const DOWN: Vec = { x: 0, y: 0, z: -1 };

type Rows = readonly [Vec, Vec, Vec];

/** Body to ground: roll about forward (y), then pitch about right (x), then yaw about up (z). */
const turnOf = (body: BodyPose): Rows => {
	const [cr, sr] = [Math.cos(radians(body.rollDegrees)), Math.sin(radians(body.rollDegrees))];
	const [cp, sp] = [Math.cos(radians(body.pitchDegrees)), Math.sin(radians(body.pitchDegrees))];
	const [cy, sy] = [Math.cos(radians(body.yawDegrees)), Math.sin(radians(body.yawDegrees))];
	return [
		{ x: cy * cr - sy * sp * sr, y: -sy * cp, z: cy * sr + sy * sp * cr },
		{ x: sy * cr + cy * sp * sr, y: cy * cp, z: sy * sr - cy * sp * cr },
		{ x: -cp * sr, y: sp, z: cp * cr },
	];
};

const toGround = (body: BodyPose, rows: Rows, point: Vec): Vec => {
	const [x, y, z] = rows.map((row) => row.x * point.x + row.y * point.y + row.z * point.z);
	return { x: (x ?? 0) + body.xMm, y: (y ?? 0) + body.yMm, z: (z ?? 0) + body.heightMm };
};

/** Ground -> body is the transposed turn. */
const toBody = (body: BodyPose, [a, b, c]: Rows, point: Vec): Vec => {
	const from = { x: point.x - body.xMm, y: point.y - body.yMm, z: point.z - body.heightMm };
	return { x: a.x * from.x + b.x * from.y + c.x * from.z, y: a.y * from.x + b.y * from.y + c.y * from.z, z: a.z * from.x + b.z * from.y + c.z * from.z };
};

const toLeg = (leg: LegPlan, point: Vec): Vec => {
	const [cos, sin] = [Math.cos(leg.bearing), Math.sin(leg.bearing)];
	const [x, y] = [point.x - leg.mount.x, point.y - leg.mount.y];
	return { x: cos * x + sin * y, y: cos * y - sin * x, z: point.z - leg.mount.z };
};

/** Where angles put a leg's foot, in the body's frame. */
export const footInBody = (plan: RobotPlan, leg: LegPlan, angles: LegAngles): Vec => {
	const foot = footAt(plan, angles);
	const [cos, sin] = [Math.cos(leg.bearing), Math.sin(leg.bearing)];
	return { x: leg.mount.x + cos * foot.x - sin * foot.y, y: leg.mount.y + sin * foot.x + cos * foot.y, z: leg.mount.z + foot.z };
};

/** Neighbouring legs turned towards each other. */
const collision = (plan: RobotPlan, limits: Limits, angles: readonly LegAngles[]): Result<undefined> => {
	for (const [at, leg] of plan.legs.entries()) {
		const other = plan.legs[leg.next - 1];
		const [here, there] = [angles[at], angles[leg.next - 1]];
		if (other === undefined || here === undefined || there === undefined) continue;
		const between = (degrees(other.bearing - leg.bearing) + 360) % 360;
		const apart = between + there.coxa - here.coxa;
		if (apart < limits.neighbourMinDegrees)
			return fail("LEGS_COLLIDE", { leg: leg.number, other: other.number, degrees: Math.round(apart), minDegrees: limits.neighbourMinDegrees });
	}
	return ok(undefined);
};

/** Stance -> posture, or the first thing that forbids it. `down` is where gravity points in the ground's frame. */
export const postureOf = (plan: RobotPlan, stance: Stance, limits: Limits = plan, down: Vec = DOWN): Result<Posture> => {
	const rows = turnOf(stance.body);
	const angles: LegAngles[] = [];
	for (const leg of plan.legs) {
		const foot = stance.feet[leg.number - 1];
		if (foot === undefined) return fail("OUT_OF_REACH", { leg: leg.number, detail: "the stance has no such foot" });
		const found = anglesFor(plan, leg, toLeg(leg, toBody(stance.body, rows, foot)), limits);
		if (!found.ok) return found;
		angles.push(found.value);
	}
	const clear = collision(plan, limits, angles);
	if (!clear.ok) return clear;
	const centre = shadowOf(toGround(stance.body, rows, plan.centreOfMassMm), down);
	const marginMm = marginInside(
		stance.feet.filter((_, at) => stance.standing[at]),
		centre,
	);
	return marginMm >= limits.marginMinMm ? ok({ stance, angles, marginMm }) : fail("UNSTABLE", { marginMm: Math.round(marginMm), minMm: limits.marginMinMm });
};

export const straight = (plan: RobotPlan): BodyPose => ({ xMm: 0, yMm: 0, heightMm: plan.heightsMm.stand, rollDegrees: 0, pitchDegrees: 0, yawDegrees: 0 });

const ALL_STAND: readonly boolean[] = [true, true, true, true, true, true];
const onRest = (plan: RobotPlan, body: BodyPose): Stance => ({ body, feet: plan.legs.map((leg) => leg.rest), standing: ALL_STAND });

export const standStance = (plan: RobotPlan): Stance => onRest(plan, straight(plan));
/** On the belly, feet where they stand: the only pose from which it gets up. */
export const sitStance = (plan: RobotPlan): Stance => onRest(plan, { ...straight(plan), heightMm: plan.heightsMm.sit });

/** Is this a body pose that a person may ask for? */
export const checkBody = (plan: RobotPlan, body: BodyPose): Result<BodyPose> => {
	const middle = straight(plan);
	for (const axis of ["xMm", "yMm", "heightMm", "rollDegrees", "pitchDegrees", "yawDegrees"] as const) {
		const [min, max] = [middle[axis] - plan.bodyLimits[axis], middle[axis] + plan.bodyLimits[axis]];
		if (!(body[axis] >= min && body[axis] <= max)) return fail("BODY_LIMIT", { axis, found: body[axis], min, max });
	}
	return ok(body);
};
