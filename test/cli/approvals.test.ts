// Shows how a person answers on the command line: the whole card, a word to type, exit codes, JSON shapes (HARM-32..35, TELL-22).
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { DeskWorld } from "../core/http-desk.ts";
import { apiOver, type TestApi } from "./host.ts";
import { expectGolden, shapeOf } from "./shape.ts";

const apis: TestApi[] = [];

beforeAll(() => {
	process.env["TZ"] = "UTC";
});
afterEach(async () => {
	for (const api of apis.splice(0)) await api.close();
});

/** A mesh at N3 with one question, and its command line. */
const asking = async () => {
	const world = new DeskWorld();
	world.node("pi-3", ["web"]);
	world.level("N3");
	world.tick(1_000);
	world.input("/nodes/pi-3", "dev.orion.process.flapping.v1", { service: "web", downs: 3, windowMs: 60_000 });
	const api = await apiOver(world);
	apis.push(api);
	const id = Object.keys(world.state.approvals)[0] ?? "";
	const ran = () => world.records.filter(({ envelope }) => envelope.type === "dev.orion.action.requested.v1").length;
	const types = (type: string) => world.records.filter(({ envelope }) => envelope.type === `dev.orion.approval.${type}.v1`).length;
	return { world, id, ran, types, run: api.run };
};

/** A mesh at N2 with an ask for N3 that came by a chat. */
const askedForN3 = async () => {
	const world = new DeskWorld();
	world.level("N2");
	world.tick(1_000);
	const id = "apr-00112233aabb";
	const data = { ask: id, level: "N3", before: "N2", by: "telegram:4711 Anna", via: "telegram", decideWithinMs: 600_000 } as const;
	world.input("/core/telegram", "dev.orion.level.asked.v1", data);
	const api = await apiOver(world);
	apis.push(api);
	return { world, id, run: api.run };
};

const typing = (word: string) => ({ inIsTty: true, askLine: async () => word });

describe("orion approve", () => {
	test("HARM-32: shows the whole card, takes the typed name, and it runs", async () => {
		const { id, ran, types, run } = await asking();
		const { code, out, err } = await run(["approve", id.slice(0, 8), "-m", "only noise"], {
			...typing("web\n"),
			outIsTty: true,
			columns: 80,
			env: { NO_COLOR: "1" },
		});
		expect([code, err]).toEqual([0, ""]);
		// The hash covers the policy, which others may change.
		expectGolden("approve.card.txt", out.replace(/sha256:[0-9a-f]{16}/, "sha256:0123456789abcdef"));
		expect([ran(), types("seen")]).toEqual([1, 1]);
	});
	test("another word approves nothing, and the question stands", async () => {
		const { id, ran, run, world } = await asking();
		const { code, err } = await run(["approve", id], typing("yes"));
		expect([code, ran(), world.state.approvals[id]?.status]).toEqual([1, 0, "open"]);
		expect(err).toContain("nothing was approved");
	});
	test("where nobody can be asked it needs --yes", async () => {
		const { id, ran, run } = await asking();
		expect((await run(["approve", id])).code).toBe(2);
		expect(ran()).toBe(0);
		expect((await run(["approve", id, "--yes"])).code).toBe(0);
		expect(ran()).toBe(1);
	});
	test("HARM-32: the second yes is exit 5, a yes after a no or too late is exit 6; nothing more runs", async () => {
		const first = await asking();
		await first.run(["approve", first.id, "--yes"]);
		const again = await first.run(["approve", first.id, "--yes"]);
		expect([again.code, first.ran()]).toEqual([5, 1]);
		expect(again.err).toContain("(used)");
		const denied = await asking();
		expect((await denied.run(["deny", denied.id, "-m", "no"])).code).toBe(0);
		const after = await denied.run(["approve", denied.id, "--yes"]);
		expect([after.code, denied.ran()]).toEqual([6, 0]);
		expect(after.err).toContain("it was denied by lars before: no");
		const late = await asking();
		late.world.tick(600_001);
		expect([(await late.run(["approve", late.id, "--yes"])).code, late.ran()]).toEqual([6, 0]);
		expect((await late.run(["deny", "apr-nothing"])).code).toBe(1);
	});
});

describe("orion approvals", () => {
	test("lists what waits, and what is over with --all", async () => {
		const { id, run, world } = await asking();
		const { out } = await run(["approvals"], { outIsTty: true, columns: 80, env: { NO_COLOR: "1" } });
		expectGolden("approvals.card.txt", out);
		expect((await run(["approvals", "revoke", id])).out).toContain("withdrawn");
		expect((await run(["approvals"])).out).toContain("nothing waits for an answer");
		expect((await run(["approvals", "--all"])).out).toContain("revoked");
		expect(world.state.approvals[id]?.by).toBe("lars");
	});
	test("TELL-23: what was stopped is started again; what did not run is not", async () => {
		const { id, run, ran, world } = await asking();
		expect((await run(["approvals", "undo", id])).code).toBe(5);
		await run(["approve", id, "--yes"]);
		world.receipts("received", "accepted", "started", "done");
		world.input("/nodes/pi-3", "dev.orion.process.stopped.v1", { service: "web", why: "action" });
		world.tick(3_000);
		const back = await run(["approvals", "undo", id, "-m", "mended"]);
		expect([back.code, back.err, ran()]).toEqual([0, "", 2]);
		expect(back.out).toContain("taken back by act-");
		expect((await run(["approvals", "show", id])).out).toContain("verified, then taken back by act-");
		expect((await run(["approvals", "undo", id, "--json"])).code).toBe(5);
	});
	test("history says how long answers took and who gave them", async () => {
		const { id, run, world } = await asking();
		expect((await run(["approvals", "history"])).out).toContain("nobody answered yet");
		world.tick(30_000);
		await run(["deny", id]);
		const { out } = await run(["approvals", "history"]);
		expect(out).toContain("half within 30 s");
		expect(out).toMatch(/lars +1 denied/);
	});
	test("why shows the question, who saw it, the answer and the end (TELL-20)", async () => {
		const { id, run, world } = await asking();
		await run(["approvals", "show", id]);
		await run(["deny", id, "-m", "I look at it"]);
		await run(["approve", id, "--yes"]);
		const { out } = await run(["why", id], { outIsTty: true, columns: 100, env: { NO_COLOR: "1" } });
		expect(out).toContain("What was asked");
		for (const said of ["lars looked at", "lars says deny", "is denied by lars (cli)", "approve of lars (cli) counts for nothing, denied"])
			expect(out).toContain(said);
		expect(world.records.length).toBeGreaterThan(0);
		const whole = JSON.parse((await run(["why", "inc-", "--json"])).out) as { approvals: readonly { id: string; status: string }[] };
		expect(whole.approvals).toMatchObject([{ id, status: "denied", by: "lars" }]);
	});
	test.each([
		["approvals", ["approvals", "--all"]],
		["approval", ["approvals", "show", "apr-"]],
		["approval-denied", ["deny", "apr-"]],
		["approvals-history", ["approvals", "history"]],
		["approval-approved", ["approve", "apr-", "--yes"]],
	] as const)("%s --json keeps its shape", async (name, args) => {
		const { run } = await asking();
		const { code, out, err } = await run([...args, "--json"]);
		expect([code, err]).toEqual([0, ""]);
		expectGolden(`${name}.shape.txt`, shapeOf(JSON.parse(out)));
	});
});

describe("an ask for a higher level that came by a chat", () => {
	test("TELL-48: is listed with the others, shown whole, and approved by typing the level", async () => {
		const { world, id, run } = await askedForN3();
		const listed = await run(["approvals"], { outIsTty: true, columns: 100, env: { NO_COLOR: "1" } });
		expect(listed.out).toContain(`orion approve ${id}`);
		expect(listed.out).toContain("raise the level from N2 to N3");
		expect((await run(["approve", "apr-0011"], typing("yes"))).code).toBe(1);
		expect(world.state.level).toBe("N2");
		const { code, out, err } = await run(["approve", "apr-0011"], { ...typing("N3"), outIsTty: true, columns: 80, env: { NO_COLOR: "1" } });
		expect([code, err]).toEqual([0, ""]);
		expectGolden("approve-level.card.txt", out.replace(/sha256:[0-9a-f]{16}/, "sha256:0123456789abcdef"));
		expect(world.state.level).toBe("N3");
		expect((await run(["approve", id, "--yes"])).code).toBe(5);
	});
	test("TELL-60: why shows who asked, who looked, what counted for nothing, the answer and the level it set", async () => {
		const { world, id, run } = await askedForN3();
		const plainly = { outIsTty: true, columns: 100, env: { NO_COLOR: "1" } };
		expect((await run(["why", id], plainly)).out).toContain(`next: orion approve ${id}`);
		expect((await run(["approve", id], { ...typing("N3") })).code).toBe(0);
		expect((await run(["approve", id, "--yes"])).code).toBe(5);
		const { code, out } = await run(["why", "apr-0011"], plainly);
		expect(code).toBe(0);
		expectGolden("why-level.card.txt", out);
		const whole = JSON.parse((await run(["why", id, "--json"])).out) as { levelAsk: { steps: readonly { type: string }[] } };
		expect(whole).toMatchObject({ subject: { kind: "approval", id }, partial: false, levelAsk: { status: "approved", level: "N3", before: "N2" } });
		expect(whole.levelAsk.steps.map(({ type }) => type.split(".").slice(2, 4).join("."))).toEqual([
			"level.asked",
			"approval.seen",
			"approval.decided",
			"level.answered",
			"level.set",
			"approval.decided",
			"approval.refused",
		]);
		const asked = world.records.find(({ envelope }) => envelope.type === "dev.orion.level.asked.v1");
		expect((await run(["why", String(asked?.position)], plainly)).out).toContain("level set to N3");
		expect(await run(["incident", "show", id])).toMatchObject({ code: 1, err: expect.stringContaining(`orion why ${id}`) });
	});
	test("TELL-60: what a node claims to be an ask, or the end of one, is its claim", async () => {
		const { world, id, run } = await askedForN3();
		const claim = { ask: "apr-ffffffffffff", level: "N3", before: "N2", by: "admin", via: "telegram", decideWithinMs: 600_000 } as const;
		world.input("/nodes/pi-3", "dev.orion.level.asked.v1", claim);
		world.input("/nodes/pi-3", "dev.orion.level.answered.v1", { ask: id, end: "approved", by: "admin" });
		expect((await run(["why", "apr-ffffffffffff"])).code).toBe(1);
		expect(JSON.parse((await run(["why", id, "--json"])).out)).toMatchObject({ levelAsk: { status: "open", steps: [{ type: "dev.orion.level.asked.v1" }] } });
	});
	test("TELL-48: denied in words and as JSON; the level stays", async () => {
		const { world, id, run } = await askedForN3();
		const { code, out } = await run(["deny", id, "-m", "not tonight", "--json"]);
		expect(code).toBe(0);
		expect(JSON.parse(out)).toMatchObject({ schema: "orion.approval/1", kind: "level", status: "denied", said: "not tonight" });
		expect((await run(["approve", id, "--yes"])).code).toBe(6);
		expect(world.state.level).toBe("N2");
		expect((await run(["approvals", "undo", id])).code).toBe(2);
	});
});
