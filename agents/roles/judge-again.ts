// Connects the quarantine to the broker's rules: a message that was kept is judged as if its client sent it now, with QoS 1.
import { identify } from "../../broker/identity.ts";
import { judge } from "../../broker/judge.ts";
import { fail } from "../../contracts/errors.ts";
import { ok } from "../../contracts/result.ts";
import type { JudgeAgain } from "../../core/service/quarantine.ts";

export const judgeAgain =
	(mesh: string): JudgeAgain =>
	(clientId, topic, bytes) => {
		const identity = identify(clientId, clientId.split(".")[0]);
		if (!identity.ok) return identity;
		const judged = judge(mesh, identity.value, { topic, qos: 1, retain: false, bytes });
		if (judged.kind === "quarantine") return { ok: false, fault: judged.fault };
		if (judged.kind === "order") return fail("TOPIC_MISMATCH", { type: "an order to stop", topic });
		return ok({ identity: identity.value, topic, envelope: judged.envelope, bytes });
	};
