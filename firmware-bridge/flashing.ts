// Decides which image may be written to a leg board, how avrdude is asked to do it, and what its words mean.
import { fail } from "../contracts/errors.ts";
import { ok, type Result } from "../contracts/result.ts";
import { flashOf } from "./intel-hex.ts";

/** What is shipped beside the image, and what must fit it. */
export interface ImageManifest {
	/** Of the text of the hex file. */
	readonly hexSha256: string;
	/** Of the sources; its first eight bytes are what the board says of itself in hello. */
	readonly sourceSha256: string;
	readonly flashBytes: number;
}

export interface FlashTarget {
	readonly port: string;
	readonly baud: number;
	/** A configuration file of avrdude; absent: its own. */
	readonly config?: string;
}

/** ATmega328P; the P has another signature than the 328 without it. */
const SIGNATURE = "1e950f";
const PART = "m328p";
/** Of the Uno's bootloader and all its kin. */
const PROGRAMMER = "arduino";
const HASH = /^[0-9a-f]{64}$/;
/** What the bootloader leaves of 32 KiB. */
const FLASH_BYTES_MAX = 32_256;

/** Manifest as text, hex file as text and its SHA-256 -> manifest. Faults: IMAGE_INVALID. */
export const checkImage = (manifestText: string, hex: string, sha256: string): Result<ImageManifest> => {
	let value: unknown;
	try {
		value = JSON.parse(manifestText);
	} catch {
		return fail("IMAGE_INVALID", { detail: "its manifest is not JSON" });
	}
	const { hexSha256, sourceSha256, flashBytes } = (typeof value === "object" && value !== null ? value : {}) as {
		readonly [name in keyof ImageManifest]?: unknown;
	};
	const isWhole =
		typeof hexSha256 === "string" &&
		HASH.test(hexSha256) &&
		typeof sourceSha256 === "string" &&
		HASH.test(sourceSha256) &&
		typeof flashBytes === "number" &&
		flashBytes > 0 &&
		flashBytes <= FLASH_BYTES_MAX;
	if (!isWhole) return fail("IMAGE_INVALID", { detail: "its manifest says no hashes and size" });
	if (sha256 !== hexSha256) return fail("IMAGE_INVALID", { detail: `its hash is ${sha256.slice(0, 16)}, not ${hexSha256.slice(0, 16)} as its manifest says` });
	const flash = flashOf(hex);
	return flash.ok ? ok({ hexSha256, sourceSha256, flashBytes }) : flash;
};

const common = ({ port, baud, config }: FlashTarget): readonly string[] => [
	...(config === undefined ? [] : ["-C", config]),
	...["-p", PART, "-c", PROGRAMMER, "-P", port, "-b", String(baud)],
];

/** Reads the signature and writes nothing; -F, so that another chip is said by us and not only as a failure. */
export const askArguments = (target: FlashTarget): readonly string[] => [...common(target), "-F", "-n"];

/** Writes and reads back. Without -F: a chip that changed in between is refused by avrdude too. No chip erase, which would take the nonces' EEPROM. */
export const writeArguments = (target: FlashTarget, file: string): readonly string[] => [...common(target), "-D", "-U", `flash:w:${file}:i`];

/** The part of avrdude's words that a person should read: its last line that is a complaint. */
export const complaintIn = (said: string): string => {
	const lines = said
		.split("\n")
		.map((line) => line.trim())
		.filter((line) => line !== "" && !/thank you/i.test(line));
	return lines.findLast((line) => /error|mismatch|cannot|can't|not in sync|not responding/i.test(line)) ?? lines.at(-1) ?? "it said nothing";
};

/** Exit code and words of the question -> nothing, or why the board is not written. */
export const checkSignature = (port: string, exitCode: number | null, said: string): Result<undefined> => {
	const found = /device signature\s*=\s*(?:0x)?((?:[0-9a-f]{2} ?){3})/i.exec(said)?.[1]?.replaceAll(" ", "").toLowerCase();
	if (found !== undefined && found !== SIGNATURE)
		return fail("FLASH_REFUSED", { port, why: "wrong-signature", detail: `its chip says ${found}; an ATmega328P says ${SIGNATURE}` });
	if (exitCode !== 0 || found === undefined) return fail("FLASH_REFUSED", { port, why: "no-answer", detail: complaintIn(said) });
	return ok(undefined);
};
