// Shows that core gives each node an allowance for the time alone, counts what was used, sums it up when the node is back, and gives uses back by time alone (HARM-90 TELL-40).
import { describe, expect, test } from "vitest";
import { digest } from "../../contracts/digest.ts";
import type { RecordTypes } from "../../contracts/envelope.ts";
import { fold } from "../../core/engine.ts";
import { emptyState } from "../../core/state.ts";
import { nextTimerMs } from "../../core/timers.ts";
import { EngineRig, MESH, policyWith, types } from "../support/engine.ts";

const ROW = "restart-dead-service-alone";
const DAY_MS = 24 * 3_600_000;

const acted = (rig: EngineRig, grant: number, left: number) =>
	rig.feed("/nodes/pi-1", "dev.orion.alone.acted.v1", { grant, row: ROW, action: "process.restart", args: { service: "web" }, outcome: "done", left });
const refused = (rig: EngineRig, grant: number) =>
	rig.feed("/nodes/pi-1", "dev.orion.alone.refused.v1", { grant, row: ROW, action: "process.restart", args: { service: "web" }, reason: "spent" });
const ended = (rig: EngineRig, grant: number, done: number, aloneMs = 61_000) =>
	rig.feed("/nodes/pi-1", "dev.orion.alone.ended.v1", { grant, aloneMs, acted: done, refused: 0 });
const grants = (rig: EngineRig): readonly RecordTypes["dev.orion.allowance.granted.v1"][] => rig.all("dev.orion.allowance.granted.v1").map(({ data }) => data);

describe("allowance", () => {
	test("a node that is ready gets its first grant, once", () => {
		const rig = new EngineRig();
		rig.presence("pi-1", "ready", 2);
		expect(grants(rig)).toMatchObject([{ node: "pi-1", number: 1, reconciled: 0, left: { [ROW]: 2 }, why: "first" }]);
	});

	test("back again: one reconciliation names what was done, refused and wrong; the new grant has what is left", () => {
		const rig = new EngineRig();
		rig.presence("pi-1", "lost", 1);
		rig.tick(60_000);
		const done = rig.records.length + 1;
		acted(rig, 1, 1);
		const not = rig.records.length + 1;
		refused(rig, 1);
		rig.presence("pi-1", "ready", 2);
		const outputs = ended(rig, 1, 1);
		expect(types(outputs)).toEqual(["reconciliation.made", "allowance.granted"]);
		expect(outputs[0]?.data).toMatchObject({ node: "pi-1", grant: 1, acted: [done], refused: [not] });
		expect(grants(rig).at(-1)).toMatchObject({ number: 2, reconciled: 1, left: { [ROW]: 1 }, why: "reconciled" });
		expect(rig.state.reconciliations).toHaveLength(1);
	});

	test("HARM-176 a grant says which uses are counted in it, also one that a dying node could not tell, and none twice", () => {
		const rig = new EngineRig();
		const one = (uses: number) =>
			rig.feed("/nodes/pi-1", "dev.orion.alone.acted.v1", {
				grant: 1,
				row: ROW,
				action: "process.restart",
				args: { service: "web" },
				outcome: "done",
				left: 0,
				uses,
			});
		expect(grants(rig).at(-1)).toMatchObject({ counted: {} });
		// The first was done and never told.
		one(2);
		ended(rig, 1, 1);
		expect(grants(rig).at(-1)).toMatchObject({ left: { [ROW]: 0 }, counted: { [ROW]: 2 } });
		// A card that was put back begins to count at a lower number: each time is one use, and what was counted stays.
		rig.tick(DAY_MS + 1);
		expect(rig.state.allowances["pi-1"]?.left).toEqual({ [ROW]: 2 });
		one(1);
		ended(rig, 2, 1);
		expect(grants(rig).at(-1)).toMatchObject({ left: { [ROW]: 1 }, counted: { [ROW]: 2 } });
	});

	test("HARM-176 what comes after a grant was given is not said to be counted in it", () => {
		const rig = new EngineRig();
		acted(rig, 1, 1);
		ended(rig, 1, 1);
		acted(rig, 1, 0);
		expect(rig.state.allowances["pi-1"]).toMatchObject({ left: { [ROW]: 1 }, countedThen: { [ROW]: 1 }, counted: { [ROW]: 2 } });
	});

	test("coming and going gives nothing back: after two uses nothing is left until a day is over", () => {
		const rig = new EngineRig();
		for (let n = 0; n < 5; n++) {
			if (n < 2) acted(rig, n + 1, 1 - n);
			ended(rig, Math.min(n + 1, 3), n < 2 ? 1 : 0);
			rig.tick(3_600_000);
		}
		expect(rig.state.allowances["pi-1"]?.left).toEqual({ [ROW]: 0 });
		const next = nextTimerMs(rig.state) ?? 0;
		expect(next).toBeLessThanOrEqual(rig.engineMs + DAY_MS);
		rig.tick(DAY_MS);
		expect(rig.state.allowances["pi-1"]?.left).toEqual({ [ROW]: 2 });
		expect(grants(rig).at(-1)).toMatchObject({ why: "time" });
	});

	test("while a node has something to account for it gets nothing new", () => {
		const rig = new EngineRig();
		acted(rig, 1, 1);
		expect(types(rig.tick(2 * DAY_MS))).not.toContain("allowance.granted");
		expect(types(ended(rig, 1, 1))).toEqual(["reconciliation.made", "allowance.granted"]);
		expect(grants(rig).at(-1)).toMatchObject({ left: { [ROW]: 2 } });
	});

	test("another node cannot spend it", () => {
		const rig = new EngineRig({ nodes: ["pi-1", "pi-2"] });
		rig.feed("/nodes/pi-2", "dev.orion.alone.acted.v1", { grant: 1, row: ROW, action: "process.restart", args: {}, outcome: "done", left: 1 });
		expect(rig.state.allowances["pi-1"]?.usedMs).toEqual({});
	});

	test("rows that change are granted anew; without rows nothing is granted", () => {
		const rig = new EngineRig();
		rig.policy(policyWith((policy) => ({ ...policy, alone: (policy.alone ?? []).map((row) => ({ ...row, uses: 5 })) })));
		expect(grants(rig).at(-1)).toMatchObject({ why: "policy", left: { [ROW]: 5 } });
		const without = new EngineRig({ policy: policyWith(({ alone: _none, ...policy }) => policy) });
		expect(grants(without)).toEqual([]);
		expect(types(ended(without, 0, 0))).toEqual(["reconciliation.made"]);
	});

	test("what nodes keep changes with level, policy, grant and removal, and only rises", () => {
		const rig = new EngineRig();
		const positions = [rig.state.bundlePosition];
		rig.level("N0");
		positions.push(rig.state.bundlePosition);
		acted(rig, 1, 1);
		ended(rig, 1, 1);
		positions.push(rig.state.bundlePosition);
		rig.feed("/core/operator", "dev.orion.node.removed.v1", { node: "pi-1", by: "test" });
		positions.push(rig.state.bundlePosition);
		expect(positions).toEqual([...positions].sort((left, right) => left - right));
		expect(new Set(positions).size).toBe(4);
		expect(rig.state.allowances).toEqual({});
	});

	test("folded from the log it is what it was (TELL-2)", () => {
		const rig = new EngineRig();
		acted(rig, 1, 1);
		refused(rig, 1);
		ended(rig, 1, 1);
		rig.tick(DAY_MS);
		expect(digest(rig.records.reduce(fold, emptyState(MESH)))).toBe(digest(rig.state));
	});
});
