// Shows that every message is either an envelope that obeys its contract or a fault that says where it breaks it; no bytes can do anything else (LOSS-9).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
	checkContract,
	checkEnvelope,
	contractOf,
	DEPTH_MAX,
	ENVELOPE_BYTES_MAX,
	type Envelope,
	encodeEnvelope,
	isType,
	LANES,
	nodeOfSource,
	parseEnvelope,
	parseJson,
	sessionCounter,
	unknownFields,
} from "../../contracts/envelope.ts";
import { ENVELOPED } from "../../contracts/gen/validate.ts";
import type { Result } from "../../contracts/result.ts";

const EXAMPLES = join(import.meta.dirname, "../../contracts/examples");
const validOf = (name: string): readonly object[] =>
	(JSON.parse(readFileSync(join(EXAMPLES, `${name}.json`), "utf8")) as { readonly valid: readonly object[] }).valid;
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const ENVELOPES = ENVELOPED.flatMap((name) =>
	validOf(name).map((data) => ({ specversion: "1.0", id: "0193a7c2", source: "/nodes/pi-3", type: `dev.orion.${name}.v1`, data }) as Envelope),
);
const ALERT = { specversion: "1.0", id: "1", source: "/nodes/pi-3", type: "dev.orion.alert.firing.v1", data: { name: "a", severity: "info", summary: "s" } };
const faultOf = (result: Result<unknown>): unknown => (result.ok ? "no fault" : result.fault);
const codeOf = (result: Result<unknown>): string => (result.ok ? "no fault" : result.fault.code);

const envelope: fc.Arbitrary<Envelope> = fc
	.record({
		base: fc.constantFrom(...ENVELOPES),
		more: fc.record(
			{
				subject: fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }),
				time: fc.date({ noInvalidDate: true, min: new Date(0), max: new Date("9999-12-31") }).map((date) => date.toISOString()),
				mesh: fc.uuid({ version: 7 }),
				session: fc.tuple(fc.integer({ min: 1, max: 999_999_999_999_999 }), fc.stringMatching(/^[0-9a-f]{16}$/)).map((parts) => parts.join(".")),
				lane: fc.constantFrom(...LANES),
				seq: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
				mono: fc.nat(),
				vendor: fc.jsonValue({ maxDepth: 3 }),
			},
			{ requiredKeys: [] },
		),
	})
	.map(({ base, more }) => ({ ...base, ...(JSON.parse(JSON.stringify(more)) as object) }) as Envelope)
	.filter((made) => encodeEnvelope(made).byteLength <= ENVELOPE_BYTES_MAX);

describe("parseEnvelope", () => {
	test("gives back what was encoded, unknown attributes and fields too", () => {
		fc.assert(
			fc.property(envelope, (made) => {
				expect(parseEnvelope(encodeEnvelope(made))).toEqual({ ok: true, value: made });
				expect(encodeEnvelope(made)).toEqual(encodeEnvelope({ ...made }));
			}),
			{ numRuns: 500 },
		);
	});
	const neverThrows = (bytes: Uint8Array): void => {
		const result = parseEnvelope(bytes);
		if (result.ok) expect(contractOf(result.value.type)).toBeDefined();
		else expect(["TOO_LARGE", "NOT_JSON", "TOO_DEEP", "CONTRACT_VIOLATED", "TYPE_UNKNOWN"]).toContain(result.fault.code);
	};
	test("never throws, whatever bytes come", () => {
		fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), neverThrows), { numRuns: 2_000 });
		fc.assert(fc.property(fc.json({ maxDepth: 20 }).map(bytesOf), neverThrows), { numRuns: 500 });
	});
	test("never throws on a message in which bytes were changed, cut or doubled", () => {
		const change = fc.record({ at: fc.nat(), to: fc.nat({ max: 255 }), kind: fc.constantFrom("set", "cut", "double") });
		fc.assert(
			fc.property(fc.constantFrom(...ENVELOPES), fc.array(change, { minLength: 1, maxLength: 4 }), (made, changes) => {
				let bytes = [...encodeEnvelope(made)];
				for (const { at, to, kind } of changes) {
					const place = at % Math.max(bytes.length, 1);
					if (kind === "set") bytes[place] = to;
					else if (kind === "cut") bytes = bytes.slice(0, place);
					else bytes = [...bytes.slice(0, place), ...bytes];
				}
				neverThrows(Uint8Array.from(bytes));
			}),
			{ numRuns: 1_000 },
		);
	});
	test("the pointer of a fault in data begins with /data, and that of a fault outside does not", () => {
		const wrong = { ...ALERT, data: { ...ALERT.data, severity: "loud" } };
		expect(faultOf(checkEnvelope(wrong))).toMatchObject({ code: "CONTRACT_VIOLATED", facts: { schema: "alert.firing", pointer: "/data/severity" } });
		expect(faultOf(checkEnvelope({ ...ALERT, id: "" }))).toMatchObject({ code: "CONTRACT_VIOLATED", facts: { schema: "envelope", pointer: "/id" } });
	});
	test("a fault names what is allowed where there is a choice", () => {
		const { fault } = checkContract("level.set", { level: "N9", by: "x" }) as Extract<Result<never>, { ok: false }>;
		expect(fault.facts["detail"]).toContain('["N0","N2","N3"]');
	});
});

describe("bounds", () => {
	const sized = (bytes: number): Uint8Array => {
		const frame = JSON.stringify({ ...ALERT, filler: "" }).length;
		return bytesOf(JSON.stringify({ ...ALERT, filler: "x".repeat(bytes - frame) }));
	};
	test("64 KiB pass and one byte more does not", () => {
		expect(sized(ENVELOPE_BYTES_MAX).byteLength).toBe(65_536);
		expect(codeOf(parseEnvelope(sized(ENVELOPE_BYTES_MAX)))).toBe("no fault");
		expect(faultOf(parseEnvelope(sized(ENVELOPE_BYTES_MAX + 1)))).toEqual({ code: "TOO_LARGE", facts: { bytes: 65_537, bytesMax: 65_536 } });
	});
	test("size is counted in bytes, not in letters", () => {
		const text = JSON.stringify({ ...ALERT, filler: "€".repeat(22_000) });
		expect(text.length).toBeLessThan(ENVELOPE_BYTES_MAX);
		expect(codeOf(parseJson(bytesOf(text)))).toBe("TOO_LARGE");
	});
	const nested = (levels: number): string => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;
	test("16 levels pass and one more does not, in lists too", () => {
		expect(DEPTH_MAX).toBe(16);
		expect(codeOf(parseJson(bytesOf(nested(DEPTH_MAX))))).toBe("no fault");
		expect(faultOf(parseJson(bytesOf(nested(DEPTH_MAX + 1))))).toEqual({ code: "TOO_DEEP", facts: { depthMax: 16 } });
		expect(codeOf(parseJson(bytesOf("[".repeat(DEPTH_MAX) + "]".repeat(DEPTH_MAX))))).toBe("no fault");
		expect(codeOf(parseJson(bytesOf("[".repeat(DEPTH_MAX + 1) + "]".repeat(DEPTH_MAX + 1))))).toBe("TOO_DEEP");
	});
	test("32,000 levels exhaust no stack", () => {
		expect(codeOf(parseJson(bytesOf("[".repeat(32_000) + "]".repeat(32_000))))).toBe("TOO_DEEP");
		expect(codeOf(parseJson(bytesOf(nested(9_000))))).toBe("TOO_DEEP");
	});
	test("depth behind a broad list is found", () => {
		expect(codeOf(parseJson(bytesOf(`[${"0,".repeat(5_000)}${nested(DEPTH_MAX)}]`)))).toBe("TOO_DEEP");
		expect(codeOf(parseJson(bytesOf(`{"a":0,"b":${nested(DEPTH_MAX)}}`)))).toBe("TOO_DEEP");
	});
});

describe("parseJson", () => {
	test.each([
		["nothing", []],
		["a byte order mark alone", [0xef, 0xbb, 0xbf]],
		["a lone continuation byte", [0x22, 0x80, 0x22]],
		["an overlong slash", [0x22, 0xc0, 0xaf, 0x22]],
		["a surrogate in UTF-8", [0x22, 0xed, 0xa0, 0x80, 0x22]],
		["past the last code point", [0x22, 0xf4, 0x90, 0x80, 0x80, 0x22]],
		["a cut character", [0x22, 0xe2, 0x82]],
	])("%s is no JSON", (_, bytes) => {
		expect(codeOf(parseJson(Uint8Array.from(bytes)))).toBe("NOT_JSON");
	});
	test.each(["", " ", "{", "{}{}", "undefined", "NaN", "Infinity", "'a'", "{a:1}", "[1,]", "01", "// x\n{}", "\u0000"])("%j is no JSON", (text) => {
		const found = faultOf(parseJson(bytesOf(text)));
		expect(found).toMatchObject({ code: "NOT_JSON", facts: { detail: expect.stringMatching(/./) } });
	});
	test.each(["null", "1", '"text"', "[]", "true"])("%s is JSON and no envelope", (text) => {
		expect(codeOf(parseJson(bytesOf(text)))).toBe("no fault");
		expect(faultOf(parseEnvelope(bytesOf(text)))).toMatchObject({ code: "CONTRACT_VIOLATED", facts: { schema: "envelope", pointer: "" } });
	});
	test("a fault never carries the message along", () => {
		const found = parseJson(bytesOf(`{"password":"${"s".repeat(2_000)}`));
		expect(JSON.stringify(faultOf(found)).length).toBeLessThan(300);
	});
});

describe("__proto__", () => {
	const poisoned = (where: string): string => where.replace("POISON", '"__proto__":{"polluted":true,"isAdmin":true}');
	test("is an unknown attribute like any other: kept as it came, and no prototype changes", () => {
		const result = parseEnvelope(bytesOf(poisoned(JSON.stringify(ALERT).replace("{", "{POISON,"))));
		expect(result.ok && Object.hasOwn(result.value, "__proto__")).toBe(true);
		expect(result.ok && Object.getPrototypeOf(result.value)).toBe(Object.prototype);
		expect(({} as Readonly<Record<string, unknown>>)["polluted"]).toBeUndefined();
		expect(result.ok && new TextDecoder().decode(encodeEnvelope(result.value))).toContain('"__proto__":{"polluted":true');
	});
	test("is refused where a contract is closed", () => {
		expect(
			faultOf(
				checkContract(
					"policy.limits",
					JSON.parse(
						'{"__proto__":{},"version":1,"reopenWithin":"1s","evidencePerIncidentMax":1,"forgetResolvedAfter":"1d","receiptWithin":"1s","askTimesMax":1}',
					),
				),
			),
		).toMatchObject({
			facts: { pointer: "/__proto__" },
		});
	});
	test("brings no required property: inherited ones do not count", () => {
		const inherited = JSON.parse('{"__proto__":{"incident":"i","why":"w","suggestion":"s"}}') as unknown;
		expect(faultOf(checkContract("person.asked", inherited))).toMatchObject({ facts: { pointer: "/incident" } });
		expect(faultOf(checkContract("person.asked", Object.create({ incident: "i", why: "w", suggestion: "s" })))).toMatchObject({
			facts: { pointer: "/incident" },
		});
	});
	test.each(["toString", "constructor", "hasOwnProperty", "__proto__", "valueOf"])("%s is a field that no contract names", (field) => {
		const data = JSON.parse(`{"name":"a","severity":"info","summary":"s",${JSON.stringify(field)}:1}`) as object;
		expect(unknownFields({ ...ALERT, data } as Envelope)).toEqual([field]);
	});
});

describe("contractOf", () => {
	test.each(ENVELOPED)("knows %s", (name) => {
		expect(contractOf(`dev.orion.${name}.v1`)).toBe(name);
	});
	test.each([
		"dev.orion.alert.firing.v2",
		"dev.orion.alert.firing.v0",
		"dev.orion.alert.firing.v01",
		"dev.orion.alert.firing",
		"dev.orion.alert.firing.v1 ",
		"alert.firing",
		"dev.orion.alert.unknown.v1",
		"com.example.alert.firing.v1",
		"dev.orion.to.string.v1",
		"dev.orion.__proto__.x.v1",
		"dev.orion.envelope.v1",
		"",
	])("%j is no type of a message", (type) => {
		expect(contractOf(type)).toBeUndefined();
	});
	test.each([
		"action.command",
		"core.beacon",
		"config.broker",
		"config.node",
		"config.orion",
		"kept.rehearsal",
		"kept.services",
		"policy.limits",
		"node.watermark",
		"node.verdict",
	])("%s is a contract, and none of a message", (name) => {
		const data = validOf(name)[0];
		expect(contractOf(`dev.orion.${name}.v1`)).toBeUndefined();
		expect(faultOf(checkEnvelope({ ...ALERT, type: `dev.orion.${name}.v1`, data }))).toEqual({
			code: "TYPE_UNKNOWN",
			facts: { type: `dev.orion.${name}.v1` },
		});
	});
});

describe("attributes", () => {
	test("nodeOfSource names the node that a source speaks for", () => {
		const sources = [
			"/nodes/pi-3",
			"/nodes/pi-3.backup",
			"/nodes/pi-3/job",
			"/core/guardian",
			"/nodes/",
			"/nodes/Pi-3",
			`/nodes/${"a".repeat(33)}`,
			"nodes/pi-3",
			"/nodes/pi-3 ",
			"",
		];
		expect(sources.map(nodeOfSource)).toEqual(["pi-3", "pi-3", "pi-3", undefined, undefined, undefined, undefined, undefined, undefined, undefined]);
	});
	test("sessionCounter reads the counter of every session that the contract lets through, exactly", () => {
		fc.assert(
			fc.property(fc.integer({ min: 1, max: 999_999_999_999_999 }), (counter) => {
				const session = `${counter}.00000000000000aa`;
				expect(checkContract("log.gap", { source: "s", session, lane: "event", fromSeq: 1, toSeq: 1, why: "timed-out" }).ok).toBe(true);
				expect(sessionCounter(session)).toBe(counter);
				expect(Number.isSafeInteger(sessionCounter(session) + 1)).toBe(true);
			}),
		);
	});
	test("isType narrows", () => {
		const [first] = ENVELOPES.filter(({ type }) => type === "dev.orion.alert.firing.v1");
		expect(first !== undefined && isType(first, "dev.orion.alert.firing.v1") && first.data.summary).toBe("The backup of pi-3 ended with code 2");
		expect(first !== undefined && isType(first, "dev.orion.alert.resolved.v1")).toBe(false);
	});
	test("unknownFields names what the contract does not, once each", () => {
		expect(unknownFields({ ...ALERT, data: { ...ALERT.data, labels: {}, later: 1, again: 2 } } as Envelope)).toEqual(["later", "again"]);
		expect(unknownFields({ ...ALERT, type: "dev.orion.not.known.v1" } as unknown as Envelope)).toEqual([]);
	});
});
