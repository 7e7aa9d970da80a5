// Decides what a node that moves nothing is: what holds it, by the rows, and if nothing does, what it hears of its core.
import type { StopVerb } from "../../contracts/stop-order.ts";
import type { Presence } from "./presence.ts";

export interface StillRule {
	readonly id: string;
	/** 0: at once. */
	readonly graceMs: number;
	readonly becomes: "alone" | "stopped";
	readonly clears: "itself" | "release" | "presence";
	readonly clearAfterMs: number;
	readonly says: string;
}

/** One row for each cause. */
export type StillRules = Readonly<Record<"cut" | "stop" | "link-silent", StillRule>>;

/** What is ordered counts before what is heard: a link that is good, bad or new changes nothing about it. */
export const stillState = (rules: StillRules, presence: Presence["kind"], held: StopVerb | undefined): Presence["kind"] | "stopped" =>
	held === undefined ? presence : rules[held].becomes;
