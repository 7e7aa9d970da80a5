// Connects requests about the quarantine to the desk: listed page by page, one shown, judged again, or dropped.
import type { HttpBindings } from "@hono/node-server";
import type { Context, Hono } from "hono";
import { parseJson } from "../../contracts/envelope.ts";
import { OrionError } from "../../contracts/errors.ts";
import type { Result } from "../../contracts/result.ts";
import { readBody } from "./http-guard.ts";
import type { CoreDesk } from "./ports.ts";

const LIMIT_MAX = 500;
const NAME_LENGTH_MAX = 128;
const WHY_LENGTH_MAX = 500;

export interface QuarantineRoutes {
	readonly desk: CoreDesk;
	readonly numberFrom: (c: Context, name: string, otherwise: number, max: number) => number;
}

const must = <T>(result: Result<T>): T => {
	if (result.ok) return result.value;
	throw new OrionError(result.fault.code, result.fault.facts);
};

const positionIn = (c: Context): number => {
	const text = c.req.param("position") ?? "";
	if (!/^[1-9]\d{0,14}$/.test(text))
		throw new OrionError("USAGE", { detail: `a message in quarantine is named by its log position, not ${text.slice(0, 64)}` });
	return Number(text);
};

/** Who says so, and why; an empty body is the operator without a reason. */
const saidIn = async (c: Context): Promise<{ readonly by: string; readonly why: string | undefined }> => {
	const bytes = await readBody(c);
	const value = bytes.byteLength === 0 ? {} : must(parseJson(bytes));
	const { by, why } = (typeof value === "object" && value !== null ? value : {}) as Readonly<Record<string, unknown>>;
	return {
		by: typeof by === "string" && by !== "" ? by.slice(0, NAME_LENGTH_MAX) : "operator",
		why: typeof why === "string" && why !== "" ? why.slice(0, WHY_LENGTH_MAX) : undefined,
	};
};

export const quarantineRoutes = (app: Hono<{ Bindings: HttpBindings }>, { desk, numberFrom }: QuarantineRoutes): void => {
	const { quarantine } = desk;
	const rev = (): number => desk.info().head;
	app.get("/state/quarantine", async (c) => {
		const before = c.req.query("before") === undefined ? undefined : numberFrom(c, "before", 1, Number.MAX_SAFE_INTEGER);
		const list = await quarantine.list(numberFrom(c, "limit", 100, LIMIT_MAX), before);
		return c.json({ schema: "orion.quarantine/1", rev: rev(), ...list });
	});
	app.get("/state/quarantine/:position", async (c) => {
		const entry = must(await quarantine.show(positionIn(c)));
		return c.json({ schema: "orion.quarantine-entry/1", rev: rev(), ...entry });
	});
	app.post("/quarantine/:position/retry", async (c) => {
		const settled = must(await quarantine.retry(positionIn(c), (await saidIn(c)).by));
		return c.json({ schema: "orion.quarantine-settled/1", ...settled, rev: rev() });
	});
	app.post("/quarantine/:position/drop", async (c) => {
		const { by, why } = await saidIn(c);
		const settled = must(await quarantine.drop(positionIn(c), by, why));
		return c.json({ schema: "orion.quarantine-settled/1", ...settled, rev: rev() });
	});
};
