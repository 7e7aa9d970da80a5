// Decides when time itself may change something next, so that core writes a clock record then and not all the time.
import { approvalTimers } from "./approvals/approvals.ts";
import { askingTimers } from "./approvals/asking.ts";
import { levelAskTimers } from "./approvals/level-asks.ts";
import { actionRule } from "./policy.ts";
import { type EngineState, openIncidents } from "./state.ts";

function* symptomTimers(state: EngineState): Iterable<number> {
	const timed = new Map(state.policy?.rules.filter((rule) => rule.forMs > 0 || rule.quietForMs > 0).map((rule) => [rule.id, rule]));
	if (timed.size === 0) return;
	for (const symptom of Object.values(state.symptoms)) {
		const rule = timed.get(symptom.rule);
		if (rule === undefined) continue;
		if (rule.quietForMs > 0 && symptom.firing) yield symptom.seenMs + rule.quietForMs;
		if (state.incidents[state.incidentOf[symptom.id] ?? ""]?.status === "open") continue;
		if (rule.kind === "absence") yield symptom.seenMs + rule.forMs;
		else if (symptom.firing) yield symptom.sinceMs + rule.forMs;
	}
}

function* actionTimers(state: EngineState): Iterable<number> {
	for (const run of Object.values(state.actions)) {
		const rule = state.policy === null ? undefined : actionRule(state.policy, run.name);
		if (run.phase !== "verifying") {
			if (run.phase !== "requested" && run.asked < (state.policy?.limits.askTimesMax ?? 0)) yield run.sinceMs + (state.policy?.limits.receiptWithinMs ?? 0);
			continue;
		}
		const symptom = state.symptoms[state.incidents[run.incident]?.key ?? ""];
		if (symptom?.firing === false) yield Math.max(symptom.sinceMs, run.sinceMs) + (rule?.clearForMs ?? 0);
		else yield run.sinceMs + (rule?.withinMs ?? 0);
	}
}

function* guardTimers(state: EngineState): Iterable<number> {
	const waiting = openIncidents(state).some((incident) => incident.decision?.verdict === "wait" || incident.decision?.blockedBy === "breaker");
	if (!waiting) return;
	for (const { cooldownUntilMs, breakerUntilMs, executionsMs } of Object.values(state.targets)) {
		yield cooldownUntilMs;
		yield breakerUntilMs;
		for (const ms of executionsMs) yield ms + 3_600_000;
	}
	const limits = state.policy?.approvals;
	if (limits !== undefined) yield* askingTimers(state, limits);
}

/** A use that no longer counts is given back. */
function* allowanceTimers(state: EngineState): Iterable<number> {
	for (const row of state.policy?.alone ?? []) {
		for (const { usedMs } of Object.values(state.allowances)) for (const ms of usedMs[row.id] ?? []) yield ms + row.withinMs;
	}
}

/** Engine time of the earliest timer that is still ahead; undefined if only a new event can change anything. */
export const nextTimerMs = (state: EngineState): number | undefined => {
	let earliest: number | undefined;
	for (const timers of [symptomTimers(state), actionTimers(state), guardTimers(state), approvalTimers(state), levelAskTimers(state), allowanceTimers(state)]) {
		for (const at of timers) if (at > state.clock.engineMs && (earliest === undefined || at < earliest)) earliest = at;
	}
	return earliest;
};
