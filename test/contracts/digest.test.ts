// Shows that the same JSON value has the same digest everywhere: the vectors of RFC 8785, key order, depth, and ids that are derived (TELL-1).
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalText, derivedId, digest, sha256Hex } from "../../contracts/digest.ts";

const numberOf = (bits: string): number => {
	const view = new DataView(new ArrayBuffer(8));
	view.setBigUint64(0, BigInt(`0x${bits}`));
	return view.getFloat64(0);
};

/** RFC 8785, appendix B. */
const NUMBERS: readonly (readonly [bits: string, text: string])[] = [
	["0000000000000000", "0"],
	["8000000000000000", "0"],
	["0000000000000001", "5e-324"],
	["8000000000000001", "-5e-324"],
	["7fefffffffffffff", "1.7976931348623157e+308"],
	["ffefffffffffffff", "-1.7976931348623157e+308"],
	["4340000000000000", "9007199254740992"],
	["c340000000000000", "-9007199254740992"],
	["4430000000000000", "295147905179352830000"],
	["44b52d02c7e14af5", "9.999999999999997e+22"],
	["44b52d02c7e14af6", "1e+23"],
	["44b52d02c7e14af7", "1.0000000000000001e+23"],
	["444b1ae4d6e2ef4e", "999999999999999700000"],
	["444b1ae4d6e2ef4f", "999999999999999900000"],
	["444b1ae4d6e2ef50", "1e+21"],
	["3eb0c6f7a0b5ed8c", "9.999999999999997e-7"],
	["3eb0c6f7a0b5ed8d", "0.000001"],
	["41b3de4355555553", "333333333.3333332"],
	["41b3de4355555554", "333333333.33333325"],
	["41b3de4355555555", "333333333.3333333"],
	["41b3de4355555556", "333333333.3333334"],
	["41b3de4355555557", "333333333.33333343"],
	["becbf647612f3696", "-0.0000033333333333333333"],
	["43143ff3c1cb0959", "1424953923781206.2"],
];

describe("RFC 8785", () => {
	test.each(NUMBERS)("the number %s is written %s", (bits, text) => {
		expect(canonicalText(numberOf(bits))).toBe(text);
	});
	test.each(["7fffffffffffffff", "7ff0000000000000", "fff0000000000000"])("the number %s has no JSON form", (bits) => {
		expect(() => canonicalText(numberOf(bits))).toThrow();
		expect(() => canonicalText({ deep: [numberOf(bits)] })).toThrow();
	});
	test("keys are sorted by UTF-16 code units, as in section 3.2.3", () => {
		const text = canonicalText({
			"€": "Euro Sign",
			"\r": "Carriage Return",
			"\ufb33": "Hebrew Letter Dalet With Dagesh",
			"1": "One",
			"😀": "Emoji: Grinning Face",
			"\u0080": "Control",
			ö: "Latin Small Letter O With Diaeresis",
		});
		const values = [
			"Carriage Return",
			"One",
			"Control",
			"Latin Small Letter O With Diaeresis",
			"Euro Sign",
			"Emoji: Grinning Face",
			"Hebrew Letter Dalet With Dagesh",
		];
		expect(Object.values(JSON.parse(`[${[...text.matchAll(/:("[^"]*")/g)].map((match) => match[1]).join()}]`) as readonly string[])).toEqual(values);
	});
	test("the example of section 3.2.2 is written as in section 3.2.4", () => {
		const value: unknown = JSON.parse(
			'{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}',
		);
		const text = '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}';
		expect(canonicalText(value)).toBe(text);
	});
});

const shuffled = (value: unknown): unknown => {
	if (Array.isArray(value)) return value.map(shuffled);
	if (value === null || typeof value !== "object") return value;
	return Object.fromEntries(
		Object.entries(value)
			.reverse()
			.map(([key, inner]) => [key, shuffled(inner)]),
	);
};

describe("digest", () => {
	test("is the SHA-256 of the canonical text, known from elsewhere", () => {
		expect(sha256Hex("")).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
		expect(sha256Hex(new TextEncoder().encode("abc"))).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
		expect(digest({})).toBe(`sha256:${sha256Hex("{}")}`);
		expect(digest({ b: 1, a: 2 })).toBe(`sha256:${sha256Hex('{"a":2,"b":1}')}`);
	});
	test("does not depend on the order of keys, and survives a trip through JSON", () => {
		fc.assert(
			fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
				expect(digest(shuffled(value))).toBe(digest(value));
				expect(digest(JSON.parse(JSON.stringify(value)))).toBe(digest(value));
			}),
		);
	});
	test("differs when anything differs: order of a list, type, absence", () => {
		const values = [{}, [], null, "", 0, false, { a: null }, { a: [1, 2] }, { a: [2, 1] }, { a: "1" }, { a: 1 }, "{}", [[]], { "": {} }];
		expect(new Set(values.map(digest)).size).toBe(values.length);
	});
	test("bounds the depth before it recurses: 64 levels pass, more are our bug", () => {
		const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);
		expect(canonicalText(nested(64))).toBe(`${"[".repeat(64)}1${"]".repeat(64)}`);
		expect(() => digest(nested(65))).toThrow("BUG: a value deeper than 64 levels");
		expect(() => digest(JSON.parse(`${"[".repeat(10_000)}${"]".repeat(10_000)}`))).toThrow("BUG: a value deeper than 64 levels");
	});
	test("what has no JSON form is our bug, too", () => {
		for (const value of [undefined, () => 1, Symbol("s")]) expect(() => digest(value)).toThrow("BUG: a value without a JSON form");
	});
});

describe("derivedId", () => {
	test("never changes: the outputs of a recorded cause are found again by it (TELL-1)", () => {
		expect(derivedId("0193a7c2-5f10-7abc-8def-0123456789ab", 0)).toBe("4d8122c7e170ed9daefe459488a9d98b");
	});
	test("is 32 hex characters and differs by cause and index, also where they could be confused", () => {
		const ids = [derivedId("a", 0), derivedId("a", 1), derivedId("a", 10), derivedId("a1", 0), derivedId("b", 0), derivedId("", 0), derivedId("a\n1", 0)];
		for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/);
		expect(new Set(ids).size).toBe(ids.length);
	});
});
