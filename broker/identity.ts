// Decides whom a client id and a user name stand for.
import { fail } from "../contracts/errors.ts";
import { ok, type Result } from "../contracts/result.ts";
import { parseClientId } from "../contracts/topics.ts";
import type { Identity } from "./ports.ts";

const CLIENT_ID_SHOWN_MAX = 80;
const SAFETY = "safety";

/** Faults: CLIENT_ID_REFUSED, and NOT_AUTHENTICATED for a user who is not that node. */
export const identify = (clientId: string, username: string | undefined): Result<Identity> => {
	const parsed = parseClientId(clientId);
	if (parsed === undefined) return fail("CLIENT_ID_REFUSED", { clientId: JSON.stringify(clientId.slice(0, CLIENT_ID_SHOWN_MAX)) });
	if (username !== parsed.node) return fail("NOT_AUTHENTICATED");
	const kind = parsed.client === undefined ? "node" : parsed.client === SAFETY ? "safety" : "client";
	return ok({ node: parsed.node, kind, clientId });
};
