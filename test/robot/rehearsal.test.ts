// Shows on the twin that each step of a rehearsal does what it says, and what it leaves behind when it fails.
import { describe, expect, test } from "vitest";
import type { Answer, Question } from "../../agents/robot/step-run.ts";
import { straight } from "../../firmware-bridge/body/posture.ts";
import { rehearsedFile } from "../support/rehearsed.ts";
import { planOf } from "./plans.ts";
import { RehearsalRig } from "./rehearsal-rig.ts";
import { firstSteps, laterSteps, onlyNamedLegs } from "./rehearsal-steps.ts";

const GUARD = "0a1b2c3d4e5f6071";

describe("a rehearsal on the twin", () => {
	firstSteps("twin");
	laterSteps("twin");

	test("HARM-148 step 8 is not passed by a link that is never cut", async () => {
		const rig = await RehearsalRig.onTwin(planOf("fnk0052"), rehearsedFile(planOf("fnk0052"), { simulated: true }, 7));
		const record = await rig.step(8, { letsGo: false });
		expect(record).toMatchObject({ step: 8, outcome: "failed" });
		expect(record.said).toContain("not cut");
		expect(rig.rehearsal.state().upTo).toBe(7);
	});

	test("HARM-149 a question that nobody waits for any more is a step that was broken off, once somebody begins anew", async () => {
		const rig = await RehearsalRig.onTwin();
		const begin = (id: string) => rig.rehearsal.hold({ step: 1, id, tick: rig.line.now(), ttlMs: 400 });
		expect(begin("a").ok).toBe(true);
		await rig.turns(100);
		expect(begin("b")).toMatchObject({ fault: { facts: { why: "held-by-other" } } });
		await rig.turns(600);
		expect(begin("b").ok).toBe(true);
		await rig.turns(40);
		rig.rehearsal.answer("b", { yes: true });
		await rig.turns(40);
		expect(rig.records.map(({ outcome }) => outcome)).toEqual(["aborted", "passed"]);
		expect(begin("b").ok).toBe(true);
		await rig.turns(100);
		expect(rig.rehearsal.state().run).toBe(null);
		expect(rig.records).toHaveLength(2);
	});

	/** Its machine loses a turn at these times of the step, and the person says what they say. */
	const late = async (step: number, atMs: readonly number[], answers?: (question: Question) => Answer) => {
		const rig = await RehearsalRig.onTwin(planOf("fnk0052"), rehearsedFile(planOf("fnk0052"), { simulated: true }, step - 1));
		const asked: string[] = [];
		const lost = [...atMs];
		let poweredMs = 0;
		const record = await rig.step(step, {
			answers: (question) => {
				asked.push(question.asks);
				return answers?.(question) ?? { yes: true };
			},
			each: () => {
				if (rig.loop.motion.kind === "unpowered") return;
				poweredMs += 20;
				if (poweredMs < (lost[0] ?? Number.POSITIVE_INFINITY)) return;
				lost.shift();
				rig.line.runMs(150);
			},
		});
		return { rig, record, asked };
	};

	test("HARM-174 step 7 goes a leg at a time: off between them, and on by the person's word", async () => {
		const { rig, record, asked } = await late(7, []);
		expect(record).toMatchObject({ outcome: "passed", measured: { legs: 6, lateTurns: 0 } });
		expect(asked.map((asks) => /leg (\d)/.exec(asks)?.[1])).toEqual(["1", "2", "3", "4", "5", "6"]);
		expect(rig.kinds.filter((kind) => kind === "off")).toHaveLength(7);
		expect(rig.kinds).not.toContain("hold");
	});

	test("HARM-174 a turn that its machine lost holds it and has it sit down; that leg is done again, once the person says so", async () => {
		const { rig, record, asked } = await late(7, [30_000, 200_000]);
		expect(record).toMatchObject({ outcome: "passed", measured: { legs: 6, lateTurns: 2 } });
		expect(asked.filter((asks) => asks.includes("again?"))).toHaveLength(2);
		expect(rig.kinds.filter((kind) => kind === "hold")).toHaveLength(2);
		const refused = await late(7, [30_000], ({ asks }) => ({ yes: !asks.includes("again?") }));
		expect(refused.record).toMatchObject({ outcome: "failed" });
		expect(refused.rig.rehearsal.state().upTo).toBe(6);
		const busy = await late(
			7,
			Array.from({ length: 40 }, (_, index) => 5_000 * (index + 1)),
		);
		expect(busy.record).toMatchObject({ outcome: "failed", said: expect.stringContaining("too much else to do") });
	});

	test("HARM-174 no other step forgives it", async () => {
		for (const step of [5, 9]) expect((await late(step, [6_000])).record).toMatchObject({ step, outcome: "failed" });
	});

	test("HARM-150 a result that is not on disk unlocks nothing", async () => {
		const rig = await RehearsalRig.onTwin();
		rig.disk = () => Promise.reject(new Error("full"));
		expect(rig.rehearsal.hold({ step: 1, id: "a", tick: rig.line.now(), ttlMs: 400 }).ok).toBe(true);
		await rig.turns(40);
		rig.rehearsal.answer("a", { yes: true });
		await rig.turns(100);
		expect(rig.rehearsal.state()).toMatchObject({ upTo: 0, run: null, ended: { outcome: "failed" } });
	});

	/** The twin, taken for real legs: a guard that says which program it is. */
	const asReal = async (upTo: number): Promise<RehearsalRig> => {
		const found = rehearsedFile(planOf("fnk0052"), { guard: GUARD }, upTo);
		const rig = await RehearsalRig.onTwin(planOf("fnk0052"), found);
		const status = rig.driver.status.bind(rig.driver);
		rig.driver.status = () => ({ ...status(), board: "linux-guard", simulated: false, firmware: GUARD });
		return rig;
	};

	test("HARM-150 at a guard likewise: eight steps arm nothing but the next one, nine do; a failed step takes it away again", async () => {
		const eight = await asReal(8);
		await eight.turns(1_600, () => eight.loop.heard());
		expect(eight.loop.arm(eight.loop.mover.armEpoch)).toMatchObject({ fault: { facts: { why: "not-rehearsed" } } });
		expect(await eight.step(9)).toMatchObject({ outcome: "passed", guard: GUARD, firmware: null, simulated: false });
		await eight.turns(1_600, () => eight.loop.heard());
		expect(eight.rehearsal.state().mayWalk).toBe(true);
		expect(await eight.step(2, { holds: () => eight.loop.mover.kind === "off" || eight.loop.mover.kind === "boot" })).toMatchObject({ outcome: "aborted" });
		await eight.turns(6_000, () => eight.loop.heard());
		expect(eight.loop.arm(eight.loop.mover.armEpoch)).toMatchObject({ fault: { facts: { why: "not-rehearsed" } } });
	});

	test("HARM-150 what was armed for a step is led by nobody else, and what was armed to walk is led by no step", async () => {
		const rig = await asReal(9);
		const wanted = { stride: { xMm: 0, yMm: 60, turnDegrees: 0 }, body: straight(rig.loop.plan) };
		const bounds = { pathMm: 9_000, radiusMm: 9_000, timeMs: 60_000 };
		const lease = (more: object) =>
			rig.loop.lease({
				id: "x",
				holder: "rehearsal",
				armEpoch: rig.loop.mover.armEpoch,
				tick: rig.line.now(),
				ttlMs: 400,
				gait: "tripod",
				wanted,
				bounds,
				...more,
			});
		const tries = new Set<unknown>();
		await rig.step(9, {
			each: () => {
				if (rig.loop.mover.kind !== "armed" && rig.loop.mover.kind !== "moving") return;
				const taken = lease({});
				tries.add(taken.ok ? "taken" : taken.fault.facts["why"]);
			},
		});
		expect([...tries]).toEqual(["armed-for-other"]);
		await rig.turns(1_600, () => rig.loop.heard());
		expect(rig.loop.arm(rig.loop.mover.armEpoch).ok).toBe(true);
		await rig.turns(5_000, () => rig.loop.heard());
		expect(rig.loop.mover.kind).toBe("armed");
		expect(lease({ paceRatio: 0.5 })).toMatchObject({ fault: { facts: { why: "armed-for-other" } } });
		expect(lease({}).ok).toBe(true);
	});

	test("HARM-145 only the leg that a step names gets a pulse; the bus scan gives none", async () => {
		await onlyNamedLegs(await asReal(1));
	});
});
