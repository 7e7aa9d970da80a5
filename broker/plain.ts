// Composes a plain MQTT broker: the library behind the same frame filter and slow-peer guard, open to everybody on loopback, without contracts and without a log.
import { createServer } from "node:net";
import { Library, RESERVED } from "./aedes.ts";
import { listen } from "./broker.ts";
import type { Admission, Answer, ConnectRequest, Door } from "./door.ts";
import type { Publication } from "./judge.ts";
import { LIMITS } from "./limits.ts";
import type { QosMax } from "./packet-check.ts";
import type { Identity, Refusal } from "./ports.ts";

export interface PlainOptions {
	readonly host: string;
	/** 0 = any free port. */
	readonly port: number;
	readonly instance: string;
	/** Filters that nobody may subscribe to. */
	readonly refuseSubscribe: readonly string[];
	readonly qosMax: QosMax;
	readonly connectionsMax: number;
	readonly drainTimeoutMs: number;
	readonly connectTimeoutMs: number;
	readonly now: () => number;
	onRefusal(refusal: Refusal): void;
}

/** Lets everybody in and everything through but what the file refuses. */
class OpenDoor implements Door {
	readonly #refuseSubscribe: readonly string[];
	readonly #onRefusal: (refusal: Refusal) => void;

	constructor({ refuseSubscribe, onRefusal }: PlainOptions) {
		this.#refuseSubscribe = refuseSubscribe;
		this.#onRefusal = onRefusal;
	}

	connect({ clientId }: ConnectRequest): Promise<Admission> {
		return Promise.resolve({ ok: true, identity: { node: "anyone", kind: "client", clientId } });
	}

	publish(_identity: Identity, { topic }: Publication, answer: (answer: Answer) => void): void {
		answer({ kind: topic.startsWith(RESERVED) ? "refused" : "unchanged" });
	}

	will(): void {
		// The library says it itself.
	}

	maySubscribe(_identity: Identity, filter: string): boolean {
		return !this.#refuseSubscribe.includes(filter);
	}

	isUrgent(): boolean {
		return false;
	}

	urgent(): void {
		// Nothing is.
	}

	refused(refusal: Refusal): void {
		this.#onRefusal(refusal);
	}
}

export interface PlainBroker {
	readonly port: number;
	close(): Promise<void>;
}

/** Rejects with OrionError: PORT_IN_USE, PORT_REFUSED. */
export const openPlainBroker = async (options: PlainOptions): Promise<PlainBroker> => {
	const { host, port: wanted, instance, drainTimeoutMs, connectTimeoutMs, now, qosMax } = options;
	const { connectionsMax } = options;
	const limits = { ...LIMITS, connectionsMax, connectionsPerAddressMax: connectionsMax, connectionsPerNodeMax: connectionsMax };
	const library = await Library.open({ door: new OpenDoor(options), instance, drainTimeoutMs, connectTimeoutMs, now, limits, plain: true, qosMax });
	const server = createServer({ noDelay: true }, (socket) => library.attach(socket));
	try {
		const port = await listen(server, host, wanted, "listen.port");
		return {
			port,
			close: async () => {
				const closed = new Promise<void>((resolve) => {
					server.close(() => resolve());
				});
				await library.close();
				await closed;
			},
		};
	} catch (error) {
		await library.close();
		throw error;
	}
};
