// Connects the configured commands to supervision: what runs is found again, what never ran is started, and restart and stop are offered to the mesh.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ConfigNode } from "../../contracts/gen/types.ts";
import { parseDuration } from "../../contracts/time.ts";
import type { KeptFiles } from "../../edge/ports.ts";
import type { Args, Capability, CapabilityContext, Outcome, StopReason } from "./capability.ts";
import { KeptServicesFile } from "./kept-services.ts";
import { Service } from "./service.ts";

export interface ProcessOptions {
	readonly processes: NonNullable<ConfigNode["processes"]>;
	/** The node's folder; output goes to services/ in it. */
	readonly folder: string;
	readonly files: KeptFiles;
	readonly bootId: string;
	readonly newMark: () => string;
}

const STOP_WITHIN_MS = 5_000;
const ANNOUNCE_EVERY_MS = 60_000;

export const readBootId = (): string => {
	try {
		return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
	} catch {
		// Without one every start counts as a boot: nothing is adopted by mistake.
		return `none-${process.pid}-${process.hrtime.bigint()}`;
	}
};

class ProcessCapability implements Capability {
	readonly name = "process";
	readonly services: readonly string[];
	readonly actions: Capability["actions"];
	readonly #options: ProcessOptions;
	readonly #supervised = new Map<string, Service>();
	#cancel: (() => void) | undefined;
	#ended = false;

	constructor(options: ProcessOptions) {
		this.#options = options;
		this.services = Object.keys(options.processes);
		this.actions = { "process.restart": { service: this.services }, "process.stop": { service: this.services } };
	}

	async start(context: CapabilityContext): Promise<void> {
		const kept = await KeptServicesFile.open(this.#options.files);
		const gone = kept.names().filter((name) => !this.services.includes(name));
		await Promise.all(gone.map((name) => this.#make(kept, context, name).open()));
		for (const name of this.services) this.#supervised.set(name, this.#make(kept, context, name));
		await Promise.all([...this.#supervised.values()].map((service) => service.open()));
		this.#round(context);
	}

	async stop(reason: StopReason): Promise<void> {
		this.#ended = true;
		this.#cancel?.();
		const supervised = [...this.#supervised.values()];
		if (reason === "agent-leave") for (const service of supervised) service.leave();
		else await Promise.all(supervised.map((service) => service.stop("agent-stop")));
	}

	async run(action: string, args: Args, command: string): Promise<Outcome> {
		const service = this.#serviceOf(args);
		if (service === undefined) return { phase: "failed", reason: "no-such-service" };
		return action === "process.restart" ? service.restart(command) : service.stop("action", command);
	}

	probe(action: string, args: Args, command: string): Promise<Outcome> {
		return Promise.resolve(this.#serviceOf(args)?.probe(action, command) ?? { phase: "unknown", reason: "no-such-service" });
	}

	async announce(): Promise<void> {
		for (const service of this.#supervised.values()) {
			await service.refresh();
			await service.announce();
		}
	}

	#serviceOf({ service }: Args): Service | undefined {
		return this.#supervised.get(String(service));
	}

	#round(context: CapabilityContext): void {
		if (this.#ended) return;
		this.#cancel = context.timers.after(ANNOUNCE_EVERY_MS, () => {
			this.announce()
				.catch((error: unknown) => context.note("announce-failed", { detail: error instanceof Error ? error.message : "unknown" }))
				.finally(() => this.#round(context));
		});
	}

	#make(kept: KeptServicesFile, { clock, timers, note, emit }: CapabilityContext, name: string): Service {
		const { processes, folder, bootId, newMark } = this.#options;
		const order = processes[name];
		const stopWithinMs = order?.stopWithin === undefined ? STOP_WITHIN_MS : (parseDuration(order.stopWithin) ?? STOP_WITHIN_MS);
		return new Service({ name, order, stopWithinMs, folder: join(folder, "services"), bootId, kept, clock, timers, note, newMark, emit });
	}
}

export const processCapability = (options: ProcessOptions): Capability => new ProcessCapability(options);
