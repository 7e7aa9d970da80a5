// Decides the pulses of the next turn of the loop: up from the belly, along a walk, or down again, and how far the body was told to go.
import { fail } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";
import type { Pulses } from "../words.ts";
import { type Bench, beginBench, benchOn, isBenchReady, releaseBench } from "./bench.ts";
import type { GaitName, RobotPlan } from "./plan.ts";
import type { BodyPose, Posture } from "./posture.ts";
import { pulsesFor } from "./servos.ts";
import { beginRise, beginSit, type Settling, settleOn } from "./settle.ts";
import { standing, type Walk, type Wanted, walkOn } from "./walk.ts";

/** Commanded, not measured: x right, y forward of where it stood up. */
export interface Travelled {
	readonly xMm: number;
	readonly yMm: number;
	readonly headingDegrees: number;
	/** Along the path. */
	readonly pathMm: number;
}

export type Motion = { readonly travelled: Travelled } & (
	| { readonly kind: "unpowered" }
	| { readonly kind: "rising" | "settling"; readonly settling: Settling }
	| { readonly kind: "standing"; readonly walk: Walk }
	/** On a block, feet free: joints one by one. */
	| { readonly kind: "bench"; readonly bench: Bench }
);

const NOWHERE: Travelled = { xMm: 0, yMm: 0, headingDegrees: 0, pathMm: 0 };
export const UNPOWERED: Motion = { kind: "unpowered", travelled: NOWHERE };

export const rise = (plan: RobotPlan): Result<Motion> => {
	const begun = beginRise(plan);
	return begun.ok ? ok({ kind: "rising", settling: begun.value, travelled: NOWHERE }) : begun;
};

/** Power for these legs (1 to 6) and no others; nothing rises. */
export const lieOnBlock = (plan: RobotPlan, legs: readonly number[]): Result<Motion> => {
	const begun = beginBench(plan, legs);
	return begun.ok ? ok({ kind: "bench", bench: begun.value, travelled: NOWHERE }) : begun;
};

/** Over its feet; undefined where it stands on none. */
export const postureNow = (motion: Motion): Posture | undefined => {
	if (motion.kind === "unpowered" || motion.kind === "bench") return undefined;
	return motion.kind === "standing" ? motion.walk.posture : motion.settling.posture;
};

/** From wherever it is; what goes down already goes on doing so. */
export const sitDown = (plan: RobotPlan, motion: Motion): Motion => {
	if (motion.kind === "bench") return { ...motion, bench: releaseBench(motion.bench) };
	const posture = postureNow(motion);
	if (posture === undefined || motion.kind === "settling") return motion;
	return { kind: "settling", settling: beginSit(plan, posture), travelled: motion.travelled };
};

export const isUp = (plan: RobotPlan, motion: Motion): boolean =>
	motion.kind === "bench" ? isBenchReady(plan, motion.bench) : motion.kind === "rising" && motion.settling.stage === "stood";
export const isDown = (motion: Motion): boolean =>
	motion.kind === "bench" ? motion.bench.isReleased : motion.kind === "settling" && motion.settling.stage === "off";

/** Up: from here on it may walk, in this gait. A gait is changed only where all feet stand. */
export const stand = (plan: RobotPlan, motion: Motion, gait: GaitName): Result<Motion> => {
	if (motion.kind === "standing" && (motion.walk.stepping || motion.walk.gait === gait)) return ok(motion);
	// Half-way up or down there is nothing to walk from: it would jump.
	if (motion.kind === "bench" || (motion.kind !== "standing" && !isUp(plan, motion)))
		return fail("ROBOT_REFUSED", { why: "not-standing", detail: "let it sit, and arm it again" });
	const begun = standing(plan, gait);
	if (!begun.ok) return begun;
	const body: BodyPose = motion.kind === "standing" ? motion.walk.body : begun.value.body;
	const posture = motion.kind === "standing" ? motion.walk.posture : begun.value.posture;
	return ok({ kind: "standing", walk: { ...begun.value, body, posture }, travelled: motion.travelled });
};

/** Standing feet sweep against the body, so it goes a stride in the time that a foot stands. */
const travelOn = (plan: RobotPlan, before: Walk, after: Walk, travelled: Travelled): Travelled => {
	const turned = (after.phase - before.phase + 1) % 1;
	const share = before.stepping || after.stepping ? turned / plan.gaits[after.gait].dutyRatio : 0;
	const [x, y] = [after.stride.xMm * share, after.stride.yMm * share];
	const heading = (travelled.headingDegrees * Math.PI) / 180;
	return {
		xMm: travelled.xMm + x * Math.cos(heading) - y * Math.sin(heading),
		yMm: travelled.yMm + x * Math.sin(heading) + y * Math.cos(heading),
		headingDegrees: travelled.headingDegrees + after.stride.turnDegrees * share,
		pathMm: travelled.pathMm + Math.hypot(x, y),
	};
};

const advance = (plan: RobotPlan, motion: Motion, wanted: Wanted, elapsedMs: number): Result<Motion> => {
	if (motion.kind === "unpowered") return ok(motion);
	if (motion.kind === "bench") return ok({ ...motion, bench: benchOn(plan, motion.bench, elapsedMs) });
	if (motion.kind !== "standing") {
		const settling = settleOn(plan, motion.settling, elapsedMs);
		return settling.ok ? ok({ ...motion, settling: settling.value }) : settling;
	}
	const walk = walkOn(plan, motion.walk, wanted, elapsedMs);
	return walk.ok ? ok({ kind: "standing", walk: walk.value, travelled: travelOn(plan, motion.walk, walk.value, motion.travelled) }) : walk;
};

/** One turn: what is sent after it. Nothing of it has happened if it is refused. */
export const moveOn = (plan: RobotPlan, motion: Motion, wanted: Wanted, elapsedMs: number): Result<{ readonly motion: Motion; readonly pulsesUs: Pulses }> => {
	const moved = advance(plan, motion, wanted, elapsedMs);
	if (!moved.ok) return moved;
	if (moved.value.kind === "bench") {
		const pulses = pulsesFor(plan, moved.value.bench.angles, moved.value.bench.powered);
		return pulses.ok ? ok({ motion: moved.value, pulsesUs: pulses.value }) : pulses;
	}
	const posture = postureNow(moved.value);
	if (posture === undefined) return ok({ motion: moved.value, pulsesUs: plan.legs.flatMap(() => [0, 0, 0]) });
	const powered = moved.value.kind === "rising" || moved.value.kind === "settling" ? moved.value.settling.powered : plan.legs.map(() => true);
	const pulses = pulsesFor(plan, posture.angles, powered);
	return pulses.ok ? ok({ motion: moved.value, pulsesUs: pulses.value }) : pulses;
};
