// Decides what is taken for granted of the MQTT library beyond what it shows, and mends the one thing in there that MQTT has otherwise.
import { Readable } from "node:stream";

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
