// Decides what a line of the actuator means: a state whose parts are what they should be, a refusal, or nothing that can be read.
import type { MoverKind } from "../../edge/machines/safe-stop-state.ts";
import type { RobotState } from "./words.ts";

export type LineHeard =
	| { readonly kind: "state"; readonly state: RobotState }
	| { readonly kind: "refused"; readonly why: string; readonly detail: string }
	| { readonly kind: "unreadable"; readonly detail: string };

const KINDS: readonly string[] = ["boot", "off", "rising", "armed", "moving", "hold", "settling", "calibrating", "cut", "fault"] satisfies readonly MoverKind[];
const ROW = /^[a-z][a-z-]{0,63}$/;

type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);
const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
const isText = (value: unknown): value is string => typeof value === "string" && value.length <= 512;
const isFieldsOrNull = (value: unknown): boolean => value === null || isFields(value);
const isNumberOrNull = (value: unknown): boolean => value === null || isNumber(value);
const isTextOrNull = (value: unknown): boolean => value === null || isText(value);
const areNumbers = (value: unknown, ...names: readonly string[]): boolean => isFields(value) && names.every((name) => isNumber(value[name]));

/** Each part, and whether it is what it should be. */
const PARTS: Readonly<Record<keyof RobotState, (value: unknown) => boolean>> = {
	schema: (value) => value === "orion.robot/1",
	model: isText,
	simulated: (value) => typeof value === "boolean",
	board: isText,
	state: (value) => typeof value === "string" && KINDS.includes(value),
	cause: isTextOrNull,
	causeRow: (value) => value === null || (typeof value === "string" && ROW.test(value)),
	inForce: (value) => Array.isArray(value) && value.every(isText),
	warnings: (value) =>
		Array.isArray(value) && value.every((one) => isFields(one) && typeof one["row"] === "string" && ROW.test(one["row"]) && isText(one["says"])),
	armEpoch: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
	tick: isNumber,
	lease: (value) => value === null || (isFields(value) && isText(value["holder"]) && isNumber(value["leftMs"])),
	rehearsal: (value) =>
		areNumbers(value, "upTo") && isFields(value) && typeof value["mayWalk"] === "boolean" && isFieldsOrNull(value["run"]) && isFieldsOrNull(value["ended"]),
	driver: (value) => isFields(value) && isText(value["state"]) && isTextOrNull(value["fault"]) && isText(value["detail"]) && isTextOrNull(value["firmware"]),
	servoMv: isNumberOrNull,
	boardMv: isNumberOrNull,
	tiltDegrees: isNumberOrNull,
	rangeMm: isNumberOrNull,
	marginMm: isNumberOrNull,
	travelled: (value) => areNumbers(value, "xMm", "yMm", "headingDegrees", "pathMm"),
	body: (value) => value === null || areNumbers(value, "xMm", "yMm", "rollDegrees", "pitchDegrees", "yawDegrees"),
	heightMm: isNumberOrNull,
	feet: (value) =>
		Array.isArray(value) && value.length <= 6 && value.every((foot) => areNumbers(foot, "xMm", "yMm", "zMm") && typeof foot["standing"] === "boolean"),
};

export const readRobotLine = (line: string): LineHeard => {
	let value: unknown;
	try {
		value = JSON.parse(line);
	} catch {
		return { kind: "unreadable", detail: "it is no JSON" };
	}
	if (!isFields(value)) return { kind: "unreadable", detail: "it is no object" };
	if (value["schema"] === "orion.error/1")
		return { kind: "refused", why: String(value["why"] ?? value["code"]).slice(0, 64), detail: String(value["detail"] ?? "").slice(0, 128) };
	for (const [name, isRight] of Object.entries(PARTS)) if (!isRight(value[name])) return { kind: "unreadable", detail: name };
	return { kind: "state", state: value as unknown as RobotState };
};
