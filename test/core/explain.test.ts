// Shows that the card of an incident is built from its records alone, and names facts, rows, guards, actions and what came of them: TELL-4, TELL-5.
import { describe, expect, test } from "vitest";
import { explain } from "../../core/memory/explain.ts";
import { whyNoIncident } from "../../core/memory/explain-event.ts";
import { gravityOf, sayRecord } from "../../core/memory/sentences.ts";
import { incidentAnswer, why } from "../../core/service/http-why.ts";
import { whyText } from "../../core/service/telegram/why-text.ts";
import { Threads } from "../../core/service/threads.ts";
import { DeskWorld, hopeless, realPolicy, repaired } from "./http-desk.ts";

const threadsOf = (world: DeskWorld, incidentsMax?: number): Threads =>
	new Threads({ desk: world.desk(), pause: async () => undefined, ...(incidentsMax === undefined ? {} : { incidentsMax }) });

const seen = (world: DeskWorld) => ({ info: world.info(), state: world.state, live: [], known: [], notices: [], wallMs: world.wallMs });

const card = async (world: DeskWorld, id: string) => {
	const found = await why(world.desk(), threadsOf(world), seen(world), id);
	if (!found.ok) throw new Error(JSON.stringify(found.fault));
	return found.value;
};

describe("the card of an incident", () => {
	test("at N0: what would be done, by which rows, and what would change it", async () => {
		const world = new DeskWorld();
		world.node("host", ["web"]);
		const down = world.down("host", "web");
		const told = await card(world, world.incident());
		expect(told.events.map(({ position }) => position)).toEqual([down]);
		const [decision] = told.decisions;
		expect(decision).toMatchObject({ verdict: "would", action: "process.restart", risk: "SAFE", level: "N0", because: { position: down } });
		const matched = decision?.rows.map((row) => row.matched) ?? [];
		expect(matched, "matched rows come first").toEqual([...matched].sort((left, right) => Number(right) - Number(left)));
		expect(decision?.rows.filter((row) => row.matched).every((row) => /^policies\/\w+\.yaml:\d+$/.test(row.at))).toBe(true);
		expect(decision?.change.join()).toContain("orion level N2");
		expect(decision?.facts).toContainEqual({ name: "what the event said", value: expect.stringContaining("SIGKILL"), position: down, ok: true });
		expect([told.actions, told.asked, told.breaker]).toEqual([[], [], []]);
		expect(told.partial).toBe(false);
	});

	test("repaired: the action with its receipts, its verification and its end", async () => {
		const world = repaired();
		const told = await card(world, world.incident());
		expect(told.incident).toMatchObject({ status: "resolved", resolvedHow: "repaired", node: "host", service: "web", rule: "service-down" });
		const [action] = told.actions;
		expect(action).toMatchObject({ name: "process.restart", attempt: 1, phase: "verified", end: "verified", decision: told.decisions[0]?.id });
		expect(action?.steps.map(({ type, phase }) => phase ?? type.split(".").slice(2, 4).join("."))).toEqual([
			"action.dispatched",
			"received",
			"accepted",
			"started",
			"done",
			"outcome.verifying",
			"outcome.verified",
		]);
	});

	test("hopeless: failed twice, undone, breaker open, a person asked", async () => {
		const world = hopeless();
		const told = await card(world, world.incident());
		expect(told.decisions.map(({ verdict }) => verdict)).toEqual(["act", "wait", "act", "ask"]);
		expect(told.actions.map(({ end, attempt }) => [end, attempt])).toEqual([
			["not-verified", 1],
			["not-verified", 2],
		]);
		expect(told.actions[1]?.steps.map(({ type }) => type)).toContain("dev.orion.outcome.undone.v1");
		expect(told.breaker.map(({ type }) => type)).toEqual(["dev.orion.breaker.opened.v1"]);
		expect(told.asked).toHaveLength(1);
		expect(told.asked[0]?.suggestion).toContain("orion retry");
	});

	test("every record that the engine wrote about it is in its timeline (TELL-5), and no clock record", async () => {
		for (const world of [repaired(), hopeless()]) {
			const told = await card(world, world.incident());
			const mine = world.records.filter(({ envelope }) => envelope.correlationid === world.incident()).map(({ position }) => position);
			expect(told.timeline.map(({ position }) => position)).toEqual(expect.arrayContaining(mine));
			expect(told.timeline.some(({ type }) => type === "dev.orion.clock.tick.v1")).toBe(false);
		}
	});

	test("reopened: the same incident, open again, with both ends of its story", async () => {
		const world = repaired();
		world.down("host", "web");
		const told = await card(world, world.incident());
		expect(told.incident).toMatchObject({ status: "open", reopened: 1 });
		expect(told.incident).not.toHaveProperty("resolvedAt");
		expect(told.events.filter(({ type }) => type === "dev.orion.process.down.v1")).toHaveLength(2);
	});
});

describe("what may be asked about", () => {
	test("a decision or an action shows its own part", async () => {
		const world = hopeless();
		const whole = await card(world, world.incident());
		const second = whole.actions[1];
		const decision = await card(world, second?.decision ?? "");
		expect([decision.subject.kind, decision.decisions.length, decision.actions.map(({ id }) => id)]).toEqual(["decision", 1, [second?.id]]);
		const action = await card(world, second?.id ?? "");
		expect([action.subject.kind, action.decisions.map(({ id }) => id), action.actions.map(({ id }) => id)]).toEqual([
			"action",
			[second?.decision],
			[second?.id],
		]);
	});

	test("an event by its position or its id, an output, a receipt: all lead to the incident", async () => {
		const world = repaired();
		const at = (type: string): number => world.records.find(({ envelope }) => envelope.type === `dev.orion.${type}.v1`)?.position ?? 0;
		for (const position of [at("process.down"), at("process.up"), at("action.receipt"), at("action.dispatched"), at("outcome.verified"), at("decision.made")]) {
			expect((await card(world, String(position))).incident?.id, `#${position}`).toBe(world.incident());
		}
		const id = world.records[at("process.down") - 1]?.envelope.id ?? "";
		expect(await card(world, id)).toMatchObject({
			subject: { kind: "event", id },
			record: { position: at("process.down") },
			incident: { id: world.incident() },
		});
	});

	test("the beginning of an id, when there is only one; else the choices are named", async () => {
		const world = new DeskWorld();
		for (const name of ["a", "b", "c"]) world.alert(name);
		const desk = world.desk();
		const ambiguous = await why(desk, threadsOf(world), seen(world), "inc-");
		expect(ambiguous).toMatchObject({ ok: false, fault: { code: "AMBIGUOUS" } });
		if (!ambiguous.ok) expect(String(ambiguous.fault.facts["candidates"]).split(", ").sort()).toEqual(Object.keys(world.state.incidents).sort());
		for (const id of Object.keys(world.state.incidents)) expect((await card(world, id.slice(0, -1))).incident?.id).toBe(id);
		expect(await why(desk, threadsOf(world), seen(world), "inc")).toMatchObject({ ok: false, fault: { code: "NOT_FOUND" } });
	});

	test("an incident that the state forgot is told from the log", async () => {
		const world = repaired();
		const id = world.incident();
		world.tick(90_000_000);
		expect(world.state.incidents[id]).toBeUndefined();
		expect((await card(world, id)).incident).toMatchObject({ id, status: "resolved", resolvedHow: "repaired" });
		expect(await incidentAnswer(threadsOf(world), seen(world), id)).toMatchObject({ ok: true, value: { incident: { id, status: "resolved" } } });
	});

	test("records of the thread that are archived: the rest is shown, and said to be partial", async () => {
		const world = repaired();
		world.first = world.records.find(({ envelope }) => envelope.type === "dev.orion.action.requested.v1")?.position ?? 0;
		const told = await card(world, world.incident());
		expect(told.partial).toBe(true);
		expect(told.incident).toBeUndefined();
		expect(told.actions).toHaveLength(1);
		expect(await why(world.desk(), threadsOf(world), seen(world), "1")).toMatchObject({ ok: false, fault: { code: "RECORDS_ARCHIVED" } });
	});

	test("a node cannot put its records into somebody's incident", async () => {
		const world = repaired();
		const forged = world.input("/nodes/host", "dev.orion.process.flapping.v1", { service: "x", downs: 3, windowMs: 9 }, { correlationid: "inc-forged0000" });
		expect(await why(world.desk(), threadsOf(world), seen(world), "inc-forged0000")).toMatchObject({ ok: false });
		expect((await card(world, String(forged))).incident?.id).not.toBe("inc-forged0000");
	});
});

describe("the index of threads", () => {
	test("reads only as far back as is asked, and goes on with what is new", async () => {
		const world = new DeskWorld();
		for (let index = 0; index < 2_000; index++) world.tick(1);
		world.alert("door");
		let pages = 0;
		const desk = world.desk();
		const threads = new Threads({
			desk: {
				...desk,
				records: (from, max) => {
					pages += 1;
					return desk.records(from, max);
				},
			},
			pause: async () => undefined,
		});
		expect((await threads.thread(world.incident()))?.records).toHaveLength(3);
		expect(pages).toBeLessThanOrEqual(3);
		world.alert("window");
		expect((await threads.thread(world.incident()))?.records).toHaveLength(3);
		expect(pages).toBeLessThanOrEqual(6);
	});

	test("keeps a bounded number of incidents: the newest", async () => {
		const world = new DeskWorld();
		const ids: string[] = [];
		const threads = threadsOf(world, 10);
		for (let index = 0; index < 25; index++) {
			world.alert(`a${index}`);
			ids.push(world.incident());
			await threads.find(world.incident());
		}
		expect((await threads.find(ids.at(-1) ?? "")).ok).toBe(true);
		expect((await threads.find(ids[0] ?? "")).ok).toBe(false);
	});

	test("questions at the same time are answered alike", async () => {
		const world = hopeless();
		const threads = threadsOf(world);
		const ids = [world.incident(), "inc-", world.action().action, "dec-0"];
		const [first, prefix, action] = await Promise.all(ids.map((id) => threads.find(id)));
		expect([first, prefix, action].map((found) => (found?.ok === true ? found.value.incident : found?.fault.code))).toEqual(Array(3).fill(world.incident()));
	});
});

describe("the same card in a chat", () => {
	test("TELL-60: an ask for a level, with who asked and what counted", async () => {
		const world = new DeskWorld();
		const ask = { ask: "apr-00112233aabb", level: "N2", before: "N0", by: "telegram:1 Anna", via: "telegram", decideWithinMs: 60_000 } as const;
		world.input("/core/telegram", "dev.orion.level.asked.v1", ask);
		world.tick(60_001);
		const told = whyText(await card(world, "apr-0011"));
		expect(told).toContain("level N2 instead of N0 (apr-00112233aabb): expired");
		expect(told).toContain("telegram:1 Anna asks for level N2 instead of N0");
	});

	test("a question to a person stands between what was decided and what was done", async () => {
		const world = new DeskWorld();
		world.node("pi-3", ["web"]);
		world.level("N3");
		world.input("/nodes/pi-3", "dev.orion.process.flapping.v1", { service: "web", downs: 3, windowMs: 60_000 });
		world.tick(1_000);
		const [id = ""] = Object.keys(world.state.approvals);
		expect(whyText(await card(world, world.incident()))).toMatch(new RegExp(`What was decided[^]+What was asked\n.+${id}.+: open`));
	});
});

describe("why an event belongs to no incident", () => {
	const about = (type: string, data: object, source = "/nodes/host"): string =>
		whyNoIncident(realPolicy().content, { specversion: "1.0", id: "x", source, type, data } as never).join("; ");

	test.each([
		["node.about", {}, "no correlation rule speaks of dev.orion.node.about.v1"],
		["host.metrics", { uptimeSeconds: 1, memoryUsedRatio: 0.5 }, "looks at memoryUsedRatio: 0.5 is not above 0.95, and must last 2 min"],
		["host.metrics", { uptimeSeconds: 1, temperatureMaxCelsius: 90 }, "temperatureMaxCelsius: 90 is above 80, and must last 1 min"],
		["host.metrics", { uptimeSeconds: 1 }, "looks at temperatureMaxCelsius, which is absent here"],
		["host.metrics", { uptimeSeconds: 1 }, "waits for the opposite: that nothing like this comes for 2 min"],
		["node.state", { state: "disconnected", session: "1.0", conn: 1 }, "node-lost (policies/correlation.yaml:"],
		["node.state", { state: "disconnected", session: "1.0", conn: 1 }, "state is disconnected, not ready"],
		["process.up", { service: "web" }, "service-down (policies/correlation.yaml:4) is cleared by it, and nothing was there to clear"],
		["process.down", { service: "web" }, "raises on it; no incident names it as its evidence"],
	])("%s %j: %s", (type, data, expected) => {
		expect(about(`dev.orion.${type}.v1`, data)).toContain(expected);
	});

	test("without a policy, and for core's own records", () => {
		expect(whyNoIncident(null, { type: "x", source: "/nodes/a", data: {} } as never)).toEqual(["no policy is in force, so nothing is an incident"]);
		expect(about("dev.orion.breaker.closed.v1", {}, "/core/commander")).toContain("core itself");
	});
});

describe("sentences", () => {
	test("every record of real stories reads as a sentence, without holes", () => {
		for (const { envelope } of [...repaired().records, ...hopeless().records]) {
			expect(sayRecord(envelope)).not.toMatch(/undefined|NaN|\{\w+\}|\[object/);
			expect(["info", "warning", "error", "critical", "good"]).toContain(gravityOf(envelope));
		}
	});

	test("a type of another version is named, not guessed at", () => {
		const other = { specversion: "1.0", id: "x", source: "/core/x", type: "dev.orion.future.thing.v2", data: {} } as never;
		expect([sayRecord(other), gravityOf(other)]).toEqual(["a record of type dev.orion.future.thing.v2", "info"]);
	});

	test("an empty thread explains nothing and says so", () => {
		expect(explain({ incident: "inc-0", records: [], evidence: new Set(), partial: false }, "all")).toMatchObject({ events: [], decisions: [], partial: true });
	});
});
