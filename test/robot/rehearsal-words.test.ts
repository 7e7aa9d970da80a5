// Shows what a line that asks for a step of the rehearsal may be, and that anything else is refused in words (HARM-149).
import { expect, test } from "vitest";
import { readRobotRequest } from "../../agents/robot/words.ts";
import { planOf } from "./plans.ts";

const plan = planOf("fnk0052");
const read = (request: object) => readRobotRequest(plan, JSON.stringify(request));
const STEP = { verb: "rehearse", step: 2, id: "a", tick: 10, ttlMs: 400 };

test("HARM-149 a step is held with a step, an id, a tick, and for a second at most", () => {
	expect(read(STEP)).toEqual({ ok: true, value: { verb: "rehearse", asked: { step: 2, id: "a", tick: 10, ttlMs: 400 } } });
	for (const wrong of [
		{ ttlMs: 0 },
		{ ttlMs: -1 },
		{ ttlMs: 1_001 },
		{ ttlMs: "400" },
		{ tick: null },
		{ step: "2" },
		{ id: "" },
		{ id: 7 },
		{ id: "x".repeat(129) },
	])
		expect([wrong, read({ ...STEP, ...wrong })]).toMatchObject([wrong, { ok: false, fault: { code: "USAGE" } }]);
});

test("HARM-149 an answer is yes or no, a voltage or a trim, of a step that is named", () => {
	const answer = (more: object) => read({ verb: "answer", id: "a", ...more });
	expect(answer({ yes: false })).toMatchObject({ ok: true, value: { answer: { yes: false } } });
	expect(answer({ servoMv: 7_600 })).toMatchObject({ ok: true, value: { answer: { servoMv: 7_600 } } });
	const trim = { leg: 2, joint: "femur", degrees: -1.5 };
	expect(answer({ trim })).toMatchObject({ ok: true, value: { answer: { trim } } });
	for (const wrong of [
		{},
		{ yes: "yes" },
		{ servoMv: "7600" },
		{ trim: { ...trim, joint: "knee" } },
		{ trim: { ...trim, leg: "2" } },
		{ trim: { ...trim, degrees: null } },
	])
		expect([wrong, answer(wrong).ok]).toEqual([wrong, false]);
	expect(read({ verb: "answer", yes: true }).ok).toBe(false);
	expect(read({ verb: "abandon" }).ok).toBe(false);
	expect(read({ verb: "abandon", id: "a" })).toEqual({ ok: true, value: { verb: "abandon", id: "a" } });
});
