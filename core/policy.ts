// What the policy files mean once they are read: durations in milliseconds, every row with the file and line it stands on.
import type { Envelope, RecordType } from "../contracts/envelope.ts";

export type Level = "N0" | "N2" | "N3";
export type Risk = "SAFE" | "RISKY";
export type Severity = "info" | "warning" | "error" | "critical";

/** `at` is file:line, for people who ask why. */
interface Row {
	readonly id: string;
	readonly at: string;
}

export interface ActionRule extends Row {
	readonly risk: Risk;
	readonly capability: string;
	readonly args: readonly string[];
	readonly notAfterMs: number;
	readonly clearForMs: number;
	readonly withinMs: number;
	readonly undo: "left-as-found" | "impossible";
	readonly undoSays: string;
	/** The action with which a person takes it back. */
	readonly inverse?: string;
	/** What it touches, for a person. */
	readonly blast?: string;
	readonly cooldownMs: number;
	readonly budgetPerHour: number;
	readonly breakerFailures: number;
	readonly breakerOpenMs: number;
}

export type GateVerdict = "act" | "would" | "refused" | "ask";

export interface GateRow extends Row {
	readonly level: readonly Level[];
	readonly risk: readonly Risk[];
	readonly verdict: GateVerdict;
	readonly says: string;
}

export interface RemedyRow extends Row {
	readonly rule: string;
	/** Only for incidents with this key; absent: for every incident of the rule. */
	readonly key?: string;
	readonly action: string;
	readonly with: Readonly<Record<string, string>>;
	readonly says: string;
}

/** What a node may do by itself while it hears no core. */
export interface AloneRow extends Row {
	readonly on: string;
	readonly action: string;
	readonly with: Readonly<Record<string, string>>;
	readonly uses: number;
	readonly withinMs: number;
	readonly says: string;
}

export type Scalar = string | number | boolean;

export interface CorrelationRule extends Row {
	readonly kind: "event" | "threshold" | "absence";
	readonly on: string;
	readonly clear: readonly string[];
	readonly key: string;
	readonly field?: string;
	readonly above?: number;
	readonly clearBelow?: number;
	readonly equals?: Readonly<Record<string, Scalar>>;
	readonly clearEquals?: Readonly<Record<string, Scalar>>;
	readonly forMs: number;
	/** 0: only an event clears it. */
	readonly quietForMs: number;
	readonly severity: Severity | "from-event";
	readonly title: string;
}

export interface Limits {
	readonly reopenWithinMs: number;
	readonly evidencePerIncidentMax: number;
	readonly forgetResolvedAfterMs: number;
	readonly receiptWithinMs: number;
	readonly askTimesMax: number;
}

/** How a person is asked. */
export interface ApprovalLimits {
	readonly decideWithinMs: number;
	readonly executeWithinMs: number;
	readonly askAgainAfterMs: number;
	readonly askTimesMax: number;
	readonly asksPerHour: number;
	readonly forgetAfterMs: number;
	readonly keepMax: number;
}

/** What a node is called whose pulses are missing. */
export interface PresenceRow extends Row {
	/** In a row, while core listened. */
	readonly missed: number;
	/** Is what core hears it through heard itself? */
	readonly parent: "here" | "away";
	readonly found: "suspect" | "lost" | "unreachable";
	readonly says: string;
}

export interface PresenceRules {
	readonly pulseMs: number;
	readonly rows: readonly PresenceRow[];
}

/** The content of a policy.activated record: plain JSON, so that its digest says which policy decided. */
export interface Policy {
	readonly actions: readonly ActionRule[];
	readonly gate: readonly GateRow[];
	readonly remedies: readonly RemedyRow[];
	readonly rules: readonly CorrelationRule[];
	readonly limits: Limits;
	/** Absent in policies that were recorded before there was such a thing. */
	readonly alone?: readonly AloneRow[];
	/** Absent in policies of before there were approvals: then nobody is asked, and nothing that needs it is done. */
	readonly approvals?: ApprovalLimits;
	/** Absent in policies of before pulses were counted: then nothing is found missing. */
	readonly presence?: PresenceRules;
}

/** An action that no policy row names is RISKY. */
export const riskOf = (policy: Policy, action: string): Risk => policy.actions.find((rule) => rule.id === action)?.risk ?? "RISKY";

export const actionRule = (policy: Policy, action: string): ActionRule | undefined => policy.actions.find((rule) => rule.id === action);

/** Fills {names} in a text; what has no value stays visible. */
export const fill = (text: string, values: Readonly<Record<string, Scalar | undefined>>): string => {
	let filled = "";
	let from = 0;
	for (let open = text.indexOf("{"); open >= 0; open = text.indexOf("{", from)) {
		const close = text.indexOf("}", open);
		if (close < 0) break;
		const value = values[text.slice(open + 1, close)];
		// A brace that encloses no name may stand before one that does.
		const end = value === undefined ? open + 1 : close + 1;
		filled += text.slice(from, open) + (value === undefined ? "{" : String(value));
		from = end;
	}
	return filled + text.slice(from);
};

const SERVICE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/**
 * What rows may speak of in an event: the fields of its data that are scalars, the service that its labels name, and its node.
 * `node` is who sent it, whatever its data says: nobody raises a symptom for another node. Only core's own records (undefined) name one.
 */
export const factsOf = (envelope: Envelope<RecordType>, node: string | undefined): Readonly<Record<string, Scalar | undefined>> => {
	const facts: Record<string, Scalar | undefined> = { node: "core" };
	for (const [name, value] of Object.entries(envelope.data)) {
		if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") facts[name] = value;
	}
	const labelled = "labels" in envelope.data ? envelope.data.labels?.["service"] : undefined;
	if (facts["service"] === undefined && labelled !== undefined && SERVICE.test(labelled)) facts["service"] = labelled;
	if (node !== undefined) facts["node"] = node;
	return facts;
};
