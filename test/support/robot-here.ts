// Connects tests to a calculated robot of this process: its real control loop behind its real socket, the command line beside it, and a person who makes it ready again.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { RobotLine } from "../../agents/cli/robot-line.ts";
import type { RobotState } from "../../agents/robot/words.ts";
import { openActuator } from "../../agents/roles/actuator.ts";
import { instant } from "../../contracts/time.ts";
import { MOVER_RULES } from "../../edge/machines/safe-stop-rows.ts";
import type { MoverRules } from "../../edge/machines/safe-stop-rules.ts";
import { TwinDriver } from "../../firmware-bridge/drivers/twin-driver.ts";
import { type Ran, runHere, type Surroundings } from "../cli/host.ts";
import { planOf } from "../robot/plans.ts";
import { until } from "./mesh.ts";
import { removeFolder } from "./remove-folder.ts";

/** Of a machine that is shared by many tests: how late its loop may be is not what is shown here. */
const PATIENT: MoverRules = {
	timing: { ...MOVER_RULES.timing, loopLateAfterMs: 60_000, riseWithinMs: 60_000 },
	rules: MOVER_RULES.rules.map((rule) => (rule.cause === "link-silent" ? { ...rule, graceMs: 60_000 } : rule)),
};
const WITHIN_MS = 60_000;
const STOPPED = ["armed", "hold", "settling", "off"];

export interface RobotHere {
	readonly folder: string;
	readonly driver: TwinDriver;
	readonly ask: (request: object) => Promise<RobotState>;
	readonly status: () => Promise<RobotState>;
	/** `orion robot ARGS` in this process. */
	readonly run: (args: readonly string[], more?: Surroundings) => Promise<Ran>;
	/** It stands, also after a machine that was too busy let a lease run out. */
	readonly ready: () => Promise<RobotState>;
	/** As a person would: what a busy machine let run out is asked again. */
	readonly done: (args: readonly string[]) => Promise<Ran>;
	/** It stopped, and stays where it is. */
	readonly stopped: () => Promise<void>;
	readonly close: () => Promise<void>;
}

export const robotHere = async (): Promise<RobotHere> => {
	const closers: (() => Promise<unknown> | unknown)[] = [];
	const folder = mkdtempSync(join(tmpdir(), "orion-terminal-"));
	// What it keeps may still be on its way to the disk.
	closers.push(() => removeFolder(folder));
	const plan = planOf("fnk0052");
	const driver = new TwinDriver({ plan, leaseMs: 60_000, freezeMs: 2_000, now: () => instant(performance.now()) });
	const actuator = await openActuator({ folder, plan, driver, rules: PATIENT, note: () => undefined });
	closers.push(() => actuator.stop());
	const line = await RobotLine.open(folder);
	closers.push(() => line.close());
	const ask = (request: object): Promise<RobotState> => line.ask(request);
	const status = (): Promise<RobotState> => ask({ verb: "status" });
	// As the agent does while it hears core.
	const heard = setInterval(() => void ask({ verb: "heard" }).catch(() => undefined), 200);
	closers.push(() => clearInterval(heard));
	const run = (args: readonly string[], more: Surroundings = {}) => runHere(["robot", ...args, "--data", folder], more);
	const ready = (): Promise<RobotState> =>
		until(
			"it stands",
			async () => {
				const state = await status();
				if (state.state === "off") await ask({ verb: "arm", armEpoch: state.armEpoch }).catch(() => undefined);
				if (state.state === "hold") await ask({ verb: "resume", armEpoch: state.armEpoch }).catch(() => undefined);
				return state.state === "armed" ? state : undefined;
			},
			WITHIN_MS,
		);
	const done = (args: readonly string[]) =>
		until(
			args.join(" "),
			async () => {
				await ready();
				const ran = await run(args);
				return ran.code === 0 ? ran : undefined;
			},
			WITHIN_MS,
		);
	const stopped = async (): Promise<void> => {
		await until("it stopped", async () => (STOPPED.includes((await status()).state) ? true : undefined), WITHIN_MS);
		const { pathMm } = (await status()).travelled;
		for (let look = 0; look < 20; look += 1) {
			const { state, travelled } = await status();
			expect(state).not.toBe("moving");
			// Counted anew once it is off.
			expect(travelled.pathMm).toBeLessThanOrEqual(pathMm);
		}
	};
	const close = async (): Promise<void> => {
		for (const one of closers.reverse()) await one();
	};
	return { folder, driver, ask, status, run, ready, done, stopped, close };
};
