// Connects the bench to a robot of real processes: the bundled actuator, the linux-guard, and a bus on which every write is stamped.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RobotLine } from "../../agents/cli/robot-line.ts";
import type { RobotState } from "../../agents/robot/words.ts";
import { EmulatedBus } from "../firmware-bridge/emulated-bus.ts";
import { until } from "../support/mesh.ts";
import { wasRehearsed } from "../support/rehearsed.ts";
import { removeFolder } from "../support/remove-folder.ts";

const ROOT = process.env["ORION_ROOT"] ?? ".";
const HEARD_EVERY_MS = 200;
const RENEW_EVERY_MS = 100;
const READY_WITHIN_MS = 180_000;
const TTL_MS = 1_000;
const BOUNDS = { pathMm: 100_000, timeMs: 600_000 };

export class RobotProcesses {
	readonly bus = new EmulatedBus();
	readonly #folder = mkdtempSync(join(tmpdir(), "orion-bench-robot-"));
	#guard: ChildProcess | undefined;
	#actuator: ChildProcess | undefined;
	#line: RobotLine | undefined;
	#leases = 0;

	get #socket(): string {
		return join(this.#folder, "guard");
	}

	static async open(): Promise<RobotProcesses> {
		const found = new RobotProcesses();
		const program = join(found.#folder, "linux-guard");
		const built = execFileSync(process.execPath, [join(ROOT, "build/guard.mjs"), program], { encoding: "utf8" });
		wasRehearsed(found.#folder, { guard: built.trim().slice(-16) });
		await found.bus.listen(`${found.#socket}.bus`);
		found.#guard = spawn(program, ["--socket", found.#socket, "--bus", `emulated:${found.#socket}.bus`], { stdio: "ignore" });
		await until("the guard listens", () => (found.bus.fed > 0 ? true : undefined));
		await found.#start();
		return found;
	}

	async #start(): Promise<void> {
		this.#line?.close();
		const args = [join(ROOT, "dist/actuator.js"), "--state", this.#folder, "--policy", join(ROOT, "policies/robots/fnk0052.yaml")];
		const actuator = spawn(process.execPath, [...args, "--driver", `guard:${this.#socket}`], { stdio: ["ignore", "pipe", "ignore"] });
		this.#actuator = actuator;
		let said = "";
		actuator.stdout.on("data", (piece: Buffer) => {
			said += piece.toString();
		});
		await until("the actuator is ready", () => (actuator.exitCode === null && said.includes('"event":"ready"') ? true : undefined));
		this.#line = await RobotLine.open(this.#folder);
	}

	async #ask(request: object): Promise<RobotState> {
		if (this.#line === undefined) throw new Error("no line to the robot");
		return this.#line.ask(request);
	}

	/** Stands up, and walks for this long in all, and does when it resolves; begun again whenever a busy machine held it. */
	async walk(forMs: number): Promise<void> {
		const heard = setInterval(() => void this.#ask({ verb: "heard" }).catch(() => undefined), HEARD_EVERY_MS);
		const endMs = performance.now() + READY_WITHIN_MS;
		let [walkedMs, lookedMs] = [0, performance.now()];
		try {
			for (let wasMoving = false; walkedMs < forMs || !wasMoving; ) {
				if (performance.now() > endMs) throw new Error("the robot never walked");
				const { state, armEpoch, tick } = await this.#ask({ verb: "status" });
				if (wasMoving) walkedMs += performance.now() - lookedMs;
				[wasMoving, lookedMs] = [state === "moving", performance.now()];
				if (state !== "moving") this.#leases += 1;
				const lease = { verb: "lease", id: `bench-${this.#leases}`, holder: "bench", armEpoch, tick, ttlMs: TTL_MS, stride: { yMm: 30 }, ...BOUNDS };
				const answers: Readonly<Partial<Record<RobotState["state"], object>>> = {
					off: { verb: "arm", armEpoch },
					hold: { verb: "sit" },
					fault: { verb: "release" },
					armed: lease,
					moving: lease,
				};
				const next = answers[state];
				if (next !== undefined) await this.#ask(next).catch(() => undefined);
				await new Promise((resolve) => setTimeout(resolve, RENEW_EVERY_MS));
			}
		} finally {
			clearInterval(heard);
		}
	}

	/** The actuator ends or stands still; milliseconds to the last pulse that changed and to power off. */
	async strike(signal: "SIGKILL" | "SIGSTOP"): Promise<{ readonly freezeMs: number; readonly offMs: number }> {
		const beganMs = performance.now();
		const from = this.bus.events.length;
		this.#actuator?.kill(signal);
		const off = await until("power is off", () => this.bus.events.slice(from).find((event) => event.kind === "power" && !event.on));
		const moved = this.bus.events.slice(from).filter((event) => event.kind === "pulses" && event.pulsesUs.some((pulseUs) => pulseUs > 0));
		this.#actuator?.kill("SIGKILL");
		await this.#start();
		return { freezeMs: Math.max(0, (moved.at(-1)?.atMs ?? beganMs) - beganMs), offMs: off.atMs - beganMs };
	}

	async close(): Promise<void> {
		this.#line?.close();
		this.#actuator?.kill("SIGKILL");
		this.#guard?.kill("SIGKILL");
		await this.bus.close();
		removeFolder(this.#folder);
	}
}
