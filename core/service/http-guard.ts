// Decides who may ask the API: loopback only, no foreign page, the token, and how large a request may be; and how a fault is answered.
import { timingSafeEqual } from "node:crypto";
import type { Context, MiddlewareHandler } from "hono";
import { sha256Hex } from "../../contracts/digest.ts";
import { ENVELOPE_BYTES_MAX } from "../../contracts/envelope.ts";
import { type Culprit, ERRORS, type ErrorCode, type Fault, fault, OrionError, sayFault } from "../../contracts/errors.ts";

const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
	NOT_AUTHENTICATED: 401,
	LINK_SPENT: 401,
	PAGE_MAY_NOT: 403,
	REQUEST_FOREIGN: 403,
	SOURCE_FOREIGN: 403,
	TOPIC_MISMATCH: 403,
	TOPIC_REFUSED: 403,
	NOT_FOUND: 404,
	AMBIGUOUS: 409,
	APPROVAL_OVER: 409,
	APPROVAL_REFUSED: 409,
	IDENTITY_FORK: 409,
	ID_REUSED: 409,
	RECORDS_ARCHIVED: 410,
	TOO_LARGE: 413,
	CONTRACT_VIOLATED: 422,
	TYPE_UNKNOWN: 422,
	MESH_FOREIGN: 422,
	TOO_MANY_READERS: 503,
	LOG_CLOSED: 503,
	DISK_FULL: 507,
};
const STATUS_OF_CULPRIT: Readonly<Record<Culprit, number>> = { caller: 400, operator: 422, peer: 502, machine: 503, ours: 500 };

const statusOf = ({ code }: Fault): number => STATUS[code] ?? STATUS_OF_CULPRIT[ERRORS[code].culprit];

/** {"error":{"code","text",...facts}} with the status that fits; `more` stands beside it. */
export const answerFault = (found: Fault, more: Readonly<Record<string, unknown>> = {}): Response =>
	new Response(JSON.stringify({ error: { ...found.facts, code: found.code, text: sayFault(found) }, ...more }), {
		status: statusOf(found),
		headers: { "content-type": "application/json; charset=utf-8", ...(found.code === "NOT_AUTHENTICATED" ? { "www-authenticate": "Bearer" } : {}) },
	});

export const faultOf = (error: unknown): Fault =>
	error instanceof OrionError ? error.fault : fault("INTERNAL", { detail: error instanceof Error ? error.message.slice(0, 500) : "unknown" });

const LOOPBACK = /^(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?$/i;

/** A page elsewhere can make a browser ask us: its Origin gives it away, or the name it was led here by. */
export const onlyLoopback =
	(port: () => number): MiddlewareHandler =>
	async (c, next) => {
		const host = c.req.header("host") ?? "";
		if (!LOOPBACK.test(host)) return answerFault(fault("REQUEST_FOREIGN", { header: "Host", found: host.slice(0, 256) || "(none)" }));
		const origin = c.req.header("origin");
		const own = [`http://127.0.0.1:${port()}`, `http://localhost:${port()}`, `http://[::1]:${port()}`];
		if (origin !== undefined && !own.includes(origin)) return answerFault(fault("REQUEST_FOREIGN", { header: "Origin", found: origin.slice(0, 256) }));
		return next();
	};

/** What the caller says to be the token; undefined: it says none. */
export const bearerOf = (c: Context): string | undefined => {
	const said = c.req.header("authorization");
	return said === undefined ? undefined : (/^Bearer ([\x21-\x7e]{1,512})$/i.exec(said)?.[1] ?? "");
};

/** Digests are compared, in constant time: neither length nor content of the token shows in how long it takes. */
export const isToken = (token: string, given: string): boolean => timingSafeEqual(Buffer.from(sha256Hex(given), "hex"), Buffer.from(sha256Hex(token), "hex"));

/** The body of a request, at most so large whatever its header says. */
export const readBody = async (c: Context, bytesMax = ENVELOPE_BYTES_MAX): Promise<Uint8Array> => {
	const tooLarge = (bytes: number): OrionError => new OrionError("TOO_LARGE", { bytes, bytesMax });
	const said = Number(c.req.header("content-length") ?? 0);
	if (said > bytesMax) throw tooLarge(said);
	const reader = c.req.raw.body?.getReader();
	const chunks: Uint8Array[] = [];
	let size = 0;
	for (;;) {
		const read = await reader?.read();
		if (read === undefined || read.done) return Buffer.concat(chunks);
		size += read.value.byteLength;
		if (size > bytesMax) throw tooLarge(size);
		chunks.push(read.value);
	}
};
