// Decides what is taken for granted of the MQTT library and of its packets, and mends the one thing in there that MQTT has otherwise.
import { Readable } from "node:stream";
import type { ConnectRequest } from "./door.ts";
import type { Publication } from "./judge.ts";
import type { Certified } from "./ports.ts";

interface Message {
	readonly topic: string;
	readonly qos?: number;
	readonly retain?: boolean;
	readonly payload: string | Uint8Array;
}

interface Connect {
	readonly clientId: string;
	readonly username?: string;
	readonly password?: Uint8Array;
	readonly will?: Message;
	clean?: boolean;
	properties?: { sessionExpiryInterval?: number };
}

const bytesOf = (payload: string | Uint8Array): Uint8Array => (typeof payload === "string" ? Buffer.from(payload) : payload);

export const publicationOf = ({ topic, qos, retain, payload }: Message): Publication => ({
	topic,
	qos: qos === 0 ? 0 : 1,
	retain: retain === true,
	bytes: bytesOf(payload),
});

export const requestOf = ({ clientId, username, password, will }: Connect, version: number, remote: string, certified?: Certified): ConnectRequest => ({
	clientId,
	version,
	remote,
	...(certified === undefined ? {} : { certified }),
	...(username === undefined ? {} : { username }),
	...(password === undefined ? {} : { password }),
	...(will === undefined ? {} : { will: { topic: will.topic, qos: will.qos ?? 0, retain: will.retain === true, bytes: bytesOf(will.payload) } }),
});

/** Nothing is queued for who is away: a session that outlives its connection would be handed old commands. */
export const forgetAtEnd = (packet: Connect): void => {
	packet.clean = true;
	if (packet.properties?.sessionExpiryInterval !== undefined) packet.properties.sessionExpiryInterval = 0;
};

/** A message that waits for a client, or for its thanks. */
interface Kept {
	readonly cmd: string;
	/** It was handed over once. */
	readonly messageId?: number;
	dup: boolean;
}

/** What the library has and does not show. */
export interface Hidden {
	clients: Record<string, unknown>;
	brokers: Record<string, unknown>;
	persistence: {
		outgoingClearMessageId(): Promise<unknown>;
		outgoingStream(client: unknown): AsyncIterable<Kept>;
		createRetainedStream(filter: string): AsyncIterable<{ readonly topic: string; readonly payload: Uint8Array }>;
	};
}
export interface HiddenClient {
	subscriptions: Record<string, unknown>;
	duplicates: Record<string, number>;
	readonly _parser: { parse(bytes: Uint8Array): number };
}

/** The library hands over again what was not thanked for, and does not say that it is a repeat. */
export const markRepeats = ({ persistence }: Hidden): void => {
	const stream = persistence.outgoingStream.bind(persistence);
	persistence.outgoingStream = (client) =>
		Readable.from(stream(client)).map((kept: Kept) => {
			if (kept.cmd === "publish" && kept.messageId !== undefined) kept.dup = true;
			return kept;
		});
};
