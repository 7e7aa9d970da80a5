// Decides when a person is asked, whether the answer counts, and whether what was asked for is still so when it is to be done.
import { canonicalText, derivedId, digest } from "../../contracts/digest.ts";
import { type Envelope, isType, type RecordTypes } from "../../contracts/envelope.ts";
import { isoTime, sayDuration } from "../../contracts/time.ts";
import { decideAbout, remedyFor, sayPlan } from "../brain/decision.ts";
import { isRaised, ruleOf } from "../guardian/symptoms.ts";
import { actionRule, fill } from "../policy.ts";
import { type Draft, draft, type Recorded } from "../record.ts";
import { type Approval, type EngineState, rowOf } from "../state.ts";
import { isFromPerson, refusalOf, saysRefusal } from "./answers.ts";
import { askingGuard, timesOf } from "./asking.ts";
import { levelAskOf } from "./level-asks.ts";
import { type Happening, isLive, type Refusal, settled } from "./machine.ts";

const PART = "approvals";

type Asked = RecordTypes["dev.orion.approval.requested.v1"];
type Made = RecordTypes["dev.orion.decision.made.v1"];

const liveOf = (state: EngineState, incident: string): Approval | undefined =>
	Object.values(state.approvals).find(({ asked, status }) => asked.incident === incident && isLive(status));

const close = (state: EngineState, { id, asked, askedMs, answer }: Approval, end: RecordTypes["dev.orion.approval.closed.v1"]["end"], why?: string): Draft => {
	const byPerson = answer !== undefined && (end === "approved" || end === "denied" || end === "revoked");
	const said = byPerson ? { by: answer.by, via: answer.via } : {};
	const reason = byPerson ? answer.why : why;
	const data = { approval: id, incident: asked.incident, end, ...said, ...(reason === undefined ? {} : { why: reason.slice(0, 500) }) };
	return draft(PART, "dev.orion.approval.closed.v1", { ...data, tookMs: state.clock.engineMs - askedMs }, asked.incident, id);
};

const REFUSAL_OF_END: Readonly<Record<string, Refusal>> = { denied: "denied", superseded: "superseded", revoked: "revoked", void: "drift" };

/** A yes that led to nothing is told why. */
const unheard = ({ id, asked, answer }: Approval, end: string, why: string | undefined): readonly Draft[] => {
	const reason = REFUSAL_OF_END[end];
	if (answer?.verdict !== "approve" || reason === undefined) return [];
	const { verdict, by, via, position } = answer;
	const data = { approval: id, verdict, by, via, reason, detail: (why ?? `it was ${end} in the same moment`).slice(0, 500), position };
	return [draft(PART, "dev.orion.approval.refused.v1", data, asked.incident, id)];
};

/** What makes a question pointless before anybody answers it. */
const standingDrift = (state: EngineState, { asked, unsure }: Approval, decision: Omit<Made, "decision"> | undefined): string | undefined => {
	if (unsure) return "core was away, and nobody knows for how long: its deadline means nothing any more";
	if (asked.policyHash !== state.policyHash) return "the policy has changed since it was asked";
	if (decision === undefined) return undefined;
	if (decision.action !== asked.name || canonicalText(decision.args ?? {}) !== canonicalText(asked.args)) return "another remedy answers the incident now";
	if (decision.verdict !== "ask" && decision.verdict !== "wait") return `at ${state.level} nobody is asked for it: ${decision.why}`;
	return undefined;
};

/** The gates once more, in the moment in which it is to be done: what has drifted since it was asked. */
const drift = (state: EngineState, { asked, answer }: Approval, decision: Omit<Made, "decision"> | undefined): string | undefined => {
	const incident = rowOf(state.incidents, asked.incident);
	const symptom = incident === undefined ? undefined : state.symptoms[incident.key];
	if (incident === undefined || decision === undefined || symptom === undefined) return "nothing is known of the incident any more";
	if (!isRaised(symptom, ruleOf(state, symptom), state.clock.engineMs)) return "what was wrong is not so any more";
	if (state.clock.engineMs > Math.min(asked.executeByEngineMs, (answer?.atMs ?? 0) + asked.executeWithinMs))
		return `it was approved, but could not be carried out within ${sayDuration(asked.executeWithinMs)}`;
	if (rowOf(state.nodes, asked.node)?.session !== asked.session) return `${asked.node} has started anew since it was asked`;
	const blocked = decision.guards.find(({ guard, ok }) => !ok && guard !== "approval");
	return blocked === undefined ? undefined : `${blocked.guard}: ${blocked.detail}`;
};

const settle = (state: EngineState, approval: Approval): readonly Draft[] => {
	const { asked, status, answer } = approval;
	if (!isLive(status)) return [];
	const { engineMs } = state.clock;
	const incident = rowOf(state.incidents, asked.incident);
	const isOpen = incident?.status === "open";
	const decision = state.policy === null || !isOpen ? undefined : decideAbout(state, state.policy, incident);
	const holds = new Set<Happening>();
	if (answer?.verdict === "revoke" || answer?.verdict === "deny") holds.add(answer.verdict);
	if (!isOpen) holds.add("supersede");
	const isDue = answer?.verdict === "approve" && engineMs > answer.atMs;
	const drifted = standingDrift(state, approval, decision) ?? (isDue ? drift(state, approval, decision) : undefined);
	if (drifted !== undefined) holds.add("void");
	if (engineMs > asked.decideByEngineMs) holds.add("expire");
	if (isDue) holds.add("honour");
	const found = settled(status, holds);
	if (found === undefined) return [];
	const why = { supersede: "the incident is over", void: drifted, expire: `nobody answered within ${sayDuration(asked.decideWithinMs)}` };
	const said = found.happening in why ? why[found.happening as keyof typeof why] : undefined;
	return [...unheard(approval, found.end, said), close(state, approval, found.end, said)];
};

const settleAll = (state: EngineState): readonly Draft[] => Object.values(state.approvals).flatMap((approval) => settle(state, approval));

const onAnswer = (state: EngineState, envelope: Envelope<"dev.orion.approval.decided.v1">, position: number): readonly Draft[] => {
	const { approval: id, verdict, by, via } = envelope.data;
	if (!isFromPerson(envelope.source) || levelAskOf(state, id) !== undefined) return [];
	const approval = rowOf(state.approvals, id);
	// Kept with the question: it counted. A no counts at once; a yes only when time has moved on.
	if (approval !== undefined && approval.answer?.position === position) return verdict === "approve" ? [] : settle(state, approval);
	const reason = refusalOf(approval, envelope.data, state.clock.engineMs) ?? "unknown";
	const data = { approval: id, verdict, by, via, reason, detail: saysRefusal(reason, approval), position };
	return [draft(PART, "dev.orion.approval.refused.v1", data, approval?.asked.incident, id)];
};

const questionFor = (state: EngineState, made: Made): Asked | undefined => {
	const { incident: incidentId, decision, action: name, args, risk, node } = made;
	const { policy } = state;
	const incident = rowOf(state.incidents, incidentId);
	const limits = policy?.approvals;
	if (policy === null || limits === undefined || incident?.status !== "open" || name === undefined || args === undefined || risk === undefined)
		return undefined;
	const rule = actionRule(policy, name);
	const session = rowOf(state.nodes, node)?.session;
	if (rule === undefined || session === undefined || !askingGuard(state, incident, name, args, limits).ok) return undefined;
	const { engineMs, wallMs } = state.clock;
	const { decideWithinMs, executeWithinMs } = limits;
	const { service } = args;
	const targets: Asked["targets"] = [service === undefined ? node : `${node}/${String(service)}`];
	const plan = sayPlan(name, args, node);
	const decideByEngineMs = engineMs + decideWithinMs;
	const executeByEngineMs = decideByEngineMs + executeWithinMs;
	const { policyHash } = state;
	return {
		approval: `apr-${derivedId(`${decision}\napproval`, 0).slice(0, 12)}`,
		incident: incidentId,
		decision,
		node,
		name,
		args,
		risk,
		targets,
		plan,
		why: `${incident.title}: ${remedyFor(policy, incident)?.says ?? made.why}`.slice(0, 1_024),
		blast: fill(rule.blast ?? `${targets.join(", ")}, and whatever relies on it`, { node, ...args }).slice(0, 1_024),
		undo: rule.undo,
		undoSays: rule.undoSays,
		evidence: [...incident.events],
		policyHash,
		boundHash: digest({ plan, args, targets, policyHash, decideByEngineMs, executeByEngineMs }),
		session,
		times: timesOf(state, incident, name, args),
		decideByEngineMs,
		executeByEngineMs,
		decideWithinMs,
		executeWithinMs,
		decideBy: isoTime(wallMs + decideWithinMs),
	};
};

const isSameQuestion = ({ asked }: Approval, made: Made, state: EngineState): boolean =>
	asked.name === made.action && asked.policyHash === state.policyHash && canonicalText(asked.args) === canonicalText(made.args ?? {});

/** A newer decision takes the place of the one that asked; one that asks for the same leaves the question as it stands. */
const onDecision = (state: EngineState, made: Made): readonly Draft[] => {
	const standing = liveOf(state, made.incident);
	const asks = made.verdict === "ask" && made.guards.every(({ ok }) => ok);
	if (standing !== undefined && asks && isSameQuestion(standing, made, state)) return [];
	const why = `a newer decision takes its place: ${made.verdict}`;
	const closed = standing === undefined ? [] : [...unheard(standing, "superseded", why), close(state, standing, "superseded", why)];
	const question = asks ? questionFor(state, made) : undefined;
	if (question === undefined) return closed;
	return [...closed, draft(PART, "dev.orion.approval.requested.v1", question, question.incident, question.approval)];
};

export const decideApprovals = (state: EngineState, { envelope, position }: Recorded): readonly Draft[] => {
	if (isType(envelope, "dev.orion.approval.decided.v1")) return onAnswer(state, envelope, position);
	if (isType(envelope, "dev.orion.decision.made.v1")) return onDecision(state, envelope.data);
	switch (envelope.type) {
		case "dev.orion.clock.tick.v1":
		case "dev.orion.engine.started.v1":
		case "dev.orion.level.set.v1":
		case "dev.orion.policy.activated.v1":
		case "dev.orion.incident.resolved.v1":
			return settleAll(state);
		default:
			return [];
	}
};

/** Engine times at which a standing question ends or an answer begins to count. */
export function* approvalTimers(state: EngineState): Iterable<number> {
	for (const { status, asked, answer } of Object.values(state.approvals)) {
		if (!isLive(status)) continue;
		yield asked.decideByEngineMs + 1;
		if (answer !== undefined) yield answer.atMs + 1;
	}
}
