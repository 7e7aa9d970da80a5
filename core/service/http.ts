// Connects the desk of a running core to whoever asks it over HTTP on this machine: what is so, why, what happened, and the few things that may be changed.

import type { Server } from "node:http";
import { setImmediate } from "node:timers/promises";
import { createAdaptorServer, type HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { type Context, Hono } from "hono";
import { checkContract, parseJson } from "../../contracts/envelope.ts";
import { fault, OrionError } from "../../contracts/errors.ts";
import type { Result } from "../../contracts/result.ts";
import type { Clock } from "../../contracts/time.ts";
import { reconciliationsAnswer } from "./http-alone.ts";
import { approvalRoutes } from "./http-approvals.ts";
import { type ChatInvites, chatRoutes } from "./http-chat.ts";
import { feed } from "./http-events.ts";
import { answerFault, faultOf, onlyLoopback, readBody } from "./http-guard.ts";
import { ingestRoutes } from "./http-ingest.ts";
import { leaseRoutes } from "./http-lease.ts";
import { type PageFiles, pageRoutes } from "./http-page.ts";
import { quarantineRoutes } from "./http-quarantine.ts";
import { stateRoutes } from "./http-state.ts";
import { stopRoutes } from "./http-stop.ts";
import { incidentAnswer, why } from "./http-why.ts";
import { type Gauges, METRICS_TYPE, metricsText } from "./metrics.ts";
import type { CoreDesk } from "./ports.ts";
import { Threads } from "./threads.ts";
import { type IncidentsQuery, incidentsView, levelView, logView, nodesView, type Seen, statusView } from "./views.ts";

export interface HttpOptions {
	readonly desk: CoreDesk;
	readonly token: string;
	/** 0 = any free port. */
	readonly port: number;
	readonly host: string;
	readonly clock: Clock;
	/** Where people may be invited to answer asks, once it is open. */
	readonly chat?: () => ChatInvites | undefined;
	readonly heartbeatMs?: number;
	/** A reader of /events that takes nothing for this long is closed. */
	readonly stalledMs?: number;
	readonly readersMax?: number;
	/** What browsers load at /; absent: there is no page. */
	readonly page?: PageFiles;
	readonly gauges?: Gauges;
}

export interface HttpApi {
	readonly port: number;
	close(): Promise<void>;
}

type Api = Hono<{ Bindings: HttpBindings }>;

const LOG_LIMIT_MAX = 1_000;
const INCIDENTS_LIMIT_MAX = 500;
const RECONCILIATIONS_LIMIT_MAX = 50;
const NODES_LIMIT_MAX = 500;
const NAME_LENGTH_MAX = 128;
const BEAT_S_MAX = 60;

const usage = (detail: string): OrionError => new OrionError("USAGE", { detail });

const numberFrom = (c: Context, name: string, otherwise: number, max: number): number => {
	const text = c.req.query(name);
	if (text === undefined) return otherwise;
	const number = Number(text);
	if (!/^\d{1,15}$/.test(text) || number < 1 || number > max) throw usage(`${name} is a whole number from 1 to ${max}, not ${text.slice(0, 64)}`);
	return number;
};

const listFrom = (c: Context, name: string): readonly string[] =>
	(c.req.query(name) ?? "")
		.split(",")
		.map((part) => part.trim())
		.filter((part) => part !== "");

const must = <T>(result: Result<T>): T => {
	if (result.ok) return result.value;
	throw new OrionError(result.fault.code, result.fault.facts);
};

/** The body as a JSON object; empty: no fields. */
const fieldsOf = async (c: Context): Promise<Readonly<Record<string, unknown>>> => {
	const bytes = await readBody(c);
	const value = bytes.byteLength === 0 ? {} : must(parseJson(bytes));
	if (typeof value !== "object" || value === null || Array.isArray(value)) throw new OrionError("NOT_JSON", { detail: "it is another kind of value" });
	return value as Readonly<Record<string, unknown>>;
};

const nameFrom = (name: unknown): string => (typeof name === "string" && name !== "" ? name.slice(0, NAME_LENGTH_MAX) : "operator");

const seenBy = (desk: CoreDesk, clock: Clock): Seen => ({
	info: desk.info(),
	state: desk.state(),
	live: desk.live(),
	known: desk.nodes(),
	notices: desk.notices(),
	wallMs: clock.wall(),
});

const readRoutes = (app: Api, desk: CoreDesk, threads: Threads, seen: () => Seen): void => {
	app.get("/state/status", (c) => c.json(statusView(seen())));
	for (const path of ["/state/nodes", "/nodes"])
		app.get(path, (c) => c.json(nodesView(seen(), numberFrom(c, "limit", 200, NODES_LIMIT_MAX), c.req.query("after"))));
	app.get("/level", (c) => c.json(levelView(seen())));
	app.get("/state/incidents", (c) => {
		const status = c.req.query("status") ?? "all";
		if (status !== "open" && status !== "resolved" && status !== "all") throw usage(`status is open, resolved or all, not ${status.slice(0, 64)}`);
		const after = c.req.query("after");
		const query: IncidentsQuery = { status, limit: numberFrom(c, "limit", 100, INCIDENTS_LIMIT_MAX), ...(after === undefined ? {} : { after }) };
		return c.json(incidentsView(seen(), query));
	});
	app.get("/state/incidents/:id", async (c) => c.json(must(await incidentAnswer(threads, seen(), c.req.param("id")))));
	app.get("/why/:id", async (c) => c.json(must(await why(desk, threads, seen(), c.req.param("id")))));
	app.get("/state/reconciliations", async (c) => c.json(await reconciliationsAnswer(desk, seen(), numberFrom(c, "limit", 10, RECONCILIATIONS_LIMIT_MAX))));
	app.get("/state/log", async (c) => {
		const { first } = desk.info();
		const from = numberFrom(c, "from", first, Number.MAX_SAFE_INTEGER);
		const limit = numberFrom(c, "limit", 100, LOG_LIMIT_MAX);
		if (from < first && c.req.query("from") !== "1") throw new OrionError("RECORDS_ARCHIVED", { position: from, first });
		const records = await desk.records(from, limit);
		return c.json(logView(seen(), records));
	});
};

const changeRoutes = (app: Api, desk: CoreDesk, seen: () => Seen): void => {
	app.post("/level", async (c) => {
		const { level, why: reason, by } = await fieldsOf(c);
		const wanted = must(checkContract("level.set", { level, by: nameFrom(by), ...(reason === undefined ? {} : { why: reason }) }));
		const { position, before } = await desk.setLevel(wanted.level, wanted.by, wanted.why);
		return c.json({ ...levelView(seen()), before, position });
	});
	app.post("/nodes", async (c) => {
		const { node, by, client = false } = await fieldsOf(c);
		if (typeof node !== "string" || typeof client !== "boolean")
			throw usage('the body is {"node":"NAME"}, and "client":true for one that only publishes events');
		return c.json({ schema: "orion.node/1", ...must(await desk.addNode(node, nameFrom(by), client)), mqtt: desk.info().mqtt, rev: desk.info().head }, 201);
	});
	app.delete("/nodes/:node", async (c) =>
		c.json({ schema: "orion.node/1", ...must(await desk.removeNode(c.req.param("node"), nameFrom(c.req.query("by")))), rev: desk.info().head }),
	);
	app.post("/nodes/:node/revoke", async (c) => {
		const { by } = await fieldsOf(c);
		return c.json({ schema: "orion.node-revoked/1", ...must(await desk.revokeNode(c.req.param("node"), nameFrom(by))), rev: desk.info().head });
	});
	app.post("/incidents/:id/retry", async (c) => {
		const { by } = await fieldsOf(c);
		return c.json({ schema: "orion.retry/1", ...must(await desk.retry(c.req.param("id"), nameFrom(by))), rev: desk.info().head });
	});
	app.post("/audit/checkpoint", async (c) => c.json({ schema: "orion.audit-signed/1", ...must(await desk.signAudit()), rev: desk.info().head }));
	app.post("/audit/verified", async (c) => {
		const checked = must(checkContract("audit.verified", await fieldsOf(c)));
		await desk.verifiedAudit(checked);
		return c.json({ schema: "orion.audit-verified/1", rev: desk.info().head });
	});
	app.post("/policy/reload", async (c) => {
		const { by } = await fieldsOf(c);
		return c.json({ schema: "orion.policy/1", ...must(await desk.reloadPolicy(nameFrom(by))), rev: desk.info().head });
	});
};

/** The position that a reader goes on from; one before the oldest or after the newest record means another log than it knew. */
const feedFrom = (c: Context, desk: CoreDesk): { readonly from: number } | Response => {
	const { first, head } = desk.info();
	const last = c.req.header("last-event-id");
	if (last !== undefined && !/^\d{1,15}$/.test(last)) throw usage("Last-Event-ID is a log position");
	const from = last === undefined ? numberFrom(c, "from", head + 1, Number.MAX_SAFE_INTEGER) : Number(last) + 1;
	if (from >= first && from <= head + 1) return { from };
	return answerFault(fault("RECORDS_ARCHIVED", { position: from, first }), { reset: true, first, head });
};

const feedRoute = (app: Api, options: HttpOptions, ended: AbortSignal): (() => Promise<void>) => {
	const { desk, heartbeatMs = 15_000, stalledMs = 30_000, readersMax = 64 } = options;
	const feeds = new Set<Promise<void>>();
	app.get("/events", (c) => {
		const began = feedFrom(c, desk);
		if (began instanceof Response) return began;
		if (feeds.size >= readersMax) throw new OrionError("TOO_MANY_READERS", { readersMax });
		const node = c.req.query("node");
		const filter = { types: listFrom(c, "types"), ...(node === undefined ? {} : { node }) };
		const beatMs = c.req.query("beat") === undefined ? heartbeatMs : numberFrom(c, "beat", 15, BEAT_S_MAX) * 1_000;
		// A log that closes under a reader ends the reading, and nothing else.
		const following = feed(c.env.outgoing, { desk, from: began.from, filter, heartbeatMs: beatMs, stalledMs }, ended).catch(() => c.env.outgoing.destroy());
		const tracked = following.then(() => undefined).finally(() => feeds.delete(tracked));
		feeds.add(tracked);
		return RESPONSE_ALREADY_SENT;
	});
	return async () => {
		await Promise.all(feeds);
	};
};

const listen = (server: Server, port: number, host: string): Promise<number> =>
	new Promise((resolve, reject) => {
		server.once("error", (error: NodeJS.ErrnoException) => {
			const facts = { port, host, flag: "--http-port", detail: error.message };
			reject(new OrionError(error.code === "EADDRINUSE" ? "PORT_IN_USE" : "PORT_REFUSED", facts, { cause: error }));
		});
		server.listen(port, host, () => {
			const address = server.address();
			resolve(typeof address === "object" && address !== null ? address.port : port);
		});
	});

/** Faults: PORT_IN_USE, PORT_REFUSED. */
export const openHttp = async (options: HttpOptions): Promise<HttpApi> => {
	const { desk, token, clock } = options;
	const app: Api = new Hono<{ Bindings: HttpBindings }>();
	let port = options.port;
	const ended = new AbortController();
	const seen = (): Seen => seenBy(desk, clock);
	app.onError((error) => answerFault(faultOf(error)));
	app.notFound((c) => answerFault(fault("NOT_FOUND", { what: "route", id: `${c.req.method} ${c.req.path.slice(0, 256)}`, detail: "See docs/http.md." })));
	app.use(onlyLoopback(() => port));
	app.get("/healthz", (c) => c.json({ ok: true }));
	pageRoutes(app, { token, clock, page: options.page, port: () => port, url: () => `http://${options.host}:${port}`, nameFrom, fieldsOf });
	app.use(async (c, next) => {
		await next();
		if (c.res !== RESPONSE_ALREADY_SENT) {
			c.header("cache-control", "no-store");
			c.header("x-content-type-options", "nosniff");
		}
	});
	const threads = new Threads({ desk, pause: () => setImmediate() });
	stopRoutes(app, desk);
	leaseRoutes(app, desk);
	readRoutes(app, desk, threads, seen);
	stateRoutes(app, { desk, seen, numberFrom, pause: () => setImmediate() });
	app.get("/metrics", (c) => c.body(metricsText(seen(), desk.tally(), options.gauges ?? {}), 200, { "content-type": METRICS_TYPE }));
	ingestRoutes(app, desk);
	quarantineRoutes(app, { desk, numberFrom });
	changeRoutes(app, desk, seen);
	chatRoutes(app, { desk, chat: options.chat ?? (() => undefined), fieldsOf });
	approvalRoutes(app, { desk, seen, numberFrom, fieldsOf, nameFrom });
	const feedsEnded = feedRoute(app, options, ended.signal);
	const server = createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false }) as Server;
	port = await listen(server, options.port, options.host);
	return {
		port,
		close: async () => {
			ended.abort();
			await feedsEnded();
			const closed = new Promise<void>((resolve) => {
				server.close(() => resolve());
			});
			server.closeAllConnections();
			await closed;
		},
	};
};
