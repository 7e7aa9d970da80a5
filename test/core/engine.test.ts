// Shows that the engine is a function: the same records give the same state and the same bytes, and a restart at any record changes nothing.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { derivedId, digest } from "../../contracts/digest.ts";
import { encodeEnvelope } from "../../contracts/envelope.ts";
import { fold, step } from "../../core/engine.ts";
import { isOutput } from "../../core/record.ts";
import { emptyState } from "../../core/state.ts";
import { nextTimerMs } from "../../core/timers.ts";
import { activated, EngineRig, inputOf, MESH, shippedPolicy, types } from "../support/engine.ts";
import { stories, tell } from "../support/story.ts";

const told = (words: Parameters<typeof tell>[1][]): EngineRig => {
	const rig = new EngineRig({ nodes: ["pi-1", "pi-2"] });
	for (const word of words) tell(rig, word);
	return rig;
};

describe("outputs", () => {
	test("each names its cause's id and position, and its own id follows from both cause and place (TELL-1)", () => {
		const rig = new EngineRig();
		const position = rig.records.length + 1;
		const outputs = rig.down();
		expect(types(outputs)).toEqual(["incident.opened", "decision.made", "action.requested"]);
		for (const [index, output] of outputs.entries()) {
			expect(output.id).toBe(derivedId(`in-${position}`, index));
			expect(output).toMatchObject({ causeposition: position, causationid: `in-${position}`, mesh: MESH, policyhash: rig.state.policyHash });
		}
	});

	test("the trace of an incident is set where it begins and goes through all that follows", () => {
		const rig = new EngineRig();
		const outputs = rig.down("pi-1", "web", { traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01` });
		expect(new Set(outputs.map(({ traceparent }) => traceparent))).toEqual(new Set([`00-${"a".repeat(32)}-${"b".repeat(16)}-01`]));
		rig.receipt(rig.action(), "done");
		expect(rig.records.at(-1)?.envelope.traceparent).toBe(outputs[0]?.traceparent);
	});

	test("the engine refuses to decide on its own output", () => {
		const rig = new EngineRig();
		const [output] = rig.down();
		if (output === undefined) throw new Error("nothing followed");
		expect(() => step(rig.state, { position: 99, envelope: output })).toThrow("its own output");
	});

	test("a start after thousands of undecided alerts speaks of all of them, and does not take it for a loop of its own (HARM-9)", () => {
		const { hash, content, files } = shippedPolicy();
		let state = fold(emptyState(MESH), inputOf(1, "/core/policy", "dev.orion.policy.activated.v1", activated({ hash, content, files })));
		for (let n = 0; n < 2_100; n++) {
			const alert = inputOf(n + 2, "/nodes/pi-1", "dev.orion.alert.firing.v1", { name: `a-${n}`, severity: "error", summary: "s" });
			state = fold(state, alert);
		}
		const started = inputOf(2_200, "/core/engine", "dev.orion.engine.started.v1", {
			code: "t",
			stateSchema: 1,
			policyHash: hash,
			coreTerm: { counter: 1, keyId: "k" },
			decidedUpTo: 0,
			downtimeMs: null,
			engineMs: 0,
		});
		expect(step(state, started).outputs).toHaveLength(4_200);
	});
});

describe("properties over random stories", () => {
	test("told again, the same bytes and the same state (TELL-1)", () => {
		fc.assert(
			fc.property(stories(40), (words) => {
				const left = told([...words]);
				const right = told([...words]);
				const bytes = (rig: EngineRig) => rig.records.map(({ envelope }) => Buffer.from(encodeEnvelope(envelope)).toString()).join("\n");
				expect(bytes(left)).toBe(bytes(right));
				expect(digest(left.state)).toBe(digest(right.state));
			}),
			{ numRuns: 60 },
		);
	});

	test("folding what was recorded gives the state that deciding gave (TELL-2)", () => {
		fc.assert(
			fc.property(stories(50), (words) => {
				const rig = told([...words]);
				const parsed = rig.records.map(({ position, envelope }) => ({ position, envelope: JSON.parse(JSON.stringify(envelope)) as typeof envelope }));
				expect(digest(parsed.reduce(fold, emptyState(MESH)))).toBe(digest(rig.state));
			}),
			{ numRuns: 100 },
		);
	});

	test("wall time changes times and nothing else (HARM-7)", () => {
		fc.assert(
			fc.property(stories(40), fc.array(fc.integer({ min: 0, max: 4_000_000_000_000 }), { minLength: 1, maxLength: 5 }), (words, walls) => {
				const rig = told([...words]);
				let state = emptyState(MESH);
				let recorded: typeof rig.records = [];
				let again: (typeof rig.records)[number]["envelope"][] = [];
				// When a person has to have decided by is told in wall time, for that person only.
				const timeless = ({ time: _time, recordedtime: _recorded, ...rest }: (typeof rig.records)[number]["envelope"]) =>
					JSON.stringify(rest, (key, value: unknown) => (key === "decideBy" ? undefined : value));
				for (const [index, record] of rig.records.entries()) {
					if (isOutput(record.envelope)) {
						recorded.push(record);
						continue;
					}
					expect(again.map(timeless)).toEqual(recorded.map(({ envelope }) => timeless(envelope)));
					const { envelope } = record;
					const wallMs = walls[index % walls.length] ?? 0;
					const other = envelope.type === "dev.orion.clock.tick.v1" ? { ...envelope, data: { ...envelope.data, wallMs } } : envelope;
					const next = step(state, { position: record.position, envelope: other });
					state = next.state;
					again = [...next.outputs];
					recorded = [];
				}
			}),
			{ numRuns: 60 },
		);
	});

	test("every decision has its incident, every action its decision that says act, every incident its records (TELL-5, HARM-1)", () => {
		fc.assert(
			fc.property(stories(60), (words) => {
				const { records } = told([...words]);
				const incidents = new Set<string>();
				const acting = new Map<string, string>();
				for (const { position, envelope } of records) {
					if (envelope.type === "dev.orion.incident.opened.v1" || envelope.type === "dev.orion.incident.reopened.v1") {
						incidents.add(envelope.data.incident);
						expect(envelope.data.events.length).toBeGreaterThan(0);
						for (const evidence of envelope.data.events) expect(evidence > 0 && evidence < position).toBe(true);
					}
					if (envelope.type === "dev.orion.decision.made.v1") {
						expect(incidents.has(envelope.data.incident)).toBe(true);
						if (envelope.data.verdict === "act") acting.set(envelope.data.decision, envelope.data.level);
					}
					if (envelope.type === "dev.orion.action.requested.v1") {
						expect(["N2", "N3"]).toContain(acting.get(envelope.data.decision));
						expect(envelope.data.risk).toBe("SAFE");
					}
				}
			}),
			{ numRuns: 100 },
		);
	});
});

describe("timers", () => {
	/** Resolved incidents leave after a day; that is no decision. */
	const BEFORE_FORGETTING_MS = 3_600_000;

	test("property: before the next timer a clock record leads to nothing; at it something is looked at anew (HARM-7)", () => {
		fc.assert(
			fc.property(stories(40), fc.double({ min: 0, max: 1, noNaN: true }), (words, part) => {
				const rig = told([...words]);
				const now = rig.engineMs;
				const next = nextTimerMs(rig.state);
				const until = Math.min(next ?? Number.POSITIVE_INFINITY, now + BEFORE_FORGETTING_MS);
				const between = Math.min(until - 1, now + Math.floor((until - now) * part));
				const unchanged = (engineMs: number): void => {
					const early = tickAt(engineMs);
					expect(types(early.outputs)).toEqual([]);
					expect(digest({ ...early.state, clock: rig.state.clock })).toBe(digest(rig.state));
					expect(nextTimerMs(early.state)).toBe(next);
				};
				const tickAt = (engineMs: number) =>
					step(rig.state, inputOf(9_999, "/core/clock", "dev.orion.clock.tick.v1", { engineMs, wallMs: 0, quality: "unsynced", offsetMinutes: 0 }));
				if (between > now) unchanged(between);
				if (until - 1 > now) unchanged(until - 1);
				if (next === undefined || next > now + BEFORE_FORGETTING_MS) return;
				expect(next).toBeGreaterThan(now);
				expect(nextTimerMs(tickAt(next).state)).not.toBe(next);
			}),
			{ numRuns: 300 },
		);
	});

	test("a repair whose symptom is clear is looked at exactly when it has stayed clear long enough, and late by nothing (HARM-5)", () => {
		const rig = new EngineRig();
		rig.down();
		rig.receipt(rig.action(), "done");
		rig.tick(700);
		rig.up();
		const clearForMs = shippedPolicy().content.actions.find(({ id }) => id === "process.restart")?.clearForMs ?? 0;
		const due = rig.engineMs + clearForMs;
		expect(nextTimerMs(rig.state)).toBe(due);
		expect(types(rig.tickTo(due - 1))).toEqual([]);
		expect(types(rig.tickTo(due))).toContain("outcome.verified");
	});

	test("a repair whose symptom stays is looked at exactly when its time is over (HARM-5)", () => {
		const rig = new EngineRig();
		rig.down();
		rig.receipt(rig.action(), "done");
		const withinMs = shippedPolicy().content.actions.find(({ id }) => id === "process.restart")?.withinMs ?? 0;
		const due = rig.engineMs + withinMs;
		expect(nextTimerMs(rig.state)).toBe(due);
		expect(types(rig.tickTo(due - 1))).toEqual([]);
		expect(types(rig.tickTo(due))).toContain("outcome.failed");
	});

	test("property: where no timer is ahead, time alone changes nothing", () => {
		fc.assert(
			fc.property(stories(30), (words) => {
				const rig = told([...words]);
				for (let timers = 0; nextTimerMs(rig.state) !== undefined && timers < 200; timers++) {
					const next = nextTimerMs(rig.state) ?? 0;
					if (next > rig.engineMs + 12 * BEFORE_FORGETTING_MS) return;
					rig.tickTo(next);
				}
				expect(nextTimerMs(rig.state)).toBeUndefined();
				expect(types(rig.tick(BEFORE_FORGETTING_MS))).toEqual([]);
			}),
			{ numRuns: 100 },
		);
	});
});
