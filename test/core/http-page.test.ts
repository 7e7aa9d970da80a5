// Shows how a browser is let in and what it may do: links that work once, sessions that outlive a restart, changes only from our own page (RUN-23).
import { describe, expect, test } from "vitest";
import { PageSessions } from "../../core/service/page-sessions.ts";
import { DeskWorld } from "./http-desk.ts";
import { type Answer, openOver, type TestHttp, TOKEN } from "./http-rig.ts";

const PAGE = { html: "<!doctype html><title>page</title>", css: "body{}", script: "'use strict'" };

const linkOf = async (http: TestHttp): Promise<string> => {
	const { status, body } = await http.ask<{ url: string; validMs: number }>("/session/link", { body: { by: "lars" } });
	expect([status, body.validMs]).toEqual([201, 60_000]);
	return new URL(body.url).searchParams.get("link") ?? "";
};

const redeem = (http: TestHttp, link: string, more: Readonly<Record<string, string>> = {}): Promise<Answer<{ key: string; by: string }>> =>
	http.ask("/session", { body: { link }, token: null, headers: { origin: http.origin, ...more } });

/** The cookie as a browser sends it back. */
const cookieOf = (answer: Answer<unknown>): string => (answer.headers.get("set-cookie") ?? "").split(";")[0] ?? "";

const enter = async (http: TestHttp): Promise<{ readonly cookie: string; readonly key: string }> => {
	const answer = await redeem(http, await linkOf(http));
	expect(answer.status).toBe(200);
	return { cookie: cookieOf(answer), key: answer.body.key };
};

describe("the way in", () => {
	test("a link works once, for a minute, and leaves nothing of the token", async () => {
		const world = new DeskWorld();
		const http = await openOver(world, { page: PAGE });
		const link = await linkOf(http);
		const first = await redeem(http, link);
		expect([first.status, first.body.by]).toEqual([200, "lars"]);
		expect(first.headers.get("set-cookie")).toMatch(new RegExp(`^orion-${http.port}=[\\w.-]+; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict$`));
		expect(`${link} ${first.text} ${first.headers.get("set-cookie")}`).not.toContain(TOKEN);
		expect((await redeem(http, link)).body).toMatchObject({ error: { code: "LINK_SPENT" } });
		const late = await linkOf(http);
		world.engineMs += 60_000;
		expect((await redeem(http, late)).status).toBe(401);
		const inTime = await linkOf(http);
		world.engineMs += 59_999;
		expect((await redeem(http, inTime)).status).toBe(200);
	});

	test("links are given only to who has the token, are forgotten beyond eight, and are redeemed only by our own page", async () => {
		const http = await openOver(new DeskWorld(), { page: PAGE });
		expect((await http.ask("/session/link", { body: {}, token: null })).status).toBe(401);
		const { cookie, key } = await enter(http);
		const byPage = await http.ask("/session/link", { body: {}, token: null, headers: { cookie, origin: http.origin, "x-orion-page": key } });
		expect([byPage.status, byPage.body]).toMatchObject([403, { error: { code: "PAGE_MAY_NOT" } }]);
		const first = await linkOf(http);
		for (let more = 0; more < 8; more++) await linkOf(http);
		expect((await redeem(http, first)).status).toBe(401);
		const link = await linkOf(http);
		expect((await redeem(http, link, { origin: "https://evil.example" })).status).toBe(403);
		expect((await http.ask("/session", { body: { link }, token: null })).status).toBe(403);
		expect((await redeem(http, link)).status).toBe(200);
	});

	test("a session outlives a restart, ends after a week or with the token, and cannot be altered", async () => {
		const world = new DeskWorld();
		const { cookie } = await enter(await openOver(world, { page: PAGE }));
		const text = cookie.split("=")[1] ?? "";
		const again = new PageSessions(TOKEN, world.clock() as never);
		expect(again.known(text)?.by).toBe("lars");
		expect(new PageSessions(`${TOKEN}x`, world.clock() as never).known(text)).toBeUndefined();
		const [body = "", mark = ""] = text.split(".");
		const forged = Buffer.from(JSON.stringify(["id", "root", Number.MAX_SAFE_INTEGER])).toString("base64url");
		for (const bad of [`${forged}.${mark}`, `${body}.`, body, `${text}.x`, `.${mark}`, "", "a".repeat(4_000)]) expect(again.known(bad), bad).toBeUndefined();
		world.engineMs += 7 * 86_400_000 - 1;
		expect(again.known(text)).toBeDefined();
		world.engineMs += 1;
		expect(again.known(text)).toBeUndefined();
	});

	test("a page that is used renews its session once a day", async () => {
		const world = new DeskWorld();
		const http = await openOver(world, { page: PAGE });
		const { cookie } = await enter(http);
		expect((await http.ask("/session", { token: null, headers: { cookie } })).headers.get("set-cookie")).toBeNull();
		world.engineMs += 86_400_001;
		const renewed = await http.ask("/session", { token: null, headers: { cookie } });
		expect(renewed.headers.get("set-cookie")).toContain("Max-Age=604800");
		expect((await http.ask("/session", { token: null, headers: { cookie: cookieOf(renewed) } })).status).toBe(200);
	});
});

describe("what a session may do", () => {
	test("it reads; what it changes needs our origin, the key of its page, and to be meant for pages", async () => {
		const http = await openOver(new DeskWorld(), { page: PAGE });
		const { cookie, key } = await enter(http);
		const other = await enter(http);
		const mine = { cookie, origin: http.origin, "x-orion-page": key };
		const send = (path: string, headers: Readonly<Record<string, string>>, method = "POST") =>
			http.ask<{ error: { code: string } }>(path, { method, headers, token: null });
		expect((await http.ask("/state/now", { token: null, headers: { cookie } })).status).toBe(200);
		expect((await http.ask("/state/now", { token: null })).status).toBe(401);
		expect((await send("/session", { cookie, origin: http.origin }, "DELETE")).body.error.code).toBe("REQUEST_FOREIGN");
		expect((await send("/session", { cookie, origin: http.origin, "x-orion-page": other.key }, "DELETE")).body.error.code).toBe("REQUEST_FOREIGN");
		expect((await send("/session", { cookie, "x-orion-page": key }, "DELETE")).body.error.code).toBe("REQUEST_FOREIGN");
		expect((await send("/session", { ...mine, origin: "http://127.0.0.1:1" }, "DELETE")).body.error.code).toBe("REQUEST_FOREIGN");
		for (const [method, path] of [
			["POST", "/level"],
			["POST", "/nodes"],
			["DELETE", "/nodes/host"],
			["POST", "/events"],
			["POST", "/policy/reload"],
			["POST", "/session/link"],
			["PUT", "/stop"],
			["POST", "/stop/x"],
		] as const)
			expect([path, (await send(path, mine, method)).body.error.code]).toEqual([path, "PAGE_MAY_NOT"]);
		// Past the guard; whether there is something behind it is another question.
		expect((await send("/approvals/x/approve", mine)).body.error?.code).not.toBe("PAGE_MAY_NOT");
		expect((await send("/session", mine, "DELETE")).status).toBe(200);
	});

	test("a wrong token is refused although the cookie is good", async () => {
		const http = await openOver(new DeskWorld(), { page: PAGE });
		const { cookie } = await enter(http);
		expect((await http.ask("/state/now", { token: "wrong", headers: { cookie } })).status).toBe(401);
	});
});

describe("what a browser loads", () => {
	test("document, sheet and script without a session, with a policy that allows nothing else, and not again while they are the same", async () => {
		const http = await openOver(new DeskWorld(), { page: PAGE });
		for (const [path, type, text] of [
			["/", "text/html; charset=utf-8", PAGE.html],
			["/page.css", "text/css; charset=utf-8", PAGE.css],
			["/page.js", "text/javascript; charset=utf-8", PAGE.script],
		] as const) {
			const answer = await http.ask(path, { token: null });
			expect([answer.status, answer.headers.get("content-type"), answer.text]).toEqual([200, type, text]);
			const policy = answer.headers.get("content-security-policy") ?? "";
			expect(policy).toContain("default-src 'none'");
			expect(policy).toContain("frame-ancestors 'none'");
			expect(policy).not.toMatch(/unsafe|\*|https?:/);
			expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
			const again = await http.ask(path, { token: null, headers: { "if-none-match": answer.headers.get("etag") ?? "" } });
			expect([again.status, again.text]).toEqual([304, ""]);
		}
	});

	test("without a built page / is a route that is not there, and the API stands", async () => {
		const http = await openOver(new DeskWorld());
		expect((await http.ask("/")).status).toBe(404);
		expect((await http.ask("/", { token: null })).status).toBe(401);
		expect((await http.ask("/state/now")).status).toBe(200);
	});
});
