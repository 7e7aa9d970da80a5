// Reads the fields of one MQTT packet in order and says what is wrong with the first that is not as the standard has it.

/** Thrown inside the packet checks only, and caught where a packet is checked. */
export class Malformed extends Error {}

type PropertyType = "byte" | "two" | "four" | "varint" | "text" | "binary" | "pair";

/** Property identifiers of MQTT 5 and their types. */
const PROPERTIES: ReadonlyMap<number, PropertyType> = new Map<number, PropertyType>([
	...[0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2a].map((id) => [id, "byte"] as const),
	...[0x13, 0x21, 0x22, 0x23].map((id) => [id, "two"] as const),
	...[0x02, 0x11, 0x18, 0x27].map((id) => [id, "four"] as const),
	[0x0b, "varint"],
	...[0x03, 0x08, 0x12, 0x15, 0x1a, 0x1c, 0x1f].map((id) => [id, "text"] as const),
	...[0x09, 0x16].map((id) => [id, "binary"] as const),
	[0x26, "pair"],
]);
const USER_PROPERTY = 0x26;
/** A few names are metadata; thousands are a way to spend our time. */
const USER_PROPERTIES_MAX = 64;
const VARINT_BYTES_MAX = 4;

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export class Fields {
	readonly #bytes: Uint8Array;
	#at = 0;

	constructor(bytes: Uint8Array) {
		this.#bytes = bytes;
	}

	get left(): number {
		return this.#bytes.length - this.#at;
	}

	byte(what: string): number {
		const value = this.#bytes[this.#at];
		if (value === undefined) throw new Malformed(`${what} is missing`);
		this.#at += 1;
		return value;
	}

	two(what: string): number {
		return this.byte(what) * 256 + this.byte(what);
	}

	take(count: number, what: string): Uint8Array {
		if (count > this.left) throw new Malformed(`${what} is cut off`);
		this.#at += count;
		return this.#bytes.subarray(this.#at - count, this.#at);
	}

	rest(): Uint8Array {
		return this.take(this.left, "the rest");
	}

	/** Text that MQTT allows: well-formed UTF-8 without U+0000. */
	text(what: string): string {
		const bytes = this.take(this.two(what), what);
		let text: string;
		try {
			text = DECODER.decode(bytes);
		} catch {
			throw new Malformed(`${what} is not UTF-8`);
		}
		if (text.includes("\u0000")) throw new Malformed(`${what} holds U+0000`);
		return text;
	}

	packetId(): void {
		if (this.two("the packet id") === 0) throw new Malformed("the packet id is 0");
	}

	varint(what: string): number {
		let value = 0;
		for (let index = 0; index < VARINT_BYTES_MAX; index += 1) {
			const next = this.byte(what);
			value += (next & 0x7f) * 128 ** index;
			if (next < 0x80) return value;
		}
		throw new Malformed(`${what} is longer than four bytes`);
	}

	/** MQTT 5 properties: known ones, whole, each but the user's own at most once (the parser behind us makes arrays of repeats). */
	properties(): void {
		const block = new Fields(this.take(this.varint("the length of the properties"), "the properties"));
		const seen = new Set<number>();
		let userProperties = 0;
		while (block.left > 0) {
			const id = block.varint("a property");
			const type = PROPERTIES.get(id);
			if (type === undefined) throw new Malformed(`property ${id} is unknown`);
			if (id === USER_PROPERTY) userProperties += 1;
			else if (seen.has(id)) throw new Malformed(`property ${id} is given twice`);
			if (userProperties > USER_PROPERTIES_MAX) throw new Malformed(`more than ${USER_PROPERTIES_MAX} user properties`);
			seen.add(id);
			block.#property(type);
		}
	}

	#property(type: PropertyType): void {
		const what = "a property";
		if (type === "byte" && this.byte(what) > 1) throw new Malformed("a property of one bit is neither 0 nor 1");
		if (type === "two") this.two(what);
		if (type === "four") this.take(4, what);
		if (type === "varint") this.varint(what);
		if (type === "binary") this.take(this.two(what), what);
		if (type === "text" || type === "pair") this.text(what);
		if (type === "pair") this.text(what);
	}

	end(): void {
		if (this.left > 0) throw new Malformed(`${this.left} bytes too many`);
	}
}
