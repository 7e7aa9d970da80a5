// Shows that the demo's hexapod stops as its story says, the shipped firmware in the emulated chip, over a socket and over a real serial port, and leaves nothing behind (HARM-130, HARM-131).
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { robotChapters } from "../../agents/demo/chapters-robot.ts";
import { RobotStage } from "../../agents/demo/robot-stage.ts";
import { tellAll } from "../../agents/demo/story.ts";
import { peer } from "../../build/peers.mjs";
import { imageUnderTest } from "../firmware-bridge/image.ts";
import { planOf } from "../robot/plans.ts";
import { runOrion, until } from "../support/mesh.ts";
import { wasRehearsed } from "../support/rehearsed.ts";
import { removeFolder } from "../support/remove-folder.ts";

/** Its stages begin again on a busy machine; each of them gives up by itself. */
const TOLD_WITHIN_MS = 1_200_000;

let temp: string;
beforeEach(() => {
	temp = mkdtempSync(join(tmpdir(), "orion-test-"));
});
afterEach(() => removeFolder(temp));

test(
	"HARM-131 orion demo --robot: it walks, is cut, is killed, is released and walks again; drawn, and nothing is left",
	async () => {
		const { code, out, err } = await runOrion(["demo", "--robot", "--json", "--svg", join(temp, "robot.svg")], { TMPDIR: temp });
		const told = JSON.parse(out) as { steps: { id: string; ok: boolean; failed?: string; figures: Record<string, number> }[] };
		expect(
			told.steps.filter(({ ok }) => !ok).map(({ id, failed }) => `${id}: ${failed}`),
			err,
		).toEqual([]);
		expect(told.steps.map(({ id }) => id)).toEqual(["robot-walks", "robot-cut", "robot-dead", "robot-again"]);
		expect(code).toBe(0);
		const svg = readFileSync(join(temp, "robot.svg"), "utf8");
		expect(svg).toContain("The link is cut in mid-stride");
		expect(svg).toContain("outputs off");
		expect(readdirSync(temp)).toEqual(["robot.svg"]);
	},
	TOLD_WITHIN_MS,
);

test(
	"HARM-130 over a real serial port the same story is true",
	async () => {
		let cable: ChildProcess | undefined;
		const { signal } = new AbortController();
		const stage = await RobotStage.open({
			signal,
			cable: async (socket) => {
				wasRehearsed(dirname(socket), { firmware: imageUnderTest().manifest.sourceSha256.slice(0, 16) });
				const port = join(temp, "port");
				const { command, env } = peer("socat");
				cable = spawn(command, [`PTY,link=${port},raw,echo=0`, `UNIX-CONNECT:${socket}`], { env, stdio: "ignore" });
				await until("the port is there", () => (existsSync(port) ? true : undefined));
				return `serial:${port}`;
			},
		});
		try {
			await stage.ready();
			const { travelled, simulated } = await stage.walk(80);
			expect(travelled.pathMm).toBeGreaterThanOrEqual(80);
			// What hangs on a serial port is a board; that this one is emulated it cannot know.
			expect(simulated).toBe(false);
			const [, , dead] = robotChapters(planOf("fnk0052").gaits.tripod);
			if (dead === undefined) throw new Error("no such chapter");
			const silent = { begins: () => undefined, says: () => undefined, shows: () => undefined, ends: () => undefined };
			expect(await tellAll(stage, [dead], silent, signal)).toMatchObject([{ id: "robot-dead", ok: true }]);
		} finally {
			await stage.close();
			cable?.kill("SIGKILL");
		}
	},
	TOLD_WITHIN_MS,
);
