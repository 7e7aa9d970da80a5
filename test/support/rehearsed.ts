// Connects tests of legs to a rehearsal that somebody did: passed steps with these programs, in the folder of an actuator.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestsOf, NEVER_REHEARSED, type RehearsalRecord } from "../../agents/robot/rehearsal.ts";
import type { KeptRehearsal } from "../../contracts/gen/types.ts";
import type { RobotPlan } from "../../firmware-bridge/body/plan.ts";
import { planOf } from "../robot/plans.ts";

/** What drove the legs: sixteen hex digits of the program that did. */
export interface Program {
	readonly firmware?: string | null;
	readonly guard?: string | null;
	readonly simulated?: boolean;
}

export const rehearsedFile = (plan: RobotPlan, { firmware = null, guard = null, simulated = false }: Program, upTo: number): KeptRehearsal => {
	const bound = { simulated, firmware, guard, ...digestsOf(plan, NEVER_REHEARSED.trimDegrees) };
	const record = (step: number): RehearsalRecord => ({ step, outcome: "passed", ...bound, at: "2026-05-01T10:00:00Z", measured: {}, said: "yes" });
	return { ...NEVER_REHEARSED, records: Array.from({ length: upTo }, (_, at) => record(at + 1)) };
};

/** Enough to walk. */
export const wasRehearsed = (folder: string, program: Program): void => {
	mkdirSync(folder, { recursive: true, mode: 0o700 });
	writeFileSync(join(folder, "robot-rehearsal.json"), JSON.stringify(rehearsedFile(planOf("fnk0052"), program, 9)));
};
