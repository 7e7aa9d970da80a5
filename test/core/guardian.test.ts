// Shows when something that is wrong becomes an incident, stays one, ends, and comes back; and whose word counts.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nextTimerMs } from "../../core/timers.ts";
import { EngineRig, limitsWith, policyWith, SESSION, types } from "../support/engine.ts";

const MINUTE_MS = 60_000;
const observed = (options: ConstructorParameters<typeof EngineRig>[0] = {}): EngineRig => new EngineRig({ level: "N0", ...options });

describe("event rules", () => {
	test("an end of a service opens one incident with its evidence, and its start resolves it (TELL-5)", () => {
		const rig = observed();
		expect(types(rig.down())).toEqual(["incident.opened", "decision.made"]);
		const down = rig.records.findIndex(({ envelope }) => envelope.type === "dev.orion.process.down.v1") + 1;
		expect(rig.incident()).toMatchObject({ key: "service-down:pi-1/web", service: "web", status: "open", events: [down] });
		expect(types(rig.up())).toEqual(["incident.resolved"]);
		expect(rig.incident()).toMatchObject({ status: "resolved", resolvedHow: "cleared-by-itself" });
	});

	test("the same symptom seen again is the same incident, said at 2, 4, 8, ... and not in between", () => {
		const rig = observed();
		rig.down();
		const said = Array.from({ length: 15 }, () => types(rig.down()).length);
		expect(said).toEqual([1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
		expect(rig.incident().count).toBe(16);
	});

	test("scope: the same service on two nodes and two services on one node are three incidents", () => {
		const rig = observed({ nodes: ["pi-1", "pi-2"] });
		rig.down("pi-1", "web");
		rig.down("pi-2", "web");
		rig.down("pi-1", "db");
		expect(
			Object.values(rig.state.incidents)
				.map(({ key }) => key)
				.sort(),
		).toEqual(["service-down:pi-1/db", "service-down:pi-1/web", "service-down:pi-2/web"]);
	});

	test("a message that names another node speaks for its sender all the same", () => {
		const rig = observed({ nodes: ["pi-1", "pi-2"] });
		rig.alert("disk", "pi-1", { node: "pi-2" } as never);
		expect(rig.incident()).toMatchObject({ node: "pi-1", key: "alert:pi-1/disk" });
	});

	test("a client of a node speaks for that node", () => {
		const rig = observed();
		rig.feed("/nodes/pi-1.backup", "dev.orion.alert.firing.v1", { name: "late", severity: "error", summary: "no backup" });
		expect(rig.incident()).toMatchObject({ node: "pi-1", severity: "error" });
	});

	test("a graver alert is said at once, whatever its count", () => {
		const rig = observed();
		for (let n = 0; n < 5; n++) rig.alert("disk");
		expect(types(rig.alert("disk", "pi-1", { severity: "critical" }))).toEqual(["incident.updated"]);
		expect(rig.incident().severity).toBe("critical");
	});

	test("evidence is bounded by the policy, newest kept", () => {
		const rig = observed({ policy: limitsWith({ evidencePerIncidentMax: 3 }) });
		for (let n = 0; n < 40; n++) rig.down();
		expect(rig.incident().events.length).toBeLessThanOrEqual(3);
	});

	test("a symptom that nothing clears is over when it was quiet for long enough, and a new one within 10 minutes reopens it", () => {
		const rig = observed();
		rig.feed("/nodes/pi-1", "dev.orion.process.flapping.v1", { service: "web", downs: 3, windowMs: 600_000 });
		expect(nextTimerMs(rig.state)).toBe(rig.engineMs + 10 * MINUTE_MS);
		expect(types(rig.tick(10 * MINUTE_MS - 1))).toEqual([]);
		expect(types(rig.tick(1))).toEqual(["incident.resolved"]);
		expect(types(rig.feed("/nodes/pi-1", "dev.orion.process.flapping.v1", { service: "web", downs: 3, windowMs: 600_000 }))).toContain("incident.reopened");
	});
});

describe("threshold rules", () => {
	const hot = (rig: EngineRig, celsius: number) => types(rig.metrics("pi-1", { temperatureMaxCelsius: celsius }));

	// above 80, clear below 75, for 1 min
	test.each<{ readonly name: string; readonly readings: readonly number[]; readonly open: boolean }>([
		{ name: "at the bound is not above it", readings: [80, 80, 80], open: false },
		{ name: "above it for a minute", readings: [80.1, 80.1, 80.1], open: true },
		{ name: "between the bounds it stays what it was: firing", readings: [81, 77, 76], open: true },
		{ name: "between the bounds it stays what it was: not firing", readings: [77, 79, 80], open: false },
		{ name: "at the lower bound it is not below it", readings: [81, 75, 75], open: true },
		{ name: "below the lower bound the minute begins anew", readings: [81, 74.9, 81], open: false },
	])("$name", ({ readings, open }) => {
		const rig = observed();
		for (const celsius of readings) {
			hot(rig, celsius);
			rig.tick(MINUTE_MS / 2);
		}
		expect(Object.values(rig.state.incidents).length).toBe(open ? 1 : 0);
	});

	test("it opens at the minute and not a millisecond before", () => {
		const rig = observed();
		hot(rig, 90);
		expect(types(rig.tick(MINUTE_MS - 1))).toEqual([]);
		expect(types(rig.tick(1))).toContain("incident.opened");
		expect(rig.incident()).toMatchObject({ title: expect.stringContaining("90") });
	});

	test("readings between the bounds are not told as news", () => {
		const rig = observed();
		hot(rig, 90);
		rig.tick(MINUTE_MS);
		expect([hot(rig, 78), hot(rig, 78), hot(rig, 78)]).toEqual([[], [], []]);
		expect(hot(rig, 70)).toEqual(["incident.resolved"]);
	});

	test("a field that a machine does not have says nothing (TELL-6)", () => {
		const rig = observed();
		rig.metrics("pi-1", { cpuRatio: 1 });
		expect(Object.keys(rig.state.symptoms).some((id) => id.startsWith("too-hot"))).toBe(false);
	});
});

describe("absence rules", () => {
	const silent = (rig: EngineRig) => Object.values(rig.state.incidents).filter(({ rule, status }) => rule === "host-silent" && status === "open").length;

	test("opens when nothing came for long enough, resolves at the next sign of life", () => {
		const rig = observed();
		rig.metrics("pi-1", { cpuRatio: 0.1 });
		rig.tick(2 * MINUTE_MS - 1);
		expect(silent(rig)).toBe(0);
		rig.tick(1);
		expect(silent(rig)).toBe(1);
		rig.metrics("pi-1", { cpuRatio: 0.1 });
		expect(silent(rig)).toBe(0);
	});

	test("a node that was never heard is not missed", () => {
		const rig = observed();
		rig.tick(3_600_000);
		expect(silent(rig)).toBe(0);
	});

	test("a core that starts does not call silence over that it did not hear end", () => {
		const rig = observed();
		rig.metrics("pi-1", { cpuRatio: 0.1 });
		rig.tick(2 * MINUTE_MS);
		expect(types(rig.started(0))).not.toContain("incident.resolved");
		expect(silent(rig)).toBe(1);
	});

	test("silence that had not lasted long enough begins anew after a start: nobody could have been heard", () => {
		const rig = observed();
		rig.metrics("pi-1", { cpuRatio: 0.1 });
		rig.tick(MINUTE_MS);
		rig.started(10 * MINUTE_MS, rig.engineMs + 10 * MINUTE_MS);
		expect(silent(rig)).toBe(0);
		rig.tick(2 * MINUTE_MS - 1);
		expect(silent(rig)).toBe(0);
		rig.tick(1);
		expect(silent(rig)).toBe(1);
	});

	test("a duration begins anew after a start also where there was an incident before", () => {
		const rig = observed();
		rig.metrics("pi-1", { temperatureMaxCelsius: 90 });
		rig.tick(MINUTE_MS);
		rig.metrics("pi-1", { temperatureMaxCelsius: 60 });
		rig.metrics("pi-1", { temperatureMaxCelsius: 90 });
		rig.tick(MINUTE_MS / 2);
		rig.started(10 * MINUTE_MS, rig.engineMs + 10 * MINUTE_MS);
		expect(rig.incident().status).toBe("resolved");
	});
});

describe("coming back", () => {
	const atMs = (afterMs: number): readonly string[] => {
		const rig = observed();
		rig.down();
		rig.up();
		rig.tick(afterMs);
		return types(rig.down());
	};

	test("within 10 minutes it is the same incident, reopened; from then on a new one", () => {
		expect(atMs(10 * MINUTE_MS - 1)).toEqual(["incident.reopened", "decision.made"]);
		expect(atMs(10 * MINUTE_MS)).toEqual(["incident.opened", "decision.made"]);
	});

	test("what is over leaves the state after a day, the symptom with it, and comes back as something new", () => {
		const rig = observed();
		rig.alert("disk");
		rig.feed("/nodes/pi-1", "dev.orion.alert.resolved.v1", { name: "disk" } as never);
		rig.tick(24 * 3_600_000 + 1);
		rig.tick(1);
		expect(rig.state.incidents).toEqual({});
		expect(Object.keys(rig.state.symptoms).filter((id) => id.startsWith("alert"))).toEqual([]);
		expect(types(rig.alert("disk"))).toContain("incident.opened");
	});
});

describe("presence", () => {
	const lost = (rig: EngineRig) => Object.values(rig.state.incidents).some(({ rule, status }) => rule === "node-lost" && status === "open");

	// Before: session 2, connection 5, ready.
	test.each<{ readonly session: string; readonly conn: number; readonly counts: boolean }>([
		{ session: "2.00112233445566aa", conn: 4, counts: false },
		{ session: "2.00112233445566aa", conn: 5, counts: true },
		{ session: "2.00112233445566aa", conn: 6, counts: true },
		{ session: "1.00112233445566aa", conn: 9, counts: false },
		{ session: "3.00112233445566aa", conn: 0, counts: true },
		{ session: "10.00112233445566aa", conn: 0, counts: true },
	])("a will of session $session, connection $conn: counts $counts", ({ session, conn, counts }) => {
		const rig = observed({ nodes: [] });
		rig.presence("pi-1", "ready", 5, "2.00112233445566aa");
		rig.presence("pi-1", "lost", conn, session);
		expect(rig.state.nodes["pi-1"]?.state).toBe(counts ? "lost" : "ready");
		expect(lost(rig)).toBe(counts);
	});

	test("a node that is taken out of the mesh is missed no longer: nothing of it stays open", () => {
		const rig = observed();
		rig.metrics("pi-1", { cpuRatio: 0.1 });
		rig.down();
		rig.presence("pi-1", "lost");
		expect(lost(rig)).toBe(true);
		rig.feed("/core/operator", "dev.orion.node.removed.v1", { node: "pi-1", by: "test" });
		rig.tick(3_600_000);
		expect(Object.values(rig.state.incidents).filter(({ status }) => status === "open")).toEqual([]);
		expect(rig.state.nodes).toEqual({});
	});

	test("a node may have any name that the contract allows", () => {
		const rig = observed({ nodes: ["constructor"] });
		rig.down("constructor");
		expect(rig.incident()).toMatchObject({ node: "constructor", status: "open" });
		expect(rig.state.nodes["constructor"]).toMatchObject({ state: "ready", session: SESSION });
	});
});

describe("order", () => {
	test("what a node said earlier and what arrives later is not what it says now, even as the first word", () => {
		const said = (seq: number) => ({ session: SESSION, lane: "event" as const, seq });
		const rig = observed();
		rig.up("pi-1", "web", said(6));
		expect(types(rig.down("pi-1", "web", said(5)))).toEqual([]);
		expect(types(rig.down("pi-1", "web", said(7)))).toContain("incident.opened");
		expect(types(rig.up("pi-1", "web", { session: "2.00112233445566aa", lane: "event", seq: 1 }))).toEqual(["incident.resolved"]);
	});

	test("property: however the numbered words of a node are shuffled and repeated, what is open in the end is what it said last", () => {
		const word = fc.record({ service: fc.constantFrom("web", "db"), up: fc.boolean() });
		fc.assert(
			fc.property(fc.array(word, { minLength: 1, maxLength: 12 }), fc.infiniteStream(fc.nat({ max: 1_000 })), (words, keys) => {
				const order = [...words.entries(), ...words.entries()].map(([index, said]) => ({ index, said, key: keys.next().value ?? 0 }));
				order.sort((left, right) => left.key - right.key || left.index - right.index);
				const rig = observed();
				const seen = new Set<number>();
				for (const { index, said } of order) {
					// A repeat never reaches the engine: the log knows it.
					if (seen.has(index)) continue;
					seen.add(index);
					const more = { session: SESSION, lane: "event" as const, seq: index + 1 };
					if (said.up) rig.up("pi-1", said.service, more);
					else rig.down("pi-1", said.service, more);
				}
				for (const service of ["web", "db"]) {
					const last = words.filter((said) => said.service === service).at(-1);
					const open = Object.values(rig.state.incidents).some((incident) => incident.service === service && incident.status === "open");
					expect(open).toBe(last !== undefined && !last.up);
				}
			}),
			{ numRuns: 150 },
		);
	});
});

describe("one symptom, one incident", () => {
	test("property: whatever comes, no two open incidents share a key, and no resolved one is resolved again", () => {
		const event = fc.oneof(
			fc.constantFrom("down", "up", "lost", "ready", "metrics", "hot", "cool", "start").map((kind) => ({ kind, ms: 0 })),
			fc.integer({ min: 1, max: 400_000 }).map((ms) => ({ kind: "tick", ms })),
		);
		fc.assert(
			fc.property(fc.array(event, { maxLength: 40 }), (events) => {
				const rig = observed();
				for (const { kind, ms } of events) {
					const before = rig.state.incidents;
					const outputs =
						kind === "tick"
							? rig.tick(ms)
							: kind === "down"
								? rig.down()
								: kind === "up"
									? rig.up()
									: kind === "lost" || kind === "ready"
										? rig.presence("pi-1", kind)
										: kind === "start"
											? rig.started(1_000, rig.engineMs + 1_000)
											: rig.metrics("pi-1", kind === "metrics" ? { cpuRatio: 0 } : { temperatureMaxCelsius: kind === "hot" ? 90 : 20 });
					for (const output of outputs)
						if (output.type === "dev.orion.incident.resolved.v1") expect(before[output.data.incident]?.status ?? "open").toBe("open");
					const open = Object.values(rig.state.incidents).filter(({ status }) => status === "open");
					expect(new Set(open.map(({ key }) => key)).size).toBe(open.length);
				}
			}),
			{ numRuns: 150 },
		);
	});

	test("a rule that is gone takes its incidents with it, and only those", () => {
		const rig = observed();
		rig.down();
		rig.alert("disk");
		rig.policy(policyWith((policy) => ({ ...policy, rules: policy.rules.filter(({ id }) => id !== "alert") })));
		expect(Object.values(rig.state.incidents).map(({ rule, status }) => [rule, status])).toEqual([
			["service-down", "open"],
			["alert", "resolved"],
		]);
	});
});
