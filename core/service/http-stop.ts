// Connects POST /stop, /cut and /release to the desk: nothing of queue, append or quota stands in front of an order to stop.
import type { HttpBindings } from "@hono/node-server";
import type { Context, Hono } from "hono";
import { parseJson } from "../../contracts/envelope.ts";
import { OrionError } from "../../contracts/errors.ts";
import type { StopVerb } from "../../contracts/stop-order.ts";
import { NODE_ID } from "../../contracts/topics.ts";
import { readBody } from "./http-guard.ts";
import type { CoreDesk } from "./ports.ts";

const NAME_LENGTH_MAX = 128;
const VIA = /^[a-z][a-z-]{0,31}$/;
const ALL = "all";

interface Asked {
	readonly node: string | undefined;
	readonly by: string;
	readonly via: string;
}

/** What cannot be read of an order is not asked about: no node means all of them. */
const askedIn = async (c: Context): Promise<Asked> => {
	const json = parseJson(await readBody(c));
	const fields = json.ok && typeof json.value === "object" && json.value !== null ? (json.value as Readonly<Record<string, unknown>>) : {};
	const { node, by, via } = fields;
	return {
		node: typeof node === "string" ? node : undefined,
		by: typeof by === "string" && by !== "" ? by.slice(0, NAME_LENGTH_MAX) : "operator",
		via: typeof via === "string" && VIA.test(via) ? via : "http",
	};
};

const checkedNode = (node: string): string => {
	if (NODE_ID.test(node)) return node;
	throw new OrionError("USAGE", { detail: "a node has 1 to 32 of a-z, 0-9 and -" });
};

export const stopRoutes = (app: Hono<{ Bindings: HttpBindings }>, desk: CoreDesk): void => {
	const order = (verb: StopVerb) => async (c: Context) => {
		const { node = ALL, by, via } = await askedIn(c);
		return c.json({ schema: "orion.stop/1", ...(await desk.stop(verb, checkedNode(node), by, via)) });
	};
	app.post("/stop", order("stop"));
	app.post("/cut", order("cut"));
	app.post("/release", async (c) => {
		const { node, by, via } = await askedIn(c);
		if (node === undefined) throw new OrionError("USAGE", { detail: 'the body is {"node":"NAME"}: one node at a time is released, by its name' });
		const released = await desk.release(checkedNode(node), by, via);
		if (!released.ok) throw new OrionError(released.fault.code, released.fault.facts);
		return c.json({ schema: "orion.release/1", ...released.value });
	});
};
