// Connects `orion robot pose` and `look` to a lease: the body is turned, leant or raised over its feet within the robot's limits, then let go. Nothing of it walks.
import { OrionError } from "../../contracts/errors.ts";
import type { RobotState } from "../robot/words.ts";
import { type BodyAsked, type Bounds, Hold, pause, RENEW_EVERY_MS, type Stride, sayState, withRobot } from "./robot.ts";
import { Interrupted, type Session } from "./session.ts";

const NO_STRIDE: Stride = { xMm: 0, yMm: 0, turnDegrees: 0 };
/** Only the body goes, over feet that stand. */
const POSE_BOUNDS: Bounds = { pathMm: 200, timeMs: 60_000 };
const POSED_WITHIN_MS = 10_000;
/** The range finder measures a few times in this. */
const LOOKED_FOR_MS = 400;
/** Without a direction: to both sides and ahead, as far as every model can. */
const SWEEP_DEGREES = [8, 0, -8] as const;

export interface PoseOptions {
	readonly x?: number;
	readonly y?: number;
	readonly height?: number;
	readonly roll?: number;
	readonly pitch?: number;
	readonly yaw?: number;
	/** By a lease of the mesh. */
	readonly node?: string;
}

const bodyOf = ({ x, y, height, roll, pitch, yaw }: PoseOptions): BodyAsked => {
	const named = { xMm: x, yMm: y, heightMm: height, rollDegrees: roll, pitchDegrees: pitch, yawDegrees: yaw };
	return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
};

/** As far as a robot says it of itself: to the millimetre and the degree. */
const isPosed = ({ body, heightMm }: RobotState, asked: BodyAsked): boolean => {
	if (body === null) return false;
	const axes = ["xMm", "yMm", "rollDegrees", "pitchDegrees", "yawDegrees"] as const;
	const isThere = axes.every((axis) => body[axis] === Math.round(asked[axis] ?? 0));
	return isThere && (asked.heightMm === undefined || heightMm === Math.round(asked.heightMm));
};

const isSame = (one: RobotState | undefined, other: RobotState): boolean =>
	JSON.stringify([one?.body, one?.heightMm]) === JSON.stringify([other.body, other.heightMm]);

/** Renewed until it is there and goes no further; false: not in time. Faults: what the robot refuses. */
const poseUntilThere = async (session: Session, hold: Hold, body: BodyAsked): Promise<boolean> => {
	const untilMs = performance.now() + POSED_WITHIN_MS;
	let before: RobotState | undefined;
	while (performance.now() < untilMs) {
		if (session.host.interrupted.aborted) throw new Interrupted();
		await hold.renew(NO_STRIDE, body);
		await pause(RENEW_EVERY_MS);
		await hold.look();
		if (isPosed(hold.state, body) && isSame(before, hold.state)) return true;
		before = hold.state;
	}
	return false;
};

/** One lease for all of it, given back whatever happens. */
const held = async <T>(session: Session, work: (hold: Hold) => Promise<T>): Promise<T> =>
	withRobot(session, async (line) => {
		const hold = new Hold(line, session.host.user, await line.ask({ verb: "status" }), POSE_BOUNDS);
		try {
			return await work(hold);
		} finally {
			// What is over already is not given back; what could not be given back runs out by itself.
			await hold.end().catch(() => undefined);
		}
	});

export const poseRobot = async (session: Session, options: PoseOptions): Promise<number> => {
	const body = bodyOf(options);
	if (options.node !== undefined) return (await import("./robot-mesh.ts")).poseNode(session, options.node, body);
	return held(session, async (hold) => {
		const isThere = await session.waiting(() => "taking the pose", poseUntilThere(session, hold, body));
		await hold.end();
		sayState(session, hold.state);
		if (!isThere) session.note("it did not come there in time");
		return isThere ? 0 : 8;
	});
};

export interface LookOptions {
	/** Degrees. */
	readonly left?: number;
	readonly right?: number;
	readonly up?: number;
	readonly down?: number;
}

interface Looked {
	readonly yawDegrees: number;
	readonly pitchDegrees: number;
	readonly rangeMm: number | null;
}

const directionsOf = ({ left, right, up, down }: LookOptions): readonly Pick<Looked, "yawDegrees" | "pitchDegrees">[] => {
	if ((left !== undefined && right !== undefined) || (up !== undefined && down !== undefined))
		throw new OrionError("USAGE", { detail: "one direction at a time: --left or --right, --up or --down" });
	const isSweep = [left, right, up, down].every((value) => value === undefined);
	const one = { yawDegrees: left ?? -(right ?? 0), pitchDegrees: up ?? -(down ?? 0) };
	return isSweep ? SWEEP_DEGREES.map((yawDegrees) => ({ yawDegrees, pitchDegrees: 0 })) : [one];
};

const sayDegrees = (degrees: number, more: string, less: string): string => (degrees === 0 ? "" : ` ${Math.abs(degrees)} degrees ${degrees > 0 ? more : less}`);
const sayLooked = ({ yawDegrees, pitchDegrees, rangeMm }: Looked): string => {
	const where = `${sayDegrees(yawDegrees, "left", "right")}${sayDegrees(pitchDegrees, "up", "down")}`.trim() || "ahead";
	return `${where}: ${rangeMm === null ? "nothing measured" : `${rangeMm} mm`}`;
};

const lookOnce = async (session: Session, hold: Hold, body: Pick<Looked, "yawDegrees" | "pitchDegrees">): Promise<Looked | undefined> => {
	if (!(await poseUntilThere(session, hold, body))) return undefined;
	for (let lookedMs = 0; lookedMs < LOOKED_FOR_MS; lookedMs += RENEW_EVERY_MS) {
		await hold.renew(NO_STRIDE, body);
		await pause(RENEW_EVERY_MS);
		await hold.look();
	}
	return { ...body, rangeMm: hold.state.rangeMm };
};

/** With its body, because neither board nor guard drives the servos of a head: what it measures with looks where its body does. */
export const lookRobot = async (session: Session, options: LookOptions): Promise<number> => {
	const directions = directionsOf(options);
	return held(session, async (hold) => {
		const looked: Looked[] = [];
		for (const direction of directions) {
			const one = await session.waiting(() => "looking", lookOnce(session, hold, direction));
			if (one !== undefined) looked.push(one);
		}
		const isBack = await poseUntilThere(session, hold, {});
		const { simulated } = hold.state;
		if (session.json) session.print({ schema: "orion.robot-look/1", simulated, looked });
		else for (const one of looked) session.say(`${sayLooked(one)}${simulated ? ", simulated" : ""}`);
		return isBack && looked.length === directions.length ? 0 : 8;
	});
};
