// Composition of what keeps a node safe: its latch, what moves if anything does, and what the gate, the pulse and a person at the node are told of both.
import type { NodeSafety } from "../../contracts/gen/types.ts";
import type { CoreWatch } from "../../edge/core-watch.ts";
import { Leases } from "../../edge/leases.ts";
import type { GateSafety } from "../../edge/machines/gate.ts";
import { heldBy, heldVerb, type LatchBook, type LatchOutcome } from "../../edge/machines/latch.ts";
import { STILL_RULES } from "../../edge/machines/safe-stop-rows.ts";
import { stillState } from "../../edge/machines/still.ts";
import type { SessionStore } from "../../edge/session.ts";
import type { CoreKeys } from "../../edge/signed.ts";
import { type StopLatch, sayLatch } from "../../edge/stop-latch.ts";
import type { AgentLine } from "../robot/agent-line.ts";

/** What the line to what moves needs of its agent. */
export interface RobotContext {
	readonly leases: Leases;
	/** Its kind or its epoch changed. */
	readonly onChange: () => void;
}

export interface NodeSafe {
	readonly latch: StopLatch;
	readonly robot: AgentLine | undefined;
	said(watch: CoreWatch): NodeSafety;
	gate(watch: CoreWatch): GateSafety;
	stoppedBy(): string | undefined;
	/** Newest order that is heard, and that whatever moves here obeys. */
	obeyed(): string | undefined;
	/** A person at the node: true if that let something go on. */
	presence(): boolean;
}

export const openRobotOf = (
	open: ((context: RobotContext) => AgentLine) | undefined,
	who: { readonly mesh: string; readonly node: string; readonly keys: CoreKeys; readonly sessions: SessionStore },
	onChange: () => void,
): AgentLine | undefined => {
	if (open === undefined) return undefined;
	const robot: AgentLine = open({ leases: new Leases({ ...who, armEpoch: () => robot.robot?.armEpoch ?? NO_EPOCH }), onChange });
	return robot;
};

/** Whatever moves stops before anyone is told. */
export const onLatch = (robot: AgentLine | undefined, book: LatchBook, tell: (outcome: LatchOutcome) => void, outcome: LatchOutcome): void => {
	robot?.held(heldVerb(book));
	tell(outcome);
};

/** No lease can name it. */
const NO_EPOCH = -1;
const LATCHED: readonly NodeSafety["state"][] = ["cut", "fault"];

/** `isRestricted`: by its certificate; what is held by an order counts before that. */
export const nodeSafe = (latch: StopLatch, robot: AgentLine | undefined, isRestricted: () => boolean): NodeSafe => ({
	latch,
	robot,
	said: (watch) => ({
		...(robot?.safety() ?? {
			kind: "still",
			state: isRestricted() && !latch.isLatched ? "restricted" : stillState(STILL_RULES, watch.presence, heldVerb(latch.book)),
		}),
		...sayLatch(latch.book),
	}),
	gate: (watch) => {
		const state = robot?.safety().state;
		if (latch.isLatched || (state !== undefined && LATCHED.includes(state))) return "stopped";
		if (isRestricted()) return "restricted";
		return state === "boot" ? "boot" : watch.presence;
	},
	stoppedBy: () => {
		const said = robot?.safety();
		return heldBy(latch.book)?.by ?? (said !== undefined && LATCHED.includes(said.state) ? (said.cause ?? "itself") : undefined);
	},
	obeyed: () => (robot?.obeys === false ? undefined : latch.book.heard),
	presence: () => robot?.presence() ?? false,
});
