// Connects pulses, which are not recorded, to records of what is found when they are missing.
import { findSilence, type Listening, listen } from "../guardian/pulses.ts";
import { type EngineState, type NodeView, rowOf } from "../state.ts";
import type { Journal } from "./journal.ts";
import type { Live } from "./live.ts";
import type { World } from "./world.ts";

/** What core hears a node through, when that is not its own broker. */
export interface Parent {
	readonly name: string;
	readonly isHeard: boolean;
}

export interface PresenceWatchOptions {
	readonly journal: Pick<Journal, "note">;
	readonly live: Pick<Live, "newest">;
	readonly world: Pick<World, "clock" | "timers">;
	readonly state: () => EngineState;
	/** Position up to which the state above has everything. */
	readonly foldedUpTo: () => number;
	readonly parentOf: (node: string) => Parent | undefined;
}

const LOOK_EVERY_MS = 500;

export class PresenceWatch {
	readonly #options: PresenceWatchOptions;
	readonly #listening = new Map<string, Listening>();
	#lookedMs: number | undefined;
	#cancel: (() => void) | undefined;
	/** Position of the newest record of this watch: before the state has it, the same would be found again. */
	#recordedAt = 0;
	#recording: Promise<void> | undefined;

	constructor(options: PresenceWatchOptions) {
		this.#options = options;
	}

	start(): void {
		this.#cancel = this.#options.world.timers.after(LOOK_EVERY_MS, () => {
			this.start();
			this.#look();
		});
	}

	async stop(): Promise<void> {
		this.#cancel?.();
		await this.#recording;
	}

	#look(): void {
		const { world, state, foldedUpTo } = this.#options;
		const nowMs = world.clock.now();
		const passedMs = nowMs - (this.#lookedMs ?? nowMs);
		this.#lookedMs = nowMs;
		const { nodes } = state();
		for (const node of [...this.#listening.keys()]) if (rowOf(nodes, node) === undefined) this.#listening.delete(node);
		for (const [node, view] of Object.entries(nodes)) this.#listen(node, view, passedMs);
		if (this.#recording !== undefined || foldedUpTo() < this.#recordedAt) return;
		this.#recording = this.#record()
			// A disk that is full: it is found again at the next look.
			.catch(() => undefined)
			.finally(() => {
				this.#recording = undefined;
			});
	}

	#listen(node: string, view: NodeView, passedMs: number): void {
		const { live, state, parentOf } = this.#options;
		const rules = state().policy?.presence;
		if (rules === undefined) return;
		const pulse = live.newest(node);
		const sign = `${view.state} ${view.session} ${view.conn} ${view.changedMs} ${pulse?.session ?? ""} ${pulse?.tick ?? ""}`;
		const parent = parentOf(node)?.isHeard === false ? "away" : "here";
		this.#listening.set(node, listen(this.#listening.get(node), { sign, passedMs, parent }, view.silence, rules));
	}

	async #record(): Promise<void> {
		const { state, journal, parentOf } = this.#options;
		for (const [node, listening] of this.#listening) {
			const { policy, nodes } = state();
			const view = rowOf(nodes, node);
			const found = view === undefined || policy?.presence === undefined ? undefined : findSilence(listening, view, policy.presence);
			if (view === undefined || found === undefined) continue;
			const parent = found.found === "unreachable" ? parentOf(node)?.name : undefined;
			const data = { node, session: view.session, ...found, ...(parent === undefined ? {} : { parent }) };
			this.#recordedAt = await journal.note("/core/presence", "dev.orion.node.silence.v1", data, node);
		}
	}
}
