// Shows that the vendor's calibration file is taken over once, however often it is given, and never further than a joint may be trimmed (HARM-175).
import { expect, test } from "vitest";
import { trimsAsked } from "../../agents/robot/vendor-points.ts";
import { withTrims } from "../../firmware-bridge/body/plan.ts";
import { planOf } from "./plans.ts";

const plan = planOf("fnk0052");
const file = (...lines: readonly string[]): string => [...lines, ...new Array<string>(6 - lines.length).fill("140\t0\t0")].join("\n");

test("HARM-175 what the file asks for beyond what is set; nothing for the one that the vendor ships", () => {
	expect(trimsAsked(plan, file())).toEqual({ ok: true, value: [] });
	const found = trimsAsked(plan, file("140\t0\t0", "140\t10\t0"));
	expect(found).toMatchObject({ ok: true, value: [{ leg: 2, joint: "coxa" }, { leg: 2 }, { leg: 2 }] });
	expect(found.ok && found.value[0]?.degrees).toBeCloseTo(4.1, 9);
});

test("HARM-175 taken over already, it asks for nothing more; another file asks for the difference", () => {
	const asked = trimsAsked(plan, file("140\t10\t0"));
	const kept = new Array<number>(18).fill(0);
	for (const { joint, degrees } of asked.ok ? asked.value : []) kept[["coxa", "femur", "tibia"].indexOf(joint)] = degrees;
	expect(trimsAsked(withTrims(plan, kept), file("140\t10\t0"))).toEqual({ ok: true, value: [] });
	const back = trimsAsked(withTrims(plan, kept), file());
	expect(back.ok && back.value[0]?.degrees).toBeCloseTo(-4.1, 9);
});

test("HARM-175 more than a joint may be trimmed, or no such file, is refused with its line", () => {
	expect(trimsAsked(plan, file("140\t0\t0", "140\t90\t0"))).toMatchObject({
		ok: false,
		fault: { code: "POINTS_INVALID", facts: { line: 2, detail: expect.stringContaining("more than 20") } },
	});
	expect(trimsAsked(plan, "hello")).toMatchObject({ ok: false, fault: { code: "POINTS_INVALID" } });
});
