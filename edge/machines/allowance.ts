// Decides what a node may do by itself while it hears no core: rows of a signed bundle, a number of uses that is counted on disk first, and a time.
import type { CoreBundle, NodePulse } from "../../contracts/gen/types.ts";

type Row = CoreBundle["rows"][number];
type Grant = CoreBundle["grants"][number];
export type Level = CoreBundle["level"];
type Facts = Readonly<Record<string, string | number | boolean | undefined>>;
export type AloneReason = "no-grant" | "other-lineage" | "level" | "spent" | "over" | "busy" | "stopped" | "booting";

/** What of a bundle concerns this node; the newest one that it accepted. */
export interface Known {
	readonly version: number;
	readonly level: Level;
	readonly rows: readonly Row[];
	readonly grant?: Grant;
}

/** What was used under the newest grant; on disk before the effect. */
export interface Spent {
	/** Number of the grant that these uses count against; 0: none yet. */
	readonly grant: number;
	readonly used: Readonly<Record<string, number>>;
	/** Uses of each row, ever: by it core says which of them it has counted. */
	readonly total: Readonly<Record<string, number>>;
	/** Time that this node was alone under this grant, over all its starts, milliseconds. */
	readonly aloneMs: number;
	/** What was done and not done since the node heard core last. */
	readonly acted: number;
	readonly refused: number;
	readonly sinceMs: number;
}

export const nothingSpent: Spent = { grant: 0, used: {}, total: {}, aloneMs: 0, acted: 0, refused: 0, sinceMs: 0 };

const LEVELS: readonly Level[] = ["N0", "N2", "N3"];
export const lowerLevel = (one: Level, other: Level | undefined): Level => (other !== undefined && LEVELS.indexOf(other) < LEVELS.indexOf(one) ? other : one);

export type Adopted =
	| { readonly kind: "adopted"; readonly known: Known; readonly spent: Spent }
	| { readonly kind: "ignored"; readonly why: "other-mesh" | "older" };

const usesOf = (table: Readonly<Record<string, number>>, row: string): number => (Object.hasOwn(table, row) ? (table[row] ?? 0) : 0);

/** Uses that core did not know when it granted: what is left there is left without them. */
const uncounted = (total: Spent["total"], counted: Spent["total"]): Spent["used"] =>
	Object.fromEntries(Object.entries(total).flatMap(([row, uses]) => (uses > usesOf(counted, row) ? [[row, uses - usesOf(counted, row)]] : [])));

/** A card that was put back has forgotten uses that core knows. */
const atLeast = (total: Spent["total"], counted: Spent["total"]): Spent["total"] => ({
	...total,
	...Object.fromEntries(Object.entries(counted).map(([row, uses]) => [row, Math.max(uses, usesOf(total, row))])),
});

/**
 * A verified bundle. A grant with a higher number begins anew, except for uses that core had not counted when it gave it: those are carried over.
 * Nothing older than what is known is taken, whoever sends it again.
 */
export const adoptBundle = (known: Known | undefined, spent: Spent, bundle: CoreBundle, mesh: string, node: string): Adopted => {
	if (bundle.mesh !== mesh) return { kind: "ignored", why: "other-mesh" };
	if (known !== undefined && bundle.version <= known.version) return { kind: "ignored", why: "older" };
	const grant = bundle.grants.find((each) => each.node === node);
	const next: Known = { version: bundle.version, level: bundle.level, rows: bundle.rows, ...(grant === undefined ? {} : { grant }) };
	if (grant === undefined || grant.number <= spent.grant) return { kind: "adopted", known: next, spent };
	const { counted = {} } = grant;
	const aloneMs = grant.reconciled >= spent.grant ? 0 : spent.aloneMs;
	const total = atLeast(spent.total, counted);
	return { kind: "adopted", known: next, spent: { ...spent, grant: grant.number, used: uncounted(spent.total, counted), total, aloneMs } };
};

export interface AloneView {
	readonly safety: NodePulse["safety"];
	/** Counter of this node's session: a folder that is older than the grant is not the one it was given to. */
	readonly counter: number;
	/** Level that was heard last from core; undefined: none since this start. */
	readonly heardLevel: Level | undefined;
	/** Something else is under way on this node. */
	readonly busy: boolean;
}

export type AloneVerdict =
	| { readonly kind: "nothing" }
	| {
			readonly kind: "act";
			readonly row: string;
			readonly action: string;
			readonly args: Readonly<Record<string, string>>;
			readonly spent: Spent;
			readonly left: number;
	  }
	| { readonly kind: "refuse"; readonly row: string; readonly action: string; readonly args: Readonly<Record<string, string>>; readonly reason: AloneReason };

const filled = (template: Readonly<Record<string, string>>, facts: Facts): Readonly<Record<string, string>> =>
	Object.fromEntries(
		Object.entries(template).map(([name, text]) => [name, text.replace(/\{(\w+)\}/g, (whole, field: string) => String(facts[field] ?? whole))]),
	);

/** The first reason that forbids it, from what no grant could change to what this one leaves. */
const forbidden = ({ level, grant }: Known, spent: Spent, view: AloneView, row: Row): AloneReason | undefined => {
	if (view.safety === "stopped") return "stopped";
	if (view.safety === "boot") return "booting";
	if (lowerLevel(level, view.heardLevel) === "N0") return "level";
	if (grant === undefined) return "no-grant";
	if (view.counter < grant.counter) return "other-lineage";
	if (spent.aloneMs >= grant.validMs) return "over";
	if (usesOf(spent.used, row.id) >= usesOf(grant.left, row.id)) return "spent";
	return view.busy ? "busy" : undefined;
};

/** What follows from something wrong that this node sees by itself. With a core at hand: nothing, because that one decides. */
export const judgeAlone = (known: Known | undefined, spent: Spent, view: AloneView, event: { readonly type: string; readonly facts: Facts }): AloneVerdict => {
	if (known === undefined || view.safety === "working") return { kind: "nothing" };
	const row = known.rows.find(({ on }) => on === event.type);
	if (row === undefined) return { kind: "nothing" };
	const args = filled(row.with, event.facts);
	const what = { row: row.id, action: row.action, args };
	const reason = forbidden(known, spent, view, row);
	if (reason !== undefined) return { kind: "refuse", ...what, reason };
	const uses = usesOf(spent.used, row.id) + 1;
	const total = { ...spent.total, [row.id]: usesOf(spent.total, row.id) + 1 };
	const next: Spent = { ...spent, used: { ...spent.used, [row.id]: uses }, total, acted: spent.acted + 1 };
	return { kind: "act", ...what, spent: next, left: Math.max(0, usesOf(known.grant?.left ?? {}, row.id) - uses) };
};

/** Time goes by alone: it counts against the grant, whether the node was started again in between or not. */
export const passAlone = (spent: Spent, ms: number): Spent => ({ ...spent, aloneMs: spent.aloneMs + ms, sinceMs: spent.sinceMs + ms });

/** Core is heard again: what is told of the time alone begins anew, what was used stays used. */
export const endAlone = (spent: Spent): Spent => ({ ...spent, acted: 0, refused: 0, sinceMs: 0 });
