// Connects questions about what is so now and what was done to the engine's state and the log: each answer is a page, never everything.
import type { HttpBindings } from "@hono/node-server";
import type { Context, Hono } from "hono";
import { OrionError } from "../../contracts/errors.ts";
import { rowOf } from "../memory/log-row.ts";
import type { CoreDesk, LogRecord } from "./ports.ts";
import { envelopeOf, type Seen } from "./views.ts";
import { actionsView } from "./views-actions.ts";
import { nowView } from "./views-now.ts";

type Api = Hono<{ Bindings: HttpBindings }>;

export interface StateOptions {
	readonly desk: CoreDesk;
	readonly seen: () => Seen;
	/** A whole number from the query, from 1 to max. */
	readonly numberFrom: (c: Context, name: string, otherwise: number, max: number) => number;
	/** Lets other work of this process pass between two pages of the log. */
	readonly pause: () => Promise<void>;
}

const PAGE_RECORDS = 256;
const ROWS_MAX = 200;
/** Records that one question may look at; who wants more goes on from `next`. */
const LOOKED_AT_MAX = 8_192;

interface Found {
	/** Newest first. */
	readonly records: readonly LogRecord[];
	/** Ask again with before=next for older ones; null: there are none. */
	readonly next: number | null;
}

/** Reads the log backwards until enough records fit, or enough were looked at. */
const backwards = async ({ desk, pause }: StateOptions, before: number, limit: number, fits: (record: LogRecord) => boolean): Promise<Found> => {
	const { first, head } = desk.info();
	const records: LogRecord[] = [];
	const newest = Math.min(before - 1, head);
	let end = newest;
	while (end >= first && newest - end < LOOKED_AT_MAX) {
		const from = Math.max(first, end - PAGE_RECORDS + 1);
		for (const record of [...(await desk.records(from, end - from + 1))].reverse()) {
			if (!fits(record)) continue;
			records.push(record);
			if (records.length === limit) return { records, next: record.position > first ? record.position : null };
		}
		end = from - 1;
		await pause();
	}
	return { records, next: end >= first ? end + 1 : null };
};

const HIDDEN: readonly string[] = ["dev.orion.clock.tick.v1", "dev.orion.host.metrics.v1", "dev.orion.hexapod.pose.v1"];

const typeOf =
	(type: string) =>
	({ envelope }: LogRecord): boolean =>
		envelope.type === type;

/** What was decided, what was done, what happened: newest first, from `before` on. */
const pastRoutes = (app: Api, options: StateOptions): void => {
	const { seen, numberFrom } = options;
	const page = (c: Context) => ({
		limit: numberFrom(c, "limit", 50, ROWS_MAX),
		before: numberFrom(c, "before", Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
	});
	app.get("/state/history", async (c) => {
		const { limit, before } = page(c);
		const { records, next } = await backwards(options, before, limit, ({ envelope }) => !HIDDEN.includes(envelope.type));
		return c.json({ ...envelopeOf(seen(), "orion.history/1"), rows: records.map(rowOf), next });
	});
	app.get("/state/decisions", async (c) => {
		const { limit, before } = page(c);
		const incident = c.req.query("incident");
		const isDecision = typeOf("dev.orion.decision.made.v1");
		const { records, next } = await backwards(
			options,
			before,
			limit,
			(record) => isDecision(record) && (incident === undefined || record.envelope.correlationid === incident),
		);
		const decisions = records.flatMap(({ position, envelope }) =>
			envelope.type === "dev.orion.decision.made.v1" ? [{ position, at: envelope.recordedtime ?? "", ...envelope.data }] : [],
		);
		return c.json({ ...envelopeOf(seen(), "orion.decisions/1"), decisions, next });
	});
	app.get("/state/actions", async (c) => {
		const { limit, before } = page(c);
		const { state } = seen();
		// An action and its end are two records: the ends stand after their actions, so they are met first.
		const ends = new Map<string, LogRecord>();
		const isRequest = typeOf("dev.orion.action.requested.v1");
		const { records, next } = await backwards(options, before, limit, (record) => {
			if (record.envelope.type === "dev.orion.action.closed.v1") ends.set(record.envelope.data.action, record);
			return isRequest(record);
		});
		const running = new Map(Object.values(state.actions).map((run) => [run.id, run]));
		const actions = await Promise.all(
			records.map(async ({ position, envelope }) => {
				if (envelope.type !== "dev.orion.action.requested.v1") throw new OrionError("INTERNAL", { detail: "an action is of another type" });
				const { action: id, ...data } = envelope.data;
				const run = running.get(id);
				const end = run === undefined ? (ends.get(id) ?? (await endAfter(options, position, id))) : undefined;
				const closed = end?.envelope.type === "dev.orion.action.closed.v1" ? end.envelope.data : undefined;
				return {
					id,
					position,
					at: envelope.recordedtime ?? "",
					...data,
					...(run === undefined ? {} : { phase: run.phase }),
					...(closed === undefined ? {} : { end: closed.end, detail: closed.detail, tookMs: closed.tookMs }),
				};
			}),
		);
		return c.json({ ...envelopeOf(seen(), "orion.actions-done/1"), running: running.size, actions, next });
	});
};

/** The end of an action that lies on a newer page than its request. */
const endAfter = async ({ desk, pause }: StateOptions, position: number, id: string): Promise<LogRecord | undefined> => {
	const { head } = desk.info();
	for (let from = position + 1; from <= head && from - position < LOOKED_AT_MAX; from += PAGE_RECORDS) {
		const found = (await desk.records(from, PAGE_RECORDS)).find(
			({ envelope }) => envelope.type === "dev.orion.action.closed.v1" && envelope.data.action === id,
		);
		if (found !== undefined) return found;
		await pause();
	}
	return undefined;
};

export const stateRoutes = (app: Api, options: StateOptions): void => {
	const { seen, numberFrom } = options;
	app.get("/state/now", (c) => c.json(nowView(seen())));
	app.get("/actions", (c) => c.json(actionsView(seen(), numberFrom(c, "limit", 100, ROWS_MAX), c.req.query("after"))));
	pastRoutes(app, options);
};
