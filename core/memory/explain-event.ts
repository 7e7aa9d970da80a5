// Decides why a record belongs to no incident: which correlation rules speak of it, and what it would have needed.
import type { Envelope } from "../../contracts/envelope.ts";
import { sayDuration } from "../../contracts/time.ts";
import { nodeOf } from "../guardian/symptoms.ts";
import { type CorrelationRule, factsOf, type Policy, type Scalar } from "../policy.ts";
import { isOutput } from "../record.ts";

type Facts = Readonly<Record<string, Scalar | undefined>>;

const unlike = (conditions: Readonly<Record<string, Scalar>> | undefined, facts: Facts): string | undefined => {
	const different = Object.entries(conditions ?? {}).find(([field, value]) => facts[field] !== value);
	return different === undefined ? undefined : `${different[0]} is ${String(facts[different[0]] ?? "absent")}, not ${String(different[1])}`;
};

const lasting = (rule: CorrelationRule): string => (rule.forMs === 0 ? "" : `, and must last ${sayDuration(rule.forMs)}`);

const saidByRule = (rule: CorrelationRule, type: string, facts: Facts): string => {
	const at = `${rule.id} (${rule.at})`;
	if (rule.kind === "absence" && type === rule.on) return `${at} waits for the opposite: that nothing like this comes for ${sayDuration(rule.forMs)}`;
	if (rule.kind === "threshold") {
		const value = rule.field === undefined ? undefined : facts[rule.field];
		if (typeof value !== "number") return `${at} looks at ${rule.field ?? "a field"}, which is absent here`;
		const over = rule.above !== undefined && value > rule.above;
		return `${at} looks at ${rule.field ?? "a field"}: ${value} is ${over ? "" : "not "}above ${rule.above ?? "its bound"}${lasting(rule)}`;
	}
	if (type === rule.on) {
		const wanting = unlike(rule.equals, facts);
		if (wanting === undefined) return `${at} raises on it${lasting(rule)}; no incident names it as its evidence, so it was there already or had cleared`;
		if (!rule.clear.includes(type)) return `${at} speaks of it, but ${wanting}`;
	}
	const wanting = unlike(rule.clearEquals, facts);
	return wanting === undefined ? `${at} is cleared by it, and nothing was there to clear` : `${at} speaks of it, but ${wanting}`;
};

/** Sentences for a record that no incident names; never empty. */
export const whyNoIncident = (policy: Policy | null, envelope: Envelope): readonly string[] => {
	if (isOutput(envelope)) return ["it is a record of core itself about no incident"];
	if (policy === null) return ["no policy is in force, so nothing is an incident"];
	const rules = policy.rules.filter((rule) => rule.on === envelope.type || rule.clear.includes(envelope.type));
	if (rules.length === 0) return [`no correlation rule speaks of ${envelope.type}`];
	const facts = factsOf(envelope, nodeOf(envelope));
	return rules.map((rule) => saidByRule(rule, envelope.type, facts));
};
