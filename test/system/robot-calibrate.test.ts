// Shows `orion robot calibrate` with real processes: its own actuator, the twin, the shipped firmware in the emulated board, and the linux-guard, which is real legs to it (RUN-58, HARM-143, HARM-149, HARM-151).
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bundled } from "../../agents/roles/agent-process.ts";
import { buildGuard } from "../../build/guard.mjs";
import { runHere } from "../cli/host.ts";
import { EmulatedBus } from "../firmware-bridge/emulated-bus.ts";
import { planOf } from "../robot/plans.ts";
import { runOrion, until } from "../support/mesh.ts";
import { rehearsedFile } from "../support/rehearsed.ts";
import { removeFolder } from "../support/remove-folder.ts";

/** A turn that a busy machine lost holds the robot, and the step is not passed: it is done again. */
const TRIES = 40;
const WITHIN_MS = 900_000;

let data = "";
const children: ChildProcess[] = [];
beforeEach(() => {
	data = mkdtempSync(join(tmpdir(), "orion-test-"));
});
afterEach(() => {
	for (const child of children.splice(0)) child.kill("SIGKILL");
	removeFolder(data);
});

const calibrate = (...more: readonly string[]) => runOrion(["robot", "calibrate", "--data", data, ...more]);
const records = (): readonly { step: number; outcome: string; simulated: boolean; firmware: string | null; guard: string | null }[] =>
	(JSON.parse(readFileSync(join(data, "agent", "robot-rehearsal.json"), "utf8")) as { records: never[] }).records;

const passed = async (step: number, ...more: readonly string[]): Promise<Record<string, unknown>> => {
	const said: string[] = [];
	for (let tries = 0; tries < TRIES; tries++) {
		const { code, out, err } = await calibrate("--json", "--yes", "--step", String(step), ...more);
		if (code === 0) return JSON.parse(out) as Record<string, unknown>;
		said.push(`${code} ${out}${err}`);
	}
	throw new Error(said.join("\n"));
};

test("RUN-58 on the twin: the first steps in their order, each with its record; a later one is refused, and without a robot it says how far it came", {
	timeout: WITHIN_MS,
}, async () => {
	expect(await passed(1, "--twin")).toMatchObject({ schema: "orion.robot-calibrate/1", step: 1, outcome: "passed", simulated: true, upTo: 1 });
	const { code, err } = await calibrate("--twin", "--yes", "--step", "3");
	expect([code, err]).toEqual([5, expect.stringContaining("step 2 comes first")]);
	for (const step of [2, 3, 4]) expect(await passed(step, "--twin")).toMatchObject({ step, upTo: step });
	expect(records().every(({ simulated }) => simulated)).toBe(true);
	const shown = await calibrate();
	expect(shown.code).toBe(0);
	expect(shown.out).toMatch(/passed {2}4 cut/);
	expect(shown.out).toContain("simulated: it unlocks nothing real");
});

test("RUN-58 the shipped firmware in the emulated board: bus and cut over its line; the person says what its battery has", { timeout: WITHIN_MS }, async () => {
	const socket = join(data, "board");
	const board = spawn(process.execPath, [bundled("board"), "--socket", socket], { stdio: ["pipe", "pipe", "inherit"] });
	children.push(board);
	let said = "";
	board.stdout.on("data", (piece: Buffer) => (said += piece.toString()));
	await until("the board is there", () => (said.includes('"event":"ready"') ? true : undefined));
	for (const step of [1, 2, 3, 4]) expect(await passed(step, "--board", socket, "--servo-mv", "7600")).toMatchObject({ step, upTo: step, simulated: true });
	expect(records().find(({ step }) => step === 4)?.firmware).toMatch(/^[0-9a-f]{16}$/);
	expect(said).toContain('"pulses"');
});

test("HARM-143 HARM-151 real legs: nobody at the robot, nothing confirmed; records that are simulated or of another guard open nothing, nine real ones do", {
	timeout: WITHIN_MS,
}, async () => {
	const program = join(data, "linux-guard");
	const guard = buildGuard(program).slice(0, 16);
	const bus = new EmulatedBus();
	const socket = join(data, "g");
	await bus.listen(`${socket}.bus`);
	try {
		children.push(spawn(program, ["--socket", socket, "--bus", `emulated:${socket}.bus`], { stdio: "ignore" }));
		await until("the guard listens", () => (bus.fed > 0 ? true : undefined));
		// With --yes the step begins; what only a person can have seen is not taken as seen.
		const { code, err } = await calibrate("--socket", socket, "--yes", "--json");
		expect([code, err]).toEqual([2, expect.stringContaining("somebody at the robot must answer")]);
		const up = (): Promise<{ readonly code: number | null; readonly err: string }> =>
			runOrion(["up", "--data", data, "--robot", `guard:${socket}.none`, "--mqtt-port", "0", "--http-port", "0", "--config", join(data, "none.yaml")]);
		mkdirSync(join(data, "agent"), { recursive: true });
		const file = join(data, "agent", "robot-rehearsal.json");
		for (const found of [
			rehearsedFile(planOf("fnk0052"), { guard, simulated: true }, 10),
			rehearsedFile(planOf("fnk0052"), { guard }, 8),
			rehearsedFile(planOf("fnk0031"), { guard }, 9),
		]) {
			writeFileSync(file, JSON.stringify(found));
			const refused = await up();
			expect([refused.code, refused.err]).toEqual([5, expect.stringContaining("never rehearsed")]);
		}
		writeFileSync(file, "{");
		expect((await up()).code).toBe(5);
		writeFileSync(file, JSON.stringify(rehearsedFile(planOf("fnk0052"), { guard }, 9)));
		// It goes on to the next thing that is wrong: the configuration that was named is not there.
		expect((await up()).err).not.toContain("never rehearsed");
		// What drives the legs says itself who it is: the same records, of this guard and of another one.
		const ten = await calibrate("--socket", socket, "--yes", "--json", "--step", "10");
		expect([ten.code === 5, ten.err.includes("comes first")]).toEqual([false, false]);
		writeFileSync(file, JSON.stringify(rehearsedFile(planOf("fnk0052"), { guard: "0011223344556677" }, 9)));
		const other = await calibrate("--socket", socket, "--yes", "--json", "--step", "10");
		expect([other.code, other.err]).toEqual([5, expect.stringContaining("step 1 comes first")]);
	} finally {
		await bus.close();
	}
});

test("HARM-149 after a question what moves is held by a key again: a yes alone leads no further leg", { timeout: WITHIN_MS }, async () => {
	mkdirSync(join(data, "agent"), { recursive: true });
	const file = join(data, "agent", "robot-rehearsal.json");
	const asked: string[] = [];
	let ended: { readonly code: number } | undefined;
	// A turn that the machine lost is asked about, too; only the question after a leg is the one that is meant.
	for (let tries = 0; tries < TRIES && !asked.some((question) => question.startsWith("Did each joint")); tries++) {
		writeFileSync(file, JSON.stringify(rehearsedFile(planOf("fnk0052"), { simulated: true }, 6)));
		let isHeld = true;
		ended = await runHere(["robot", "calibrate", "--data", data, "--twin", "--step", "7"], {
			inIsTty: true,
			keys: (onKey) => {
				const pressing = setInterval(() => isHeld && onKey("w"), 50);
				return () => clearInterval(pressing);
			},
			askLine: async (question) => {
				asked.push(question);
				if (question.startsWith("Did each joint of leg 1")) isHeld = false;
				return /Type (\S+): $/.exec(question)?.[1] ?? "yes";
			},
		});
	}
	expect(ended?.code).toBe(1);
	expect(records().at(-1)).toMatchObject({ step: 7, outcome: "aborted", said: "nobody held it any more" });
	expect(asked.filter((question) => question.startsWith("Did each joint"))).toHaveLength(1);
});

test("RUN-58 HARM-149 a person at a terminal: asked before, asked after; a step with power lasts while a key is held, and Ctrl-C ends it", {
	timeout: WITHIN_MS,
}, async () => {
	const asked: string[] = [];
	/** Types what is asked for; null: presses nothing. */
	const person = (key: string | null, before?: string) =>
		runHere(["robot", "calibrate", "--data", data, "--twin"], {
			inIsTty: true,
			keys: (onKey) => {
				const pressing = setInterval(() => key !== null && onKey(key), 50);
				return () => clearInterval(pressing);
			},
			askLine: async (question) => {
				asked.push(question);
				const named = /Type (\S+): $/.exec(question)?.[1];
				return named === undefined ? "yes" : (before ?? named);
			},
		});
	expect(await person("w", "not now")).toMatchObject({ code: 1, err: expect.stringContaining("nothing was done") as string });
	expect(records).toThrow();
	expect(await person("w")).toMatchObject({ code: 0, out: expect.stringContaining("step 1, propped: passed") as string });
	expect(asked).toEqual(expect.arrayContaining(["Is all of this so? Type propped: ", expect.stringContaining("all six feet free? (yes or no)")]));
	for (const key of [null, "\u0003"]) expect((await person(key)).code).not.toBe(0);
	expect(records().filter(({ step, outcome }) => step === 2 && outcome === "passed")).toEqual([]);
	let code = -1;
	for (let tries = 0; tries < TRIES && code !== 0; tries++) code = (await person("w")).code;
	expect(code).toBe(0);
	expect(records().at(-1)).toMatchObject({ step: 2, outcome: "passed", simulated: true });
});
