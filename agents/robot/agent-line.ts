// Connects the agent of this node to its actuator: leases and orders of the mesh go in, what the robot says of itself comes out. If either falls silent, nothing moves on.
import { createConnection, type Socket } from "node:net";
import type { NodeSafety } from "../../contracts/gen/types.ts";
import type { StopVerb } from "../../contracts/stop-order.ts";
import type { LeaseNews, Leases } from "../../edge/leases.ts";
import type { MoverKind } from "../../edge/machines/safe-stop-state.ts";
import type { Note, Timers } from "../../edge/ports.ts";
import { type LineHeard, readRobotLine } from "./said.ts";
import type { RobotState } from "./words.ts";

const RETRY_MS = 500;
/** From here a stop leads away. */
const NOT_STOPPED: readonly MoverKind[] = ["rising", "armed", "moving", "calibrating", "hold"];
/** The actuator speaks ten times a second. */
const SILENT_AFTER_MS = 2_000;
const LINE_CHARACTERS_MAX = 65_536;

export interface AgentLineOptions {
	readonly path: string;
	readonly timers: Timers;
	/** Monotonic milliseconds of this process. */
	readonly nowMs: () => number;
	readonly leases: Leases;
	readonly note: Note;
	/** Its kind or its epoch changed, or it is not heard any more. */
	readonly onChange: () => void;
	/** Each word of the robot, as it comes; undefined when it fell silent. */
	readonly onState: (state: RobotState | undefined) => void;
}

interface Said {
	readonly state: RobotState;
	readonly heardAtMs: number;
}

type SafetySaid = Pick<NodeSafety, "state" | "armEpoch" | "cause" | "simulated"> & { readonly kind: "mover" };

const refused = (reason: string, detail = ""): LeaseNews => ({ kind: "refused", reason, detail });

export class AgentLine {
	readonly #options: AgentLineOptions;
	#socket: Socket | undefined;
	#order: StopVerb | null = null;
	#said: Said | undefined;
	#wasHeard = false;
	#simulated = false;
	#holder: string | undefined;
	#cancelSilence: (() => void) | undefined;
	#closed = false;
	constructor(options: AgentLineOptions) {
		this.#options = options;
		this.#connect();
	}

	/** Newest word of the robot; undefined while it is not heard. */
	get robot(): RobotState | undefined {
		return this.#said?.state;
	}

	/** What it says of itself; a robot that fell silent names no epoch, so that nobody can take it. */
	safety(): SafetySaid {
		const simulated = this.#simulated ? { simulated: true as const } : {};
		if (this.#said === undefined)
			return { kind: "mover", ...(this.#wasHeard ? { state: "fault", cause: "robot-not-heard" } : { state: "boot" }), ...simulated };
		const { state, armEpoch, causeRow } = this.#said.state;
		return { kind: "mover", state, armEpoch, ...(causeRow === null ? {} : { cause: causeRow }), ...simulated };
	}

	/** Core was heard. */
	heard(): void {
		this.#say({ verb: "heard" });
	}

	/** What the latch of this node holds; said again to an actuator that comes back. */
	held(verb: StopVerb | undefined): void {
		this.#order = verb ?? null;
		if (verb !== undefined) this.#drop();
		this.#say({ verb: "order", source: "node", order: this.#order });
	}

	/** Whether it does what the latch holds: before that nobody is told that the order was heard. One that is silent is told as a fault. */
	get obeys(): boolean {
		const kind = this.#said?.state.state;
		if (kind === undefined || this.#order === null) return true;
		return this.#order === "cut" ? kind === "cut" : !NOT_STOPPED.includes(kind);
	}

	/** Somebody is at the node: true if the robot was asked to leave cut or fault. */
	presence(): boolean {
		const kind = this.#said?.state.state;
		if (kind !== "cut" && kind !== "fault") return false;
		this.#say({ verb: "release" });
		return true;
	}

	/** A message of the lease topic. Whether the robot takes it, it says by moving. */
	lease(bytes: Uint8Array): LeaseNews {
		const { leases } = this.#options;
		const said = this.#said;
		if (said === undefined) return refused("robot-not-heard");
		const news = leases.take(bytes);
		if (news.kind === "ended") this.#end();
		if (news.kind === "sit") {
			this.#drop();
			this.#say({ verb: "sit" });
		}
		if (news.kind !== "held") return news;
		if (news.lease.purpose !== "move") {
			leases.drop();
			return refused("wrong-purpose", "this robot is calibrated by hand at its own machine");
		}
		this.#pass(news, said);
		return news;
	}

	close(): void {
		this.#closed = true;
		this.#cancelSilence?.();
		this.#socket?.destroy();
	}

	/** Both clocks tick alike, but the robot's newest tick is older than its word: counted from there, a lease only becomes shorter. */
	#pass({ lease, leftMs, motion }: Extract<LeaseNews, { kind: "held" }>, { state, heardAtMs }: Said): void {
		const { ttlMs, bounds, holder, armEpoch } = lease;
		const until = state.tick + Math.max(0, this.#options.nowMs() - heardAtMs) + leftMs;
		this.#holder = holder;
		this.#say({
			verb: "lease",
			id: lease.lease,
			holder,
			armEpoch,
			tick: until - ttlMs,
			ttlMs,
			pathMm: bounds.distanceMm,
			radiusMm: bounds.radiusMm,
			timeMs: bounds.timeMs,
			...motion,
		});
	}

	#end(): void {
		if (this.#holder !== undefined) this.#say({ verb: "end", holder: this.#holder });
		this.#holder = undefined;
	}

	#drop(): void {
		this.#options.leases.drop();
		this.#holder = undefined;
	}

	#hear(line: string): void {
		const { nowMs, note, onChange, timers } = this.#options;
		const heard: LineHeard = readRobotLine(line);
		if (heard.kind === "unreadable") {
			note("robot-unreadable", { detail: heard.detail });
			return;
		}
		if (heard.kind === "refused") {
			// Whatever it did not take is not held: whoever wants it to move begins anew.
			this.#drop();
			note("robot-refused", { why: heard.why, detail: heard.detail });
			return;
		}
		const before = this.#said?.state;
		const { state } = heard;
		this.#said = { state, heardAtMs: nowMs() };
		this.#wasHeard = true;
		this.#simulated = state.simulated;
		this.#cancelSilence?.();
		this.#cancelSilence = timers.after(SILENT_AFTER_MS, () => this.#lost());
		if (before?.armEpoch !== state.armEpoch) this.#drop();
		if (before?.state !== state.state || before.armEpoch !== state.armEpoch) onChange();
		this.#options.onState(state);
	}

	#lost(): void {
		this.#cancelSilence?.();
		this.#drop();
		if (this.#said === undefined) return;
		this.#said = undefined;
		if (this.#closed) return;
		this.#options.onChange();
		this.#options.onState(undefined);
	}

	#say(request: object): void {
		if (this.#socket?.writable === true) this.#socket.write(`${JSON.stringify(request)}\n`);
	}

	#connect(): void {
		const socket = createConnection(this.#options.path);
		let text = "";
		socket.setEncoding("utf8");
		socket.on("connect", () => {
			this.#socket = socket;
			this.#say({ verb: "order", source: "node", order: this.#order });
			this.#say({ verb: "watch" });
		});
		socket.on("data", (chunk: string) => {
			const lines = (text + chunk).split("\n");
			text = lines.pop() ?? "";
			for (const line of lines) this.#hear(line);
			if (text.length > LINE_CHARACTERS_MAX) socket.destroy();
		});
		socket.on("error", () => socket.destroy());
		socket.on("close", () => {
			this.#socket = undefined;
			this.#lost();
			if (!this.#closed) this.#options.timers.after(RETRY_MS, () => this.#connect());
		});
	}
}
