// What the broker asks of whoever opens it, and what it offers: who connects, where judged messages go, and how core speaks through it.
import type { Envelope } from "../contracts/envelope.ts";
import type { Fault } from "../contracts/errors.ts";
import type { NodeChannel } from "../contracts/topics.ts";
import type { BrokerLimits } from "./limits.ts";

/** `node`: the data connection NAME. `safety`: NAME.safety. `client`: any other NAME.something, which speaks in the node's name. */
export type ClientKind = "node" | "safety" | "client";

export interface Identity {
	readonly node: string;
	readonly kind: ClientKind;
	readonly clientId: string;
}

export interface Accepted {
	readonly identity: Identity;
	readonly topic: string;
	readonly channel: NodeChannel;
	readonly envelope: Envelope;
	/** As it came. */
	readonly bytes: Uint8Array;
}

export interface Rejected {
	readonly identity: Identity;
	readonly topic: string;
	readonly bytes: Uint8Array;
	readonly fault: Fault;
	/** Its id, if it had one that could be read. */
	readonly messageId?: string;
}

export type Kept =
	| { readonly kind: "stored"; readonly position: number }
	| { readonly kind: "duplicate" }
	| { readonly kind: "fork"; readonly position: number; readonly fault: Fault };

export interface Intake {
	/** Resolves when the message is durable (or known to be a duplicate / quarantined as a fork). Rejects when the disk cannot take it. */
	accept(message: Accepted): Promise<Kept>;
	/** Resolves when it is durable in quarantine. */
	quarantine(message: Rejected): Promise<{ readonly position: number }>;
	/** QoS 0 measurements and pulses: never waits. */
	live(message: Accepted): void;
}

export interface Credentials {
	check(username: string, password: Uint8Array): Promise<boolean>;
	/** True if it was right a short while ago and costs nothing to check: who is known is not kept out by who guesses. */
	remembers?(username: string, password: Uint8Array): boolean;
	/** True for a name that publishes events and is no node: it has no presence, and nothing is sent to it. */
	isClient?(username: string): boolean;
}

/** A connection that was refused or closed for what it sent: for the operator's eyes. */
export interface Refusal {
	/** As it was given; not proven where the password was wrong. */
	readonly clientId?: string;
	readonly remote: string;
	readonly fault: Fault;
}

/** What the certificate of a connection says, once it is known to be of this mesh. */
export interface Certified {
	readonly node: string;
	/** Hex, as its issuer gave it. */
	readonly serial: string;
	readonly notAfterWallMs: number;
}

export interface SecureListener {
	readonly host: string;
	/** 0 = any free port. */
	readonly port: number;
	readonly keyPem: string;
	readonly certificatePem: string;
	/** Whose certificates are let in. */
	readonly caPem: string;
	/** True for what was taken back; asked at each connection. Whoever takes it back drops the node. */
	readonly isRevoked: (serial: string) => boolean;
	/** Wall clock, milliseconds: what is over is over by this one. */
	readonly wall: () => number;
	/** How often it is looked whether the certificate of a connection has ended. Default 60,000. */
	readonly lookEveryMs?: number;
}

export interface BrokerOptions {
	readonly mesh: string;
	readonly host: string;
	/** 0 = any free port. */
	readonly port: number;
	/** A second listener, for other machines: TLS, and nobody comes in without a certificate of the mesh and his password. */
	readonly secure?: SecureListener;
	readonly credentials: Credentials;
	readonly intake: Intake;
	/** Changes with each start: a node that sees another one knows that nothing of it is remembered here. */
	readonly instance: string;
	/** A message that is not durable by then costs its sender the connection, so that it is sent again. Default 500. */
	readonly hookDeadlineMs?: number;
	/** A peer that takes nothing for this long is let go. Default 3,000. */
	readonly drainTimeoutMs?: number;
	/** Who has not said who it is by then is let go. Default 5,000. */
	readonly connectTimeoutMs?: number;
	/** Bounds of single clients, each with its default. */
	readonly limits?: Partial<BrokerLimits>;
	/** Monotonic milliseconds; default performance.now. */
	readonly now?: () => number;
	/** Called after the order was handed to everyone who listens; `node` is `all` where all are meant. */
	onStop?(verb: "stop" | "cut", node: string, by: Identity, bytes: Uint8Array): void;
	onRefusal?(refusal: Refusal): void;
}

export interface Broker {
	readonly port: number;
	/** Of the TLS listener, if there is one. */
	readonly securePort?: number;
	/** Core publishes: bypasses the hooks. */
	publish(topic: string, bytes: Uint8Array, options: { readonly qos: 0 | 1; readonly retain: boolean }): Promise<void>;
	/** Hands a QoS 1 message to that node's live data connection; "nobody" if it is not connected and subscribed. Nothing is ever queued. */
	deliver(node: string, topic: string, bytes: Uint8Array): Promise<"delivered" | "nobody">;
	/** Ends every connection of a node, its will not published. */
	drop(node: string): Promise<void>;
	/** Who is connected now; sinceMs is how long it has been. */
	connections(): readonly { readonly identity: Identity; readonly sinceMs: number }[];
	close(): Promise<void>;
}

/** An open broker shows its owner one thing more, which no client may read. */
export interface OpenBroker extends Broker {
	/** The message that stays on this topic. */
	retained(topic: string): Promise<Uint8Array | undefined>;
}
