// Connects the verbs of a driver to a robot that is only calculated, with the same dead-man as a board; everything it says is simulated.
import type { Instant } from "../../contracts/time.ts";
import type { RobotPlan } from "../body/plan.ts";
import { advanceTwin, SOUND, senseTwin, sittingTwin, type Twin, type TwinFaults } from "../body/twin.ts";
import { JOINT_COUNT, type Pulses } from "../words.ts";
import type { DriverKind, DriverStatus, RobotDriver } from "./driver.ts";

const GROUP_GAP_MS = 300;
const GROUPS = 3;
const OFF: Pulses = new Array<number>(JOINT_COUNT).fill(0);

export interface TwinDriverOptions {
	readonly plan: RobotPlan;
	readonly leaseMs: number;
	readonly freezeMs: number;
	readonly now: () => Instant;
}

export class TwinDriver implements RobotDriver {
	readonly #options: TwinDriverOptions;
	#kind: Extract<DriverKind, "off" | "on" | "held" | "fault"> = "off";
	#twin: Twin;
	#pulsesUs: Pulses = OFF;
	#at: Instant;
	#armedAt: Instant;
	#beatAt: Instant;
	faults: TwinFaults = SOUND;

	constructor(options: TwinDriverOptions) {
		this.#options = options;
		this.#twin = sittingTwin(options.plan);
		this.#at = options.now();
		this.#armedAt = this.#at;
		this.#beatAt = this.#at;
	}

	get twin(): Twin {
		return this.#twin;
	}

	enable(at: Instant): void {
		if (this.#kind === "fault") return;
		if (this.#kind === "off") this.#armedAt = at;
		this.#beatAt = at;
		this.#kind = "on";
	}

	disable(at: Instant): void {
		this.#pass(at);
		this.#pulsesUs = OFF;
		if (this.#kind !== "fault") this.#kind = "off";
		this.#pass(at);
	}

	writePose(pulsesUs: Pulses, at: Instant): boolean {
		this.#pass(at);
		if (this.#kind !== "on") return false;
		const groups = this.#groups(at);
		this.#pulsesUs = pulsesUs.map((pulseUs, joint) => (Math.floor(joint / 3) % GROUPS < groups ? pulseUs : 0));
		return true;
	}

	hold(): void {
		if (this.#kind === "on") this.#kind = "held";
	}

	settle(): void {
		if (this.#kind === "held") this.#kind = "on";
	}

	beat(at: Instant): void {
		this.#pass(at);
		this.#beatAt = at;
	}

	again(at: Instant): void {
		this.#pass(at);
		if (this.#kind === "fault") this.#kind = "off";
	}

	status(): DriverStatus {
		const { now } = this.#options;
		return {
			kind: this.#kind,
			board: "twin",
			simulated: true,
			firmware: undefined,
			fault: this.#kind === "fault" ? "froze-unasked" : undefined,
			faultDetail: this.#kind === "fault" ? "lease-ran-out" : "",
			poweredGroups: this.#kind === "off" || this.#kind === "fault" ? 0 : this.#groups(now()),
			sensors: senseTwin(this.#twin, this.faults),
		};
	}

	close(): Promise<void> {
		this.disable(this.#options.now());
		return Promise.resolve();
	}

	#groups(at: Instant): number {
		return Math.min(GROUPS, 1 + Math.floor((at - this.#armedAt) / GROUP_GAP_MS));
	}

	/** The time since the last word passes first: a loop that stood still finds it frozen, or off. */
	#pass(at: Instant): void {
		const { plan, leaseMs, freezeMs } = this.#options;
		const isOn = this.#kind === "on" || this.#kind === "held";
		if (isOn && at - this.#beatAt > leaseMs) this.#kind = "fault";
		if (this.#kind === "fault" && at - this.#beatAt > leaseMs + freezeMs) this.#pulsesUs = OFF;
		this.#twin = advanceTwin(plan, this.#twin, this.#pulsesUs, Math.max(0, at - this.#at), this.faults);
		this.#at = at;
	}
}
