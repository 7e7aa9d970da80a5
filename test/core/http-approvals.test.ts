// Shows how questions are read and answered over real sockets and the real engine: bound to what was shown, once, in time (HARM-32..35, TELL-21).
import { afterEach, describe, expect, test } from "vitest";
import { type HttpApi, openHttp } from "../../core/service/http.ts";
import { DeskWorld } from "./http-desk.ts";

const TOKEN = "token-of-test-0123456789abcdef0123456789";
const opened: HttpApi[] = [];

afterEach(async () => {
	for (const api of opened.splice(0)) await api.close();
});

type Body = Record<string, unknown>;

/** A mesh at N3 with questions about these services. */
const asking = async (...services: readonly string[]) => {
	const world = new DeskWorld();
	world.node("host", services);
	world.level("N3");
	world.tick(1_000);
	for (const service of services) world.input("/nodes/host", "dev.orion.process.flapping.v1", { service, downs: 3, windowMs: 60_000 });
	const api = await openHttp({ desk: world.desk(), token: TOKEN, host: "127.0.0.1", port: 0, clock: world.clock() });
	opened.push(api);
	const ask = async (path: string, body?: unknown): Promise<{ readonly status: number; readonly body: Body }> => {
		const asked = await fetch(`http://127.0.0.1:${api.port}${path}`, {
			method: body === undefined ? "GET" : "POST",
			headers: { authorization: `Bearer ${TOKEN}` },
			...(body === undefined ? {} : { body: JSON.stringify(body) }),
		});
		return { status: asked.status, body: (await asked.json()) as Body };
	};
	const rows = async (query = ""): Promise<readonly Body[]> => (await ask(`/state/approvals${query}`)).body["approvals"] as readonly Body[];
	const first = async (): Promise<{ readonly id: string; readonly hash: string }> => {
		const [row] = await rows();
		return { id: String(row?.["approval"]), hash: String(row?.["boundHash"]) };
	};
	const records = (type: string): readonly Body[] =>
		world.records.flatMap(({ envelope }) => (envelope.type === `dev.orion.${type}.v1` ? [envelope.data as unknown as Body] : []));
	return { world, ask, rows, first, records };
};

describe("reading", () => {
	test("TELL-21: an open question shows what runs, on what, why, what it touches, how it is taken back, and the time that is left", async () => {
		const { world, rows } = await asking("web");
		world.tick(60_000);
		const [row] = await rows();
		expect(row).toMatchObject({
			status: "open",
			plan: "process.stop (service web) on host",
			targets: ["host/web"],
			risk: "RISKY",
			undo: "left-as-found",
			decideInMs: 540_000,
			title: "web on host ends again and again",
			times: 1,
			seen: [],
		});
		expect(Object.keys(row ?? {})).toEqual(expect.arrayContaining(["why", "blast", "undoSays", "evidence", "boundHash", "askedAt", "decideBy", "executeBy"]));
	});
	test("pages go on after any row; what is over is in `all` only", async () => {
		const { world, ask, rows, first } = await asking("a", "b", "c");
		const { id } = await first();
		await ask(`/approvals/${id}/deny`, { by: "anna" });
		expect((await rows()).length).toBe(2);
		const page = await ask("/state/approvals?status=all&limit=2");
		expect(page.body).toMatchObject({ schema: "orion.approvals/1", total: 3, rev: world.head });
		const rest = await ask(`/state/approvals?status=all&limit=2&after=${String(page.body["next"])}`);
		expect((rest.body["approvals"] as readonly Body[]).map((row) => row["approval"])).toEqual([id]);
		expect(rest.body["next"]).toBeUndefined();
		expect((await ask("/state/approvals?status=some")).status).toBe(400);
		expect((await ask("/state/approvals?limit=1000")).status).toBe(400);
		expect((await ask(`/state/approvals/${id.slice(0, 9)}`)).body).toMatchObject({ schema: "orion.approval/1", approval: id, status: "denied", by: "anna" });
		expect((await ask("/state/approvals/apr-")).status).toBe(409);
		expect((await ask("/state/approvals/nothing")).status).toBe(404);
	});
});

describe("answering", () => {
	test("HARM-32: an approve with the hash of what was shown is done once; the second one is told so and recorded", async () => {
		const { ask, first, records } = await asking("web");
		const { id, hash } = await first();
		const answered = await ask(`/approvals/${id}/approve`, { boundHash: hash, by: "anna", via: "page", why: "yes" });
		expect(answered).toMatchObject({
			status: 200,
			body: { schema: "orion.approval/1", status: "approved", by: "anna", via: "page", said: "yes", outcome: { end: "under-way" } },
		});
		expect(records("action.requested")).toMatchObject([{ approval: id, name: "process.stop" }]);
		const again = await ask(`/approvals/${id}/approve`, { boundHash: hash, by: "bert" });
		expect(again).toMatchObject({ status: 409, body: { error: { code: "APPROVAL_REFUSED", reason: "used" } } });
		expect(records("approval.refused")).toMatchObject([{ approval: id, by: "bert", reason: "used" }]);
		expect(records("action.requested").length).toBe(1);
	});
	test("HARM-35: an approve without a hash or with another one does nothing", async () => {
		const { ask, first, records } = await asking("web");
		const { id } = await first();
		expect(await ask(`/approvals/${id}/approve`, { by: "anna" })).toMatchObject({ status: 400, body: { error: { code: "USAGE" } } });
		expect(await ask(`/approvals/${id}/approve`, { by: "anna", boundHash: "x" })).toMatchObject({ status: 422 });
		const foreign = await ask(`/approvals/${id}/approve`, { by: "anna", boundHash: `sha256:${"0".repeat(64)}` });
		expect(foreign).toMatchObject({ status: 409, body: { error: { code: "APPROVAL_REFUSED", reason: "foreign-hash" } } });
		expect(records("action.requested")).toEqual([]);
		expect((await first()).id).toBe(id);
	});
	test("HARM-34: after its time an approve is refused, and the refusal is a record", async () => {
		const { world, ask, first, records } = await asking("web");
		const { id, hash } = await first();
		world.tick(300_000);
		world.input("/nodes/host", "dev.orion.process.flapping.v1", { service: "web", downs: 4, windowMs: 60_000 });
		world.tick(300_001);
		expect(await ask(`/approvals/${id}/approve`, { boundHash: hash, by: "anna" })).toMatchObject({
			status: 409,
			body: { error: { code: "APPROVAL_OVER", reason: "expired" } },
		});
		expect(records("approval.refused")).toMatchObject([{ reason: "expired", verdict: "approve" }]);
		expect(records("action.requested")).toEqual([]);
	});
	test("HARM-35: an id that was never asked is refused by a record; the beginning of none is only not found", async () => {
		const { ask, records } = await asking("web");
		const body = { boundHash: `sha256:${"0".repeat(64)}`, by: "anna" };
		expect((await ask("/approvals/apr-000000000000/approve", body)).status).toBe(404);
		expect((await ask("/approvals/apr-zz/approve", body)).status).toBe(404);
		expect(records("approval.refused")).toMatchObject([{ reason: "unknown", approval: "apr-000000000000" }]);
	});
	test("HARM-36: what has drifted when it is to be done is told, and it is asked anew", async () => {
		const { world, ask, first, records } = await asking("web");
		const { id, hash } = await first();
		world.input("/nodes/host", "dev.orion.node.state.v1", { state: "ready", session: "2.00112233445566aa", conn: 1 });
		const answered = await ask(`/approvals/${id}/approve`, { boundHash: hash, by: "anna" });
		expect(answered).toMatchObject({ status: 409, body: { error: { code: "APPROVAL_REFUSED", reason: "drift" } } });
		expect(records("action.requested")).toEqual([]);
		expect((await first()).id).not.toBe(id);
	});
	test("a question is withdrawn; a way and a name that are none are refused", async () => {
		const { ask, first } = await asking("web");
		const { id } = await first();
		expect((await ask(`/approvals/${id}/deny`, { via: "mqtt" })).status).toBe(422);
		expect((await ask(`/approvals/${id}/deny`, { why: "w".repeat(501) })).status).toBe(422);
		expect(await ask(`/approvals/${id}/revoke`, { by: "anna" })).toMatchObject({ status: 200, body: { status: "revoked" } });
	});
});

test("TELL-20: who looked is recorded once each, and shown; the history counts answers, times, days and refusals", async () => {
	const { world, ask, first, rows, records } = await asking("a", "b");
	const { id, hash } = await first();
	for (const by of ["anna", "anna", "bert"]) expect((await ask(`/approvals/${id}/seen`, { by, via: "page" })).status).toBe(200);
	expect(records("approval.seen").length).toBe(2);
	expect((await rows())[0]?.["seen"]).toEqual(["anna (page)", "bert (page)"]);
	world.tick(30_000);
	await ask(`/approvals/${id}/approve`, { boundHash: `sha256:${"0".repeat(64)}`, by: "bert" });
	await ask(`/approvals/${id}/approve`, { boundHash: hash, by: "anna" });
	expect((await ask("/state/approvals/history")).body).toMatchObject({
		schema: "orion.approvals-history/1",
		asked: 2,
		open: 1,
		ends: { approved: 1 },
		toAnswer: { count: 1 },
		refusedAnswers: 1,
		days: [{ day: "2026-01-02", asked: 2 }],
		people: [{ by: "anna", answers: { approved: 1 } }],
	});
});

test("TELL-45: the history counts what was refused in a chat, by reason, and what a storm only counted; a node cannot add to it", async () => {
	const { world, ask } = await asking("a");
	const refused = { channel: "telegram", reason: "stranger", user: "666" } as const;
	world.input("/core/telegram", "dev.orion.chat.refused.v1", refused);
	world.input("/core/telegram", "dev.orion.chat.refused.v1", { ...refused, count: 7 });
	world.input("/core/telegram", "dev.orion.chat.refused.v1", { ...refused, reason: "forged" });
	world.input("/nodes/pi-1", "dev.orion.chat.refused.v1", refused);
	expect((await ask("/state/approvals/history")).body).toMatchObject({ refusedAnswers: 0, refusedInChat: { stranger: 9, forged: 1 } });
});

/** A mesh at N2 with an ask for N3 that came by a chat. */
const askingForN3 = async () => {
	const mesh = await asking("a");
	const id = "apr-00112233aabb";
	mesh.world.level("N2");
	mesh.world.input("/core/telegram", "dev.orion.level.asked.v1", {
		ask: id,
		level: "N3",
		before: "N2",
		by: "telegram:1 Anna",
		via: "telegram",
		decideWithinMs: 600_000,
	});
	return { ...mesh, id };
};

describe("an ask for a higher level", () => {
	test("TELL-47: is listed like every other, and an approve that is bound to what was shown raises the level, once", async () => {
		const { world, ask, rows, records, id } = await askingForN3();
		world.tick(60_000);
		const row = (await rows()).find(({ approval }) => approval === id);
		expect(row).toMatchObject({
			kind: "level",
			status: "open",
			risk: "LEVEL",
			args: { level: "N3" },
			incident: "",
			title: "telegram:1 Anna asks for level N3",
			decideInMs: 540_000,
			seen: [],
			refusedAnswers: 0,
		});
		expect(String(row?.["plan"])).toContain("raise the level from N2 to N3");
		expect((await ask(`/approvals/${id}/seen`, { by: "anna", via: "page" })).status).toBe(200);
		expect((await ask(`/approvals/${id}/approve`, { by: "anna" })).status).toBe(400);
		expect(await ask(`/approvals/${id}/approve`, { by: "anna", boundHash: `sha256:${"0".repeat(64)}` })).toMatchObject({
			status: 409,
			body: { error: { code: "APPROVAL_REFUSED", reason: "foreign-hash" } },
		});
		expect(world.state.level).toBe("N2");
		const boundHash = String(row?.["boundHash"]);
		const answered = await ask(`/approvals/${id}/approve`, { boundHash, by: "anna", via: "page", why: "I am here" });
		expect(answered).toMatchObject({
			status: 200,
			body: { status: "approved", by: "anna", via: "page", said: "I am here", seen: ["anna (page)"], refusedAnswers: 1 },
		});
		expect(world.state.level).toBe("N3");
		expect(records("level.answered")).toEqual([{ ask: id, end: "approved", by: "anna", via: "page", why: "I am here" }]);
		expect(await ask(`/approvals/${id}/approve`, { boundHash, by: "bert" })).toMatchObject({ status: 409, body: { error: { reason: "used" } } });
		expect(records("level.set").filter(({ why }) => String(why).includes(id))).toHaveLength(1);
		expect(await ask(`/approvals/${id}/undo`, { by: "anna" })).toMatchObject({ status: 400 });
		expect((await ask("/state/approvals/history")).body).toMatchObject({ ends: { approved: 1 }, people: [{ by: "anna", answers: { approved: 1 } }] });
	});

	test("TELL-47: denied, taken back, expired or void elsewhere: one end, and the level stays as it is", async () => {
		const denied = await askingForN3();
		expect(await denied.ask(`/approvals/${denied.id.slice(0, 8)}/deny`, { by: "anna", why: "not tonight" })).toMatchObject({
			status: 200,
			body: { kind: "level", status: "denied", by: "anna", via: "cli", said: "not tonight" },
		});
		const revoked = await askingForN3();
		expect((await revoked.ask(`/approvals/${revoked.id}/revoke`, { by: "anna" })).body).toMatchObject({ status: "revoked" });
		const expired = await askingForN3();
		expired.world.tick(600_001);
		expect((await expired.ask(`/state/approvals/${expired.id}`)).body).toMatchObject({ status: "expired", decideInMs: 0 });
		const drifted = await askingForN3();
		drifted.world.level("N0");
		expect((await drifted.ask(`/state/approvals/${drifted.id}`)).body).toMatchObject({
			status: "void",
			said: "the level is N0 now, and was N2 when it was asked",
		});
		for (const { records, world } of [denied, revoked, expired, drifted]) {
			expect(records("level.answered")).toHaveLength(1);
			expect(world.state.level).not.toBe("N3");
		}
	});
});

test("TELL-44: records from before core itself ended an ask for a level are folded with their first end only; a node ends none", async () => {
	const { world, id } = await askingForN3();
	world.input("/nodes/pi-1", "dev.orion.level.answered.v1", { ask: id, end: "approved" });
	expect(world.state.chat?.levelAsks).toMatchObject([{ id, level: "N3", before: "N2", status: "open" }]);
	world.input("/core/telegram", "dev.orion.level.answered.v1", { ask: id, end: "denied", by: "telegram:1 Anna", via: "telegram" });
	world.input("/core/telegram", "dev.orion.level.answered.v1", { ask: id, end: "approved", by: "telegram:2 Bert", via: "telegram" });
	expect(world.state.chat?.levelAsks).toMatchObject([{ id, status: "denied", by: "telegram:1 Anna" }]);
});
