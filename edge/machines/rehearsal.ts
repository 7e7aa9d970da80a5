// Decides how far a robot's rehearsal has come: which step may be done next, and whether real legs may walk on a floor with exactly these programs and this configuration.
import { fail } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";

export const LAST_STEP = 10;
/** Walking on the floor needs every step up to this one. */
export const FLOOR_NEEDS = 9;
/** The step that sets the trims; it and what comes after it depend on them. */
export const TRIMS_SET_BY = 6;

/** What a result was found with. Any of it changed, and what depends on it was never rehearsed. */
export interface RehearsedWith {
	/** A calculated robot or an emulated board. */
	readonly simulated: boolean;
	/** Of the leg board, as it said; null: there is none, or it has not said. */
	readonly firmware: string | null;
	/** Of the linux-guard, likewise. */
	readonly guard: string | null;
	/** Digest of the robot's plan without trims. */
	readonly robot: string;
	/** Digest of the plan with them. */
	readonly configuration: string;
}

export type RehearsalOutcome = "passed" | "failed" | "aborted";

/** What of a record decides; measurements are for people. */
export interface StepResult extends RehearsedWith {
	readonly step: number;
	readonly outcome: RehearsalOutcome;
}

/** Whether a result says anything about this robot as it is now. */
export const counts = (result: StepResult, now: RehearsedWith): boolean => {
	const isSameRobot = result.robot === now.robot && result.firmware === now.firmware && result.guard === now.guard;
	const isSameTrims = result.step < TRIMS_SET_BY || result.configuration === now.configuration;
	return isSameRobot && isSameTrims && result.simulated === now.simulated;
};

/** Steps 1 to `upTo` are passed; after one more result that counts. Whatever is not passed locks its own step and all that came after it. */
export const afterResult = (upTo: number, { step, outcome }: Pick<StepResult, "step" | "outcome">): number => {
	if (outcome !== "passed") return Math.min(upTo, step - 1);
	return step === upTo + 1 ? step : upTo;
};

/** Results, oldest first -> how many steps from the first on are passed: 0 to 10. */
export const rehearsedUpTo = (results: readonly StepResult[], now: RehearsedWith): number => {
	let upTo = 0;
	for (const result of results) if (counts(result, now)) upTo = afterResult(upTo, result);
	return upTo;
};

/** Whoever drives real legs must have said which program it is: without that nothing was rehearsed with it. */
const isKnown = (now: RehearsedWith): boolean => now.simulated || now.firmware !== null || now.guard !== null;

/** The next step, or one that was passed already. Faults: ROBOT_REFUSED (unknown-program, step-locked). */
export const mayRehearse = (results: readonly StepResult[], now: RehearsedWith, step: number): Result<undefined> => {
	if (!isKnown(now)) return fail("ROBOT_REFUSED", { why: "unknown-program", detail: "what drives the legs has not said which program it is" });
	const next = Math.min(LAST_STEP, rehearsedUpTo(results, now) + 1);
	if (!(Number.isInteger(step) && step >= 1 && step <= next)) return fail("ROBOT_REFUSED", { why: "step-locked", detail: `step ${next} comes first` });
	return ok(undefined);
};

/** Standing up and walking as one likes. What is simulated moves nothing, and may. Faults: ROBOT_REFUSED (not-rehearsed). */
export const mayWalk = (results: readonly StepResult[], now: RehearsedWith): Result<undefined> => {
	if (now.simulated) return ok(undefined);
	const upTo = isKnown(now) ? rehearsedUpTo(results, now) : 0;
	if (upTo >= FLOOR_NEEDS) return ok(undefined);
	return fail("ROBOT_REFUSED", { why: "not-rehearsed", detail: `step ${upTo + 1} of the rehearsal comes first: orion robot calibrate` });
};

/** Before anything is opened: whether any program at all was rehearsed this far with this configuration. What runs then says itself which one it is. */
export const mightWalk = (results: readonly StepResult[], robot: string, configuration: string): boolean =>
	results.some((result) => mayWalk(results, { simulated: false, firmware: result.firmware, guard: result.guard, robot, configuration }).ok);
