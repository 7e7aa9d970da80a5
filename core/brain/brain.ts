// Decides when incidents are decided about: when they open, when level, policy, node or guards change, and after a restart.
import { derivedId } from "../../contracts/digest.ts";
import { type Draft, draft, type Recorded } from "../record.ts";
import { type EngineState, type Incident, openIncidents, put, rowOf } from "../state.ts";
import { blockedBy, type Decision, decideAbout } from "./decision.ts";

/**
 * The record that caused it and the incident give every decision its id, so a replay gives the same ones. Both are hashed together:
 * an incident that is reopened for weeks must never see the same id twice, because the action's id follows from it.
 */
export const decisionId = (causeId: string, incident: string): string => `dec-${derivedId(`${causeId}\n${incident}`, 0).slice(0, 16)}`;

/**
 * An open breaker; a budget that is used up without a cure, although it fills again by itself; questions that nobody answers.
 * What asks for an approval is no call for help: the question itself is.
 */
const needsPerson = (decision: Decision): boolean => {
	const blocked = blockedBy(decision);
	if (decision.verdict === "ask") return blocked === "breaker";
	if (decision.verdict !== "wait") return false;
	return blocked === "budget" || decision.guards.some(({ guard, ok, untilEngineMs }) => guard === "approval" && !ok && untilEngineMs === undefined);
};

const decideOn = (state: EngineState, incident: Incident, causeId: string): readonly Draft[] => {
	if (state.policy === null) return [];
	const decision = decideAbout(state, state.policy, incident);
	const last = incident.decision;
	const blocked = blockedBy(decision);
	// An action under way is no news, and neither is the same answer for the same reason.
	if (blocked === "claim") return [];
	if (last?.verdict === decision.verdict && last.action === decision.action && last.blockedBy === blocked && decision.verdict !== "act") return [];
	const id = decisionId(causeId, incident.id);
	const made = draft("brain", "dev.orion.decision.made.v1", { decision: id, ...decision }, incident.id, incident.id);
	if (incident.asked || !needsPerson(decision)) return [made];
	const suggestion =
		blocked === "approval"
			? "Set the level again and be there to answer: orion level N3"
			: `Mend what is wrong, then let it try again: orion retry ${incident.id}`;
	return [made, draft("brain", "dev.orion.person.asked.v1", { incident: incident.id, why: decision.why.slice(0, 500), suggestion }, incident.id, incident.id)];
};

export const decideDecisions = (state: EngineState, { envelope }: Recorded): readonly Draft[] => {
	switch (envelope.type) {
		case "dev.orion.incident.opened.v1":
		case "dev.orion.incident.reopened.v1": {
			const incident = state.incidents[envelope.data.incident];
			return incident === undefined ? [] : decideOn(state, incident, envelope.id);
		}
		case "dev.orion.approval.closed.v1": {
			// What was approved is done now; every other end is decided afresh.
			const incident = state.incidents[envelope.data.incident];
			return envelope.data.end === "approved" || incident?.status !== "open" ? [] : decideOn(state, incident, envelope.id);
		}
		case "dev.orion.level.set.v1":
		case "dev.orion.policy.activated.v1":
		case "dev.orion.engine.started.v1":
		case "dev.orion.action.closed.v1":
		case "dev.orion.breaker.closed.v1":
		case "dev.orion.node.state.v1":
		case "dev.orion.node.about.v1":
		case "dev.orion.node.safety.v1":
		case "dev.orion.node.silence.v1":
		case "dev.orion.stop.requested.v1":
		case "dev.orion.stop.released.v1":
			return openIncidents(state).flatMap((incident) => decideOn(state, incident, envelope.id));
		case "dev.orion.clock.tick.v1":
			return openIncidents(state).flatMap((incident) =>
				incident.decision?.verdict === "wait" || incident.decision?.blockedBy === "breaker" ? decideOn(state, incident, envelope.id) : [],
			);
		default:
			return [];
	}
};

const change = (state: EngineState, id: string, next: (incident: Incident) => Incident): EngineState => {
	const incident = state.incidents[id];
	return incident === undefined ? state : { ...state, incidents: put(state.incidents, id, next(incident)) };
};

export const foldDecisions = (state: EngineState, { envelope }: Recorded): EngineState => {
	switch (envelope.type) {
		case "dev.orion.decision.made.v1": {
			const { decision: id, incident, verdict, action } = envelope.data;
			const blocked = blockedBy(envelope.data);
			return change(state, incident, (before) => ({ ...before, decision: { id, verdict, ...(action === undefined ? {} : { action }), blockedBy: blocked } }));
		}
		case "dev.orion.approval.closed.v1": {
			// The decision that asked is answered: the same one may be made again.
			const decision = rowOf(state.approvals, envelope.data.approval)?.asked.decision;
			return change(state, envelope.data.incident, (before) => {
				const { decision: last, ...rest } = before;
				return last === undefined || last.id !== decision ? before : rest;
			});
		}
		case "dev.orion.person.asked.v1":
			return change(state, envelope.data.incident, (before) => ({ ...before, asked: true }));
		case "dev.orion.level.set.v1":
			return { ...state, level: envelope.data.level };
		default:
			return state;
	}
};
