// Shows what may be done at which level: every combination of level, risk and guards, and that every answer names its rows, facts and what would change it.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decisionId } from "../../core/brain/brain.ts";
import { decideAbout } from "../../core/brain/decision.ts";
import { freshTarget, targetKey } from "../../core/brain/guards.ts";
import { type Level, type Policy, type Risk, riskOf } from "../../core/policy.ts";
import type { EngineState, Incident, Target } from "../../core/state.ts";
import { EngineRig, policyWith, shippedPolicy, types } from "../support/engine.ts";

const LEVELS = ["N0", "N2", "N3"] as const;
const RISKS = ["SAFE", "RISKY", "unknown"] as const;
const GUARDS = ["claim", "node", "breaker", "cooldown", "budget"] as const;
const KEY = targetKey("process.restart", "pi-1", { service: "web" });

const SHIPPED = shippedPolicy().content;

/** The shipped policy with process.restart SAFE, RISKY, or in no row at all. */
const policyFor = (risk: (typeof RISKS)[number]): Policy => {
	const content = SHIPPED;
	const others = content.actions.filter(({ id }) => id !== "process.restart");
	const restart = content.actions.filter(({ id }) => id === "process.restart");
	return { ...content, actions: risk === "unknown" ? others : [...restart.map((rule) => ({ ...rule, risk })), ...others] };
};

interface Case {
	readonly level: Level;
	readonly risk: (typeof RISKS)[number];
	readonly blocked: ReadonlySet<(typeof GUARDS)[number]>;
}

const CASES: readonly Case[] = LEVELS.flatMap((level) =>
	RISKS.flatMap((risk) =>
		Array.from({ length: 2 ** GUARDS.length }, (_, bits) => ({ level, risk, blocked: new Set(GUARDS.filter((_guard, index) => (bits >> index) & 1)) })),
	),
);

const open = (): { readonly state: EngineState; readonly incident: Incident } => {
	const rig = new EngineRig({ level: "N0" });
	rig.tick(7_200_000);
	rig.down();
	return { state: rig.state, incident: rig.incident() };
};

const withBlocked = ({ state, incident }: ReturnType<typeof open>, { level, risk, blocked }: Case): EngineState => {
	const { engineMs } = state.clock;
	const target: Target = {
		...freshTarget,
		...(blocked.has("breaker") ? { breakerUntilMs: engineMs + 60_000, failures: 2 } : {}),
		...(blocked.has("cooldown") ? { cooldownUntilMs: engineMs + 1_000 } : {}),
		...(blocked.has("budget") ? { executionsMs: Array.from({ length: 30 }, (_, n) => engineMs - n) } : {}),
	};
	const view = state.nodes["pi-1"];
	const run = {
		id: "act-1",
		incident: incident.id,
		decision: "dec-1",
		name: "process.restart",
		node: "pi-1",
		args: { service: "web" },
		target: KEY,
		phase: "dispatched" as const,
		requestedMs: 0,
		sinceMs: 0,
		asked: 0,
		cleared: false,
		events: [],
	};
	return {
		...state,
		level,
		policy: policyFor(risk),
		targets: { [KEY]: target },
		actions: blocked.has("claim") ? { "act-1": run } : {},
		nodes: view === undefined ? {} : { "pi-1": { ...view, state: blocked.has("node") ? "lost" : "ready" } },
	};
};

/** What the promises say, written again and otherwise. */
const expected = ({ level, risk, blocked }: Case): string => {
	if (risk === "unknown") return "refused";
	if (level === "N0") return "would";
	if (level === "N2" && risk === "RISKY") return "refused";
	const first = GUARDS.find((guard) => blocked.has(guard));
	if (first === "breaker") return "ask";
	if (first !== undefined) return "wait";
	return risk === "RISKY" ? "ask" : "act";
};

describe("level, risk and guards", () => {
	const base = open();

	test(`all ${CASES.length} combinations (HARM-2)`, () => {
		const wrong = CASES.filter((one) => {
			const state = withBlocked(base, one);
			return decideAbout(state, policyFor(one.risk), base.incident).verdict !== expected(one);
		});
		expect(wrong.map(({ level, risk, blocked }) => `${level} ${risk} ${[...blocked].join("+")}`)).toEqual([]);
	});

	test("every combination names its facts, rows with file and line, all guards, and what would have changed it (TELL-4)", () => {
		for (const one of CASES) {
			const decision = decideAbout(withBlocked(base, one), policyFor(one.risk), base.incident);
			expect(decision.facts.length).toBeGreaterThan(0);
			for (const { at } of decision.rows) expect(at).toMatch(/^policies\/\w+\.yaml:\d+$/);
			const matched = decision.rows.filter((row) => row.matched).map(({ id }) => id);
			expect(matched).toContain("service-down");
			expect(matched).toContain("restart-dead-service");
			if (one.risk === "unknown") continue;
			const asking = one.risk === "RISKY" && one.level === "N3" ? ["approval"] : [];
			expect(decision.guards.map(({ guard }) => guard)).toEqual([...GUARDS, ...asking]);
			for (const { guard, ok } of decision.guards) expect(ok).toBe(!one.blocked.has(guard as (typeof GUARDS)[number]));
			for (const guard of one.blocked) expect(decision.change.join("\n")).toContain(`if ${guard} let it pass`);
			for (const level of LEVELS) {
				const same = expected({ ...one, level, blocked: new Set() }) === expected({ ...one, blocked: new Set() });
				expect(decision.change.some((text) => text.startsWith(`at ${level} `))).toBe(!same);
			}
		}
	});

	test("what no row names is RISKY", () => {
		expect(riskOf(SHIPPED, "host.reboot")).toBe<Risk>("RISKY");
		expect(riskOf(SHIPPED, "process.restart")).toBe<Risk>("SAFE");
	});

	test("without any gate row nothing is done", () => {
		const policy = { ...SHIPPED, gate: [] };
		expect(decideAbout({ ...base.state, level: "N3", policy }, policy, base.incident)).toMatchObject({ verdict: "refused" });
	});

	test("without a remedy it says which file would give one", () => {
		const policy = { ...SHIPPED, remedies: [] };
		const decision = decideAbout({ ...base.state, level: "N2", policy }, policy, base.incident);
		expect(decision.verdict).toBe("nothing");
		expect(decision.change.join()).toContain("policies/autonomy.yaml");
	});
});

describe("guards", () => {
	const guard = (name: string, change: (state: EngineState, engineMs: number) => EngineState) => {
		const base = open();
		const state = { ...change(base.state, base.state.clock.engineMs), level: "N2" as const };
		return decideAbout(state, SHIPPED, base.incident).guards.find((one) => one.guard === name);
	};
	const target = (change: (engineMs: number) => Partial<Target>) => (state: EngineState, engineMs: number) => ({
		...state,
		targets: { [KEY]: { ...freshTarget, ...change(engineMs) } },
	});

	test("a cooldown ends exactly at its time", () => {
		expect(
			guard(
				"cooldown",
				target((now) => ({ cooldownUntilMs: now + 1 })),
			),
		).toMatchObject({ ok: false });
		expect(
			guard(
				"cooldown",
				target((now) => ({ cooldownUntilMs: now })),
			),
		).toMatchObject({ ok: true });
	});

	test("a breaker lets one attempt pass exactly at its time", () => {
		expect(
			guard(
				"breaker",
				target((now) => ({ breakerUntilMs: now + 1, failures: 2 })),
			),
		).toMatchObject({ ok: false });
		expect(
			guard(
				"breaker",
				target((now) => ({ breakerUntilMs: now, failures: 2 })),
			),
		).toMatchObject({ ok: true });
	});

	test("a budget counts one hour, and says when the next place is free", () => {
		const times = (count: number, ms: number) => target((now) => ({ executionsMs: Array.from({ length: count }, (_, n) => now - ms + n) }));
		expect(guard("budget", times(29, 1_000))).toMatchObject({ ok: true });
		expect(guard("budget", times(30, 1_000))).toMatchObject({ ok: false });
		const base = open();
		expect(guard("budget", times(35, 1_000))).toMatchObject({ ok: false, untilEngineMs: base.state.clock.engineMs - 1_000 + 5 + 3_600_000 });
		expect(guard("budget", times(30, 3_600_000 + 30))).toMatchObject({ ok: true });
	});

	test.each([
		["nothing known of the node", (): EngineState["nodes"] => ({}), "not known"],
		["a node that does not offer the action", (nodes: EngineState["nodes"]) => changed(nodes, { actions: [] }), "does not offer"],
		["a service that it does not supervise", (nodes: EngineState["nodes"]) => changed(nodes, { services: ["db"] }), "does not supervise"],
		["a node that says goodbye", (nodes: EngineState["nodes"]) => changed(nodes, { state: "disconnected" }), "disconnected"],
	] as const)("%s blocks", (_name, change, said) => {
		expect(guard("node", (state) => ({ ...state, nodes: change(state.nodes) }))).toMatchObject({ ok: false, detail: expect.stringContaining(said) });
	});
});

const changed = (nodes: EngineState["nodes"], change: object): EngineState["nodes"] =>
	Object.fromEntries(Object.entries(nodes).map(([node, view]) => [node, { ...view, ...change }]));

describe("when it decides", () => {
	test("N0 says what it would do and does nothing; raising the level decides open incidents again and acts", () => {
		const rig = new EngineRig({ level: "N0" });
		rig.down();
		expect(rig.incident().decision?.verdict).toBe("would");
		expect(types(rig.level("N2"))).toEqual(["decision.made", "action.requested"]);
	});

	test("the same answer for the same reason is not written twice", () => {
		const rig = new EngineRig({ level: "N0" });
		rig.down();
		expect(types(rig.level("N0"))).toEqual([]);
		expect(types(rig.started(0))).toEqual([]);
		expect(types(rig.about("pi-1", ["web"]))).toEqual([]);
	});

	test("an incident of a node that is away waits, and acts when the node is back", () => {
		const rig = new EngineRig();
		rig.presence("pi-1", "disconnected");
		expect(types(rig.down())).toEqual(["incident.opened", "decision.made"]);
		expect(rig.incident().decision).toMatchObject({ verdict: "wait", blockedBy: "node" });
		expect(types(rig.presence("pi-1", "ready", 2))).toEqual(["decision.made", "action.requested"]);
	});

	test("at N3 a RISKY remedy asks for an approval, again when its node is back, and nothing runs", () => {
		const policy = policyWith((shipped) => ({
			...shipped,
			remedies: shipped.remedies.map((row) => ({ ...row, action: "process.stop" })),
		}));
		const rig = new EngineRig({ policy, level: "N3" });
		expect(types(rig.down())).toEqual(["incident.opened", "decision.made", "approval.requested"]);
		rig.presence("pi-1", "lost");
		expect(types(rig.presence("pi-1", "ready", 2))).toEqual(["incident.resolved", "decision.made", "approval.requested"]);
		expect(rig.all("dev.orion.person.asked.v1")).toEqual([]);
		expect(rig.all("dev.orion.action.requested.v1")).toEqual([]);
	});

	test("a budget that is used up by refusals calls a person (HARM-6)", () => {
		const rig = new EngineRig();
		rig.down();
		for (let n = 0; n < 40 && Object.keys(rig.state.actions).length > 0; n++) {
			rig.receipt(rig.action(), "refused");
			rig.tick(5_000);
		}
		expect(rig.incident().decision).toMatchObject({ verdict: "wait", blockedBy: "budget" });
		expect(rig.all("dev.orion.person.asked.v1")).toHaveLength(1);
		expect(rig.all("dev.orion.action.requested.v1")).toHaveLength(30);
		rig.tick(3_600_000);
		expect(Object.keys(rig.state.actions)).toHaveLength(1);
	});

	test("property: an incident never sees the same decision id twice, however long it lives", () => {
		const ids = new Set(Array.from({ length: 20_000 }, (_, n) => decisionId(`record-${n}`, "inc-1")));
		expect(ids.size).toBe(20_000);
		fc.assert(
			fc.property(fc.string(), fc.string(), fc.string(), (cause, left, right) => {
				fc.pre(left !== right);
				expect(decisionId(cause, left)).not.toBe(decisionId(cause, right));
				expect(decisionId(cause, left)).toBe(decisionId(cause, left));
			}),
		);
	});
});
