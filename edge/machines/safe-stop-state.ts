// What a node that moves things is in its safe-stop: its kinds, what can be said to it, what follows, and when a target may be written at all.
import type { Step } from "../../contracts/machine.ts";
import type { Instant } from "../../contracts/time.ts";
import type { Cause, Causes } from "./safe-stop-rules.ts";

export type MoverKind = "boot" | "off" | "rising" | "armed" | "moving" | "hold" | "settling" | "calibrating" | "cut" | "fault";

export interface HeldLease {
	readonly holder: string;
	/** Exclusive: at this instant it is over. */
	readonly until: Instant;
}

export interface Mover {
	readonly kind: MoverKind;
	/** Newest update. */
	readonly at: Instant;
	/** When this kind began. */
	readonly since: Instant;
	/** Raised at each arming, resume and stop: what names an older one has no effect. */
	readonly armEpoch: number;
	/** An arm was accepted and is being written to disk; nothing is enabled yet. */
	readonly arming: boolean;
	readonly lease: HeldLease | undefined;
	/** Newest sign of core, and the first of the present run of them. */
	readonly heardAt: Instant | undefined;
	readonly goodSince: Instant | undefined;
	/** What sensors and orders say is so. */
	readonly seen: readonly Cause[];
	readonly causes: Causes;
	/** Row of the newest stop. */
	readonly cause: string | undefined;
}

/** What sensors, driver and orders say: it is so until it is said not to be. */
export type SeenCause = Exclude<Cause, "rise-late" | "lease-over" | "link-silent" | "loop-late">;

export type MoverInput = { readonly at: Instant } & (
	| { readonly kind: "time" }
	/** Self-test over, board there, outputs off. */
	| { readonly kind: "ready" }
	| { readonly kind: "heard" }
	| { readonly kind: "seen"; readonly cause: SeenCause; readonly present: boolean }
	| { readonly kind: "arm"; readonly armEpoch: number }
	/** That it is armed is on disk. */
	| { readonly kind: "armed-kept"; readonly armEpoch: number }
	| { readonly kind: "risen" }
	| { readonly kind: "lease"; readonly armEpoch: number; readonly holder: string; readonly until: Instant; readonly purpose: "move" | "calibrate" }
	| { readonly kind: "lease-end"; readonly holder: string }
	| { readonly kind: "resume"; readonly armEpoch: number }
	| { readonly kind: "sit" }
	| { readonly kind: "settled" }
	/** A person at the node lets it leave cut or fault. */
	| { readonly kind: "presence" }
);

export type MoverRefusal = "other-epoch" | "wrong-state" | "inhibited" | "link-not-good" | "lease-too-long" | "lease-is-over" | "held-by-other" | "still-there";

/** In this order. `keep-armed` is on disk before `enable` can follow; `disable` comes before anything is written. */
export type MoverEffect =
	| { readonly kind: "keep-armed" | "enable" | "freeze" | "settle" | "disable" | "keep-off" }
	| { readonly kind: "refused"; readonly reason: MoverRefusal; readonly detail: string };

export type MoverStep = Step<Mover, MoverEffect>;

const ENERGISED: readonly MoverKind[] = ["rising", "armed", "moving", "hold", "settling", "calibrating"];
/** From here a stop leads away; elsewhere it is stopped, or stopping, already. */
export const UPWARD: readonly MoverKind[] = ["rising", "armed", "moving", "calibrating"];
export const LATCHED: readonly MoverKind[] = ["cut", "fault"];
export const LEASED: readonly MoverKind[] = ["moving", "calibrating"];

export const isEnergised = ({ kind }: Pick<Mover, "kind">): boolean => ENERGISED.includes(kind);

/** The only question before a target is written: four kinds, and two of them only while their lease lives. */
export const mayWrite = ({ kind, lease }: Mover, at: Instant): boolean => {
	if (kind === "rising" || kind === "settling") return true;
	return LEASED.includes(kind) && lease !== undefined && at < lease.until;
};

export const bootMover = (at: Instant, armEpoch: number): Mover => ({
	kind: "boot",
	at,
	since: at,
	armEpoch,
	arming: false,
	lease: undefined,
	heardAt: undefined,
	goodSince: undefined,
	seen: [],
	causes: {},
	cause: undefined,
});
