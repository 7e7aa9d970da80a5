// Shows that a robot holds when its agent is frozen, killed or blocked, although whoever holds the lease goes on, and that an agent that comes back moves nothing (HARM-78).
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { RobotLine } from "../../agents/cli/robot-line.ts";
import type { RobotState } from "../../agents/robot/words.ts";
import { bundled } from "../../agents/roles/agent-process.ts";
import { keyIdOf } from "../../core/service/keys.ts";
import { ROOT, TestMesh, until } from "../support/mesh.ts";

const NOT_HEARD = "core was not heard";
const MAY_MOVE = ["moving", "armed", "rising"];
const TTL_MS = 1_000;
/** Standing up is begun again whenever a turn was late. */
const READY_WITHIN_MS = 120_000;
/** Made ready three times on a machine that is busy. */
const TEST_WITHIN_MS = 600_000;
const BLOCK = 'data:text/javascript,import{writeFileSync}from"node:fs";process.on("SIGUSR2",()=>{writeFileSync(process.env.BLOCKED_FILE,"");for(;;);})';

let mesh: TestMesh | undefined;
let line: RobotLine | undefined;
const children: ChildProcess[] = [];

const end = async (child: ChildProcess): Promise<void> => {
	if (child.exitCode !== null || child.signalCode !== null) return;
	const exited = once(child, "exit");
	child.kill("SIGKILL");
	await exited;
};

afterEach(async () => {
	line?.close();
	for (const child of children.splice(0)) await end(child);
	await mesh?.remove();
});

const run = (args: readonly string[], blockedFile: string): ChildProcess => {
	const child = spawn(process.execPath, ["--import", BLOCK, ...args], { env: { ...process.env, BLOCKED_FILE: blockedFile }, stdio: "ignore" });
	children.push(child);
	return child;
};

const ask = (request: object): Promise<RobotState> => line?.ask(request) ?? Promise.reject(new Error("no line to the robot"));

/** One step of a holder who wants to walk on, whatever the robot says. */
const renew = async (id: string): Promise<RobotState> => {
	const now = await ask({ verb: "status" });
	const { armEpoch, tick } = now;
	const asked = { verb: "lease", id, holder: "anna", armEpoch, tick, ttlMs: TTL_MS, stride: { yMm: 30 }, pathMm: 100_000, timeMs: 600_000 };
	return ask(asked).catch(() => now);
};

const walking = async (name: string): Promise<void> => {
	let tries = 0;
	let fromMm: number | undefined;
	await until(
		`${name}: it walks`,
		async () => {
			const now = await renew(`${name}-${tries}`);
			if (now.state === "moving") {
				fromMm ??= now.travelled.pathMm;
				return now.travelled.pathMm > fromMm ? true : undefined;
			}
			fromMm = undefined;
			tries += 1;
			if (now.state === "off") await ask({ verb: "arm", armEpoch: now.armEpoch }).catch(() => undefined);
			if (now.state === "hold") await ask({ verb: "sit" }).catch(() => undefined);
			if (now.state === "fault") await ask({ verb: "release" }).catch(() => undefined);
			return undefined;
		},
		READY_WITHIN_MS,
	);
};

test(
	"HARM-78 its agent is frozen, killed, blocked: each time it holds, and does not go on by itself when the agent is back",
	async () => {
		mesh = await TestMesh.make("", [], "core");
		await mesh.start();
		const { password } = await mesh.ask<{ readonly password: string }>("/nodes", { method: "POST", body: JSON.stringify({ node: "rover" }) });
		const { mesh: id } = await mesh.ask<{ readonly mesh: string }>("/state/status");
		const { x: publicKey } = JSON.parse(readFileSync(join(mesh.data, "core/core-key.json"), "utf8")) as { readonly x: string };
		const state = join(mesh.folder, "rover");
		mkdirSync(state);
		const coreKeys = [{ keyId: keyIdOf(publicKey), publicKey }];
		const node = { schema: "orion.node-config/1", mesh: id, node: "rover", url: `mqtt://127.0.0.1:${mesh.mqttPort}`, username: "rover", password, coreKeys };
		writeFileSync(join(state, "node.json"), JSON.stringify(node));
		const blocked = join(mesh.folder, "blocked");
		run([bundled("actuator"), "--state", state, "--policy", join(ROOT, "policies/robots/fnk0052.yaml"), "--driver", "twin"], blocked);
		await until("the actuator answers", async () => {
			line = await RobotLine.open(state).catch(() => undefined);
			return line;
		});
		const agent = (): ChildProcess => run([bundled("agent"), "--state", state, "--robot"], blocked);
		const harm: readonly (readonly [string, (child: ChildProcess) => Promise<unknown>, (child: ChildProcess) => Promise<ChildProcess>])[] = [
			[
				"frozen",
				async (child) => child.kill("SIGSTOP"),
				async (child) => {
					child.kill("SIGCONT");
					return child;
				},
			],
			["killed", end, async () => agent()],
			[
				"blocked",
				async (child) => {
					child.kill("SIGUSR2");
					await until("it is blocked", () => (existsSync(blocked) ? true : undefined));
				},
				async (child) => {
					await end(child);
					return agent();
				},
			],
		];
		let child = agent();
		for (const [name, strike, heal] of harm) {
			await walking(name);
			await strike(child);
			const noticed = await until(`${name}: it notices`, async () => {
				const now = await renew(`${name}-on`);
				return now.inForce.includes(NOT_HEARD) && !MAY_MOVE.includes(now.state) ? now : undefined;
			});
			child = await heal(child);
			await until(`${name}: core is heard again`, async () => {
				const now = await renew(`${name}-back`);
				expect(MAY_MOVE).not.toContain(now.state);
				return now.inForce.includes(NOT_HEARD) ? undefined : true;
			});
			const back = await renew(`${name}-back`);
			expect(MAY_MOVE).not.toContain(back.state);
			// Counted anew once it is off.
			expect(back.travelled.pathMm).toBeLessThanOrEqual(noticed.travelled.pathMm);
		}
	},
	TEST_WITHIN_MS,
);
