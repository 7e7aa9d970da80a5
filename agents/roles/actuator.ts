// Composition of the process that moves a robot: its plan, its driver, its control loop and the socket by which it is asked. Chooses, decides nothing.
import { chmod, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { checkContract } from "../../contracts/envelope.ts";
import { OrionError, sayFault } from "../../contracts/errors.ts";
import type { KeptRehearsal } from "../../contracts/gen/types.ts";
import type { StopVerb } from "../../contracts/stop-order.ts";
import { type Instant, instant } from "../../contracts/time.ts";
import { checkYaml } from "../../core/service/checked-yaml.ts";
import { mightWalk, rehearsedUpTo } from "../../edge/machines/rehearsal.ts";
import { MOVER_RULES } from "../../edge/machines/safe-stop-rows.ts";
import type { MoverRules } from "../../edge/machines/safe-stop-rules.ts";
import type { KeptFiles, Note } from "../../edge/ports.ts";
import { type RobotPlan, robotPlan, withTrims } from "../../firmware-bridge/body/plan.ts";
import type { RobotDriver } from "../../firmware-bridge/drivers/driver.ts";
import { openGuardLine } from "../../firmware-bridge/drivers/guard-line.ts";
import { LineDriver, type LineDriverOptions } from "../../firmware-bridge/drivers/line-driver.ts";
import { openSerialLine } from "../../firmware-bridge/drivers/serial-line.ts";
import { TwinDriver } from "../../firmware-bridge/drivers/twin-driver.ts";
import { RobotDesk } from "../robot/desk.ts";
import { ActuatorLoop, type KeptArming, TURN_MS } from "../robot/loop.ts";
import { digestsOf, NEVER_REHEARSED, Rehearsal, type RehearsalOptions, type RehearsalRecord } from "../robot/rehearsal.ts";
import { sayRow, stateOf } from "../robot/words.ts";
import { inTurn, keptFiles, readText } from "./kept-files.ts";

export interface ActuatorOptions {
	readonly folder: string;
	/** A robot's policy file. */
	readonly policy: string;
	/** twin, serial:PORT, guard:SOCKET, or board:SOCKET of an emulated leg board. */
	readonly driver: string;
	readonly note: Note;
	/** Its control loop went round. */
	readonly onTurn: () => void;
}

/** The same with a plan and a driver that are there already. */
export interface OpenActuatorOptions {
	readonly folder: string;
	readonly plan: RobotPlan;
	readonly driver: RobotDriver;
	readonly rules: MoverRules;
	readonly note: Note;
	/** Its control loop went round. */
	readonly onTurn?: () => void;
}

export interface Actuator {
	/** Sits down if it stands, then off. */
	stop(): Promise<void>;
}

export const ROBOT_SOCKET = "robot.sock";
const REHEARSAL_FILE = "robot-rehearsal.json";
const ORDER_FILE = "robot-order.json";
const ARMING_FILE = "robot.json";
const LEASE_MS = 200;
const FREEZE_MS = 2_000;
const TOLD_EVERY_TURNS = 5;
const SITTING_WITHIN_MS = 4_500;

const now = (): Instant => instant(performance.now());

/** A robot's policy file -> its plan. Faults: POLICY_INVALID, ROBOT_INVALID. */
export const readPlan = async (file: string): Promise<RobotPlan> => {
	const read = checkYaml(file, await readFile(file, "utf8"), "policy.robot", "POLICY_INVALID");
	if (!read.ok) throw new OrionError(read.fault.code, read.fault.facts);
	const plan = robotPlan(read.value.value);
	if (!plan.ok) throw new OrionError(plan.fault.code, plan.fault.facts);
	return plan.value;
};

const openDriver = (named: string, plan: RobotPlan): Promise<RobotDriver> => {
	const [kind, ...rest] = named.split(":");
	const path = rest.join(":");
	const common = { simulated: false, terms: { firmware: undefined }, leaseMs: LEASE_MS, freezeMs: FREEZE_MS, now } satisfies Partial<LineDriverOptions>;
	if (named === "twin") return Promise.resolve(new TwinDriver({ plan, leaseMs: LEASE_MS, freezeMs: FREEZE_MS, now }));
	if (kind === "serial" && path !== "") return LineDriver.open({ ...common, board: "leg-board", open: (ends) => openSerialLine(path, ends) });
	if (kind === "guard" && path !== "") return LineDriver.open({ ...common, board: "linux-guard", open: (ends) => openGuardLine(path, ends) });
	if (kind === "board" && path !== "") return LineDriver.open({ ...common, simulated: true, board: "leg-board", open: (ends) => openGuardLine(path, ends) });
	throw new OrionError("USAGE", { detail: "a robot is twin, serial:PORT, guard:SOCKET or board:SOCKET" });
};

/** What cannot be read is no permission: it counts as armed when its process died. */
const readArming = async (files: KeptFiles): Promise<KeptArming> => {
	const text = await files.read(ARMING_FILE);
	if (text === undefined) return { armed: false, latched: false, armEpoch: 0 };
	try {
		const { armed, latched, armEpoch } = JSON.parse(text) as { readonly [name in keyof KeptArming]?: unknown };
		const isWhole = typeof armed === "boolean" && typeof latched === "boolean" && typeof armEpoch === "number" && Number.isSafeInteger(armEpoch);
		if (isWhole) return { armed, latched, armEpoch };
	} catch {
		// Falls through to the answer for what cannot be read.
	}
	return { armed: true, latched: true, armEpoch: 0 };
};

/** An order that cannot be read is a stop. */
const readOrder = async (files: KeptFiles): Promise<StopVerb | null> => {
	const text = await files.read(ORDER_FILE);
	if (text === undefined) return null;
	try {
		const { order } = JSON.parse(text) as { readonly order?: unknown };
		return order === null || order === "cut" ? order : "stop";
	} catch {
		return "stop";
	}
};

/** What cannot be read permits nothing, and trims nothing. */
const readRehearsal = async (files: Pick<KeptFiles, "read">, note: Note): Promise<KeptRehearsal> => {
	const text = await files.read(REHEARSAL_FILE);
	if (text === undefined) return NEVER_REHEARSED;
	const unreadable = (detail: string): KeptRehearsal => {
		note("rehearsal-unreadable", { file: REHEARSAL_FILE, detail });
		return NEVER_REHEARSED;
	};
	try {
		const checked = checkContract("kept.rehearsal", JSON.parse(text));
		return checked.ok ? checked.value : unreadable(sayFault(checked.fault));
	} catch {
		return unreadable("it is no JSON");
	}
};

/** Before anything is opened: whether real legs of this robot were ever rehearsed from this folder, with the trims that it has. Faults: as readPlan. */
export const mightWalkHere = async (folder: string, policy: string): Promise<boolean> => {
	const { trimDegrees, records } = await readRehearsal({ read: (name) => readText(join(folder, name)) }, () => undefined);
	const { robot, configuration } = digestsOf(await readPlan(policy), trimDegrees);
	return mightWalk(records, robot, configuration);
};

/** What stands on disk, taken for the programs of the newest result; without one, 0. Faults: as readPlan. */
export const rehearsalHere = async (folder: string, policy: string): Promise<{ readonly upTo: number; readonly newest: RehearsalRecord | undefined }> => {
	const { trimDegrees, records } = await readRehearsal({ read: (name) => readText(join(folder, name)) }, () => undefined);
	const newest = records.at(-1);
	const digests = digestsOf(await readPlan(policy), trimDegrees);
	return { upTo: newest === undefined ? 0 : rehearsedUpTo(records, { ...newest, ...digests }), newest };
};

/** The robot with the trims that stand on disk. Faults: as readPlan. */
export const planHere = async (folder: string, policy: string): Promise<RobotPlan> => {
	const { trimDegrees } = await readRehearsal({ read: (name) => readText(join(folder, name)) }, () => undefined);
	return withTrims(await readPlan(policy), trimDegrees);
};

/** Turns at fixed times; what came too late is left out, never caught up with. */
const turnEvery = (turn: () => void): (() => void) => {
	const beganMs = performance.now();
	let timer: NodeJS.Timeout;
	const next = (): void => {
		turn();
		const spentMs = performance.now() - beganMs;
		// Rounded, because a timer may fire a little early.
		timer = setTimeout(next, (Math.round(spentMs / TURN_MS) + 1) * TURN_MS - spentMs);
	};
	timer = setTimeout(next, TURN_MS);
	return () => clearTimeout(timer);
};

const keeper =
	(files: KeptFiles, name: string) =>
	(content: object): Promise<void> =>
		files.write(name, `${JSON.stringify(content)}\n`, "plain");

export const startActuator = async ({ folder, policy, driver, note, onTurn }: ActuatorOptions): Promise<Actuator> => {
	const plan = await readPlan(policy);
	return openActuator({ folder, plan, driver: await openDriver(driver, plan), rules: MOVER_RULES, note, onTurn });
};

const openRehearsal = (parts: Pick<RehearsalOptions, "plan" | "found" | "loop" | "driver" | "keep" | "cut">, note: Note): Rehearsal =>
	new Rehearsal({
		...parts,
		now,
		wallTime: () => new Date().toISOString(),
		onBlock: (isPropped) => {
			if (parts.driver instanceof TwinDriver) parts.driver.faults = { ...parts.driver.faults, isPropped };
		},
		onRecord: ({ step, outcome, simulated, said }) => note("rehearsed", { step, outcome, simulated, said }),
		onNotKept: () => note("rehearsal-not-kept"),
	});

export const openActuator = async ({ folder, plan, driver, rules, note, onTurn }: OpenActuatorOptions): Promise<Actuator> => {
	const files = inTurn(await keptFiles(folder));
	const found = await readArming(files);
	const rehearsed = await readRehearsal(files, note);
	const keepArming = keeper(files, ARMING_FILE);
	let desk: RobotDesk | undefined;
	const loop: ActuatorLoop = new ActuatorLoop({
		plan: withTrims(plan, rehearsed.trimDegrees),
		mayWalk: () => rehearsal.mayWalk(),
		rules,
		driver,
		now,
		found,
		keep: (arming) => keepArming({ schema: "orion.arming/1", ...arming }),
		onKind: ({ kind, cause }) => {
			note("robot", { state: kind, simulated: driver.status().simulated, ...(cause === undefined ? {} : { cause: sayRow(rules.rules, cause) }) });
			// What it finds at its start it says before anybody can ask.
			desk?.tellWatchers();
		},
		onFault: (fault) => note("robot-fault", { code: fault.code, detail: sayFault(fault) }),
	});
	const rehearsal = openRehearsal(
		{ plan, found: rehearsed, loop, driver, keep: keeper(files, REHEARSAL_FILE), cut: (present) => desk?.rehearsalCut(present) },
		note,
	);
	const opened = new RobotDesk({
		loop,
		rehearsal,
		state: () => stateOf(loop, driver, rehearsal.state(), rules.rules),
		found: await readOrder(files),
		keep: (order) => {
			const failed = (): void => note("robot-order-not-kept", { order: order ?? "none" });
			void files.write(ORDER_FILE, `${JSON.stringify({ schema: "orion.robot-order/1", order })}\n`, "plain").catch(failed);
		},
	});
	desk = opened;
	let turns = 0;
	const endTurns = turnEvery(() => {
		loop.turn();
		rehearsal.turn();
		turns += 1;
		if (turns % TOLD_EVERY_TURNS === 0) opened.tellWatchers();
		onTurn?.();
	});
	const path = join(folder, ROBOT_SOCKET);
	await rm(path, { force: true });
	const socket = await opened.serve(path);
	await chmod(path, 0o600);
	return {
		stop: async () => {
			loop.order("stop", true);
			const untilMs = performance.now() + SITTING_WITHIN_MS;
			while (loop.mover.kind === "settling" && performance.now() < untilMs) await new Promise((again) => setTimeout(again, TURN_MS));
			endTurns();
			await socket.close();
			await driver.close();
			await files.settled();
		},
	};
};
