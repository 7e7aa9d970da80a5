// What core answers to the page: the shapes of its views, and of what people decide.
import type { WhyView } from "../http-why.ts";
import type { StopAnswer } from "../stops.ts";
import type { NowView } from "../views-now.ts";

export type { NowView, StopAnswer, WhyView };
export type IncidentRow = NowView["incidents"]["rows"][number];
export type NodeRow = NowView["nodes"]["rows"][number];
export type Latch = NowView["stops"][number];

export interface ApprovalRow {
	readonly approval: string;
	readonly status: "open" | "approved" | "denied" | "expired" | "superseded" | "revoked" | "void";
	/** `level`: somebody in a chat asks for a higher one. */
	readonly kind?: "action" | "level";
	readonly incident: string;
	readonly title: string;
	readonly node: string;
	readonly name: string;
	readonly args: Readonly<Record<string, string | number | boolean>>;
	readonly targets?: readonly string[];
	readonly risk: string;
	readonly plan?: string;
	readonly why: string;
	readonly blast?: string;
	readonly undo?: "left-as-found" | "impossible";
	readonly undoSays?: string;
	readonly boundHash: string;
	readonly askedAt: string;
	readonly decideBy: string;
	readonly decideInMs: number;
	readonly by?: string;
	readonly via?: string;
	readonly said?: string;
	readonly decidedAt?: string;
	/** end: "under-way" until it has one. */
	readonly outcome?: { readonly action: string; readonly end: string; readonly undone?: string };
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

export interface SessionAnswer {
	readonly by: string;
	readonly until?: string;
	readonly key?: string;
}
