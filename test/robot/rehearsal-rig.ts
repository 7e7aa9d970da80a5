// Connects a rehearsal to its loop over the real firmware or the twin, in virtual time, and plays the person who holds it and answers.
import { ActuatorLoop } from "../../agents/robot/loop.ts";
import { NEVER_REHEARSED, Rehearsal, type RehearsalRecord } from "../../agents/robot/rehearsal.ts";
import type { Answer, Question } from "../../agents/robot/step-run.ts";
import { sayFault } from "../../contracts/errors.ts";
import type { KeptRehearsal } from "../../contracts/gen/types.ts";
import { MOVER_RULES } from "../../edge/machines/safe-stop-rows.ts";
import { type RobotPlan, withTrims } from "../../firmware-bridge/body/plan.ts";
import type { RobotDriver } from "../../firmware-bridge/drivers/driver.ts";
import { TwinDriver } from "../../firmware-bridge/drivers/twin-driver.ts";
import type { Pulses } from "../../firmware-bridge/words.ts";
import { BoardLine } from "./board-line.ts";
import { TwinTime, type VirtualLine } from "./loop-rig.ts";
import { planOf } from "./plans.ts";

const TURN_MS = 20;
const TTL_MS = 400;
const STEP_WITHIN_MS = 900_000;

/** What the person does; absent: holds it, says yes, and lets go when told to. */
export interface Person {
	readonly answers?: (question: Question, at: number) => Answer | undefined;
	/** False: the key is released. */
	readonly holds?: () => boolean;
	readonly letsGo?: boolean;
	readonly each?: () => void;
}

/** Every pose that was written, beside what really happens to it. */
class Watched {
	readonly poses: { readonly atMs: number; readonly pulsesUs: Pulses }[] = [];
	constructor(driver: RobotDriver) {
		const write = driver.writePose.bind(driver);
		driver.writePose = (pulsesUs, at) => {
			const taken = write(pulsesUs, at);
			if (taken) this.poses.push({ atMs: at, pulsesUs });
			return taken;
		};
	}
}

export class RehearsalRig<Line extends VirtualLine = VirtualLine> {
	readonly line: Line;
	readonly driver: RobotDriver;
	readonly loop: ActuatorLoop;
	readonly rehearsal: Rehearsal;
	readonly records: RehearsalRecord[] = [];
	readonly kinds: string[] = [];
	readonly watched: Watched;
	kept: KeptRehearsal;
	disk: () => Promise<void> = () => Promise.resolve();
	#tries = 0;

	constructor(line: Line, driver: RobotDriver, plan: RobotPlan, found: KeptRehearsal = NEVER_REHEARSED) {
		this.line = line;
		this.driver = driver;
		this.watched = new Watched(driver);
		this.kept = found;
		this.loop = new ActuatorLoop({
			plan: withTrims(plan, found.trimDegrees),
			mayWalk: () => this.rehearsal.mayWalk(),
			rules: MOVER_RULES,
			driver,
			now: line.now,
			found: { armed: false, latched: false, armEpoch: 0 },
			keep: () => Promise.resolve(),
			onKind: ({ kind }) => this.kinds.push(kind),
			onFault: (fault) => this.kinds.push(sayFault(fault)),
		});
		this.rehearsal = new Rehearsal({
			plan,
			found,
			loop: this.loop,
			driver,
			now: line.now,
			wallTime: () => "2026-05-01T10:00:00.000Z",
			keep: async (kept) => {
				await this.disk();
				this.kept = kept;
			},
			onBlock: (isPropped) => {
				if (driver instanceof TwinDriver) driver.faults = { ...driver.faults, isPropped };
			},
			cut: (present) => this.loop.order("cut", present),
			onRecord: (record) => this.records.push(record),
			onNotKept: () => this.kinds.push("not kept"),
		});
	}

	static async onBoard(plan = planOf("fnk0052"), found?: KeptRehearsal): Promise<RehearsalRig<BoardLine>> {
		const line = new BoardLine();
		const rig = new RehearsalRig(line, await line.driver(), plan, found);
		await rig.turns(600);
		return rig;
	}

	static async onTwin(plan = planOf("fnk0052"), found?: KeptRehearsal): Promise<RehearsalRig> {
		const time = new TwinTime();
		const driver = new TwinDriver({ plan, leaseMs: 200, freezeMs: 2_000, now: time.now });
		const rig = new RehearsalRig<VirtualLine>(time, driver, plan, found);
		await rig.turns(100);
		return rig;
	}

	async turns(forMs: number, each: () => void = () => {}): Promise<void> {
		for (let turn = 0; turn < forMs / TURN_MS; turn++) {
			each();
			this.loop.turn();
			this.rehearsal.turn();
			this.line.runMs(TURN_MS);
			await new Promise<void>((resolve) => setImmediate(resolve));
		}
	}

	/** From its beginning until it ended and is on disk. */
	async step(step: number, person: Person = {}): Promise<RehearsalRecord> {
		this.#tries += 1;
		const id = `try-${this.#tries}`;
		const before = this.records.length;
		const until = this.line.now() + STEP_WITHIN_MS;
		let isBegun = false;
		while (this.records.length === before) {
			if (this.line.now() > until) throw new Error(`step ${step} never ended: ${JSON.stringify(this.rehearsal.state())} ${this.kinds.join(" ")}`);
			const { run } = this.rehearsal.state();
			const isSilent = (run?.isLettingGo === true && person.letsGo !== false && run.question === null) || person.holds?.() === false;
			if (!isSilent && (run !== null || !isBegun)) {
				const held = this.rehearsal.hold({ step, id, tick: this.line.now(), ttlMs: TTL_MS });
				if (!held.ok) throw new Error(sayFault(held.fault));
				isBegun = true;
			}
			const question = this.rehearsal.state().run?.question ?? null;
			if (question !== null) {
				const answer = (person.answers ?? (() => (question.wants === "millivolts" ? { servoMv: 7_600 } : { yes: true })))(question, this.line.now());
				if (answer !== undefined) this.rehearsal.answer(id, answer);
			}
			await this.turns(TURN_MS, person.each);
		}
		const record = this.records.at(-1);
		if (record === undefined) throw new Error("no record");
		return record;
	}
}
