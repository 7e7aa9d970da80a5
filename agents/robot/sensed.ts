// Decides what battery, tilt and range mean for a robot: filtered, and as causes that are so or not.
import type { SeenCause } from "../../edge/machines/safe-stop-state.ts";
import type { RobotPlan } from "../../firmware-bridge/body/plan.ts";
import type { DriverStatus } from "../../firmware-bridge/drivers/driver.ts";

/** A servo that starts pulls the voltage down for a moment; only what lasts counts. */
const BATTERY_FILTER_MS = 1_000;
const TILT_DEGREES_MAX = 35;
/** Closer than this, while it goes forward, something is in the way. */
const RANGE_MM_MIN = 150;
/** Over the threshold by this much before the battery counts as better again. */
const RECOVERED_MV = 100;

export interface Sensed {
	readonly servoMv: number | undefined;
	/** Of the other pack, which feeds the board and the computer. */
	readonly boardMv: number | undefined;
	readonly tiltDegrees: number | undefined;
	readonly rangeMm: number | undefined;
	readonly causes: Readonly<Partial<Record<SeenCause, boolean>>>;
}

export const NOTHING_SENSED: Sensed = { servoMv: undefined, boardMv: undefined, tiltDegrees: undefined, rangeMm: undefined, causes: {} };

/** Angle between what the robot takes for down and what gravity says. */
const tiltOf = ([x, y, z]: readonly [number, number, number]): number | undefined => {
	const whole = Math.hypot(x, y, z);
	return whole === 0 ? undefined : (Math.acos(Math.max(-1, Math.min(1, z / whole))) * 180) / Math.PI;
};

const below = (mv: number | undefined, limitMv: number, before: boolean | undefined): boolean =>
	mv !== undefined && mv < limitMv + (before === true ? RECOVERED_MV : 0);

const filtered = (before: number | undefined, raw: number | undefined, elapsedMs: number): number | undefined => {
	if (raw === undefined || before === undefined) return raw ?? before;
	return before + (raw - before) * Math.min(1, elapsedMs / BATTERY_FILTER_MS);
};

/** Servos without power drop it, a computer without power does too: the weaker pack counts. */
const weaker = (one: number | undefined, other: number | undefined): number | undefined => {
	if (one === undefined || other === undefined) return one ?? other;
	return Math.min(one, other);
};

export const sense = (plan: RobotPlan, before: Sensed, driver: DriverStatus, isForward: boolean, elapsedMs: number): Sensed => {
	const { sensors } = driver;
	const servoMv = filtered(before.servoMv, sensors?.servoMv, elapsedMs);
	const boardMv = filtered(before.boardMv, sensors?.boardMv, elapsedMs);
	const tiltDegrees = sensors?.accelMg === undefined ? undefined : tiltOf(sensors.accelMg);
	const rangeMm = sensors?.rangeMm;
	const packMv = weaker(servoMv, boardMv);
	const { batteryMv } = plan;
	return {
		servoMv,
		boardMv,
		tiltDegrees,
		rangeMm,
		causes: {
			"driver-error": driver.kind === "fault" && driver.fault !== "board-reset",
			"board-reset": driver.kind === "fault" && driver.fault === "board-reset",
			tilt: tiltDegrees !== undefined && tiltDegrees > TILT_DEGREES_MAX,
			"battery-empty": below(packMv, batteryMv.cut, before.causes["battery-empty"]),
			"battery-low": below(packMv, batteryMv.sit, before.causes["battery-low"]),
			"battery-weak": below(packMv, batteryMv.armMin, before.causes["battery-weak"]),
			"battery-warn": below(packMv, batteryMv.warn, before.causes["battery-warn"]),
			obstacle: isForward && rangeMm !== undefined && rangeMm < RANGE_MM_MIN,
		},
	};
};
