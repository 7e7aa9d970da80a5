// Decides whether a person can take back what was approved and done, and asks for the action that does it.
import { derivedId } from "../../contracts/digest.ts";
import { isType, type RecordTypes } from "../../contracts/envelope.ts";
import { targetKey } from "../brain/guards.ts";
import { type ActionRule, actionRule } from "../policy.ts";
import { type Draft, draft, type Recorded } from "../record.ts";
import { type Approval, type EngineState, type NodeView, rowOf } from "../state.ts";
import { isFromPerson } from "./answers.ts";
import type { Refusal } from "./machine.ts";

type Undone = RecordTypes["dev.orion.approval.undone.v1"];

interface Refused {
	readonly reason: Refusal;
	readonly detail: string;
}

interface Undo {
	readonly approval: Approval;
	readonly rule: ActionRule;
	readonly node: NodeView;
}

const no = (reason: Refusal, detail: string): Refused => ({ reason, detail: detail.slice(0, 500) });

/** Only what ran and has ended can be taken back, once, and by an action that the policy names for it. */
const undoOf = (state: EngineState, id: string): Undo | Refused => {
	const approval = rowOf(state.approvals, id);
	if (approval === undefined) return no("unknown", "no such question is known");
	const { asked, status, action, undo } = approval;
	if (action === undefined) return no("drift", `nothing was done for it, it is ${status}`);
	if (action.end === undefined) return no("drift", `${action.id} is still under way; take it back when it has ended`);
	if (undo !== undefined) return no("used", `it was taken back before, with ${undo.id}`);
	const inverse = state.policy === null ? undefined : actionRule(state.policy, asked.name)?.inverse;
	const rule = state.policy === null || inverse === undefined ? undefined : actionRule(state.policy, inverse);
	if (rule === undefined) return no("drift", `no policy row names an action that takes ${asked.name} back`);
	if (state.level === "N0") return no("drift", "N0 only observes; set a higher level first: orion level N2");
	const node = rowOf(state.nodes, asked.node);
	if (node?.state !== "ready" || !node.actions.includes(rule.id)) return no("drift", `${asked.node} is not ready to do ${rule.id}`);
	const target = targetKey(rule.id, asked.node, asked.args);
	const busy = Object.values(state.actions).find((run) => run.target === target || run.target === targetKey(asked.name, asked.node, asked.args));
	return busy === undefined ? { approval, rule, node } : no("drift", `${busy.id} is under way on it`);
};

const requested = (state: EngineState, { approval, rule, node }: Undo): Draft => {
	const { decision, incident, node: name, args } = approval.asked;
	const data = {
		action: `act-${derivedId(`${approval.id}\nundo`, 0).slice(0, 12)}`,
		decision,
		incident,
		node: name,
		name: rule.id,
		args,
		risk: rule.risk,
		notAfterMs: rule.notAfterMs,
		policyHash: state.policyHash,
		attempt: (rowOf(state.incidents, incident)?.attempts ?? 0) + 1,
		session: node.session,
		undoes: approval.id,
	};
	return draft("commander", "dev.orion.action.requested.v1", data, incident, data.action);
};

export const decideUndo = (state: EngineState, { envelope, position }: Recorded): readonly Draft[] => {
	if (!isType(envelope, "dev.orion.approval.undone.v1") || !isFromPerson(envelope.source)) return [];
	const { approval, by, via }: Undone = envelope.data;
	const found = undoOf(state, approval);
	if (!("reason" in found)) return [requested(state, found)];
	const data = { approval, verdict: "undo", by, via, ...found, position } as const;
	return [draft("approvals", "dev.orion.approval.refused.v1", data, rowOf(state.approvals, approval)?.asked.incident, approval)];
};
