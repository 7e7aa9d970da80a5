// Composition of what keeps a node safe: its latch, what moves if anything does, and what the gate, the pulse and a person at the node are told of both.
import type { NodeSafety } from "../../contracts/gen/types.ts";
import type { CoreWatch } from "../../edge/core-watch.ts";
import { Leases } from "../../edge/leases.ts";
import type { GateSafety } from "../../edge/machines/gate.ts";
import { heldBy, heldVerb, type LatchBook, type LatchOutcome } from "../../edge/machines/latch.ts";
import { STILL_RULES } from "../../edge/machines/safe-stop-rows.ts";
import { stillState } from "../../edge/machines/still.ts";
import type { MoverLoop } from "../../edge/mover.ts";
import type { SessionStore } from "../../edge/session.ts";
import type { CoreKeys } from "../../edge/signed.ts";
import { type StopLatch, sayLatch } from "../../edge/stop-latch.ts";

/** What the loop of a node that moves needs of its agent. */
export interface MoverContext {
	readonly leases: Leases;
	/** Its kind or its epoch changed. */
	readonly onChange: () => void;
}

export interface NodeSafe {
	readonly latch: StopLatch;
	readonly mover: MoverLoop | undefined;
	said(watch: CoreWatch): NodeSafety;
	gate(watch: CoreWatch): GateSafety;
	stoppedBy(): string | undefined;
	/** A person at the node: true if that let something go on. */
	presence(): boolean;
}

export const openMoverOf = async (
	open: ((context: MoverContext) => Promise<MoverLoop>) | undefined,
	who: { readonly mesh: string; readonly node: string; readonly keys: CoreKeys; readonly sessions: SessionStore },
	onChange: () => void,
): Promise<MoverLoop | undefined> => {
	if (open === undefined) return undefined;
	const mover: MoverLoop = await open({ leases: new Leases({ ...who, armEpoch: () => mover.state.armEpoch }), onChange });
	return mover;
};

/** Whatever moves stops before anyone is told. */
export const onLatch = (mover: MoverLoop | undefined, book: LatchBook, tell: (outcome: LatchOutcome) => void, outcome: LatchOutcome): void => {
	mover?.held(heldVerb(book));
	tell(outcome);
};

const LATCHED: readonly NodeSafety["state"][] = ["cut", "fault"];

/** `isRestricted`: by its certificate; what is held by an order counts before that. */
export const nodeSafe = (latch: StopLatch, mover: MoverLoop | undefined, isRestricted: () => boolean): NodeSafe => ({
	latch,
	mover,
	said: (watch) => ({
		...(mover?.safety() ?? {
			kind: "still",
			state: isRestricted() && !latch.isLatched ? "restricted" : stillState(STILL_RULES, watch.presence, heldVerb(latch.book)),
		}),
		...sayLatch(latch.book),
	}),
	gate: (watch) => {
		if (latch.isLatched || (mover !== undefined && LATCHED.includes(mover.state.kind))) return "stopped";
		if (isRestricted()) return "restricted";
		return mover?.state.kind === "boot" ? "boot" : watch.presence;
	},
	stoppedBy: () => heldBy(latch.book)?.by ?? (mover !== undefined && LATCHED.includes(mover.state.kind) ? (mover.state.cause ?? "itself") : undefined),
	presence: () => mover?.presence().ok ?? false,
});
