// Shows that each view is one page with its revision, that pages join without a hole, and what they tell (RUN-20, TELL-25).
import { describe, expect, test } from "vitest";
import type { NodesView } from "../../core/service/views.ts";
import type { NowView } from "../../core/service/views-now.ts";
import { DeskWorld, hopeless, repaired, SESSION } from "./http-desk.ts";
import { openOver, type TestHttp, TOKEN } from "./http-rig.ts";

interface Past {
	readonly schema: string;
	readonly rev: number;
	readonly next: number | null;
}

/** Every page of a view, oldest page last. */
const pages = async <T extends Past>(http: TestHttp, path: string, limit: number): Promise<readonly T[]> => {
	const all: T[] = [];
	for (let before: number | null = 999_999_999_999_999; before !== null; ) {
		const { status, body }: { status: number; body: T } = await http.ask<T>(`${path}${path.includes("?") ? "&" : "?"}limit=${limit}&before=${before}`);
		expect(status).toBe(200);
		all.push(body);
		before = body.next;
	}
	return all;
};

test("neither status nor the page says that nothing is wrong above an error of the mesh itself", async () => {
	const world = new DeskWorld();
	const http = await openOver(world);
	const sentence = async () => (await http.ask<{ sentence: string }>("/state/status")).body.sentence;
	world.notices = [{ severity: "warning", text: "the disk fills up" }];
	expect(await sentence()).toBe("nothing is wrong");
	world.notices = [{ severity: "error", text: "the disk is full" }];
	expect(await sentence()).toBe("no incident is open, but the mesh itself has trouble");
	expect((await http.ask<NowView>("/state/now")).body.sentence).toBe("No incident is open, but the mesh itself has trouble: no node is here yet.");
});

describe("/state/now", () => {
	test("says in a sentence what is so, and what is troubled before what is well", async () => {
		const world = new DeskWorld();
		const http = await openOver(world);
		const now = async () => (await http.ask<NowView>("/state/now")).body;
		expect(await now()).toMatchObject({
			schema: "orion.now/1",
			rev: world.head,
			sentence: "Nothing is wrong: no node is here yet.",
			healthy: true,
			level: "N0",
		});
		world.node("alpha", []);
		world.node("beta", ["web"]);
		expect((await now()).sentence).toBe("Nothing is wrong: all 2 nodes are here.");
		world.down("beta", "web");
		const troubled = await now();
		expect(troubled).toMatchObject({
			sentence: "1 incident is open: web on beta is down.",
			healthy: false,
			incidents: { open: 1 },
			nodes: { total: 2, troubled: 1 },
		});
		expect(troubled.nodes.rows.map(({ node }) => node)).toEqual(["beta", "alpha"]);
		world.level("N2");
		expect((await now()).sentence).toBe("1 incident is open: web on beta is down; process.restart is under way.");
	});

	test("the gravest incident stands first, whatever came last", async () => {
		const world = new DeskWorld();
		for (const severity of ["critical", "warning", "info"] as const) {
			world.alert(severity, severity);
			world.tick(1_000);
		}
		const { body } = await (await openOver(world)).ask<NowView>("/state/now");
		expect(body.incidents.rows.map(({ severity }) => severity)).toEqual(["critical", "warning", "info"]);
	});

	test("what runs on a node that is not heard is neither up nor down: unreachable; and its broker is named (HARM-102)", async () => {
		const world = new DeskWorld();
		world.node("pi", ["web"]);
		const asked = await openOver(world);
		const row = async () => (await asked.ask<NodesView>("/state/nodes")).body.nodes[0];
		expect(await row()).toMatchObject({ presence: "ready", services: [{ service: "web" }] });
		world.input("/core/presence", "dev.orion.node.silence.v1", { node: "pi", session: SESSION, found: "unreachable", missed: 3, parent: "barn" });
		expect(await row()).toMatchObject({ presence: "unreachable", parent: "barn", services: [{ service: "web", unreachable: true }] });
		world.input("/core/presence", "dev.orion.node.silence.v1", { node: "pi", session: SESSION, found: "over", missed: 0 });
		expect((await row())?.services).toEqual([{ service: "web" }]);
	});

	test("a silent node is said, although nothing is open", async () => {
		const world = new DeskWorld();
		world.node("host", []);
		world.lives = [{ node: "host", connected: true, metricsNotRecorded: 0, session: "1.0", tick: 4, safety: "working", pulseAgeMs: 60_000 }];
		world.input("/core/presence", "dev.orion.node.silence.v1", { node: "host", session: SESSION, found: "suspect", missed: 3 });
		const { body } = await (await openOver(world)).ask<NowView>("/state/now");
		expect(body).toMatchObject({ healthy: false, sentence: "Nothing is wrong: 1 node of 1 is silent: host." });
	});

	test("never more than fits a screen: 300 nodes and 100 incidents are counted, 50 and 20 are shown", async () => {
		const world = new DeskWorld();
		for (let index = 0; index < 300; index++) world.node(`n${index}`, []);
		for (let index = 0; index < 100; index++) world.alert(`alert-${index}`);
		const { body, text } = await (await openOver(world)).ask<NowView>("/state/now");
		expect([body.nodes.total, body.nodes.rows.length, body.incidents.open, body.incidents.rows.length]).toEqual([300, 50, 100, 20]);
		expect(text.length).toBeLessThan(64 * 1_024);
	});

	test("a day counts what was repaired", async () => {
		const { body } = await (await openOver(repaired())).ask<NowView>("/state/now");
		expect(body.lastDay).toEqual({ repaired: 1, cleared: 0 });
	});
});

describe("what was", () => {
	test("decisions, newest first, in pages that join; also of one incident", async () => {
		const world = hopeless();
		world.alert("door");
		const http = await openOver(world);
		type Decisions = Past & { decisions: readonly { position: number; decision: string; incident: string }[] };
		const whole = (await pages<Decisions>(http, "/state/decisions", 200)).flatMap(({ decisions }) => decisions);
		expect(whole.length).toBeGreaterThan(4);
		const recorded = world.records.filter(({ envelope }) => envelope.type === "dev.orion.decision.made.v1").map(({ position }) => position);
		expect(whole.map(({ position }) => position)).toEqual(recorded.reverse());
		const small = await pages<Decisions>(http, "/state/decisions", 2);
		expect(small.flatMap(({ decisions }) => decisions)).toEqual(whole);
		expect(Math.max(...small.map(({ decisions }) => decisions.length))).toBe(2);
		const id = whole.at(-1)?.incident ?? "";
		const one = (await pages<Decisions>(http, `/state/decisions?incident=${id}`, 3)).flatMap(({ decisions }) => decisions);
		expect(one).toEqual(whole.filter(({ incident }) => incident === id));
		expect(one.length).toBeLessThan(whole.length);
	});

	test("actions with how they ended, also when the end stands on another page; running ones with their phase", async () => {
		const world = hopeless();
		const http = await openOver(world);
		type Actions = Past & { running: number; actions: readonly { id: string; name: string; end?: string; phase?: string; tookMs?: number }[] };
		const whole = (await pages<Actions>(http, "/state/actions", 50)).flatMap(({ actions }) => actions);
		expect(whole.map(({ name, end }) => [name, end])).toEqual([
			["process.restart", "not-verified"],
			["process.restart", "not-verified"],
		]);
		const single = (await pages<Actions>(http, "/state/actions", 1)).flatMap(({ actions }) => actions);
		expect(single).toEqual(whole);
		const busy = new DeskWorld();
		busy.node("host", ["web"]);
		busy.level("N2");
		busy.down("host", "web");
		const { body } = await (await openOver(busy)).ask<Actions>("/state/actions");
		expect([body.running, body.actions[0]?.phase, body.actions[0]?.end]).toEqual([1, "requested", undefined]);
	});

	test("history is everything but clock and measurements, as sentences", async () => {
		const world = repaired();
		const http = await openOver(world);
		type History = Past & { rows: readonly { position: number; type: string; text: string }[] };
		const rows = (await pages<History>(http, "/state/history", 7)).flatMap((page) => page.rows);
		const recorded = world.records.filter(({ envelope }) => envelope.type !== "dev.orion.clock.tick.v1").map(({ position }) => position);
		expect(rows.map(({ position }) => position)).toEqual(recorded.reverse());
		expect(rows.some(({ text }) => text.includes("incident resolved, repaired"))).toBe(true);
	});

	test("a question looks at so many records and says where to go on, so that a rare thing in a long log costs nobody much", async () => {
		const world = new DeskWorld();
		world.alert("door");
		for (let index = 0; index < 9_000; index++) world.records.push({ position: world.records.length + 1, envelope: world.records[0]?.envelope as never });
		const http = await openOver(world);
		const first = (await http.ask<Past & { decisions: readonly unknown[] }>("/state/decisions")).body;
		expect([first.decisions.length, (first.next ?? 0) > 0]).toEqual([0, true]);
		const second = (await http.ask<Past & { decisions: readonly unknown[] }>(`/state/decisions?before=${first.next}`)).body;
		expect([second.decisions.length, second.next]).toEqual([1, null]);
	});

	test.each(["/state/decisions", "/state/actions", "/state/history", "/state/nodes", "/actions"])("%s refuses a limit that is none", async (path) => {
		const http = await openOver(new DeskWorld());
		for (const limit of ["0", "-1", "501", "x", "1e2", ""]) expect([limit, (await http.ask(`${path}?limit=${limit}`)).status]).toEqual([limit, 400]);
	});
});

describe("nodes and actions", () => {
	test("nodes come in pages by name", async () => {
		const world = new DeskWorld();
		for (const node of ["c", "a", "b"]) world.node(node, []);
		const http = await openOver(world);
		type Nodes = { total: number; next: string | null; nodes: readonly { node: string }[] };
		const first = (await http.ask<Nodes>("/state/nodes?limit=2")).body;
		expect([first.total, first.nodes.map(({ node }) => node), first.next]).toEqual([3, ["a", "b"], "b"]);
		const second = (await http.ask<Nodes>("/nodes?limit=2&after=b")).body;
		expect([second.nodes.map(({ node }) => node), second.next]).toEqual([["c"], null]);
	});

	test("actions say their risk, their undo and what the level says of them; what no policy row names is RISKY", async () => {
		const world = new DeskWorld();
		world.node("host", ["web"]);
		world.level("N2");
		world.input("/nodes/host", "dev.orion.node.about.v1", {
			role: "node",
			version: "0.1.0",
			capabilities: ["host"],
			actions: ["process.restart", "zz.unheard-of"],
			services: [],
			contracts: 1,
			keyId: "k",
		});
		const http = await openOver(world);
		type Actions = {
			total: number;
			next: string | null;
			actions: readonly { id: string; known: boolean; risk: string; now: { verdict: string }; undo?: string; nodes: readonly string[] }[];
		};
		const { body } = await http.ask<Actions>("/actions");
		const of = (id: string) => body.actions.find((action) => action.id === id);
		expect(of("process.restart")).toMatchObject({ known: true, risk: "SAFE", now: { verdict: "act" }, undo: "left-as-found", nodes: ["host"] });
		expect(of("process.stop")).toMatchObject({ risk: "RISKY", now: { verdict: "refused" } });
		expect(of("zz.unheard-of")).toMatchObject({ known: false, risk: "RISKY", now: { verdict: "refused" }, nodes: ["host"] });
		const ids: string[] = [];
		for (let next: string | null = ""; next !== null; ) {
			const page: Actions = (await http.ask<Actions>(`/actions?limit=1&after=${next}`)).body;
			ids.push(...page.actions.map(({ id }) => id));
			next = page.next;
		}
		expect(ids).toEqual(body.actions.map(({ id }) => id));
	});
});

describe("the beat of a stream", () => {
	test("comes as often as a page asks for, with the newest position, and is refused where it makes no sense", async () => {
		const world = new DeskWorld();
		const http = await openOver(world, { heartbeatMs: 3_600_000 });
		for (const beat of ["0", "61", "x"]) expect([beat, (await http.ask(`/events?beat=${beat}`)).status]).toEqual([beat, 400]);
		const ended = new AbortController();
		const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(8_000)]);
		const stream = await fetch(`${http.origin}/events?beat=1&types=incident`, { headers: { authorization: `Bearer ${TOKEN}` }, signal });
		const decoder = new TextDecoder();
		let text = "";
		for await (const chunk of stream.body ?? []) {
			text += decoder.decode(chunk, { stream: true });
			if (text.includes("event: beat\n")) break;
		}
		ended.abort();
		expect(text).toContain(`event: beat\ndata: {"head":${world.head}}\n\n`);
	});
});
