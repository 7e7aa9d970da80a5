// Connects what a six-legged robot says of itself to the mesh: its pose ten times a second, its states as they change, its warnings as alerts. It offers no action: nothing that the mesh decides starts a movement.
import type { RecordTypes } from "../../contracts/envelope.ts";
import { MOVER_RULES } from "../../edge/machines/safe-stop-rows.ts";
import type { RobotState, RobotWarning } from "../robot/words.ts";
import type { Capability, CapabilityContext, Outcome } from "./capability.ts";

type Pose = RecordTypes["dev.orion.hexapod.pose.v1"];
type Changed = RecordTypes["dev.orion.hexapod.changed.v1"];
type Firing = RecordTypes["dev.orion.alert.firing.v1"];

/** Rows that only warn: each is an alert of its own. */
const WARNING_ROWS = MOVER_RULES.rules.filter(({ action }) => action === "warn").map(({ id }) => id);

const POSE_EVERY_MS = 100;
/** Words come ten times a second, and one more at each change: a little early is not another tenth. */
const EARLY_MS = 20;

const given = <T>(name: string, value: T | null): Readonly<Record<string, T>> => (value === null ? {} : { [name]: value });
const mark = ({ simulated }: RobotState): { readonly simulated?: true } => (simulated ? { simulated } : {});

/** What is not measured is absent, never zero. */
export const poseOf = (state: RobotState): Pose => ({
	model: state.model,
	state: state.state,
	...mark(state),
	travelled: state.travelled,
	...given("body", state.body),
	...given("heightMm", state.heightMm),
	...given("servoMv", state.servoMv),
	...given("boardMv", state.boardMv),
	...given("tiltDegrees", state.tiltDegrees),
	...given("marginMm", state.marginMm),
	...given("rangeMm", state.rangeMm),
});

const changedOf = (state: RobotState, before: RobotState | undefined): Changed => ({
	state: state.state,
	...(before === undefined ? {} : { before: before.state }),
	armEpoch: state.armEpoch,
	...(state.causeRow === null ? {} : { cause: state.causeRow }),
	...mark(state),
});

const firingOf = ({ model, servoMv, boardMv, simulated }: RobotState, { row, says }: RobotWarning): Firing => ({
	name: row,
	severity: "warning",
	summary: `${says}${simulated ? " (simulated)" : ""}`,
	labels: {
		model,
		...(servoMv === null ? {} : { servoMv: String(servoMv) }),
		...(boardMv === null ? {} : { boardMv: String(boardMv) }),
		...(simulated ? { simulated: "true" } : {}),
	},
});

export interface HexapodCapability extends Capability {
	/** Each word of the robot; undefined when it fell silent. */
	readonly hear: (state: RobotState | undefined) => void;
}

export const hexapodCapability = (): HexapodCapability => {
	let context: CapabilityContext | undefined;
	let newest: RobotState | undefined;
	let posedAtMs: number | undefined;
	/** What is said to fire; undefined: nothing was said yet, and what an agent before this one said may be so no more. */
	let firing: readonly string[] | undefined;
	const notSaid = (error: unknown): void => context?.note("hexapod-not-said", { detail: error instanceof Error ? error.message : "unknown" });
	const warn = (state: RobotState): void => {
		const before = firing;
		firing = state.warnings.map(({ row }) => row);
		for (const name of WARNING_ROWS) {
			const warning = state.warnings.find(({ row }) => row === name);
			if (before?.includes(name) === (warning !== undefined)) continue;
			const told =
				warning === undefined ? context?.emit("dev.orion.alert.resolved.v1", { name }) : context?.emit("dev.orion.alert.firing.v1", firingOf(state, warning));
			told?.catch(notSaid);
		}
	};
	const cannot = (): Promise<Outcome> => Promise.resolve({ phase: "failed", reason: "no-such-action" });
	const change = (state: RobotState, before: RobotState | undefined): void => {
		context?.emit("dev.orion.hexapod.changed.v1", changedOf(state, before)).catch(notSaid);
	};
	const say = (state: RobotState): void => {
		change(state, undefined);
		firing = undefined;
		warn(state);
	};
	const hear = (state: RobotState | undefined): void => {
		const before = newest;
		newest = state;
		if (context === undefined || state === undefined) return;
		if (before?.state !== state.state) change(state, before);
		warn(state);
		const nowMs = context.clock.now();
		if (posedAtMs !== undefined && nowMs - posedAtMs < POSE_EVERY_MS - EARLY_MS) return;
		posedAtMs = nowMs;
		context.measure("dev.orion.hexapod.pose.v1", poseOf(state));
	};
	return {
		name: "hexapod",
		actions: {},
		services: [],
		hear,
		start: (given) => {
			context = given;
			if (newest !== undefined) say(newest);
			return Promise.resolve();
		},
		stop: () => {
			context = undefined;
			return Promise.resolve();
		},
		run: cannot,
		probe: cannot,
		announce: () => {
			if (newest !== undefined) say(newest);
			return Promise.resolve();
		},
	};
};
