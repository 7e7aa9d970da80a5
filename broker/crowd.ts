// Decides who may still come in: connections in all, from one address and of one node, and how long one may stand in the door without a name.
import { type Fault, fault } from "../contracts/errors.ts";
import { Buckets } from "./bucket.ts";
import type { BrokerLimits } from "./limits.ts";

interface Guest {
	readonly address: string;
	node?: string;
}

/** A client id that changes hands this often belongs to two devices. One that lost its network needs one take-over, or a few. */
const TAKEOVERS_AT_ONCE = 5;
const TAKEOVERS_PER_S = 1 / 10;

export type Entry<C> = { readonly kind: "in"; readonly makeRoom?: C } | { readonly kind: "refused"; readonly fault: Fault };

export class Crowd<C extends object> {
	readonly #limits: BrokerLimits;
	/** In the order in which they came. */
	readonly #guests = new Map<C, Guest>();
	readonly #halfOpen = new Set<C>();
	readonly #byAddress = new Map<string, number>();
	readonly #byNode = new Map<string, number>();
	readonly #takeovers = new Buckets(TAKEOVERS_PER_S, TAKEOVERS_AT_ONCE);

	constructor(limits: BrokerLimits) {
		this.#limits = limits;
	}

	/** A full house is full; but who stands in the door longest without a name makes room for the next, so that a hundred idle ones keep nobody out. */
	arrives(connection: C, address: string): Entry<C> {
		const { connectionsMax, connectionsPerAddressMax, halfOpenMax } = this.#limits;
		const here = this.#byAddress.get(address) ?? 0;
		const oldest = here >= connectionsPerAddressMax ? this.#oldestHalfOpen(address) : this.#oldestHalfOpen();
		const full = here >= connectionsPerAddressMax || this.#guests.size >= connectionsMax;
		if (full && oldest === undefined) {
			const [what, connections, max] =
				here >= connectionsPerAddressMax ? [address, here, connectionsPerAddressMax] : ["the broker", this.#guests.size, connectionsMax];
			const limit = here >= connectionsPerAddressMax ? "connectionsPerAddressMax" : "connectionsMax";
			return { kind: "refused", fault: fault("CONNECTIONS_MAX", { what, connections, connectionsMax: max, limit }) };
		}
		this.#guests.set(connection, { address });
		this.#halfOpen.add(connection);
		this.#byAddress.set(address, here + 1);
		const leaves = full || this.#halfOpen.size > halfOpenMax ? oldest : undefined;
		return leaves === undefined ? { kind: "in" } : { kind: "in", makeRoom: leaves };
	}

	#oldestHalfOpen(address?: string): C | undefined {
		for (const connection of this.#halfOpen) if (address === undefined || this.#guests.get(connection)?.address === address) return connection;
		return undefined;
	}

	/** It has said who it is, and that is true. `takesOver`: another connection with this client id is still there. */
	isNamed(connection: C, node: string, clientId: string, takesOver: boolean, nowMs: number): Fault | undefined {
		const guest = this.#guests.get(connection);
		if (guest === undefined) return undefined;
		if (takesOver && !this.#takeovers.of(clientId, nowMs).take(nowMs)) return fault("CLIENT_ID_CONTESTED", { clientId });
		const here = this.#byNode.get(node) ?? 0;
		const { connectionsPerNodeMax } = this.#limits;
		if (!takesOver && here >= connectionsPerNodeMax)
			return fault("CONNECTIONS_MAX", { what: node, connections: here, connectionsMax: connectionsPerNodeMax, limit: "connectionsPerNodeMax" });
		this.#halfOpen.delete(connection);
		guest.node = node;
		this.#byNode.set(node, here + 1);
		return undefined;
	}

	leaves(connection: C): void {
		const guest = this.#guests.get(connection);
		if (guest === undefined) return;
		this.#guests.delete(connection);
		this.#halfOpen.delete(connection);
		lower(this.#byAddress, guest.address);
		if (guest.node !== undefined) lower(this.#byNode, guest.node);
	}
}

const lower = (counts: Map<string, number>, name: string): void => {
	const left = (counts.get(name) ?? 0) - 1;
	if (left > 0) counts.set(name, left);
	else counts.delete(name);
};
