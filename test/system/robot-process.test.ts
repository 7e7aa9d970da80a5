// Shows with real processes that legs stop when whoever moves them is frozen, killed, unplugged or left alone: actuator, linux-guard, and serialport over a pseudo terminal (HARM-78).
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { RobotLine } from "../../agents/cli/robot-line.ts";
import type { RobotState } from "../../agents/robot/words.ts";
import { buildGuard } from "../../build/guard.mjs";
import { peer } from "../../build/peers.mjs";
import { OrionError } from "../../contracts/errors.ts";
import { EmulatedBus } from "../firmware-bridge/emulated-bus.ts";
import { wasRehearsed } from "../support/rehearsed.ts";
import { removeFolder } from "../support/remove-folder.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const POLICY = join(ROOT, "policies/robots/fnk0052.yaml");
const HEARD_EVERY_MS = 200;
const TTL_MS = 1_000;
/** Standing up is begun again whenever a turn was late. */
const READY_WITHIN_MS = 120_000;

const until = async (what: string, fact: () => boolean | Promise<boolean>, withinMs = 60_000): Promise<void> => {
	const end = performance.now() + withinMs;
	while (!(await fact())) {
		if (performance.now() > end) throw new Error(`never happened: ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
};

let folder = "";
let guardProgram = "";
/** What its hello tells. */
let guard = "";
let actuatorProgram = "";
// In the project's folder, so that it finds its packages.
const bundleFolder = join(ROOT, `.cache/robot-process-${process.pid}`);
beforeAll(async () => {
	folder = mkdtempSync(join(tmpdir(), "orion-robot-"));
	guardProgram = join(folder, "linux-guard");
	guard = buildGuard(guardProgram).slice(0, 16);
	mkdirSync(bundleFolder, { recursive: true });
	actuatorProgram = join(bundleFolder, "actuator.mjs");
	await build({
		absWorkingDir: ROOT,
		entryPoints: ["agents/roles/actuator-main.ts"],
		outfile: actuatorProgram,
		bundle: true,
		format: "esm",
		platform: "node",
		external: ["serialport"],
		logLevel: "warning",
		banner: { js: "import { createRequire as orionCreateRequire } from 'node:module'; const require = orionCreateRequire(import.meta.url);" },
	});
});
afterAll(() => {
	removeFolder(folder);
	removeFolder(bundleFolder);
});

const children: ChildProcess[] = [];
const ended = (child: ChildProcess): Promise<void> =>
	new Promise((resolve) => (child.exitCode === null && child.signalCode === null ? child.once("exit", () => resolve()) : resolve()));
const start = (command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): ChildProcess => {
	const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"] });
	children.push(child);
	return child;
};

let bus: EmulatedBus;
let state = "";
let guardSocket = "";
let count = 0;
let line: RobotLine | undefined;
let heard: NodeJS.Timeout | undefined;

beforeEach(async () => {
	count += 1;
	state = join(folder, `node-${count}`);
	wasRehearsed(state, { guard });
	guardSocket = join(folder, `g${count}`);
	bus = new EmulatedBus();
	await bus.listen(`${guardSocket}.bus`);
	start(guardProgram, ["--socket", guardSocket, "--bus", `emulated:${guardSocket}.bus`]);
	await until("the guard listens", () => bus.fed > 0);
});
afterEach(async () => {
	clearInterval(heard);
	line?.close();
	line = undefined;
	for (const child of children.splice(0)) {
		child.kill("SIGCONT");
		child.kill("SIGKILL");
		await ended(child);
	}
	await bus.close();
});

const startActuator = async (driver: string): Promise<ChildProcess> => {
	const child = start(process.execPath, [actuatorProgram, "--state", state, "--policy", POLICY, "--driver", driver]);
	let said = "";
	for (const stream of [child.stdout, child.stderr]) stream?.on("data", (piece: Buffer) => (said += piece.toString()));
	await until("the actuator is ready", () => {
		if (child.exitCode !== null) throw new Error(said);
		return said.includes('"event":"ready"');
	});
	line = await RobotLine.open(state);
	clearInterval(heard);
	heard = setInterval(() => void line?.ask({ verb: "heard" }).catch(() => undefined), HEARD_EVERY_MS);
	return child;
};

/** A machine too busy to answer in time loses the connection, not the test: it asks once more on a new one. */
const ask = async (request: object): Promise<RobotState> => {
	if (line === undefined) throw new Error("no line to the robot");
	try {
		return await line.ask(request);
	} catch (error) {
		if (!(error instanceof OrionError) || error.fault.code !== "NO_ROBOT_HERE") throw error;
		line = await RobotLine.open(state);
		return line.ask(request);
	}
};
const stateNow = async (): Promise<RobotState> => ask({ verb: "status" });

/** A late turn on a busy machine holds it, as it should: then it is made ready again. */
const ready = async (): Promise<void> =>
	until(
		"it stands",
		async () => {
			const now = await stateNow();
			if (now.state === "armed" || now.state === "moving") return true;
			if (now.state === "off") await ask(now.driver.state === "fault" ? { verb: "release" } : { verb: "arm", armEpoch: now.armEpoch }).catch(() => undefined);
			if (now.state === "hold") await ask({ verb: "sit" }).catch(() => undefined);
			if (now.state === "fault") await ask({ verb: "release" }).catch(() => undefined);
			return false;
		},
		READY_WITHIN_MS,
	);

const pulseChanges = (): number => bus.events.filter((event) => event.kind === "pulses").length;

/** The guard switches power first and both chips afterwards: only then is its last word on the bus. */
const settledOff = (): Promise<void> =>
	until("outputs are off, and both chips too", () => !bus.powered && [...bus.chips.values()].every((chip) => chip.pulsesUs().every((us) => us === 0)));

const walkingUntil = async (what: string, fact: () => boolean): Promise<void> => {
	let id = 0;
	const step = async (): Promise<boolean> => {
		const { armEpoch, tick, state: kind } = await stateNow();
		if (kind !== "moving") id += 1;
		if (kind !== "armed" && kind !== "moving") await ready();
		else {
			const bounds = { pathMm: 10_000, timeMs: 600_000 };
			await ask({ verb: "lease", id: `walk-${id}`, holder: "anna", armEpoch, tick, ttlMs: TTL_MS, stride: { yMm: 30 }, ...bounds }).catch(() => undefined);
		}
		return fact();
	};
	await until(what, step, READY_WITHIN_MS);
};

const walking = async (): Promise<void> => {
	await ready();
	const before = pulseChanges();
	await walkingUntil("its pulses change", () => pulseChanges() > before + 40);
};

describe("a robot's processes", () => {
	test("HARM-78 whoever held the lease is gone: it holds, sits and is off", async () => {
		await startActuator(`guard:${guardSocket}`);
		// A machine that kept its turns back for longer than the board waits ends at fault, as it should: then it walks again.
		const letGo = async (): Promise<boolean> => {
			await walking();
			await settledOff();
			return (await stateNow()).state === "off";
		};
		await until("it holds, sits and is off", letGo, READY_WITHIN_MS);
	});

	test("HARM-78 the actuator is frozen: the guard stops the legs; when it goes on it is at fault, until somebody was there", async () => {
		const actuator = await startActuator(`guard:${guardSocket}`);
		await walking();
		expect(bus.powered).toBe(true);
		actuator.kill("SIGSTOP");
		await settledOff();
		const after = pulseChanges();
		actuator.kill("SIGCONT");
		line?.close();
		line = await RobotLine.open(state);
		await until("it knows", async () => (await stateNow()).state === "fault");
		expect(bus.powered).toBe(false);
		expect(pulseChanges()).toBe(after);
	});

	test("HARM-78 the actuator is killed: the guard stops the legs, and the next actuator begins at fault", async () => {
		const actuator = await startActuator(`guard:${guardSocket}`);
		await walking();
		actuator.kill("SIGKILL");
		await ended(actuator);
		await until("outputs are off", () => !bus.powered);
		await startActuator(`guard:${guardSocket}`);
		const found = await stateNow();
		expect(found.state).toBe("fault");
		await expect(ask({ verb: "arm", armEpoch: found.armEpoch })).rejects.toThrow("fault");
	});

	test("HARM-78 core and agent fall silent: it stops although its holder goes on", async () => {
		await startActuator(`guard:${guardSocket}`);
		await walking();
		clearInterval(heard);
		await until("it is off", async () => {
			const { armEpoch, tick } = await stateNow();
			await ask({ verb: "lease", id: "on", holder: "anna", armEpoch, tick, ttlMs: TTL_MS, stride: { yMm: 30 }, pathMm: 10_000, timeMs: 600_000 }).catch(
				() => undefined,
			);
			return !bus.powered;
		});
	});

	test("HARM-78 over a serial port: it walks, the cable is pulled, legs stop, the robot is at fault", async () => {
		const port = join(folder, `port-${count}`);
		const { command, env } = peer("socat");
		const cable = start(command, [`PTY,link=${port},raw,echo=0`, `UNIX-CONNECT:${guardSocket}`], env);
		await until("the port is there", () => {
			try {
				return execFileSync("readlink", [port]).length > 0;
			} catch {
				return false;
			}
		});
		await startActuator(`serial:${port}`);
		await walking();
		cable.kill("SIGKILL");
		await ended(cable);
		await until("outputs are off", () => !bus.powered);
		await until("it is at fault", async () => (await stateNow()).state === "fault");
	});

	test("HARM-78 a cut by hand is off at once, and is there after a restart", async () => {
		const actuator = await startActuator(`guard:${guardSocket}`);
		// A robot that fell into fault just then is made ready again first.
		const cut = async (): Promise<boolean> => {
			await walking();
			return (await ask({ verb: "cut" })).state === "cut";
		};
		await until("it is cut", cut, READY_WITHIN_MS);
		await settledOff();
		await until("it is on disk", () => {
			const file = join(state, "robot-order.json");
			return existsSync(file) && readFileSync(file, "utf8").includes("cut");
		});
		actuator.kill("SIGKILL");
		await ended(actuator);
		await startActuator(`guard:${guardSocket}`);
		expect((await stateNow()).state).toBe("cut");
		await ask({ verb: "release" }).catch(() => undefined);
		await until("it is released", async () => (await ask({ verb: "release" }).catch(stateNow)).state === "off");
	});
});
