// What core answers to the page: the shapes of its views, and of what people decide.
import type { WhyView } from "../http-why.ts";
import type { NowView as Now } from "../views-now.ts";

export type { WhyView };
export type IncidentRow = Now["incidents"]["rows"][number];
export type NodeRow = Now["nodes"]["rows"][number];

export interface Latch {
	readonly node: string;
	readonly verb: string;
	readonly by: string;
	readonly at: string;
}

export interface NowView extends Now {
	readonly stops?: readonly Latch[];
}

export interface ApprovalRow {
	readonly approval: string;
	readonly status: "open" | "approved" | "denied" | "expired" | "superseded" | "revoked" | "void";
	readonly incident: string;
	readonly title: string;
	readonly node: string;
	readonly name: string;
	readonly args: Readonly<Record<string, string | number | boolean>>;
	readonly targets?: readonly string[];
	readonly risk: string;
	readonly plan?: unknown;
	readonly why: string;
	readonly blast?: unknown;
	readonly undo?: string;
	readonly undoSays?: string;
	readonly evidence?: unknown;
	readonly boundHash: string;
	readonly askedAt: string;
	readonly decideBy: string;
	readonly decideInMs: number;
	readonly by?: string;
	readonly via?: string;
	readonly said?: string;
	readonly decidedAt?: string;
	readonly outcome?: { readonly action: string; readonly end?: string; readonly undone?: unknown };
}

export interface ApprovalsView {
	readonly rev: number;
	readonly approvals: readonly ApprovalRow[];
}

export interface HistoryView {
	readonly rows: readonly {
		readonly position: number;
		readonly at: string;
		readonly type: string;
		readonly node: string;
		readonly gravity: string;
		readonly text: string;
	}[];
}

export interface StopAnswer {
	readonly verb: string;
	readonly nodes: readonly { readonly node: string; readonly ms: number | null; readonly safety: string | null }[];
}

export interface SessionAnswer {
	readonly by: string;
	readonly until?: string;
	readonly key?: string;
}
