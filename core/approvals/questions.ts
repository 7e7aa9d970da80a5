// What the engine remembers of questions to people: plain JSON, from when they were asked until they are forgotten.
import type { RecordTypes } from "../../contracts/envelope.ts";
import type { Level, Severity } from "../policy.ts";
import type { ApprovalStatus } from "./machine.ts";

type Answer = RecordTypes["dev.orion.approval.decided.v1"];

/** A question to a person, from when it was asked until it is forgotten. */
export interface Approval {
	readonly id: string;
	readonly status: ApprovalStatus;
	/** What was asked, word for word: an answer is bound to it. */
	readonly asked: RecordTypes["dev.orion.approval.requested.v1"];
	/** Of the incident, when it was asked. */
	readonly title: string;
	readonly severity: Severity;
	readonly reopened: number;
	readonly askedMs: number;
	readonly askedWallMs: number;
	/** Who looked at it, and how. */
	readonly seen: readonly string[];
	/** Answers that counted for nothing. */
	readonly refusals: number;
	/** The newest answer that counts; a yes counts only once engine time has moved on. */
	readonly answer?: Pick<Answer, "verdict" | "by" | "via" | "why"> & { readonly position: number; readonly atMs: number };
	/** Core was away for a time that nobody knows. */
	readonly unsure: boolean;
	/** Not answered, and a person has shown up since: it does not count against asking again. */
	readonly forgiven: boolean;
	readonly closedMs?: number;
	readonly closedWallMs?: number;
	readonly by?: string;
	readonly via?: Answer["via"];
	readonly why?: string;
	readonly tookMs?: number;
	/** What it led to. */
	readonly action?: { readonly id: string; readonly end?: string; readonly undone?: string };
	/** The action with which a person took it back. */
	readonly undo?: { readonly id: string; readonly end?: string };
}

/** An ask for a higher level that came by a chat; it ends as every other question does. */
export interface LevelAsk {
	readonly id: string;
	readonly status: ApprovalStatus;
	readonly level: Level;
	/** The level when it was asked: any other one makes it void. */
	readonly before: Level;
	readonly asker: string;
	/** What an answer is bound to, and until when it may come. */
	readonly asked: { readonly boundHash: string; readonly decideByEngineMs: number; readonly decideWithinMs: number };
	readonly askedMs: number;
	readonly askedWallMs: number;
	readonly seen: readonly string[];
	readonly refusals: number;
	/** As above. */
	readonly answer?: Approval["answer"];
	readonly unsure: boolean;
	readonly closedMs?: number;
	readonly closedWallMs?: number;
	readonly by?: string;
	readonly via?: string;
	readonly why?: string;
	readonly tookMs?: number;
}

export interface ChatFacts {
	/** Updates that were refused at the door, by reason. */
	readonly refused: Readonly<Record<string, number>>;
	/** The newest ones, oldest first. */
	readonly levelAsks: readonly LevelAsk[];
}
