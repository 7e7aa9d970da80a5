// Connects the rehearsal of a robot to its loop and to its records: which step may begin, what came of it, and whether legs may walk as one likes.
import { digest } from "../../contracts/digest.ts";
import { fail } from "../../contracts/errors.ts";
import type { KeptRehearsal } from "../../contracts/gen/types.ts";
import { ok, type Result } from "../../contracts/result.ts";
import { type Instant, instant } from "../../contracts/time.ts";
import { FLOOR_NEEDS, mayRehearse, mayWalk, type RehearsedWith, rehearsedUpTo } from "../../edge/machines/rehearsal.ts";
import { isEnergised } from "../../edge/machines/safe-stop-state.ts";
import { type RobotPlan, withTrims } from "../../firmware-bridge/body/plan.ts";
import type { RobotDriver } from "../../firmware-bridge/drivers/driver.ts";
import { JOINT_COUNT } from "../../firmware-bridge/words.ts";
import type { ActuatorLoop } from "./loop.ts";
import { SCRIPTS, TRIM_DEGREES_MAX } from "./rehearsal-scripts.ts";
import { type Answer, type Question, type StepEnd, StepRun } from "./step-run.ts";

const REHEARSAL_SCHEMA = "orion.robot-rehearsal/1";
const RECORDS_MAX = 500;

export type RehearsalRecord = KeptRehearsal["records"][number];

export const NEVER_REHEARSED: KeptRehearsal = { schema: REHEARSAL_SCHEMA, trimDegrees: new Array<number>(JOINT_COUNT).fill(0), records: [] };

/** What it says of itself, with every word of the robot. */
export interface RehearsalState {
	/** Steps that are passed, from the first on, with what there is now. */
	readonly upTo: number;
	/** Whether it may walk as one likes. */
	readonly mayWalk: boolean;
	readonly run: {
		readonly id: string;
		readonly step: number;
		readonly doing: string;
		readonly question: Question | null;
		/** Whoever holds it shall fall silent now. */
		readonly isLettingGo: boolean;
	} | null;
	/** The newest one that ended since this process began, once it is on disk. */
	readonly ended: { readonly id: string; readonly step: number; readonly outcome: RehearsalRecord["outcome"]; readonly said: string } | null;
}

export interface StepAsked {
	readonly step: number;
	/** One try is one id. */
	readonly id: string;
	readonly tick: number;
	readonly ttlMs: number;
}

export interface RehearsalOptions {
	/** Without the trims of the records. */
	readonly plan: RobotPlan;
	readonly found: KeptRehearsal;
	readonly loop: ActuatorLoop;
	readonly driver: RobotDriver;
	readonly now: () => Instant;
	/** Wall time, for people. */
	readonly wallTime: () => string;
	/** Resolves when it is on disk. */
	readonly keep: (kept: KeptRehearsal) => Promise<void>;
	readonly cut: (present: boolean) => void;
	/** A calculated robot is put on its block, or on the floor; a real one is by a person, who was asked. */
	readonly onBlock: (isOnBlock: boolean) => void;
	readonly onRecord: (record: RehearsalRecord) => void;
	readonly onNotKept: () => void;
}

/** Digests of a robot's plan as it was made, and with the trims that a person set. */
export const digestsOf = (plan: RobotPlan, trimDegrees: readonly number[]): Pick<RehearsedWith, "robot" | "configuration"> => ({
	robot: digest(plan),
	configuration: digest(withTrims(plan, trimDegrees)),
});

export class Rehearsal {
	readonly #options: RehearsalOptions;
	#kept: KeptRehearsal;
	#digests: Pick<RehearsedWith, "robot" | "configuration">;
	#run: { readonly id: string; readonly step: number; readonly run: StepRun } | undefined;
	#over: string | undefined;
	#ended: RehearsalState["ended"] = null;

	constructor(options: RehearsalOptions) {
		this.#options = options;
		this.#kept = options.found;
		this.#digests = digestsOf(options.plan, options.found.trimDegrees);
	}

	mayWalk(): Result<undefined> {
		return mayWalk(this.#kept.records, this.#now());
	}

	state(): RehearsalState {
		const run = this.#run;
		return {
			upTo: rehearsedUpTo(this.#kept.records, this.#now()),
			mayWalk: this.mayWalk().ok,
			run:
				run === undefined ? null : { id: run.id, step: run.step, doing: run.run.doing, question: run.run.question ?? null, isLettingGo: run.run.isLettingGo },
			ended: this.#ended,
		};
	}

	/** Begins a step, or goes on holding it. Faults: ROBOT_REFUSED. */
	hold({ step, id, tick, ttlMs }: StepAsked): Result<undefined> {
		const { loop, driver, now, cut, onBlock } = this.#options;
		if (this.#run?.id === id && this.#run.step === step) {
			this.#run.run.renew(tick, ttlMs);
			return ok(undefined);
		}
		// It ended while this renewal was on its way; a try is never begun twice.
		if (this.#over === id) return ok(undefined);
		this.#dropUnheld();
		if (this.#run !== undefined) return fail("ROBOT_REFUSED", { why: "held-by-other", detail: `step ${this.#run.step} is being done` });
		const allowed = mayRehearse(this.#kept.records, this.#now(), step);
		if (!allowed.ok) return allowed;
		const script = SCRIPTS[step - 1];
		if (script === undefined || isEnergised(loop.mover) || loop.mover.arming)
			return fail("ROBOT_REFUSED", { why: "wrong-state", detail: `it is ${loop.mover.kind}` });
		onBlock(step <= FLOOR_NEEDS);
		this.#run = { id, step, run: new StepRun(id, { loop, driver, now, cut }, script, instant(now() + ttlMs)) };
		this.#run.run.renew(tick, ttlMs);
		return ok(undefined);
	}

	answer(id: string, answer: Answer): Result<undefined> {
		if (this.#run?.id !== id || this.#run.run.question === undefined) return fail("ROBOT_REFUSED", { why: "not-asked", detail: "" });
		this.#run.run.answer(answer);
		return ok(undefined);
	}

	/** Broken off by a person; whatever has power sits down. */
	abandon(id: string): void {
		if (this.#run?.id === id) this.#end(this.#run.run.giveUp("the person broke it off"));
	}

	/** After each turn of the loop. */
	turn(): void {
		const end = this.#run?.run.turn();
		if (end !== undefined) this.#end(end);
		// What was armed for a step that is over stands up for nobody.
		const { loop } = this.#options;
		const { kind } = loop.mover;
		if (this.#run === undefined && loop.isForRehearsal && isEnergised(loop.mover) && kind !== "settling") loop.sit();
	}

	/** A question that nobody waits for any more keeps nobody from beginning anew. */
	#dropUnheld(): void {
		const { loop, now } = this.#options;
		const run = this.#run?.run;
		if (run !== undefined && now() >= run.heldUntil && !isEnergised(loop.mover)) this.#end(run.giveUp("nobody held it any more"));
	}

	#now(): RehearsedWith {
		const { simulated, board, firmware = null } = this.#options.driver.status();
		return { simulated, firmware: board === "leg-board" ? firmware : null, guard: board === "linux-guard" ? firmware : null, ...this.#digests };
	}

	#end(end: StepEnd): void {
		const run = this.#run;
		if (run === undefined) return;
		this.#run = undefined;
		this.#over = run.id;
		const { records, trimDegrees: before } = this.#kept;
		const trimDegrees = before.map((degrees, at) => degrees + (end.trimDegrees?.[at] ?? 0));
		const isTooFar = trimDegrees.some((degrees) => Math.abs(degrees) > TRIM_DEGREES_MAX);
		const { outcome, said } = isTooFar ? { outcome: "failed" as const, said: `a joint would be trimmed by more than ${TRIM_DEGREES_MAX} degrees` } : end;
		const kept = outcome === "passed" ? trimDegrees : before;
		const digests = digestsOf(this.#options.plan, kept);
		const record = { step: run.step, outcome, ...this.#now(), ...digests, at: this.#options.wallTime(), measured: end.measured, said };
		this.#keep({ schema: REHEARSAL_SCHEMA, trimDegrees: kept, records: [...records, record].slice(-RECORDS_MAX) }, run.id, record);
	}

	/** What is lost counts at once, what is won when it is on disk. */
	#keep(kept: KeptRehearsal, id: string, record: RehearsalRecord): void {
		const { keep, loop, plan, onRecord, onNotKept } = this.#options;
		const isWon = record.outcome === "passed";
		if (!isWon) this.#kept = kept;
		keep(kept).then(
			() => {
				if (isWon) {
					this.#kept = kept;
					this.#digests = digestsOf(plan, kept.trimDegrees);
					loop.recalibrate(withTrims(plan, kept.trimDegrees));
				}
				this.#ended = { id, step: record.step, outcome: record.outcome, said: record.said };
				onRecord(record);
			},
			() => {
				this.#ended = { id, step: record.step, outcome: isWon ? "failed" : record.outcome, said: isWon ? "it could not be kept on disk" : record.said };
				onNotKept();
			},
		);
	}
}
