// Shows that the picture of a number is a PNG that says what was measured: the bound where it is, what lies above it in another colour, round marks with units on both axes.
import { inflateSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { drawChart } from "../../core/service/picture.ts";
import { sayBound, sayNumber, timeMarks, unitOf, valueAxis } from "../../core/service/picture-scale.ts";

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

const RATIO = unitOf("diskUsedRatioMax");
const chart = (points: readonly number[], threshold?: number) =>
	drawChart({
		title: "fullest disk of pi-1",
		unit: RATIO,
		points: points.map((value, n) => ({ wallMs: at(n), value })),
		...(threshold === undefined ? {} : { threshold }),
	});

describe("a chart", () => {
	test("TELL-50: is a PNG; what lies above the bound is red, what lies below is blue, and the bound is written", () => {
		const [without, below, above] = [chart([0.5, 0.6, 0.5]), chart([0.5, 0.6, 0.5], 0.92), chart([0.93, 0.95, 0.99], 0.92)];
		if (without === undefined || below === undefined || above === undefined) throw new Error("nothing was drawn");
		expect(read(without)).toMatchObject({ signature: "PNG", width: 720, height: 380, rowBytes: 1 + 720 * 3 });
		expect(read(without).count(200, 40, 40)).toBe(0);
		const written = read(below).count(200, 40, 40);
		expect(written).toBeGreaterThan(500);
		expect(read(below).count(20, 98, 180)).toBeGreaterThan(1_000);
		expect(read(above).count(200, 40, 40)).toBeGreaterThan(written + 1_000);
		expect(read(above).count(20, 98, 180)).toBe(0);
	});
	test("the colour changes where the line crosses the bound", () => {
		const crossing = chart([0.8, 1], 0.9);
		if (crossing === undefined) throw new Error("nothing was drawn");
		expect(read(crossing).count(20, 98, 180)).toBeGreaterThan(500);
		expect(read(crossing).count(200, 40, 40)).toBeGreaterThan(500);
	});
	test("one point is drawn, none is not; a title that is too long and a letter that is unknown are drawn too", () => {
		expect(chart([3])).toBeDefined();
		expect(chart([])).toBeUndefined();
		expect(drawChart({ title: `${"x".repeat(100)} \u00e9`, unit: RATIO, points: [{ wallMs: at(0), value: 0 }] })).toBeDefined();
	});
});

describe("axes", () => {
	const texts = (values: readonly number[], field = "value") => valueAxis(values, unitOf(field)).marks.map(({ text }) => text);
	test.each([
		[[0.82, 0.953, 0.9], "diskUsedRatioMax", ["80%", "85%", "90%", "95%", "100%"]],
		[[0.951, 0.995], "memoryUsedRatio", ["94%", "96%", "98%", "100%"]],
		[[57, 85, 80], "temperatureMaxCelsius", ["50°C", "60°C", "70°C", "80°C", "90°C"]],
		[[5], "value", ["4.8", "5.0", "5.2"]],
		[[0], "value", ["-0.25", "0.00", "0.25"]],
		[[-3, 4], "value", ["-4", "-2", "0", "2", "4"]],
		[[4_000_000, 9_000_000], "usedBytes", ["4.0MB", "6.0MB", "8.0MB", "10.0MB"]],
	])("TELL-50: %j of %s is marked at round numbers with their unit", (values, field, marks) => {
		const axis = valueAxis(values, unitOf(field));
		expect(texts(values, field)).toEqual(marks);
		expect(axis.low).toBeLessThanOrEqual(Math.min(...values) + 1e-9);
		expect(axis.high).toBeGreaterThanOrEqual(Math.max(...values) - 1e-9);
	});
	test("TELL-50: whatever the values, the axis holds all of them, with two to seven marks that rise", () => {
		fc.assert(
			fc.property(fc.array(fc.double({ min: -1e12, max: 1e12, noNaN: true }), { minLength: 1, maxLength: 8 }), (values) => {
				const { low, high, marks } = valueAxis(values, unitOf("value"));
				const [least, most] = [Math.min(...values), Math.max(...values)];
				const slack = (Math.abs(least) + Math.abs(most) + 1) * 1e-9;
				expect(low).toBeLessThanOrEqual(least + slack);
				expect(high).toBeGreaterThanOrEqual(most - slack);
				expect(marks.length).toBeGreaterThanOrEqual(2);
				expect(marks.length).toBeLessThanOrEqual(7);
				for (const [index, { at: mark }] of marks.entries()) if (index > 0) expect(mark).toBeGreaterThan(marks[index - 1]?.at ?? 0);
			}),
		);
	});
	test.each([
		[at(0), at(4), ["03:04:00", "03:04:02", "03:04:04"]],
		[at(7), at(7) + 29 * 60_000, ["03:10", "03:20", "03:30"]],
		[at(0), at(0) + 27 * 3_600_000, ["06:00", "12:00", "18:00", "00:00", "06:00"].slice(0, 5)],
		[at(0), at(0) + 5 * 86_400_000, ["01-03", "01-05", "01-07"]],
	])("times from %d to %d are marked at round ones", (fromMs, toMs, marks) => {
		expect(timeMarks(fromMs, toMs, marks.length).map(({ text }) => text)).toEqual(marks);
	});
	test.each([
		[0.951, "value", "1.0"],
		[81.25, "temperatureMaxCelsius", "81.3°C"],
		[-12_345, "value", "-12.3k"],
		[123_456, "value", "123k"],
		[4_200_000, "value", "4.2M"],
		[7_000_000_000, "totalBytes", "7.0GB"],
		[-0.001, "value", "0.0"],
	])("%d of %s is written %s", (value, field, text) => expect(sayNumber(value, unitOf(field))).toBe(text));
	test.each([
		[0.07, "diskUsedRatioMax", "7%"],
		[0.955, "diskUsedRatioMax", "95.5%"],
		[80, "temperatureMaxCelsius", "80°C"],
	])("the bound %d of %s is written %s", (value, field, text) => expect(sayBound(value, unitOf(field))).toBe(text));
});
