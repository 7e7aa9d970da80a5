// Decides what a supervised process is (not started, running, down, stopped), what there is to say about it, and when it counts as flapping.
import type { RecordTypes } from "../../contracts/envelope.ts";
import type { KeptServices } from "../../contracts/gen/types.ts";
import { unreachable } from "../../contracts/result.ts";

const FLAPPING_DOWNS = 3;
export const FLAPPING_WINDOW_MS = 600_000;
const DOWNS_MAX = 64;

export type Ended = NonNullable<KeptServices["services"][string]["lastDown"]>;
export type UpHow = RecordTypes["dev.orion.process.up.v1"]["how"];

export interface Living {
	readonly pid: number;
	readonly startTicks: number;
}

interface Counted {
	/** Milliseconds since boot of its newest unasked ends. */
	readonly downsMs: readonly number[];
	readonly flappingSaidMs?: number;
	readonly starts: number;
}

export type Supervised = Counted &
	(
		| { readonly phase: "not-started" }
		| ({ readonly phase: "running"; readonly action?: string } & Living)
		| { readonly phase: "down"; readonly ended: Ended }
		| { readonly phase: "stopped"; readonly why: "agent-stop" | "action"; readonly action?: string }
	);

/** Facts, in the past tense; `at` is milliseconds since boot of the host. */
export type SupervisionInput =
	| {
			readonly kind: "ran";
			readonly at: number;
			readonly living: Living;
			readonly how: Exclude<UpHow, "running">;
			readonly starts: number;
			readonly action?: string;
	  }
	| { readonly kind: "ended"; readonly at: number; readonly ended: Ended }
	| { readonly kind: "was-stopped"; readonly at: number; readonly why: "agent-stop" | "action"; readonly action?: string }
	/** Somebody who may not have heard it wants to know how it is. */
	| { readonly kind: "asked"; readonly at: number };

export type SupervisionEvent = {
	[T in "dev.orion.process.up.v1" | "dev.orion.process.down.v1" | "dev.orion.process.stopped.v1" | "dev.orion.process.flapping.v1"]: {
		readonly type: T;
		readonly data: RecordTypes[T];
	};
}["dev.orion.process.up.v1" | "dev.orion.process.down.v1" | "dev.orion.process.stopped.v1" | "dev.orion.process.flapping.v1"];

export interface SupervisionStep {
	readonly state: Supervised;
	readonly events: readonly SupervisionEvent[];
}

export const neverRan: Supervised = { phase: "not-started", downsMs: [], starts: 0 };

const recent = (downsMs: readonly number[], at: number): readonly number[] =>
	downsMs.filter((ms) => at - ms < FLAPPING_WINDOW_MS && ms <= at).slice(-DOWNS_MAX);

const counted = ({ downsMs, flappingSaidMs, starts }: Supervised): Counted => ({
	downsMs,
	starts,
	...(flappingSaidMs === undefined ? {} : { flappingSaidMs }),
});

const downEvent = (service: string, ended: Ended, downs: number): SupervisionEvent => ({
	type: "dev.orion.process.down.v1",
	data: { service, ...ended, downs },
});

const onEnded = (service: string, state: Supervised, at: number, ended: Ended): SupervisionStep => {
	const downsMs = [...recent(state.downsMs, at), at].slice(-DOWNS_MAX);
	const said = state.flappingSaidMs !== undefined && at - state.flappingSaidMs < FLAPPING_WINDOW_MS;
	const flaps = downsMs.length >= FLAPPING_DOWNS && !said;
	const flapping: SupervisionEvent = { type: "dev.orion.process.flapping.v1", data: { service, downs: downsMs.length, windowMs: FLAPPING_WINDOW_MS } };
	return {
		state: { ...counted(state), downsMs, ...(flaps ? { flappingSaidMs: at } : {}), phase: "down", ended },
		events: [downEvent(service, ended, downsMs.length), ...(flaps ? [flapping] : [])],
	};
};

/** How it is now, once more: core's view heals by it, whatever was lost on the way. */
const announce = (service: string, state: Supervised, at: number): readonly SupervisionEvent[] => {
	switch (state.phase) {
		case "not-started":
			return [];
		case "running": {
			const { pid, startTicks, starts } = state;
			return [{ type: "dev.orion.process.up.v1", data: { service, pid, startTicks, how: "running", starts } }];
		}
		case "down":
			return [downEvent(service, state.ended, recent(state.downsMs, at).length)];
		case "stopped":
			return [{ type: "dev.orion.process.stopped.v1", data: { service, why: state.why, ...(state.action === undefined ? {} : { action: state.action }) } }];
	}
};

export const supervise = (service: string, state: Supervised, input: SupervisionInput): SupervisionStep => {
	switch (input.kind) {
		case "ran": {
			const { living, how, starts } = input;
			const action = input.action === undefined ? {} : { action: input.action };
			const after: Supervised = { ...counted(state), starts, phase: "running", ...living, ...action };
			return { state: after, events: [{ type: "dev.orion.process.up.v1", data: { service, ...living, how, ...action, starts } }] };
		}
		case "ended":
			return onEnded(service, state, input.at, input.ended);
		case "was-stopped": {
			const action = input.action === undefined ? {} : { action: input.action };
			const after: Supervised = { ...counted(state), phase: "stopped", why: input.why, ...action };
			return { state: after, events: [{ type: "dev.orion.process.stopped.v1", data: { service, why: input.why, ...action } }] };
		}
		case "asked":
			return { state, events: announce(service, state, input.at) };
		default:
			return unreachable(input);
	}
};

/** What the agent does with a service when it starts: one row for each thing that can be found. */
export type Found = "alive" | "gone" | "host-rebooted";
export type Opening = "adopt" | "start" | "say-gone" | "say-down" | "leave-stopped";
type Before = KeptServices["services"][string]["phase"] | "never-seen";

export const OPENING: Readonly<Record<Before, Readonly<Record<Found, Opening>>>> = {
	"never-seen": { alive: "adopt", gone: "start", "host-rebooted": "start" },
	starting: { alive: "adopt", gone: "say-gone", "host-rebooted": "start" },
	running: { alive: "adopt", gone: "say-gone", "host-rebooted": "start" },
	down: { alive: "adopt", gone: "say-down", "host-rebooted": "start" },
	"stopped-by-agent": { alive: "adopt", gone: "start", "host-rebooted": "start" },
	// A person's or a policy's stop holds until it is taken back.
	"stopped-by-action": { alive: "adopt", gone: "leave-stopped", "host-rebooted": "leave-stopped" },
};
