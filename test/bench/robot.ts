// Measures the robot (RUN-53): what a pose costs, how even its turns are, how far it is still told to go after a cut, and how long its legs outlive who moves them.
import { instant } from "../../contracts/time.ts";
import { anglesFor } from "../../firmware-bridge/body/leg.ts";
import { postureOf, standStance } from "../../firmware-bridge/body/posture.ts";
import { pulsesFor } from "../../firmware-bridge/body/servos.ts";
import { LoopRig, plan, TTL_MS } from "../robot/loop-rig.ts";
import { type Figure, figure } from "./figures.ts";
import { quantile } from "./load.ts";
import { RobotProcesses } from "./robot-processes.ts";

const TURN_MS = 20;
const TURN = { name: "one turn of the loop", value: TURN_MS * 1_000, unit: "us" };
const POSES = 50_000;
const CUTS = 50;
/** One turn, the line and one servo frame after the lease's end. */
const AFTER_LEASE_MS = 45;
const BOUND_MM = 5_000;
const STRIKES = 8;
const JITTER_WALK_MS = 10_000;
const LEASE_MS = 200;
const FREEZE_MS = 2_000;
const LATE_MS = 250;

/** Seeded, so that a figure out of bounds can be looked at again. */
const chance = (seed: number) => {
	let state = seed >>> 0;
	return (): number => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return state / 0x1_0000_0000;
	};
};

const microseconds = (work: () => void): number => {
	for (let round = 0; round < POSES / 10; round += 1) work();
	const beganMs = performance.now();
	for (let round = 0; round < POSES; round += 1) work();
	return ((performance.now() - beganMs) * 1_000) / POSES;
};

const costs = (): readonly Figure[] => {
	const [leg] = plan.legs;
	const stance = standStance(plan);
	if (leg === undefined) throw new Error("a robot without legs");
	const ikUs = microseconds(() => {
		if (!anglesFor(plan, leg, { x: 140, y: 0, z: -40 }).ok) throw new Error("out of reach");
	});
	const powered = plan.legs.map(() => true);
	const poseUs = microseconds(() => {
		const posture = postureOf(plan, stance);
		if (!posture.ok || !pulsesFor(plan, posture.value.angles, powered).ok) throw new Error("no pose");
	});
	return [
		figure("robot.ik", ikUs, "us", TURN, "< 20 us a leg", (value) => value < 20),
		figure("robot.pose", poseUs, "us", TURN, "< 1 % of a turn", (_, ratio) => ratio < 0.01),
	];
};

interface Cut {
	readonly wentMm: number;
	readonly mayMm: number;
	readonly isInside: boolean;
}

/** Walks for a while, then the holder is gone: how far it is still told to go, against the speed it had x (ttl + 45 ms). */
const cut = async (rig: LoopRig, round: number, next: () => number): Promise<Cut> => {
	const wentMm = (): number => rig.loop.motion.travelled.pathMm;
	const stateNow = (): string => rig.kind;
	const openedMm = wentMm();
	let [fastest, lastMm] = [0, openedMm];
	const lease = { id: `cut-${round}`, yMm: 20 + 20 * next(), bounds: { pathMm: BOUND_MM, radiusMm: BOUND_MM, timeMs: 60_000 } };
	await rig.turns(800 + Math.floor(next() * 50) * TURN_MS, () => {
		fastest = Math.max(fastest, (wentMm() - lastMm) / TURN_MS);
		lastMm = wentMm();
		rig.lease(lease);
	});
	if (stateNow() !== "moving") throw new Error(`it is ${stateNow()} instead of walking: ${rig.kinds.join(" ")}`);
	// What was said last may have been under way for up to 200 ms.
	rig.lease({ ...lease, tick: instant(rig.line.now() - 200 * next()) });
	const cutMm = wentMm();
	await rig.turns(TTL_MS + 400);
	return {
		wentMm: wentMm() - cutMm,
		mayMm: fastest * (TTL_MS + AFTER_LEASE_MS),
		isInside: stateNow() === "hold" && wentMm() - openedMm <= BOUND_MM,
	};
};

const displacement = async (say: (line: string) => void): Promise<Figure> => {
	const next = chance(7);
	const rig = await (await LoopRig.onBoard()).armed();
	const cuts: Cut[] = [];
	for (let round = 1; round <= CUTS; round += 1) {
		cuts.push(await cut(rig, round, next));
		// Its cause is over; a person lets it stand ready again.
		await rig.turns(1_200);
		const resumed = rig.loop.resume(rig.loop.mover.armEpoch);
		if (!resumed.ok) throw new Error(JSON.stringify(resumed.fault));
		if (round % 10 === 0) say(`cut ${round} of ${CUTS}`);
	}
	const [worst] = [...cuts].sort((a, b) => b.wentMm / b.mayMm - a.wentMm / a.mayMm);
	if (worst === undefined) throw new Error("no cuts");
	const beside = { name: "its speed x (ttl + 45 ms)", value: worst.mayMm, unit: "mm" };
	const isInside = cuts.every((one) => one.isInside);
	return figure(
		"robot.displacement",
		worst.wentMm,
		"mm",
		beside,
		`<= beside, worst of ${CUTS} cuts, all held and inside the lease`,
		(_, ratio) => ratio <= 1 && isInside,
	);
};

export const bodyFigures = async (say: (line: string) => void): Promise<readonly Figure[]> => [...costs(), await displacement(say)];

/** How late a bare timer of this process is: no loop on this machine can be more even. */
const bareTimerMs = async (): Promise<number> => {
	const late: number[] = [];
	let dueMs = performance.now();
	while (late.length < 300) {
		dueMs += TURN_MS;
		await new Promise((resolve) => setTimeout(resolve, dueMs - performance.now()));
		late.push(Math.abs(performance.now() - dueMs));
		dueMs = performance.now();
	}
	return quantile(late, 0.99);
};

/** By how much the time between two changes of the same chip differs from a turn; pauses of the gait are no intervals. */
const jitterMs = (robot: RobotProcesses, from: number): readonly number[] => {
	const times = robot.bus.events.slice(from).flatMap((event) => (event.kind === "pulses" && event.address === 0x41 ? [event.atMs] : []));
	return times.slice(1).map((atMs, index) => {
		const passedMs = atMs - (times[index] ?? atMs);
		return Math.abs(passedMs - Math.max(1, Math.round(passedMs / TURN_MS)) * TURN_MS);
	});
};

export const deadFigures = async (say: (line: string) => void): Promise<readonly Figure[]> => {
	const robot = await RobotProcesses.open();
	try {
		await robot.walk(1_000);
		const from = robot.bus.events.length;
		await robot.walk(JITTER_WALK_MS);
		const jitter = jitterMs(robot, from);
		const struck: { readonly freezeMs: number; readonly offMs: number }[] = [];
		for (let round = 1; round <= STRIKES; round += 1) {
			await robot.walk(600 + 137 * round);
			struck.push(await robot.strike(round % 2 === 0 ? "SIGSTOP" : "SIGKILL"));
			say(`agent dead ${round} of ${STRIKES}: last pulse ${struck.at(-1)?.freezeMs.toFixed(0)} ms, off ${struck.at(-1)?.offMs.toFixed(0)} ms`);
		}
		const worst = (name: "freezeMs" | "offMs"): number => Math.max(...struck.map((one) => one[name]));
		const lease = { name: "the lease at the guard", value: LEASE_MS, unit: "ms" };
		const both = { name: "lease and freeze time at the guard", value: LEASE_MS + FREEZE_MS, unit: "ms" };
		return [
			figure(
				"robot.jitter.p99",
				quantile(jitter, 0.99),
				"ms",
				{ name: "a bare timer", value: await bareTimerMs(), unit: "ms" },
				"< 10 ms",
				(value) => value < 10,
			),
			figure("agent-dead.freeze", worst("freezeMs"), "ms", lease, `<= ${LATE_MS} ms`, (value) => value <= LATE_MS),
			figure("agent-dead.off", worst("offMs"), "ms", both, `<= ${LATE_MS} ms + freeze time`, (value) => value <= LATE_MS + FREEZE_MS),
		];
	} finally {
		await robot.close();
	}
};
