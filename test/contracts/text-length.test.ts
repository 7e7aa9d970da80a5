// Shows that a text is as long as JSON Schema says: in code points, whatever it is made of.
import fc from "fast-check";
import { expect, test } from "vitest";
import { checkContract } from "../../contracts/envelope.ts";
import { textLength } from "../../contracts/text-length.ts";

test("as many as its code points; a surrogate that stands alone is one", () => {
	const unit = fc.oneof(fc.constantFrom("a", "é", "\u{ffff}", "😀", "\ud83d", "\ude00"), fc.string({ unit: "binary", maxLength: 2 }));
	fc.assert(fc.property(fc.array(unit), (units) => textLength(units.join("")) === [...units.join("")].length));
});

test("a contract counts with it", () => {
	const named = (id: string) => checkContract("envelope", { specversion: "1.0", id, source: "/nodes/pi-3", type: "dev.orion.alert.firing.v1", data: {} });
	expect(named("😀".repeat(128)).ok).toBe(true);
	expect(named("😀".repeat(129))).toMatchObject({ ok: false, fault: { facts: { pointer: "/id", detail: "must NOT have more than 128 characters" } } });
});
