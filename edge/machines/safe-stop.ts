// Decides what a node that moves things may do now: from present causes and deadlines first, and only then from what is asked of it.
import { instant } from "../../contracts/time.ts";
import { type Cause, type Causes, gravest, inForce, type MoverRule, type MoverRules, stepCauses } from "./safe-stop-rules.ts";
import {
	isEnergised,
	LATCHED,
	LEASED,
	type Mover,
	type MoverEffect,
	type MoverInput,
	type MoverKind,
	type MoverRefusal,
	type MoverStep,
	UPWARD,
} from "./safe-stop-state.ts";

const enter = (state: Mover, kind: MoverKind): Mover => ({
	...state,
	kind,
	since: state.at,
	lease: LEASED.includes(kind) ? state.lease : undefined,
	arming: false,
});

const refuse = (state: Mover, reason: MoverRefusal, detail = ""): MoverStep => ({ state, effects: [{ kind: "refused", reason, detail }] });
const only = (state: Mover, ...kinds: readonly Exclude<MoverEffect["kind"], "refused">[]): MoverStep => ({ state, effects: kinds.map((kind) => ({ kind })) });

/** Every way into a stop: what was allowed before is not allowed any more. */
const stopBy = (state: Mover, kind: "hold" | "settling" | "cut" | "fault", rule: MoverRule): MoverStep => {
	const after = { ...enter(state, kind), armEpoch: state.armEpoch + 1, cause: rule.id };
	if (kind === "hold") return only(after, "freeze");
	return kind === "settling" ? only(after, "settle") : only(after, "disable", "keep-off");
};

/** What a row in force does to the present kind. */
const obey = (state: Mover, rule: MoverRule): MoverStep | undefined => {
	const { kind } = state;
	switch (rule.action) {
		case "cut":
			return kind === "cut" ? undefined : stopBy(state, "cut", rule);
		case "fault":
			return LATCHED.includes(kind) ? undefined : stopBy(state, "fault", rule);
		case "settle":
			return UPWARD.includes(kind) || kind === "hold" ? stopBy(state, "settling", rule) : undefined;
		case "hold":
			return UPWARD.includes(kind) ? stopBy(state, "hold", rule) : undefined;
		case "warn":
		case "inhibit":
			return undefined;
	}
};

/** Deadlines that no row has: hold becomes settling, and settling ends whether it sits or not. */
const ladder = ({ timing }: MoverRules, state: Mover): MoverStep | undefined => {
	const lasted = state.at - state.since;
	if (state.kind === "hold" && lasted >= timing.holdForMs) return only({ ...enter(state, "settling"), armEpoch: state.armEpoch + 1 }, "settle");
	if (state.kind === "settling" && lasted >= timing.settleWithinMs) return only(enter(state, "off"), "disable", "keep-off");
	return undefined;
};

const isPresentIn =
	(rules: MoverRules, state: Mover, late: boolean) =>
	(cause: Cause): boolean => {
		switch (cause) {
			case "loop-late":
				return late;
			case "lease-over":
				return LEASED.includes(state.kind) && (state.lease === undefined || state.at >= state.lease.until);
			case "rise-late":
				return state.kind === "rising" && state.at - state.since >= rules.timing.riseWithinMs;
			case "link-silent":
				return true;
			default:
				return state.seen.includes(cause);
		}
	};

/** Silence begins anew with each sign of core; its rows count from the newest one. */
const silentSince = (causes: Causes, rules: MoverRules, state: Mover): Causes => {
	const after: Record<string, Causes[string]> = { ...causes };
	for (const { id, cause, graceMs } of rules.rules) {
		const heard = state.heardAt;
		if (cause !== "link-silent" || heard === undefined) continue;
		const isSilent = state.at - heard >= graceMs;
		const isGood = state.goodSince !== undefined && state.at - state.goodSince >= rules.timing.linkGoodForMs;
		after[id] = { present: isSilent, since: heard, inForce: isSilent || (causes[id]?.inForce === true && !isGood) };
	}
	return after;
};

/** Any row in force is in the way of going on, except one that only warns. */
const hindering = ({ rules }: MoverRules, state: Mover): MoverRule | undefined =>
	inForce(rules, state.causes, isEnergised(state)).find(({ action }) => action !== "warn");

/** Present causes first: whatever is asked at the same moment is asked of the state that they leave. */
const recompute = (rules: MoverRules, state: Mover, late: boolean): MoverStep => {
	const causes = silentSince(stepCauses(rules.rules, state.causes, isPresentIn(rules, state, late), state.at), rules, state);
	const known: Mover = { ...state, causes };
	const rule = gravest(rules.rules, causes, isEnergised(known));
	const stopped = rule === undefined ? undefined : obey(known, rule);
	if (stopped !== undefined) return stopped;
	// Nothing that inhibits may come between an arm and its effect.
	if (known.arming && hindering(rules, known) !== undefined) return only({ ...known, arming: false }, "keep-off");
	return ladder(rules, known) ?? { state: known, effects: [] };
};

/** What keeps it from being armed or resumed. */
const hindrance = (rules: MoverRules, state: Mover): readonly [MoverRefusal, string] | undefined => {
	const rule = hindering(rules, state);
	if (rule !== undefined) return ["inhibited", rule.id];
	const isGood = state.goodSince !== undefined && state.at - state.goodSince >= rules.timing.linkGoodForMs;
	return isGood ? undefined : ["link-not-good", "core was not heard long enough"];
};

const onLease = (rules: MoverRules, state: Mover, input: Extract<MoverInput, { kind: "lease" }>): MoverStep => {
	const wanted = input.purpose === "move" ? "moving" : "calibrating";
	if (state.kind !== "armed" && state.kind !== wanted) return refuse(state, "wrong-state", state.kind);
	if (input.armEpoch !== state.armEpoch) return refuse(state, "other-epoch", String(state.armEpoch));
	if (input.until - state.at > rules.timing.leaseMaxMs) return refuse(state, "lease-too-long");
	if (input.until <= state.at) return refuse(state, "lease-is-over");
	if (state.lease !== undefined && state.lease.holder !== input.holder) return refuse(state, "held-by-other", state.lease.holder);
	const lease = { holder: input.holder, until: instant(Math.max(input.until, state.lease?.until ?? input.until)) };
	return { state: state.kind === wanted ? { ...state, lease } : { ...enter(state, wanted), lease }, effects: [] };
};

const onHeard = (rules: MoverRules, state: Mover): MoverStep => {
	const graceMs = rules.rules.find(({ cause }) => cause === "link-silent")?.graceMs ?? 0;
	const isRun = state.heardAt !== undefined && state.at - state.heardAt < graceMs;
	return { state: { ...state, heardAt: state.at, goodSince: isRun ? (state.goodSince ?? state.at) : state.at }, effects: [] };
};

const onPresence = (rules: MoverRules, state: Mover): MoverStep => {
	if (!LATCHED.includes(state.kind)) return refuse(state, "wrong-state", state.kind);
	const rule = gravest(rules.rules, state.causes, true);
	// Never to armed: it ends in off, and whoever wants it to move arms it.
	if (rule?.action === "cut" || rule?.action === "fault") return refuse(state, "still-there", rule.id);
	return { state: { ...enter(state, "off"), armEpoch: state.armEpoch + 1 }, effects: [] };
};

/** What is said to be over cannot have begun just now: that word is of an earlier time. */
const isOlder = ({ since, at }: Mover): boolean => since < at;

const honour = (rules: MoverRules, state: Mover, input: MoverInput): MoverStep => {
	const { kind } = state;
	switch (input.kind) {
		case "time":
			return { state, effects: [] };
		case "heard":
			return onHeard(rules, state);
		case "seen": {
			const others = state.seen.filter((cause) => cause !== input.cause);
			return { state: { ...state, seen: input.present ? [...others, input.cause] : others }, effects: [] };
		}
		case "ready":
			return kind === "boot" ? only(enter(state, "off")) : refuse(state, "wrong-state", kind);
		case "arm": {
			if (kind !== "off" || state.arming) return refuse(state, "wrong-state", kind);
			if (input.armEpoch !== state.armEpoch) return refuse(state, "other-epoch", String(state.armEpoch));
			const hindered = hindrance(rules, state);
			return hindered === undefined ? only({ ...state, arming: true, armEpoch: state.armEpoch + 1 }, "keep-armed") : refuse(state, ...hindered);
		}
		case "armed-kept":
			if (kind !== "off" || !state.arming || input.armEpoch !== state.armEpoch) return refuse(state, "wrong-state", kind);
			return only(enter(state, "rising"), "enable");
		case "risen":
			return kind === "rising" && isOlder(state) ? only(enter(state, "armed")) : refuse(state, "wrong-state", kind);
		case "lease":
			return onLease(rules, state, input);
		case "lease-end":
			if (!LEASED.includes(kind) || state.lease?.holder !== input.holder) return refuse(state, "wrong-state", kind);
			return only(enter(state, "armed"), "freeze");
		case "resume": {
			if (kind !== "hold") return refuse(state, "wrong-state", kind);
			if (input.armEpoch !== state.armEpoch) return refuse(state, "other-epoch", String(state.armEpoch));
			const hindered = hindrance(rules, state);
			return hindered === undefined ? only({ ...enter(state, "armed"), armEpoch: state.armEpoch + 1 }) : refuse(state, ...hindered);
		}
		case "sit":
			if (!UPWARD.includes(kind) && kind !== "hold") return refuse(state, "wrong-state", kind);
			return only({ ...enter(state, "settling"), armEpoch: state.armEpoch + 1, cause: "sit" }, "settle");
		case "settled":
			return kind === "settling" && isOlder(state) ? only(enter(state, "off"), "disable", "keep-off") : refuse(state, "wrong-state", kind);
		case "presence":
			return onPresence(rules, state);
	}
};

/** Time first, then what is so, then what is asked, then what is so after that. Time never goes back. */
export const stepMover = (rules: MoverRules, before: Mover, input: MoverInput): MoverStep => {
	const at = instant(Math.max(before.at, input.at));
	const late = UPWARD.includes(before.kind) && at - before.at > rules.timing.loopLateAfterMs;
	const due = recompute(rules, { ...before, at }, late);
	const asked = honour(rules, due.state, input);
	const then = recompute(rules, asked.state, false);
	return { state: then.state, effects: [...due.effects, ...asked.effects, ...then.effects] };
};
