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

export const processCapability = ({ processes, folder, files, bootId, newMark }: ProcessOptions): Capability => {
	const names = Object.keys(processes);
	const services = new Map<string, Service>();
	let cancel: (() => void) | undefined;
	let ended = false;

	const make = (kept: KeptServicesFile, context: CapabilityContext, name: string): Service => {
		const order = processes[name];
		return new Service({
			name,
			order,
			stopWithinMs: order?.stopWithin === undefined ? STOP_WITHIN_MS : (parseDuration(order.stopWithin) ?? STOP_WITHIN_MS),
			folder: join(folder, "services"),
			bootId,
			kept,
			clock: context.clock,
			timers: context.timers,
			note: context.note,
			newMark,
			emit: context.emit,
		});
	};
	const announce = async (): Promise<void> => {
		for (const service of services.values()) {
			await service.refresh();
			await service.announce();
		}
	};
	const round = (context: CapabilityContext): void => {
		if (ended) return;
		cancel = context.timers.after(ANNOUNCE_EVERY_MS, () => {
			announce()
				.catch((error: unknown) => context.note("announce-failed", { detail: error instanceof Error ? error.message : "unknown" }))
				.finally(() => round(context));
		});
	};
	const serviceOf = (args: Args): Service | undefined => services.get(String(args["service"]));

	return {
		name: "process",
		actions: { "process.restart": { service: names }, "process.stop": { service: names } },
		services: names,
		start: async (context) => {
			const kept = await KeptServicesFile.open(files);
			const gone = kept.names().filter((name) => !names.includes(name));
			await Promise.all(gone.map((name) => make(kept, context, name).open()));
			for (const name of names) services.set(name, make(kept, context, name));
			await Promise.all([...services.values()].map((service) => service.open()));
			round(context);
		},
		stop: async (reason: StopReason) => {
			ended = true;
			cancel?.();
			if (reason === "agent-leave") for (const service of services.values()) service.leave();
			else await Promise.all([...services.values()].map((service) => service.stop("agent-stop")));
		},
		run: async (action, args, command): Promise<Outcome> => {
			const service = serviceOf(args);
			if (service === undefined) return { phase: "failed", reason: "no-such-service" };
			return action === "process.restart" ? service.restart(command) : service.stop("action", command);
		},
		probe: (action, args, command) => Promise.resolve(serviceOf(args)?.probe(action, command) ?? { phase: "unknown", reason: "no-such-service" }),
		announce,
	};
};
