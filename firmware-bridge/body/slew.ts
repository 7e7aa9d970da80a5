// Decides how much of a step may be taken in one tick: the whole body slows down together, no joint is ever clipped alone.
import type { Fault } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";
import type { LegAngles } from "./leg.ts";
import { JOINT_NAMES, type RobotPlan } from "./plan.ts";
import type { Posture } from "./posture.ts";

const HALVINGS = 14;

/** The largest change of any joint, in degrees. */
export const largestChange = (from: readonly LegAngles[], to: readonly LegAngles[]): number =>
	Math.max(0, ...from.flatMap((angles, leg) => JOINT_NAMES.map((joint) => Math.abs((to[leg]?.[joint] ?? Number.NaN) - angles[joint]))));

/** Degrees that a joint may change in this time. */
export const slewDegrees = (plan: RobotPlan, elapsedMs: number): number => (plan.slewDegreesPerSecond * elapsedMs) / 1_000;

/**
 * The largest share (0 to 1) of a step whose posture is allowed and reached within the slew limit. `at` is continuous and at(0) is where we are.
 * A step of which nothing is allowed is refused with the reason that forbids it.
 */
export const slowed = (
	from: readonly LegAngles[],
	limitDegrees: number,
	at: (share: number) => Result<Posture>,
): Result<{ share: number; posture: Posture }> => {
	let reason: Fault | undefined;
	const allowed = (share: number): Posture | undefined => {
		const found = at(share);
		if (!found.ok) reason = found.fault;
		return found.ok && largestChange(from, found.value.angles) <= limitDegrees ? found.value : undefined;
	};
	const whole = allowed(1);
	if (whole !== undefined) return ok({ share: 1, posture: whole });
	let best: { share: number; posture: Posture } | undefined;
	for (let halving = 0, low = 0, high = 1; halving < HALVINGS; halving++) {
		const share = (low + high) / 2;
		const posture = allowed(share);
		if (posture === undefined) high = share;
		else {
			low = share;
			best = { share, posture };
		}
	}
	if (best !== undefined) return ok(best);
	if (reason !== undefined) return { ok: false, fault: reason };
	const here = at(0);
	return here.ok ? ok({ share: 0, posture: here.value }) : here;
};
