// Connects the policy files to the policy that the engine knows: parsed, cross-checked, every row with its file and line. A bad one is refused whole.
import { digest } from "../../contracts/digest.ts";
import { contractOf } from "../../contracts/envelope.ts";
import { fail } from "../../contracts/errors.ts";
import type { PolicyActions, PolicyApprovals, PolicyAutonomy, PolicyCorrelation, PolicyLimits, PolicyPresence } from "../../contracts/gen/types.ts";
import { KNOWN_FIELDS } from "../../contracts/gen/validate.ts";
import { type Fail, ok, type Result } from "../../contracts/result.ts";
import { parseDuration } from "../../contracts/time.ts";
import type { ActionRule, AloneRow, ApprovalLimits, CorrelationRule, GateRow, Limits, Policy, PresenceRules, RemedyRow } from "../policy.ts";
import { type Checked, checkYaml } from "./checked-yaml.ts";

export const POLICY_FILES = ["actions.yaml", "approvals.yaml", "autonomy.yaml", "correlation.yaml", "limits.yaml", "presence.yaml"] as const;
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

/** What the contract of commands allows: a node would refuse every other one. */
const NOT_AFTER_MAX_MS = 3_600_000;
const DAY_MS = 86_400_000;
const PULSE_MIN_MS = 100;
const PULSE_MAX_MS = 600_000;

const twice = (ids: readonly string[]): number => ids.findIndex((id, index) => ids.indexOf(id) !== index);

const readActions = (file: Checked<PolicyActions>): Result<readonly ActionRule[]> => {
	const { actions } = file.value;
	const again = twice(actions.map((action) => action.id));
	if (again >= 0) return file.wrong(["actions", again, "id"], `the action ${actions[again]?.id} stands here a second time`);
	for (const [index, { notAfter }] of actions.entries()) {
		if (ms(notAfter) < 1 || ms(notAfter) > NOT_AFTER_MAX_MS)
			return file.wrong(["actions", index, "notAfter"], "a command may be 1 ms to 1 h old when it is carried out");
	}
	for (const [index, { id, inverse, args }] of actions.entries()) {
		if (inverse === undefined) continue;
		const other = actions.find((candidate) => candidate.id === inverse);
		if (other === undefined || inverse === id) return file.wrong(["actions", index, "inverse"], `there is no other action ${inverse}`);
		if ([...other.args].sort().join() !== [...args].sort().join()) return file.wrong(["actions", index, "inverse"], `${inverse} takes other arguments`);
	}
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
			...(action.inverse === undefined ? {} : { inverse: action.inverse }),
			...(action.blast === undefined ? {} : { blast: action.blast }),
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

/** What the engine itself writes, and its own clock, start and housekeeping: a symptom on them would feed on itself. */
const OF_THE_ENGINE =
	/^dev\.orion\.((incident|decision|approval|outcome|breaker|person)\.|action\.(requested|asked|closed)\.|clock\.tick\.|engine\.started\.|node\.removed\.)/;

const placeholders = (text: string): readonly string[] => [...text.matchAll(/\{(\w+)\}/g)].flatMap(([, name]) => (name === undefined ? [] : [name]));

/** A placeholder that no event of the type can fill. */
const unfilled = (type: string, text: string, known: readonly string[]): string | undefined =>
	unknownField(
		type,
		placeholders(text).filter((name) => !known.includes(name)),
	);

/** In a field of its own, or as a label. */
const saysService = (type: string): boolean => unknownField(type, ["service"]) === undefined || unknownField(type, ["labels"]) === undefined;

type RuleText = PolicyCorrelation["rules"][number];

const checkRule = (file: Checked<PolicyCorrelation>, rule: RuleText, index: number): Fail | undefined => {
	const path = ["rules", index] as const;
	if (contractOf(rule.on) === undefined) return file.wrong([...path, "on"], `there is no event ${rule.on}`);
	if (OF_THE_ENGINE.test(rule.on)) return file.wrong([...path, "on"], `${rule.on} is written by the engine itself: no symptom can rest on it`);
	for (const [at, type] of (rule.clear ?? []).entries()) {
		if (contractOf(type) === undefined) return file.wrong([...path, "clear", at], `there is no event ${type}`);
		if (OF_THE_ENGINE.test(type)) return file.wrong([...path, "clear", at], `${type} is written by the engine itself: it clears no symptom`);
		const never = unknownField(type, Object.keys(rule.clearEquals ?? {}));
		if (never !== undefined) return file.wrong([...path, "clearEquals", never], `${type} has no field ${never}`);
		const missing = unfilled(type, rule.key, ["node"]);
		if (missing !== undefined) return file.wrong([...path, "clear", at], `${type} has no field ${missing}, so it can never clear ${rule.key}`);
	}
	const keyless = unfilled(rule.on, rule.key, ["node"]);
	if (keyless !== undefined) return file.wrong([...path, "key"], `${rule.on} has no field ${keyless}`);
	const wordless = unfilled(rule.on, rule.title, ["node", "value", "threshold"]);
	if (wordless !== undefined) return file.wrong([...path, "title"], `${rule.on} has no field ${wordless}`);
	if (rule.severity === "from-event" && unknownField(rule.on, ["severity"]) !== undefined)
		return file.wrong([...path, "severity"], `${rule.on} says no severity`);
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
		const rule = rules.find((candidate) => candidate.id === row.rule);
		if (rule === undefined) return file.wrong([...path, "rule"], `there is no rule ${row.rule} in correlation.yaml`);
		const given = Object.keys(row.with).sort().join(", ");
		const needed = [...action.args].sort().join(", ");
		if (given !== needed) return file.wrong([...path, "with"], `${row.action} takes the arguments (${needed}), not (${given})`);
		for (const [name, text] of Object.entries(row.with)) {
			const strange = placeholders(text).find((placeholder) => placeholder !== "node" && placeholder !== "service");
			if (strange !== undefined) return file.wrong([...path, "with", name], `only {node} and {service} are filled in, not {${strange}}`);
			if (unfilled(rule.on, text, saysService(rule.on) ? ["node", "service"] : ["node"]) !== undefined)
				return file.wrong([...path, "with", name], `${rule.on} says no service`);
		}
		const key = row.key === undefined ? {} : { key: row.key };
		const keyless = placeholders(row.key ?? "").find((placeholder) => placeholder !== "node" && placeholder !== "service");
		if (keyless !== undefined) return file.wrong([...path, "key"], `only {node} and {service} are filled in, not {${keyless}}`);
		read.push({ id: row.id, at: file.at(path), rule: row.rule, ...key, action: row.action, with: row.with, says: row.says });
	}
	return ok(read);
};

/** What no file may loosen: N0 does nothing, and what is RISKY is never done without a person, who is asked at N3 only. */
const readGate = (file: Checked<PolicyAutonomy>): Result<readonly GateRow[]> => {
	for (const [index, { verdict, level, risk }] of file.value.gate.entries()) {
		if (verdict === "ask" && level.includes("N0")) return file.wrong(["gate", index, "level"], "N0 only observes: no row may let it ask");
		if (verdict === "ask" && risk.includes("RISKY") && level.includes("N2"))
			return file.wrong(["gate", index, "level"], "a RISKY action needs N3: no row may let N2 ask for it");
		if (verdict !== "act") continue;
		if (level.includes("N0")) return file.wrong(["gate", index, "level"], "N0 only observes: no row may let it act");
		if (risk.includes("RISKY")) return file.wrong(["gate", index, "risk"], "a RISKY action is never done without a person: no row may let it act");
	}
	return ok(file.value.gate.map((row, index) => ({ ...row, at: file.at(["gate", index]) })));
};

/** Alone a node does only what is SAFE, and only what its own event says enough about. */
const readAlone = (file: Checked<PolicyAutonomy>, actions: readonly ActionRule[]): Result<readonly AloneRow[]> => {
	const rows = file.value.alone ?? [];
	const again = twice(rows.map(({ id }) => id));
	if (again >= 0) return file.wrong(["alone", again, "id"], `the row ${rows[again]?.id} stands here a second time`);
	const read: AloneRow[] = [];
	for (const [index, row] of rows.entries()) {
		const path = ["alone", index] as const;
		const action = actions.find(({ id }) => id === row.action);
		if (action === undefined) return file.wrong([...path, "action"], `there is no action ${row.action} in actions.yaml`);
		if (action.risk !== "SAFE") return file.wrong([...path, "action"], `${row.action} is RISKY: a node never does that alone`);
		if (contractOf(row.on) === undefined) return file.wrong([...path, "on"], `there is no event ${row.on}`);
		const needed = [...action.args].sort().join(", ");
		const given = Object.keys(row.with).sort().join(", ");
		if (given !== needed) return file.wrong([...path, "with"], `${row.action} takes the arguments (${needed}), not (${given})`);
		for (const [name, text] of Object.entries(row.with)) {
			const missing = unfilled(row.on, text, []);
			if (missing !== undefined) return file.wrong([...path, "with", name], `${row.on} has no field ${missing}`);
		}
		const { within, ...rest } = row;
		read.push({ ...rest, at: file.at(path), withinMs: ms(within) });
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

const readApprovals = (file: Checked<PolicyApprovals>): Result<ApprovalLimits> => {
	const { value } = file;
	for (const key of ["decideWithin", "executeWithin"] as const) {
		if (ms(value[key]) < 1_000 || ms(value[key]) > DAY_MS) return file.wrong([key], `${key} is 1 s to 24 h`);
	}
	return ok({
		decideWithinMs: ms(value.decideWithin),
		executeWithinMs: ms(value.executeWithin),
		askAgainAfterMs: ms(value.askAgainAfter),
		askTimesMax: value.askTimesMax,
		asksPerHour: value.asksPerHour,
		forgetAfterMs: ms(value.forgetAfter),
		keepMax: value.keepMax,
	});
};

/** Two rows for the same count would leave it to their order which one is meant. */
const readPresence = (file: Checked<PolicyPresence>): Result<PresenceRules> => {
	const { rows, pulse } = file.value;
	if (ms(pulse) < PULSE_MIN_MS || ms(pulse) > PULSE_MAX_MS) return file.wrong(["pulse"], "a pulse is 100 ms to 10 min");
	const again = twice(rows.map(({ id }) => id));
	if (again >= 0) return file.wrong(["rows", again, "id"], `the row ${rows[again]?.id} stands here a second time`);
	const same = twice(rows.map(({ parent, missed }) => `${parent} ${missed}`));
	if (same >= 0) return file.wrong(["rows", same, "missed"], `another row is for ${rows[same]?.missed} missed pulses already`);
	return ok({ pulseMs: ms(pulse), rows: rows.map((row, index) => ({ ...row, at: file.at(["rows", index]) })) });
};

/** Texts -> the policy and its hash. Fault: POLICY_INVALID with file, line, column and what was expected. */
export const loadPolicy = (texts: PolicyTexts): Result<LoadedPolicy> => {
	const read = <K extends "policy.actions" | "policy.approvals" | "policy.autonomy" | "policy.correlation" | "policy.limits" | "policy.presence">(
		file: PolicyFile,
		contract: K,
	) => checkYaml(texts[file].shownAs, texts[file].text, contract, "POLICY_INVALID");
	const actionsFile = read("actions.yaml", "policy.actions");
	if (!actionsFile.ok) return actionsFile;
	const autonomy = read("autonomy.yaml", "policy.autonomy");
	if (!autonomy.ok) return autonomy;
	const approvals = read("approvals.yaml", "policy.approvals");
	if (!approvals.ok) return approvals;
	const correlation = read("correlation.yaml", "policy.correlation");
	if (!correlation.ok) return correlation;
	const limits = read("limits.yaml", "policy.limits");
	if (!limits.ok) return limits;
	const pulses = read("presence.yaml", "policy.presence");
	if (!pulses.ok) return pulses;
	const actions = readActions(actionsFile.value);
	if (!actions.ok) return actions;
	const rules = readRules(correlation.value);
	if (!rules.ok) return rules;
	const remedies = readRemedies(autonomy.value, actions.value, rules.value);
	if (!remedies.ok) return remedies;
	const gate = readGate(autonomy.value);
	if (!gate.ok) return gate;
	const alone = readAlone(autonomy.value, actions.value);
	if (!alone.ok) return alone;
	const asking = readApprovals(approvals.value);
	if (!asking.ok) return asking;
	const presence = readPresence(pulses.value);
	if (!presence.ok) return presence;
	const content: Policy = {
		actions: actions.value,
		gate: gate.value,
		remedies: remedies.value,
		rules: rules.value,
		limits: readLimits(limits.value),
		alone: alone.value,
		approvals: asking.value,
		presence: presence.value,
	};
	// Through JSON, so that what is hashed is what is recorded.
	const plain = JSON.parse(JSON.stringify(content)) as Policy;
	return ok({ hash: digest(plain), content: plain, files: POLICY_FILES.map((file) => texts[file].shownAs) });
};

/** For callers that found a file missing before there was a text to check. */
export const missingPolicy = (file: string, detail: string): Fail => fail("POLICY_INVALID", { file, line: 1, column: 1, detail });
