// Decides what the sender of a message is told about it, and how often.

import { type Fault, sayFault } from "../contracts/errors.ts";
import type { NodeVerdict } from "../contracts/gen/types.ts";

const TOPIC_MAX = 1_024;
const DETAIL_MAX = 2_000;
const CONTRACT_MAX = 128;
const POINTER_MAX = 1_024;

const text = (value: string | number | boolean | undefined, max: number): string | undefined => (typeof value === "string" ? value.slice(0, max) : undefined);

export const quarantined = (topic: string, found: Fault, position: number, messageId: string | undefined): NodeVerdict => {
	const contract = text(found.facts["schema"], CONTRACT_MAX);
	const pointer = text(found.facts["pointer"], POINTER_MAX);
	return {
		...(messageId === undefined ? {} : { messageId }),
		topic: topic.slice(0, TOPIC_MAX),
		outcome: "quarantined",
		code: found.code,
		...(contract === undefined || contract === "" ? {} : { contract }),
		...(pointer === undefined ? {} : { pointer }),
		detail: sayFault(found).slice(0, DETAIL_MAX),
		position,
	};
};

export const duplicate = (topic: string, messageId: string): NodeVerdict => ({
	messageId,
	topic: topic.slice(0, TOPIC_MAX),
	outcome: "duplicate",
	code: "DUPLICATE",
	detail: "this message is stored already; nothing was written",
});

const VERDICTS_PER_S = 50;
const BURST = 200;

/** What is left of a node's share of verdicts. */
export interface Allowance {
	readonly left: number;
	readonly atMs: number;
}

/** Who sends nothing but rubbish is told so often, not as often as it sends: its node reads the same topic. */
export const spendVerdict = (known: Allowance | undefined, nowMs: number): { readonly allowed: boolean; readonly allowance: Allowance } => {
	const left = known === undefined ? BURST : Math.min(BURST, known.left + ((nowMs - known.atMs) / 1_000) * VERDICTS_PER_S);
	const allowed = left >= 1;
	return { allowed, allowance: { left: allowed ? left - 1 : left, atMs: nowMs } };
};
