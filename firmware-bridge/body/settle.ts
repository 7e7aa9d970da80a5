// Decides the way up from the belly and the way down to it, from whatever stance: no jump, bounded, powered leg by leg.
import { ok, type Result } from "../../contracts/result.ts";
import { degrees, type RobotPlan, type Vec } from "./plan.ts";
import { type BodyPose, type Posture, postureOf, type Stance, sitStance, straight } from "./posture.ts";
import { slewDegrees, slowed } from "./slew.ts";
import { blendBody } from "./walk.ts";

/** What is sent: where the joints are, and which legs (1 to 6) get pulses at all. */
export interface Settling {
	readonly stage: "powering" | "lifting" | "stood" | "lowering-feet" | "lowering-body" | "resting" | "releasing" | "off";
	/** Share of the stage that is done, where it moves. */
	readonly progress: number;
	/** Time in this stage. */
	readonly sinceMs: number;
	readonly powered: readonly boolean[];
	/** Where the stage began. */
	readonly from: Stance;
	readonly posture: Posture;
}

const poweredBy = (plan: RobotPlan, groups: readonly (readonly number[])[]): readonly boolean[] => plan.legs.map((leg) => groups.flat().includes(leg.number));

/** The first pose after arm is the sit pose, with power on the first group only. */
export const beginRise = (plan: RobotPlan): Result<Settling> => {
	const from = sitStance(plan);
	const posture = postureOf(plan, from);
	if (!posture.ok) return posture;
	return ok({ stage: "powering", progress: 0, sinceMs: 0, powered: poweredBy(plan, plan.powerGroups.slice(0, 1)), from, posture: posture.value });
};

export const beginSit = (plan: RobotPlan, posture: Posture): Settling => ({
	stage: "lowering-feet",
	progress: 0,
	sinceMs: 0,
	powered: plan.legs.map(() => true),
	from: posture.stance,
	posture,
});

/** Feet straight down to the floor; only those that stood carry until they are there. */
const feetLowered = (from: Stance, share: number): Stance => ({
	body: from.body,
	feet: from.feet.map((foot) => ({ ...foot, z: foot.z * (1 - share) })),
	standing: share === 1 ? from.standing.map(() => true) : from.standing,
});

const bodyTo = (from: Stance, to: BodyPose, share: number): Stance => ({ ...from, body: share === 0 ? from.body : blendBody(from.body, to, share) });

const middleOf = (points: readonly Vec[]): { readonly x: number; readonly y: number } => ({
	x: points.reduce((sum, { x }) => sum + x, 0) / points.length,
	y: points.reduce((sum, { y }) => sum + y, 0) / points.length,
});

/** Level and down over the feet as they stand: every leg is as near to its rest as all of them together can be. */
const overFeet = (plan: RobotPlan, { feet }: Stance): BodyPose => {
	const rests = plan.legs.map(({ rest }) => rest);
	const stands = plan.legs.map(({ number, rest }) => feet[number - 1] ?? rest);
	const [from, to] = [middleOf(rests), middleOf(stands)];
	let [along, across] = [0, 0];
	for (const [at, rest] of rests.entries()) {
		const stand = stands[at] ?? rest;
		const [rx, ry, sx, sy] = [rest.x - from.x, rest.y - from.y, stand.x - to.x, stand.y - to.y];
		along += rx * sx + ry * sy;
		across += rx * sy - ry * sx;
	}
	const yaw = Math.atan2(across, along);
	const [cos, sin] = [Math.cos(yaw), Math.sin(yaw)];
	return {
		xMm: to.x - (cos * from.x - sin * from.y),
		yMm: to.y - (sin * from.x + cos * from.y),
		heightMm: plan.heightsMm.sit,
		rollDegrees: 0,
		pitchDegrees: 0,
		yawDegrees: degrees(yaw),
	};
};

const LOOKED_AT = [0.2, 0.4, 0.6, 0.8, 0.9, 1] as const;

/**
 * Where the body comes down: straight over the rest places if the way there is allowed, else over the feet as they stand, else where it is.
 * Straightened over feet that stand turned, neighbouring legs may meet; kept where it was, a leg may come too near.
 */
const onBelly = (plan: RobotPlan, from: Stance): BodyPose => {
	const level = { heightMm: plan.heightsMm.sit, rollDegrees: 0, pitchDegrees: 0 };
	const straightDown = { ...straight(plan), ...level };
	const over = overFeet(plan, from);
	const halfWay = { ...blendBody(from.body, over, 0.5), ...level };
	const ways = [straightDown, over, halfWay, { ...from.body, ...level }];
	return ways.find((to) => LOOKED_AT.every((share) => postureOf(plan, bodyTo(from, to, share)).ok)) ?? straightDown;
};

/** Less of a stage than this is no movement: what forbids its end is said, instead of coming nearer and nearer to it. */
const PROGRESS_MIN = 1e-9;

const entering = (settling: Settling, stage: Settling["stage"]): Settling => ({
	...settling,
	stage,
	progress: 0,
	sinceMs: 0,
	from: settling.posture.stance,
});

const moving = (plan: RobotPlan, now: Settling, elapsedMs: number, fastestMs: number, stanceAt: (share: number) => Stance, next: Settling["stage"]) => {
	const step = Math.min(1 - now.progress, elapsedMs / fastestMs);
	const moved = slowed(now.posture.angles, slewDegrees(plan, elapsedMs), (share) => {
		const at = share === 1 && step === 1 - now.progress ? 1 : now.progress + step * share;
		return postureOf(plan, stanceAt(at));
	});
	if (!moved.ok) return moved;
	const done = moved.value.share === 1 && step === 1 - now.progress;
	if (!done && step * moved.value.share < PROGRESS_MIN) {
		const end = postureOf(plan, stanceAt(1));
		if (!end.ok) return end;
	}
	const after = { ...now, progress: done ? 1 : now.progress + step * moved.value.share, sinceMs: now.sinceMs + elapsedMs, posture: moved.value.posture };
	return ok(done ? entering(after, next) : after);
};

const waiting = (plan: RobotPlan, now: Settling, elapsedMs: number): Settling => {
	const sinceMs = now.sinceMs + elapsedMs;
	switch (now.stage) {
		case "powering": {
			const groups = Math.min(plan.powerGroups.length, 1 + Math.floor(sinceMs / plan.powerGapMs));
			const powered = poweredBy(plan, plan.powerGroups.slice(0, groups));
			const settled = sinceMs >= plan.powerGroups.length * plan.powerGapMs;
			return settled ? entering({ ...now, powered }, "lifting") : { ...now, sinceMs, powered };
		}
		case "resting":
			return sinceMs >= plan.sit.waitMs ? { ...entering(now, "releasing"), powered: poweredBy(plan, plan.powerGroups.slice(1)) } : { ...now, sinceMs };
		case "releasing": {
			const released = 1 + Math.floor(sinceMs / plan.sit.offGapMs);
			const powered = poweredBy(plan, plan.powerGroups.slice(released));
			return powered.includes(true) ? { ...now, sinceMs, powered } : entering({ ...now, powered }, "off");
		}
		default:
			return now;
	}
};

/**
 * One tick, up or down. Takes no input but time: what sits down is not talked out of it.
 * Judged by the robot's own limits; a refusal (a stance that no walk allows) leaves nothing but to cut.
 */
export const settleOn = (plan: RobotPlan, now: Settling, elapsedMs: number): Result<Settling> => {
	switch (now.stage) {
		case "lifting":
			return moving(plan, now, elapsedMs, plan.riseMs, (share) => bodyTo(now.from, { ...straight(plan), heightMm: plan.heightsMm.stand }, share), "stood");
		case "lowering-feet":
			return moving(plan, now, elapsedMs, plan.sit.lowerFeetMs, (share) => feetLowered(now.from, share), "lowering-body");
		case "lowering-body":
			return moving(plan, now, elapsedMs, plan.sit.lowerBodyMs, (share) => bodyTo(now.from, onBelly(plan, now.from), share), "resting");
		default:
			return ok(waiting(plan, now, elapsedMs));
	}
};
