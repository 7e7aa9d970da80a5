// Decides which browser may ask: a one-time link becomes a session, and a session is a signed cookie that needs no memory of ours.
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { sha256Hex } from "../../contracts/digest.ts";
import { fail } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";
import type { Clock } from "../../contracts/time.ts";

/** Long enough to go from the terminal to the browser, short enough that a link in somebody's history opens nothing. */
export const LINK_VALID_MS = 60_000;
const LINKS_MAX = 8;
/** A page that is open renews its session; one that was closed for a week has to be opened by a link again. */
const SESSION_VALID_MS = 7 * 86_400_000;
const RENEW_AFTER_MS = 86_400_000;

export interface PageSession {
	/** Who printed the link: what this page decides is decided by that person. */
	readonly by: string;
	readonly untilWallMs: number;
	/** The text of the cookie. */
	readonly cookie: string;
	/** What the page says in a header when it changes something; only the page that opened the link was ever told. */
	readonly key: string;
	/** Worth sending anew, with a later end. */
	readonly old: boolean;
}

interface Link {
	readonly by: string;
	readonly untilMs: number;
}

const same = (left: string, right: string): boolean => timingSafeEqual(Buffer.from(sha256Hex(left), "hex"), Buffer.from(sha256Hex(right), "hex"));

/**
 * Sessions are signed with a key made from the API token, so they outlive a restart of core: the person in front of the page
 * can stop and decide at once when core is back. Another token ends them all. Links live in memory only, and only as digests.
 */
export class PageSessions {
	readonly #clock: Clock;
	readonly #secret: string;
	readonly #links = new Map<string, Link>();

	constructor(token: string, clock: Clock) {
		this.#clock = clock;
		this.#secret = createHmac("sha256", token).update("orion page sessions 1").digest("base64url");
	}

	/** The code of a new link. */
	link(by: string): string {
		const code = randomBytes(16).toString("base64url");
		this.#links.set(sha256Hex(code), { by, untilMs: this.#clock.now() + LINK_VALID_MS });
		for (const oldest of [...this.#links.keys()].slice(0, Math.max(0, this.#links.size - LINKS_MAX))) this.#links.delete(oldest);
		return code;
	}

	/** Faults: LINK_SPENT. */
	open(code: string): Result<PageSession> {
		const digest = sha256Hex(code);
		const link = this.#links.get(digest);
		this.#links.delete(digest);
		if (link === undefined || this.#clock.now() >= link.untilMs) return fail("LINK_SPENT", { validS: LINK_VALID_MS / 1_000 });
		return ok(this.#session(link.by, randomBytes(12).toString("base64url")));
	}

	/** The session that a cookie proves; undefined: none. */
	known(cookie: string): PageSession | undefined {
		const [body = "", mark = "", surplus] = cookie.split(".");
		if (surplus !== undefined || cookie.length > 1_024 || !same(mark, this.#mark(body))) return undefined;
		const [id, by, until] = JSON.parse(Buffer.from(body, "base64url").toString("utf8")) as [string, string, number];
		const nowMs = this.#clock.wall();
		if (until <= nowMs) return undefined;
		return { by, untilWallMs: until, cookie, key: this.#key(id), old: until - nowMs < SESSION_VALID_MS - RENEW_AFTER_MS };
	}

	/** The same session with a later end. */
	renewed(session: PageSession): PageSession {
		const [id] = JSON.parse(Buffer.from(session.cookie.split(".")[0] ?? "", "base64url").toString("utf8")) as [string];
		return this.#session(session.by, id);
	}

	#session(by: string, id: string): PageSession {
		const untilWallMs = this.#clock.wall() + SESSION_VALID_MS;
		const body = Buffer.from(JSON.stringify([id, by, untilWallMs])).toString("base64url");
		return { by, untilWallMs, cookie: `${body}.${this.#mark(body)}`, key: this.#key(id), old: false };
	}

	#mark(body: string): string {
		return createHmac("sha256", this.#secret).update(`cookie ${body}`).digest("base64url");
	}

	#key(id: string): string {
		return createHmac("sha256", this.#secret).update(`key ${id}`).digest("base64url");
	}
}

/** Compares what a page says with what its session knows, in constant time. */
export const isKeyOf = (session: PageSession, said: string): boolean => same(session.key, said);
