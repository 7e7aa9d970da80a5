// Decides what one step of a rehearsal does at each turn of the loop: who holds it, what it waits for, what is asked of the person, and how it ends.
import { sayFault } from "../../contracts/errors.ts";
import type { Result } from "../../contracts/result.ts";
import { type Instant, instant } from "../../contracts/time.ts";
import type { RehearsalOutcome } from "../../edge/machines/rehearsal.ts";
import { isEnergised, LEASED } from "../../edge/machines/safe-stop-state.ts";
import type { JointAim } from "../../firmware-bridge/body/bench.ts";
import { NO_STRIDE, type Stride } from "../../firmware-bridge/body/gait.ts";
import { straight } from "../../firmware-bridge/body/posture.ts";
import type { RobotDriver } from "../../firmware-bridge/drivers/driver.ts";
import type { ActuatorLoop, Arming } from "./loop.ts";

const HOLDER = "rehearsal";
/** Core, or whoever rehearses, must be heard for a second before it may be armed. */
const ARM_WITHIN_MS = 5_000;
const RISE_WITHIN_MS = 12_000;
/** Hold, then sit, then off. */
const DOWN_WITHIN_MS = 14_000;
const BOUNDS = { pathMm: 1_000, radiusMm: 1_000, timeMs: 300_000 } as const;

export type Measured = Readonly<Record<string, number>>;

export interface StepEnd {
	readonly outcome: RehearsalOutcome;
	readonly measured: Measured;
	readonly said: string;
	/** Degrees for each joint, in the line's order; of the step that sets them. */
	readonly trimDegrees?: readonly number[];
}

export interface Question {
	readonly asks: string;
	/** What an answer is: yes or no; a voltage; or trims, one after the other, and then yes or no. */
	readonly wants: "yes" | "millivolts" | "trims";
}

export interface Answer {
	readonly yes?: boolean;
	readonly servoMv?: number;
	readonly trim?: JointAim;
}

export type Script = Generator<undefined, StepEnd, undefined>;

/** Ends a step that did not do what it must. */
class NotPassed extends Error {}

export class StepRun {
	readonly loop: ActuatorLoop;
	readonly driver: RobotDriver;
	readonly now: () => Instant;
	/** The cut of a rehearsal is ordered, or taken back. */
	readonly cut: (present: boolean) => void;
	readonly measured: Record<string, number> = {};
	/** What it is doing, in words. */
	doing = "";
	question: Question | undefined;
	/** Whoever holds it shall fall silent now. */
	isLettingGo = false;
	/** A stop is what this step is about: it is no failure. */
	expectsStop = false;
	/** A turn that its machine lost ends this part of a long step, not the step: the robot holds all the same, and goes on by a person's word only. */
	forgivesLateLoop = false;
	/** Such a turn was lost since power was switched on. */
	wasLate = false;
	readonly #script: Script;
	readonly #id: string;
	#heldUntil: Instant;
	#walk: { readonly stride: Stride; readonly paceRatio: number } | undefined;
	#aims: readonly JointAim[] | undefined;
	#answers: Answer[] = [];
	#refused: string | undefined;

	constructor(id: string, parts: Pick<StepRun, "loop" | "driver" | "now" | "cut">, script: (run: StepRun) => Script, heldUntil: Instant) {
		this.#id = id;
		this.loop = parts.loop;
		this.driver = parts.driver;
		this.now = parts.now;
		this.cut = parts.cut;
		this.#heldUntil = heldUntil;
		this.#script = script(this);
	}

	get heldUntil(): Instant {
		return this.#heldUntil;
	}

	/** Somebody at the robot still holds it. `tick` is the newest that they heard; what they hold is good until tick + ttlMs. */
	renew(tick: number, ttlMs: number): void {
		const until = instant(Math.min(tick, this.now()) + ttlMs);
		// What comes so late that it is over already is no sign of anybody.
		if (until <= this.now()) return;
		this.#heldUntil = instant(Math.max(this.#heldUntil, until));
		this.loop.heard();
		this.#lead(tick, ttlMs);
	}

	answer(answer: Answer): void {
		if (this.question !== undefined) this.#answers.push(answer);
	}

	/** One turn; how it ended, once it did. Whoever asked lets whatever still has power sit down. */
	turn(): StepEnd | undefined {
		const isHeld = this.now() < this.#heldUntil || this.isLettingGo;
		if (!isHeld && isEnergised(this.loop.mover)) return this.giveUp("nobody held it any more");
		try {
			if (this.#refused !== undefined) throw new NotPassed(this.#refused);
			this.#watchStops();
			const { done, value } = this.#script.next();
			return done === true ? value : undefined;
		} catch (error) {
			if (!(error instanceof NotPassed)) throw error;
			return this.#end("failed", error.message);
		}
	}

	giveUp(why: string): StepEnd {
		return this.#end("aborted", why);
	}

	passed(said: string, trimDegrees?: readonly number[]): StepEnd {
		return { outcome: "passed", measured: this.measured, said, ...(trimDegrees === undefined ? {} : { trimDegrees }) };
	}

	fail(why: string): never {
		throw new NotPassed(why);
	}

	*until(fact: () => boolean, withinMs: number, otherwise: () => string): Generator<undefined, undefined, undefined> {
		const from = this.now();
		while (!fact()) {
			if (this.now() - from >= withinMs) this.fail(otherwise());
			yield;
		}
		return undefined;
	}

	*armed(arming: Arming): Generator<undefined, undefined, undefined> {
		const { loop } = this;
		this.wasLate = false;
		this.doing = "waiting until it may be armed";
		let taken: Result<undefined> | undefined;
		const isTaken = (): boolean => {
			taken = loop.arm(loop.mover.armEpoch, arming);
			return taken.ok;
		};
		yield* this.until(isTaken, ARM_WITHIN_MS, () => (taken?.ok === false ? sayFault(taken.fault) : "it was not armed"));
		this.doing = arming.kind === "bench" ? "switching power on" : "standing up";
		yield* this.until(
			() => loop.mover.kind === "armed" || this.wasLate,
			RISE_WITHIN_MS,
			() => `it is ${loop.mover.kind}, not armed`,
		);
		return undefined;
	}

	/** Off, and its board says so. */
	*down(): Generator<undefined, undefined, undefined> {
		this.doing = "sitting down";
		this.#walk = undefined;
		if (isEnergised(this.loop.mover)) this.loop.sit();
		yield* this.until(
			() => this.loop.mover.kind === "off" && this.driver.status().kind === "off",
			DOWN_WITHIN_MS,
			() => "its board did not say that it is off",
		);
		return undefined;
	}

	/** Walks on while it is held; the caller says until when. */
	walk(stride: Partial<Stride>, paceRatio: number): void {
		this.#walk = { stride: { ...NO_STRIDE, ...stride }, paceRatio };
	}

	/** Joints one after the other, for as long as it is held, or until it was late and that is forgiven. */
	*aim(aims: readonly JointAim[]): Generator<undefined, undefined, undefined> {
		this.#aims = aims;
		for (;;) {
			if (this.wasLate) {
				this.#aims = undefined;
				return undefined;
			}
			const { motion } = this.loop;
			if (motion.kind !== "bench") this.fail("it has no power any more");
			const left = this.#aims ?? motion.bench.aims;
			if (left.length === 0) return undefined;
			const [next] = left;
			if (next !== undefined) this.doing = `leg ${next.leg} ${this.loop.plan.legs[next.leg - 1]?.name}: ${next.joint} to ${next.degrees.toFixed(1)} degrees`;
			yield;
		}
	}

	*asked(asks: string, wants: Question["wants"]): Generator<undefined, Answer, undefined> {
		this.#answers = [];
		this.question = { asks, wants };
		this.doing = "asking";
		for (;;) {
			const answer = this.#answers.shift();
			if (answer !== undefined) {
				this.question = undefined;
				return answer;
			}
			yield;
		}
	}

	*confirmed(asks: string): Generator<undefined, string, undefined> {
		const { yes } = yield* this.asked(asks, "yes");
		if (yes !== true) this.fail(`the person said no to: ${asks}`);
		return `the person said yes to: ${asks}`;
	}

	#end(outcome: RehearsalOutcome, said: string): StepEnd {
		return { outcome, measured: this.measured, said: said.slice(0, 512) };
	}

	#watchStops(): void {
		const { kind, cause } = this.loop.mover;
		if (this.expectsStop) return;
		if (this.forgivesLateLoop && (this.wasLate || (kind === "hold" && cause === "loop-late"))) {
			this.wasLate = true;
			if (kind === "hold") return;
		}
		if (kind === "hold" || kind === "cut" || kind === "fault")
			this.fail(`it went to ${kind} (${cause ?? "no cause"}) ${this.driver.status().faultDetail}`.trim());
	}

	#lead(tick: number, ttlMs: number): void {
		const { loop } = this;
		const { kind, armEpoch } = loop.mover;
		if (kind !== "armed" && !LEASED.includes(kind)) return;
		const common = { holder: HOLDER, armEpoch, tick, ttlMs };
		let taken: Result<undefined> | undefined;
		if (this.#walk !== undefined) {
			const { stride, paceRatio } = this.#walk;
			taken = loop.lease({ ...common, id: this.#id, gait: "tripod", wanted: { stride, body: straight(loop.plan) }, bounds: BOUNDS, paceRatio });
		} else if (loop.motion.kind === "bench") {
			const aims = this.#aims ?? loop.motion.bench.aims;
			// Power alone needs no lease: nothing is to be moved.
			if (aims.length === 0 && kind === "armed") return;
			taken = loop.bench({ ...common, aims });
			if (taken.ok) this.#aims = undefined;
		}
		// A renewal that came too late is none: what follows from that is the lease's affair. What can never be taken ends the step.
		if (taken?.ok === false && taken.fault.code !== "ROBOT_REFUSED") this.#refused = sayFault(taken.fault);
	}
}
