// Decides when a node says once more that it is ready: core's beacon echoes every node that core holds for here, and this one is missing.
import type { Instant } from "../../contracts/time.ts";

/** A pulse is echoed by the next beacon; whoever is not in the third one is not heard, or held for lost. */
const UNECHOED_MS_MAX = 2_000;
/** What did not help is not said all the time. */
const PAUSE_MS_MAX = 60_000;

export type Echo =
	| { readonly kind: "echoed" }
	/** `pauseMs`: how long until it is said again. */
	| { readonly kind: "missing"; readonly since: Instant; readonly pauseMs: number };

export const echoed: Echo = { kind: "echoed" };

/** One beacon. `saysAgain`: true when the node's presence is to be said again now. */
export const hearEcho = (before: Echo, isEchoed: boolean, at: Instant): { readonly echo: Echo; readonly saysAgain: boolean } => {
	if (isEchoed) return { echo: echoed, saysAgain: false };
	if (before.kind === "echoed") return { echo: { kind: "missing", since: at, pauseMs: UNECHOED_MS_MAX }, saysAgain: false };
	if (at - before.since < before.pauseMs) return { echo: before, saysAgain: false };
	return { echo: { kind: "missing", since: at, pauseMs: Math.min(before.pauseMs * 2, PAUSE_MS_MAX) }, saysAgain: true };
};
