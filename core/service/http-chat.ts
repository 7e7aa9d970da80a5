// Connects invitations into a chat, and the picture of what an incident measures, to whoever asks for them over HTTP.
import type { HttpBindings } from "@hono/node-server";
import type { Context, Hono } from "hono";
import { OrionError } from "../../contracts/errors.ts";
import type { Result } from "../../contracts/result.ts";
import { evidenceOf } from "./evidence.ts";
import type { CoreDesk } from "./ports.ts";

export interface ChatInvites {
	invite(by: string): Promise<Result<{ readonly link: string; readonly forMs: number }>>;
}

const INCIDENT = /^inc-[0-9a-f]{4,64}$/;
const NAME_LENGTH_MAX = 64;

export interface ChatRoutesOptions {
	readonly desk: CoreDesk;
	readonly chat: () => ChatInvites | undefined;
	/** The body as a JSON object. */
	readonly fieldsOf: (c: Context) => Promise<Readonly<Record<string, unknown>>>;
}

export const chatRoutes = (app: Hono<{ Bindings: HttpBindings }>, { desk, chat, fieldsOf }: ChatRoutesOptions): void => {
	app.post("/approvals/invite", async (c) => {
		const { by } = await fieldsOf(c);
		const channel = chat();
		if (channel === undefined) throw new OrionError("NO_CHAT");
		const invited = await channel.invite(typeof by === "string" && by !== "" ? by.slice(0, NAME_LENGTH_MAX) : "operator");
		if (!invited.ok) throw new OrionError(invited.fault.code, invited.fault.facts);
		return c.json({ schema: "orion.invite/1", ...invited.value }, 201);
	});
	app.get("/evidence/:incident", async (c) => {
		const incident = c.req.param("incident").replace(/\.png$/, "");
		const picture = INCIDENT.test(incident) ? await evidenceOf(desk, incident) : undefined;
		if (picture === undefined)
			throw new OrionError("NOT_FOUND", { what: "picture of", id: incident.slice(0, 64), detail: "Only incidents about a number have one." });
		return c.body(Buffer.from(picture.png), 200, { "content-type": "image/png", "x-caption": encodeURIComponent(picture.caption) });
	});
};
