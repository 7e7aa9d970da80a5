// Shows on the twin that each step of a rehearsal does what it says, and what it leaves behind when it fails.
import { describe, expect, test } from "vitest";
import { RehearsalRig } from "./rehearsal-rig.ts";
import { firstSteps, laterSteps } from "./rehearsal-steps.ts";

describe("a rehearsal on the twin", () => {
	firstSteps("twin");
	laterSteps("twin");

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

	test("HARM-150 a result that is not on disk unlocks nothing", async () => {
		const rig = await RehearsalRig.onTwin();
		rig.disk = () => Promise.reject(new Error("full"));
		expect(rig.rehearsal.hold({ step: 1, id: "a", tick: rig.line.now(), ttlMs: 400 }).ok).toBe(true);
		await rig.turns(40);
		rig.rehearsal.answer("a", { yes: true });
		await rig.turns(100);
		expect(rig.rehearsal.state()).toMatchObject({ upTo: 0, run: null, ended: { outcome: "failed" } });
	});
});
