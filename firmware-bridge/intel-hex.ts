// Decides what an Intel hex file puts into flash, or why it is none.
import { fail } from "../contracts/errors.ts";
import { ok, type Result } from "../contracts/result.ts";

const FLASH_WORDS = 16_384;

/** Words of flash, erased where the file says nothing. */
export const flashOf = (text: string): Result<Uint16Array> => {
	const bytes = new Uint8Array(FLASH_WORDS * 2).fill(0xff);
	const wrong = (line: number, detail: string) => fail("IMAGE_INVALID", { detail: `line ${line}: ${detail}` });
	for (const [at, raw] of text.split("\n").entries()) {
		const line = raw.trim();
		if (line === "") continue;
		if (!/^:([0-9A-Fa-f]{2}){5,}$/.test(line)) return wrong(at + 1, "not a record");
		const record = Uint8Array.from({ length: (line.length - 1) / 2 }, (_, byte) => Number.parseInt(line.slice(1 + 2 * byte, 3 + 2 * byte), 16));
		if ((record.reduce((sum, byte) => sum + byte, 0) & 0xff) !== 0) return wrong(at + 1, "checksum");
		const [count = 0, high = 0, low = 0, type = 0] = record;
		if (record.length !== count + 5) return wrong(at + 1, "length");
		const address = (high << 8) | low;
		if (type === 1) return ok(new Uint16Array(bytes.buffer));
		if (type === 3) continue;
		if (type !== 0) return wrong(at + 1, `record type ${type}`);
		if (address + count > bytes.length) return wrong(at + 1, "past the end of flash");
		bytes.set(record.subarray(4, 4 + count), address);
	}
	return fail("IMAGE_INVALID", { detail: "no end record" });
};
