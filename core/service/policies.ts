// Connects the policy files to the policy that the engine knows: parsed, cross-checked, every row with its file and line. A bad one is refused whole.
import { digest } from "../../contracts/digest.ts";
import { contractOf } from "../../contracts/envelope.ts";
import { fail } from "../../contracts/errors.ts";
import type { PolicyActions, PolicyAutonomy, PolicyCorrelation, PolicyLimits } from "../../contracts/gen/types.ts";
import { KNOWN_FIELDS } from "../../contracts/gen/validate.ts";
import { type Fail, ok, type Result } from "../../contracts/result.ts";
import { parseDuration } from "../../contracts/time.ts";
import type { ActionRule, CorrelationRule, Limits, Policy, RemedyRow } from "../policy.ts";
import { type Checked, checkYaml } from "./checked-yaml.ts";

export const POLICY_FILES = ["actions.yaml", "autonomy.yaml", "correlation.yaml", "limits.yaml"] as const;
export type PolicyFile = (typeof POLICY_FILES)[number];

/** The text of each policy file with the name to show for it. */
export type PolicyTexts = Readonly<Record<PolicyFile, { readonly shownAs: string; readonly text: string }>>;

export interface LoadedPolicy {
	readonly hash: string;
	readonly content: Policy;
	readonly files: readonly string[];
}

/** Durations passed the contract's pattern before they come here. */
const ms = (text: string): number => parseDuration(text) ?? 0;

const twice = (ids: readonly string[]): number => ids.findIndex((id, index) => ids.indexOf(id) !== index);

const readActions = (file: Checked<PolicyActions>): Result<readonly ActionRule[]> => {
	const { actions } = file.value;
	const again = twice(actions.map((action) => action.id));
	if (again >= 0) return file.wrong(["actions", again, "id"], `the action ${actions[again]?.id} stands here a second time`);
	return ok(
		actions.map((action, index) => ({
			id: action.id,
			at: file.at(["actions", index]),
			risk: action.risk,
			capability: action.capability,
			args: action.args,
			notAfterMs: ms(action.notAfter),
			clearForMs: ms(action.verify.clearFor),
			withinMs: ms(action.verify.within),
			undo: action.undo,
			undoSays: action.undoSays,
			cooldownMs: ms(action.cooldown),
			budgetPerHour: action.budgetPerHour,
			breakerFailures: action.breaker.failures,
			breakerOpenMs: ms(action.breaker.openFor),
		})),
	);
};

/** A field that the contract of the event does not name can never match: a rule on it would be dead. */
const unknownField = (type: string, fields: readonly string[]): string | undefined => {
	const name = contractOf(type);
	return name === undefined ? undefined : fields.find((field) => !KNOWN_FIELDS[name].includes(field));
};

type RuleText = PolicyCorrelation["rules"][number];

const checkRule = (file: Checked<PolicyCorrelation>, rule: RuleText, index: number): Fail | undefined => {
	const path = ["rules", index] as const;
	if (contractOf(rule.on) === undefined) return file.wrong([...path, "on"], `there is no event ${rule.on}`);
	const badClear = (rule.clear ?? []).findIndex((type) => contractOf(type) === undefined);
	if (badClear >= 0) return file.wrong([...path, "clear", badClear], `there is no event ${rule.clear?.[badClear]}`);
	const unknown = unknownField(rule.on, [...(rule.field === undefined ? [] : [rule.field]), ...Object.keys(rule.equals ?? {})]);
	if (unknown !== undefined) return file.wrong([...path, rule.field === unknown ? "field" : "equals"], `${rule.on} has no field ${unknown}`);
	if (rule.kind === "threshold" && (rule.field === undefined || rule.above === undefined)) return file.wrong(path, "a threshold rule needs field and above");
	if (rule.kind === "threshold" && rule.clearBelow !== undefined && rule.clearBelow > (rule.above ?? 0))
		return file.wrong([...path, "clearBelow"], "clearBelow is higher than above");
	if (rule.kind !== "event" && rule.quietFor !== undefined) return file.wrong([...path, "quietFor"], "only an event rule can be over by being quiet");
	if (rule.kind === "absence" && rule.for === undefined) return file.wrong(path, "an absence rule needs for: how long nothing may come");
	return undefined;
};

const readRules = (file: Checked<PolicyCorrelation>): Result<readonly CorrelationRule[]> => {
	const { rules } = file.value;
	const again = twice(rules.map((rule) => rule.id));
	if (again >= 0) return file.wrong(["rules", again, "id"], `the rule ${rules[again]?.id} stands here a second time`);
	const read: CorrelationRule[] = [];
	for (const [index, rule] of rules.entries()) {
		const wrong = checkRule(file, rule, index);
		if (wrong !== undefined) return wrong;
		const { for: lasts, quietFor, clear, severity, ...rest } = rule;
		read.push({
			...rest,
			at: file.at(["rules", index]),
			clear: clear ?? [],
			forMs: lasts === undefined ? 0 : ms(lasts),
			quietForMs: quietFor === undefined ? 0 : ms(quietFor),
			severity: severity as CorrelationRule["severity"],
		} as CorrelationRule);
	}
	return ok(read);
};

const readRemedies = (file: Checked<PolicyAutonomy>, actions: readonly ActionRule[], rules: readonly CorrelationRule[]): Result<readonly RemedyRow[]> => {
	const read: RemedyRow[] = [];
	for (const [index, row] of file.value.remedies.entries()) {
		const path = ["remedies", index] as const;
		const action = actions.find((candidate) => candidate.id === row.action);
		if (action === undefined) return file.wrong([...path, "action"], `there is no action ${row.action} in actions.yaml`);
		if (!rules.some((rule) => rule.id === row.rule)) return file.wrong([...path, "rule"], `there is no rule ${row.rule} in correlation.yaml`);
		const given = Object.keys(row.with).sort().join(", ");
		const needed = [...action.args].sort().join(", ");
		if (given !== needed) return file.wrong([...path, "with"], `${row.action} takes the arguments (${needed}), not (${given})`);
		read.push({ id: row.id, at: file.at(path), rule: row.rule, action: row.action, with: row.with, says: row.says });
	}
	return ok(read);
};

const readLimits = ({ value }: Checked<PolicyLimits>): Limits => ({
	reopenWithinMs: ms(value.reopenWithin),
	evidencePerIncidentMax: value.evidencePerIncidentMax,
	forgetResolvedAfterMs: ms(value.forgetResolvedAfter),
	receiptWithinMs: ms(value.receiptWithin),
	askTimesMax: value.askTimesMax,
});

/** Texts -> the policy and its hash. Fault: POLICY_INVALID with file, line, column and what was expected. */
export const loadPolicy = (texts: PolicyTexts): Result<LoadedPolicy> => {
	const read = <K extends "policy.actions" | "policy.autonomy" | "policy.correlation" | "policy.limits">(file: PolicyFile, contract: K) =>
		checkYaml(texts[file].shownAs, texts[file].text, contract, "POLICY_INVALID");
	const actionsFile = read("actions.yaml", "policy.actions");
	if (!actionsFile.ok) return actionsFile;
	const autonomy = read("autonomy.yaml", "policy.autonomy");
	if (!autonomy.ok) return autonomy;
	const correlation = read("correlation.yaml", "policy.correlation");
	if (!correlation.ok) return correlation;
	const limits = read("limits.yaml", "policy.limits");
	if (!limits.ok) return limits;
	const actions = readActions(actionsFile.value);
	if (!actions.ok) return actions;
	const rules = readRules(correlation.value);
	if (!rules.ok) return rules;
	const remedies = readRemedies(autonomy.value, actions.value, rules.value);
	if (!remedies.ok) return remedies;
	const gate = autonomy.value.value.gate.map((row, index) => ({ ...row, at: autonomy.value.at(["gate", index]) }));
	const content: Policy = { actions: actions.value, gate, remedies: remedies.value, rules: rules.value, limits: readLimits(limits.value) };
	// Through JSON, so that what is hashed is what is recorded.
	const plain = JSON.parse(JSON.stringify(content)) as Policy;
	return ok({ hash: digest(plain), content: plain, files: POLICY_FILES.map((file) => texts[file].shownAs) });
};

/** For callers that found a file missing before there was a text to check. */
export const missingPolicy = (file: string, detail: string): Fail => fail("POLICY_INVALID", { file, line: 1, column: 1, detail });
