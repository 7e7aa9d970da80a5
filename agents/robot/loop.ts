// Connects a robot's safe-stop, its body and its driver, one turn every 20 ms: the only place from which a target is written.
import type { Fault } from "../../contracts/errors.ts";
import { fail } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";
import { type Instant, instant } from "../../contracts/time.ts";
import { stepMover } from "../../edge/machines/safe-stop.ts";
import type { MoverRules } from "../../edge/machines/safe-stop-rules.ts";
import {
	bootMover,
	isEnergised,
	LATCHED,
	type Mover,
	type MoverEffect,
	type MoverInput,
	mayWrite,
	type SeenCause,
} from "../../edge/machines/safe-stop-state.ts";
import { aimBench, type JointAim } from "../../firmware-bridge/body/bench.ts";
import { NO_STRIDE } from "../../firmware-bridge/body/gait.ts";
import { isDown, isUp, lieOnBlock, type Motion, moveOn, postureNow, rise, sitDown, stand, UNPOWERED } from "../../firmware-bridge/body/motion.ts";
import type { GaitName, RobotPlan } from "../../firmware-bridge/body/plan.ts";
import { type BodyPose, straight } from "../../firmware-bridge/body/posture.ts";
import { checkWanted, type Wanted } from "../../firmware-bridge/body/walk.ts";
import type { RobotDriver } from "../../firmware-bridge/drivers/driver.ts";
import { NOTHING_SENSED, type Sensed, sense } from "./sensed.ts";

export const TURN_MS = 20;
/** What the body may do at most for one turn that came late: time that was lost is not caught up with. */
const TURN_MS_MAX = 40;

const LEASES_OVER_MAX = 64;

/** What of a robot's state outlives its process. */
export interface KeptArming {
	readonly armed: boolean;
	/** It was cut, or at fault: a restart is no presence. */
	readonly latched: boolean;
	readonly armEpoch: number;
}

export interface LeaseBounds {
	readonly pathMm: number;
	/** From where it was opened, as the crow flies. */
	readonly radiusMm: number;
	readonly timeMs: number;
}

export interface LeaseAsked {
	/** One lease is one id; once it is over it is never taken again. */
	readonly id: string;
	readonly holder: string;
	readonly armEpoch: number;
	/** Newest tick of the robot that the holder has heard: the lease is good until that tick + ttl. */
	readonly tick: number;
	readonly ttlMs: number;
	readonly gait: GaitName;
	readonly wanted: Wanted;
	readonly bounds: LeaseBounds;
	/** Of a rehearsal: the share of its pace at which it walks, above 0 and at most 1. Absent: whoever was let walk. */
	readonly paceRatio?: number;
}

/** Whoever holds joints on a block, and where they shall be, one after the other. */
export interface BenchAsked extends Pick<LeaseAsked, "holder" | "armEpoch" | "tick" | "ttlMs"> {
	readonly aims: readonly JointAim[];
}

/** What is armed: to walk as one likes, or for a step of a rehearsal, standing up or with power for these legs alone. */
export type Arming = { readonly kind: "walk" | "rehearsal" } | { readonly kind: "bench"; readonly legs: readonly number[] };

export interface LoopOptions {
	readonly plan: RobotPlan;
	/** Whether it may be armed and led as one likes, with the programs and the configuration that it has now. Its rehearsal says so. */
	readonly mayWalk: () => Result<undefined>;
	readonly rules: MoverRules;
	readonly driver: RobotDriver;
	readonly now: () => Instant;
	readonly found: KeptArming;
	/** Resolves when it is on disk. */
	readonly keep: (arming: KeptArming) => Promise<void>;
	/** A kind of the safe-stop began. */
	readonly onKind: (mover: Mover) => void;
	readonly onFault: (found: Fault) => void;
}

type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
type Asked = Without<MoverInput, "at">;

interface Opened {
	readonly id: string;
	readonly holder: string;
	readonly at: Instant;
	readonly from: { readonly xMm: number; readonly yMm: number; readonly pathMm: number };
	readonly body: BodyPose | undefined;
	readonly bounds: LeaseBounds;
}

export class ActuatorLoop {
	readonly #options: LoopOptions;
	#mover: Mover;
	#motion: Motion = UNPOWERED;
	#sensed: Sensed = NOTHING_SENSED;
	#wanted: Wanted;
	#opened: Opened | undefined;
	#over: readonly string[] = [];
	#turnedAt: Instant;
	/** The pose on its belly is the one it was left in by itself; after a cut only a person can say so. */
	#isSitting = true;
	#isBroken = false;
	#plan: RobotPlan;
	#arming: Arming = { kind: "walk" };
	#paceRatio = 1;

	constructor(options: LoopOptions) {
		this.#options = options;
		this.#plan = options.plan;
		const at = options.now();
		this.#turnedAt = at;
		this.#mover = bootMover(at, options.found.armEpoch);
		this.#wanted = this.#resting();
		if (options.found.armed || options.found.latched) {
			this.#isSitting = false;
			this.#ask({ kind: "seen", cause: "found-armed", present: true });
		}
	}

	get mover(): Mover {
		return this.#mover;
	}
	get motion(): Motion {
		return this.#motion;
	}
	get sensed(): Sensed {
		return this.#sensed;
	}

	get plan(): RobotPlan {
		return this.#plan;
	}

	/** What has power, or is about to, has it for a step of a rehearsal. */
	get isForRehearsal(): boolean {
		return this.#arming.kind !== "walk";
	}

	/** Left only by a person at the robot; a line that broke while it was off is one too. */
	get needsPresence(): boolean {
		return LATCHED.includes(this.#mover.kind) || this.#options.driver.status().kind === "fault";
	}

	/** One turn of the loop. Sensors and deadlines first, then one pose. */
	turn(): void {
		const { driver, now } = this.#options;
		const plan = this.#plan;
		const at = now();
		const elapsedMs = Math.min(TURN_MS_MAX, at - this.#turnedAt);
		this.#turnedAt = at;
		this.#ask({ kind: "time" });
		this.#sensed = sense(plan, this.#sensed, driver.status(), this.#wanted.stride.yMm > 0, elapsedMs);
		for (const [cause, present] of Object.entries(this.#sensed.causes))
			this.#see(cause as SeenCause, present === true || (cause === "driver-error" && this.#isBroken));
		this.#see("not-sitting", !this.#isSitting && !isEnergised(this.#mover));
		if (this.#mover.kind === "boot" && driver.status().kind === "off") this.#ask({ kind: "ready" });
		driver.beat(at);
		this.#boundLease(at);
		if (mayWrite(this.#mover, at)) this.#write(at, elapsedMs);
		if (this.#mover.kind === "rising" && isUp(plan, this.#motion)) this.#risen();
		if (isDown(this.#motion) && this.#mover.kind === "settling") this.#isSitting = true;
		if (isDown(this.#motion) && this.#mover.kind === "settling") this.#ask({ kind: "settled" });
	}

	/** Core was heard. */
	heard(): void {
		this.#ask({ kind: "heard" });
	}

	/** A person's word: up from sitting, to standing; or what a step of a rehearsal needs. */
	arm(armEpoch: number, arming: Arming = { kind: "walk" }): Result<undefined> {
		const allowed = arming.kind === "walk" ? this.#options.mayWalk() : ok(undefined);
		if (!allowed.ok) return allowed;
		// A board that is still going off takes no arming: it would be lost, and the robot would wait for a rise that never begins.
		if (this.#mover.kind === "off" && this.#options.driver.status().kind !== "off")
			return fail("ROBOT_REFUSED", { why: "board-not-off", detail: "its board has not said yet that it is off" });
		const before = this.#arming;
		this.#arming = arming;
		const taken = this.#asked({ kind: "arm", armEpoch });
		if (!taken.ok) this.#arming = before;
		return taken;
	}

	/** Opens or renews: what is wanted comes with each renewal, so that it ends with them. */
	lease(lease: LeaseAsked): Result<undefined> {
		const at = this.#options.now();
		const allowed = this.#mayLead(lease.paceRatio !== undefined);
		if (!allowed.ok) return allowed;
		const checked = checkWanted(this.#plan, lease.gait, lease.wanted);
		if (!checked.ok) return checked;
		if (!(lease.tick <= at)) return fail("ROBOT_REFUSED", { why: "tick-of-the-future", detail: "" });
		if (this.#over.includes(lease.id)) return fail("ROBOT_REFUSED", { why: "lease-is-over", detail: "let go and begin anew" });
		const stood = stand(this.#plan, this.#motion, lease.gait);
		if (!stood.ok) return stood;
		const until = instant(lease.tick + lease.ttlMs);
		const taken = this.#asked({ kind: "lease", armEpoch: lease.armEpoch, holder: lease.holder, until, purpose: "move" });
		if (!taken.ok) return taken;
		if (this.#opened?.id !== lease.id) {
			this.#closeLease();
			this.#opened = { id: lease.id, holder: lease.holder, at, from: this.#motion.travelled, body: this.#bodyNow(), bounds: lease.bounds };
		}
		this.#motion = stood.value;
		this.#wanted = lease.wanted;
		this.#paceRatio = lease.paceRatio ?? 1;
		return ok(undefined);
	}

	/** Joints on a block: opens or renews. What is aimed at comes with each renewal. */
	bench({ holder, armEpoch, tick, ttlMs, aims }: BenchAsked): Result<undefined> {
		const motion = this.#motion;
		if (motion.kind !== "bench") return fail("ROBOT_REFUSED", { why: "not-on-the-block", detail: this.#mover.kind });
		const aimed = aimBench(this.#plan, motion.bench, aims);
		if (!aimed.ok) return aimed;
		const taken = this.#asked({ kind: "lease", armEpoch, holder, until: instant(tick + ttlMs), purpose: "calibrate" });
		if (taken.ok) this.#motion = { ...motion, bench: aimed.value };
		return taken;
	}

	/** Other trims, while nothing has power. */
	recalibrate(plan: RobotPlan): Result<undefined> {
		if (isEnergised(this.#mover) || this.#mover.arming) return fail("ROBOT_REFUSED", { why: "wrong-state", detail: this.#mover.kind });
		this.#plan = plan;
		return ok(undefined);
	}

	endLease(holder: string): Result<undefined> {
		return this.#asked({ kind: "lease-end", holder });
	}
	resume(armEpoch: number): Result<undefined> {
		return this.#asked({ kind: "resume", armEpoch });
	}
	sit(): Result<undefined> {
		return this.#asked({ kind: "sit" });
	}

	/** Holds until it is released; never refused. */
	order(verb: "stop" | "cut", present: boolean): void {
		this.#see(verb, present);
	}

	/** A person at the robot has looked: it lies on its belly, and what was wrong is mended. */
	presence(): Result<undefined> {
		const { driver, now } = this.#options;
		this.#isBroken = false;
		if (driver.status().kind === "fault") {
			driver.again(now());
			return fail("ROBOT_REFUSED", { why: "still-there", detail: "the board is being asked again; release it once more in a moment" });
		}
		this.#see("driver-error", false);
		this.#see("found-armed", false);
		const released = this.#asked({ kind: "presence" });
		if (!released.ok) return released;
		this.#isSitting = true;
		this.#perform({ kind: "keep-off" });
		return released;
	}

	/** A rehearsal leads what was armed for it, and nobody else does. */
	#mayLead(isRehearsal: boolean): Result<undefined> {
		if (isRehearsal !== (this.#arming.kind === "rehearsal")) return fail("ROBOT_REFUSED", { why: "armed-for-other", detail: this.#arming.kind });
		return isRehearsal ? ok(undefined) : this.#options.mayWalk();
	}

	#resting(): Wanted {
		return { stride: NO_STRIDE, body: straight(this.#plan) };
	}

	#see(cause: SeenCause, present: boolean): void {
		if (this.#mover.seen.includes(cause) !== present) this.#ask({ kind: "seen", cause, present });
	}

	#asked(input: Asked): Result<undefined> {
		const refused = this.#ask(input).find((effect) => effect.kind === "refused");
		return refused?.kind === "refused" ? fail("ROBOT_REFUSED", { why: refused.reason, detail: refused.detail }) : ok(undefined);
	}

	#ask(input: Asked): readonly MoverEffect[] {
		const before = this.#mover.kind;
		const step = stepMover(this.#options.rules, this.#mover, { ...input, at: this.#options.now() } as MoverInput);
		this.#mover = step.state;
		for (const effect of step.effects) this.#perform(effect);
		if (step.state.kind !== before) this.#options.onKind(step.state);
		return step.effects;
	}

	/** Outputs first, disk after; but nothing is enabled before it is on disk that it will be. */
	#perform(effect: MoverEffect): void {
		const { driver, keep, now, onFault } = this.#options;
		const plan = this.#plan;
		const { armEpoch } = this.#mover;
		switch (effect.kind) {
			case "keep-armed":
				keep({ armed: true, latched: false, armEpoch }).then(
					() => void this.#ask({ kind: "armed-kept", armEpoch }),
					() => this.#break({ code: "FSYNC_FAILED", facts: { folder: "the robot's folder", detail: "it could not be kept that it is armed" } }),
				);
				return;
			case "enable": {
				const begun = this.#arming.kind === "bench" ? lieOnBlock(plan, this.#arming.legs) : rise(plan);
				if (!begun.ok) {
					this.#break(begun.fault);
					return;
				}
				this.#motion = begun.value;
				this.#isSitting = false;
				driver.enable(now());
				return;
			}
			case "freeze":
				this.#closeLease();
				driver.hold();
				return;
			case "settle":
				this.#closeLease();
				this.#motion = sitDown(plan, this.#motion);
				driver.settle();
				return;
			case "disable":
				driver.disable(now());
				this.#closeLease();
				this.#motion = UNPOWERED;
				return;
			case "keep-off":
				keep({ armed: false, latched: LATCHED.includes(this.#mover.kind), armEpoch }).catch(() =>
					onFault({ code: "FSYNC_FAILED", facts: { folder: "the robot's folder", detail: "it is off" } }),
				);
				return;
			case "refused":
				return;
		}
	}

	#closeLease(): void {
		this.#wanted = this.#resting();
		if (this.#opened !== undefined) this.#over = [...this.#over, this.#opened.id].slice(-LEASES_OVER_MAX);
		this.#opened = undefined;
	}

	#break(found: Fault): void {
		this.#isBroken = true;
		this.#options.onFault(found);
		this.#see("driver-error", true);
	}

	#write(at: Instant, elapsedMs: number): void {
		const { driver } = this.#options;
		if (driver.status().kind === "held") driver.enable(at);
		// A board that is not on yet takes no pose: the body waits for it.
		if (driver.status().kind !== "on") return;
		const pace = this.#motion.kind === "standing" ? this.#paceRatio : 1;
		const moved = moveOn(this.#plan, this.#motion, this.#wanted, elapsedMs * pace);
		if (!moved.ok) {
			this.#break(moved.fault);
			return;
		}
		if (driver.writePose(moved.value.pulsesUs, at)) this.#motion = moved.value.motion;
	}

	#risen(): void {
		if (this.#motion.kind !== "bench") {
			const stood = stand(this.#plan, this.#motion, "tripod");
			if (!stood.ok) {
				this.#break(stood.fault);
				return;
			}
			this.#motion = stood.value;
		}
		this.#ask({ kind: "risen" });
	}

	#bodyNow(): BodyPose | undefined {
		return postureNow(this.#motion)?.stance.body;
	}

	/** What a lease was opened for is over when it has gone that far, or for that long; a body that leans out over its feet goes too. */
	#boundLease(at: Instant): void {
		const opened = this.#opened;
		if (opened === undefined || this.#mover.kind !== "moving") return;
		const { pathMm, radiusMm, timeMs } = opened.bounds;
		const { travelled } = this.#motion;
		const [body, began] = [this.#bodyNow(), opened.body];
		const leantMm = body === undefined || began === undefined ? 0 : Math.hypot(body.xMm - began.xMm, body.yMm - began.yMm);
		const away = Math.hypot(travelled.xMm - opened.from.xMm, travelled.yMm - opened.from.yMm) + leantMm;
		if (travelled.pathMm - opened.from.pathMm + leantMm >= pathMm || away >= radiusMm || at - opened.at >= timeMs) this.endLease(opened.holder);
	}
}
