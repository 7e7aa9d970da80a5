// Shows that each step of a rehearsal unlocks exactly the next, for exactly what it was done with: every state with every result, and every short history beside a second calculation (HARM-140 to HARM-144).
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
	afterResult,
	counts,
	FLOOR_NEEDS,
	LAST_STEP,
	mayRehearse,
	mayWalk,
	mightWalk,
	type RehearsalOutcome,
	type RehearsedWith,
	rehearsedUpTo,
	type StepResult,
} from "../../edge/machines/rehearsal.ts";

const NOW: RehearsedWith = { simulated: false, firmware: "f", guard: "g", robot: "r", configuration: "c" };
const OUTCOMES: readonly RehearsalOutcome[] = ["passed", "failed", "aborted"];
const STEPS = Array.from({ length: LAST_STEP }, (_, at) => at + 1);
/** The same, and each thing that it is bound to changed alone. */
const CHANGED: Readonly<Record<string, Partial<RehearsedWith>>> = {
	nothing: {},
	firmware: { firmware: "f2" },
	"firmware gone": { firmware: null },
	guard: { guard: "g2" },
	"guard gone": { guard: null },
	robot: { robot: "r2", configuration: "c2" },
	trims: { configuration: "c2" },
	simulated: { simulated: true },
};
const done = (step: number, outcome: RehearsalOutcome = "passed", change: Partial<RehearsedWith> = {}): StepResult => ({ ...NOW, ...change, step, outcome });
const passedTo = (step: number, change: Partial<RehearsedWith> = {}): readonly StepResult[] => STEPS.slice(0, step).map((one) => done(one, "passed", change));

/** Written apart: a step is good if its newest result is a pass, all before it are good, and each was good already when the next was done. */
const byHistory = (results: readonly StepResult[], now: RehearsedWith): number => {
	const mine = results.filter((one) => {
		if (one.simulated !== now.simulated || one.robot !== now.robot) return false;
		if (one.firmware !== now.firmware || one.guard !== now.guard) return false;
		return one.step <= 5 || one.configuration === now.configuration;
	});
	const known = new Map<number, boolean>();
	const good = (step: number, before: number): boolean => {
		const key = step * 1_000 + before;
		const found = known.get(key) ?? (step === 0 || look(step, before));
		known.set(key, found);
		return found;
	};
	const look = (step: number, before: number): boolean => {
		let lastBad = -1;
		for (let at = 0; at < before; at++) if (mine[at]?.outcome !== "passed" && (mine[at]?.step ?? 99) <= step) lastBad = at;
		for (let at = lastBad + 1; at < before; at++) if (mine[at]?.outcome === "passed" && mine[at]?.step === step && good(step - 1, at)) return true;
		return false;
	};
	return STEPS.filter((step) => STEPS.slice(0, step).every((one) => good(one, mine.length))).length;
};

describe("how far a rehearsal has come", () => {
	test("HARM-140 in every state, every result: a pass unlocks exactly the next step, anything else locks itself and all after it", () => {
		let seen = 0;
		for (let upTo = 0; upTo <= LAST_STEP; upTo++)
			for (const step of STEPS)
				for (const outcome of OUTCOMES) {
					const after = afterResult(upTo, { step, outcome });
					const expected = outcome === "passed" ? (step === upTo + 1 ? upTo + 1 : upTo) : step <= upTo ? step - 1 : upTo;
					expect([upTo, step, outcome, after]).toEqual([upTo, step, outcome, expected]);
					seen += 1;
				}
		expect(seen).toBe(330);
	});

	test("HARM-141 every step with every single change: what depends on it is void, and nothing else", () => {
		for (const [what, change] of Object.entries(CHANGED))
			for (const step of STEPS) {
				const isGood = what === "nothing" || (what === "trims" && step < 6);
				expect([what, step, counts(done(step, "passed", change), NOW)]).toEqual([what, step, isGood]);
			}
		for (const upTo of STEPS) {
			expect(rehearsedUpTo(passedTo(upTo), { ...NOW, configuration: "c2" })).toBe(Math.min(upTo, 5));
			for (const what of ["firmware", "firmware gone", "guard", "guard gone", "robot", "simulated"])
				expect(rehearsedUpTo(passedTo(upTo), { ...NOW, ...CHANGED[what] })).toBe(0);
		}
	});

	test("HARM-140 the next step may be done, one that was passed may be done again, and no other", () => {
		for (let upTo = 0; upTo <= LAST_STEP; upTo++)
			for (const step of [-1, 0, 0.5, 11, Number.NaN, ...STEPS])
				expect([upTo, step, mayRehearse(passedTo(upTo), NOW, step).ok]).toEqual([upTo, step, STEPS.includes(step) && step <= upTo + 1]);
	});

	test("HARM-142 the floor needs nine passed steps of these very programs; on a simulated robot nothing is needed, and nothing is unlocked", () => {
		for (let upTo = 0; upTo <= LAST_STEP; upTo++) {
			expect([upTo, mayWalk(passedTo(upTo), NOW).ok]).toEqual([upTo, upTo >= FLOOR_NEEDS]);
			expect(mayWalk(passedTo(upTo), { ...NOW, simulated: true })).toEqual({ ok: true, value: undefined });
			expect(mayWalk(passedTo(upTo, { simulated: true }), NOW).ok).toBe(false);
			for (const [what, change] of Object.entries(CHANGED))
				if (what !== "nothing" && what !== "simulated") expect([what, mayWalk(passedTo(upTo), { ...NOW, ...change }).ok]).toEqual([what, false]);
		}
		expect(FLOOR_NEEDS).toBe(9);
	});

	test("HARM-142 who does not say which program it is was never rehearsed, whatever stands in the records", () => {
		const unknown = { ...NOW, firmware: null, guard: null };
		expect(mayWalk(passedTo(10, { firmware: null, guard: null }), unknown).ok).toBe(false);
		expect(mayRehearse([], unknown, 1)).toMatchObject({ ok: false, fault: { facts: { why: "unknown-program" } } });
		expect(mayRehearse([], { ...unknown, simulated: true }, 1).ok).toBe(true);
	});

	test("HARM-143 before anything is opened: no records, simulated ones, another robot or other trims refuse; nine real ones do not", () => {
		expect(mightWalk([], "r", "c")).toBe(false);
		expect(mightWalk(passedTo(10, { simulated: true }), "r", "c")).toBe(false);
		expect(mightWalk(passedTo(8), "r", "c")).toBe(false);
		expect(mightWalk(passedTo(9), "r2", "c")).toBe(false);
		expect(mightWalk(passedTo(9), "r", "c2")).toBe(false);
		expect(mightWalk(passedTo(9), "r", "c")).toBe(true);
		expect(mightWalk([...passedTo(9), done(3, "aborted")], "r", "c")).toBe(false);
		expect(mightWalk([...passedTo(9), done(3, "aborted", { firmware: "f2" })], "r", "c")).toBe(true);
	});

	test("HARM-144 every history of two results after every state, and 5,000 longer ones, as a second calculation says", () => {
		const any = STEPS.flatMap((step) => OUTCOMES.flatMap((outcome) => Object.values(CHANGED).map((change) => done(step, outcome, change))));
		const few = any.filter(({ outcome, firmware, guard, robot }) => outcome !== "aborted" && firmware === "f" && guard === "g" && robot === "r");
		for (const upTo of [0, 5, 9, 10])
			for (const first of any)
				for (const second of few) {
					const history = [...passedTo(upTo), first, second];
					if (rehearsedUpTo(history, NOW) !== byHistory(history, NOW)) expect(history).toBe("the same by both");
				}
		const result = fc.record({ step: fc.constantFrom(...STEPS), outcome: fc.constantFrom(...OUTCOMES), change: fc.constantFrom(...Object.values(CHANGED)) });
		const reached = new Set<number>();
		fc.assert(
			fc.property(fc.constantFrom(0, 3, 6, 9), fc.array(result, { maxLength: 25 }), (upTo, more) => {
				const history = [...passedTo(upTo), ...more.map(({ step, outcome, change }) => done(step, outcome, change))];
				const found = rehearsedUpTo(history, NOW);
				reached.add(found);
				expect(found).toBe(byHistory(history, NOW));
			}),
			{ numRuns: 5_000 },
		);
		expect(reached.size).toBeGreaterThan(6);
	});

	test("HARM-144 what was forgotten from the beginning of the records permits nothing more", () => {
		fc.assert(
			fc.property(
				fc.array(fc.record({ step: fc.constantFrom(...STEPS), outcome: fc.constantFrom(...OUTCOMES) }), { maxLength: 40 }),
				fc.nat(39),
				(all, from) => {
					const history = [...passedTo(9), ...all.map(({ step, outcome }) => done(step, outcome))];
					expect(rehearsedUpTo(history.slice(from), NOW)).toBeLessThanOrEqual(rehearsedUpTo(history, NOW));
				},
			),
			{ numRuns: 2_000 },
		);
	});
});
