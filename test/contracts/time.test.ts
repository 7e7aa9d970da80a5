// Shows that durations are parsed strictly and said simply, and that the compiler keeps instants, durations and wall time apart (HARM-7).
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkContract } from "../../contracts/envelope.ts";
import {
	between,
	type Duration,
	duration,
	type Instant,
	instant,
	isoTime,
	after as later,
	parseDuration,
	sayDuration,
	type WallTime,
	wallTime,
} from "../../contracts/time.ts";

const UNITS = [
	["ms", 1],
	["s", 1_000],
	["min", 60_000],
	["h", 3_600_000],
	["d", 86_400_000],
] as const;

describe("parseDuration", () => {
	test.each([
		["250ms", 250],
		["30s", 30_000],
		["10min", 600_000],
		["24h", 86_400_000],
		["7d", 604_800_000],
		["0s", 0],
		["007s", 7_000],
		["999999999d", 86_399_999_913_600_000],
	])("%s is %d ms", (text, ms) => {
		expect(parseDuration(text)).toBe(ms);
	});
	test.each([
		"",
		"5",
		"s",
		"-5s",
		"+5s",
		"5 s",
		" 5s",
		"5s ",
		"5s\n",
		"1.5h",
		"1e3ms",
		"1000000000s",
		"5S",
		"5m",
		"5w",
		"5sec",
		"0x5s",
		"٥s",
		"5s5s",
		"Infinityms",
		"NaNs",
		"1,000ms",
	])("%j is no duration", (text) => {
		expect(parseDuration(text)).toBeUndefined();
	});
	test("every count with every unit is that many of it, and never below zero", () => {
		fc.assert(
			fc.property(fc.nat({ max: 999_999_999 }), fc.constantFrom(...UNITS), (count, [unit, unitMs]) => {
				expect(parseDuration(`${count}${unit}`)).toBe(count * unitMs);
			}),
		);
		fc.assert(fc.property(fc.string(), (text) => (parseDuration(text) ?? 0) >= 0));
	});
	test("reads what the policies' contract lets through, and nothing else", () => {
		const limits = { version: 1, evidencePerIncidentMax: 1, forgetResolvedAfter: "1d", receiptWithin: "1s", askTimesMax: 1 };
		const texts = fc.oneof(fc.string({ maxLength: 12 }), fc.stringMatching(/^[0-9]{0,10}(ms|s|min|h|d|m|)$/));
		fc.assert(fc.property(texts, (text) => checkContract("policy.limits", { ...limits, reopenWithin: text }).ok === (parseDuration(text) !== undefined)));
	});
});

describe("sayDuration", () => {
	test.each([
		[0, "0 ms"],
		[250, "250 ms"],
		[999, "999 ms"],
		[1_000, "1.0 s"],
		[4_210, "4.2 s"],
		[10_000, "10 s"],
		[59_000, "59 s"],
		[60_000, "1 min"],
		[600_000, "10 min"],
		[3_600_000, "1 h"],
		[86_400_000, "24 h"],
		[172_800_000, "2 d"],
		[604_800_000, "7 d"],
	])("%d ms is said %s", (ms, text) => {
		expect(sayDuration(ms)).toBe(text);
	});
	test("always is a number with a unit", () => {
		fc.assert(fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (ms) => /^\d+(\.\d)? (ms|s|min|h|d)$/.test(sayDuration(ms))));
	});
});

describe("isoTime", () => {
	test("always has three decimals and Z, from 1970 to the last moment that a clock record may carry", () => {
		expect(isoTime(0)).toBe("1970-01-01T00:00:00.000Z");
		expect(isoTime(1_795_219_200_007)).toBe("2026-11-21T00:00:00.007Z");
		expect(isoTime(253_402_300_799_999)).toBe("9999-12-31T23:59:59.999Z");
		const envelope = { specversion: "1.0", id: "i", source: "/core/clock", type: "dev.orion.clock.tick.v1", data: {} };
		fc.assert(
			fc.property(
				fc.nat({ max: 253_402_300_799_999 }),
				(wallMs) => checkContract("envelope", { ...envelope, time: isoTime(wallMs), recordedtime: isoTime(wallMs) }).ok,
			),
		);
	});
});

describe("instants and durations", () => {
	test("add up", () => {
		fc.assert(
			fc.property(fc.integer(), fc.nat(), (at, by) => {
				const then = later(instant(at), duration(by));
				expect(between(instant(at), then)).toBe(by);
			}),
		);
	});
	// Never called: what matters is that the compiler refuses each line.
	const refused = (at: Instant, by: Duration, wall: WallTime): readonly unknown[] => [
		// @ts-expect-error an instant is no span
		later(at, at),
		// @ts-expect-error a span is no point in time
		later(by, by),
		// @ts-expect-error wall time decides nothing
		later(wall, by),
		// @ts-expect-error a span has no distance to a point
		between(by, at),
		// @ts-expect-error wall time is not on the monotonic axis
		between(at, wall),
		// @ts-expect-error a bare number says neither
		later(at, 5),
		// @ts-expect-error a bare number says neither
		later(5, by),
		// @ts-expect-error wall time is not an instant
		wallTime(5) satisfies Instant,
	];
	test("the compiler refuses to confuse them", () => {
		expect(refused).toBeTypeOf("function");
	});
});
