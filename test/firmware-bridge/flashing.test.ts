// Shows which images may be written to a leg board, and that what avrdude says is understood (HARM-129).
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { sha256Hex } from "../../contracts/digest.ts";
import { askArguments, checkImage, checkSignature, complaintIn, writeArguments } from "../../firmware-bridge/flashing.ts";

const HEX = readFileSync(new URL("../../firmware-bridge/firmware/leg-board/leg-board.hex", import.meta.url), "utf8");
const MANIFEST = readFileSync(new URL("../../firmware-bridge/firmware/leg-board/leg-board.json", import.meta.url), "utf8");
const withField = (fields: object): string => JSON.stringify({ ...(JSON.parse(MANIFEST) as object), ...fields });
const target = { port: "/dev/ttyUSB0", baud: 115_200 };

describe("an image (HARM-129)", () => {
	test("as committed it is good; one byte more, another hash, or a manifest without one is not", () => {
		expect(checkImage(MANIFEST, HEX, sha256Hex(HEX))).toMatchObject({ ok: true, value: { flashBytes: 5452 } });
		const other = HEX.replace("0C94", "0C95");
		const refused = [
			// Sound in itself, and not the one that the manifest names.
			checkImage(MANIFEST, HEX.toLowerCase(), sha256Hex(HEX.toLowerCase())),
			checkImage(MANIFEST, other, sha256Hex(other)),
			checkImage(withField({ hexSha256: sha256Hex(other) }), other, sha256Hex(other)),
			checkImage(withField({ hexSha256: undefined }), HEX, sha256Hex(HEX)),
			checkImage(withField({ sourceSha256: "abc" }), HEX, sha256Hex(HEX)),
			checkImage(withField({ flashBytes: 32_257 }), HEX, sha256Hex(HEX)),
			checkImage("null", HEX, sha256Hex(HEX)),
			checkImage("{", HEX, sha256Hex(HEX)),
		];
		for (const found of refused) expect(found).toMatchObject({ ok: false, fault: { code: "IMAGE_INVALID" } });
	});
});

describe("avrdude (HARM-129)", () => {
	test("is asked first without writing, and writes without force and without erasing the chip", () => {
		expect(askArguments(target)).toEqual(["-p", "m328p", "-c", "arduino", "-P", "/dev/ttyUSB0", "-b", "115200", "-F", "-n"]);
		const write = writeArguments({ ...target, config: "/x/avrdude.conf" }, "/x/leg board.hex");
		expect(write).toEqual(["-C", "/x/avrdude.conf", ...askArguments(target).slice(0, 8), "-D", "-U", "flash:w:/x/leg board.hex:i"]);
		expect(write).not.toContain("-F");
	});

	test.each([
		["Device signature = 0x1e950f (probably m328p)", 0],
		["avrdude: Device signature = 1E 95 0F (ATmega328P)", 0],
	])("%s: the right chip", (said, exitCode) => expect(checkSignature("p", exitCode, said)).toEqual({ ok: true, value: undefined }));

	test.each([
		["Device signature = 0x1e9514 (probably m328)", 0, "wrong-signature", "1e9514"],
		["avrdude: device signature = 0x1e9801\navrdude error: expected signature for ATmega328P is 1E 95 0F", 1, "wrong-signature", "1e9801"],
		["stk500_getsync() attempt 10 of 10: not in sync: resp=0x00\n\navrdude done.  Thank you.", 1, "no-answer", "not in sync"],
		["", 1, "no-answer", "it said nothing"],
		["Device signature = 0x1e950f", 1, "no-answer", "1e950f"],
		["", 0, "no-answer", "it said nothing"],
		["", null, "no-answer", "it said nothing"],
	])("%j with exit %s: refused, %s", (said, exitCode, why, detail) => {
		const found = checkSignature("p", exitCode, said);
		expect(found).toMatchObject({ ok: false, fault: { code: "FLASH_REFUSED", facts: { why } } });
		expect(found.ok ? "" : found.fault.facts["detail"]).toContain(detail);
	});

	test("the line that complains is the one that is shown", () => {
		expect(complaintIn("reading 1\nverification error, first mismatch at byte 0x0000\n0x0c != 0xf3\navrdude done.  Thank you.\n")).toBe(
			"verification error, first mismatch at byte 0x0000",
		);
	});
});
