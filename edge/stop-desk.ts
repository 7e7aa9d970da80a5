// Connects a person at this node to its latch and, where there is a broker, to the rest of the mesh: this node stops first, then others are told.

import { type Fault, fail } from "../contracts/errors.ts";
import type { NodeSafety } from "../contracts/gen/types.ts";
import { ok, type Result } from "../contracts/result.ts";
import type { Ordered, StopVerb } from "../contracts/stop-order.ts";
import type { Clock } from "../contracts/time.ts";
import { NODE_ID } from "../contracts/topics.ts";
import type { LatchOutcome } from "./machines/latch.ts";
import type { Randomness } from "./ports.ts";
import type { StopLatch } from "./stop-latch.ts";

export interface StopDeskOptions {
	readonly node: string;
	readonly latch: StopLatch;
	readonly clock: Clock;
	readonly random: Randomness;
	readonly safety: () => NodeSafety["state"];
	/** Somebody is here and says that it may go on; true if that let something go on. */
	readonly presence: () => boolean;
	/** To other nodes, by way of the broker; rejects if there is none. */
	readonly order: (node: string, verb: StopVerb, ordered: Ordered) => Promise<void>;
}

export interface StopRequest {
	readonly verb: StopVerb | "release";
	/** This node, another one, or all. */
	readonly node: string;
	readonly by: string;
}

export interface StopAnswer {
	readonly schema: "orion.local-stop/1";
	readonly node: string;
	readonly safety: NodeSafety["state"];
	/** What it did here; absent if another node was meant. */
	readonly outcome?: LatchOutcome;
	readonly ms?: number;
	/** Whether the broker took it for the others; absent if no other was meant. */
	readonly others?: "handed-over" | "not-reached";
}

const ALL = "all";
const BY_MAX = 128;
const VERBS: readonly string[] = ["stop", "cut", "release"];

/** A line that a person can type as well: `stop`, `cut pi-3`, `release`, or the same as a JSON object. Anything that is no release and cannot be read stops this node. */
export const readStopRequest = (line: string, here: string): Result<StopRequest> => {
	const text = line.trim();
	let fields: Readonly<Record<string, unknown>>;
	try {
		const value: unknown = JSON.parse(text);
		fields = typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
	} catch {
		const [verb, node] = text.split(/\s+/);
		fields = { verb, ...(node === undefined ? {} : { node }) };
	}
	const { verb, node = here, by } = fields;
	if (typeof verb !== "string" || !VERBS.includes(verb)) return fail("USAGE", { detail: "say stop, cut or release" });
	if (typeof node !== "string" || !NODE_ID.test(node)) return fail("USAGE", { detail: "a node has 1 to 32 of a-z, 0-9 and -" });
	if (verb === "release" && node !== here) return fail("USAGE", { detail: `only ${here} is released here` });
	return ok({ verb: verb as StopRequest["verb"], node, by: typeof by === "string" && by !== "" ? by.slice(0, BY_MAX) : "somebody at the node" });
};

const ORDER_BYTES = 8;

export class StopDesk {
	readonly #options: StopDeskOptions;

	constructor(options: StopDeskOptions) {
		this.#options = options;
	}

	get node(): string {
		return this.#options.node;
	}

	async ask({ verb, node, by }: StopRequest): Promise<StopAnswer> {
		const { node: here, latch, clock, random, presence } = this.#options;
		const beganMs = clock.now();
		if (verb === "release") {
			const released = latch.releaseHere();
			return this.#answer(presence() && released === "not-latched" ? "released" : released, beganMs);
		}
		const ordered: Ordered = { order: random.hex(ORDER_BYTES), by, via: "local" };
		const outcome = node === here || node === ALL ? latch.order(verb, ordered) : undefined;
		const answer = this.#answer(outcome, beganMs);
		if (node === here) return answer;
		return { ...answer, others: await this.#tell(node, verb, ordered) };
	}

	#answer(outcome: LatchOutcome | undefined, beganMs: number): StopAnswer {
		const { node, safety, clock } = this.#options;
		return { schema: "orion.local-stop/1", node, safety: safety(), ...(outcome === undefined ? {} : { outcome, ms: clock.now() - beganMs }) };
	}

	#tell(node: string, verb: StopVerb, ordered: Ordered): Promise<"handed-over" | "not-reached"> {
		return this.#options.order(node, verb, ordered).then(
			() => "handed-over",
			() => "not-reached",
		);
	}
}

/** What a line that cannot be obeyed is answered with. */
export const refuseStopRequest = (found: Fault): object => ({ schema: "orion.error/1", ...found.facts, code: found.code });
