// The rows of the safe-stop, made from policies/safe-stop.yaml by `npm run generate`. Do not edit.
import type { MoverRules } from "./safe-stop-rules.ts";
import type { StillRules } from "./still.ts";

export const MOVER_RULES: MoverRules = {
	timing: { loopLateAfterMs: 100, linkGoodForMs: 1_000, riseWithinMs: 10_000, holdForMs: 5_000, settleWithinMs: 4_000, leaseMaxMs: 1_000 },
	rules: [
		{ id: "cut-ordered", cause: "cut", in: "any", action: "cut", clears: "presence", says: "somebody ordered cut", graceMs: 0, clearAfterMs: 0 },
		{ id: "found-armed", cause: "found-armed", in: "any", action: "fault", clears: "presence", says: "it was armed when its agent died", graceMs: 0, clearAfterMs: 0 },
		{ id: "stop-ordered", cause: "stop", in: "any", action: "settle", clears: "release", says: "somebody ordered stop", graceMs: 0, clearAfterMs: 0 },
		{ id: "driver-broke", cause: "driver-error", in: "energised", action: "fault", clears: "presence", says: "the line to the servos failed", graceMs: 0, clearAfterMs: 1_000 },
		{ id: "board-reset", cause: "board-reset", in: "energised", action: "fault", clears: "presence", says: "the board that drives the servos started anew", graceMs: 0, clearAfterMs: 1_000 },
		{ id: "fell-over", cause: "tilt", in: "energised", action: "fault", clears: "presence", says: "it is tilted further than it can stand", graceMs: 60, clearAfterMs: 1_000 },
		{ id: "battery-empty", cause: "battery-empty", in: "energised", action: "fault", clears: "presence", says: "a battery is empty", graceMs: 0, clearAfterMs: 1_000 },
		{ id: "battery-low", cause: "battery-low", in: "energised", action: "settle", clears: "itself", says: "a battery is low", graceMs: 0, clearAfterMs: 10_000 },
		{ id: "rise-too-long", cause: "rise-late", in: "energised", action: "settle", clears: "itself", says: "it did not stand up in time", graceMs: 0, clearAfterMs: 1_000 },
		{ id: "lease-over", cause: "lease-over", in: "energised", action: "hold", clears: "itself", says: "nobody held the lease any more", graceMs: 0, clearAfterMs: 100 },
		{ id: "link-lost", cause: "link-silent", in: "energised", action: "hold", clears: "itself", says: "core was not heard", graceMs: 1_500, clearAfterMs: 1_000 },
		{ id: "loop-late", cause: "loop-late", in: "energised", action: "hold", clears: "itself", says: "its own loop was late", graceMs: 0, clearAfterMs: 1_000 },
		{ id: "obstacle", cause: "obstacle", in: "energised", action: "hold", clears: "itself", says: "something is in the way", graceMs: 0, clearAfterMs: 500 },
		{ id: "battery-weak", cause: "battery-weak", in: "any", action: "inhibit", clears: "itself", says: "a battery is too weak to begin", graceMs: 0, clearAfterMs: 10_000 },
		{ id: "battery-warn", cause: "battery-warn", in: "any", action: "warn", clears: "itself", says: "a battery wants charging", graceMs: 0, clearAfterMs: 10_000 },
		{ id: "not-sitting", cause: "not-sitting", in: "unpowered", action: "inhibit", clears: "itself", says: "it stands up from sitting only", graceMs: 0, clearAfterMs: 0 },
	],
};

export const STILL_RULES: StillRules = {
	"stop": { id: "stop-ordered", becomes: "stopped", clears: "release", says: "somebody ordered stop", graceMs: 0, clearAfterMs: 0 },
	"cut": { id: "cut-ordered", becomes: "stopped", clears: "presence", says: "somebody ordered cut", graceMs: 0, clearAfterMs: 0 },
	"link-silent": { id: "link-lost", becomes: "alone", clears: "itself", says: "core was not heard", graceMs: 3_500, clearAfterMs: 1_000 },
};
