// Connects browsers to the API: the page and its parts, one-time links that become sessions, and what a session may do.
import type { HttpBindings } from "@hono/node-server";
import type { Context, Hono, MiddlewareHandler } from "hono";
import { sha256Hex } from "../../contracts/digest.ts";
import { fault, OrionError } from "../../contracts/errors.ts";
import type { Clock } from "../../contracts/time.ts";
import { answerFault, bearerOf, isToken } from "./http-guard.ts";
import { isKeyOf, LINK_VALID_MS, type PageSession, PageSessions } from "./page-sessions.ts";

type Api = Hono<{ Bindings: HttpBindings }>;

/** What a browser loads. */
export interface PageFiles {
	readonly html: string;
	readonly css: string;
	readonly script: string;
}

export interface PageOptions {
	readonly token: string;
	readonly clock: Clock;
	readonly page: PageFiles | undefined;
	readonly port: () => number;
	readonly url: () => string;
	readonly nameFrom: (name: unknown) => string;
	readonly fieldsOf: (c: Context) => Promise<Readonly<Record<string, unknown>>>;
}

const PAGE_HEADER = "x-orion-page";

/** Nothing from elsewhere, nothing inline, in nobody's frame. */
const POLICY = [
	"default-src 'none'",
	"script-src 'self'",
	"style-src 'self'",
	"img-src 'self' data:",
	"connect-src 'self'",
	"base-uri 'none'",
	"form-action 'none'",
	"frame-ancestors 'none'",
	"require-trusted-types-for 'script'",
].join("; ");

const HEADERS = {
	"content-security-policy": POLICY,
	"x-content-type-options": "nosniff",
	"referrer-policy": "no-referrer",
	"cross-origin-opener-policy": "same-origin",
	"cross-origin-resource-policy": "same-origin",
	"permissions-policy": "camera=(), geolocation=(), microphone=()",
	// Asked for again each time, and taken from the cache when it is still the same.
	"cache-control": "no-cache",
} as const;

/** What a page may change. Everything else is for the command line, whose token no browser ever has. */
const PAGE_MAY: readonly RegExp[] = [/^POST \/stop$/, /^POST \/approvals\/[^/]+\/(approve|deny|revoke|seen)$/, /^DELETE \/session$/];

const cookieName = (port: number): string => `orion-${port}`;

const cookieOf = (c: Context, port: number): string | undefined => {
	const start = `${cookieName(port)}=`;
	const found = (c.req.header("cookie") ?? "").split("; ").find((part) => part.startsWith(start));
	return found?.slice(start.length);
};

const setCookie = (c: Context, port: number, value: string, maxAgeS: number): void =>
	c.header("set-cookie", `${cookieName(port)}=${value}; Path=/; Max-Age=${maxAgeS}; HttpOnly; SameSite=Strict`);

const secondsLeft = (session: PageSession, clock: Clock): number => Math.floor((session.untilWallMs - clock.wall()) / 1_000);

const sessionAnswer = (c: Context, session: PageSession, more: Readonly<Record<string, unknown>>): Response =>
	c.json({ schema: "orion.session/1", by: session.by, until: new Date(session.untilWallMs).toISOString(), ...more });

/** The parts of the page hold no secret and need no session: a page that lost its own must still be able to say what to do. */
const servePage = (app: Api, page: PageFiles): void => {
	for (const [path, type, text] of [
		["/", "text/html", page.html],
		["/page.css", "text/css", page.css],
		["/page.js", "text/javascript", page.script],
	] as const) {
		const etag = `"${sha256Hex(text).slice(0, 16)}"`;
		app.get(path, (c) => {
			const headers = { ...HEADERS, etag };
			return c.req.header("if-none-match") === etag ? c.body(null, 304, headers) : c.body(text, 200, { ...headers, "content-type": `${type}; charset=utf-8` });
		});
	}
};

/** Cookies are sent to every port of this host and by every page of it: what changes something must also come from our own page, with its key. */
const mayChange = (c: Context, session: PageSession): OrionError | undefined => {
	const asked = `${c.req.method} ${c.req.path}`;
	if (!PAGE_MAY.some((form) => form.test(asked))) return new OrionError("PAGE_MAY_NOT", { asked: asked.slice(0, 256) });
	// That an Origin is ours was checked before; that there is one was not.
	if (c.req.header("origin") === undefined) return new OrionError("REQUEST_FOREIGN", { header: "Origin", found: "(none)" });
	if (!isKeyOf(session, c.req.header(PAGE_HEADER) ?? "")) return new OrionError("REQUEST_FOREIGN", { header: PAGE_HEADER, found: "of no open page" });
	return undefined;
};

/** The token, or the session of a page. */
const onlyKnown =
	({ token, port }: PageOptions, sessions: PageSessions): MiddlewareHandler =>
	async (c, next) => {
		const bearer = bearerOf(c);
		if (bearer !== undefined) return isToken(token, bearer) ? next() : answerFault(fault("NOT_AUTHENTICATED"));
		const cookie = cookieOf(c, port());
		const session = cookie === undefined ? undefined : sessions.known(cookie);
		if (session === undefined) return answerFault(fault("NOT_AUTHENTICATED"));
		if (c.req.method !== "GET") {
			const refused = mayChange(c, session);
			if (refused !== undefined) return answerFault(refused.fault);
		}
		c.set("session" as never, session as never);
		return next();
	};

/** Routes for browsers, and the guard of all that come after it. */
export const pageRoutes = (app: Api, options: PageOptions): void => {
	const { token, clock, page, port, url, nameFrom, fieldsOf } = options;
	const sessions = new PageSessions(token, clock);
	if (page !== undefined) servePage(app, page);
	// The one change that needs no session yet: only our own page can ask for it, because nobody else may set this header here.
	app.post("/session", async (c) => {
		if (c.req.header("origin") === undefined) throw new OrionError("REQUEST_FOREIGN", { header: "Origin", found: "(none)" });
		const { link } = await fieldsOf(c);
		const opened = sessions.open(typeof link === "string" ? link.slice(0, 64) : "");
		if (!opened.ok) return answerFault(opened.fault);
		setCookie(c, port(), opened.value.cookie, secondsLeft(opened.value, clock));
		c.header("cache-control", "no-store");
		return sessionAnswer(c, opened.value, { key: opened.value.key });
	});
	app.use(onlyKnown(options, sessions));
	app.get("/session", (c) => {
		const session = c.get("session" as never) as PageSession | undefined;
		if (session === undefined) return c.json({ schema: "orion.session/1", by: "token" });
		const kept = session.old ? sessions.renewed(session) : session;
		if (session.old) setCookie(c, port(), kept.cookie, secondsLeft(kept, clock));
		return sessionAnswer(c, kept, {});
	});
	app.delete("/session", (c) => {
		setCookie(c, port(), "", 0);
		return c.json({ schema: "orion.session/1", by: "nobody" });
	});
	app.post("/session/link", async (c) => {
		const { by } = await fieldsOf(c);
		return c.json({ schema: "orion.open/1", url: `${url()}/?link=${sessions.link(nameFrom(by))}`, validMs: LINK_VALID_MS }, 201);
	});
};
