// Decides whether bytes are still the bytes that were written: CRC-32C (Castagnoli), eight bytes a step, and a cheap digest of content.

const POLYNOMIAL = 0x82f63b78;
const SLICES = 8;

/** Eight tables in one: table n answers for a byte that has n more bytes behind it in the step. */
const TABLE: Int32Array = (() => {
	const table = new Int32Array(SLICES * 256);
	for (let byte = 0; byte < 256; byte += 1) {
		let crc = byte;
		for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
		table[byte] = crc;
	}
	for (let index = 256; index < SLICES * 256; index += 1) {
		const before = table[index - 256] ?? 0;
		table[index] = (before >>> 8) ^ (table[before & 0xff] ?? 0);
	}
	return table;
})();

/** CRC-32C of bytes[from, to), unsigned. `before` continues from the CRC of what came before. Not checked for bounds: callers cut first. */
export const crc32c = (bytes: Uint8Array, from = 0, to = bytes.length, before = 0): number => {
	const table = TABLE;
	let crc = ~before;
	let at = from;
	// Every index below is within its array, so the casts only quiet the checker: a `?? 0` here costs half of the speed.
	for (const end = to - SLICES; at <= end; at += SLICES) {
		const low = crc ^ ((bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24));
		crc =
			(table[1792 + (low & 0xff)] as number) ^
			(table[1536 + ((low >>> 8) & 0xff)] as number) ^
			(table[1280 + ((low >>> 16) & 0xff)] as number) ^
			(table[1024 + (low >>> 24)] as number) ^
			(table[768 + (bytes[at + 4] as number)] as number) ^
			(table[512 + (bytes[at + 5] as number)] as number) ^
			(table[256 + (bytes[at + 6] as number)] as number) ^
			(table[bytes[at + 7] as number] as number);
	}
	for (; at < to; at += 1) crc = (crc >>> 8) ^ (table[(crc ^ (bytes[at] as number)) & 0xff] as number);
	return ~crc >>> 0;
};

/** A second hash that shares nothing with a CRC: multiply and mix, four bytes a step (the scheme of Murmur3). */
const mixed = (bytes: Uint8Array): number => {
	let hash = bytes.length | 0;
	const whole = bytes.length - (bytes.length % 4);
	const step = (word: number): void => {
		let mix = Math.imul(word, 0xcc9e2d51);
		mix = Math.imul((mix << 15) | (mix >>> 17), 0x1b873593);
		hash ^= mix;
		hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
	};
	for (let at = 0; at < whole; at += 4) {
		step((bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24));
	}
	for (let at = whole; at < bytes.length; at += 1) step(bytes[at] as number);
	hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
	hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
	return (hash ^ (hash >>> 16)) >>> 0;
};

const TWO_POW_32 = 4_294_967_296;

/** 53 bits of content, in one number that is exact: the CRC below, 21 bits of the other hash above. Tells apart, does not resist a forger. */
export const contentDigest = (bytes: Uint8Array): number => (mixed(bytes) & 0x1f_ffff) * TWO_POW_32 + crc32c(bytes);
