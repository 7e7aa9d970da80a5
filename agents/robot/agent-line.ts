// Connects the agent of this node to its actuator: that core is heard, and what the node's latch holds. If the agent falls silent, the robot holds.
import { createConnection, type Socket } from "node:net";
import type { StopVerb } from "../../contracts/stop-order.ts";
import type { Timers } from "../../edge/ports.ts";

const RETRY_MS = 500;

export class AgentLine {
	readonly #path: string;
	readonly #timers: Timers;
	#socket: Socket | undefined;
	#order: StopVerb | null = null;
	#closed = false;

	constructor(path: string, timers: Timers) {
		this.#path = path;
		this.#timers = timers;
		this.#connect();
	}

	heard(): void {
		this.#say({ verb: "heard" });
	}

	/** Said again to an actuator that comes back. */
	order(verb: StopVerb | undefined): void {
		this.#order = verb ?? null;
		this.#say({ verb: "order", source: "node", order: this.#order });
	}

	close(): void {
		this.#closed = true;
		this.#socket?.destroy();
	}

	#say(request: object): void {
		if (this.#socket?.writable === true) this.#socket.write(`${JSON.stringify(request)}\n`);
	}

	#connect(): void {
		const socket = createConnection(this.#path);
		socket.on("connect", () => {
			this.#socket = socket;
			this.order(this.#order ?? undefined);
		});
		// Its answers are for people.
		socket.resume();
		socket.on("error", () => socket.destroy());
		socket.on("close", () => {
			this.#socket = undefined;
			if (!this.#closed) this.#timers.after(RETRY_MS, () => this.#connect());
		});
	}
}
