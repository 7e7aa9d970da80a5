// Decides how long a node that sends too fast is not read: its messages stay with it, none is lost, and the operator is told once in a while.
import { type Fault, fault } from "../contracts/errors.ts";
import { Buckets } from "./bucket.ts";
import type { BrokerLimits } from "./limits.ts";
import type { Identity } from "./ports.ts";

/** A second's worth may come at once: what waited while the network was away. */
const BURST_S = 1;
/** Told when it lasts, not for every hiccup: nobody mends a burst. */
const TOLD_AFTER_MS = 250;
const TOLD_EVERY_S = 60;

export class Throttle {
	readonly #limits: BrokerLimits;
	readonly #packets: Buckets;
	readonly #bytes: Buckets;
	readonly #told = new Buckets(1 / TOLD_EVERY_S, 1);

	constructor(limits: BrokerLimits) {
		this.#limits = limits;
		this.#packets = new Buckets(limits.packetsPerSecondMax, limits.packetsPerSecondMax * BURST_S);
		this.#bytes = new Buckets(limits.bytesPerSecondMax, limits.bytesPerSecondMax * BURST_S);
	}

	/** How long to read nothing more of this connection, and what to tell the operator. */
	read({ node, kind, clientId }: Identity, packets: number, bytes: number, nowMs: number): { readonly waitMs: number; readonly fault?: Fault } {
		// A node that floods with data must not wait with its signs of life, nor with an order to stop.
		const name = kind === "safety" ? clientId : node;
		const [byPackets, byBytes] = [this.#packets.of(name, nowMs).spend(packets, nowMs), this.#bytes.of(name, nowMs).spend(bytes, nowMs)];
		const waitMs = Math.max(byPackets, byBytes);
		if (waitMs < TOLD_AFTER_MS || !this.#told.of(name, nowMs).take(nowMs)) return { waitMs };
		const [limit, perSecond] =
			byPackets >= byBytes ? ["packetsPerSecondMax", this.#limits.packetsPerSecondMax] : ["bytesPerSecondMax", this.#limits.bytesPerSecondMax];
		return { waitMs, fault: fault("THROTTLED", { node: name, limit, perSecond }) };
	}
}
