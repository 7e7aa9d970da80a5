// Connects POST /lease/open, /lease/renew and /lease/end to the desk: who holds a node that moves, ten times a second.
import type { HttpBindings } from "@hono/node-server";
import type { Context, Hono } from "hono";
import { checkContract, parseJson } from "../../contracts/envelope.ts";
import { OrionError } from "../../contracts/errors.ts";
import type { LeaseOpen } from "../../contracts/gen/types.ts";
import type { Result } from "../../contracts/result.ts";
import { readBody } from "./http-guard.ts";
import type { CoreDesk } from "./ports.ts";

const must = <T>(result: Result<T>): T => {
	if (result.ok) return result.value;
	throw new OrionError(result.fault.code, result.fault.facts);
};

const fieldsOf = async (c: Context): Promise<Readonly<Record<string, unknown>>> => {
	const value = must(parseJson(await readBody(c)));
	if (typeof value !== "object" || value === null) throw new OrionError("NOT_JSON", { detail: "it is another kind of value" });
	return value as Readonly<Record<string, unknown>>;
};

/** What is not asked for is what the contract demands beside it: the node's own word, which core fills in. */
const FILLED_IN = { v: 1, mesh: "-", session: "1.0000000000000000", lease: "0000000000000000", armEpoch: 0, tick: 0 } as const;

const askedIn = (fields: Readonly<Record<string, unknown>>): LeaseOpen => {
	const { node, holder, holderKey, purpose, ttlMs, bounds } = fields;
	return must(checkContract("lease.open", { ...FILLED_IN, node, holder, holderKey, purpose, ttlMs, bounds }));
};

const signedIn = ({ node, lease, signed }: Readonly<Record<string, unknown>>): { readonly node: string; readonly lease: string; readonly signed: string } => {
	if (typeof node === "string" && typeof lease === "string" && typeof signed === "string") return { node, lease, signed };
	throw new OrionError("USAGE", { detail: 'the body is {"node","lease","signed"}: the holder\'s compact JWS' });
};

export const leaseRoutes = (app: Hono<{ Bindings: HttpBindings }>, desk: CoreDesk): void => {
	app.post("/lease/open", async (c) => {
		const { node, holder, holderKey, purpose, ttlMs, bounds } = askedIn(await fieldsOf(c));
		return c.json({ schema: "orion.lease/1", ...must(await desk.openLease({ node, holder, holderKey, purpose, ttlMs, bounds, via: "http" })) }, 201);
	});
	app.post("/lease/renew", async (c) => {
		const { node, lease, signed } = signedIn(await fieldsOf(c));
		return c.json({ schema: "orion.lease/1", ...must(desk.renewLease(node, lease, signed)) });
	});
	app.post("/lease/end", async (c) => {
		const { node, lease, signed } = signedIn(await fieldsOf(c));
		return c.json({ schema: "orion.lease/1", ...must(desk.endLease(node, lease, signed)) });
	});
};
