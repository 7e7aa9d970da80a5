// Decides what stands in the way of an action that the level allows: claim, breaker, cooldown, budget, and whether the node can do it.
import type { RecordTypes } from "../../contracts/envelope.ts";
import { sayDuration } from "../../contracts/time.ts";
import { presenceOf } from "../guardian/presence.ts";
import { stoppedBy } from "../guardian/stops.ts";
import type { ActionRule, Scalar } from "../policy.ts";
import { type EngineState, type Incident, rowOf, type Target } from "../state.ts";

export type Guard = RecordTypes["dev.orion.decision.made.v1"]["guards"][number];

const HOUR_MS = 3_600_000;

export const targetKey = (action: string, node: string, args: Readonly<Record<string, Scalar>>): string =>
	`${action} ${node}${Object.keys(args)
		.sort()
		.map((name) => ` ${name}=${String(args[name])}`)
		.join("")}`;

export const freshTarget: Target = { cooldownUntilMs: 0, failures: 0, breakerUntilMs: 0, executionsMs: [] };

const pass = (guard: string, detail: string): Guard => ({ guard, ok: true, detail });
const block = (guard: string, detail: string, untilEngineMs?: number): Guard => ({
	guard,
	ok: false,
	detail,
	...(untilEngineMs === undefined ? {} : { untilEngineMs }),
});

const claim = (state: EngineState, incident: Incident, target: string): Guard => {
	const busy = Object.values(state.actions).find((action) => action.target === target || action.incident === incident.id);
	return busy === undefined ? pass("claim", "nothing else is under way on this target") : block("claim", `action ${busy.id} is ${busy.phase} on this target`);
};

const breaker = (state: EngineState, target: Target): Guard => {
	const leftMs = target.breakerUntilMs - state.clock.engineMs;
	if (target.breakerUntilMs === 0) return pass("breaker", `closed, ${target.failures} failed in a row`);
	if (leftMs <= 0) return pass("breaker", "open, and its time is over: one more attempt");
	return block("breaker", `open after ${target.failures} failed repairs in a row, for another ${sayDuration(leftMs)}`, target.breakerUntilMs);
};

const cooldown = (state: EngineState, target: Target): Guard => {
	const leftMs = target.cooldownUntilMs - state.clock.engineMs;
	return leftMs <= 0 ? pass("cooldown", "over") : block("cooldown", `another ${sayDuration(leftMs)} after the last attempt`, target.cooldownUntilMs);
};

const budget = (state: EngineState, rule: ActionRule, target: Target): Guard => {
	const recent = target.executionsMs.filter((ms) => state.clock.engineMs - ms < HOUR_MS);
	const said = `${recent.length} of ${rule.budgetPerHour} executions in the last hour`;
	return recent.length < rule.budgetPerHour
		? pass("budget", said)
		: block("budget", said, (recent[recent.length - rule.budgetPerHour] ?? state.clock.engineMs) + HOUR_MS);
};

const node = (state: EngineState, incident: Incident, rule: ActionRule, args: Readonly<Record<string, Scalar>>): Guard => {
	const view = rowOf(state.nodes, incident.node);
	const presence = view === undefined ? "not known" : presenceOf(view);
	// One that is only suspect may well be there: the gate decides about that.
	if (view === undefined || (presence !== "ready" && presence !== "suspect")) return block("node", `${incident.node} is ${presence}: nothing queues for it`);
	const stop = rowOf(state.stops, incident.node);
	const held = stop === undefined ? undefined : stoppedBy(stop);
	if (held !== undefined)
		return block("node", `${incident.node} was ${held.verb === "cut" ? "cut" : "stopped"} by ${held.by}: nothing is done there until it is released`);
	if (!view.actions.includes(rule.id)) return block("node", `${incident.node} does not offer ${rule.id}`);
	const { service } = args;
	if (rule.args.includes("service") && typeof service === "string" && !view.services.includes(service))
		return block("node", `${incident.node} does not supervise ${service}`);
	return pass("node", `${incident.node} is ready and offers ${rule.id}`);
};

/** All guards, in the order in which a person would ask. None of them is skipped, so that `why` can show every one. */
export const guardsOf = (state: EngineState, incident: Incident, rule: ActionRule, args: Readonly<Record<string, Scalar>>): readonly Guard[] => {
	const key = targetKey(rule.id, incident.node, args);
	const target = state.targets[key] ?? freshTarget;
	return [claim(state, incident, key), node(state, incident, rule, args), breaker(state, target), cooldown(state, target), budget(state, rule, target)];
};
