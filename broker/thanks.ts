// Connects what is durable to its sender: the acknowledgements of one turn leave in one write.
import { generate } from "mqtt-packet";
import type { Fault } from "../contracts/errors.ts";
import { pubackOf, reasonOf } from "./reason-codes.ts";

const PUBACK = 0x40;
const PUBACK_BYTES = 4;

/** Where acknowledgements go; false: nobody is there any more. */
export interface Outgoing {
	readonly writable: boolean;
	write(bytes: Uint8Array): unknown;
}

/** Without a reason, so that MQTT 3.1.1 and 5 have the same four bytes. */
const pubacks = (messageIds: readonly number[]): Uint8Array => {
	const bytes = Buffer.allocUnsafe(messageIds.length * PUBACK_BYTES);
	for (const [index, messageId] of messageIds.entries()) bytes.writeUInt32BE(PUBACK * 0x1_00_00_00 + 2 * 0x1_00_00 + messageId, index * PUBACK_BYTES);
	return bytes;
};

export class Thanks {
	readonly #outgoing: Outgoing;
	#messageIds: number[] = [];

	constructor(outgoing: Outgoing) {
		this.#outgoing = outgoing;
	}

	/** In the order of the calls. */
	give(messageId: number): void {
		this.#messageIds.push(messageId);
		// What one group commit made durable is told within one turn.
		if (this.#messageIds.length === 1) setImmediate(() => this.#write());
	}

	/** With a reason, which only MQTT 5 has. */
	explain(messageId: number, found: Fault, wantsReason: boolean): void {
		const properties = wantsReason ? { properties: { reasonString: reasonOf(found) } } : {};
		this.#outgoing.write(generate({ cmd: "puback", messageId, reasonCode: pubackOf(found), ...properties }, { protocolVersion: 5 }));
	}

	#write(): void {
		const messageIds = this.#messageIds;
		this.#messageIds = [];
		if (this.#outgoing.writable) this.#outgoing.write(pubacks(messageIds));
	}
}
