// What the edge asks of the world: clocks, timers, small files that survive a power cut, and connections to a broker.
import type { Clock, ClockQuality } from "../contracts/time.ts";

/** Small files in the node's folder, each replaced as a whole and on disk when the promise resolves. */
export interface KeptFiles {
	/** undefined if there is no such file. */
	read(name: string): Promise<string | undefined>;
	/** `secret` files are readable by their owner only. */
	write(name: string, text: string, secret: "secret" | "plain"): Promise<void>;
}

export interface NodeClock extends Clock {
	/** Milliseconds since the host booted: what survives a restart of the agent. */
	bootMs(): number;
	quality(): ClockQuality;
}

export interface Timers {
	/** Calls once after delayMs; returns how to cancel. */
	after(delayMs: number, run: () => void): () => void;
}

export interface Randomness {
	/** Hex characters, two for each byte. */
	hex(bytes: number): string;
	/** At least 0, below 1. */
	ratio(): number;
}

export interface Connection {
	/** Resolves when the broker has acknowledged it (QoS 1) or it is written (QoS 0). Rejects when that is not known. */
	publish(topic: string, bytes: Uint8Array, options: { readonly qos: 0 | 1; readonly retain: boolean }): Promise<void>;
	/** Resolves when all are granted; rejects if one is refused. */
	subscribe(filters: readonly { readonly topic: string; readonly qos: 0 | 1 }[]): Promise<void>;
	/** Says goodbye, so that the will is not published. */
	close(): Promise<void>;
	/** Cuts it without a word. */
	destroy(): void;
}

export interface ConnectOptions {
	readonly clientId: string;
	readonly keepaliveSeconds: number;
	readonly will?: { readonly topic: string; readonly bytes: Uint8Array; readonly qos: 0 | 1; readonly retain: boolean };
	/** `retained`: the broker kept it from before; it says nothing about now. */
	readonly onMessage: (topic: string, bytes: Uint8Array, retained: boolean) => void;
	/** Called once, after a connection that was open is not any more. */
	readonly onClosed: () => void;
}

/** One attempt, without any retry. Rejects with OrionError: UNREACHABLE, NOT_AUTHENTICATED, CERTIFICATE_REFUSED. */
export type Connect = (options: ConnectOptions) => Promise<Connection>;

/** A line for whoever reads what the agent did; facts only, no secrets. */
export type Note = (event: string, facts?: Readonly<Record<string, string | number | boolean>>) => void;
