// Connects the demo to a robot of real processes: the emulated board with the shipped image, the actuator, and the line by which a person and a holder speak to it.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { OrionError } from "../../contracts/errors.ts";
import { RobotLine } from "../cli/robot-line.ts";
import type { RobotState } from "../robot/words.ts";
import { bundled } from "../roles/agent-process.ts";
import { builtInFolder } from "../roles/config.ts";

/** What the board's pins did, in milliseconds of the board's own time. */
export interface BoardSaid {
	readonly event: string;
	readonly atMs: number;
	/** When the last byte from its host was on the line. */
	readonly heardMs: number;
	readonly on?: boolean;
	readonly address?: number;
	readonly pulsesUs?: readonly number[];
	/** When it was heard of, on this process's clock. */
	readonly seenMs: number;
}

/** A state of the robot, and when it was seen on this process's clock. */
export interface Sighting {
	readonly seenMs: number;
	readonly state: RobotState;
}

export interface RobotStageOptions {
	readonly signal: AbortSignal;
	/** From the board's socket to what the actuator is told; absent: that socket. */
	readonly cable?: (socket: string) => Promise<string>;
}

/** Standing up and walking are begun again whenever a busy machine kept a turn or a renewal back. */
const FACT_WITHIN_MS = 180_000;
const LOOK_EVERY_MS = 20;
const HEARD_EVERY_MS = 200;
const RENEW_EVERY_MS = 100;
const MODEL = "fnk0052";
export const TTL_MS = 400;
export const STRIDE_MM = 40;
const BOUNDS = { pathMm: 5_000, timeMs: 60_000 };

export class RobotStage {
	readonly folder = mkdtempSync(join(tmpdir(), "orion-demo-robot-"));
	readonly said: BoardSaid[] = [];
	readonly sightings: Sighting[] = [];
	/** What happened to it, for the drawing. */
	readonly marks: { readonly seenMs: number; readonly what: "cut" | "killed" }[] = [];
	readonly #options: RobotStageOptions;
	#board: ChildProcess | undefined;
	#actuator: ChildProcess | undefined;
	#line: RobotLine | undefined;
	#driver = "";
	#heard: NodeJS.Timeout | undefined;
	#leases = 0;

	private constructor(options: RobotStageOptions) {
		this.#options = options;
	}

	static async open(options: RobotStageOptions): Promise<RobotStage> {
		const stage = new RobotStage(options);
		try {
			const socket = join(stage.folder, "board");
			const board = spawn(process.execPath, [bundled("board"), "--socket", socket], { stdio: ["pipe", "pipe", "inherit"] });
			stage.#board = board;
			createInterface({ input: board.stdout }).on("line", (line) => stage.said.push({ ...(JSON.parse(line) as BoardSaid), seenMs: performance.now() }));
			await stage.until("the board is there", () => stage.said.length > 0);
			stage.#driver = options.cable === undefined ? `board:${socket}` : await options.cable(socket);
			await stage.startActuator();
			return stage;
		} catch (error) {
			await stage.close();
			throw error;
		}
	}

	async until(what: string, fact: () => boolean | Promise<boolean>, withinMs = FACT_WITHIN_MS): Promise<void> {
		const endMs = performance.now() + withinMs;
		while (!(await fact())) {
			this.#options.signal.throwIfAborted();
			if (performance.now() > endMs) throw new Error(`not within ${withinMs / 1_000} s: ${what}`);
			await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
		}
	}

	async startActuator(): Promise<void> {
		await this.killActuator();
		const policy = join(builtInFolder(), "robots", `${MODEL}.yaml`);
		const args = [bundled("actuator"), "--state", this.folder, "--policy", policy, "--driver", this.#driver];
		const actuator = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
		this.#actuator = actuator;
		let isReady = false;
		createInterface({ input: actuator.stdout }).on("line", (line) => {
			isReady ||= line.includes('"event":"ready"');
		});
		await this.until("the actuator is there", () => isReady);
		this.#line?.close();
		this.#line = await RobotLine.open(this.folder);
		// As the agent does while it hears core.
		clearInterval(this.#heard);
		this.#heard = setInterval(() => void this.ask({ verb: "heard" }).catch(() => undefined), HEARD_EVERY_MS);
	}

	async killActuator(): Promise<void> {
		const actuator = this.#actuator;
		if (actuator === undefined) return;
		clearInterval(this.#heard);
		const ended = new Promise<void>((resolve) => (actuator.exitCode === null ? actuator.once("exit", () => resolve()) : resolve()));
		actuator.kill("SIGKILL");
		await ended;
		this.#actuator = undefined;
	}

	async ask(request: object): Promise<RobotState> {
		if (this.#line === undefined) throw new OrionError("NO_ROBOT_HERE", { path: this.folder, detail: "not started" });
		const state = await this.#line.ask(request);
		this.sightings.push({ seenMs: performance.now(), state });
		return state;
	}

	status(): Promise<RobotState> {
		return this.ask({ verb: "status" });
	}

	/** A person's words, until it stands: also after a machine that was too busy made it hold. */
	async ready(): Promise<void> {
		await this.until("it stands", async () => {
			const { state, armEpoch, driver } = await this.status();
			const raised = driver.state === "fault" ? { verb: "release" } : { verb: "arm", armEpoch };
			const words: Readonly<Partial<Record<RobotState["state"], object>>> = {
				off: raised,
				hold: { verb: "sit" },
				fault: { verb: "release" },
				cut: { verb: "release" },
			};
			const word = words[state];
			if (word !== undefined) await this.ask(word).catch(() => undefined);
			return state === "armed" || state === "moving";
		});
	}

	/** Under a lease, renewed ten times a second with a tick that is this much older, until it has gone this far; the last answer. */
	async walk(mm: number, lateMs = 0): Promise<RobotState> {
		let from: number | undefined;
		let last = await this.status();
		await this.until(`it walks ${mm} mm`, async () => {
			if (last.state !== "armed" && last.state !== "moving") {
				await this.ready();
				from = undefined;
				last = await this.status();
			}
			if (last.state === "armed") this.#leases += 1;
			const lease = {
				verb: "lease",
				id: `walk-${this.#leases}`,
				holder: "anna",
				armEpoch: last.armEpoch,
				ttlMs: TTL_MS,
				stride: { yMm: STRIDE_MM },
				...BOUNDS,
			};
			// What is refused is told by the next status.
			last = await this.ask({ ...lease, tick: last.tick - lateMs }).catch(() => this.status());
			from ??= last.travelled.pathMm;
			const isThere = last.state === "moving" && last.travelled.pathMm - from >= mm;
			if (!isThere) {
				await new Promise((resolve) => setTimeout(resolve, RENEW_EVERY_MS));
				last = await this.status();
			}
			return isThere;
		});
		return last;
	}

	async close(): Promise<void> {
		clearInterval(this.#heard);
		this.#line?.close();
		await this.killActuator();
		this.#board?.kill("SIGKILL");
		rmSync(this.folder, { recursive: true, force: true });
	}
}
