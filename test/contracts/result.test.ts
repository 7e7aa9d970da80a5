// Shows that results are values, that assertions stay on, and that machines are functions which return their effects.
import { describe, expect, test } from "vitest";
import { fail } from "../../contracts/errors.ts";
import { type Machine, stay } from "../../contracts/machine.ts";
import { assert, ok, type Result, unreachable } from "../../contracts/result.ts";

const half = (value: number): Result<number> => (value % 2 === 0 ? ok(value / 2) : fail("USAGE", { detail: `${value} is odd` }));

describe("Result", () => {
	test("is a value or a registered fault", () => {
		expect(half(4)).toEqual({ ok: true, value: 2 });
		expect(half(3)).toEqual({ ok: false, fault: { code: "USAGE", facts: { detail: "3 is odd" } } });
	});
	test("is narrowed before its value can be had", () => {
		const result = half(8);
		// @ts-expect-error nobody has looked yet whether it failed
		expect(result.value).toBe(4);
		expect(result.ok && result.value).toBe(4);
	});
});

describe("assert", () => {
	test.each([true, 1, "x", {}, []])("%j holds", (condition) => {
		expect(() => assert(condition, "never")).not.toThrow();
	});
	test.each([false, 0, "", null, undefined, Number.NaN])("%j is our bug", (condition) => {
		expect(() => assert(condition, "the sum is wrong")).toThrow(new Error("BUG: the sum is wrong"));
	});
	test("narrows what it asserts", () => {
		const value: string | undefined = ["here"][0];
		assert(value !== undefined, "there is one");
		expect(value.length).toBe(4);
	});
	test("unreachable says what got there", () => {
		expect(() => unreachable({ kind: "new" } as never)).toThrow('BUG: unreachable: {"kind":"new"}');
		// @ts-expect-error only what cannot be may get there
		expect(() => unreachable("a text")).toThrow("BUG");
	});
});

describe("Machine", () => {
	interface Door {
		readonly isOpen: boolean;
	}
	const door: Machine<Door, "push" | "knock", { readonly kind: "creak" }> = (state, input) =>
		input === "push" ? { state: { isOpen: !state.isOpen }, effects: [{ kind: "creak" }] } : stay(state);

	test("gives the same step for the same state and input, and leaves its state alone", () => {
		const closed: Door = Object.freeze({ isOpen: false });
		expect(door(closed, "push")).toEqual({ state: { isOpen: true }, effects: [{ kind: "creak" }] });
		expect(door(closed, "push")).toEqual(door(closed, "push"));
		expect(closed).toEqual({ isOpen: false });
	});
	test("that stays keeps the very state and orders nothing", () => {
		const closed: Door = { isOpen: false };
		const step = door(closed, "knock");
		expect(step.state).toBe(closed);
		expect(step.effects).toEqual([]);
	});
});
