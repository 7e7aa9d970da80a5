// Decides what a verified beacon means: whether its core is the one to hear, and which policies are in force.
import type { CoreBeacon } from "../../contracts/gen/types.ts";

/** A command decided under the policy before the newest one is still good for this long: it may have been on its way. */
export const PREVIOUS_POLICY_GOOD_MS = 600_000;

export interface KnownPolicies {
	readonly current: string | undefined;
	readonly previous: { readonly hash: string; readonly goodUntilTick: number } | undefined;
}

export interface Heard {
	readonly term: { readonly counter: number; readonly keyId: string } | undefined;
	/** Rises with each beacon of a term: an old one that comes again is no sign of life. */
	readonly beaconCounter: number;
	readonly level: CoreBeacon["level"] | undefined;
	readonly policies: KnownPolicies;
}

export const nothingHeard = (term: Heard["term"]): Heard => ({
	term,
	beaconCounter: -1,
	level: undefined,
	policies: { current: undefined, previous: undefined },
});

export type BeaconStep =
	| { readonly kind: "heard"; readonly heard: Heard; readonly termRaised: boolean; readonly policyChanged: boolean }
	| { readonly kind: "ignored"; readonly why: "other-mesh" | "key-mismatch" | "core-deposed" | "core-term-forked" | "replayed" };

export const hearBeacon = (before: Heard, mesh: string, keyId: string, beacon: CoreBeacon, nowTick: number): BeaconStep => {
	if (beacon.mesh !== mesh) return { kind: "ignored", why: "other-mesh" };
	if (beacon.coreTerm.keyId !== keyId) return { kind: "ignored", why: "key-mismatch" };
	const { term } = before;
	const { counter } = beacon.coreTerm;
	if (term !== undefined && counter < term.counter) return { kind: "ignored", why: "core-deposed" };
	if (term !== undefined && counter === term.counter && keyId !== term.keyId) return { kind: "ignored", why: "core-term-forked" };
	const termRaised = term === undefined || counter > term.counter;
	if (!termRaised && beacon.counter <= before.beaconCounter) return { kind: "ignored", why: "replayed" };
	const { current, previous } = before.policies;
	const policyChanged = beacon.policyHash !== current;
	const policies: KnownPolicies = policyChanged
		? { current: beacon.policyHash, previous: current === undefined ? previous : { hash: current, goodUntilTick: nowTick + PREVIOUS_POLICY_GOOD_MS } }
		: before.policies;
	return { kind: "heard", heard: { term: { counter, keyId }, beaconCounter: beacon.counter, level: beacon.level, policies }, termRaised, policyChanged };
};
