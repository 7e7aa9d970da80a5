// Shows the life of an action for every phase and input: at most one at a time, proven before it counts, taken back and left alone when it does not help.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RecordTypes } from "../../contracts/envelope.ts";
import type { ActionPhase } from "../../core/state.ts";
import { actionWith, EngineRig, limitsWith, types } from "../support/engine.ts";

const CLEAR_FOR_MS = 3_000;
const WITHIN_MS = 20_000;
const COOLDOWN_MS = 5_000;
const RECEIPT_WITHIN_MS = 15_000;
const BREAKER_OPEN_MS = 1_800_000;
const HOUR_MS = 3_600_000;

/** A rig whose one action is in this phase. */
const inPhase = (phase: ActionPhase, options: ConstructorParameters<typeof EngineRig>[0] = {}): EngineRig => {
	const rig = new EngineRig({ nodes: ["pi-1", "pi-2"], ...options });
	rig.tick(1_000);
	rig.down();
	if (phase !== "requested") rig.dispatched(rig.action());
	if (phase === "unknown") rig.tick(RECEIPT_WITHIN_MS);
	if (phase === "verifying") rig.receipt(rig.action(), "done");
	expect(rig.state.actions[rig.action()]?.phase).toBe(phase);
	return rig;
};

const PHASES = ["requested", "dispatched", "unknown", "verifying"] as const satisfies readonly ActionPhase[];

type Row = readonly [input: string, feed: (rig: EngineRig) => readonly unknown[], follows: Readonly<Record<ActionPhase, string>>];
type Said = RecordTypes["dev.orion.action.receipt.v1"]["phase"];
const receipt = (said: Said, node?: string) => (rig: EngineRig) => rig.receipt(rig.action(), said, node);
const same = (follows: string): Readonly<Record<ActionPhase, string>> => ({ requested: follows, dispatched: follows, unknown: follows, verifying: follows });
const WAITS = "action.closed decision.made";
const FAILS = "outcome.failed action.closed decision.made";

const TABLE: readonly Row[] = [
	["receipt received", receipt("received"), same("")],
	["receipt accepted", receipt("accepted"), same("")],
	["receipt started", receipt("started"), same("")],
	["receipt done", receipt("done"), { ...same("outcome.verifying"), verifying: "" }],
	["receipt refused", receipt("refused"), { ...same(WAITS), verifying: "" }],
	["receipt failed", receipt("failed"), { ...same(FAILS), verifying: "" }],
	["receipt unknown", receipt("unknown"), { ...same(FAILS), verifying: "" }],
	["receipt done of another node", receipt("done", "pi-2"), same("")],
	["receipt failed of another node", receipt("failed", "pi-2"), same("")],
	["receipt done of no action", (rig) => rig.receipt("act-none", "done"), same("")],
	["receipt done of an action called constructor", (rig) => rig.receipt("constructor", "done"), same("")],
	["nobody received it", (rig) => rig.undelivered(rig.action()), same(WAITS)],
	["a little time", (rig) => rig.tick(1), same("")],
	["time for a receipt", (rig) => rig.tick(RECEIPT_WITHIN_MS), { requested: "", dispatched: "action.asked", unknown: "action.asked", verifying: "" }],
	["time for a verification", (rig) => rig.tick(WITHIN_MS), { requested: "", dispatched: "action.asked", unknown: "action.asked", verifying: FAILS }],
	["the node is back", (rig) => rig.presence("pi-1", "ready", 2), { requested: "", dispatched: "action.asked", unknown: "action.asked", verifying: "" }],
	["another node is back", (rig) => rig.presence("pi-2", "ready", 2), same("")],
	["the service is up", (rig) => rig.up(), same("")],
	["the service is down once more", (rig) => rig.down(), same("incident.updated")],
	["the level falls to N0", (rig) => rig.level("N0"), same("")],
	["a core starts", (rig) => rig.started(0), same("")],
];

describe("every phase with every input", () => {
	test.each(TABLE)("%s", (_name, feed, follows) => {
		for (const phase of PHASES) {
			const rig = inPhase(phase);
			expect(`${phase}: ${types(feed(rig) as never).join(" ")}`).toBe(`${phase}: ${follows[phase]}`);
			expect(rig.all("dev.orion.action.requested.v1")).toHaveLength(1);
		}
	});
});

describe("verification (HARM-5)", () => {
	test("a symptom that clears and stays clear is a repair, said in this order", () => {
		const rig = inPhase("verifying");
		rig.up();
		expect(types(rig.tick(CLEAR_FOR_MS - 1))).toEqual([]);
		expect(types(rig.tick(1))).toEqual(["outcome.verified", "incident.resolved", "action.closed"]);
		expect(rig.incident()).toMatchObject({ status: "resolved", resolvedHow: "repaired", attempts: 1 });
	});

	test("the time counts from the receipt, when the symptom cleared before it", () => {
		const rig = inPhase("dispatched");
		rig.up();
		rig.tick(10_000);
		expect(types(rig.receipt(rig.action(), "done"))).toEqual(["outcome.verifying"]);
		expect(types(rig.tick(CLEAR_FOR_MS - 1))).toEqual([]);
		expect(types(rig.tick(1))).toContain("outcome.verified");
	});

	test("a symptom that comes back after it had cleared is a failure at once", () => {
		const rig = inPhase("verifying");
		rig.up();
		rig.tick(CLEAR_FOR_MS - 1);
		expect(types(rig.down())).toContain("outcome.failed");
		expect(rig.all("dev.orion.incident.resolved.v1")).toEqual([]);
	});

	test("a symptom that does not clear in time is a failure", () => {
		const rig = inPhase("verifying");
		expect(types(rig.tick(WITHIN_MS - 1))).toEqual([]);
		expect(types(rig.tick(1))).toContain("outcome.failed");
	});

	test("an incident under repair is not called over by the guardian", () => {
		const rig = inPhase("dispatched");
		expect(types(rig.up())).toEqual([]);
		expect(rig.incident().status).toBe("open");
	});

	test("a symptom that cleared while the repair was refused is over by itself, never repaired", () => {
		const rig = inPhase("dispatched");
		rig.up();
		rig.receipt(rig.action(), "refused");
		expect(rig.incident()).toMatchObject({ status: "resolved", resolvedHow: "cleared-by-itself" });
	});

	test("after a start both periods begin anew: nobody looked in between", () => {
		const rig = inPhase("verifying");
		rig.up();
		rig.tick(CLEAR_FOR_MS - 1);
		expect(types(rig.started(HOUR_MS, rig.engineMs + HOUR_MS))).toEqual([]);
		expect(types(rig.tick(CLEAR_FOR_MS - 1))).toEqual([]);
		expect(types(rig.tick(1))).toContain("outcome.verified");
	});
});

/** One whole attempt that fails its verification. */
const failOnce = (rig: EngineRig): readonly string[] => {
	const action = rig.action();
	rig.dispatched(action);
	rig.receipt(action, "done");
	return types(rig.tick(WITHIN_MS));
};

describe("cooldown, breaker and budget (HARM-6)", () => {
	test("the cooldown runs from the end of the verification, not from its start", () => {
		const rig = inPhase("verifying");
		rig.tick(WITHIN_MS);
		expect(rig.incident().decision).toMatchObject({ verdict: "wait", blockedBy: "cooldown" });
		expect(types(rig.tick(COOLDOWN_MS - 1))).toEqual([]);
		expect(types(rig.tick(1))).toEqual(["decision.made", "action.requested"]);
	});

	test("after two failed verifications in a row the breaker opens, it is said what was taken back, and a person is asked once", () => {
		const rig = inPhase("requested");
		failOnce(rig);
		rig.tick(COOLDOWN_MS);
		expect(failOnce(rig)).toEqual(["outcome.failed", "outcome.undone", "breaker.opened", "action.closed", "decision.made", "person.asked"]);
		expect(rig.incident().decision).toMatchObject({ verdict: "ask", blockedBy: "breaker" });
		expect(types(rig.tick(BREAKER_OPEN_MS - 1))).toEqual([]);
		expect(rig.all("dev.orion.action.requested.v1")).toHaveLength(2);
		// One more attempt at its time; when it fails the breaker opens again.
		expect(types(rig.tick(1))).toEqual(["decision.made", "action.requested"]);
		expect(failOnce(rig)).toContain("breaker.opened");
		expect(rig.all("dev.orion.person.asked.v1")).toHaveLength(1);
	});

	test("a repair in between closes the breaker and begins the count anew", () => {
		const rig = inPhase("requested");
		failOnce(rig);
		rig.tick(COOLDOWN_MS);
		failOnce(rig);
		rig.tick(BREAKER_OPEN_MS);
		rig.dispatched(rig.action());
		rig.receipt(rig.action(), "done");
		rig.up();
		expect(types(rig.tick(CLEAR_FOR_MS))).toContain("breaker.closed");
		rig.tick(COOLDOWN_MS);
		rig.down();
		expect(failOnce(rig)).not.toContain("breaker.opened");
	});

	test.each([
		["failed", true],
		["unknown", true],
		["refused", false],
	] as const)("%s counts as a failed repair: %s", (said, counts) => {
		const rig = inPhase("dispatched");
		rig.receipt(rig.action(), said);
		rig.tick(COOLDOWN_MS);
		rig.dispatched(rig.action());
		expect(types(rig.receipt(rig.action(), said)).includes("breaker.opened")).toBe(counts);
	});

	test("a refusal between two failures does not make them fewer", () => {
		const rig = inPhase("requested");
		failOnce(rig);
		rig.tick(COOLDOWN_MS);
		rig.receipt(rig.action(), "refused");
		rig.tick(COOLDOWN_MS);
		expect(failOnce(rig)).toContain("breaker.opened");
	});

	test("a refusal before a failure does not count as one", () => {
		const rig = inPhase("requested");
		rig.receipt(rig.action(), "refused");
		rig.tick(COOLDOWN_MS);
		expect(failOnce(rig)).not.toContain("breaker.opened");
	});

	test("a command that nobody received costs neither budget nor breaker", () => {
		const rig = inPhase("requested");
		for (let n = 0; n < 50; n++) {
			rig.undelivered(rig.action());
			rig.tick(1_000);
		}
		expect(Object.values(rig.state.targets)[0]).toMatchObject({ failures: 0 });
		expect(Object.keys(rig.state.actions)).toHaveLength(1);
	});

	test("a downtime of unknown length begins the cooldown again; a known one counts", () => {
		const cooling = (): EngineRig => {
			const rig = inPhase("verifying");
			rig.tick(WITHIN_MS);
			rig.tick(COOLDOWN_MS - 1);
			return rig;
		};
		const unknown = cooling();
		expect(types(unknown.started(null))).toEqual([]);
		expect(types(unknown.tick(COOLDOWN_MS - 1))).toEqual([]);
		expect(types(unknown.tick(1))).toEqual(["decision.made", "action.requested"]);
		const known = cooling();
		expect(types(known.started(1, known.engineMs + 1))).toEqual(["decision.made", "action.requested"]);
	});

	test("another service of the node is not held back", () => {
		const rig = inPhase("verifying");
		rig.about("pi-1", ["web", "db"]);
		rig.tick(WITHIN_MS);
		expect(types(rig.down("pi-1", "db"))).toEqual(["incident.opened", "decision.made", "action.requested"]);
	});
});

describe("unknown outcomes (HARM-8)", () => {
	test("a node that says nothing is asked a bounded number of times, then a person is, and nothing else runs on the target", () => {
		const rig = inPhase("dispatched");
		const said = Array.from({ length: 10 }, () => types(rig.tick(RECEIPT_WITHIN_MS)));
		expect(said.flat().filter((type) => type === "action.asked")).toHaveLength(5);
		expect(said[4]).toEqual(["action.asked", "person.asked"]);
		expect(said.slice(5).flat()).toEqual([]);
		expect(rig.all("dev.orion.action.requested.v1")).toHaveLength(1);
		rig.level("N0");
		rig.level("N2");
		rig.started(null);
		expect(rig.all("dev.orion.action.requested.v1")).toHaveLength(1);
	});

	test("what the node says after all is believed, and the verification begins", () => {
		const rig = inPhase("unknown");
		expect(types(rig.receipt(rig.action(), "done"))).toEqual(["outcome.verifying"]);
	});

	test("a node that is back is asked even after the last regular question", () => {
		const rig = inPhase("dispatched", { policy: limitsWith({ askTimesMax: 1 }) });
		expect(types(rig.tick(RECEIPT_WITHIN_MS))).toEqual(["action.asked", "person.asked"]);
		rig.presence("pi-1", "lost");
		expect(types(rig.presence("pi-1", "ready", 2))).toContain("action.asked");
	});
});

describe("what ends an incident", () => {
	type Word = { readonly kind: Said | "dispatched" | "undelivered" | "up" | "down" | "lost" | "ready" | "tick"; readonly ms: number };
	const word: fc.Arbitrary<Word> = fc.record({
		kind: fc.constantFrom<Word["kind"]>(
			"dispatched",
			"received",
			"accepted",
			"started",
			"done",
			"done",
			"refused",
			"failed",
			"unknown",
			"undelivered",
			"up",
			"up",
			"down",
			"lost",
			"ready",
			"tick",
			"tick",
			"tick",
		),
		ms: fc.constantFrom(1, 2_999, 3_000, 5_000, 15_000, 20_000, 1_800_000),
	});

	const feed = (rig: EngineRig, { kind, ms }: Word): void => {
		const action = Object.keys(rig.state.actions)[0] ?? "act-none";
		if (kind === "tick") rig.tick(ms);
		else if (kind === "up") rig.up();
		else if (kind === "down") rig.down();
		else if (kind === "lost" || kind === "ready") rig.presence("pi-1", kind);
		else if (kind === "dispatched") rig.dispatched(action);
		else if (kind === "undelivered") rig.undelivered(action);
		else rig.receipt(action, kind);
	};

	test("property: receipts in any order, repeated or missing: repaired only after verified, one action at a time, no third attempt before its time", () => {
		fc.assert(
			fc.property(fc.array(word, { maxLength: 60 }), (words) => {
				const rig = new EngineRig({ policy: actionWith({ budgetPerHour: 1_000 }) });
				for (const one of words) {
					feed(rig, one);
					expect(Object.keys(rig.state.actions).length).toBeLessThanOrEqual(1);
				}
				const verified = new Set<string>();
				const openUntilMs: number[] = [];
				let engineMs = 0;
				for (const { envelope } of rig.records) {
					if (envelope.type === "dev.orion.clock.tick.v1") engineMs = envelope.data.engineMs;
					if (envelope.type === "dev.orion.outcome.verified.v1") verified.add(envelope.data.action);
					if (envelope.type === "dev.orion.breaker.opened.v1") openUntilMs.push(envelope.data.untilEngineMs);
					if (envelope.type === "dev.orion.action.requested.v1") expect(Math.max(0, ...openUntilMs)).toBeLessThanOrEqual(engineMs);
					if (envelope.type === "dev.orion.incident.resolved.v1" && envelope.data.how === "repaired")
						expect(verified.has(envelope.data.action ?? "")).toBe(true);
				}
			}),
			{ numRuns: 200 },
		);
	});
});
