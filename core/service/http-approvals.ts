// Connects questions to HTTP: what is asked, what was answered, and the answers themselves, which are bound to what was shown.
import type { HttpBindings } from "@hono/node-server";
import type { Context, Hono } from "hono";
import { checkContract } from "../../contracts/envelope.ts";
import { OrionError } from "../../contracts/errors.ts";
import type { Result } from "../../contracts/result.ts";
import { findApproval } from "./approvals-desk.ts";
import type { CoreDesk } from "./ports.ts";
import type { Seen } from "./views.ts";
import { approvalHistoryView, approvalsView, approvalView } from "./views-approvals.ts";

export interface ApprovalRoutesOptions {
	readonly desk: CoreDesk;
	readonly seen: () => Seen;
	/** A whole number from the query, from 1 to max. */
	readonly numberFrom: (c: Context, name: string, otherwise: number, max: number) => number;
	/** The body as a JSON object. */
	readonly fieldsOf: (c: Context) => Promise<Readonly<Record<string, unknown>>>;
	readonly nameFrom: (name: unknown) => string;
}

const LIMIT_MAX = 200;
const ID_LENGTH_MAX = 64;

const must = <T>(result: Result<T>): T => {
	if (result.ok) return result.value;
	throw new OrionError(result.fault.code, result.fault.facts);
};

const idFrom = (c: Context): string => (c.req.param("id") ?? "").slice(0, ID_LENGTH_MAX);

const readRoutes = (app: Hono<{ Bindings: HttpBindings }>, { seen, numberFrom }: ApprovalRoutesOptions): void => {
	app.get("/state/approvals", (c) => {
		const status = c.req.query("status") ?? "open";
		if (status !== "open" && status !== "all") throw new OrionError("USAGE", { detail: `status is open or all, not ${status.slice(0, 64)}` });
		const after = c.req.query("after");
		return c.json(approvalsView(seen(), { status, limit: numberFrom(c, "limit", 50, LIMIT_MAX), ...(after === undefined ? {} : { after }) }));
	});
	app.get("/state/approvals/history", (c) => c.json(approvalHistoryView(seen())));
	app.get("/state/approvals/:id", (c) => {
		const now = seen();
		return c.json(approvalView(now, must(findApproval(now.state, idFrom(c)))));
	});
};

export const approvalRoutes = (app: Hono<{ Bindings: HttpBindings }>, options: ApprovalRoutesOptions): void => {
	const { desk, seen, fieldsOf, nameFrom } = options;
	readRoutes(app, options);
	for (const verdict of ["approve", "deny", "revoke"] as const)
		app.post(`/approvals/:id/${verdict}`, async (c) => {
			const { boundHash, by, via = "cli", why } = await fieldsOf(c);
			// Who answers in a chat answers there: nobody else speaks for it.
			if (via === "telegram") throw new OrionError("USAGE", { detail: "via is cli or page here" });
			if (verdict === "approve" && boundHash === undefined)
				throw new OrionError("USAGE", { detail: "an approve names the boundHash of what was shown: GET /state/approvals" });
			const named = { verdict, by: nameFrom(by), via, ...(boundHash === undefined ? {} : { boundHash }), ...(why === undefined ? {} : { why }) };
			// Held against the record that it becomes; which question is meant is found out afterwards.
			const checked = must(checkContract("approval.decided", { ...named, approval: "apr-000000000000" }));
			const { approval, position } = must(await desk.decideApproval({ ...checked, approval: idFrom(c) }));
			const now = seen();
			return c.json({ ...approvalView(now, must(findApproval(now.state, approval))), position });
		});
	app.post("/approvals/:id/undo", async (c) => {
		const { by, via = "cli", why } = await fieldsOf(c);
		const named = { by: nameFrom(by), via, approval: "apr-000000000000", ...(why === undefined ? {} : { why }) };
		const order = must(checkContract("approval.undone", named));
		const { approval, position } = must(await desk.undoApproval({ ...order, approval: idFrom(c) }));
		const now = seen();
		return c.json({ ...approvalView(now, must(findApproval(now.state, approval))), position });
	});
	app.post("/approvals/:id/seen", async (c) => {
		const { by, via = "cli" } = await fieldsOf(c);
		const looked = must(checkContract("approval.seen", { by: nameFrom(by), via, approval: "apr-000000000000" }));
		return c.json({ schema: "orion.approval-seen/1", rev: desk.info().head, ...must(await desk.sawApproval(idFrom(c), looked.by, looked.via)) });
	});
};
