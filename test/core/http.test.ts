// Shows who may ask the API and how it answers, over real sockets and the real engine: TELL-7, LOSS-9, RUN-3.
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { fail } from "../../contracts/errors.ts";
import { type HttpApi, type HttpOptions, openHttp } from "../../core/service/http.ts";
import { until as untilWithin } from "../support/mesh.ts";
import { DeskWorld, hopeless, repaired, SESSION } from "./http-desk.ts";

const TOKEN = "token-of-test-0123456789abcdef0123456789";
const until = <T>(what: string, happens: () => Promise<T | undefined> | T | undefined): Promise<T> => untilWithin(what, happens, 5_000);

const opened: HttpApi[] = [];
const sockets: Socket[] = [];

afterEach(async () => {
	for (const socket of sockets.splice(0)) socket.destroy();
	for (const api of opened.splice(0)) await api.close();
});

const open = async (world: DeskWorld, more: Partial<HttpOptions> = {}): Promise<number> => {
	const api = await openHttp({ desk: world.desk(), token: TOKEN, host: "127.0.0.1", port: 0, clock: world.clock(), ...more });
	opened.push(api);
	return api.port;
};

interface Answer {
	readonly status: number;
	readonly body: Record<string, unknown> & { readonly error?: { readonly code: string; readonly text: string } };
}

const ask = (
	port: number,
	path: string,
	more: { method?: string; headers?: Record<string, string>; body?: string | Buffer; token?: string | null } = {},
): Promise<Answer> =>
	new Promise((resolve, reject) => {
		const token = more.token === undefined ? TOKEN : more.token;
		const headers = { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...more.headers };
		const asked = request({ host: "127.0.0.1", port, path, method: more.method ?? "GET", headers, agent: false }, (response) => {
			let text = "";
			response.on("data", (chunk: Buffer) => {
				text += chunk.toString();
			});
			response.on("end", () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as Answer["body"] }));
		});
		asked.on("error", reject);
		asked.setTimeout(5_000, () => asked.destroy(new Error(`no end of the answer to ${path}`)));
		asked.end(more.body);
	});

const post = (port: number, path: string, value: unknown): Promise<Answer> => ask(port, path, { method: "POST", body: JSON.stringify(value) });

/** A reader of server-sent events on a bare socket. */
const follow = async (port: number, path: string, headers: Record<string, string> = {}) => {
	const socket = connect(port, "127.0.0.1");
	sockets.push(socket);
	let text = "";
	let ended = false;
	socket.on("data", (chunk: Buffer) => {
		text += chunk.toString();
	});
	socket.on("close", () => {
		ended = true;
	});
	socket.on("error", () => undefined);
	const more = Object.entries({ authorization: `Bearer ${TOKEN}`, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
	socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${more.join("")}\r\n`);
	return { socket, ids: () => [...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1])), text: () => text, ended: () => ended };
};

describe("who may ask", () => {
	test.each([
		["no token", { token: null }, 401, "NOT_AUTHENTICATED"],
		["another token", { token: "x" }, 401, "NOT_AUTHENTICATED"],
		["the beginning of the token", { token: TOKEN.slice(0, -1) }, 401, "NOT_AUTHENTICATED"],
		["more than the token", { token: `${TOKEN}x` }, 401, "NOT_AUTHENTICATED"],
		["no bearer", { token: null, headers: { authorization: TOKEN } }, 401, "NOT_AUTHENTICATED"],
		["a name that somebody else points here", { headers: { host: "evil.example" } }, 403, "REQUEST_FOREIGN"],
		["a name that begins as ours", { headers: { host: "127.0.0.1.evil.example" } }, 403, "REQUEST_FOREIGN"],
		["a page elsewhere", { headers: { origin: "https://evil.example" } }, 403, "REQUEST_FOREIGN"],
		["a page on another port of this host", { headers: { origin: "http://127.0.0.1:1" } }, 403, "REQUEST_FOREIGN"],
		["a page without an origin of its own", { headers: { origin: "null" } }, 403, "REQUEST_FOREIGN"],
	])("refused: %s", async (_name, more, status, code) => {
		const world = new DeskWorld();
		const port = await open(world);
		const before = world.head;
		for (const [method, path] of [
			["GET", "/state/status"],
			["POST", "/level"],
			["GET", "/events"],
			["GET", "/no-such-route"],
		] as const) {
			const answer = await ask(port, path, { ...more, method });
			expect([answer.status, answer.body.error?.code]).toEqual([status, code]);
		}
		expect(world.head).toBe(before);
	});

	test.each(["127.0.0.1", "localhost", "LOCALHOST:80", "[::1]:7070"])("allowed: the name %s, and our own page", async (host) => {
		const port = await open(new DeskWorld());
		expect((await ask(port, "/state/status", { headers: { host } })).status).toBe(200);
		expect((await ask(port, "/state/status", { headers: { origin: `http://localhost:${port}` } })).status).toBe(200);
	});

	test("healthz needs no token, but a loopback name", async () => {
		const port = await open(new DeskWorld());
		expect(await ask(port, "/healthz", { token: null })).toEqual({ status: 200, body: { ok: true } });
		expect((await ask(port, "/healthz", { token: null, headers: { host: "evil.example" } })).status).toBe(403);
	});

	test("a port in use names the port and the flag", async () => {
		const port = await open(new DeskWorld());
		await expect(open(new DeskWorld(), { port })).rejects.toMatchObject({ fault: { code: "PORT_IN_USE", facts: { port, flag: "--http-port" } } });
	});

	test("a body of more than 64 KiB is refused, said or not said beforehand, and nothing is kept of it", async () => {
		const world = new DeskWorld();
		const port = await open(world);
		const before = world.head;
		const body = Buffer.alloc(65_537, 0x20);
		const said = await ask(port, "/events", { method: "POST", body, headers: { "content-length": String(body.length) } });
		const streamed = await ask(port, "/events", { method: "POST", body, headers: { "transfer-encoding": "chunked" } });
		for (const answer of [said, streamed]) expect([answer.status, answer.body.error?.code]).toEqual([413, "TOO_LARGE"]);
		expect(world.head).toBe(before);
	});
});

test("a body that never ends is refused as soon as it is too large", async () => {
	const world = new DeskWorld();
	const port = await open(world);
	const socket = connect(port, "127.0.0.1");
	sockets.push(socket);
	let text = "";
	socket.on("data", (chunk: Buffer) => {
		text += chunk.toString();
	});
	socket.on("error", () => undefined);
	socket.write(`POST /level HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${TOKEN}\r\ntransfer-encoding: chunked\r\n\r\n`);
	for (let index = 0; index < 20; index++) socket.write(`1000\r\n${" ".repeat(4_096)}\r\n`);
	await until("413", () => (text.includes(" 413 ") ? true : undefined));
	expect(text).toContain("TOO_LARGE");
});

describe("what is so", () => {
	test("every answer names its schema and the position that it is true at", async () => {
		const world = repaired();
		const port = await open(world);
		const expected = [
			["/state/status", "orion.status/1"],
			["/state/incidents", "orion.incidents/1"],
			[`/state/incidents/${world.incident()}`, "orion.incident/1"],
			["/state/nodes", "orion.nodes/1"],
			["/nodes", "orion.nodes/1"],
			["/state/log", "orion.log/1"],
			[`/why/${world.incident()}`, "orion.why/1"],
			["/level", "orion.level/1"],
		] as const;
		for (const [path, schema] of expected) expect(await ask(port, path)).toMatchObject({ status: 200, body: { schema, rev: world.head } });
	});

	test("status says in one sentence what is wrong, and whether that is healthy", async () => {
		const world = new DeskWorld();
		world.node("host", ["web"]);
		const port = await open(world);
		const sentence = async () => (({ sentence: said, healthy }) => [said, healthy])((await ask(port, "/state/status")).body);
		expect(await sentence()).toEqual(["nothing is wrong", true]);
		world.down("host", "web");
		expect(await sentence()).toEqual(["1 incident is open: web on host is down", false]);
		world.alert("door", "critical");
		expect(await sentence()).toEqual(["2 incidents are open, the gravest: door on core: left open", false]);
	});

	test("a lost node is not healthy, whatever the incidents say", async () => {
		const world = new DeskWorld();
		world.node("pi", []);
		const port = await open(world);
		world.input("/nodes/pi", "dev.orion.node.state.v1", { state: "lost", session: SESSION, conn: 1 });
		world.state = { ...world.state, incidents: {} };
		expect((await ask(port, "/state/status")).body).toMatchObject({ healthy: false, sentence: "1 node is lost: pi" });
	});

	test("what a node does not have is absent (TELL-6), and one whose pulses are missing is called so", async () => {
		const world = new DeskWorld();
		world.node("host", []);
		world.node("pi", []);
		world.lives = [{ node: "host", connected: true, metricsNotRecorded: 0, pulseAgeMs: 6_000, metrics: { uptimeSeconds: 1 }, metricsAgeMs: 10 }];
		world.input("/core/presence", "dev.orion.node.silence.v1", { node: "host", session: SESSION, found: "suspect", missed: 3 });
		const { nodes } = (await ask(await open(world), "/state/nodes")).body as { nodes: readonly Record<string, unknown>[] };
		expect(nodes.map(({ node, presence, silent, missed, metrics }) => ({ node, presence, silent, missed, metrics }))).toEqual([
			{ node: "host", presence: "suspect", silent: true, missed: 3, metrics: { uptimeSeconds: 1 } },
			{ node: "pi", presence: "ready", silent: undefined, missed: undefined, metrics: undefined },
		]);
	});

	test("incidents: pages without overlap or hole, open ones first", async () => {
		const world = new DeskWorld();
		for (let index = 0; index < 7; index++) {
			world.tick(10);
			world.alert(`a${index}`);
		}
		world.input("/core/operator", "dev.orion.alert.resolved.v1", { name: "a6" });
		const port = await open(world);
		const seen: { id: string; status: string; title: string }[] = [];
		for (let after = ""; ; ) {
			const { body } = await ask(port, `/state/incidents?limit=3${after === "" ? "" : `&after=${after}`}`);
			seen.push(...(body["incidents"] as typeof seen));
			if (body["next"] === null) break;
			after = String(body["next"]);
		}
		expect(seen.map(({ title }) => title.slice(0, 2))).toEqual(["a5", "a4", "a3", "a2", "a1", "a0", "a6"]);
		expect(seen.at(-1)?.status).toBe("resolved");
		expect(((await ask(port, "/state/incidents?status=open&limit=500")).body["incidents"] as unknown[]).length).toBe(6);
	});

	test("the log: pages end to end give every record once", async () => {
		const world = hopeless();
		const port = await open(world);
		const positions: number[] = [];
		for (let from: number | null = 1; from !== null; ) {
			const { body }: Answer = await ask(port, `/state/log?from=${from}&limit=5`);
			positions.push(...(body["records"] as { position: number }[]).map(({ position }) => position));
			from = body["next"] as number | null;
		}
		expect(positions).toEqual(world.records.map(({ position }) => position));
	});

	test.each([
		["/state/log?limit=0", 400, "USAGE"],
		["/state/log?limit=1001", 400, "USAGE"],
		["/state/log?from=-1", 400, "USAGE"],
		["/state/log?from=1e3", 400, "USAGE"],
		["/state/incidents?status=broken", 400, "USAGE"],
		["/state/incidents/inc-ffff", 404, "NOT_FOUND"],
		["/why/inc-ffff", 404, "NOT_FOUND"],
		["/why/9999", 404, "NOT_FOUND"],
		["/why/no-such-message", 404, "NOT_FOUND"],
		["/state/nothing", 404, "NOT_FOUND"],
		["/events?from=0", 400, "USAGE"],
	])("%s is answered %i %s", async (path, status, code) => {
		const answer = await ask(await open(repaired()), path);
		expect([answer.status, answer.body.error?.code]).toEqual([status, code]);
		expect(answer.body.error?.text).not.toContain("{");
	});
});

describe("what may be changed", () => {
	const event = (more: Readonly<Record<string, unknown>> = {}) => ({
		specversion: "1.0",
		id: "e-1",
		source: "/core/operator",
		type: "dev.orion.alert.firing.v1",
		data: { name: "door", severity: "error", summary: "left open" },
		...more,
	});

	test("an event is on disk when it is answered; again it is a duplicate; a bad one says where it is bad", async () => {
		const world = new DeskWorld();
		const port = await open(world);
		const first = await post(port, "/events", event());
		expect(first).toMatchObject({ status: 201, body: { schema: "orion.event/1", position: 4, id: "e-1", duplicate: false } });
		expect(world.records[3]?.envelope.id).toBe("e-1");
		expect(await post(port, "/events", event())).toMatchObject({ status: 200, body: { duplicate: true } });
		expect(await post(port, "/events", event({ id: "e-2", data: { name: "door", severity: "loud", summary: "x" } }))).toMatchObject({
			status: 422,
			body: { error: { code: "CONTRACT_VIOLATED", pointer: "/data/severity" } },
		});
		expect(await post(port, "/events", event({ source: "/nodes/pi" }))).toMatchObject({ status: 403, body: { error: { code: "SOURCE_FOREIGN" } } });
		expect(await ask(port, "/events", { method: "POST", body: "{" })).toMatchObject({ status: 400, body: { error: { code: "NOT_JSON" } } });
	});

	test("the level: set with who and why, refused with the pointer", async () => {
		const world = new DeskWorld();
		const port = await open(world);
		expect(await post(port, "/level", { level: "N2", by: "lars", why: "trust it" })).toMatchObject({
			status: 200,
			body: { level: "N2", before: "N0", schema: "orion.level/1" },
		});
		expect(world.records.at(-1)?.envelope.data).toEqual({ level: "N2", by: "lars", why: "trust it" });
		expect(await post(port, "/level", { level: "N1" })).toMatchObject({ status: 422, body: { error: { code: "CONTRACT_VIOLATED", pointer: "/level" } } });
		expect(await ask(port, "/level", { method: "POST", body: "[1]" })).toMatchObject({ status: 400, body: { error: { code: "NOT_JSON" } } });
		expect(world.state.level).toBe("N2");
	});

	test("nodes: a credential once, taken away by name", async () => {
		const world = new DeskWorld();
		const port = await open(world);
		expect(await post(port, "/nodes", { node: "backup" })).toMatchObject({
			status: 201,
			body: { schema: "orion.node/1", node: "backup", username: "backup", password: "secret-of-test" },
		});
		expect((await post(port, "/nodes", { node: "backup" })).status).toBe(400);
		expect((await post(port, "/nodes", {})).status).toBe(400);
		expect(JSON.stringify((await ask(port, "/nodes")).body)).not.toContain("secret-of-test");
		expect((await ask(port, "/nodes/backup", { method: "DELETE" })).status).toBe(200);
		expect((await ask(port, "/nodes/backup", { method: "DELETE" })).body.error?.code).toBe("NOT_FOUND");
	});

	test("a bad policy at a reload: 422 with file, line and column", async () => {
		const world = new DeskWorld();
		const port = await open(world);
		expect(await post(port, "/policy/reload", {})).toMatchObject({ status: 200, body: { changed: false } });
		world.policyFault = fail("POLICY_INVALID", { file: "autonomy.yaml", line: 3, column: 4, detail: "there is no action x" });
		expect(await post(port, "/policy/reload", {})).toMatchObject({ status: 422, body: { error: { code: "POLICY_INVALID", line: 3, column: 4 } } });
	});
});

describe("server-sent events", () => {
	test("from a position, then what comes, each record once; Last-Event-ID goes on exactly there", async () => {
		const world = repaired();
		const port = await open(world);
		const reader = await follow(port, "/events?from=20");
		await until("the past", () => (reader.ids().length === world.head - 19 ? true : undefined));
		world.alert("door");
		await until("the present", () => (reader.ids().at(-1) === world.head ? true : undefined));
		expect(reader.ids()).toEqual(world.records.slice(19).map(({ position }) => position));
		reader.socket.destroy();
		const again = await follow(port, "/events", { "last-event-id": "21" });
		await until("the rest", () => (again.ids().at(-1) === world.head ? true : undefined));
		expect(again.ids()[0]).toBe(22);
	});

	test("only types that begin so, only of one node", async () => {
		const world = repaired();
		const port = await open(world);
		const typed = await follow(port, "/events?from=1&types=incident,dev.orion.level");
		const noded = await follow(port, "/events?from=1&node=host&types=process");
		await until("both", () => (typed.ids().length === 3 && noded.ids().length === 2 ? true : undefined));
		expect(typed.text()).toContain("incident.resolved");
		const shown = noded.ids().map((id) => world.records[id - 1]?.envelope.type);
		expect(shown).toEqual(["dev.orion.process.down.v1", "dev.orion.process.up.v1"]);
	});

	test("a heartbeat comes although nothing happens", async () => {
		const reader = await follow(await open(new DeskWorld(), { heartbeatMs: 10 }), "/events");
		await until("three beats", () => (reader.text().split("event: beat\n").length > 3 ? true : undefined));
	});

	test.each([
		["an archived position", { "last-event-id": "3" }],
		["a position of a newer log than this", { "last-event-id": "999" }],
	])("410 reset: %s", async (_name, headers) => {
		const world = repaired();
		world.first = 10;
		expect(await ask(await open(world), "/events", { headers })).toMatchObject({
			status: 410,
			body: { reset: true, first: 10, head: world.head, error: { code: "RECORDS_ARCHIVED" } },
		});
	});

	test("a reader that takes nothing costs one page and is closed; others go on", async () => {
		const world = new DeskWorld();
		for (let index = 0; index < 400; index++) world.alert(`a${index}`, "warning", "x".repeat(2_000));
		for (let index = 0; index < 7_000; index++) world.alert("again", "warning", "x".repeat(2_000));
		let pages = 0;
		const desk = world.desk();
		const records: typeof desk.records = (from, max) => {
			pages += 1;
			return desk.records(from, max);
		};
		const port = await open(world, { desk: { ...desk, records }, stalledMs: 300, readersMax: 1 });
		const slow = await follow(port, "/events?from=1");
		await until("it is connected", () => (slow.text().includes("200 OK") ? true : undefined));
		slow.socket.pause();
		expect((await ask(port, "/events")).body.error?.code).toBe("TOO_MANY_READERS");
		await until("its place is free", async () => {
			const other = await follow(port, `/events?from=${world.head}`);
			return until("an answer", () => (other.text().includes("\r\n\r\n") ? other : undefined)).then((found) =>
				found.text().includes("200 OK") ? true : undefined,
			);
		});
		expect(pages * 64).toBeLessThan(world.head);
	});

	test("what is archived before a reader came to it is said, not passed over", async () => {
		const world = repaired();
		const desk = world.desk();
		const port = await open(world, {
			desk: {
				...desk,
				records: async (from, max) => {
					// The archive moves while this reader is on its way.
					world.first = 15;
					return desk.records(from, max);
				},
			},
		});
		const reader = await follow(port, "/events?from=5");
		await until("it ended", () => (reader.text().includes("event: reset") ? true : undefined));
		expect(reader.ids()).toEqual([]);
	});

	test("closing the API ends its readers", async () => {
		const port = await open(new DeskWorld());
		const reader = await follow(port, "/events");
		await until("it is connected", () => (reader.text().includes("200 OK") ? true : undefined));
		await opened.pop()?.close();
		await until("it ended", () => (reader.ended() ? true : undefined));
	});
});
