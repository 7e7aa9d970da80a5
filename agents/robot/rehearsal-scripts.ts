// Decides what happens in each of the ten steps of a rehearsal, and what must be measured for it to be passed.
import { sayFault } from "../../contracts/errors.ts";
import { aimBench, type JointAim, thereAndBack } from "../../firmware-bridge/body/bench.ts";
import type { LegAngles } from "../../firmware-bridge/body/leg.ts";
import { JOINT_NAMES } from "../../firmware-bridge/body/plan.ts";
import type { Script, StepRun } from "./step-run.ts";

const ALL_LEGS: readonly number[] = [1, 2, 3, 4, 5, 6];
/** The board reads its servo chips five times a second. */
const CHIPS_WATCHED_MS = 1_200;
const CUT_LEG = 1;
const POWERED_MS = 500;
/** From the order to the board's word that it is off: a turn, the line, and its answer. */
const CUT_WITHIN_MS = 250;
const JOINT_DEGREES = 3;
const NEUTRAL: LegAngles = { coxa: 0, femur: 0, tibia: 90 };
/** Of one joint, at a time and in all. */
export const TRIM_DEGREES_MAX = 20;
const SLOW_STRIDE_MM = 20;
const SLOW_PACE_RATIO = 0.25;
const STRIDE_MM = 40;
const TURN_DEGREES = 10;
const PACE_RATIO = 0.5;
const WALK_WITHIN_MS = 60_000;
/** A turn, the line, and a frame of the servos, after what was held is over. */
const STOP_WITHIN_MS = 45;
/** More of them in one step is a machine that cannot lead legs. */
const LATE_TURNS_MAX = 12;
const SILENCE_WITHIN_MS = 15_000;
const OFF_WITHIN_MS = 12_000;

function* propped(run: StepRun): Script {
	return run.passed(yield* run.confirmed("Does the body lie on a block that cannot slip, with all six feet free?"));
}

function* bus(run: StepRun): Script {
	yield* run.armed({ kind: "bench", legs: [] });
	run.doing = "watching the servo chips";
	const from = run.now();
	yield* run.until(
		() => run.now() - from >= CHIPS_WATCHED_MS,
		2 * CHIPS_WATCHED_MS,
		() => "",
	);
	const { kind, sensors, board } = run.driver.status();
	if (kind !== "on" && kind !== "held") run.fail(`the ${board} is ${kind}`);
	run.measured["watchedMs"] = Math.round(run.now() - from);
	run.measured["sensorsHeard"] = Object.values(sensors ?? {}).filter((value) => value !== undefined).length;
	yield* run.down();
	return run.passed("the servo chips kept what they were told, and nothing moved");
}

function* battery(run: StepRun): Script {
	const { armMin } = run.loop.plan.batteryMv;
	let mv = run.loop.sensed.servoMv;
	if (mv === undefined)
		mv = (yield* run.asked("The board has no voltmeter: how many millivolts has the servo battery, measured at its plug?", "millivolts")).servoMv;
	if (mv === undefined) run.fail("no voltage was given");
	run.measured["servoMv"] = Math.round(mv);
	if (!(mv >= armMin)) run.fail(`${Math.round(mv)} mV; ${armMin} mV are needed to begin`);
	return run.passed(`${Math.round(mv)} mV`);
}

function* cut(run: StepRun): Script {
	yield* run.armed({ kind: "bench", legs: [CUT_LEG] });
	const poweredAt = run.now();
	yield* run.until(
		() => run.now() - poweredAt >= POWERED_MS,
		2 * POWERED_MS,
		() => "",
	);
	run.expectsStop = true;
	run.doing = "cutting it";
	const at = run.now();
	run.cut(true);
	yield* run.until(
		() => run.driver.status().kind === "off",
		1_000,
		() => "its board did not say that it is off",
	);
	run.measured["offMs"] = Math.round(run.now() - at);
	if (run.now() - at > CUT_WITHIN_MS) run.fail(`off only after ${Math.round(run.now() - at)} ms; ${CUT_WITHIN_MS} ms are allowed`);
	const said = yield* run.confirmed(`Did leg ${CUT_LEG}, and no other, take its pose, and go limp at once?`);
	run.cut(false);
	const released = run.loop.presence();
	if (!released.ok) run.fail(sayFault(released.fault));
	return run.passed(said);
}

const aimsAt = (angles: LegAngles): readonly JointAim[] => ALL_LEGS.flatMap((leg) => JOINT_NAMES.map((joint) => ({ leg, joint, degrees: angles[joint] })));

function* joints(run: StepRun): Script {
	yield* run.armed({ kind: "bench", legs: ALL_LEGS });
	const { motion, plan } = run.loop;
	if (motion.kind !== "bench") run.fail("it has no power any more");
	yield* run.aim(thereAndBack(plan, motion.bench.angles, JOINT_DEGREES));
	yield* run.down();
	run.measured["joints"] = plan.legs.length * JOINT_NAMES.length;
	return run.passed(yield* run.confirmed("Did each joint move when it was named, first the way of its name (out, up, bent), and no other?"));
}

/** Where a trimmed joint is told to go; a trim that no servo or limit allows is not taken, and the others stay. */
const trimmed = (run: StepRun, trim: JointAim): JointAim | undefined => {
	const { motion, plan } = run.loop;
	if (motion.kind !== "bench" || !(Math.abs(trim.degrees) <= TRIM_DEGREES_MAX)) return undefined;
	const aim = { ...trim, degrees: NEUTRAL[trim.joint] + trim.degrees };
	return aimBench(plan, motion.bench, [aim]).ok ? aim : undefined;
};

function* neutral(run: StepRun): Script {
	yield* run.armed({ kind: "bench", legs: ALL_LEGS });
	yield* run.aim(aimsAt(NEUTRAL));
	const trimDegrees = new Array<number>(ALL_LEGS.length * JOINT_NAMES.length).fill(0);
	let before = "";
	for (;;) {
		const { trim, yes } = yield* run.asked(`${before}Hips straight out, thighs level, shins upright? Trim a joint, or say yes to keep what is set`, "trims");
		if (trim === undefined) {
			if (yes !== true) run.fail("the person did not keep the trims");
			break;
		}
		const aim = trimmed(run, trim);
		before = aim === undefined ? `${trim.joint} of leg ${trim.leg} cannot be trimmed by ${trim.degrees} degrees. ` : "";
		if (aim === undefined) continue;
		trimDegrees[(trim.leg - 1) * JOINT_NAMES.length + JOINT_NAMES.indexOf(trim.joint)] = trim.degrees;
		yield* run.aim([aim]);
	}
	yield* run.down();
	run.measured["trimmedJoints"] = trimDegrees.filter((degrees) => degrees !== 0).length;
	return run.passed("the person kept these trims", trimDegrees);
}

/** One leg to all its ends, with power from its sitting pose on and off again; false: its loop was late, and it held and sat down. */
function* limitsOfLeg(run: StepRun, leg: number): Generator<undefined, boolean, undefined> {
	const ofLeg = (aims: readonly JointAim[]): readonly JointAim[] => aims.filter((aim) => aim.leg === leg);
	yield* run.armed({ kind: "bench", legs: ALL_LEGS });
	yield* run.aim(ofLeg(aimsAt(NEUTRAL)));
	const { motion, plan } = run.loop;
	const angles = motion.kind === "bench" ? motion.bench.angles : [];
	if (!run.wasLate) yield* run.aim(ofLeg(thereAndBack(plan, angles, Number.POSITIVE_INFINITY)));
	const isDone = !run.wasLate;
	yield* run.down();
	return isDone;
}

/** Some minutes with power would be long to hold: a leg at a time, and between them a person looks, and rests. */
function* limits(run: StepRun): Script {
	let said = "";
	run.forgivesLateLoop = true;
	run.measured["lateTurns"] = 0;
	for (const leg of ALL_LEGS) {
		while (!(yield* limitsOfLeg(run, leg))) {
			run.measured["lateTurns"] += 1;
			if (run.measured["lateTurns"] > LATE_TURNS_MAX) run.fail(`its own loop was late ${LATE_TURNS_MAX + 1} times: this machine has too much else to do`);
			yield* run.confirmed(`Its own loop was late, so it held and sat down; nothing was wrong with leg ${leg}. Do leg ${leg} again?`);
		}
		said = yield* run.confirmed(`Did each joint of leg ${leg} reach both of its ends without a buzz, a knock or a leg that met another?`);
	}
	run.measured["legs"] = ALL_LEGS.length;
	return run.passed(said);
}

const pathMm = (run: StepRun): number => run.loop.motion.travelled.pathMm;

function* linkLoss(run: StepRun): Script {
	yield* run.armed({ kind: "rehearsal" });
	run.doing = "walking slowly in the air";
	run.walk({ yMm: SLOW_STRIDE_MM }, SLOW_PACE_RATIO);
	yield* run.until(
		() => pathMm(run) >= SLOW_STRIDE_MM / 2,
		WALK_WITHIN_MS,
		() => "it did not walk",
	);
	run.doing = "waiting for silence";
	run.isLettingGo = true;
	run.expectsStop = true;
	let heldUntil = run.heldUntil;
	let fromMm = pathMm(run);
	const isSilent = (): boolean => {
		if (run.heldUntil > heldUntil) fromMm = pathMm(run);
		heldUntil = run.heldUntil;
		return run.loop.mover.kind !== "moving";
	};
	yield* run.until(isSilent, SILENCE_WITHIN_MS, () => "the link was not cut: it went on being held");
	const lateMs = run.loop.mover.since - heldUntil;
	run.measured["heldAfterMs"] = Math.round(lateMs);
	run.measured["pathAfterMm"] = Math.round(10 * (pathMm(run) - fromMm)) / 10;
	if (run.loop.mover.kind !== "hold") run.fail(`it went to ${run.loop.mover.kind} instead of holding`);
	if (lateMs > STOP_WITHIN_MS) run.fail(`it held ${Math.round(lateMs)} ms after what was held was over; ${STOP_WITHIN_MS} ms are allowed`);
	run.doing = "frozen; it must sit and switch off by itself";
	const stoppedMm = pathMm(run);
	yield* run.until(
		() => run.loop.mover.kind === "off" && run.driver.status().kind === "off",
		OFF_WITHIN_MS,
		() => `it is ${run.loop.mover.kind}, not off`,
	);
	run.measured["offAfterMs"] = Math.round(run.now() - heldUntil);
	if (pathMm(run) > stoppedMm) run.fail("it walked on after it had stopped");
	return run.passed(yield* run.confirmed("Did it freeze in mid-stride, lower its legs after some seconds, and go limp?"));
}

function* walked(run: StepRun, forMm: number): Generator<undefined, undefined, undefined> {
	run.doing = "walking";
	run.walk({ yMm: STRIDE_MM }, PACE_RATIO);
	yield* run.until(
		() => pathMm(run) >= forMm,
		WALK_WITHIN_MS,
		() => "it did not walk that far",
	);
	run.measured["pathMm"] = Math.round(pathMm(run));
	return undefined;
}

function* gait(run: StepRun): Script {
	yield* run.armed({ kind: "rehearsal" });
	yield* walked(run, 3 * STRIDE_MM);
	run.doing = "turning";
	run.walk({ turnDegrees: TURN_DEGREES }, PACE_RATIO);
	yield* run.until(
		() => run.loop.motion.travelled.headingDegrees >= TURN_DEGREES,
		WALK_WITHIN_MS,
		() => "it did not turn that far",
	);
	run.measured["turnedDegrees"] = Math.round(run.loop.motion.travelled.headingDegrees);
	yield* run.down();
	return run.passed(yield* run.confirmed("Did the legs walk forward and turn to the left, three and three, evenly and without meeting?"));
}

function* floor(run: StepRun): Script {
	yield* run.armed({ kind: "rehearsal" });
	yield* walked(run, 150);
	yield* run.down();
	return run.passed(yield* run.confirmed("Did it stand up level, walk forward, and sit down gently?"));
}

/** Step 1 first. */
export const SCRIPTS: readonly ((run: StepRun) => Script)[] = [propped, bus, battery, cut, joints, neutral, limits, linkLoss, gait, floor];
