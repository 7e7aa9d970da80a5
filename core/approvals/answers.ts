// Decides whether an answer counts for anything: bound to what was shown, in time, and to a question that still stands.
import type { RecordTypes } from "../../contracts/envelope.ts";
import { sayDuration } from "../../contracts/time.ts";
import { type ApprovalStatus, isLive, isStronger, next, type Refusal } from "./machine.ts";

export type Answer = RecordTypes["dev.orion.approval.decided.v1"];

/** A question, as far as an answer to it is judged. */
interface Question {
	readonly status: ApprovalStatus;
	readonly asked: { readonly boundHash: string; readonly decideByEngineMs: number; readonly decideWithinMs: number };
	readonly answer?: Pick<Answer, "verdict"> | undefined;
	readonly by?: string;
	readonly why?: string;
}

/** Only core's own doors speak for persons: a node that says yes is a forger. */
export const isFromPerson = (source: string): boolean => source === "/core/operator" || source === "/core/telegram";

/** Why an answer counts for nothing; undefined: it counts. Deadlines come before everything that a person may have meant. */
export const refusalOf = (approval: Question | undefined, answer: Answer, engineMs: number): Refusal | undefined => {
	if (approval === undefined) return "unknown";
	const { status, asked, answer: before } = approval;
	if (isLive(status)) {
		const otherHash = answer.boundHash === undefined ? answer.verdict === "approve" : answer.boundHash !== asked.boundHash;
		if (otherHash) return "foreign-hash";
		if (answer.verdict === "approve" && engineMs >= asked.decideByEngineMs) return "late";
		// No is stronger than the end of the time to say it, so it counts in the very moment of it.
		if (answer.verdict === "deny" && status === "open" && engineMs > asked.decideByEngineMs) return "late";
		if (before !== undefined && !isStronger(answer.verdict, before.verdict))
			return before.verdict === "approve" ? "used" : before.verdict === "deny" ? "denied" : "revoked";
	}
	const to = next(status, answer.verdict);
	return typeof to === "object" ? to.refused : undefined;
};

export const saysRefusal = (refusal: Refusal, approval: Question | undefined): string => {
	switch (refusal) {
		case "late":
			return approval === undefined ? "its time is over" : `it had to be decided within ${sayDuration(approval.asked.decideWithinMs)}`;
		case "foreign-hash":
			return "it answers something else than what is asked: look at it again, and answer what stands there";
		case "unknown":
			return "no such question is known";
		case "used":
			return "it was approved already, and counts once";
		case "drift":
			return "what it was asked for is not so any more";
		default: {
			const who = approval?.by === undefined ? "" : ` by ${approval.by}`;
			return `it was ${refusal}${who} before${approval?.why === undefined ? "" : `: ${approval.why}`}`.slice(0, 500);
		}
	}
};
