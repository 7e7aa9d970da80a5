// What turns bytes into frames on a noisy line and back: delimiters, byte stuffing and the checksum, before any meaning.

const DELIMITER = 0;
/** The longest stuffed run between two delimiters; anything longer is noise. */
export const STUFFED_BYTES_MAX = 56;

/** CRC-16/CCITT-FALSE: polynomial 0x1021, start 0xFFFF. */
export const crc16 = (bytes: Uint8Array): number => {
	let crc = 0xffff;
	for (const byte of bytes) {
		crc ^= byte << 8;
		for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? (crc << 1) & 0xffff : ((crc << 1) ^ 0x1021) & 0xffff;
	}
	return crc;
};

/** Consistent overhead byte stuffing: no zero in the result. For less than 254 bytes exactly one byte is added. */
export const stuff = (bytes: Uint8Array): Uint8Array => {
	const out: number[] = [0];
	let codeAt = 0;
	let run = 1;
	const closeRun = (): void => {
		out[codeAt] = run;
		codeAt = out.length;
		out.push(0);
		run = 1;
	};
	for (const byte of bytes) {
		if (byte === DELIMITER) closeRun();
		else {
			out.push(byte);
			run++;
			if (run === 0xff) closeRun();
		}
	}
	out[codeAt] = run;
	return Uint8Array.from(out);
};

/** The inverse; undefined when the run lengths do not add up. */
export const unstuff = (stuffed: Uint8Array): Uint8Array | undefined => {
	const out: number[] = [];
	let at = 0;
	while (at < stuffed.length) {
		const code = stuffed[at];
		if (code === undefined || code === DELIMITER || at + code > stuffed.length) return undefined;
		for (const byte of stuffed.subarray(at + 1, at + code)) out.push(byte);
		at += code;
		if (code !== 0xff && at < stuffed.length) out.push(DELIMITER);
	}
	return Uint8Array.from(out);
};

/** Content + its checksum, stuffed, between delimiters. */
export const wrap = (content: Uint8Array): Uint8Array => {
	const crc = crc16(content);
	const stuffed = stuff(Uint8Array.of(...content, crc & 0xff, crc >> 8));
	return Uint8Array.of(DELIMITER, ...stuffed, DELIMITER);
};

/** One run between delimiters -> its content, if stuffing and checksum hold. */
export const unwrap = (stuffed: Uint8Array): Uint8Array | undefined => {
	const bytes = unstuff(stuffed);
	if (bytes === undefined || bytes.length < 3) return undefined;
	const content = bytes.subarray(0, -2);
	const low = bytes[bytes.length - 2];
	const high = bytes[bytes.length - 1];
	return low !== undefined && high !== undefined && crc16(content) === (low | (high << 8)) ? content : undefined;
};

/** Cuts a stream of bytes into runs between delimiters, whatever arrives and in whatever pieces. Bounded: it keeps one run at most. */
export class RunSplitter {
	#run: number[] = [];
	#tooLong = false;

	/** The runs that this piece completed; "too long" where one had to be thrown away. */
	push(piece: Uint8Array): readonly (Uint8Array | "too long")[] {
		const runs: (Uint8Array | "too long")[] = [];
		for (const byte of piece) {
			if (byte !== DELIMITER) {
				if (this.#run.length < STUFFED_BYTES_MAX) this.#run.push(byte);
				else this.#tooLong = true;
				continue;
			}
			if (this.#tooLong) runs.push("too long");
			else if (this.#run.length > 0) runs.push(Uint8Array.from(this.#run));
			this.#run = [];
			this.#tooLong = false;
		}
		return runs;
	}
}
