// Shows that a robot which is walked from a terminal stops when that terminal's process dies, loses its terminal, stands still, or is heard too late; nothing goes on by itself (HARM-165).
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { afterEach, test } from "vitest";
import type { RobotState } from "../../agents/robot/words.ts";
import { ROBOT_SOCKET } from "../../agents/roles/actuator.ts";
import { ORION, until } from "../support/mesh.ts";
import { type RobotHere, robotHere } from "../support/robot-here.ts";

const closers: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
	for (const close of closers.splice(0).reverse()) await close();
});
const robot = async (): Promise<RobotHere> => {
	const one = await robotHere();
	closers.push(one.close);
	return one;
};

const walking = async (folder: string, status: () => Promise<RobotState>, ready: () => Promise<RobotState>): Promise<ChildProcess> => {
	const fromMm = (await ready()).travelled.pathMm;
	const terminal = spawn(process.execPath, [ORION, "robot", "walk", "--for", "600", "--data", folder], { stdio: "ignore" });
	closers.push(async () => {
		if (terminal.exitCode !== null || terminal.signalCode !== null) return;
		const ended = once(terminal, "exit");
		terminal.kill("SIGKILL");
		await ended;
	});
	const isWalking = await until("it walks", async () => {
		if (terminal.exitCode !== null) return false;
		const { state, travelled } = await status();
		return state === "moving" && travelled.pathMm > fromMm ? true : undefined;
	});
	// What a busy machine let run out is asked again.
	return isWalking ? terminal : walking(folder, status, ready);
};

test.each(["SIGKILL", "SIGHUP", "SIGSTOP"] as const)("HARM-165 the terminal's process gets %s: it stops, and nothing goes on by itself", async (signal) => {
	const { folder, status, ready, stopped } = await robot();
	const terminal = await walking(folder, status, ready);
	terminal.kill(signal);
	await stopped();
	if (signal !== "SIGSTOP") return;
	// It goes on with what it knew: too old to hold anything by.
	terminal.kill("SIGCONT");
	await once(terminal, "exit");
	await stopped();
});

test("HARM-165 the link to it is slow: it stops although the terminal goes on asking, and no renewal that still comes moves it", async () => {
	const { folder, status, ready, stopped } = await robot();
	const slow = join(folder, "slow");
	mkdirSync(slow);
	let delayMs = 0;
	let forwarded = 0;
	const relay = createServer((near) => {
		const far = connect(join(folder, ROBOT_SOCKET));
		const pass = (to: typeof far) => (bytes: Buffer) =>
			void setTimeout(() => {
				forwarded += 1;
				if (to.writable) to.write(bytes);
			}, delayMs);
		near.on("data", pass(far));
		far.on("data", pass(near));
		for (const [one, other] of [
			[near, far],
			[far, near],
		] as const) {
			one.on("error", () => other.destroy());
			one.on("close", () => other.destroy());
		}
	});
	await new Promise<void>((resolve) => relay.listen(join(slow, ROBOT_SOCKET), resolve));
	closers.push(() => relay.close());
	const terminal = await walking(slow, status, ready);
	// There and back: each renewal's tick is older than a lease lasts.
	delayMs = 400;
	const before = forwarded;
	await stopped();
	await until("it was asked again", () => (forwarded > before || terminal.exitCode !== null ? true : undefined));
	await stopped();
});
