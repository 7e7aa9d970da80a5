// Connects `orion robot calibrate` to an actuator of its own: says what a step does and what must be true before it, asks, holds it, answers, and says what it unlocked.
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { OrionError } from "../../contracts/errors.ts";
import { FLOOR_NEEDS, LAST_STEP, TRIMS_SET_BY } from "../../edge/machines/rehearsal.ts";
import { JOINT_NAMES } from "../../firmware-bridge/body/plan.ts";
import { wordsOf } from "../robot/rehearsal-steps.ts";
import type { Answer, Question } from "../robot/step-run.ts";
import { trimsAsked } from "../robot/vendor-points.ts";
import type { RobotState } from "../robot/words.ts";
import { planHere, rehearsalHere } from "../roles/actuator.ts";
import { startAgentProcess } from "../roles/agent-process.ts";
import { builtInFolder } from "../roles/config.ts";
import { dataFolder } from "../roles/data-folder.ts";
import { RobotLine } from "./robot-line.ts";
import type { Session } from "./session.ts";

export interface CalibrateOptions {
	readonly step?: number;
	readonly port?: string;
	readonly socket?: string;
	readonly board?: string;
	readonly twin?: boolean;
	readonly robotModel: string;
	readonly servoMv?: number;
	/** leg.joint=degrees */
	readonly trim?: readonly string[];
	/** The vendor's point.txt. */
	readonly points?: string;
	readonly yes?: boolean;
}

const SCHEMA = "orion.robot-calibrate/1";
const READY_WITHIN_MS = 20_000;
const TTL_MS = 600;
const RENEW_EVERY_MS = 100;
const KEY_HELD_MS = 700;
/** A held key repeats faster than that: what it still types is no answer. */
const KEY_RELEASED_MS = 400;
const RELEASE_WITHIN_MS = 5_000;
/** From an answer to the key that is held again: power comes on, and the first joint moves later than that. */
const BACK_TO_KEY_MS = 3_000;

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

const driverOf = ({ port, socket, board, twin }: CalibrateOptions): string | undefined => {
	const named = [
		...(port === undefined ? [] : [`serial:${port}`]),
		...(socket === undefined ? [] : [`guard:${socket}`]),
		...(board === undefined ? [] : [`board:${board}`]),
		...(twin === true ? ["twin"] : []),
	];
	if (named.length > 1) throw new OrionError("USAGE", { detail: "one of --port, --socket, --board and --twin" });
	return named[0];
};

const sayNext = (upTo: number): string => {
	const next = upTo < LAST_STEP ? `next is step ${upTo + 1}, ${wordsOf(upTo + 1).name}` : "nothing is left to do";
	return upTo >= FLOOR_NEEDS ? `it may walk on the floor; ${next}` : `it may not walk on the floor; ${next}`;
};

/** Without anything to drive: what stands on disk, taken for the programs of the newest result. */
const showRehearsal = async (session: Session, folder: string, policy: string): Promise<number> => {
	const { upTo, newest } = await rehearsalHere(folder, policy);
	const simulated = newest?.simulated ?? false;
	if (session.json) {
		session.print({ schema: SCHEMA, upTo, simulated, newest: newest ?? null, mayWalk: upTo >= FLOOR_NEEDS });
		return 0;
	}
	for (let step = 1; step <= LAST_STEP; step++) session.say(`${step <= upTo ? "passed" : "      "}  ${step} ${wordsOf(step).name}: ${wordsOf(step).does}`);
	if (newest === undefined) session.say("nothing was rehearsed here; begin with --port, --socket or --twin");
	else
		session.say(
			`with ${newest.firmware === null ? `guard ${newest.guard ?? "none"}` : `firmware ${newest.firmware}`}${simulated ? ", simulated: it unlocks nothing real" : `: ${sayNext(upTo)}`}`,
		);
	return 0;
};

const trimsOf = (texts: readonly string[]): Answer[] =>
	texts.map((text) => {
		const [, leg, joint, degrees] = /^([1-6])\.(coxa|femur|tibia)=(-?\d+(?:\.\d+)?)$/.exec(text.trim()) ?? [];
		const name = JOINT_NAMES.find((one) => one === joint);
		if (name === undefined) throw new OrionError("USAGE", { detail: `a trim is leg.joint=degrees, as 2.femur=-1.5; not ${text.slice(0, 40)}` });
		return { trim: { leg: Number(leg), joint: name, degrees: Number(degrees) } };
	});

/** What the vendor's file asks for beyond what is set. Faults: USAGE, POINTS_INVALID. */
const trimsOfPoints = async (session: Session, file: string, folder: string, policy: string): Promise<Answer[]> => {
	const text = await readFile(file, "utf8").catch((error: unknown) => {
		throw new OrionError("USAGE", { detail: `${file} cannot be read (${error instanceof Error ? error.message : "unknown"})` }, { cause: error });
	});
	const found = trimsAsked(await planHere(folder, policy), text);
	if (!found.ok) throw new OrionError(found.fault.code, found.fault.facts);
	const said = found.value.map(({ leg, joint, degrees }) => `${leg}.${joint}=${degrees.toFixed(1)}`);
	session.note(said.length === 0 ? `${file} asks for no other trims than there are` : `${file} asks for these trims: ${said.join(" ")}`);
	return found.value.map((trim) => ({ trim }));
};

/** One step, from its question before to its end. */
class Held {
	readonly #session: Session;
	readonly #options: CalibrateOptions;
	readonly #folder: string;
	readonly #id = randomBytes(8).toString("hex");
	readonly #step: number;
	readonly #trims: Answer[];
	#line: RobotLine;
	#state: RobotState;
	#keyAtMs = Number.NEGATIVE_INFINITY;
	#pressedAtMs = Number.NEGATIVE_INFINITY;
	/** By a key that says so: a terminal that passes keys on makes no signal of Ctrl-C. */
	#isLeaving = false;
	/** While the person types, the command holds. */
	#isAnswering = false;
	#unlisten: (() => void) | undefined;
	#doing = "";

	constructor(session: Session, options: CalibrateOptions, folder: string, line: RobotLine, state: RobotState, step: number, trims: readonly Answer[]) {
		this.#session = session;
		this.#options = options;
		this.#folder = folder;
		this.#line = line;
		this.#state = state;
		this.#step = step;
		this.#trims = [...trims];
	}

	async toItsEnd(): Promise<RobotState> {
		const { interrupted } = this.#session.host;
		if (this.#isByKey) this.#session.note("hold any key but x while it shall go on; released, it sits down and the step is broken off; x ends it");
		this.#listen();
		try {
			await this.#renew();
			while (this.#state.rehearsal.ended?.id !== this.#id) {
				if (interrupted.aborted || this.#isLeaving) await this.#line.ask({ verb: "abandon", id: this.#id });
				await this.#once();
				await pause(RENEW_EVERY_MS);
			}
			return this.#state;
		} finally {
			this.#unlisten?.();
			this.#line.close();
		}
	}

	#listen(): void {
		if (!this.#isByKey) return;
		this.#unlisten = this.#session.host.keys?.((key) => {
			this.#isLeaving ||= key === "x" || key === "\u0003";
			this.#pressedAtMs = performance.now();
			this.#keyAtMs = Math.max(this.#keyAtMs, this.#pressedAtMs);
		});
	}

	/** Hold-to-move for a person at a terminal; the command itself for whoever said yes beforehand. */
	get #isByKey(): boolean {
		return this.#options.yes !== true && this.#session.host.keys !== undefined && wordsOf(this.#step).hasPower;
	}

	async #once(): Promise<void> {
		const { run } = this.#state.rehearsal;
		if (run !== null && run.doing !== this.#doing) {
			this.#doing = run.doing;
			this.#session.note(run.doing);
		}
		if (run?.question !== null && run?.question !== undefined) {
			await this.#answerTo(run.question);
			return;
		}
		if (run?.isLettingGo === true) {
			await this.#fallSilent();
			return;
		}
		const isHeld = !this.#isByKey || this.#isAnswering || performance.now() - this.#keyAtMs < KEY_HELD_MS || this.#state.state === "off";
		this.#state = isHeld && run !== null ? await this.#renew() : await this.#line.ask({ verb: "status" });
	}

	async #renew(): Promise<RobotState> {
		this.#state = await this.#line.ask({ verb: "rehearse", step: this.#step, id: this.#id, tick: this.#state.tick, ttlMs: TTL_MS });
		return this.#state;
	}

	/** The link is really cut: the connection that held it ends, and the next one only looks. */
	async #fallSilent(): Promise<void> {
		if (this.#state.lease !== null) {
			this.#line.close();
			this.#line = await RobotLine.open(this.#folder);
		}
		this.#state = await this.#line.ask({ verb: "status" });
	}

	/** While a person thinks, the command holds; what moves afterwards is held by a key again. */
	async #answerTo(question: Question): Promise<void> {
		this.#isAnswering = true;
		const holding = setInterval(() => void this.#renew().catch(() => undefined), RENEW_EVERY_MS);
		try {
			await this.#keyReleased();
			if (this.#isLeaving) return;
			this.#unlisten?.();
			this.#unlisten = undefined;
			const answer = await this.#answer(question);
			await this.#line.ask({ verb: "answer", id: this.#id, ...answer });
			await pause(RENEW_EVERY_MS);
			this.#state = await this.#line.ask({ verb: "status" });
		} finally {
			clearInterval(holding);
		}
		// Trims are typed one after the other, and each is no more than a few degrees.
		if (question.wants === "trims" || this.#state.rehearsal.run === null) return;
		if (this.#isByKey) this.#session.note("hold a key again");
		this.#isAnswering = false;
		this.#keyAtMs = performance.now() + BACK_TO_KEY_MS;
		this.#listen();
	}

	async #keyReleased(): Promise<void> {
		const untilMs = performance.now() + RELEASE_WITHIN_MS;
		if (performance.now() - this.#pressedAtMs < KEY_RELEASED_MS) this.#session.note("let go of the key");
		while (performance.now() < untilMs && performance.now() - this.#pressedAtMs < KEY_RELEASED_MS) await pause(RENEW_EVERY_MS);
	}

	async #answer({ asks, wants }: Question): Promise<Answer> {
		const { yes, servoMv } = this.#options;
		if (wants === "millivolts" && servoMv !== undefined) return { servoMv };
		const trim = wants === "trims" ? this.#trims.shift() : undefined;
		if (trim !== undefined) return trim;
		// What nobody saw, nobody may confirm: beforehand is enough only where there is nothing to see.
		if (yes === true && this.#state.simulated && wants !== "millivolts") return { yes: true };
		if (!this.#session.host.inIsTty || this.#session.json) throw new OrionError("USAGE", { detail: `somebody at the robot must answer: ${asks}` });
		return this.#askPerson(asks, wants);
	}

	async #askPerson(asks: string, wants: Question["wants"]): Promise<Answer> {
		const how = { yes: "yes or no", millivolts: "millivolts", trims: "2.femur=-1.5, yes or no" }[wants];
		for (;;) {
			const text = (await this.#session.host.askLine(`${asks} (${how}): `)).trim();
			if (text === "no") return { yes: false };
			if (wants === "millivolts" && Number(text) > 0) return { servoMv: Number(text) };
			if (wants !== "millivolts" && text === "yes") return { yes: true };
			if (wants === "trims" && text.includes("=")) return trimsOf([text])[0] ?? { yes: false };
			this.#session.note(`please answer with ${how}`);
		}
	}
}

const isMeant = async (session: Session, step: number, yes: boolean): Promise<boolean> => {
	const { name, does, before } = wordsOf(step);
	session.note(`step ${step}, ${name}: ${does}. This is no certified emergency stop`);
	for (const one of before) session.note(`  before: ${one}`);
	if (yes) return true;
	if (!session.host.inIsTty || session.json) throw new OrionError("USAGE", { detail: "nobody can be asked here; to begin the step give --yes" });
	return (await session.host.askLine(`Is all of this so? Type ${name}: `)).trim() === name;
};

/** Connected, and its board has said who it is. Faults: NO_ROBOT_HERE, ROBOT_REFUSED. */
const greeted = async (folder: string, said: readonly string[]): Promise<{ readonly line: RobotLine; readonly state: RobotState }> => {
	const untilMs = performance.now() + READY_WITHIN_MS;
	const line = await RobotLine.open(folder).catch((error: unknown) => {
		throw said.length === 0 ? error : new OrionError("NO_ROBOT_HERE", { path: folder, detail: said.join(" ").slice(0, 300) });
	});
	for (;;) {
		const state = await line.ask({ verb: "status" });
		if (state.driver.state === "off") return { line, state };
		if (state.driver.state === "fault" || performance.now() > untilMs) {
			line.close();
			throw new OrionError("ROBOT_REFUSED", { why: state.driver.fault ?? "no-hello", detail: state.driver.detail });
		}
		await pause(RENEW_EVERY_MS);
	}
};

/** What was latched by an earlier try is left by a person's word only, here as with `orion robot release`. False: it was not given. */
const isReleased = async (session: Session, line: RobotLine, state: RobotState, yes: boolean): Promise<boolean> => {
	if (state.state !== "cut" && state.state !== "fault") return true;
	session.note(`it is at ${state.state}: ${state.cause ?? ""}`);
	if (!yes) {
		if (!session.host.inIsTty || session.json) throw new OrionError("USAGE", { detail: "nobody can be asked here; to release it give --yes" });
		if ((await session.host.askLine("Does it lie safely, is nobody near, and is what was wrong mended? Type release: ")).trim() !== "release") return false;
	}
	await line.ask({ verb: "release" });
	return true;
};

const report = (session: Session, state: RobotState, step: number): number => {
	const { ended, upTo, mayWalk } = state.rehearsal;
	const { simulated } = state;
	const { outcome = "aborted", said = "" } = ended ?? {};
	if (session.json) session.print({ schema: SCHEMA, step, name: wordsOf(step).name, outcome, said, simulated, upTo, mayWalk });
	else {
		session.say(`step ${step}, ${wordsOf(step).name}: ${outcome}; ${said}`);
		session.say(simulated ? `simulated: it unlocks nothing real; step ${Math.min(LAST_STEP, upTo + 1)} of the simulation is next` : sayNext(upTo));
	}
	if (outcome === "passed") return 0;
	return session.host.interrupted.aborted ? 130 : outcome === "failed" ? 8 : 1;
};

export const calibrateRobot = async (session: Session, options: CalibrateOptions): Promise<number> => {
	const data = dataFolder(session.flags.data);
	// An actuator that was installed apart has the whole folder; that of `orion up` the one of its agent.
	const folder = existsSync(join(data, "robot.json")) ? data : join(data, "agent");
	const policy = join(builtInFolder(), "robots", `${options.robotModel}.yaml`);
	const driver = driverOf(options);
	if (driver === undefined) return showRehearsal(session, folder, policy);
	const other = await RobotLine.open(data).catch(() => undefined);
	other?.close();
	if (other !== undefined)
		throw new OrionError("ROBOT_REFUSED", { why: "already-driven", detail: "an actuator runs in this folder; end it (`orion up` on this machine) first" });
	const trims = [...(options.points === undefined ? [] : await trimsOfPoints(session, options.points, folder, policy)), ...trimsOf(options.trim ?? [])];
	const said: string[] = [];
	const onLine = (text: string): void => void (text.includes('"event":"failed"') && said.push(text));
	const actuator = startAgentProcess({ folder, program: "actuator", args: ["--driver", driver, "--policy", policy], onLine });
	try {
		await session.waiting(() => "waiting for the robot", actuator.ready(READY_WITHIN_MS));
		const { line, state } = await greeted(folder, said);
		const step = options.step ?? Math.min(LAST_STEP, state.rehearsal.upTo + 1);
		if (trims.length > 0 && step !== TRIMS_SET_BY) {
			line.close();
			throw new OrionError("USAGE", { detail: `--trim and --points belong to step ${TRIMS_SET_BY}; this is step ${step}` });
		}
		session.note(
			`${state.board} ${state.driver.firmware ?? ""}${state.simulated ? ", simulated" : ""}: ${state.rehearsal.upTo} of ${LAST_STEP} steps are passed`,
		);
		const yes = options.yes === true;
		if (!(await isReleased(session, line, state, yes)) || !(await isMeant(session, step, yes))) {
			line.close();
			session.note("nothing was done");
			return 1;
		}
		return report(session, await new Held(session, options, folder, line, state, step, trims).toItsEnd(), step);
	} finally {
		await actuator.stop();
	}
};
