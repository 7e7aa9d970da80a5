// The bounds of the broker's hospitality, and what each of them is by default.

export interface BrokerLimits {
	readonly connectionsMax: number;
	readonly connectionsPerAddressMax: number;
	/** NAME and all its NAME.something. */
	readonly connectionsPerNodeMax: number;
	/** Connections that have not said who they are; beyond it the oldest of them makes room. */
	readonly halfOpenMax: number;
	/** Packets of one node; what comes faster is read more slowly. The safety connection has a measure of its own. */
	readonly packetsPerSecondMax: number;
	readonly bytesPerSecondMax: number;
}

/** Loopback is one address, so a host with many small clients needs room there. */
export const LIMITS: BrokerLimits = {
	connectionsMax: 1_024,
	connectionsPerAddressMax: 768,
	connectionsPerNodeMax: 32,
	halfOpenMax: 128,
	packetsPerSecondMax: 20_000,
	bytesPerSecondMax: 16 * 1_048_576,
};
