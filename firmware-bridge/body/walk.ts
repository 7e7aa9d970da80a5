// Decides the next pose of a walk: phase, stride and body move together towards what is wanted, as fast as limits allow.
import { ok, type Result } from "../../contracts/result.ts";
import { gaitStance, judgeGait, NO_STRIDE, type Stride } from "./gait.ts";
import type { GaitName, RobotPlan } from "./plan.ts";
import { type BodyPose, checkBody, type Posture, postureOf, straight } from "./posture.ts";
import { slewDegrees, slowed } from "./slew.ts";

export interface Walk {
	readonly gait: GaitName;
	/** 0 to 1; all six feet stand at 0. */
	readonly phase: number;
	readonly stride: Stride;
	readonly body: BodyPose;
	/** False: standing at phase 0 without stride. */
	readonly stepping: boolean;
	readonly posture: Posture;
}

export interface Wanted {
	readonly stride: Stride;
	readonly body: BodyPose;
}

/** Sideways and turning speeds of the body itself. */
const BODY_MM_PER_SECOND = 60;
const BODY_DEGREES_PER_SECOND = 30;

const towards = (from: number, to: number, by: number): number => from + Math.max(-by, Math.min(by, to - from));
const between = (from: number, to: number, share: number): number => from + (to - from) * share;
const still = (stride: Stride): boolean => stride.xMm === 0 && stride.yMm === 0 && stride.turnDegrees === 0;

export const standing = (plan: RobotPlan, gait: GaitName): Result<Walk> => {
	const body = straight(plan);
	const posture = postureOf(plan, gaitStance(plan, gait, 0, NO_STRIDE, body), plan.walking);
	return posture.ok ? ok({ gait, phase: 0, stride: NO_STRIDE, body, stepping: false, posture: posture.value }) : posture;
};

/** A whole stride is taken on or given up within one cycle. */
const nextStride = (plan: RobotPlan, walk: Walk, wanted: Stride, cycle: number): Stride => ({
	xMm: towards(walk.stride.xMm, wanted.xMm, plan.strideMaxMm * cycle),
	yMm: towards(walk.stride.yMm, wanted.yMm, plan.strideMaxMm * cycle),
	turnDegrees: towards(walk.stride.turnDegrees, wanted.turnDegrees, plan.turnMaxDegrees * cycle),
});

const nextBody = (body: BodyPose, wanted: BodyPose, elapsedMs: number): BodyPose => {
	const mm = (BODY_MM_PER_SECOND * elapsedMs) / 1_000;
	const turn = (BODY_DEGREES_PER_SECOND * elapsedMs) / 1_000;
	return {
		xMm: towards(body.xMm, wanted.xMm, mm),
		yMm: towards(body.yMm, wanted.yMm, mm),
		heightMm: towards(body.heightMm, wanted.heightMm, mm),
		rollDegrees: towards(body.rollDegrees, wanted.rollDegrees, turn),
		pitchDegrees: towards(body.pitchDegrees, wanted.pitchDegrees, turn),
		yawDegrees: towards(body.yawDegrees, wanted.yawDegrees, turn),
	};
};

const blendStride = (a: Stride, b: Stride, share: number): Stride => ({
	xMm: between(a.xMm, b.xMm, share),
	yMm: between(a.yMm, b.yMm, share),
	turnDegrees: between(a.turnDegrees, b.turnDegrees, share),
});

export const blendBody = (a: BodyPose, b: BodyPose, share: number): BodyPose => ({
	xMm: between(a.xMm, b.xMm, share),
	yMm: between(a.yMm, b.yMm, share),
	heightMm: between(a.heightMm, b.heightMm, share),
	rollDegrees: between(a.rollDegrees, b.rollDegrees, share),
	pitchDegrees: between(a.pitchDegrees, b.pitchDegrees, share),
	yawDegrees: between(a.yawDegrees, b.yawDegrees, share),
});

/** May this be asked for at all? Judged over the whole cycle before the first step of it. */
export const checkWanted = (plan: RobotPlan, gait: GaitName, wanted: Wanted): Result<{ readonly marginMm: number }> => {
	const body = checkBody(plan, wanted.body);
	return body.ok ? judgeGait(plan, gait, wanted.stride, wanted.body) : body;
};

/** One tick. The wanted stride and body must have passed checkWanted; what lies between is judged here, pose by pose. */
export const walkOn = (plan: RobotPlan, walk: Walk, wanted: Wanted, elapsedMs: number): Result<Walk> => {
	const stepping = walk.stepping || !still(wanted.stride);
	const cycle = stepping ? elapsedMs / plan.gaits[walk.gait].periodMs : 0;
	const stopping = stepping && still(wanted.stride) && still(walk.stride);
	// Without stride the last step ends exactly where all feet stand.
	const phaseTo = !stopping ? walk.phase + cycle : walk.phase === 0 ? 0 : Math.min(1, walk.phase + cycle);
	const strideTo = nextStride(plan, walk, wanted.stride, cycle);
	const bodyTo = nextBody(walk.body, wanted.body, elapsedMs);
	const at = (share: number): Result<Posture> => {
		const phase = between(walk.phase, phaseTo, share);
		const stance = gaitStance(plan, walk.gait, phase, blendStride(walk.stride, strideTo, share), blendBody(walk.body, bodyTo, share));
		return postureOf(plan, stance, plan.walking);
	};
	const step = slowed(walk.posture.angles, slewDegrees(plan, elapsedMs), at);
	if (!step.ok) return step;
	const { share, posture } = step.value;
	const phase = between(walk.phase, phaseTo, share);
	const ended = stopping && (phase >= 1 || phase === 0);
	return ok({
		gait: walk.gait,
		phase: ended ? 0 : phase % 1,
		stride: share === 1 ? strideTo : blendStride(walk.stride, strideTo, share),
		body: share === 1 ? bodyTo : blendBody(walk.body, bodyTo, share),
		stepping: stepping && !ended,
		posture,
	});
};
