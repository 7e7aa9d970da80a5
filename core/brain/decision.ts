// Decides what may be done about one incident: the remedy, the gate row for its risk and the level, the guards, and what would change the answer.
import type { RecordTypes } from "../../contracts/envelope.ts";
import { askingGuard } from "../approvals/asking.ts";
import { type ActionRule, actionRule, fill, type GateRow, type Level, type Policy, type RemedyRow, type Risk, riskOf, type Scalar } from "../policy.ts";
import { type EngineState, type Incident, rowOf, type Symptom } from "../state.ts";
import { type Guard, guardsOf, targetKey } from "./guards.ts";

export type Decision = Omit<RecordTypes["dev.orion.decision.made.v1"], "decision">;
type Rows = Decision["rows"];
type Facts = Decision["facts"];

const LEVELS: readonly Level[] = ["N0", "N2", "N3"];

const factsAbout = (state: EngineState, incident: Incident, symptom: Symptom | undefined): Facts => {
	const position = symptom?.events.at(-1) ?? incident.events.at(-1);
	const at = position === undefined ? {} : { position };
	const measured = symptom?.value === undefined ? {} : { value: symptom.value };
	const bound = symptom?.threshold === undefined ? {} : { threshold: symptom.threshold };
	const facts: Facts = [{ name: incident.title, ...measured, ...bound, ...at, ok: true }];
	if (symptom?.detail !== undefined) facts.push({ name: "what the event said", value: symptom.detail, ...at, ok: true });
	facts.push({ name: "seen", value: symptom?.count ?? incident.count, unit: "times", ok: true });
	const node = rowOf(state.nodes, incident.node);
	facts.push({ name: `presence of ${incident.node}`, value: node?.state ?? "unknown", threshold: "ready", ok: node?.state === "ready" });
	return facts;
};

const gateRow = (policy: Policy, level: Level, risk: Risk): GateRow | undefined =>
	policy.gate.find((row) => row.level.includes(level) && row.risk.includes(risk));

const rowsOf = (policy: Policy, incident: Incident, remedy: RemedyRow | undefined, action: ActionRule | undefined, gate: GateRow | undefined): Rows => {
	const rule = policy.rules.find((row) => row.id === incident.rule);
	const rows: Rows = [];
	if (rule !== undefined) rows.push({ at: rule.at, id: rule.id, matched: true, detail: `correlation: ${rule.kind} ${rule.on}` });
	if (remedy !== undefined) rows.push({ at: remedy.at, id: remedy.id, matched: true, detail: `remedy: ${remedy.says}` });
	if (action !== undefined) rows.push({ at: action.at, id: action.id, matched: true, detail: `action: ${action.risk}` });
	if (gate !== undefined) rows.push({ at: gate.at, id: gate.id, matched: true, detail: `gate: ${gate.says}` });
	for (const row of policy.gate)
		if (row !== gate) rows.push({ at: row.at, id: row.id, matched: false, detail: `gate for ${row.level.join(", ")} and ${row.risk.join(", ")}` });
	return rows.slice(0, 64);
};

/** The levels at which the same incident would have been answered otherwise. */
const otherLevels = (policy: Policy, level: Level, risk: Risk, current: GateRow | undefined): readonly string[] =>
	LEVELS.flatMap((other) => {
		const row = other === level ? undefined : gateRow(policy, other, risk);
		if (row === undefined || row.verdict === current?.verdict) return [];
		const follows = { act: "it would run by itself", ask: "an admin would be asked", would: "it would only be said", refused: "it would be refused" }[
			row.verdict
		];
		return [`at ${other} ${follows} (${row.at}): orion level ${other}`];
	});

const sayGuard = (guard: Guard): string => `if ${guard.guard} let it pass: ${guard.detail}`;

interface Plan {
	readonly remedy: RemedyRow;
	readonly args: Readonly<Record<string, Scalar>>;
	readonly risk: Risk;
	readonly action: ActionRule | undefined;
	readonly gate: GateRow | undefined;
}

const namesOf = ({ node, service }: Incident): Readonly<Record<string, string | undefined>> => ({ node, service });

/** The first row that speaks of the incident's rule and, if it names one, of its key. */
export const remedyFor = (policy: Policy, incident: Incident): RemedyRow | undefined =>
	policy.remedies.find(({ rule, key }) => rule === incident.rule && (key === undefined || `${rule}:${fill(key, namesOf(incident))}` === incident.key));

/** What runs, as people read it. */
export const sayPlan = (name: string, args: Readonly<Record<string, Scalar>>, node: string): string => {
	const said = Object.entries(args).map(([arg, value]) => `${arg} ${String(value)}`);
	return `${name}${said.length === 0 ? "" : ` (${said.join(", ")})`} on ${node}`;
};

const planFor = (policy: Policy, level: Level, incident: Incident): Plan | undefined => {
	const remedy = remedyFor(policy, incident);
	if (remedy === undefined) return undefined;
	const names = namesOf(incident);
	const args = Object.fromEntries(Object.entries(remedy.with).map(([name, text]) => [name, fill(text, names)]));
	const risk = riskOf(policy, remedy.action);
	return { remedy, args, risk, action: actionRule(policy, remedy.action), gate: gateRow(policy, level, risk) };
};

const verdictOf = (plan: Plan, guards: readonly Guard[], what: string): Pick<Decision, "verdict" | "why"> => {
	const { gate } = plan;
	if (plan.action === undefined) return { verdict: "refused", why: `No policy row names ${plan.remedy.action}, so it is RISKY and is not done.` };
	if (gate === undefined) return { verdict: "refused", why: `No gate row speaks of ${plan.risk} at this level, so ${what} is not done.` };
	if (gate.verdict === "would") return { verdict: "would", why: `Would have done: ${what}. ${gate.says}.` };
	if (gate.verdict === "refused") return { verdict: "refused", why: `Not done: ${what}. ${gate.says}.` };
	const blocked = guards.find((guard) => !guard.ok);
	if (blocked?.guard === "breaker") return { verdict: "ask", why: `Stopped trying: ${what}. The breaker is ${blocked.detail}. A person is needed.` };
	if (blocked?.guard === "approval") return { verdict: "wait", why: `Waiting to ask: ${what}. ${blocked.detail}.` };
	if (blocked === undefined && gate.verdict === "ask") return { verdict: "ask", why: `Asking first: ${what}. ${gate.says}.` };
	if (blocked !== undefined) return { verdict: "wait", why: `Waiting to do: ${what}. ${blocked.guard}: ${blocked.detail}.` };
	return { verdict: "act", why: `Doing: ${what}. ${gate.says}.` };
};

/** The decision about an open incident, from the state alone. */
export const decideAbout = (state: EngineState, policy: Policy, incident: Incident): Decision => {
	const symptom = state.symptoms[incident.key];
	const plan = planFor(policy, state.level, incident);
	const base = { incident: incident.id, node: incident.node, level: state.level, facts: factsAbout(state, incident, symptom) };
	if (plan === undefined) {
		const change = [`a remedy row for ${incident.rule} in policies/autonomy.yaml`];
		const why = `No remedy is declared for ${incident.rule}, so nothing is done.`;
		return { ...base, verdict: "nothing", why, rows: rowsOf(policy, incident, undefined, undefined, undefined), guards: [], change };
	}
	const { remedy, args, risk, action, gate } = plan;
	const asking = gate?.verdict === "ask" ? [askingGuard(state, incident, remedy.action, args, policy.approvals)] : [];
	const guards = action === undefined ? [] : [...guardsOf(state, incident, action, args), ...asking];
	const what = sayPlan(remedy.action, args, incident.node);
	const change = [...otherLevels(policy, state.level, risk, gate), ...guards.filter((guard) => !guard.ok).map(sayGuard)].slice(0, 16);
	const rows = rowsOf(policy, incident, remedy, action, gate);
	return { ...base, ...verdictOf(plan, guards, what), action: remedy.action, args, risk, rows, guards: [...guards], change };
};

/** The key under which attempts at this incident are counted; undefined if nothing would be attempted. */
export const targetOf = (state: EngineState, incident: Incident): string | undefined => {
	const plan = state.policy === null ? undefined : planFor(state.policy, state.level, incident);
	return plan?.action === undefined ? undefined : targetKey(plan.action.id, incident.node, plan.args);
};

/** What blocks a decision now: two decisions that differ only in wording and counters are the same decision. */
export const blockedBy = (decision: Decision): string => decision.guards.find((guard) => !guard.ok)?.guard ?? "";
