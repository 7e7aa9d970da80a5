// Decides which symptoms are incidents: opened, seen again, resolved by themselves, reopened.
import type { Envelope, RecordTypes } from "../../contracts/envelope.ts";
import { type Draft, draft, type Recorded } from "../record.ts";
import { type EngineState, type Incident, put, type Symptom } from "../state.ts";
import { isOver, isRaised, ruleOf, touched } from "./symptoms.ts";

const isPowerOfTwo = (count: number): boolean => (count & (count - 1)) === 0;

/** An action is under way for this incident: whether it is over is then the commander's to say, after verification. */
const inRepair = (state: EngineState, incident: Incident): boolean => Object.values(state.actions).some((action) => action.incident === incident.id);

const opened = (state: EngineState, symptom: Symptom, incidentId: string): Draft => {
	const previous = state.incidents[state.incidentOf[symptom.id] ?? ""];
	const reopens =
		previous?.resolvedMs !== undefined && state.clock.engineMs - previous.resolvedMs < (state.policy?.limits.reopenWithinMs ?? 0) ? previous : undefined;
	if (reopens !== undefined) {
		const data = { incident: reopens.id, severity: symptom.severity, events: [...symptom.events], times: reopens.reopened + 1 };
		return draft("guardian", "dev.orion.incident.reopened.v1", data, reopens.id, symptom.id);
	}
	const data: RecordTypes["dev.orion.incident.opened.v1"] = {
		incident: incidentId,
		key: symptom.id,
		rule: symptom.rule,
		node: symptom.node,
		...(symptom.service === undefined ? {} : { service: symptom.service }),
		severity: symptom.severity,
		title: symptom.title,
		events: [...symptom.events],
		...(symptom.value === undefined ? {} : { value: symptom.value }),
		...(symptom.threshold === undefined ? {} : { threshold: symptom.threshold }),
	};
	return draft("guardian", "dev.orion.incident.opened.v1", data, incidentId, symptom.id);
};

const judge = (state: EngineState, symptom: Symptom, newEvent: boolean, incidentId: (symptom: string) => string): readonly Draft[] => {
	const rule = ruleOf(state, symptom);
	const raised = isRaised(symptom, rule, state.clock.engineMs);
	const known = state.incidents[state.incidentOf[symptom.id] ?? ""];
	const open = known?.status === "open" ? known : undefined;
	if (raised && open === undefined) return [opened(state, symptom, incidentId(symptom.id))];
	if (open === undefined) return [];
	if (raised) {
		const graver = symptom.severity !== open.severity;
		if (!newEvent || (!graver && !isPowerOfTwo(symptom.count))) return [];
		const data = { incident: open.id, count: symptom.count, severity: symptom.severity, events: [...symptom.events] };
		return [draft("guardian", "dev.orion.incident.updated.v1", symptom.value === undefined ? data : { ...data, value: symptom.value }, open.id, symptom.id)];
	}
	if (inRepair(state, open) || !isOver(symptom, rule, state.clock.engineMs)) return [];
	const data = { incident: open.id, how: "cleared-by-itself" as const, events: [...symptom.events], openMs: state.clock.engineMs - open.openedMs };
	return [draft("guardian", "dev.orion.incident.resolved.v1", data, open.id, symptom.id)];
};

/** Looks at the symptoms that a record touched, and at all of them when time or the rules moved. */
export const decideIncidents = (state: EngineState, { envelope, position }: Recorded, incidentId: (symptom: string) => string): readonly Draft[] => {
	switch (envelope.type) {
		case "dev.orion.clock.tick.v1": {
			const timed = new Set(state.policy?.rules.filter((rule) => rule.forMs > 0 || rule.quietForMs > 0).map((rule) => rule.id));
			return timed.size === 0
				? []
				: Object.values(state.symptoms).flatMap((symptom) => (timed.has(symptom.rule) ? judge(state, symptom, false, incidentId) : []));
		}
		case "dev.orion.engine.started.v1":
		case "dev.orion.policy.activated.v1":
		case "dev.orion.node.removed.v1":
		case "dev.orion.action.closed.v1":
			return Object.values(state.symptoms).flatMap((symptom) => judge(state, symptom, false, incidentId));
		default:
			return touched(state, envelope).flatMap(({ id }) => {
				const symptom = state.symptoms[id];
				// Seen again only if it is evidence: a reading between two bounds, or a late message, is not.
				return symptom === undefined ? [] : judge(state, symptom, symptom.events.at(-1) === position, incidentId);
			});
	}
};

const traceOf = (envelope: Envelope<"dev.orion.incident.opened.v1">): string =>
	envelope.traceparent ?? `00-${envelope.id.slice(0, 32).padEnd(32, "0")}-${envelope.id.slice(0, 16).padEnd(16, "0")}-01`;

const openIncident = (state: EngineState, envelope: Envelope<"dev.orion.incident.opened.v1">): EngineState => {
	const { incident: id, key, rule, node, service, severity, title, events } = envelope.data;
	const incident: Incident = {
		id,
		key,
		rule,
		node,
		...(service === undefined ? {} : { service }),
		severity,
		title,
		status: "open",
		openedMs: state.clock.engineMs,
		openedWallMs: state.clock.wallMs,
		count: 1,
		reopened: 0,
		attempts: 0,
		events,
		traceparent: traceOf(envelope),
		asked: false,
	};
	return { ...state, incidents: put(state.incidents, id, incident), incidentOf: put(state.incidentOf, key, id) };
};

const change = (state: EngineState, id: string, next: (incident: Incident) => Incident): EngineState => {
	const incident = state.incidents[id];
	return incident === undefined ? state : { ...state, incidents: put(state.incidents, id, next(incident)) };
};

const merge = (before: readonly number[], after: readonly number[], max: number): readonly number[] =>
	[...new Set([...before, ...after])].sort((a, b) => a - b).slice(-max);

/** What is over leaves the state after a while, or names that never come again would fill it; the log keeps all. */
const forget = (state: EngineState): EngineState => forgetSymptoms(forgetIncidents(state));

const forgetSymptoms = (state: EngineState): EngineState => {
	const { engineMs } = state.clock;
	const afterMs = state.policy?.limits.forgetResolvedAfterMs ?? Number.POSITIVE_INFINITY;
	const isOver = ({ id, firing, sinceMs, seenMs }: Symptom): boolean =>
		!firing && state.incidentOf[id] === undefined && engineMs - Math.max(sinceMs, seenMs) > afterMs;
	if (!Object.values(state.symptoms).some(isOver)) return state;
	return { ...state, symptoms: Object.fromEntries(Object.entries(state.symptoms).filter(([, symptom]) => !isOver(symptom))) };
};

const forgetIncidents = (state: EngineState): EngineState => {
	const { engineMs } = state.clock;
	const afterMs = state.policy?.limits.forgetResolvedAfterMs ?? Number.POSITIVE_INFINITY;
	const old = Object.values(state.incidents).filter((incident) => incident.resolvedMs !== undefined && engineMs - incident.resolvedMs > afterMs);
	if (old.length === 0) return state;
	const gone = new Set(old.map((incident) => incident.id));
	const incidents = Object.fromEntries(Object.entries(state.incidents).filter(([id]) => !gone.has(id)));
	const incidentOf = Object.fromEntries(Object.entries(state.incidentOf).filter(([, id]) => !gone.has(id)));
	return { ...state, incidents, incidentOf };
};

export const foldIncidents = (state: EngineState, { envelope }: Recorded): EngineState => {
	const max = state.policy?.limits.evidencePerIncidentMax ?? 20;
	switch (envelope.type) {
		case "dev.orion.incident.opened.v1":
			return openIncident(state, envelope);
		case "dev.orion.incident.updated.v1": {
			const { incident, count, severity, events } = envelope.data;
			return change(state, incident, (before) => ({ ...before, count, severity, events: merge(before.events, events, max) }));
		}
		case "dev.orion.incident.reopened.v1": {
			const { incident, severity, events, times } = envelope.data;
			return change(state, incident, (before) => {
				const { resolvedMs: _ms, resolvedWallMs: _wall, resolvedHow: _how, decision: _decision, ...rest } = before;
				const { engineMs, wallMs } = state.clock;
				return {
					...rest,
					status: "open",
					openedMs: engineMs,
					openedWallMs: wallMs,
					severity,
					reopened: times,
					asked: false,
					events: merge(before.events, events, max),
				};
			});
		}
		case "dev.orion.incident.resolved.v1": {
			const { incident, how, events } = envelope.data;
			const resolved = { status: "resolved", resolvedMs: state.clock.engineMs, resolvedWallMs: state.clock.wallMs, resolvedHow: how } as const;
			return change(state, incident, (before) => ({ ...before, ...resolved, events: merge(before.events, events, max) }));
		}
		case "dev.orion.clock.tick.v1":
			return forget(state);
		default:
			return state;
	}
};
