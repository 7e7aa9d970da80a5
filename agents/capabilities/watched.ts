// Connects units or containers that somebody else runs to the mesh: looked at from time to time, said when they change, restarted and stopped by name and no others.
import type { RecordTypes } from "../../contracts/envelope.ts";
import type { Args, Capability, CapabilityContext, Outcome } from "./capability.ts";

export type Condition =
	| { readonly kind: "up"; readonly state: string }
	/** Neither up nor down yet: on its way, or nothing can be said. */
	| { readonly kind: "between"; readonly state: string }
	| { readonly kind: "down"; readonly state: string; readonly exitCode?: number; readonly detail?: string }
	/** Somebody stopped it in order: that is no failure. */
	| { readonly kind: "stopped"; readonly state: string };

/** Who runs them; every call is for one name of the list. Rejects with what its runtime said. */
export interface Runtime {
	readonly name: RecordTypes["dev.orion.service.up.v1"]["runtime"];
	look(service: string): Promise<Condition>;
	restart(service: string): Promise<void>;
	stop(service: string): Promise<void>;
}

export interface WatchedOptions {
	readonly runtime: Runtime;
	readonly services: readonly string[];
	readonly everyMs: number;
	/** How long a restart may take until it counts as one that did not help. */
	readonly upWithinMs: number;
}

const ANNOUNCE_EVERY_MS = 60_000;
const LOOK_WHILE_STARTING_MS = 250;
/** One that restarts by itself all the time is up for moments in between. */
const STAYS_UP_MS = 1_000;

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 1_000) || "no reason given";

class Watched implements Capability {
	readonly name: string;
	readonly services: readonly string[];
	readonly actions: Capability["actions"];
	readonly #options: WatchedOptions;
	readonly #seen = new Map<string, Condition>();
	/** The action that was carried out last on each. */
	readonly #actions = new Map<string, string>();
	#context: CapabilityContext | undefined;
	#cancel: (() => void) | undefined;
	#ended = false;
	#sinceAnnouncedMs = 0;

	constructor(options: WatchedOptions) {
		this.#options = options;
		this.name = options.runtime.name;
		this.services = options.services;
		this.actions = { [`${this.name}.restart`]: { service: this.services }, [`${this.name}.stop`]: { service: this.services } };
	}

	async start(context: CapabilityContext): Promise<void> {
		this.#context = context;
		await this.#round();
	}

	stop(): Promise<void> {
		this.#ended = true;
		this.#cancel?.();
		return Promise.resolve();
	}

	async announce(): Promise<void> {
		this.#sinceAnnouncedMs = 0;
		for (const [service, condition] of this.#seen) await this.#say(service, condition);
	}

	async run(action: string, { service }: Args, command: string): Promise<Outcome> {
		const name = String(service);
		if (!this.services.includes(name)) return { phase: "failed", reason: "not-allowed", detail: `${name} is not in the list of this node` };
		this.#actions.set(name, command);
		try {
			return action === `${this.name}.restart` ? await this.#restart(name) : await this.#stop(name);
		} catch (error) {
			return { phase: "failed", reason: "refused-by-runtime", detail: wordsOf(error) };
		}
	}

	/** The runtime goes on without this agent; whether it did what an earlier one asked cannot be seen from how things are. */
	async probe(action: string, { service }: Args): Promise<Outcome> {
		const condition = await this.#look(String(service));
		if (action === `${this.name}.stop` && condition.kind === "stopped") return { phase: "done" };
		return { phase: "unknown", reason: "agent-died", detail: `it is ${condition.state} now` };
	}

	async #restart(service: string): Promise<Outcome> {
		const { runtime, upWithinMs } = this.#options;
		const began = this.#now();
		await runtime.restart(service);
		let upSince: number | undefined;
		for (;;) {
			const condition = await this.#look(service);
			if (condition.kind === "up") {
				upSince ??= this.#now();
				if (this.#now() - upSince >= STAYS_UP_MS) {
					await this.#changed(service, condition, true);
					return { phase: "done", result: { state: condition.state } };
				}
			} else upSince = undefined;
			if (this.#now() - began >= upWithinMs) {
				await this.#changed(service, condition, true);
				return {
					phase: "failed",
					reason: "not-up",
					detail: `it is ${condition.state}${condition.kind === "down" && condition.detail !== undefined ? `: ${condition.detail}` : ""}`,
				};
			}
			await new Promise<void>((resolve) => this.#context?.timers.after(LOOK_WHILE_STARTING_MS, resolve) ?? resolve());
		}
	}

	async #stop(service: string): Promise<Outcome> {
		await this.#options.runtime.stop(service);
		const condition = await this.#look(service);
		await this.#changed(service, condition, true);
		return condition.kind === "stopped" ? { phase: "done" } : { phase: "failed", reason: "not-stopped", detail: `it is ${condition.state}` };
	}

	#now(): number {
		return this.#context?.clock.bootMs() ?? 0;
	}

	async #look(service: string): Promise<Condition> {
		try {
			return await this.#options.runtime.look(service);
		} catch (error) {
			return { kind: "down", state: "cannot be asked", detail: wordsOf(error) };
		}
	}

	async #round(): Promise<void> {
		if (this.#ended || this.#context === undefined) return;
		const { everyMs } = this.#options;
		for (const service of this.services) await this.#changed(service, await this.#look(service), false);
		this.#sinceAnnouncedMs += everyMs;
		if (this.#sinceAnnouncedMs >= ANNOUNCE_EVERY_MS) await this.announce();
		if (this.#ended) return;
		this.#cancel = this.#context.timers.after(everyMs, () => {
			this.#round().catch((error: unknown) => this.#context?.note("watch-failed", { capability: this.name, detail: wordsOf(error) }));
		});
	}

	/** Said when it is news; what is on its way is news only when it has arrived. */
	async #changed(service: string, condition: Condition, always: boolean): Promise<void> {
		if (condition.kind === "between") return;
		const before = this.#seen.get(service);
		this.#seen.set(service, condition);
		if (always || before?.kind !== condition.kind || (condition.kind === "down" && before.state !== condition.state)) await this.#say(service, condition);
	}

	async #say(service: string, condition: Condition): Promise<void> {
		const runtime = this.name as Runtime["name"];
		const { emit } = this.#context ?? {};
		const action = this.#actions.get(service);
		const by = action === undefined ? {} : { action };
		const state = condition.state.slice(0, 64);
		if (emit === undefined || condition.kind === "between") return;
		if (condition.kind === "up") await emit("dev.orion.service.up.v1", { service, runtime, state, ...by });
		else if (condition.kind === "stopped")
			await emit("dev.orion.service.stopped.v1", { service, runtime, why: action === undefined ? "person" : "action", ...by });
		else {
			const { exitCode, detail } = condition;
			const more = { ...(exitCode === undefined ? {} : { exitCode }), ...(detail === undefined || detail === "" ? {} : { detail: detail.slice(0, 2_000) }) };
			await emit("dev.orion.service.down.v1", { service, runtime, state, ...more });
		}
	}
}

export const watchedCapability = (options: WatchedOptions): Capability => new Watched(options);
