// Shows what becomes of every kind of message: accepted, shown, handed on, or quarantined with the fault that names what broke (LOSS-1, LOSS-9, HARM-10).
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { judge, type Publication } from "../../broker/judge.ts";
import type { ClientKind, Identity } from "../../broker/ports.ts";
import { placeState, type StateMark } from "../../broker/state-order.ts";
import { duplicate, quarantined, spendVerdict } from "../../broker/verdict.ts";
import { checkContract, type Envelope } from "../../contracts/envelope.ts";
import { fault } from "../../contracts/errors.ts";
import { alert, MESH, numbered, SESSION, stateOf } from "./rig.ts";

const SUFFIX: Readonly<Record<ClientKind, string>> = { node: "", safety: ".safety", client: ".backup" };
const of = (kind: ClientKind): Identity => ({ node: "pi-3", kind, clientId: `pi-3${SUFFIX[kind]}` });
const bytesOf = (message: unknown): Uint8Array => new TextEncoder().encode(typeof message === "string" ? message : JSON.stringify(message));
const say = (kind: ClientKind, topic: string, message: unknown, more: Partial<Publication> = {}, said: "now" | "as will" = "now") =>
	judge(MESH, of(kind), { topic: `orion/v1/${topic}`, qos: 1, retain: false, bytes: bytesOf(message), ...more }, said);
const without = (message: Record<string, unknown>, ...names: readonly string[]) =>
	Object.fromEntries(Object.entries(message).filter(([name]) => !names.includes(name)));

const about = { role: "node", version: "0.1.0", capabilities: [], actions: [], services: [], contracts: 1, keyId: "k" };
const receipt = { command: "c", action: "process.restart", phase: "done" };
const pulse = { session: SESSION, tick: 5, safety: "working" };
const as = (name: string, data: unknown, more: Record<string, unknown> = {}) => numbered("pi-3", 1, { type: `dev.orion.${name}.v1`, data, ...more });

describe("what is accepted", () => {
	test.each([
		["client", "pi-3/evt/backup", alert("/nodes/pi-3"), "accept"],
		["client", "pi-3/evt/backup", alert("/nodes/pi-3.backup"), "accept"],
		["client", "pi-3/evt/backup", alert("/nodes/pi-3/backup"), "accept"],
		["client", "pi-3/evt/backup", alert("/nodes/pi-3", { mesh: MESH }), "accept"],
		["client", "pi-3/evt/backup", numbered("pi-3", 1, { source: "/nodes/pi-3.backup" }), "accept"],
		["node", "pi-3/evt/backup", numbered("pi-3", 1), "accept"],
		["node", "pi-3/evt/alone.ended", as("alone.ended", { grant: 1, aloneMs: 5, acted: 0, refused: 0 }), "accept"],
		["node", "pi-3/evt/service.up", as("service.up", { service: "a.service", runtime: "systemd", state: "active" }), "accept"],
		["node", "pi-3/evt/lost", as("log.loss", { what: "lane", count: 1, why: "no room" }), "accept"],
		["node", "pi-3/about", as("node.about", about), "accept"],
		["node", "pi-3/ack/process.restart", as("action.receipt", receipt), "accept"],
		["safety", "pi-3/state", stateOf("pi-3", "ready", 1), "accept"],
		["node", "pi-3/tlm/host", without(as("host.metrics", { uptimeSeconds: 1 }), "session", "lane", "seq"), "accept"],
	] as const)("%s on %s (%#)", (kind, topic, message, expected) => {
		expect(say(kind, topic, message)).toMatchObject({ kind: expected, envelope: message });
	});
	test("what a node did without core only the node itself says", () => {
		const message = numbered("pi-3", 1, {
			source: "/nodes/pi-3.script",
			type: "dev.orion.alone.ended.v1",
			data: { grant: 1, aloneMs: 5, acted: 0, refused: 0 },
		});
		expect(say("client", "pi-3/evt/alone.ended", message)).toMatchObject({ kind: "quarantine", fault: { code: "TOPIC_MISMATCH" } });
	});
	test("measurements without an answer and pulses are shown, not stored", () => {
		expect(say("node", "pi-3/tlm/host", as("host.metrics", { uptimeSeconds: 1 }), { qos: 0 })).toMatchObject({ kind: "live", channel: "tlm" });
		expect(say("safety", "pi-3/pulse", without(as("node.pulse", pulse), "seq", "lane", "session"), { qos: 0 })).toMatchObject({
			kind: "live",
			channel: "pulse",
		});
	});
	test("retained presence is as it should be", () => {
		expect(say("safety", "pi-3/state", stateOf("pi-3", "ready", 1), { retain: true })).toMatchObject({ kind: "accept" });
	});
	test("an order to stop passes whatever it says, retained or not, to any node and to all", () => {
		for (const topic of ["pi-3/stop", "pi-9/cut", "all/stop", "all/cut"])
			for (const retain of [false, true])
				for (const message of ["", "{", "\u0000", alert("/nodes/x")]) expect(say("safety", topic, message, { retain })).toMatchObject({ kind: "order" });
	});
	test("a will needs no number and no date, because nobody knows when it is said", () => {
		const will = without(stateOf("pi-3", "lost", 1), "session", "lane", "seq", "mono", "time");
		expect(say("safety", "pi-3/state", will, { retain: true }, "as will")).toMatchObject({ kind: "accept" });
		expect(say("safety", "pi-3/state", will, { retain: true })).toMatchObject({ fault: { code: "CONTRACT_VIOLATED", facts: { pointer: "/session" } } });
	});
});

describe("what is quarantined, and why", () => {
	const first = numbered("pi-3", 1);
	test.each([
		["not JSON", "client", "pi-3/evt/x", "{", {}, "NOT_JSON", undefined],
		["empty", "client", "pi-3/evt/x", "", {}, "NOT_JSON", undefined],
		["no envelope", "client", "pi-3/evt/x", "[]", {}, "CONTRACT_VIOLATED", ""],
		["unknown type", "client", "pi-3/evt/x", alert("/nodes/pi-3", { type: "dev.orion.cake.baked.v1" }), {}, "TYPE_UNKNOWN", undefined],
		["newer contract", "client", "pi-3/evt/x", alert("/nodes/pi-3", { type: "dev.orion.alert.firing.v2" }), {}, "TYPE_UNKNOWN", undefined],
		["broken data", "client", "pi-3/evt/x", alert("/nodes/pi-3", { data: { name: "x", severity: "info" } }), {}, "CONTRACT_VIOLATED", "/data/summary"],
		[
			"a command's type as event",
			"client",
			"pi-3/evt/x",
			alert("/nodes/pi-3", { type: "dev.orion.level.set.v1", data: { level: "N3", by: "me" } }),
			{},
			"TOPIC_MISMATCH",
			undefined,
		],
		["state as event", "node", "pi-3/evt/x", stateOf("pi-3", "ready", 1), {}, "TOPIC_MISMATCH", undefined],
		["alert as measurement", "node", "pi-3/tlm/x", first, {}, "TOPIC_MISMATCH", undefined],
		["alert as receipt", "node", "pi-3/ack/x", first, {}, "TOPIC_MISMATCH", undefined],
		[
			"a client's account of losses",
			"client",
			"pi-3/evt/x",
			alert("/nodes/pi-3", { type: "dev.orion.log.loss.v1", data: { what: "lane", count: 1, why: "x" } }),
			{},
			"TOPIC_MISMATCH",
			undefined,
		],
		["another node's source", "client", "pi-3/evt/x", alert("/nodes/pi-9"), {}, "SOURCE_FOREIGN", undefined],
		["a source that begins alike", "client", "pi-3/evt/x", alert("/nodes/pi-30"), {}, "SOURCE_FOREIGN", undefined],
		["core's source", "client", "pi-3/evt/x", alert("/core/engine"), {}, "SOURCE_FOREIGN", undefined],
		["a client's source from the node", "node", "pi-3/evt/x", numbered("pi-3", 1, { source: "/nodes/pi-3.x" }), {}, "SOURCE_FOREIGN", undefined],
		["a client that numbers in the node's name", "client", "pi-3/evt/x", first, {}, "SOURCE_FOREIGN", undefined],
		["another mesh", "client", "pi-3/evt/x", alert("/nodes/pi-3", { mesh: "mesh-2" }), {}, "MESH_FOREIGN", undefined],
		["another mesh from the node", "node", "pi-3/evt/x", numbered("pi-3", 1, { mesh: "mesh-2" }), {}, "MESH_FOREIGN", undefined],
		["no mesh", "node", "pi-3/evt/x", without(first, "mesh"), {}, "CONTRACT_VIOLATED", "/mesh"],
		["no session", "node", "pi-3/evt/x", without(first, "session"), {}, "CONTRACT_VIOLATED", "/session"],
		["no lane", "node", "pi-3/evt/x", without(first, "lane"), {}, "CONTRACT_VIOLATED", "/lane"],
		["no seq", "node", "pi-3/evt/x", without(first, "seq"), {}, "CONTRACT_VIOLATED", "/seq"],
		["no number at all", "node", "pi-3/evt/x", without(first, "session", "lane", "seq"), {}, "CONTRACT_VIOLATED", "/session"],
		["no mono", "node", "pi-3/evt/x", without(first, "mono"), {}, "CONTRACT_VIOLATED", "/mono"],
		["no time", "node", "pi-3/evt/x", without(first, "time"), {}, "CONTRACT_VIOLATED", "/time"],
		["half a number", "client", "pi-3/evt/x", alert("/nodes/pi-3.x", { seq: 4 }), {}, "CONTRACT_VIOLATED", "/session"],
		["two thirds of a number", "client", "pi-3/evt/x", alert("/nodes/pi-3.x", { session: SESSION, lane: "event" }), {}, "CONTRACT_VIOLATED", "/seq"],
		["retained event", "client", "pi-3/evt/x", alert("/nodes/pi-3"), { retain: true }, "RETAIN_REFUSED", undefined],
		["retained pulse", "safety", "pi-3/pulse", as("node.pulse", pulse), { retain: true }, "RETAIN_REFUSED", undefined],
		["a foreign subtree", "client", "pi-9/evt/x", alert("/nodes/pi-3"), {}, "TOPIC_REFUSED", undefined],
		["a command from a node", "node", "pi-3/cmd/process.stop", first, {}, "TOPIC_REFUSED", undefined],
		["a retained command", "node", "pi-3/cmd/process.stop", first, { retain: true }, "TOPIC_REFUSED", undefined],
		["a stop by a client", "client", "all/stop", "{}", {}, "TOPIC_REFUSED", undefined],
		["a forged verdict", "safety", "pi-3/verdict", first, {}, "TOPIC_REFUSED", undefined],
		["a topic of nobody", "client", "pi-3/nothing", first, {}, "TOPIC_REFUSED", undefined],
		["a safety state without a contract", "safety", "pi-3/safety", first, {}, "TOPIC_MISMATCH", undefined],
	] as const)("%s", (_why, kind, topic, message, more, code, pointer) => {
		const judged = say(kind, topic, message, more);
		expect(judged.kind).toBe("quarantine");
		if (judged.kind !== "quarantine") return;
		expect(judged.fault.code).toBe(code);
		if (pointer !== undefined) expect(judged.fault.facts["pointer"]).toBe(pointer);
	});
	test("the id of a bad message is told back when it can be read", () => {
		const bad = alert("/nodes/pi-9");
		expect(say("client", "pi-3/evt/x", bad)).toMatchObject({ messageId: bad["id"] });
		expect(say("client", "pi-3/evt/x", { id: "only this" })).toMatchObject({ messageId: "only this" });
		expect(say("client", "pi-3/evt/x", { id: 7 })).not.toHaveProperty("messageId");
		expect(say("client", "pi-3/evt/x", { id: "x".repeat(5_000) })).toMatchObject({ messageId: "x".repeat(256) });
	});
});

test("any bytes from anyone on any topic get a judgement, never an exception", () => {
	fc.assert(
		fc.property(
			fc.uint8Array({ maxLength: 300 }),
			fc.constantFrom<ClientKind>("node", "safety", "client"),
			fc.oneof(fc.string(), fc.constantFrom("pi-3/evt/x", "pi-3/state", "pi-3/about", "all/stop", "__proto__")),
			fc.boolean(),
			(bytes, kind, topic, retain) => {
				const judged = judge(MESH, of(kind), { topic: `orion/v1/${topic}`, qos: 1, retain, bytes });
				expect(["accept", "live", "order", "quarantine"]).toContain(judged.kind);
			},
		),
		{ numRuns: 2_000 },
	);
});
test("any change of one attribute of a good message is judged without an exception, and what is accepted speaks for its sender", () => {
	const good = numbered("pi-3", 1);
	fc.assert(
		fc.property(fc.constantFrom(...Object.keys(good)), fc.jsonValue(), (name, value) => {
			const judged = say("node", "pi-3/evt/x", { ...good, [name]: value });
			if (judged.kind === "accept") expect([judged.envelope.source, judged.envelope.mesh]).toEqual(["/nodes/pi-3", MESH]);
		}),
		{ numRuns: 2_000 },
	);
});

describe("which presence is the newest", () => {
	const place = (known: StateMark | undefined, counter: number, conn: number): StateMark | undefined =>
		placeState(known, stateOf("pi-3", "ready", conn, `${counter}.00000000000000ff`) as unknown as Envelope);
	test.each([
		[undefined, 1, 0, true],
		[{ counter: 2, conn: 3 }, 2, 3, true],
		[{ counter: 2, conn: 3 }, 2, 4, true],
		[{ counter: 2, conn: 3 }, 3, 1, true],
		[{ counter: 2, conn: 3 }, 2, 2, false],
		[{ counter: 2, conn: 3 }, 1, 9, false],
		[{ counter: 9, conn: 1 }, 10, 0, true],
		[{ counter: 10, conn: 1 }, 9, 2, false],
	])("after %j comes session %i, connection %i: newest is %s", (known, counter, conn, newest) => {
		expect(place(known, counter, conn)).toEqual(newest ? { counter, conn } : undefined);
	});
	test("what cannot be placed is never the newest", () => {
		expect(placeState(undefined, alert("/nodes/pi-3") as unknown as Envelope)).toBeUndefined();
		expect(placeState(undefined, stateOf("pi-3", "ready", 1, "rubbish") as unknown as Envelope)).toBeUndefined();
	});
	test("in any order of arrival the newest stays", () => {
		fc.assert(
			fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 0, max: 12 })), { minLength: 1 }), (said) => {
				let known: StateMark | undefined;
				for (const [counter, conn] of said) known = place(known, counter, conn) ?? known;
				const [newest] = [...said].sort(([a, x], [b, y]) => b - a || y - x);
				expect(known).toEqual({ counter: newest?.[0], conn: newest?.[1] });
			}),
		);
	});
});

describe("verdicts", () => {
	test("obey their contract whatever they are about", () => {
		fc.assert(
			fc.property(
				fc.string({ minLength: 1, maxLength: 3_000 }),
				fc.string({ maxLength: 3_000 }),
				fc.string({ minLength: 1, maxLength: 256 }),
				(topic, detail, id) => {
					const broken = fault("CONTRACT_VIOLATED", { schema: detail, pointer: detail, detail });
					expect(checkContract("node.verdict", quarantined(topic, broken, 3, id))).toMatchObject({ ok: true });
					expect(checkContract("node.verdict", quarantined(topic, fault("QOS_REFUSED"), 0, undefined))).toMatchObject({ ok: true });
					expect(checkContract("node.verdict", duplicate(topic, id))).toMatchObject({ ok: true });
				},
			),
		);
	});
	test("a sender of rubbish is told 200 times at once and then 50 times a second", () => {
		let allowance: ReturnType<typeof spendVerdict>["allowance"] | undefined;
		const spend = (count: number, atMs: number): number => {
			let told = 0;
			for (let index = 0; index < count; index += 1) {
				const spent = spendVerdict(allowance, atMs);
				allowance = spent.allowance;
				if (spent.allowed) told += 1;
			}
			return told;
		};
		expect(spend(1_000, 0)).toBe(200);
		expect(spend(1_000, 1_000)).toBe(50);
		expect(spend(1_000, 3_600_000)).toBe(200);
	});
});
