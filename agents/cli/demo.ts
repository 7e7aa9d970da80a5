// Connects `orion demo` to a terminal: tells the story as it happens, or prints it as JSON, and says at the end whether all of it was true.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { OrionError } from "../../contracts/errors.ts";
import { ALONE } from "../demo/chapters-alone.ts";
import { ASK } from "../demo/chapters-ask.ts";
import { chatChapters } from "../demo/chapters-chat.ts";
import { EXPLAIN, QUARANTINE } from "../demo/chapters-record.ts";
import { REPAIR, SURVIVE } from "../demo/chapters-repair.ts";
import { robotChapters } from "../demo/chapters-robot.ts";
import { playWith } from "../demo/play.ts";
import { drawStops } from "../demo/robot-drawing.ts";
import { RobotStage } from "../demo/robot-stage.ts";
import { Stage } from "../demo/stage.ts";
import { type Listener, type Step, tellAll } from "../demo/story.ts";
import { BotServer } from "../demo/telegram/bot-server.ts";
import { readPlan } from "../roles/actuator.ts";
import { bundled } from "../roles/agent-process.ts";
import { builtInFolder, shippedPolicyText } from "../roles/config.ts";
import { plain, wrap } from "./layout.ts";
import type { Session } from "./session.ts";

export interface DemoOptions {
	readonly keep?: boolean;
	readonly telegram?: boolean;
	readonly robot?: boolean;
	/** A file to draw the robot's part into. */
	readonly svg?: string;
}

const chaptersWith = (bot: BotServer | undefined) => [...REPAIR, ...ASK, ...chatChapters(bot), ...QUARANTINE, ...ALONE, ...SURVIVE, ...EXPLAIN];
const TIME_WIDTH = 9;
/** Of a bot that only the demo's own server knows. */
const BOT_TOKEN = "100200300:demo_demo_demo_demo_demo_demo_demo";

/** People read it on stdout as it happens; with --json it is progress, and goes to stderr. */
const listenerOf = (session: Session): Listener => {
	const { paint, json, width } = session;
	const out = (text: string): void => (json ? session.note(text) : session.say(text));
	return {
		begins: (number, { title }) => out(`\n${paint.bold(`${number}  ${wrap(title, width, "   ")}`)}`),
		says: ({ ms, text }) => {
			const time = `${(ms / 1_000).toFixed(2)} s`.padStart(TIME_WIDTH);
			out(`${paint.dim(time)}  ${wrap(plain(text), width, " ".repeat(TIME_WIDTH + 2))}`);
		},
		shows: (command, output) => {
			out(`${" ".repeat(TIME_WIDTH + 2)}${paint.cyan(`$ ${command}`)}`);
			for (const line of output.trimEnd().split("\n")) if (line !== "") out(`${" ".repeat(TIME_WIDTH + 2)}${line}`);
		},
		ends: ({ ok, failed }) => {
			if (!ok) out(`${" ".repeat(TIME_WIDTH - 6)}${paint.red("FAILED")}  ${wrap(plain(failed ?? ""), width, " ".repeat(TIME_WIDTH + 2))}`);
		},
	};
};

/** `left`: what became of what the story was told with. */
const told = (session: Session, steps: readonly Step[], ms: number, left: string): void => {
	const { paint } = session;
	const failed = steps.filter(({ ok }) => !ok);
	const seconds = (ms / 1_000).toFixed(1);
	session.say("");
	if (failed.length === 0) session.say(`${paint.green(`all ${steps.length} steps are true`)}, in ${seconds} s; ${left}`);
	else session.say(paint.red(`${failed.length} of ${steps.length} steps failed: ${failed.map(({ id }) => id).join(", ")}`));
};

const finish = (session: Session, steps: readonly Step[], beganMs: number, left: string): number => {
	const ms = Math.round(performance.now() - beganMs);
	const ok = steps.every((step) => step.ok);
	if (session.json) session.print({ schema: "orion.demo/1", ok, ms, steps });
	else told(session, steps, ms, left);
	return ok ? 0 : 1;
};

const ROBOT_INTRO =
	"the shipped firmware runs in an emulated ATmega328P with both servo chips; the actuator that moves it is the real process. No mesh is in it: a person's words and the lease come straight to the actuator's socket, and that core is heard is said by this demo";

/** The robot's story needs no mesh, and takes most of a minute by itself. */
const runRobotDemo = async (session: Session, { svg }: DemoOptions): Promise<number> => {
	const beganMs = performance.now();
	const signal = session.host.interrupted;
	const plan = await readPlan(join(builtInFolder(), "robots/fnk0052.yaml"));
	const stage = await RobotStage.open({ signal });
	let steps: readonly Step[] = [];
	try {
		(session.json ? session.note : session.say).call(session, ROBOT_INTRO);
		steps = await tellAll(stage, robotChapters(plan.gaits.tripod), listenerOf(session), signal);
		if (svg !== undefined) await writeFile(svg, drawStops(plan, stage));
	} finally {
		await stage.close();
	}
	return finish(session, steps, beganMs, svg === undefined ? "board and actuator are stopped" : `board and actuator are stopped; drawn in ${svg}`);
};

export const runDemo = async (session: Session, options: DemoOptions): Promise<number> => {
	if (options.robot === true) return runRobotDemo(session, options);
	if (options.svg !== undefined) throw new OrionError("USAGE", { detail: "--svg draws the robot: give --robot too" });
	const { host } = session;
	const beganMs = performance.now();
	const [program = "orion"] = process.argv.slice(1);
	const [actions, autonomy, approvals] = await Promise.all((["actions.yaml", "autonomy.yaml", "approvals.yaml"] as const).map(shippedPolicyText));
	const bot = options.telegram === true ? await BotServer.open(BOT_TOKEN) : undefined;
	const chat = bot === undefined ? {} : { telegram: { api: bot.root, token: BOT_TOKEN } };
	// Taps in a chat take a person's time.
	const decideWithin = bot === undefined ? "3s" : "8s";
	const play = { ...playWith({ actions: actions ?? "", autonomy: autonomy ?? "", approvals: approvals ?? "" }, decideWithin), ...chat };
	const stage = await Stage.make({ program, nodeArgs: process.execArgv, agent: bundled("agent"), signal: host.interrupted }, play);
	const intro = `a mesh of its own, in ${stage.folder}, with three small services and the shipped policies (but: cooldown 1 s, ${decideWithin} to decide, one use alone); every figure below is measured now`;
	let steps: readonly Step[] = [];
	try {
		const readyMs = await stage.start();
		(session.json ? session.note : session.say).call(session, `${intro}\nready after ${readyMs} ms, at N0: it observes and executes nothing`);
		steps = await tellAll(stage, chaptersWith(bot), listenerOf(session), host.interrupted);
	} finally {
		await stage.close(options.keep === true);
		await bot?.close();
	}
	const code = finish(session, steps, beganMs, "the demo's mesh is stopped, and its folder removed");
	if (!session.json) session.say("what walks, and stops when its link or its mover dies, is a story of its own: orion demo --robot --svg robot.svg");
	return code;
};
