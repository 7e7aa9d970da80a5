// Decides everything: folds records into the state and says what follows from each input. Production, simulation and replay run this and nothing else.
import { derivedId } from "../contracts/digest.ts";
import type { Envelope } from "../contracts/envelope.ts";
import { assert } from "../contracts/result.ts";
import { isoTime } from "../contracts/time.ts";
import { decideApprovals } from "./approvals/approvals.ts";
import { foldChat } from "./approvals/chat.ts";
import { foldApprovals } from "./approvals/fold.ts";
import { decideLevelAsks, foldLevelAsks } from "./approvals/level-asks.ts";
import { decideUndo } from "./approvals/undo.ts";
import { decideDecisions, foldDecisions } from "./brain/brain.ts";
import { decideAllowances, foldAllowances } from "./commander/allowance.ts";
import { foldRuns } from "./commander/fold.ts";
import { decideRuns } from "./commander/runs.ts";
import { decideIncidents, foldIncidents } from "./guardian/incidents.ts";
import { foldPresence } from "./guardian/presence.ts";
import { foldStops } from "./guardian/stops.ts";
import { foldSymptoms } from "./guardian/symptoms.ts";
import type { CorrelationRule, Policy } from "./policy.ts";
import { type Draft, isOutput, type Recorded } from "./record.ts";
import type { EngineState } from "./state.ts";

/** More than this from one input is a loop of ours, not a busy day: a start may have to speak of everything that is known, but only so often. */
const outputsMax = ({ symptoms, incidents, actions }: EngineState): number =>
	4_096 + 16 * (Object.keys(symptoms).length + Object.keys(incidents).length + Object.keys(actions).length);

const foldClock = (state: EngineState, { envelope }: Recorded): EngineState => {
	switch (envelope.type) {
		case "dev.orion.clock.tick.v1": {
			const { engineMs, wallMs, quality } = envelope.data;
			return { ...state, clock: { engineMs: Math.max(state.clock.engineMs, engineMs), wallMs, quality } };
		}
		case "dev.orion.engine.started.v1":
			return { ...state, clock: { ...state.clock, engineMs: Math.max(state.clock.engineMs, envelope.data.engineMs) } };
		default:
			return state;
	}
};

const rulesByType = ({ rules }: Policy): EngineState["rulesByType"] => {
	const byType: Record<string, CorrelationRule[]> = {};
	for (const rule of rules) {
		for (const type of new Set([rule.on, ...rule.clear])) byType[type] = [...(byType[type] ?? []), rule];
	}
	return byType;
};

const foldPolicy = (state: EngineState, { envelope }: Recorded): EngineState => {
	if (envelope.type !== "dev.orion.policy.activated.v1") return state;
	const policy = envelope.data.content as unknown as Policy;
	return { ...state, policy, policyHash: envelope.data.hash, rulesByType: rulesByType(policy) };
};

/** Only a good one counts: monitoring asks how old it is. */
const foldAudit = (state: EngineState, { envelope }: Recorded): EngineState =>
	envelope.type === "dev.orion.audit.verified.v1" && envelope.data.good ? { ...state, auditVerifiedWallMs: state.clock.wallMs } : state;

/** Everything that may change the state, in order: what is so (symptoms) before what follows from it. */
const FOLDS = [
	foldClock,
	foldPolicy,
	foldSymptoms,
	foldPresence,
	foldStops,
	foldIncidents,
	foldDecisions,
	foldApprovals,
	foldChat,
	foldLevelAsks,
	foldRuns,
	foldAllowances,
	foldAudit,
] as const;

/** Pure: the state after a record, whether it is an input or a recorded output. */
export const fold = (state: EngineState, record: Recorded): EngineState => FOLDS.reduce((folded, next) => next(folded, record), state);

const incidentId = (causeId: string, symptom: string): string => `inc-${derivedId(`${causeId}\n${symptom}`, 0).slice(0, 10)}`;

const decideParts = (state: EngineState, record: Recorded): readonly Draft[] => [
	...decideIncidents(state, record, (symptom) => incidentId(record.envelope.id, symptom)),
	...decideDecisions(state, record),
	...decideApprovals(state, record),
	...decideLevelAsks(state, record),
	...decideUndo(state, record),
	...decideRuns(state, record),
	...decideAllowances(state, record),
];

const finish = (state: EngineState, made: Draft, cause: Recorded, index: number): Envelope => {
	const { type, part, subject, incident, data } = made;
	const at = isoTime(state.clock.wallMs);
	const traceparent = state.incidents[incident ?? ""]?.traceparent ?? cause.envelope.traceparent;
	return {
		specversion: "1.0",
		id: derivedId(cause.envelope.id, index),
		source: `/core/${part}`,
		type,
		...(subject === undefined ? {} : { subject }),
		time: at,
		mesh: state.mesh,
		...(incident === undefined ? {} : { correlationid: incident }),
		causationid: cause.envelope.id,
		causeposition: cause.position,
		...(traceparent === undefined ? {} : { traceparent }),
		recordedtime: at,
		...(state.policyHash === "" ? {} : { policyhash: state.policyHash }),
		clockquality: state.clock.quality,
		data,
	} as Envelope;
};

export interface EngineStep {
	readonly state: EngineState;
	/** In order; appended as one atomic batch. Each names its cause's position, so that the newest one is the engine's cursor. */
	readonly outputs: readonly Envelope[];
}

/** Pure: folds one input, and follows what it leads to until nothing more follows. */
export const step = (state: EngineState, input: Recorded): EngineStep => {
	assert(!isOutput(input.envelope), "the engine was asked to decide on its own output");
	let current = fold(state, input);
	const outputs: Envelope[] = [];
	const queue: Recorded[] = [input];
	const most = outputsMax(current);
	for (let index = 0; index < queue.length; index++) {
		const record = queue[index];
		if (record === undefined) break;
		for (const made of decideParts(current, record)) {
			assert(outputs.length < most, `one input led to more than ${most} outputs`);
			const envelope = finish(current, made, input, outputs.length);
			const output = { position: 0, envelope };
			current = fold(current, output);
			outputs.push(envelope);
			queue.push(output);
		}
	}
	return { state: current, outputs };
};
