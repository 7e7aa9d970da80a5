// Decides what an operator may say over HTTP, and in whose name: the token speaks for the host at which he sits.
import { ENVELOPE_BYTES_MAX, type Envelope, encodeEnvelope, parseEnvelope } from "../../contracts/envelope.ts";
import { fail } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";
import type { CoreIntake } from "./intake.ts";
import type { CoreDesk } from "./ports.ts";

export const POST_EVENTS = "POST /events";

/** Submitted by HTTP: the token speaks for this host's operator, so the source is core's or the host's own clients'. */
export const judgeSubmitted = (bytes: Uint8Array, host: string): Result<Envelope> => {
	if (bytes.byteLength > ENVELOPE_BYTES_MAX) return fail("TOO_LARGE", { bytes: bytes.byteLength, bytesMax: ENVELOPE_BYTES_MAX });
	const parsed = parseEnvelope(bytes);
	if (!parsed.ok) return parsed;
	const { source, type } = parsed.value;
	const mine = source === "/core/operator" || source === `/nodes/${host}` || source.startsWith(`/nodes/${host}.`) || source.startsWith(`/nodes/${host}/`);
	if (!mine) return fail("SOURCE_FOREIGN", { source, identity: `the operator of ${host}` });
	return type.startsWith("dev.orion.alert.") ? parsed : fail("TOPIC_MISMATCH", { type, topic: "POST /events (alerts only)" });
};

/** An operator who names no node speaks for the host at which he sits. */
export const bySomebody = (envelope: Envelope, bytes: Uint8Array, host: string): { readonly envelope: Envelope; readonly bytes: Uint8Array } => {
	if (envelope.source !== "/core/operator") return { envelope, bytes };
	const named = { ...envelope, source: `/nodes/${host}.operator` };
	return { envelope: named, bytes: encodeEnvelope(named) };
};

/** What an operator on this host says; a bad one goes into quarantine, as from everybody. */
export const submit = async (intake: CoreIntake, host: string, bytes: Uint8Array): ReturnType<CoreDesk["submit"]> => {
	const judged = judgeSubmitted(bytes, host);
	const sender = { node: host, clientId: `${host}.http` };
	if (!judged.ok) {
		await intake.quarantine({ identity: sender, topic: POST_EVENTS, bytes, fault: judged.fault });
		return judged;
	}
	const kept = await intake.accept({ identity: sender, topic: POST_EVENTS, ...bySomebody(judged.value, bytes, host) });
	if (kept.kind === "fork") return { ok: false, fault: kept.fault };
	return ok({ position: kept.kind === "stored" ? kept.position : 0, id: judged.value.id, duplicate: kept.kind === "duplicate" });
};
