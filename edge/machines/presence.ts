// Decides whether a node that moves nothing counts as working with its core or as alone, from what it hears and nothing else.
import type { Instant } from "../../contracts/time.ts";
import { STILL_RULES } from "./safe-stop-rows.ts";

/** Core speaks every second; a node that misses three is on its own. */
export const BEACON_GAP_MS_MAX = STILL_RULES["link-silent"].graceMs;
/** The link must be good for this long before an alone node works again. */
export const GOOD_LINK_MS = STILL_RULES["link-silent"].clearAfterMs;
/** A node that was started and hears no core is alone after this: what it may do alone must not wait for a core that may be gone for good. */
export const BOOT_MS_MAX = 1_500;

export type Presence =
	/** `since`: first look at the clock; core was not heard before. */
	| { readonly kind: "boot"; readonly since?: Instant }
	| { readonly kind: "working"; readonly heardAt: Instant }
	/** `goodSince`: first beacon of the present run of good ones. */
	| { readonly kind: "alone"; readonly goodSince?: Instant; readonly heardAt?: Instant };

export type PresenceInput =
	| { readonly kind: "beacon"; readonly at: Instant }
	| { readonly kind: "link-lost"; readonly at: Instant }
	| { readonly kind: "time"; readonly at: Instant };

const isFresh = (heardAt: Instant, at: Instant): boolean => at - heardAt <= BEACON_GAP_MS_MAX;

/** Deadlines come before events: a beacon after too long a silence does not undo that silence. */
const expired = (state: Presence, at: Instant): Presence => {
	if (state.kind === "boot") return state.since !== undefined && at - state.since >= BOOT_MS_MAX ? { kind: "alone" } : state;
	if (state.heardAt === undefined || isFresh(state.heardAt, at)) return state;
	return { kind: "alone" };
};

export const presence = (before: Presence, input: PresenceInput): Presence => {
	const state = expired(before, input.at);
	switch (input.kind) {
		case "link-lost":
			return state.kind === "boot" ? state : { kind: "alone" };
		case "beacon":
			if (state.kind !== "alone") return { kind: "working", heardAt: input.at };
			if (state.goodSince === undefined) return { kind: "alone", goodSince: input.at, heardAt: input.at };
			return input.at - state.goodSince >= GOOD_LINK_MS ? { kind: "working", heardAt: input.at } : { ...state, heardAt: input.at };
		case "time":
			if (state.kind === "boot" && state.since === undefined) return { kind: "boot", since: input.at };
			if (state.kind !== "alone" || state.goodSince === undefined) return state;
			return input.at - state.goodSince >= GOOD_LINK_MS && state.heardAt !== undefined ? { kind: "working", heardAt: state.heardAt } : state;
	}
};
