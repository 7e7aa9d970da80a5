// Connects the verbs of a driver to a board at the end of a line: bytes in and out, and the link in between.
import type { Instant } from "../../contracts/time.ts";
import { decodeBoard, encodeHost, FrameReader } from "../frames.ts";
import { stepLink } from "../link.ts";
import { closedLink, type Link, type LinkInput, type LinkTerms } from "../link-state.ts";
import type { BoardFrame, BoardSensors, Pulses } from "../words.ts";
import type { DriverKind, DriverStatus, RobotDriver } from "./driver.ts";

/** Something that carries bytes both ways. */
export interface ByteLine {
	write(bytes: Uint8Array): void;
	close(): Promise<void>;
}

export interface LineEnds {
	readonly onBytes: (bytes: Uint8Array) => void;
	/** It broke, or the other end closed it. */
	readonly onClosed: () => void;
}

export interface LineDriverOptions {
	readonly board: DriverStatus["board"];
	readonly simulated: boolean;
	readonly terms: LinkTerms;
	readonly leaseMs: number;
	readonly freezeMs: number;
	readonly now: () => Instant;
	/** Opens the line; the driver closes it. */
	readonly open: (ends: LineEnds) => Promise<ByteLine>;
}

type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

const KINDS: Readonly<Record<Link["kind"], DriverKind>> = {
	closed: "closed",
	greeting: "closed",
	off: "off",
	arming: "enabling",
	armed: "on",
	stopping: "stopping",
	frozen: "stopping",
	fault: "fault",
};

export class LineDriver implements RobotDriver {
	readonly #options: LineDriverOptions;
	#link: Link = closedLink;
	#line: ByteLine | undefined;
	#isHeld = false;
	#poweredGroups = 0;
	#sensors: BoardSensors | undefined;

	private constructor(options: LineDriverOptions) {
		this.#options = options;
	}

	static async open(options: LineDriverOptions): Promise<LineDriver> {
		const driver = new LineDriver(options);
		const reader = new FrameReader(decodeBoard);
		const { now } = options;
		driver.#line = await options.open({
			onBytes: (bytes) => {
				for (const heard of reader.push(bytes)) if (heard.kind === "frame") driver.#frame(heard.frame);
			},
			onClosed: () => driver.#step({ kind: "closed" }, now()),
		});
		driver.#step({ kind: "opened" }, now());
		return driver;
	}

	enable(at: Instant): void {
		this.#isHeld = false;
		this.#step({ kind: "arm", leaseMs: this.#options.leaseMs, freezeMs: this.#options.freezeMs }, at);
	}

	disable(at: Instant): void {
		this.#step({ kind: "cut" }, at);
	}

	writePose(pulsesUs: Pulses, at: Instant): boolean {
		if (this.#isHeld || this.#link.kind !== "armed") return false;
		this.#step({ kind: "pose", pulsesUs }, at);
		return this.#link.kind === "armed";
	}

	hold(): void {
		this.#isHeld = true;
	}

	settle(): void {
		this.#isHeld = false;
	}

	beat(at: Instant): void {
		this.#step({ kind: "beat" }, at);
	}

	again(at: Instant): void {
		this.#step({ kind: "again" }, at);
	}

	status(): DriverStatus {
		const { board, simulated } = this.#options;
		const { kind, hello, fault, faultDetail } = this.#link;
		return {
			kind: kind === "armed" && this.#isHeld ? "held" : KINDS[kind],
			board: simulated ? board : (hello?.board ?? board),
			simulated,
			firmware: hello?.firmware,
			fault,
			faultDetail,
			poweredGroups: this.#poweredGroups,
			sensors: this.#sensors,
		};
	}

	/** Outputs off, then the line. */
	async close(): Promise<void> {
		this.disable(this.#options.now());
		await this.#line?.close();
		this.#line = undefined;
	}

	#frame(frame: BoardFrame): void {
		if (frame.kind === "status") this.#poweredGroups = frame.poweredGroups;
		if (frame.kind === "sensors") this.#sensors = frame;
		this.#step({ kind: "frame", frame }, this.#options.now());
	}

	#step(input: Without<LinkInput, "at">, at: Instant): void {
		const step = stepLink(this.#link, this.#options.terms, { ...input, at } as LinkInput);
		this.#link = step.link;
		for (const frame of step.send) this.#line?.write(encodeHost(frame));
	}
}
