// Connects `orion robot` to the actuator: what it does, up and down, walking while a key is held or for a time, and a picture of it.
import { randomBytes } from "node:crypto";
import { OrionError } from "../../contracts/errors.ts";
import type { LeaseRenew } from "../../contracts/gen/types.ts";
import type { GaitName } from "../../firmware-bridge/body/plan.ts";
import type { RobotState } from "../robot/words.ts";
import { dataFolder } from "../roles/data-folder.ts";
import { RobotLine } from "./robot-line.ts";
import { drawRobot } from "./robot-view.ts";
import type { Session } from "./session.ts";

const TTL_MS = 400;
export const RENEW_EVERY_MS = 100;
/** A terminal repeats a held key after half a second, then thirty times a second. */
const FIRST_KEY_MS = 650;
const NEXT_KEY_MS = 250;
const RISE_WITHIN_MS = 12_000;
const LOOK_EVERY_MS = 100;
const STRIDE_MM = 40;
const TURN_DEGREES = 10;
const WALK_BOUNDS: Bounds = { pathMm: 20_000, timeMs: 600_000 };

export interface Stride {
	readonly xMm: number;
	readonly yMm: number;
	readonly turnDegrees: number;
}

/** What is not named of it is straight. */
export type BodyAsked = NonNullable<NonNullable<LeaseRenew["motion"]>["body"]>;

/** How far a lease is opened for. */
export interface Bounds {
	readonly pathMm: number;
	readonly timeMs: number;
}

const KEYS: Readonly<Record<string, Stride>> = {
	w: { xMm: 0, yMm: STRIDE_MM, turnDegrees: 0 },
	s: { xMm: 0, yMm: -STRIDE_MM, turnDegrees: 0 },
	a: { xMm: -STRIDE_MM, yMm: 0, turnDegrees: 0 },
	d: { xMm: STRIDE_MM, yMm: 0, turnDegrees: 0 },
	q: { xMm: 0, yMm: 0, turnDegrees: TURN_DEGREES },
	e: { xMm: 0, yMm: 0, turnDegrees: -TURN_DEGREES },
};

export const withRobot = async <T>(session: Session, work: (line: RobotLine) => Promise<T>): Promise<T> => {
	const line = await RobotLine.open(dataFolder(session.flags.data));
	try {
		return await work(line);
	} finally {
		line.close();
	}
};

export const sayState = (session: Session, state: RobotState): void => {
	if (session.json) session.print(state);
	else session.say(`${state.state}${state.cause === null ? "" : ` (${state.cause})`}${state.simulated ? ", simulated" : ""}`);
};

export const showRobot = (session: Session): Promise<number> =>
	withRobot(session, async (line) => {
		const state = await line.ask({ verb: "status" });
		if (session.json) session.print(state);
		else {
			for (const row of drawRobot(state)) session.say(row);
			for (const row of state.inForce) session.say(`in force: ${row}`);
		}
		return 0;
	});

export const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

export const armRobot = (session: Session): Promise<number> =>
	withRobot(session, async (line) => {
		const before = await line.ask({ verb: "status" });
		await line.ask({ verb: "arm", armEpoch: before.armEpoch });
		const untilMs = performance.now() + RISE_WITHIN_MS;
		const risen = async (): Promise<RobotState> => {
			for (;;) {
				const state = await line.ask({ verb: "status" });
				if ((state.state !== "off" && state.state !== "rising") || performance.now() > untilMs) return state;
				await pause(LOOK_EVERY_MS);
			}
		};
		const state = await session.waiting(() => "standing up", risen());
		sayState(session, state);
		return state.state === "armed" ? 0 : 8;
	});

/** Verbs that are said once. */
export const tellRobot = (session: Session, verb: "stop" | "cut" | "sit" | "resume"): Promise<number> =>
	withRobot(session, async (line) => {
		const request = verb === "resume" ? { verb, armEpoch: (await line.ask({ verb: "status" })).armEpoch } : { verb };
		sayState(session, await line.ask(request));
		return 0;
	});

export const releaseRobot = async (session: Session, options: { readonly yes?: boolean }): Promise<number> => {
	if (options.yes !== true) {
		if (!session.host.inIsTty || session.json) throw new OrionError("USAGE", { detail: "nobody can be asked here; to release it give --yes" });
		const typed = await session.host.askLine("Does it lie on its belly, and is nobody near? Type release: ");
		if (typed.trim() !== "release") {
			session.note("nothing was released");
			return 1;
		}
	}
	return withRobot(session, async (line) => {
		sayState(session, await line.ask({ verb: "release" }));
		return 0;
	});
};

/** What is shown of whom one holds. */
export interface Held {
	readonly state: string;
	readonly detail: string;
}

/** One way to hold a robot: by its own socket, or by a lease of the mesh. */
export interface Walker {
	/** Takes it, or goes on holding it. */
	renew(stride: Stride, body?: BodyAsked): Promise<Held>;
	end(): Promise<Held>;
	look(): Promise<Held>;
}

const heldOf = (state: RobotState): Held => ({ state: state.state, detail: `${state.travelled.pathMm} mm` });

/** A lease of this command: renewed with the newest tick that was heard, so that a slow link ends it. */
export class Hold implements Walker {
	readonly #line: RobotLine;
	readonly #holder: string;
	readonly #bounds: Bounds;
	readonly #gait: GaitName;
	#id = randomBytes(8).toString("hex");
	#state: RobotState;

	constructor(line: RobotLine, holder: string, state: RobotState, bounds: Bounds = WALK_BOUNDS, gait: GaitName = "tripod") {
		this.#line = line;
		this.#bounds = bounds;
		this.#gait = gait;
		this.#holder = holder;
		this.#state = state;
	}

	get state(): RobotState {
		return this.#state;
	}

	async renew(stride: Stride, body: BodyAsked = {}): Promise<Held> {
		const { armEpoch, tick } = this.#state;
		const lease = { verb: "lease", id: this.#id, holder: this.#holder, armEpoch, tick, ttlMs: TTL_MS };
		this.#state = await this.#line.ask({ ...lease, gait: this.#gait, stride, body, ...this.#bounds });
		return heldOf(this.#state);
	}

	async end(): Promise<Held> {
		this.#state = await this.#line.ask({ verb: "end", holder: this.#holder });
		this.#id = randomBytes(8).toString("hex");
		return heldOf(this.#state);
	}

	/** The newest tick is what the newest answer said. */
	async look(): Promise<Held> {
		this.#state = await this.#line.ask({ verb: "status" });
		return heldOf(this.#state);
	}
}

export const walkFor = async (session: Session, hold: Walker, stride: Stride, forMs: number, body?: BodyAsked): Promise<void> => {
	const untilMs = performance.now() + forMs;
	while (performance.now() < untilMs && !session.host.interrupted.aborted) {
		await hold.renew(stride, body);
		await pause(RENEW_EVERY_MS);
		await hold.look();
	}
	await hold.end();
};

const HELP = "hold a key: w s forward back, a d sideways, q e turn; space stops, x leaves";

/** While a key is held it walks; when the repeats cease, the lease is given back; if this process dies, it runs out. */
export const walkByKeys = async (session: Session, hold: Walker, stop: () => Promise<unknown>): Promise<number> => {
	const { keys } = session.host;
	if (keys === undefined) throw new OrionError("USAGE", { detail: "no keys can be read here: say how long, with --for 3" });
	let held: { readonly key: string; readonly untilMs: number } | undefined;
	let leaving = false;
	const unlisten = keys((key) => {
		const nowMs = performance.now();
		if (key === "x" || key === "\u0003") leaving = true;
		if (key === " ") void stop().catch(() => undefined);
		if (KEYS[key] === undefined) held = undefined;
		else held = { key, untilMs: nowMs + (held?.key === key ? NEXT_KEY_MS : FIRST_KEY_MS) };
	});
	let walking = false;
	try {
		session.note(HELP);
		while (!leaving && !session.host.interrupted.aborted) {
			if (held !== undefined && performance.now() > held.untilMs) held = undefined;
			const stride = held === undefined ? undefined : KEYS[held.key];
			const state = stride !== undefined ? await hold.renew(stride) : walking ? await hold.end() : await hold.look();
			walking = stride !== undefined;
			if (session.host.outIsTty) session.host.out(`\r${state.state.padEnd(10)} ${state.detail}\u001b[K`);
			await pause(RENEW_EVERY_MS);
			if (walking) await hold.look();
		}
		if (walking) await hold.end();
		session.host.out("\n");
		return 0;
	} finally {
		unlisten();
	}
};

export interface WalkOptions {
	/** Seconds. */
	readonly for?: number;
	readonly back?: boolean;
	readonly right?: boolean;
	readonly gait: GaitName;
	/** By a lease of the mesh. */
	readonly node?: string;
}

const strideOf = (what: "walk" | "turn", { back, right }: WalkOptions): Stride =>
	what === "walk"
		? { xMm: 0, yMm: back === true ? -STRIDE_MM : STRIDE_MM, turnDegrees: 0 }
		: { xMm: 0, yMm: 0, turnDegrees: right === true ? -TURN_DEGREES : TURN_DEGREES };

export const walkRobot = async (session: Session, what: "walk" | "turn", options: WalkOptions): Promise<number> => {
	if (options.node !== undefined)
		return (await import("./robot-mesh.ts")).walkNode(session, options.node, { stride: strideOf(what, options), gait: options.gait }, options.for);
	return withRobot(session, async (line) => {
		const hold = new Hold(line, session.host.user, await line.ask({ verb: "status" }), WALK_BOUNDS, options.gait);
		if (options.for === undefined) return walkByKeys(session, hold, () => line.ask({ verb: "stop" }));
		await walkFor(session, hold, strideOf(what, options), options.for * 1_000);
		sayState(session, hold.state);
		return 0;
	});
};

const CLEAR = "\u001b[H\u001b[2J";

export const viewRobot = (session: Session, options: { readonly once?: boolean }): Promise<number> =>
	withRobot(session, async (line) => {
		if (options.once === true || session.json || !session.host.outIsTty) {
			const state = await line.ask({ verb: "status" });
			if (session.json) session.print(state);
			else for (const row of drawRobot(state)) session.say(row);
			return 0;
		}
		line.onState = (state) => session.host.out(`${CLEAR}${drawRobot(state).join("\n")}\n`);
		await line.ask({ verb: "watch" });
		await new Promise<void>((done) => {
			if (session.host.interrupted.aborted) done();
			session.host.interrupted.addEventListener("abort", () => done(), { once: true });
		});
		return 0;
	});
