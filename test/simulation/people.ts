// Decides what people do to a mesh: set levels, change policies, raise alerts, and answer what they are asked, well or badly.
import type { Envelope } from "../../contracts/envelope.ts";
import { coreEnvelope } from "../../core/service/journal.ts";
import type { LoadedPolicy } from "../../core/service/policies.ts";
import type { Approval } from "../../core/state.ts";
import { activated, MESH } from "../support/engine.ts";
import type { Chance } from "./chance.ts";
import type { SimNode } from "./node.ts";

type Policies = readonly [LoadedPolicy, ...LoadedPolicy[]];

export const operatorNote = (chance: Chance, policies: Policies): Envelope =>
	chance.hits(0.7)
		? coreEnvelope(MESH, 0, "/core/operator", "dev.orion.level.set.v1", { level: chance.pick(["N0", "N2", "N2", "N3", "N3", "N3"]), by: "simulated" })
		: coreEnvelope(MESH, 0, "/core/policy", "dev.orion.policy.activated.v1", activated(chance.pick(policies)));

export const alertAt = (chance: Chance, node: SimNode): void => {
	const name = chance.pick(["disk", "fan", "service-runaway"]);
	node.alert(name, chance.hits(0.5), name === "service-runaway" ? chance.pick(["web", "db"]) : undefined);
};

/** Early or late, once or twice, to the newest question or an old one, to what was shown or to something else. */
export const answers = (chance: Chance, approvals: readonly Approval[]): readonly Envelope[] => {
	const [newest, ...older] = [...approvals].reverse();
	if (newest === undefined) return [];
	const { id: approval, asked } = chance.hits(0.8) ? newest : chance.pick([newest, ...older]);
	const boundHash = chance.hits(0.1) ? `sha256:${"0".repeat(64)}` : asked.boundHash;
	return Array.from({ length: chance.hits(0.3) ? 2 : 1 }, () => {
		const verdict = chance.pick<"approve" | "deny" | "revoke">(["approve", "approve", "approve", "deny", "revoke"]);
		return coreEnvelope(MESH, 0, "/core/operator", "dev.orion.approval.decided.v1", { approval, verdict, boundHash, by: "simulated", via: "cli" });
	});
};
