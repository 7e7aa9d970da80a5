// An order to stop or cut on the wire: what it says of itself, and what to make of one that says nothing readable. It is obeyed in either case.
import { sha256Hex } from "./digest.ts";
import { checkContract, parseJson } from "./envelope.ts";
import type { StopOrder } from "./gen/types.ts";

export type StopVerb = "stop" | "cut";

/** What is kept of an order: `order` names it, so that its repeats and its release are known. */
export type Ordered = Pick<StopOrder, "order" | "by" | "via">;

/** Who ordered what says nothing of itself. */
export const UNNAMED = "unnamed";

const NAME_CHARACTERS = 16;

/** An order without a readable name is named by its bytes: every node that hears it gives it the same name. */
export const readStopOrder = (bytes: Uint8Array): Ordered => {
	const json = parseJson(bytes);
	const checked = json.ok ? checkContract("stop.order", json.value) : json;
	if (!checked.ok) return { order: sha256Hex(bytes).slice(0, NAME_CHARACTERS), by: UNNAMED, via: UNNAMED };
	const { order, by, via } = checked.value;
	return { order, by, via };
};

const ENCODER = new TextEncoder();

export const writeStopOrder = ({ order, by, via }: Ordered): Uint8Array => ENCODER.encode(JSON.stringify({ v: 1, order, by, via } satisfies StopOrder));
