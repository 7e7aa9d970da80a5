// Decides whether so much comes in just now that readers of the log step aside: they may fall behind, what is at the door may not wait.
import type { Log } from "../../log/port.ts";
import type { World } from "./world.ts";

/** More than all nodes of a household say together: a flood, or a backlog that drains. */
const RUSH_PER_MS = 10;
/** Shorter spans say nothing: records become durable in groups. */
const SPAN_MS = 10;

export class Rush {
	readonly #log: Pick<Log, "head">;
	readonly #world: Pick<World, "clock" | "timers">;
	#sinceMs: number;
	#headThen: number;
	#isOn = false;

	constructor(log: Pick<Log, "head">, world: Pick<World, "clock" | "timers">) {
		this.#log = log;
		this.#world = world;
		this.#sinceMs = world.clock.now();
		this.#headThen = log.head();
	}

	/** Gives the door a turn; under a rush so many, and they are longer then. */
	async giveWay(turnsInRush: number): Promise<void> {
		for (let turns = this.isOn() ? turnsInRush : 1; turns > 0; turns -= 1) await new Promise<void>((resolve) => this.#world.timers.after(0, resolve));
	}

	isOn(): boolean {
		const now = this.#world.clock.now();
		const spanMs = now - this.#sinceMs;
		if (spanMs < SPAN_MS) return this.#isOn;
		const head = this.#log.head();
		this.#isOn = (head - this.#headThen) / spanMs > RUSH_PER_MS;
		this.#sinceMs = now;
		this.#headThen = head;
		return this.#isOn;
	}
}
