// Shows what missing pulses say of a node: by the rows of the policy, only while core listened, and never over what the node or its will said (HARM-100, HARM-101, HARM-102).
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeEnvelope } from "../../contracts/envelope.ts";
import { step } from "../../core/engine.ts";
import { presenceOf } from "../../core/guardian/presence.ts";
import { findSilence, LISTENED_MS_MAX, type Listening, type Look, listen } from "../../core/guardian/pulses.ts";
import { isOutput } from "../../core/record.ts";
import type { NodeView, Silence } from "../../core/state.ts";
import { emptyState } from "../../core/state.ts";
import { EngineRig, MESH, SESSION, shippedPolicy, types } from "../support/engine.ts";

const rules = shippedPolicy().content.presence ?? { pulseMs: 0, rows: [] };
const LATER = "2.00112233445566aa";
const FOUND = ["suspect", "lost", "unreachable"] as const;

type Said = Pick<NodeView, "state" | "silence">;
const view = (state: NodeView["state"], found?: Silence["found"], missed = 3): Said => ({
	state,
	...(found === undefined ? {} : { silence: { found, missed } }),
});
const silentFor = (silentMs: number, parent: Listening["parent"] = "here"): Listening => ({ sign: "s", silentMs, parent });

describe("HARM-100: the rows", () => {
	test.each<[string, number, Listening["parent"], Said, string | undefined]>([
		["two missed", 2_999, "here", view("ready"), undefined],
		["three missed", 3_000, "here", view("ready"), "suspect 3 some-missing"],
		["three missed before it is ready", 3_000, "here", view("init"), "suspect 3 some-missing"],
		["five missed, said already", 5_999, "here", view("ready", "suspect"), undefined],
		["six missed", 6_000, "here", view("ready", "suspect"), "lost 6 many-missing"],
		["six missed at once", 6_000, "here", view("ready"), "lost 6 many-missing"],
		["long lost", 3_600_000, "here", view("ready", "lost"), undefined],
		["heard again after some", 0, "here", view("ready", "suspect"), "over 0 "],
		["heard again after many", 0, "here", view("ready", "lost"), "over 0 "],
		["its broker is not heard", 3_000, "away", view("ready"), "unreachable 3 behind-a-broker"],
		["its broker is not heard for long", 60_000, "away", view("ready"), "unreachable 60 behind-a-broker"],
		["suspect, and then its broker is not heard", 4_000, "away", view("ready", "suspect"), "unreachable 4 behind-a-broker"],
		["lost, and then its broker is not heard", 9_000, "away", view("ready", "lost"), "over 9 "],
		["its broker is back", 0, "here", view("ready", "unreachable"), "over 0 "],
		["its will said so", 6_000, "here", view("lost"), undefined],
		["its will said so after it was found", 6_000, "here", view("lost", "suspect"), "over 6 "],
		["it said that it goes", 60_000, "here", view("disconnected"), undefined],
	])("%s", (_, silentMs, parent, said, expected) => {
		const found = findSilence(silentFor(silentMs, parent), said, rules);
		expect(found === undefined ? undefined : `${found.found} ${found.missed} ${found.row ?? ""}`).toBe(expected);
	});

	test("the order of the rows says nothing", () => {
		const turned = { ...rules, rows: [...rules.rows].reverse() };
		for (let silentMs = 0; silentMs < 10_000; silentMs += 500) {
			for (const parent of ["here", "away"] as const)
				expect(findSilence(silentFor(silentMs, parent), view("ready"), turned)).toEqual(findSilence(silentFor(silentMs, parent), view("ready"), rules));
		}
	});

	test("what is recorded once is not recorded again, whatever is found", () => {
		fc.assert(
			fc.property(fc.nat({ max: 20_000 }), fc.constantFrom("here", "away"), fc.constantFrom(undefined, ...FOUND), (silentMs, parent, before) => {
				let said = view("ready", before);
				// What was lost is over before it is called something else: two records at most.
				for (let times = 0; times < 2; times += 1) {
					const found = findSilence(silentFor(silentMs, parent as "here"), said, rules);
					if (found !== undefined) said = view("ready", found.found === "over" ? undefined : found.found);
				}
				expect(findSilence(silentFor(silentMs, parent as "here"), said, rules)).toBeUndefined();
			}),
		);
	});
});

describe("HARM-101: only what core listened to counts", () => {
	const look = (change: Partial<Look> = {}): Look => ({ sign: "s", passedMs: 500, parent: "here", ...change });

	test.each<[string, Listening | undefined, Look, Silence | undefined, number]>([
		["the first look", undefined, look({ passedMs: 9_000 }), undefined, 0],
		["the first look of a core that was started anew: no sign of life", undefined, look(), { found: "lost", missed: 6 }, 6_000],
		["nothing heard", silentFor(1_000), look(), undefined, 1_500],
		["a sign of life", silentFor(9_000), look({ sign: "t" }), undefined, 0],
		["a pause of core", silentFor(1_000), look({ passedMs: 600_000 }), undefined, 1_000 + LISTENED_MS_MAX],
		["a clock that goes back", silentFor(1_000), look({ passedMs: -5 }), undefined, 1_000],
		["its broker is away now", silentFor(2_000), look({ parent: "away" }), undefined, 2_500],
		["its broker is back", silentFor(60_000, "away"), look(), undefined, 0],
	])("%s", (_, before, now, known, silentMs) => {
		expect(listen(before, now, known, rules)).toEqual({ sign: now.sign, parent: now.parent, silentMs });
	});

	test("property: a node whose pulses come is never suspect, however core pauses between", () => {
		fc.assert(
			fc.property(
				fc.array(fc.record({ passedMs: fc.oneof(fc.constant(500), fc.nat({ max: 3_600_000 })), heard: fc.boolean() }), { maxLength: 200 }),
				(looks) => {
					let listening: Listening | undefined;
					let [pulses, unheard] = [0, 0];
					for (const { passedMs, heard } of looks) {
						// A node that lives is heard at every other look at least.
						unheard = heard || unheard >= 2 ? 0 : unheard + 1;
						if (unheard === 0) pulses += 1;
						listening = listen(listening, look({ passedMs, sign: `p${pulses}` }), undefined, rules);
						expect(findSilence(listening, view("ready"), rules)).toBeUndefined();
					}
				},
			),
		);
	});

	test("property: one that is silent is lost after six to seven seconds of listening, and suspect before that", () => {
		fc.assert(
			fc.property(fc.array(fc.integer({ min: 50, max: LISTENED_MS_MAX }), { minLength: 1, maxLength: 160 }), (steps) => {
				let listening = listen(undefined, look(), undefined, rules);
				let [listenedMs, at] = [0, 0];
				let said = view("ready");
				const seen: [string, number][] = [];
				while (listenedMs < 8_000) {
					const passedMs = steps[at++] ?? LISTENED_MS_MAX;
					listenedMs += passedMs;
					listening = listen(listening, look({ passedMs }), said.silence, rules);
					const found = findSilence(listening, said, rules);
					if (found === undefined) continue;
					seen.push([found.found, listenedMs]);
					said = view("ready", found.found as Silence["found"]);
				}
				expect(seen.map(([found]) => found)).toEqual(["suspect", "lost"]);
				for (const [found, ms] of seen) {
					const least = found === "suspect" ? 3_000 : 6_000;
					expect(ms).toBeGreaterThanOrEqual(least);
					expect(ms).toBeLessThan(least + LISTENED_MS_MAX);
				}
			}),
			{ numRuns: 30 },
		);
	});
});

describe("HARM-102: one word for where a node is", () => {
	const STATES = ["init", "ready", "disconnected", "lost"] as const;
	test.each(STATES.flatMap((state) => [undefined, ...FOUND].map((found) => ({ state, found }))))("says $state, found $found", ({ state, found }) => {
		const expected = state === "init" || state === "ready" ? (found ?? state) : state;
		expect(presenceOf(view(state, found))).toBe(expected);
	});

	const silence = (rig: EngineRig, found: "suspect" | "lost" | "unreachable" | "over", session = SESSION, node = "pi-1") =>
		rig.feed("/core/presence", "dev.orion.node.silence.v1", { node, session, found, missed: 6 });
	const presence = (rig: EngineRig) => {
		const known = rig.state.nodes["pi-1"];
		return known === undefined ? "none" : presenceOf(known);
	};

	test("found lost: one incident; heard again: it is over, and what is open is decided afresh", () => {
		const rig = new EngineRig({ level: "N2" });
		expect(types(silence(rig, "suspect"))).toEqual([]);
		expect(presence(rig)).toBe("suspect");
		expect(types(silence(rig, "lost"))).toEqual(["incident.opened", "decision.made"]);
		expect(rig.incident()).toMatchObject({ rule: "node-silent", node: "pi-1", title: "pi-1 is lost: 6 pulses in a row are missing" });
		expect(presence(rig)).toBe("lost");
		expect(types(silence(rig, "over"))).toEqual(["incident.resolved"]);
		expect(presence(rig)).toBe("ready");
	});

	test("unreachable is not down: no incident", () => {
		const rig = new EngineRig({ level: "N2" });
		silence(rig, "suspect");
		expect(types(silence(rig, "unreachable"))).toEqual([]);
		expect(presence(rig)).toBe("unreachable");
	});

	test("nothing is queued for a node that is lost or unreachable; one that is only suspect is asked; and it goes on by itself", () => {
		const rig = new EngineRig({ level: "N2" });
		silence(rig, "lost");
		expect(types(rig.down())).not.toContain("action.requested");
		expect(types(silence(rig, "over"))).toContain("action.requested");
		const behind = new EngineRig({ level: "N2" });
		silence(behind, "unreachable");
		expect(types(behind.down())).not.toContain("action.requested");
		const doubtful = new EngineRig({ level: "N2" });
		silence(doubtful, "suspect");
		expect(types(doubtful.down())).toContain("action.requested");
	});

	test("a word of the node about itself does not hide what is missing; a later session does", () => {
		const rig = new EngineRig({ level: "N0" });
		silence(rig, "lost");
		rig.presence("pi-1", "ready");
		expect(presence(rig)).toBe("lost");
		silence(rig, "over");
		silence(rig, "lost", LATER);
		expect(presence(rig)).toBe("ready");
		rig.presence("pi-1", "ready", 1, LATER);
		silence(rig, "lost", SESSION);
		expect(presence(rig)).toBe("ready");
	});

	test("of a node that nobody knows, or that is no longer of this mesh, nothing is kept", () => {
		const rig = new EngineRig({ level: "N0" });
		silence(rig, "lost", SESSION, "nobody");
		expect(rig.state.nodes["nobody"]).toBeUndefined();
		silence(rig, "lost");
		rig.feed("/core/operator", "dev.orion.node.removed.v1", { node: "pi-1", by: "test" });
		expect(Object.values(rig.state.incidents).filter(({ status, node }) => status === "open" && node === "pi-1")).toEqual([]);
	});

	test("property: told again, the same bytes follow and the same state, whatever was found when (TELL-1)", () => {
		const word = fc.constantFrom("suspect", "lost", "unreachable", "over", "ready", "will", "down", "up", "tick", "later");
		fc.assert(
			fc.property(fc.array(word, { maxLength: 30 }), (words) => {
				const rig = new EngineRig({ level: "N2" });
				for (const kind of words) {
					if (kind === "ready") rig.presence("pi-1", "ready");
					else if (kind === "will") rig.presence("pi-1", "lost");
					else if (kind === "later") rig.presence("pi-1", "ready", 1, LATER);
					else if (kind === "down") rig.down();
					else if (kind === "up") rig.up();
					else if (kind === "tick") rig.tick(1_000);
					else silence(rig, kind as "lost");
				}
				let state = emptyState(MESH);
				const again: string[] = [];
				for (const record of rig.records) {
					if (isOutput(record.envelope)) continue;
					const next = step(state, record);
					again.push(...next.outputs.map((output) => Buffer.from(encodeEnvelope(output)).toString()));
					state = next.state;
				}
				expect(again).toEqual(rig.records.filter(({ envelope }) => isOutput(envelope)).map(({ envelope }) => Buffer.from(encodeEnvelope(envelope)).toString()));
				expect(state).toEqual(rig.state);
				const open = Object.values(rig.state.incidents).filter(({ rule, status }) => rule === "node-silent" && status === "open");
				expect(open.length <= 1).toBe(true);
			}),
			{ numRuns: 100 },
		);
	});
});
