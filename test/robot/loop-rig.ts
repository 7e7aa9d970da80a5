// Connects a control loop to the real firmware in a virtual board, in the board's time: heard, renewed and stopped as a test says.
import { ActuatorLoop, type KeptArming, type LeaseAsked, TURN_MS } from "../../agents/robot/loop.ts";
import { sayFault } from "../../contracts/errors.ts";
import { ok } from "../../contracts/result.ts";
import { type Instant, instant } from "../../contracts/time.ts";
import { MOVER_RULES } from "../../edge/machines/safe-stop-rows.ts";
import { JOINT_NAMES } from "../../firmware-bridge/body/plan.ts";
import { type BodyPose, straight } from "../../firmware-bridge/body/posture.ts";
import type { RobotDriver } from "../../firmware-bridge/drivers/driver.ts";
import { TwinDriver } from "../../firmware-bridge/drivers/twin-driver.ts";
import { BoardLine } from "./board-line.ts";
import { planOf } from "./plans.ts";

export const plan = planOf("fnk0052");
export const CHANNELS: readonly number[] = plan.legs.flatMap((leg) => JOINT_NAMES.map((joint) => leg.servos[joint].channel));
export const TTL_MS = 400;

/** Time that passes only when it is told to. */
export interface VirtualLine {
	readonly now: () => Instant;
	runMs(ms: number): void;
}

type Lease = Partial<Omit<LeaseAsked, "wanted">> & { readonly yMm?: number; readonly turnDegrees?: number; readonly body?: Partial<BodyPose> };

export class LoopRig<Line extends VirtualLine = BoardLine> {
	readonly line: Line;
	readonly driver: RobotDriver;
	readonly loop: ActuatorLoop;
	readonly kinds: string[] = [];
	readonly faults: string[] = [];
	readonly kept: KeptArming[] = [];
	/** Core is heard. */
	isLinked = true;
	/** The disk of the robot. */
	disk: () => Promise<void> = () => Promise.resolve();

	constructor(line: Line, driver: RobotDriver, found: KeptArming = { armed: false, latched: false, armEpoch: 0 }) {
		this.line = line;
		this.driver = driver;
		this.loop = new ActuatorLoop({
			plan,
			mayWalk: () => ok(undefined),
			rules: MOVER_RULES,
			driver,
			now: line.now,
			found,
			keep: (arming) => {
				this.kept.push(arming);
				return this.disk();
			},
			onKind: (mover) => this.kinds.push(mover.kind),
			onFault: (found) => this.faults.push(sayFault(found)),
		});
	}

	static async onBoard(found?: KeptArming): Promise<LoopRig<BoardLine>> {
		const line = new BoardLine();
		return new LoopRig(line, await line.driver(), found);
	}

	get kind(): string {
		return this.loop.mover.kind;
	}

	lease(lease: Lease = {}): ReturnType<ActuatorLoop["lease"]> {
		const { yMm = 40, turnDegrees = 0, body = {}, ...more } = lease;
		return this.loop.lease({
			id: "a",
			holder: "anna",
			armEpoch: this.loop.mover.armEpoch,
			tick: this.line.now(),
			ttlMs: TTL_MS,
			gait: "tripod",
			wanted: { stride: { xMm: 0, yMm, turnDegrees }, body: { ...straight(plan), ...body } },
			bounds: { pathMm: 5_000, radiusMm: 5_000, timeMs: 60_000 },
			...more,
		});
	}

	/** Turns of the loop for this long; `each` before every one of them. */
	async turns(forMs: number, each: () => void = () => {}): Promise<void> {
		for (let turn = 0; turn < forMs / TURN_MS; turn++) {
			if (this.isLinked) this.loop.heard();
			each();
			this.loop.turn();
			this.line.runMs(TURN_MS);
			// What was kept is on disk by the next turn.
			await Promise.resolve();
		}
	}

	async armed(): Promise<this> {
		await this.turns(1_600);
		const { armEpoch } = this.loop.mover;
		const taken = this.loop.arm(armEpoch);
		if (!taken.ok) throw new Error(JSON.stringify(taken.fault));
		await this.turns(4_000);
		if (this.kind !== "armed") throw new Error(`${this.kind} ${this.kinds.join(" ")} ${this.faults.join(" ")}`);
		return this;
	}

	/** Renewed at each turn, as a key that is held does. */
	walking(forMs: number, lease: Lease = {}): Promise<void> {
		return this.turns(forMs, () => void this.lease(lease));
	}
}

export class TwinTime {
	#at = 0;
	now = (): Instant => instant(this.#at);
	runMs(ms: number): void {
		this.#at += ms;
	}
}

export const onTwin = async () => {
	const time = new TwinTime();
	const driver = new TwinDriver({ plan, leaseMs: 200, freezeMs: 2_000, now: time.now });
	const rig = new LoopRig<TwinTime>(time, driver);
	await rig.armed();
	return { rig, driver, time };
};
