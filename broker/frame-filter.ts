// Decides which bytes of a connection reach the broker's library: whole packets within the size limits that are as the standard has them.
import { ENVELOPE_BYTES_MAX } from "../contracts/envelope.ts";
import { fault } from "../contracts/errors.ts";
import { type CheckedPacket, checkPacket, malformed, type PacketRefusal, type QosMax, REASONS, TYPE } from "./packet-check.ts";

/** Before a CONNECT: who is not known yet gets little memory. */
export const CONNECT_BYTES_MAX = 4_096;
/** An envelope with the topic and the properties around it. */
export const PACKET_BYTES_MAX = ENVELOPE_BYTES_MAX + 2_048;
const LENGTH_BYTES_MAX = 4;
const NOTHING = new Uint8Array(0);

/** A packet that acts before its place in the queue: an order to stop does not wait behind a slow disk. */
export interface Urgent {
	readonly topic: string;
	readonly payload: Uint8Array;
}

export interface Passed {
	/** Whole packets, in order, often many in one piece. */
	readonly pieces: readonly Uint8Array[];
	readonly urgent: readonly Urgent[];
	readonly packets: number;
	/** Nothing after it is read any more. */
	readonly refusal?: PacketRefusal;
	/** The CONNECT was among the pieces: what follows it waits for `admit`. */
	readonly awaitsAdmission: boolean;
}

interface Header {
	readonly headerBytes: number;
	readonly totalBytes: number;
}

type Phase = "connect" | "admission" | "open" | "over";

export class FrameFilter {
	readonly #isUrgent: (topic: string) => boolean;
	readonly #qosMax: QosMax;
	#phase: Phase = "connect";
	#version = 0;
	/** The beginning of a packet whose end has not come; never larger than one packet may be. */
	#partial: Uint8Array = NOTHING;
	#partialBytes = 0;
	#packets = 0;
	/** What came behind a CONNECT that is not answered yet. */
	#held: Uint8Array = NOTHING;

	constructor(isUrgent: (topic: string) => boolean, qosMax: QosMax = 1) {
		this.#isUrgent = isUrgent;
		this.#qosMax = qosMax;
	}

	/** Bytes that are kept here at the moment. */
	get keptBytes(): number {
		return this.#partial.length + this.#held.length;
	}

	get version(): number {
		return this.#version;
	}

	/** False while a CONNECT waits for its answer, and after the end. */
	get takesMore(): boolean {
		return this.#phase === "connect" || this.#phase === "open";
	}

	/** The client is known: what it sent meanwhile goes on. */
	admit(): Passed {
		const held = this.#held;
		this.#held = NOTHING;
		if (this.#phase === "admission") this.#phase = "open";
		return this.push(held);
	}

	push(chunk: Uint8Array): Passed {
		const out = { pieces: [] as Uint8Array[], urgent: [] as Urgent[] };
		this.#packets = 0;
		const refusal = this.#take(chunk, out);
		if (refusal !== undefined) {
			this.#phase = "over";
			this.#partial = NOTHING;
			this.#held = NOTHING;
		}
		return { ...out, packets: this.#packets, awaitsAdmission: this.#phase === "admission", ...(refusal === undefined ? {} : { refusal }) };
	}

	#take(chunk: Uint8Array, out: { readonly pieces: Uint8Array[]; readonly urgent: Urgent[] }): PacketRefusal | undefined {
		let at = 0;
		let runBegan = 0;
		const endRun = (): void => {
			if (at > runBegan) out.pieces.push(chunk.subarray(runBegan, at));
		};
		while (at < chunk.length && this.#phase !== "over") {
			if (this.#phase === "admission") {
				endRun();
				return this.#hold(chunk.subarray(at));
			}
			if (this.#partialBytes > 0) {
				const { taken, whole, refusal } = this.#goOn(chunk.subarray(at));
				at += taken;
				runBegan = at;
				const found = refusal ?? (whole === undefined ? undefined : this.#check(whole, out.urgent));
				if (found !== undefined) return found;
				if (whole !== undefined) out.pieces.push(whole);
				continue;
			}
			const header = this.#header(chunk, at);
			if (header !== undefined && "refusal" in header) {
				endRun();
				return header.refusal;
			}
			if (header === undefined || chunk.length - at < header.totalBytes) {
				endRun();
				this.#begin(chunk.subarray(at), header);
				return undefined;
			}
			const refusal = this.#check(chunk.subarray(at, at + header.totalBytes), out.urgent);
			if (refusal !== undefined) {
				endRun();
				return refusal;
			}
			at += header.totalBytes;
		}
		endRun();
		return undefined;
	}

	#bytesMax(): number {
		return this.#phase === "connect" ? CONNECT_BYTES_MAX : PACKET_BYTES_MAX;
	}

	/** undefined when more bytes are needed to know the length. */
	#header(bytes: Uint8Array, at: number): Header | { readonly refusal: PacketRefusal } | undefined {
		// Who speaks another protocol is not waited for until it has sent as much as it seems to promise.
		if (this.#phase === "connect" && (bytes[at] ?? 0) >> 4 !== TYPE.connect) return refusalOf(malformed("the first packet is no CONNECT", REASONS.protocol));
		let remaining = 0;
		for (let index = 0; index < LENGTH_BYTES_MAX; index += 1) {
			const next = bytes[at + 1 + index];
			if (next === undefined) return undefined;
			remaining += (next & 0x7f) * 128 ** index;
			if (next >= 0x80) continue;
			const totalBytes = 2 + index + remaining;
			if (totalBytes <= this.#bytesMax()) return { headerBytes: 2 + index, totalBytes };
			return { refusal: { fault: fault("TOO_LARGE", { bytes: totalBytes, bytesMax: this.#bytesMax() }), reasonCode: REASONS.tooLarge } };
		}
		return refusalOf(malformed("a length of more than four bytes"));
	}

	#begin(bytes: Uint8Array, header: Header | undefined): void {
		this.#partial = new Uint8Array(header?.totalBytes ?? 1 + LENGTH_BYTES_MAX);
		this.#partial.set(bytes);
		this.#partialBytes = bytes.length;
	}

	/** Adds to the packet that was begun: first up to its length, then up to its end. */
	#goOn(bytes: Uint8Array): { readonly taken: number; readonly whole?: Uint8Array; readonly refusal?: PacketRefusal } {
		let taken = 0;
		let header = this.#header(this.#partial.subarray(0, this.#partialBytes), 0);
		while (header === undefined && taken < bytes.length) {
			this.#partial[this.#partialBytes] = bytes[taken] ?? 0;
			this.#partialBytes += 1;
			taken += 1;
			header = this.#header(this.#partial.subarray(0, this.#partialBytes), 0);
			if (header !== undefined && !("refusal" in header)) this.#begin(this.#partial.slice(0, this.#partialBytes), header);
		}
		if (header === undefined) return { taken };
		if ("refusal" in header) return { taken, refusal: header.refusal };
		const more = bytes.subarray(taken, taken + header.totalBytes - this.#partialBytes);
		this.#partial.set(more, this.#partialBytes);
		this.#partialBytes += more.length;
		taken += more.length;
		if (this.#partialBytes < header.totalBytes) return { taken };
		const whole = this.#partial;
		this.#partial = NOTHING;
		this.#partialBytes = 0;
		return { taken, whole };
	}

	#check(packet: Uint8Array, urgent: Urgent[]): PacketRefusal | undefined {
		const header = this.#header(packet, 0);
		if (header === undefined || "refusal" in header) return refusalOf(malformed("a length that changed")).refusal;
		this.#packets += 1;
		const checked = checkPacket(packet[0] ?? 0, packet.subarray(header.headerBytes), this.#version, this.#qosMax);
		if (checked.kind === "refused") return checked.refusal;
		if (checked.kind === "disconnect") this.#phase = "over";
		if (checked.kind === "connect") {
			this.#version = checked.version;
			this.#phase = "admission";
		}
		if (checked.kind === "publish" && this.#isUrgent(checked.topic)) urgent.push({ topic: checked.topic, payload: checked.payload });
		return undefined;
	}

	#hold(bytes: Uint8Array): PacketRefusal | undefined {
		const heldBytes = this.#held.length + bytes.length;
		if (heldBytes > PACKET_BYTES_MAX * 2)
			return { fault: fault("TOO_LARGE", { bytes: heldBytes, bytesMax: PACKET_BYTES_MAX * 2 }), reasonCode: REASONS.tooLarge };
		const joined = new Uint8Array(heldBytes);
		joined.set(this.#held);
		joined.set(bytes, this.#held.length);
		this.#held = joined;
		return undefined;
	}
}

const refusalOf = (checked: CheckedPacket): { readonly refusal: PacketRefusal } => {
	if (checked.kind !== "refused") throw new Error("BUG: only a refusal has one");
	return { refusal: checked.refusal };
};
