// What the engine knows: plain JSON that a fold over the log builds, and nothing else may change.

import type { ClockQuality } from "../contracts/time.ts";
import type { Approval, ChatFacts } from "./approvals/questions.ts";
import type { Allowance, Reconciliation } from "./commander/alone.ts";
import type { CorrelationRule, Level, Policy, Severity } from "./policy.ts";

export type { Approval, ChatFacts, LevelAsk } from "./approvals/questions.ts";

/** Raised whenever a snapshot of before could not be read any more. */
export const STATE_SCHEMA = 4;

export interface EngineClock {
	/** Engine time: milliseconds that the mesh has run, never backwards. Timers use this. */
	readonly engineMs: number;
	readonly wallMs: number;
	readonly quality: ClockQuality;
}

export interface NodeView {
	readonly state: "init" | "ready" | "disconnected" | "lost";
	readonly session: string;
	readonly conn: number;
	readonly capabilities: readonly string[];
	readonly actions: readonly string[];
	readonly services: readonly string[];
	readonly changedMs: number;
	/** What core finds although the node said otherwise: its pulses are missing. */
	readonly silence?: Silence;
}

export interface Silence {
	readonly found: "suspect" | "lost" | "unreachable";
	readonly missed: number;
	/** The broker that is not heard, if that is why. */
	readonly parent?: string;
}

/** One thing that a correlation rule watches, whether it is wrong now or not. */
export interface Symptom {
	readonly id: string;
	readonly rule: string;
	readonly node: string;
	readonly service?: string;
	readonly firing: boolean;
	/** Engine time at which `firing` became what it is. */
	readonly sinceMs: number;
	/** Engine time of the newest event of `on`. */
	readonly seenMs: number;
	readonly count: number;
	readonly severity: Severity;
	readonly title: string;
	readonly value?: number;
	readonly threshold?: number;
	/** Facts of the newest event, for people. */
	readonly detail?: string;
	readonly events: readonly number[];
	/** Where its newest event stood in its sender's own numbering: one that comes later but was said earlier is no news. */
	readonly said?: Said;
}

export interface Said {
	readonly source: string;
	readonly lane: string;
	/** Counter of the session. */
	readonly counter: number;
	readonly seq: number;
}

export interface Incident {
	readonly id: string;
	readonly key: string;
	readonly rule: string;
	readonly node: string;
	readonly service?: string;
	readonly severity: Severity;
	readonly title: string;
	readonly status: "open" | "resolved";
	readonly openedMs: number;
	readonly openedWallMs: number;
	readonly resolvedMs?: number;
	readonly resolvedWallMs?: number;
	readonly resolvedHow?: "cleared-by-itself" | "repaired";
	readonly count: number;
	readonly reopened: number;
	readonly attempts: number;
	readonly events: readonly number[];
	readonly traceparent: string;
	/** The newest decision, so that the same one is not written twice. */
	readonly decision?: { readonly id: string; readonly verdict: string; readonly action?: string; readonly blockedBy: string };
	readonly asked: boolean;
}

export type ActionPhase = "requested" | "dispatched" | "unknown" | "verifying";

export interface ActionRun {
	readonly id: string;
	readonly incident: string;
	readonly decision: string;
	readonly name: string;
	readonly node: string;
	readonly args: Readonly<Record<string, string | number | boolean>>;
	readonly target: string;
	readonly phase: ActionPhase;
	readonly requestedMs: number;
	/** Engine time at which this phase began or was asked for last. */
	readonly sinceMs: number;
	readonly asked: number;
	/** True once the symptom was seen clear while verifying. */
	readonly cleared: boolean;
	/** A person takes back what this approval allowed: done is done, no symptom has to clear. */
	readonly undoes?: string;
	readonly events: readonly number[];
}

/** What is remembered of one action on one target. */
export interface Target {
	readonly cooldownUntilMs: number;
	readonly failures: number;
	/** Engine time at which the breaker lets one more attempt pass; 0 = closed. */
	readonly breakerUntilMs: number;
	/** Engine times of the executions of the last hour. */
	readonly executionsMs: readonly number[];
}

/** An order to stop that core keeps for a node, until the node says that it was released there. */
export interface KeptOrder {
	readonly order: string;
	readonly verb: "stop" | "cut";
	readonly by: string;
	readonly via: string;
	readonly atWallMs: number;
}

export interface StopView {
	/** Oldest first. */
	readonly orders: readonly KeptOrder[];
	/** Those of them that a person released, and the node has not yet confirmed. */
	readonly releasing: readonly string[];
	/** True once the node itself said that it is stopped. */
	readonly said: boolean;
}

export interface EngineState {
	readonly schema: typeof STATE_SCHEMA;
	readonly mesh: string;
	readonly clock: EngineClock;
	readonly level: Level;
	readonly policy: Policy | null;
	readonly policyHash: string;
	/** The rules of the policy by the event types that they listen to. */
	readonly rulesByType: Readonly<Record<string, readonly CorrelationRule[]>>;
	readonly nodes: Readonly<Record<string, NodeView>>;
	readonly symptoms: Readonly<Record<string, Symptom>>;
	readonly incidents: Readonly<Record<string, Incident>>;
	/** Newest incident of each symptom. */
	readonly incidentOf: Readonly<Record<string, string>>;
	readonly actions: Readonly<Record<string, ActionRun>>;
	readonly targets: Readonly<Record<string, Target>>;
	readonly allowances: Readonly<Record<string, Allowance>>;
	/** The newest ones, oldest first. */
	readonly reconciliations: readonly Reconciliation[];
	/** Position of the newest record that changed what nodes keep for the time without core. */
	readonly bundlePosition: number;
	/** Nodes that are stopped, or are to be. */
	readonly stops: Readonly<Record<string, StopView>>;
	readonly approvals: Readonly<Record<string, Approval>>;
	/** Absent until something came by a chat, and in snapshots from before it was kept. */
	readonly chat?: ChatFacts;
	/** When the audit was last verified and found whole. */
	readonly auditVerifiedWallMs?: number;
}

export const emptyState = (mesh: string): EngineState => ({
	schema: STATE_SCHEMA,
	mesh,
	clock: { engineMs: 0, wallMs: 0, quality: "unsynced" },
	level: "N0",
	policy: null,
	policyHash: "",
	rulesByType: {},
	nodes: {},
	symptoms: {},
	incidents: {},
	incidentOf: {},
	actions: {},
	targets: {},
	allowances: {},
	reconciliations: [],
	bundlePosition: 0,
	stops: {},
	approvals: {},
});

/** The row of a table under a key that came from outside: a node may be called `constructor`, and every object has one of those. */
export const rowOf = <T>(table: Readonly<Record<string, T>>, key: string): T | undefined => (Object.hasOwn(table, key) ? table[key] : undefined);

/** A copy of a table with one row put in. */
export const put = <T>(table: Readonly<Record<string, T>>, key: string, row: T): Readonly<Record<string, T>> => ({ ...table, [key]: row });

/** A copy of a table without one row. */
export const without = <T>(table: Readonly<Record<string, T>>, key: string): Readonly<Record<string, T>> => {
	const { [key]: _gone, ...rest } = table;
	return rest;
};

/** A table with every row passed through `change`; the same table if no row changed. */
export const mapRows = <T>(table: Readonly<Record<string, T>>, change: (row: T) => T): Readonly<Record<string, T>> => {
	let next: Record<string, T> | undefined;
	for (const [key, row] of Object.entries(table)) {
		const changed = change(row);
		if (changed === row) continue;
		next ??= { ...table };
		next[key] = changed;
	}
	return next ?? table;
};

export const openIncidents = (state: EngineState): readonly Incident[] => Object.values(state.incidents).filter((incident) => incident.status === "open");
