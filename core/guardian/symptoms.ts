// Decides what is wrong now: folds events into symptoms, one for each correlation rule and key.
import { type Envelope, nodeOfSource, sessionCounter } from "../../contracts/envelope.ts";
import { type CorrelationRule, factsOf, fill, type Scalar, type Severity } from "../policy.ts";
import type { Recorded } from "../record.ts";
import { type EngineState, mapRows, put, type Said, type Symptom } from "../state.ts";
import { isLatePresence } from "./presence.ts";

const SEVERITIES: readonly string[] = ["info", "warning", "error", "critical"];

/** An absence rule whose clear event came expects nothing until the next sign of life. */
const NOT_EXPECTED_MS = Number.MAX_SAFE_INTEGER;

type Facts = Readonly<Record<string, Scalar | undefined>>;

const holds = (conditions: Readonly<Record<string, Scalar>> | undefined, facts: Facts): boolean =>
	conditions === undefined || Object.entries(conditions).every(([field, value]) => facts[field] === value);

/** What one event says about one rule: raises it, clears it, only shows a sign of life, or nothing. */
const reading = (rule: CorrelationRule, type: string, facts: Facts): "raises" | "clears" | "seen" | undefined => {
	if (rule.kind === "threshold") {
		const value = rule.field === undefined ? undefined : facts[rule.field];
		if (type !== rule.on || typeof value !== "number") return undefined;
		if (rule.above !== undefined && value > rule.above) return "raises";
		// Between the two bounds the symptom stays what it was.
		return value < (rule.clearBelow ?? rule.above ?? value + 1) ? "clears" : "seen";
	}
	if (type === rule.on && holds(rule.equals, facts)) return rule.kind === "absence" ? "seen" : "raises";
	if (rule.clear.includes(type) && holds(rule.clearEquals, facts)) return "clears";
	return undefined;
};

const severityOf = (rule: CorrelationRule, facts: Facts): Severity => {
	if (rule.severity !== "from-event") return rule.severity;
	const said = facts["severity"];
	return typeof said === "string" && SEVERITIES.includes(said) ? (said as Severity) : "warning";
};

/** Facts that people want to see beside the title; long texts are cut where they are shown, not here. */
const detailOf = (facts: Facts): string | undefined => {
	const parts = ["cause", "exitCode", "signal", "detail", "summary"].flatMap((name) => (facts[name] === undefined ? [] : [`${name} ${String(facts[name])}`]));
	return parts.length === 0 ? undefined : parts.join(", ").slice(0, 1_000);
};

const keep = (events: readonly number[], position: number, max: number): readonly number[] => [...events, position].slice(-max);

const raised = (before: Symptom | undefined, rule: CorrelationRule, id: string, facts: Facts, position: number, state: EngineState): Symptom => {
	const { engineMs } = state.clock;
	const value = rule.field === undefined ? facts["value"] : facts[rule.field];
	const threshold = rule.above ?? facts["threshold"];
	const detail = detailOf(facts);
	return {
		id,
		rule: rule.id,
		node: String(facts["node"]),
		...(typeof facts["service"] === "string" ? { service: facts["service"] } : {}),
		firing: true,
		sinceMs: before?.firing === true ? before.sinceMs : engineMs,
		seenMs: engineMs,
		count: (before?.count ?? 0) + 1,
		severity: severityOf(rule, facts),
		title: fill(rule.title, { ...facts, value: value ?? "", threshold: threshold ?? "" }).slice(0, 256),
		...(typeof value === "number" ? { value } : {}),
		...(typeof threshold === "number" ? { threshold } : {}),
		...(detail === undefined ? {} : { detail }),
		events: keep(before?.firing === true ? before.events : [], position, state.policy?.limits.evidencePerIncidentMax ?? 20),
	};
};

const next = (
	before: Symptom | undefined,
	rule: CorrelationRule,
	id: string,
	type: string,
	facts: Facts,
	position: number,
	state: EngineState,
): Symptom | undefined => {
	const { engineMs } = state.clock;
	switch (reading(rule, type, facts)) {
		case "raises":
			return raised(before, rule, id, facts, position, state);
		case "clears":
			// Kept although nothing was wrong: the event that raises it may still be on its way, said earlier and arriving later.
			if (before === undefined) return rule.kind === "event" ? { ...raised(before, rule, id, facts, position, state), firing: false, count: 0 } : undefined;
			if (rule.kind === "absence") return { ...before, seenMs: NOT_EXPECTED_MS };
			if (!before.firing) return before;
			return { ...before, firing: false, sinceMs: engineMs, events: keep(before.events, position, state.policy?.limits.evidencePerIncidentMax ?? 20) };
		case "seen":
			if (rule.kind === "absence") return { ...raised(before, rule, id, facts, position, state), firing: false, sinceMs: engineMs, events: [position] };
			return before === undefined ? undefined : { ...before, seenMs: engineMs };
		default:
			return before;
	}
};

/** Who a record speaks for; undefined for core's own, which may speak of any node. */
export const nodeOf = (envelope: Envelope): string | undefined => nodeOfSource(envelope.source);

interface Reading {
	readonly rules: readonly CorrelationRule[];
	readonly facts: Facts;
	readonly touched: readonly { readonly rule: CorrelationRule; readonly id: string }[];
}

/** What was read of an event last, because it is decided on and folded right after: the same event and rules read the same. */
const READINGS = new WeakMap<Envelope, Reading>();

const read = (rules: readonly CorrelationRule[], envelope: Envelope): Reading => {
	const known = READINGS.get(envelope);
	if (known?.rules === rules) return known;
	const facts = factsOf(envelope, nodeOf(envelope));
	const touched = rules.flatMap((rule) => {
		const key = fill(rule.key, facts);
		return key.includes("{") ? [] : [{ rule, id: `${rule.id}:${key}` }];
	});
	const reading = { rules, facts, touched };
	READINGS.set(envelope, reading);
	return reading;
};

/** Ids of the symptoms that an event speaks of. */
export const touched = (state: EngineState, envelope: Envelope): Reading["touched"] => {
	const rules = state.rulesByType[envelope.type];
	return rules === undefined ? [] : read(rules, envelope).touched;
};

/** Is the symptom an incident now? Level-triggered: asks what is so, not what just happened. */
export const isRaised = (symptom: Symptom, rule: CorrelationRule | undefined, engineMs: number): boolean => {
	if (rule === undefined) return false;
	if (rule.kind === "absence") return engineMs - symptom.seenMs >= rule.forMs;
	return symptom.firing && engineMs - symptom.sinceMs >= rule.forMs && !isQuiet(symptom, rule, engineMs);
};

const isQuiet = (symptom: Symptom, rule: CorrelationRule, engineMs: number): boolean => rule.quietForMs > 0 && engineMs - symptom.seenMs >= rule.quietForMs;

/** Is an incident about this symptom over? Not the opposite of raised: one whose duration began anew is neither. */
export const isOver = (symptom: Symptom, rule: CorrelationRule | undefined, engineMs: number): boolean => {
	if (rule === undefined) return true;
	if (rule.kind === "absence") return !isRaised(symptom, rule, engineMs);
	return !symptom.firing || isQuiet(symptom, rule, engineMs);
};

export const ruleOf = (state: EngineState, symptom: Symptom): CorrelationRule | undefined => state.policy?.rules.find((rule) => rule.id === symptom.rule);

/** How long things were quiet while no core ran is not known: absence and durations begin anew. What is open stays open until something is heard. */
const restarted = (state: EngineState): EngineState => {
	const { engineMs } = state.clock;
	const symptoms = mapRows(state.symptoms, (symptom) => {
		const rule = ruleOf(state, symptom);
		const open = state.incidents[state.incidentOf[symptom.id] ?? ""]?.status === "open";
		if (rule === undefined || rule.forMs === 0 || open) return symptom;
		return rule.kind === "absence" ? { ...symptom, seenMs: Math.max(symptom.seenMs, engineMs) } : { ...symptom, sinceMs: engineMs };
	});
	return { ...state, symptoms };
};

/** Nobody speaks for a node that is no longer of this mesh: nothing is wrong with it, and nothing is expected of it. */
const forgetNode = (state: EngineState, node: string): EngineState => ({
	...state,
	symptoms: mapRows(state.symptoms, (symptom) => {
		if (symptom.node !== node) return symptom;
		// If it is added again it counts its sessions anew.
		const { said: _said, ...rest } = symptom;
		return { ...rest, firing: false, sinceMs: state.clock.engineMs, seenMs: NOT_EXPECTED_MS };
	}),
});

const saidBy = ({ source, lane, session, seq }: Envelope): Said | undefined =>
	lane === undefined || session === undefined || seq === undefined ? undefined : { source, lane, counter: sessionCounter(session), seq };

/** Messages that had to be sent again arrive after younger ones: what the sender said before is not what it says now. */
const isStale = (before: Symptom | undefined, said: Said | undefined): boolean => {
	const newest = before?.said;
	if (newest === undefined || said === undefined || newest.source !== said.source || newest.lane !== said.lane) return false;
	return (said.counter - newest.counter || said.seq - newest.seq) < 0;
};

export const foldSymptoms = (state: EngineState, { envelope, position }: Recorded): EngineState => {
	if (envelope.type === "dev.orion.engine.started.v1") return restarted(state);
	if (envelope.type === "dev.orion.node.removed.v1") return forgetNode(state, envelope.data.node);
	const rules = state.rulesByType[envelope.type];
	if (rules === undefined || isLatePresence(state, envelope)) return state;
	let symptoms = state.symptoms;
	const { facts, touched: speaksOf } = read(rules, envelope);
	const said = saidBy(envelope);
	for (const { rule, id } of speaksOf) {
		const before = symptoms[id];
		if (isStale(before, said)) continue;
		const after = next(before, rule, id, envelope.type, facts, position, state);
		if (after === undefined || (after === before && said === undefined)) continue;
		symptoms = put(symptoms, id, said === undefined ? after : { ...after, said });
	}
	return symptoms === state.symptoms ? state : { ...state, symptoms };
};
