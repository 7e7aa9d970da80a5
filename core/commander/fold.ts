// Folds what happened to actions into the state: runs, cooldowns, breakers and budgets.
import type { Envelope } from "../../contracts/envelope.ts";
import { freshTarget, targetKey } from "../brain/guards.ts";
import { actionRule } from "../policy.ts";
import type { Recorded } from "../record.ts";
import { type ActionRun, type EngineState, mapRows, put, rowOf, type Target, without } from "../state.ts";

const HOUR_MS = 3_600_000;

const changeRun = (state: EngineState, id: string, next: (run: ActionRun) => ActionRun): EngineState => {
	const run = rowOf(state.actions, id);
	return run === undefined ? state : { ...state, actions: put(state.actions, id, next(run)) };
};

const changeTarget = (state: EngineState, key: string, next: (target: Target) => Target): EngineState => ({
	...state,
	targets: put(state.targets, key, next(state.targets[key] ?? freshTarget)),
});

const requested = (state: EngineState, { data }: Envelope<"dev.orion.action.requested.v1">): EngineState => {
	const { engineMs } = state.clock;
	const target = targetKey(data.name, data.node, data.args);
	const incident = state.incidents[data.incident];
	const run: ActionRun = {
		id: data.action,
		incident: data.incident,
		decision: data.decision,
		name: data.name,
		node: data.node,
		args: data.args,
		target,
		phase: "requested",
		requestedMs: engineMs,
		sinceMs: engineMs,
		asked: 0,
		cleared: false,
		...(data.undoes === undefined ? {} : { undoes: data.undoes }),
		events: incident?.events ?? [],
	};
	const incidents = incident === undefined ? state.incidents : put(state.incidents, incident.id, { ...incident, attempts: data.attempt });
	const counted = changeTarget(state, target, (before) => ({
		...before,
		executionsMs: [...before.executionsMs.filter((ms) => engineMs - ms < HOUR_MS), engineMs],
	}));
	return { ...counted, incidents, actions: put(state.actions, run.id, run) };
};

/** The cooldown runs from the end, whatever the end was; only a command that nobody received leaves no trace. */
const closed = (state: EngineState, { data }: Envelope<"dev.orion.action.closed.v1">): EngineState => {
	const run = state.actions[data.action];
	if (run === undefined) return state;
	const rest = { ...state, actions: without(state.actions, run.id) };
	const { engineMs } = state.clock;
	if (data.end === "undelivered")
		return changeTarget(rest, run.target, (before) => ({ ...before, executionsMs: before.executionsMs.slice(0, -1), cooldownUntilMs: engineMs + 1_000 }));
	const cooldownMs = (state.policy === null ? undefined : actionRule(state.policy, run.name)?.cooldownMs) ?? 0;
	const failures = (before: Target): number => (data.end === "verified" ? 0 : data.end === "refused" ? before.failures : before.failures + 1);
	return changeTarget(rest, run.target, (before) => ({ ...before, cooldownUntilMs: engineMs + cooldownMs, failures: failures(before) }));
};

/** An unknown downtime: cooldowns start again, and none ends sooner, whatever the policy says now. Waits begin anew, because nobody could answer while no core ran. */
const restarted = (state: EngineState, { data }: Envelope<"dev.orion.engine.started.v1">): EngineState => {
	const { engineMs } = state.clock;
	const actions = mapRows(state.actions, (run) => ({ ...run, sinceMs: engineMs }));
	if (data.downtimeMs !== null) return { ...state, actions };
	const cooldownOf = (key: string): number => state.policy?.actions.find((rule) => key.startsWith(`${rule.id} `))?.cooldownMs ?? 0;
	const targets = Object.fromEntries(
		Object.entries(state.targets).map(([key, target]) => [
			key,
			target.executionsMs.length === 0 ? target : { ...target, cooldownUntilMs: Math.max(target.cooldownUntilMs, engineMs + cooldownOf(key)) },
		]),
	);
	return { ...state, actions, targets };
};

/** While verifying, the first sight of a clear symptom is remembered: one that comes back after that is a failure. */
const sawClear = (state: EngineState): EngineState => {
	const actions = mapRows(state.actions, (run) => {
		const symptom = state.symptoms[state.incidents[run.incident]?.key ?? ""];
		return run.phase === "verifying" && !run.cleared && symptom?.firing === false ? { ...run, cleared: true } : run;
	});
	return actions === state.actions ? state : { ...state, actions };
};

export const foldRuns = (state: EngineState, { envelope }: Recorded): EngineState => {
	const { engineMs } = state.clock;
	switch (envelope.type) {
		case "dev.orion.action.requested.v1":
			return requested(state, envelope);
		case "dev.orion.action.dispatched.v1":
			return changeRun(state, envelope.data.action, (run) => (run.phase === "requested" ? { ...run, phase: "dispatched", sinceMs: engineMs } : run));
		case "dev.orion.action.asked.v1":
			return changeRun(state, envelope.data.action, (run) => ({ ...run, phase: "unknown", sinceMs: engineMs, asked: envelope.data.times }));
		case "dev.orion.outcome.verifying.v1":
			return sawClear(changeRun(state, envelope.data.action, (run) => ({ ...run, phase: "verifying", sinceMs: engineMs })));
		case "dev.orion.action.closed.v1":
			return closed(state, envelope);
		case "dev.orion.breaker.opened.v1":
			return changeTarget(state, envelope.data.key, (target) => ({ ...target, breakerUntilMs: envelope.data.untilEngineMs }));
		case "dev.orion.breaker.closed.v1":
			// A person who closes it says that something was mended: what failed before tells nothing any more.
			return changeTarget(state, envelope.data.key, (target) =>
				envelope.data.why === "person" ? { ...target, breakerUntilMs: 0, failures: 0, cooldownUntilMs: 0 } : { ...target, breakerUntilMs: 0 },
			);
		case "dev.orion.engine.started.v1":
			return restarted(state, envelope);
		default:
			return Object.keys(state.actions).length === 0 ? state : sawClear(state);
	}
};
