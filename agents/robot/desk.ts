// Connects a unix socket to the control loop: one line in, one line out; whoever watches is told ten times a second.
import { createServer, type Socket } from "node:net";
import { fail } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";
import type { StopVerb } from "../../contracts/stop-order.ts";
import type { ActuatorLoop } from "./loop.ts";
import type { Rehearsal } from "./rehearsal.ts";
import { type RobotRequest, type RobotState, readRobotRequest } from "./words.ts";

export interface RobotDeskOptions {
	readonly loop: ActuatorLoop;
	readonly rehearsal: Rehearsal;
	readonly state: () => RobotState;
	/** What a person ordered here before a restart. */
	readonly found: StopVerb | null;
	/** After the outputs, never before. */
	readonly keep: (order: StopVerb | null) => void;
}

const LINE_CHARACTERS_MAX = 4_096;
const CONNECTIONS_MAX = 16;
/** What a watcher does not read is not kept for it. */
const UNREAD_BYTES_MAX = 65_536;

type Orders = Record<"person" | "node" | "rehearsal", StopVerb | null>;

export class RobotDesk {
	readonly #options: RobotDeskOptions;
	readonly #watchers = new Set<Socket>();
	readonly #orders: Orders = { person: null, node: null, rehearsal: null };

	constructor(options: RobotDeskOptions) {
		this.#options = options;
		this.#orders.person = options.found;
		this.#obey();
	}

	/** Ten times a second. */
	tellWatchers(): void {
		if (this.#watchers.size === 0) return;
		const line = `${JSON.stringify(this.#options.state())}\n`;
		for (const socket of this.#watchers) if (socket.writableLength < UNREAD_BYTES_MAX) socket.write(line);
	}

	answer(line: string, socket?: Socket): object {
		const request = readRobotRequest(this.#options.loop.plan, line);
		const done = request.ok ? this.#do(request.value, socket) : request;
		if (!done.ok) return { schema: "orion.error/1", ...done.fault.facts, code: done.fault.code };
		return this.#options.state();
	}

	/** The cut that a step of the rehearsal is about. */
	rehearsalCut(present: boolean): void {
		this.#orders.rehearsal = present ? "cut" : null;
		this.#obey();
	}

	#do(request: RobotRequest, socket: Socket | undefined): Result<undefined> {
		const { loop, rehearsal } = this.#options;
		switch (request.verb) {
			case "status":
				return ok(undefined);
			case "watch":
				if (socket !== undefined) this.#watchers.add(socket);
				return ok(undefined);
			case "heard":
				loop.heard();
				return ok(undefined);
			case "arm":
				return loop.arm(request.armEpoch);
			case "resume":
				return loop.resume(request.armEpoch);
			case "lease":
				return loop.lease(request.lease);
			case "end":
				return loop.endLease(request.holder);
			case "sit":
				return loop.sit();
			case "rehearse":
				return rehearsal.hold(request.asked);
			case "answer":
				return rehearsal.answer(request.id, request.answer);
			case "abandon":
				rehearsal.abandon(request.id);
				return ok(undefined);
			case "order":
				this.#orders[request.source] = request.order;
				this.#obey();
				if (request.source === "person") this.#options.keep(request.order);
				return ok(undefined);
			case "release":
				return this.#release();
		}
	}

	#obey(): void {
		const held = Object.values(this.#orders);
		// The stronger one first: a cut is never delayed by a stop that is taken back.
		this.#options.loop.order("cut", held.includes("cut"));
		this.#options.loop.order("stop", held.includes("stop"));
	}

	/** A person at the robot: takes back what was ordered here, and lets it leave cut and fault. */
	#release(): Result<undefined> {
		const { loop } = this.#options;
		this.#orders.person = null;
		this.#orders.rehearsal = null;
		this.#obey();
		this.#options.keep(null);
		if (this.#orders.node !== null) return fail("ROBOT_REFUSED", { why: "stopped-by-the-mesh", detail: "release the node with `orion release` first" });
		return loop.needsPresence ? loop.presence() : ok(undefined);
	}

	serve(path: string): Promise<{ close(): Promise<void> }> {
		const open = new Set<Socket>();
		const server = createServer((socket) => {
			let text = "";
			open.add(socket);
			socket.setEncoding("utf8");
			socket.on("error", () => socket.destroy());
			socket.once("close", () => {
				open.delete(socket);
				this.#watchers.delete(socket);
			});
			socket.on("data", (chunk: string) => {
				text += chunk;
				const lines = text.split("\n");
				text = lines.pop() ?? "";
				for (const line of lines) socket.write(`${JSON.stringify(this.answer(line, socket))}\n`);
				if (text.length > LINE_CHARACTERS_MAX) socket.destroy();
			});
		});
		server.maxConnections = CONNECTIONS_MAX;
		return new Promise((resolve, reject) => {
			server.once("error", reject);
			server.listen(path, () =>
				resolve({
					close: () =>
						new Promise((done) => {
							server.close(() => done());
							for (const socket of open) socket.destroy();
						}),
				}),
			);
		});
	}
}
