// Decides what a line to the actuator asks for, and what the actuator says of itself.
import { fail } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";
import type { MoverRule } from "../../edge/machines/safe-stop-rules.ts";
import type { MoverKind } from "../../edge/machines/safe-stop-state.ts";
import { NO_STRIDE } from "../../firmware-bridge/body/gait.ts";
import { postureNow } from "../../firmware-bridge/body/motion.ts";
import { type GaitName, JOINT_NAMES, type RobotPlan } from "../../firmware-bridge/body/plan.ts";
import { type BodyPose, straight } from "../../firmware-bridge/body/posture.ts";
import type { RobotDriver } from "../../firmware-bridge/drivers/driver.ts";
import type { ActuatorLoop, LeaseAsked } from "./loop.ts";
import type { RehearsalState, StepAsked } from "./rehearsal.ts";
import type { Answer } from "./step-run.ts";

export type RobotRequest =
	| { readonly verb: "status" | "watch" | "heard" | "sit" | "release" }
	| { readonly verb: "arm" | "resume"; readonly armEpoch: number }
	| { readonly verb: "lease"; readonly lease: LeaseAsked }
	| { readonly verb: "end"; readonly holder: string }
	/** A step of the rehearsal: begun, or held on. */
	| { readonly verb: "rehearse"; readonly asked: StepAsked }
	| { readonly verb: "answer"; readonly id: string; readonly answer: Answer }
	| { readonly verb: "abandon"; readonly id: string }
	/** By a person here, or by what the agent's latch holds; null takes it back. */
	| { readonly verb: "order"; readonly source: "person" | "node"; readonly order: "stop" | "cut" | null };

export interface RobotWarning {
	readonly row: string;
	readonly says: string;
}

export interface RobotState {
	readonly schema: "orion.robot/1";
	readonly model: string;
	readonly simulated: boolean;
	readonly board: string;
	readonly state: MoverKind;
	/** The newest stop, in words, and the row of the rules that it came from. */
	readonly cause: string | null;
	readonly causeRow: string | null;
	readonly inForce: readonly string[];
	/** Those of the rows in force that only warn: by name, and in words. */
	readonly warnings: readonly RobotWarning[];
	readonly armEpoch: number;
	/** Its clock: what a renewal echoes. */
	readonly tick: number;
	readonly lease: { readonly holder: string; readonly leftMs: number } | null;
	readonly rehearsal: RehearsalState;
	readonly driver: { readonly state: string; readonly fault: string | null; readonly detail: string; readonly firmware: string | null };
	readonly servoMv: number | null;
	readonly boardMv: number | null;
	readonly tiltDegrees: number | null;
	readonly rangeMm: number | null;
	readonly marginMm: number | null;
	readonly travelled: { readonly xMm: number; readonly yMm: number; readonly headingDegrees: number; readonly pathMm: number };
	/** Of the body over its feet; null without power. */
	readonly body: {
		readonly xMm: number;
		readonly yMm: number;
		readonly rollDegrees: number;
		readonly pitchDegrees: number;
		readonly yawDegrees: number;
	} | null;
	readonly heightMm: number | null;
	/** Leg 1 to 6: where the foot stands in the ground's frame, and whether it carries. Empty without power. */
	readonly feet: readonly { readonly xMm: number; readonly yMm: number; readonly zMm: number; readonly standing: boolean }[];
}

type Fields = Readonly<Record<string, unknown>>;
const wrong = (detail: string) => fail("USAGE", { detail });
const fieldsOf = (value: unknown): Fields => (typeof value === "object" && value !== null ? (value as Fields) : {});
const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
const isName = (value: unknown): value is string => typeof value === "string" && value.length > 0 && value.length <= 128;

const readLease = (plan: RobotPlan, fields: Fields): Result<RobotRequest> => {
	const { id, holder, armEpoch, tick, ttlMs, gait = "tripod", pathMm, timeMs } = fields;
	const { radiusMm = pathMm } = fields;
	const { xMm = 0, yMm = 0, turnDegrees = 0 } = fieldsOf(fields["stride"]);
	const body = { ...straight(plan), ...fieldsOf(fields["body"]) };
	if (!isName(id) || !isName(holder)) return wrong("a lease has an id and a holder");
	if (![armEpoch, tick, ttlMs, pathMm, radiusMm, timeMs, xMm, yMm, turnDegrees, ...Object.values(body)].every(isNumber))
		return wrong("a lease is made of numbers");
	if (gait !== "tripod" && gait !== "ripple") return wrong("the gaits are tripod and ripple");
	if (Object.keys(body).length !== Object.keys(straight(plan)).length) return wrong("a body has xMm yMm heightMm rollDegrees pitchDegrees yawDegrees");
	const numbers = { armEpoch, tick, ttlMs, pathMm, radiusMm, timeMs, xMm, yMm, turnDegrees } as Readonly<Record<string, number>>;
	const number = (name: string): number => numbers[name] ?? 0;
	const stride = { ...NO_STRIDE, xMm: number("xMm"), yMm: number("yMm"), turnDegrees: number("turnDegrees") };
	return ok({
		verb: "lease",
		lease: {
			id,
			holder,
			armEpoch: number("armEpoch"),
			tick: number("tick"),
			ttlMs: number("ttlMs"),
			gait: gait as GaitName,
			wanted: { stride, body: body as ReturnType<typeof straight> },
			bounds: { pathMm: number("pathMm"), radiusMm: number("radiusMm"), timeMs: number("timeMs") },
		},
	});
};

const TTL_MS_MAX = 1_000;

const readStep = ({ step, id, tick, ttlMs }: Fields): Result<RobotRequest> => {
	if (!isName(id)) return wrong("a step has an id");
	if (!isNumber(step) || !isNumber(tick) || !isNumber(ttlMs)) return wrong("a step is held with step, tick and ttlMs");
	if (!(ttlMs > 0 && ttlMs <= TTL_MS_MAX)) return wrong(`a step is held for more than 0 and at most ${TTL_MS_MAX} ms`);
	return ok({ verb: "rehearse", asked: { step, id, tick, ttlMs } });
};

const readAnswer = ({ id, yes, servoMv, trim }: Fields): Result<RobotRequest> => {
	if (!isName(id)) return wrong("which step is answered?");
	if (typeof yes === "boolean") return ok({ verb: "answer", id, answer: { yes } });
	if (isNumber(servoMv)) return ok({ verb: "answer", id, answer: { servoMv } });
	const { leg, joint: named, degrees } = fieldsOf(trim);
	const joint = JOINT_NAMES.find((name) => name === named);
	if (joint === undefined || !isNumber(leg) || !isNumber(degrees)) return wrong("an answer is yes, servoMv, or a trim of leg, joint and degrees");
	return ok({ verb: "answer", id, answer: { trim: { leg, joint, degrees } } });
};

/** One line. Anything that begins like an order to stop or cut is one, whatever else is wrong with it. */
export const readRobotRequest = (plan: RobotPlan, line: string): Result<RobotRequest> => {
	const text = line.trim();
	if (text === "stop" || text === "cut") return ok({ verb: "order", source: "person", order: text });
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch {
		return wrong("one JSON object a line");
	}
	const fields = fieldsOf(value);
	const { verb, armEpoch, holder, order = null, source = "person" } = fields;
	switch (verb) {
		case "stop":
		case "cut":
			return ok({ verb: "order", source: "person", order: verb });
		case "status":
		case "watch":
		case "heard":
		case "sit":
		case "release":
			return ok({ verb });
		case "arm":
		case "resume":
			return isNumber(armEpoch) ? ok({ verb, armEpoch }) : wrong(`${verb} names the armEpoch that it was told`);
		case "end":
			return isName(holder) ? ok({ verb, holder }) : wrong("who lets go?");
		case "order":
			if (order !== null && order !== "stop" && order !== "cut") return wrong("an order is stop, cut or null");
			return source === "person" || source === "node" ? ok({ verb, source, order }) : wrong("an order comes from person or node");
		case "lease":
			return readLease(plan, fields);
		case "rehearse":
			return readStep(fields);
		case "answer":
			return readAnswer(fields);
		case "abandon":
			return isName(fields["id"]) ? ok({ verb, id: fields["id"] }) : wrong("which step is broken off?");
		default:
			return wrong(`no such verb: ${String(verb).slice(0, 40)}`);
	}
};

const bodyOf = ({ xMm, yMm, rollDegrees, pitchDegrees, yawDegrees }: BodyPose): RobotState["body"] => ({
	xMm: Math.round(xMm),
	yMm: Math.round(yMm),
	rollDegrees: Math.round(rollDegrees),
	pitchDegrees: Math.round(pitchDegrees),
	yawDegrees: Math.round(yawDegrees),
});

/** What a row means to a person. */
export const sayRow = (rules: readonly MoverRule[], row: string): string => rules.find(({ id }) => id === row)?.says ?? row;

export const stateOf = (loop: ActuatorLoop, driver: RobotDriver, rehearsal: RehearsalState, rules: readonly MoverRule[]): RobotState => {
	const { mover, motion, sensed } = loop;
	const status = driver.status();
	const posture = postureNow(motion);
	const inForce = rules.filter(({ id }) => mover.causes[id]?.inForce === true);
	const rounded = (value: number | undefined, digits = 0): number | null => (value === undefined ? null : Number(value.toFixed(digits)));
	return {
		schema: "orion.robot/1",
		model: loop.plan.model,
		simulated: status.simulated,
		board: status.board,
		state: mover.kind,
		cause: mover.cause === undefined ? null : sayRow(rules, mover.cause),
		causeRow: mover.cause ?? null,
		inForce: inForce.map(({ says }) => says),
		warnings: inForce.filter(({ action }) => action === "warn").map(({ id, says }) => ({ row: id, says })),
		armEpoch: mover.armEpoch,
		tick: mover.at,
		lease: mover.lease === undefined ? null : { holder: mover.lease.holder, leftMs: Math.max(0, Math.round(mover.lease.until - mover.at)) },
		rehearsal,
		driver: { state: status.kind, fault: status.fault ?? null, detail: status.faultDetail, firmware: status.firmware ?? null },
		servoMv: rounded(sensed.servoMv),
		boardMv: rounded(sensed.boardMv),
		tiltDegrees: rounded(sensed.tiltDegrees, 1),
		rangeMm: rounded(sensed.rangeMm),
		marginMm: rounded(posture?.marginMm),
		travelled: {
			xMm: Math.round(motion.travelled.xMm),
			yMm: Math.round(motion.travelled.yMm),
			headingDegrees: Math.round(motion.travelled.headingDegrees),
			pathMm: Math.round(motion.travelled.pathMm),
		},
		body: posture === undefined ? null : bodyOf(posture.stance.body),
		heightMm: rounded(posture?.stance.body.heightMm),
		feet: (posture?.stance.feet ?? []).map((foot, leg) => ({
			xMm: Math.round(foot.x),
			yMm: Math.round(foot.y),
			zMm: Math.round(foot.z),
			standing: posture?.stance.standing[leg] === true,
		})),
	};
};
