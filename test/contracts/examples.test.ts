// Shows that every contract accepts what it should and names the place where a message breaks it: hand-written examples against the generated validators.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkContract } from "../../contracts/envelope.ts";
import type { Contracts } from "../../contracts/gen/types.ts";
import { VALIDATORS } from "../../contracts/gen/validate.ts";

const FOLDER = join(import.meta.dirname, "../../contracts/examples");
const VALID_MIN = 5;
const INVALID_MIN = 10;

interface Examples {
	readonly valid: readonly unknown[];
	readonly invalid: readonly { readonly why: string; readonly pointer: string; readonly value: unknown }[];
}

const read = (name: string): Examples => JSON.parse(readFileSync(join(FOLDER, `${name}.json`), "utf8")) as Examples;
const NAMES = Object.keys(VALIDATORS) as (keyof Contracts)[];
const distinct = (values: readonly unknown[]): number => new Set(values.map((value) => JSON.stringify(value))).size;

test("every contract has examples, and no examples are left of a contract that is gone", () => {
	expect(readdirSync(FOLDER).sort()).toEqual(NAMES.map((name) => `${name}.json`).sort());
});

describe.each(NAMES)("%s", (name) => {
	const { valid, invalid } = read(name);
	test("has enough examples, all different", () => {
		expect(valid.length).toBeGreaterThanOrEqual(VALID_MIN);
		expect(invalid.length).toBeGreaterThanOrEqual(INVALID_MIN);
		expect(distinct(valid)).toBe(valid.length);
		expect(distinct(invalid.map(({ value }) => value))).toBe(invalid.length);
		expect(distinct(invalid.map(({ why }) => why))).toBe(invalid.length);
	});
	test.each(valid.map((value, index) => ({ index, value })))("accepts $index", ({ value }) => {
		expect(checkContract(name, value)).toEqual({ ok: true, value });
	});
	test.each(invalid)("refuses $why", ({ pointer, value }) => {
		expect(checkContract(name, value)).toMatchObject({ ok: false, fault: { code: "CONTRACT_VIOLATED", facts: { schema: name, pointer } } });
	});
});
