// Shows what volts of a range finder mean, that near has an edge of a tenth, and that a lamp of a node never stands still (HARM-160).
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { blinkOf, distanceOf, nearnessOf, type RangeSensor } from "../../firmware-bridge/gadgets.ts";

const rawOf = (volts: number): number => (volts * 1_023) / 5;
const mm = (value: number) => ({ kind: "mm", mm: value }) as const;

describe("how far it is", () => {
	test.each([
		[2.3, 100],
		[1.3, 200],
		[0.92, 300],
		[0.4, 800],
	])("GP2Y0A21YK: %s V are %i mm", (volts, distanceMm) => {
		const distance = distanceOf("GP2Y0A21YK", rawOf(volts));
		expect(distance).toEqual(mm(distanceMm));
	});
	test("between two points of its curve it is between them, nearer to the nearer one", () => {
		// Half of the volts between 200 and 300 mm: half of one divided by the distance, and not of the distance.
		expect(distanceOf("GP2Y0A21YK", rawOf((1.3 + 0.92) / 2))).toEqual(mm(240));
	});
	test("MB1000: two steps are an inch", () => {
		expect(distanceOf("MB1000", 40)).toEqual(mm(508));
		expect(distanceOf("MB1000", 12)).toEqual(mm(152));
		expect(distanceOf("MB1000", 508)).toEqual(mm(6_452));
	});
	test.each([
		["GP2Y0A21YK", rawOf(2.4), "inside"],
		["GP2Y0A21YK", rawOf(0.39), "beyond"],
		["GP2Y0A21YK", 0, "beyond"],
		["MB1000", 11, "inside"],
		["MB1000", 509, "beyond"],
	] as const)("%s at %d: outside of what it can tell there is no number (%s)", (sensor, raw, kind) => {
		expect(distanceOf(sensor, raw)).toEqual({ kind });
	});
	test("more volts of the Sharp are never farther away, more of the MB1000 never nearer", () => {
		const far = (sensor: RangeSensor, raw: number): number => {
			const distance = distanceOf(sensor, raw);
			return distance.kind === "mm" ? distance.mm : distance.kind === "inside" ? 0 : 100_000;
		};
		fc.assert(
			fc.property(fc.integer({ min: 0, max: 1_022 }), (raw) => {
				expect(far("GP2Y0A21YK", raw + 1)).toBeLessThanOrEqual(far("GP2Y0A21YK", raw));
				expect(far("MB1000", raw + 1)).toBeGreaterThanOrEqual(far("MB1000", raw));
			}),
		);
	});
});

test.each([
	[mm(300), undefined, "near"],
	[mm(301), undefined, "far"],
	[mm(301), "far", "far"],
	[mm(330), "near", "near"],
	[mm(331), "near", "far"],
	[{ kind: "inside" }, "far", "near"],
	[{ kind: "beyond" }, "near", "far"],
] as const)("HARM-160 %j after %s, near being 300 mm: %s", (distance, before, nearness) => {
	expect(nearnessOf(distance, 300, before)).toBe(nearness);
});

test("HARM-160 a lamp blinks in each state, and working, alone and the rest are told apart", () => {
	const STATES = ["boot", "working", "alone", "stopped", "restricted", "off", "moving", "cut", "fault"];
	const blinks = STATES.map(blinkOf);
	for (const { litMs, darkMs } of blinks) expect([litMs > 0 && litMs <= 1_000, darkMs > 0 && darkMs <= 1_000]).toEqual([true, true]);
	expect(new Set(blinks.map((blink) => JSON.stringify(blink))).size).toBe(3);
});
