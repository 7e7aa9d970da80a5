// Shows that a node alone does only what it was granted, counted on disk before the effect, and that neither coming back nor starting again gives a use back (HARM-90 HARM-91).
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { CoreBundle, NodePulse } from "../../contracts/gen/types.ts";
import {
	type AloneView,
	adoptBundle,
	endAlone,
	judgeAlone,
	type Known,
	lowerLevel,
	nothingSpent,
	passAlone,
	type Spent,
} from "../../edge/machines/allowance.ts";
import { BUNDLE, GRANT, ROW } from "./granted.ts";

const DOWN = { type: ROW.on, facts: { service: "web" } };
const VIEW: AloneView = { safety: "alone", counter: 3, heardLevel: "N2", busy: false };

const known = (change: Partial<CoreBundle> = {}, spent = nothingSpent): { readonly known: Known; readonly spent: Spent } => {
	const adopted = adoptBundle(undefined, spent, { ...BUNDLE, ...change }, "m", "pi-1");
	if (adopted.kind !== "adopted") throw new Error(adopted.why);
	return adopted;
};

describe("the machine", () => {
	test.each([
		["with a core at hand: that one decides", { safety: "working" as const }, {}, "nothing"],
		["before core was ever heard", { safety: "boot" as const }, {}, "booting"],
		["stopped", { safety: "stopped" as const }, {}, "stopped"],
		["at N0", {}, { level: "N0" as const }, "level"],
		["when core's newest word was N0", { heardLevel: "N0" as const }, {}, "level"],
		["without a grant", {}, { grants: [] }, "no-grant"],
		["with the grant of another node", {}, { grants: [{ ...GRANT, node: "pi-2" }] }, "no-grant"],
		["with a folder that is older than the grant: restored from a copy", { counter: 2 }, {}, "other-lineage"],
		["with nothing left of the row", {}, { grants: [{ ...GRANT, left: { restart: 0 } }] }, "spent"],
		["with a row that the grant does not name", {}, { grants: [{ ...GRANT, left: {} }] }, "spent"],
		["while a command of core is under way", { busy: true }, {}, "busy"],
	])("%s: %s", (_name, view, bundle, outcome) => {
		const adopted = known(bundle);
		const verdict = judgeAlone(adopted.known, adopted.spent, { ...VIEW, ...view }, DOWN);
		expect(verdict.kind === "refuse" ? verdict.reason : verdict.kind).toBe(outcome);
	});

	test("acts as often as granted, with the arguments of the event, and then no more", () => {
		const start = known();
		const first = judgeAlone(start.known, start.spent, VIEW, DOWN);
		expect(first).toMatchObject({ kind: "act", action: "process.restart", args: { service: "web" }, left: 1 });
		const second = judgeAlone(start.known, first.kind === "act" ? first.spent : nothingSpent, VIEW, DOWN);
		expect(second).toMatchObject({ kind: "act", left: 0 });
		expect(judgeAlone(start.known, second.kind === "act" ? second.spent : nothingSpent, VIEW, DOWN)).toMatchObject({ kind: "refuse", reason: "spent" });
	});

	test("a grant is over when its time alone is over, however often the node was started in between", () => {
		const { known: bundle, spent } = known();
		expect(judgeAlone(bundle, passAlone(spent, 999_999), VIEW, DOWN).kind).toBe("act");
		expect(judgeAlone(bundle, passAlone(passAlone(spent, 500_000), 500_000), VIEW, DOWN)).toMatchObject({ reason: "over" });
	});

	test("what no row speaks of is nothing", () => {
		const { known: bundle, spent } = known();
		expect(judgeAlone(bundle, spent, VIEW, { type: "dev.orion.alert.firing.v1", facts: {} })).toEqual({ kind: "nothing" });
		expect(judgeAlone(undefined, spent, VIEW, DOWN)).toEqual({ kind: "nothing" });
	});

	test("an older bundle, the same again, or one of another mesh changes nothing", () => {
		const { known: bundle, spent } = known();
		expect(adoptBundle(bundle, spent, { ...BUNDLE, version: 9 }, "m", "pi-1")).toEqual({ kind: "ignored", why: "older" });
		expect(adoptBundle(bundle, spent, BUNDLE, "m", "pi-1")).toEqual({ kind: "ignored", why: "older" });
		expect(adoptBundle(bundle, spent, { ...BUNDLE, version: 11, mesh: "other" }, "m", "pi-1")).toEqual({ kind: "ignored", why: "other-mesh" });
	});

	test("a newer grant begins anew except for uses that core had not counted when it gave it", () => {
		const start = known();
		const used = judgeAlone(start.known, start.spent, VIEW, DOWN);
		if (used.kind !== "act") throw new Error(used.kind);
		const next = (counted: number) =>
			adoptBundle(
				start.known,
				used.spent,
				{ ...BUNDLE, version: 11, grants: [{ ...GRANT, number: 2, reconciled: 1, counted: { restart: counted } }] },
				"m",
				"pi-1",
			);
		expect(next(0)).toMatchObject({ spent: { grant: 2, used: { restart: 1 }, total: { restart: 1 } } });
		expect(next(1)).toMatchObject({ spent: { grant: 2, used: {}, total: { restart: 1 } } });
		// A card that was put back has forgotten what core knows: it counts on from there.
		expect(next(7)).toMatchObject({ spent: { grant: 2, used: {}, total: { restart: 7 } } });
	});

	test("HARM-176 cut off again before the grant came that counts its first use: the second one is not given back", () => {
		const start = known();
		const first = judgeAlone(start.known, start.spent, VIEW, DOWN);
		if (first.kind !== "act") throw new Error(first.kind);
		// Back, and accounted for: the grant with one use less is on its way, and the link is gone again.
		const onItsWay: CoreBundle = { ...BUNDLE, version: 11, grants: [{ ...GRANT, number: 2, reconciled: 1, left: { restart: 1 }, counted: { restart: 1 } }] };
		const second = judgeAlone(start.known, endAlone(first.spent), VIEW, DOWN);
		if (second.kind !== "act") throw new Error(second.kind);
		const late = adoptBundle(start.known, second.spent, onItsWay, "m", "pi-1");
		if (late.kind !== "adopted") throw new Error(late.why);
		expect(judgeAlone(late.known, late.spent, VIEW, DOWN)).toMatchObject({ kind: "refuse", reason: "spent" });
	});

	test("the same grant in a newer bundle gives nothing back", () => {
		const start = known();
		const used = judgeAlone(start.known, start.spent, VIEW, DOWN);
		if (used.kind !== "act") throw new Error(used.kind);
		expect(adoptBundle(start.known, used.spent, { ...BUNDLE, version: 11 }, "m", "pi-1")).toMatchObject({ spent: { used: { restart: 1 } } });
	});

	test("the lower of two levels", () => {
		expect(lowerLevel("N3", "N2")).toBe("N2");
		expect(lowerLevel("N0", "N3")).toBe("N0");
		expect(lowerLevel("N2", undefined)).toBe("N2");
	});

	test("HARM-176 property: whatever is known when, and whatever arrives in whatever order, no more is done than the row allows", () => {
		const step = fc.oneof(
			{ weight: 3, arbitrary: fc.constant({ kind: "down" as const }) },
			fc.record({ kind: fc.constant("told" as const), all: fc.boolean() }),
			fc.constant({ kind: "granted" as const }),
			fc.record({ kind: fc.constant("arrives" as const), which: fc.nat({ max: 20 }) }),
			fc.record({ kind: fc.constant("safety" as const), safety: fc.constantFrom("alone" as const, "working" as const, "stopped" as const) }),
		);
		const USES = 2;
		fc.assert(
			fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
				let { known: bundle, spent } = known();
				let safety: NodePulse["safety"] = "alone";
				let [version, number, done, toldTo] = [10, 1, 0, 0];
				const made: CoreBundle[] = [];
				for (const each of steps) {
					if (each.kind === "safety") safety = each.safety;
					else if (each.kind === "down") {
						const verdict = judgeAlone(bundle, spent, { ...VIEW, safety }, DOWN);
						if (verdict.kind !== "act") continue;
						done += 1;
						spent = verdict.spent;
					} else if (each.kind === "told") toldTo = each.all ? done : Math.min(done, toldTo + 1);
					else if (each.kind === "granted") {
						version += 1;
						number += 1;
						made.push({
							...BUNDLE,
							version,
							grants: [{ ...GRANT, number, reconciled: number - 1, left: { restart: USES - toldTo }, counted: { restart: toldTo } }],
						});
					} else if (each.kind === "arrives") {
						const one = made[each.which % Math.max(1, made.length)];
						const adopted = one === undefined ? undefined : adoptBundle(bundle, spent, one, "m", "pi-1");
						if (adopted?.kind === "adopted") ({ known: bundle, spent } = adopted);
					}
					expect(done).toBeLessThanOrEqual(USES);
				}
			}),
			{ numRuns: 2_000 },
		);
	});
});
