// Decides which rows of the safe-stop are in force, from what is so and for how long; what is gone stays in force until its row clears.
import type { Instant } from "../../contracts/time.ts";

export type Cause =
	| "cut"
	| "stop"
	| "found-armed"
	| "driver-error"
	| "board-reset"
	| "tilt"
	| "battery-empty"
	| "battery-low"
	| "battery-weak"
	| "battery-warn"
	| "rise-late"
	| "lease-over"
	| "link-silent"
	| "loop-late"
	| "obstacle"
	| "not-sitting";

/** In the order of gravity. */
export const STOP_ACTIONS = ["warn", "inhibit", "hold", "settle", "fault", "cut"] as const;
export type StopAction = (typeof STOP_ACTIONS)[number];

export interface MoverRule {
	readonly id: string;
	readonly cause: Cause;
	/** `energised`: while outputs are off it inhibits and nothing more. `unpowered`: while they are on it is of no account. */
	readonly in: "any" | "energised" | "unpowered";
	/** 0: at once. */
	readonly graceMs: number;
	readonly action: StopAction;
	readonly clears: "itself" | "release" | "presence";
	readonly clearAfterMs: number;
	readonly says: string;
}

export interface MoverTiming {
	readonly loopLateAfterMs: number;
	readonly linkGoodForMs: number;
	readonly riseWithinMs: number;
	readonly holdForMs: number;
	readonly settleWithinMs: number;
	readonly leaseMaxMs: number;
}

export interface MoverRules {
	readonly timing: MoverTiming;
	readonly rules: readonly MoverRule[];
}

/** One row's cause. Absent: it was not seen since it cleared. */
export interface CauseState {
	readonly present: boolean;
	/** Since when it is present, or since when it is gone. */
	readonly since: Instant;
	readonly inForce: boolean;
}

/** By the id of the row. */
export type Causes = Readonly<Record<string, CauseState>>;

const passed = (since: Instant, at: Instant, ms: number): boolean => at - since >= ms;

/** Level-triggered: asked at each update, with everything that is present now. */
const stepRow = (rule: MoverRule, before: CauseState | undefined, present: boolean, at: Instant): CauseState | undefined => {
	if (present) {
		const since = before?.present === true ? before.since : at;
		return { present, since, inForce: before?.inForce === true || passed(since, at, rule.graceMs) };
	}
	if (before === undefined || !before.inForce) return undefined;
	const since = before.present ? at : before.since;
	// What needs a release or a person is held elsewhere: by the latch of orders, and by the kinds cut and fault.
	return passed(since, at, rule.clearAfterMs) ? undefined : { present, since, inForce: true };
};

export const stepCauses = (rules: readonly MoverRule[], before: Causes, isPresent: (cause: Cause) => boolean, at: Instant): Causes => {
	const after: Record<string, CauseState> = {};
	for (const rule of rules) {
		const state = stepRow(rule, before[rule.id], isPresent(rule.cause), at);
		if (state !== undefined) after[rule.id] = state;
	}
	return after;
};

export const inForce = (rules: readonly MoverRule[], causes: Causes, energised: boolean): readonly MoverRule[] =>
	rules.filter((rule) => causes[rule.id]?.inForce === true && !(rule.in === "unpowered" && energised));

/** The gravest row in force; of equals the first in the table. */
export const gravest = (rules: readonly MoverRule[], causes: Causes, energised: boolean): MoverRule | undefined => {
	let worst: MoverRule | undefined;
	for (const rule of inForce(rules, causes, energised)) {
		if (rule.in === "energised" && !energised) continue;
		if (worst === undefined || STOP_ACTIONS.indexOf(rule.action) > STOP_ACTIONS.indexOf(worst.action)) worst = rule;
	}
	return worst;
};
