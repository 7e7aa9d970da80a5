// Connects facts of this node to messages: stamped with mesh, session and the node's own clock, numbered per lane where loss must show.
import { uuidv7 } from "uuidv7";
import type { Envelope, Lane, RecordType, RecordTypes } from "../contracts/envelope.ts";
import type { NodePulse, NodeSafety } from "../contracts/gen/types.ts";
import { isoTime } from "../contracts/time.ts";
import { nodeTopic } from "../contracts/topics.ts";
import type { NodeClock } from "./ports.ts";
import type { Session } from "./session.ts";

export interface VoiceOptions {
	readonly mesh: string;
	readonly node: string;
	readonly clock: NodeClock;
	readonly session: () => Session;
}

export interface Thread {
	readonly correlationid?: string;
	readonly causationid?: string;
}

type NumberedEnvelope = Envelope & { readonly lane: Lane; readonly seq: number; readonly session: string };

export class Voice {
	readonly #options: VoiceOptions;
	#numbering: { session: string; next: Record<Lane, number> } | undefined;

	constructor(options: VoiceOptions) {
		this.#options = options;
	}

	get source(): string {
		return `/nodes/${this.#options.node}`;
	}

	#stamp(type: string, data: unknown, session: Session): object {
		const { mesh, clock } = this.#options;
		const time = isoTime(clock.wall());
		return {
			specversion: "1.0",
			id: uuidv7(),
			source: this.source,
			type,
			time,
			mesh,
			session: session.id,
			mono: session.tick(),
			clockquality: clock.quality(),
			data,
		};
	}

	/** Takes the next number of a lane of the present session. Every number that is taken must be sent, or told as lost. */
	#number(lane: Lane): number {
		const { id } = this.#options.session();
		if (this.#numbering?.session !== id) this.#numbering = { session: id, next: { safety: 1, decision: 1, event: 1, metric: 1 } };
		const seq = this.#numbering.next[lane];
		this.#numbering.next[lane] = seq + 1;
		return seq;
	}

	numbered<T extends RecordType>(lane: Lane, type: T, data: RecordTypes[T], thread: Thread = {}): NumberedEnvelope {
		const seq = this.#number(lane);
		return { ...this.#stamp(type, data, this.#options.session()), lane, seq, ...thread } as NumberedEnvelope;
	}

	/** For what may never be said at all. */
	unnumbered<T extends RecordType>(type: T, data: RecordTypes[T]): Envelope {
		return this.#stamp(type, data, this.#options.session()) as Envelope;
	}

	/** Pulses have no number: they come all the time, and one that is missing is no loss. */
	pulse(
		{ state: safety, armEpoch, simulated }: Pick<NodeSafety, "state" | "armEpoch" | "simulated">,
		order: string | undefined,
		beside: Pick<NodePulse, "version" | "outboxCount" | "outboxBytes" | "outboxDailyBytes">,
	): Uint8Array {
		const session = this.#options.session();
		const data: NodePulse = {
			session: session.id,
			tick: session.tick(),
			safety,
			...(order === undefined ? {} : { order }),
			...(armEpoch === undefined ? {} : { armEpoch }),
			...beside,
			...(simulated === undefined ? {} : { simulated }),
		};
		return new TextEncoder().encode(JSON.stringify(this.#stamp("dev.orion.node.pulse.v1", data, session)));
	}
}

/** What is sent now or never. */
export type Measured = "dev.orion.host.metrics.v1" | "dev.orion.hexapod.pose.v1";

const EVENT_NAME = /^dev\.orion\.([a-z]+\.[a-z]+)\.v\d+$/;

/** Where a message of this node belongs. */
export const topicOf = (node: string, envelope: Envelope): { readonly topic: string; readonly retain: boolean } => {
	switch (envelope.type) {
		case "dev.orion.action.receipt.v1":
			return { topic: nodeTopic(node, "ack", envelope.data.action), retain: false };
		case "dev.orion.node.about.v1":
			return { topic: nodeTopic(node, "about"), retain: true };
		case "dev.orion.node.state.v1":
			return { topic: nodeTopic(node, "state"), retain: true };
		case "dev.orion.node.safety.v1":
			return { topic: nodeTopic(node, "safety"), retain: true };
		case "dev.orion.host.metrics.v1":
			return { topic: nodeTopic(node, "tlm", "host.metrics"), retain: false };
		case "dev.orion.hexapod.pose.v1":
			return { topic: nodeTopic(node, "tlm", "hexapod.pose"), retain: false };
		default:
			return { topic: nodeTopic(node, "evt", EVENT_NAME.exec(envelope.type)?.[1] ?? "unknown"), retain: false };
	}
};
