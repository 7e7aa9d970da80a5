// Connects events and alerts that come in over HTTP to the intake: one, a batch, or what Alertmanager and Grafana send; answered when it is on disk.
import type { HttpBindings } from "@hono/node-server";
import type { Context, Hono } from "hono";
import { ENVELOPE_BYTES_MAX, parseJson } from "../../contracts/envelope.ts";
import { type Fault, OrionError, sayFault } from "../../contracts/errors.ts";
import type { Result } from "../../contracts/result.ts";
import { readAlerts, type TakenAlert } from "./alertmanager.ts";
import { readBody } from "./http-guard.ts";
import type { CoreDesk } from "./ports.ts";

type Api = Hono<{ Bindings: HttpBindings }>;
type Kept = Awaited<ReturnType<CoreDesk["submit"]>>;

const BATCH_BYTES_MAX = 16 * ENVELOPE_BYTES_MAX;
const EVENTS_MAX = 256;
/** Alerts that are over and may still be told of again as if they were not. */
const OVER_MAX = 4_096;

const must = <T>(result: Result<T>): T => {
	if (result.ok) return result.value;
	throw new OrionError(result.fault.code, result.fault.facts);
};

const refusal = (found: Fault) => ({ error: { ...found.facts, code: found.code, text: sayFault(found) } });

/** 201: something is new. 200: all of it was here. 207: some of it was refused. 422: all of it was. */
const statusOf = (rows: readonly object[]): 200 | 201 | 207 | 422 => {
	const refused = rows.filter((row) => "error" in row).length;
	if (refused > 0) return refused === rows.length ? 422 : 207;
	return rows.some((row) => "duplicate" in row && row.duplicate === false) ? 201 : 200;
};

const bytesOf = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

const rowOf = (kept: Kept) => (kept.ok ? kept.value : refusal(kept.fault));

const batch = async (c: Context, desk: CoreDesk): Promise<Response> => {
	const events = must(parseJson(await readBody(c, BATCH_BYTES_MAX), BATCH_BYTES_MAX));
	if (!Array.isArray(events)) throw new OrionError("NOT_JSON", { detail: "a batch is a list of events" });
	if (events.length > EVENTS_MAX) throw new OrionError("USAGE", { detail: `a batch has at most ${EVENTS_MAX} events, not ${events.length}` });
	// Handed over in their order and waited for together: one flush of the disk serves many.
	const kept = await Promise.all(events.map((event) => desk.submit(bytesOf(event))));
	const rows = kept.map(rowOf);
	return c.json({ schema: "orion.events/1", rev: desk.info().head, events: rows }, statusOf(rows));
};

/** What is over stays over: a firing that was sent before and comes after tells nothing new. */
class Over {
	readonly #startsAt = new Map<string, string>();

	isOvertaken({ status, name, startsAt }: TakenAlert): boolean {
		const over = this.#startsAt.get(name);
		return status === "firing" && over !== undefined && startsAt !== "" && startsAt <= over;
	}

	note({ status, name, startsAt }: TakenAlert): void {
		if (status !== "resolved" || startsAt === "") return;
		this.#startsAt.delete(name);
		this.#startsAt.set(name, startsAt);
		for (const oldest of this.#startsAt.keys()) {
			if (this.#startsAt.size <= OVER_MAX) break;
			this.#startsAt.delete(oldest);
		}
	}
}

const alerts = async (c: Context, desk: CoreDesk, over: Over): Promise<Response> => {
	const read = must(readAlerts(must(parseJson(await readBody(c, BATCH_BYTES_MAX), BATCH_BYTES_MAX)), desk.info().host));
	const rows = await Promise.all(
		read.alerts.map(async (found) => {
			if (!found.ok) {
				// Not passed over in silence: it goes where every bad message goes.
				await desk.submit(bytesOf(found.raw));
				return refusal(found.fault);
			}
			const { alert } = found;
			const said = { name: alert.name, status: alert.status };
			if (over.isOvertaken(alert)) return { ...said, duplicate: true, overtaken: true };
			const kept = await desk.submit(bytesOf(alert.event));
			if (kept.ok) over.note(alert);
			return { ...said, ...rowOf(kept) };
		}),
	);
	// A sender gives up on what is refused, and sends the rest again only on 5xx: what was kept is said with 2xx.
	const status = rows.length === 0 ? 200 : statusOf(rows);
	return c.json({ schema: "orion.ingest/1", rev: desk.info().head, alerts: rows, leftOut: read.leftOut }, status);
};

const isBatch = (c: Context): boolean => /^application\/cloudevents-batch\+json\b/i.test(c.req.header("content-type") ?? "");

export const ingestRoutes = (app: Api, desk: CoreDesk): void => {
	const over = new Over();
	app.post("/events", async (c) => {
		if (isBatch(c)) return batch(c, desk);
		const kept = must(await desk.submit(await readBody(c)));
		return c.json({ schema: "orion.event/1", rev: desk.info().head, ...kept }, kept.duplicate ? 200 : 201);
	});
	app.post("/ingest/alertmanager", (c) => alerts(c, desk, over));
};
