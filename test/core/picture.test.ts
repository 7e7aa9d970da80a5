// Shows that the picture of a number is a PNG that says what was measured: the bound where it is, what lies above it in another colour.
import { inflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { drawChart, rangeOf, shortNumber } from "../../core/service/picture.ts";

const at = (second: number): number => Date.UTC(2026, 0, 2, 3, 4, second);

/** Width, height, and how many dots have a colour. */
const read = (png: Uint8Array) => {
	const bytes = Buffer.from(png);
	const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
	const dataBytes = bytes.readUInt32BE(33);
	const rows = inflateSync(bytes.subarray(41, 41 + dataBytes));
	const count = (red: number, green: number, blue: number): number => {
		let dots = 0;
		for (let y = 0; y < height; y++) {
			for (let x = 0; x < width; x++) {
				const from = y * (1 + width * 3) + 1 + x * 3;
				if (rows[from] === red && rows[from + 1] === green && rows[from + 2] === blue) dots += 1;
			}
		}
		return dots;
	};
	return { signature: bytes.subarray(1, 4).toString(), width, height, rowBytes: rows.length / height, count };
};

describe("a chart", () => {
	test("is a PNG, and what lies above the bound is red", () => {
		const below = drawChart({ points: [0, 1, 2].map((n) => ({ wallMs: at(n), value: 0.5 })) });
		const above = drawChart({ points: [0, 1, 2].map((n) => ({ wallMs: at(n), value: 0.9 + n / 20 })), threshold: 0.92 });
		if (below === undefined || above === undefined) throw new Error("nothing was drawn");
		expect(read(below)).toMatchObject({ signature: "PNG", width: 640, height: 280, rowBytes: 1 + 640 * 3 });
		expect(read(below).count(200, 40, 40)).toBe(0);
		expect(read(below).count(20, 98, 180)).toBeGreaterThan(500);
		expect(read(above).count(200, 40, 40)).toBeGreaterThan(300);
	});
	test("one point is drawn, none is not", () => {
		expect(drawChart({ points: [{ wallMs: at(0), value: 3 }] })).toBeDefined();
		expect(drawChart({ points: [] })).toBeUndefined();
	});
	test("shows all values and the bound, also when all are equal", () => {
		expect(rangeOf({ points: [{ wallMs: 0, value: 5 }], threshold: 9 })).toEqual([4.68, 9.32]);
		const [low, high] = rangeOf({ points: [{ wallMs: 0, value: 0 }] });
		expect(low).toBeLessThan(high);
	});
	test.each([
		[0.951, "0.95"],
		[81.25, "81.3"],
		[812, "812"],
		[-812, "-812"],
		[12_345, "12.3k"],
		[123_456, "123k"],
		[4_200_000, "4.2M"],
		[7_000_000_000, "7.0G"],
	])("%d is written %s", (value, text) => expect(shortNumber(value)).toBe(text));
});
