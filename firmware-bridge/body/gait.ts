// Decides where every foot is at a phase of a gait: functions of phase and stride alone, so that a walk can be frozen or slowed anywhere.
import { fail } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";
import { type GaitName, type LegPlan, type RobotPlan, radians, type Vec } from "./plan.ts";
import { type BodyPose, postureOf, type Stance } from "./posture.ts";

/** How far a standing foot sweeps, seen from the body; the body goes the other way. Zero = marking time. */
export interface Stride {
	readonly xMm: number;
	readonly yMm: number;
	/** Positive turns the body counter-clockwise. */
	readonly turnDegrees: number;
}

export const NO_STRIDE: Stride = { xMm: 0, yMm: 0, turnDegrees: 0 };

/** Starts and ends without speed or acceleration, so that a foot is lifted before it is carried. */
const ease = (part: number): number => part * part * part * (10 + part * (6 * part - 15));

/** Where the leg is in its own cycle: `sweep` runs from 0.5 (landing) to -0.5 (lifting off) while standing, and back while raised. */
export const legAt = (plan: RobotPlan, gait: GaitName, leg: LegPlan, phase: number): { sweep: number; raisedMm: number; standing: boolean } => {
	const { dutyRatio, liftMm, offsets } = plan.gaits[gait];
	const own = (((phase + (offsets[leg.number - 1] ?? 0)) % 1) + 1) % 1;
	if (own < dutyRatio) return { sweep: 0.5 - own / dutyRatio, raisedMm: 0, standing: true };
	const swing = (own - dutyRatio) / (1 - dutyRatio);
	return { sweep: ease(swing) - 0.5, raisedMm: liftMm * Math.sin(Math.PI * swing) ** 2, standing: false };
};

const swept = (rest: Vec, stride: Stride, sweep: number, raisedMm: number): Vec => {
	const angle = radians(stride.turnDegrees) * sweep;
	const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
	return { x: cos * rest.x - sin * rest.y + stride.xMm * sweep, y: sin * rest.x + cos * rest.y + stride.yMm * sweep, z: raisedMm };
};

/** All feet that stand at one sweep move as one rigid sheet under the body: none is dragged. */
export const gaitStance = (plan: RobotPlan, gait: GaitName, phase: number, stride: Stride, body: BodyPose): Stance => {
	const legs = plan.legs.map((leg) => ({ rest: leg.rest, ...legAt(plan, gait, leg, phase) }));
	return {
		body,
		feet: legs.map(({ rest, sweep, raisedMm }) => swept(rest, stride, sweep, raisedMm)),
		standing: legs.map(({ standing }) => standing),
	};
};

const PHASES_JUDGED = 120;

/** Smallest margin of a whole cycle, or the first thing in it that forbids the walk. */
export const judgeGait = (plan: RobotPlan, gait: GaitName, stride: Stride, body: BodyPose): Result<{ readonly marginMm: number }> => {
	const lengthMm = Math.hypot(stride.xMm, stride.yMm);
	if (!(lengthMm <= plan.strideMaxMm)) return fail("BODY_LIMIT", { axis: "stride (mm)", found: Math.round(lengthMm), min: 0, max: plan.strideMaxMm });
	if (!(Math.abs(stride.turnDegrees) <= plan.turnMaxDegrees))
		return fail("BODY_LIMIT", { axis: "turn (degrees)", found: stride.turnDegrees, min: -plan.turnMaxDegrees, max: plan.turnMaxDegrees });
	let marginMm = Number.POSITIVE_INFINITY;
	for (let step = 0; step < PHASES_JUDGED; step++) {
		const found = postureOf(plan, gaitStance(plan, gait, step / PHASES_JUDGED, stride, body), plan.walking);
		if (!found.ok) return found;
		marginMm = Math.min(marginMm, found.value.marginMm);
	}
	return ok({ marginMm });
};
