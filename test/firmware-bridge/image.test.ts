// Shows that the committed image belongs to the committed sources, that a damaged image is refused, and that the chip model keeps the data sheet's rules (HARM-25).
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { flashOf } from "../../firmware-bridge/intel-hex.ts";
import { Pca9685 } from "../../firmware-bridge/virtual-board/pca9685.ts";
import { committedImage, sourceHashNow, sourcesNow } from "./image.ts";

describe("the committed image", () => {
	test("was built from the sources that are here, and is the file that was built (HARM-25)", () => {
		const { hex, manifest } = committedImage();
		expect(manifest.sources).toEqual(sourcesNow());
		expect(manifest.sourceSha256).toBe(sourceHashNow());
		expect(manifest.hexSha256).toBe(createHash("sha256").update(hex).digest("hex"));
		expect(manifest.flashBytes).toBeLessThan(30_000);
	});

	const record = (...bytes: readonly number[]): string => {
		const sum = bytes.reduce((total, byte) => total + byte, 0);
		return `:${[...bytes, -sum & 0xff].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
	};
	const END = ":00000001FF";
	test("hex is read record by record", () => {
		const flash = flashOf(`${record(2, 0, 4, 0, 0x34, 0x12)}\r\n${END}\n`);
		expect(flash.ok && [...flash.value.subarray(0, 4)]).toEqual([0xffff, 0xffff, 0x1234, 0xffff]);
	});
	test.each([
		["line 1: not a record", "hello"],
		["line 1: checksum", ":020004003412B5"],
		["line 1: length", record(3, 0, 4, 0, 0x34, 0x12)],
		["line 1: record type 7", record(0, 0, 0, 7)],
		["line 1: past the end of flash", record(2, 0x7f, 0xff, 0, 1, 2)],
		["no end record", record(2, 0, 4, 0, 0x34, 0x12)],
	])("refused: %s", (detail, text) => {
		expect(flashOf(text)).toEqual({ ok: false, fault: { code: "IMAGE_INVALID", facts: { detail } } });
	});
});

describe("the chip model", () => {
	const write = (chip: Pca9685, ...bytes: readonly number[]): boolean => {
		chip.start();
		for (const byte of bytes) chip.write(byte);
		return chip.stop();
	};
	test("prescale can be written only asleep; asleep nothing comes out; outputs change when the bus stops", () => {
		const chip = new Pca9685();
		write(chip, 0xfe, 121);
		expect(chip.periodUs()).toBeCloseTo(19_988.48, 2);
		write(chip, 0x06, 0);
		expect(write(chip, 0x00, 0x20)).toBe(false);
		write(chip, 0xfe, 30);
		expect(chip.periodUs()).toBeCloseTo(19_988.48, 2);
		chip.start();
		for (const byte of [0x06, 0, 0, 0x33, 0x01]) chip.write(byte);
		expect(chip.pulsesUs()[0]).toBe(0);
		expect(chip.stop()).toBe(true);
		expect(chip.pulsesUs()[0]).toBeCloseTo(307 * 4.88, 2);
		expect(write(chip, 0xfd, 0x10)).toBe(true);
		expect(chip.pulsesUs().every((pulseUs) => pulseUs === 0)).toBe(true);
	});
});
