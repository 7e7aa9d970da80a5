// What whoever moves the legs asks of whatever owns their outputs: the same six verbs for the leg board, the linux-guard and the twin.
import type { Instant } from "../../contracts/time.ts";
import type { LinkFault } from "../link-state.ts";
import type { BoardSensors, Pulses } from "../words.ts";

/** `held`: outputs are on, and no pose is taken until settle or enable. */
export type DriverKind = "closed" | "off" | "enabling" | "on" | "held" | "stopping" | "fault";

export interface DriverStatus {
	readonly kind: DriverKind;
	readonly board: "leg-board" | "linux-guard" | "twin";
	/** True: nothing of this happens in the world. */
	readonly simulated: boolean;
	readonly firmware: string | undefined;
	readonly fault: LinkFault | undefined;
	readonly faultDetail: string;
	readonly poweredGroups: number;
	readonly sensors: Omit<BoardSensors, "kind" | "seq"> | undefined;
}

export interface RobotDriver {
	/** Outputs on, at the pose that is written next; from held: poses are taken again. */
	enable(at: Instant): void;
	/** Outputs off at once. */
	disable(at: Instant): void;
	/** False: not taken, and nothing moved. */
	writePose(pulsesUs: Pulses, at: Instant): boolean;
	/** Outputs stay as they are. */
	hold(): void;
	/** The poses of the way down are taken. */
	settle(): void;
	/** The control loop lives; called at each turn of it, never by a timer of its own. */
	beat(at: Instant): void;
	/** A person looked at the fault: begin with the handshake. */
	again(at: Instant): void;
	status(): DriverStatus;
	close(): Promise<void>;
}
