// What must hold of every step of the safe-stop of what moves, whatever the rows are: asked of each transition by exploration and by properties.
import type { Instant } from "../../contracts/time.ts";
import { stepMover } from "../../edge/machines/safe-stop.ts";
import { type MoverRules, STOP_ACTIONS } from "../../edge/machines/safe-stop-rules.ts";
import { isEnergised, type Mover, type MoverEffect, type MoverInput, type MoverKind, mayWrite } from "../../edge/machines/safe-stop-state.ts";

const UPWARD: readonly MoverKind[] = ["rising", "armed", "moving", "calibrating"];
/** What may lead up, and to where; nothing else does. */
const WAYS_UP: Readonly<Partial<Record<MoverInput["kind"], readonly MoverKind[]>>> = {
	"armed-kept": ["rising"],
	risen: ["armed"],
	"lease-end": ["armed"],
	resume: ["armed"],
	lease: ["moving", "calibrating"],
};
const LATCHED: readonly MoverKind[] = ["cut", "fault"];

const named = (input: MoverInput): number | undefined => ("armEpoch" in input ? input.armEpoch : undefined);
const has = (effects: readonly MoverEffect[], kind: MoverEffect["kind"]): boolean => effects.some((effect) => effect.kind === kind);

/** Everything that is wrong with one step; empty when nothing is. */
export const faultsOfStep = (rules: MoverRules, before: Mover, input: MoverInput, after: Mover, effects: readonly MoverEffect[]): readonly string[] => {
	const faults: string[] = [];
	const must = (holds: boolean, what: string): void => {
		if (!holds) faults.push(what);
	};
	const at = Math.max(before.at, input.at) as Instant;
	const silentAfterMs = rules.rules.find(({ cause }) => cause === "link-silent")?.graceMs ?? 0;

	must(after.at === at, "time goes on and never back");
	// Outputs follow the kind, and change only by the effect that says so.
	let outputs = isEnergised(before);
	for (const { kind } of effects) {
		if (kind === "enable") {
			must(!outputs, "enabled twice");
			outputs = true;
		}
		if (kind === "disable") outputs = false;
		must(kind !== "keep-off" || !outputs, "outputs first, disk after");
	}
	must(outputs === isEnergised(after), "outputs are on exactly in the kinds that have them on");
	must(!has(effects, "enable") || (input.kind === "armed-kept" && before.arming), "enabled only once it is on disk that it is armed");
	must(!has(effects, "keep-armed") || input.kind === "arm", "armed only by an arm");

	// Nothing goes up by itself.
	if (UPWARD.includes(after.kind) && after.kind !== before.kind) {
		must(WAYS_UP[input.kind]?.includes(after.kind) === true, `${before.kind} became ${after.kind} by ${input.kind}`);
		if (input.kind === "resume") must(before.kind === "hold", "resumed from hold only");
		if (input.kind === "armed-kept") must(before.kind === "off", "stands up from off only");
		if (input.kind === "lease-end") must(before.kind === "moving" || before.kind === "calibrating", "ends what it held");
	}
	if (after.arming && !before.arming)
		must(input.kind === "arm" && (before.kind === "off" || before.kind === "settling"), "arming begins with an arm, from off");
	const epoch = named(input);
	const isOlder = epoch !== undefined && epoch !== before.armEpoch;
	if (isOlder && UPWARD.includes(after.kind)) must(after.kind === before.kind && after.lease?.until === before.lease?.until, "an older epoch has no effect");
	if (isOlder) must(!after.arming || before.arming, "an older epoch arms nothing");

	must(after.armEpoch >= before.armEpoch, "the epoch never goes back");
	const stopped = UPWARD.includes(before.kind) && !UPWARD.includes(after.kind);
	if (stopped) must(after.armEpoch > before.armEpoch, "a stop raises the epoch");
	if (after.arming && !before.arming) must(after.armEpoch > before.armEpoch, "an arm raises the epoch");
	if (before.kind === "hold" && after.kind === "armed") must(after.armEpoch > before.armEpoch, "a resume raises the epoch");
	if (before.kind === "hold" && after.kind !== "hold" && after.kind !== "armed") must(!UPWARD.includes(after.kind), "hold goes up only by resume");

	if (before.kind === "cut") must(after.kind === "cut" || (after.kind === "off" && input.kind === "presence"), "cut is left at the node only");
	if (before.kind === "fault")
		must(after.kind === "fault" || after.kind === "cut" || (after.kind === "off" && input.kind === "presence"), "fault is left at the node only");
	if (LATCHED.includes(before.kind) && after.kind === "off") must(!before.seen.some((cause) => cause === "cut"), "a cut that holds is not left");
	if (before.kind === "settling") must(["settling", "off", ...LATCHED].includes(after.kind), "settling takes no input");

	// What is in force acts at once.
	for (const rule of rules.rules) {
		if (after.causes[rule.id]?.inForce !== true || rule.in === "unpowered") continue;
		if (UPWARD.includes(after.kind)) must(STOP_ACTIONS.indexOf(rule.action) < STOP_ACTIONS.indexOf("hold"), `${rule.id} is in force and it is ${after.kind}`);
		if (rule.action === "cut") must(after.kind === "cut", `${rule.id} is in force and it is ${after.kind}`);
		if (rule.action === "settle") must(after.kind !== "hold", `${rule.id} is in force and it holds`);
		must(rule.action === "warn" || !after.arming, `${rule.id} is in force and it is being armed`);
	}
	for (const rule of rules.rules)
		if (rule.graceMs === 0 && after.seen.some((cause) => cause === rule.cause))
			must(after.causes[rule.id]?.inForce === true, `${rule.id} is present and not in force`);
	if (UPWARD.includes(after.kind)) {
		must(after.heardAt !== undefined && at - after.heardAt < silentAfterMs, "core is heard while it is up");
		must(!(UPWARD.includes(before.kind) && at - before.at > rules.timing.loopLateAfterMs), "a late loop stops it, whatever came meanwhile");
	}
	if (after.arming && !before.arming) must(after.goodSince !== undefined && at - after.goodSince >= rules.timing.linkGoodForMs, "armed only over a good link");
	if (before.kind === "hold" && after.kind === "armed")
		must(after.goodSince !== undefined && at - after.goodSince >= rules.timing.linkGoodForMs, "resumed only over a good link");

	// Targets and leases.
	const leased = after.kind === "moving" || after.kind === "calibrating";
	must(leased === (after.lease !== undefined), "a lease where something is held, and nowhere else");
	if (after.lease !== undefined) {
		must(after.lease.until > at, "nothing is held by a lease that is over");
		must(after.lease.until - at <= rules.timing.leaseMaxMs, "no lease is longer than the longest");
		must(!mayWrite(after, after.lease.until), "no target at the end of the lease or after it");
		if (before.lease !== undefined) must(before.lease.holder === after.lease.holder, "one holder at a time");
		if (before.lease?.until !== after.lease.until) must(input.kind === "lease", "only a lease prolongs a lease");
	}
	must(mayWrite(after, at) === (leased || after.kind === "rising" || after.kind === "settling"), "targets from four kinds");

	if (after.kind === "hold" && before.kind !== "hold") must(has(effects, "freeze"), "hold freezes");
	if (after.kind === "settling" && before.kind !== "settling") must(has(effects, "settle"), "settling begins the way down");
	if (LATCHED.includes(after.kind) && !LATCHED.includes(before.kind)) must(has(effects, "disable"), "cut and fault disable, whatever was before");
	if (after.kind === "off" && isEnergised(before)) must(has(effects, "keep-off"), "that it is off is kept");
	return faults;
};

/** From here on nothing but time passes, in steps of a running loop: outputs must be off within this. */
export const msUntilOff = (rules: MoverRules, from: Mover, stepMs: number, atMostMs: number): number => {
	let state = from;
	for (let passedMs = 0; passedMs <= atMostMs; passedMs += stepMs) {
		if (!isEnergised(state)) return passedMs;
		state = stepMover(rules, state, { kind: "time", at: (state.at + stepMs) as Instant }).state;
	}
	return Number.POSITIVE_INFINITY;
};
