// Connects properties to the engine: random stories of a small mesh, told word by word to a rig.
import fc from "fast-check";
import { type EngineRig, limitsWith, SESSION } from "./engine.ts";

const KINDS = [
	"tick",
	"tick",
	"tick",
	"down",
	"down",
	"up",
	"ready",
	"lost",
	"hot",
	"cool",
	"metrics",
	"firing",
	"resolved",
	"flapping",
	"dispatched",
	"done",
	"done",
	"refused",
	"failed",
	"unknown",
	"undelivered",
	"level",
	"start",
	"policy",
	"about",
	"removed",
] as const;

export interface Word {
	readonly kind: (typeof KINDS)[number];
	readonly node: "pi-1" | "pi-2";
	readonly service: "web" | "db";
	readonly ms: number;
	readonly pick: number;
}

const word: fc.Arbitrary<Word> = fc.record({
	kind: fc.constantFrom(...KINDS),
	node: fc.constantFrom("pi-1" as const, "pi-2" as const),
	service: fc.constantFrom("web" as const, "db" as const),
	ms: fc.oneof(fc.constantFrom(0, 1, 3_000, 5_000, 15_000, 20_000, 60_000, 1_800_000), fc.integer({ min: 1, max: 200_000 })),
	pick: fc.nat({ max: 1_000 }),
});

export const stories = (maxLength: number): fc.Arbitrary<readonly Word[]> => fc.array(word, { maxLength });

const LEVELS = ["N0", "N2", "N3"] as const;

/** An action that is under way, or one that never was. */
const actionOf = (rig: EngineRig, pick: number): { readonly id: string; readonly node: string } => {
	const runs = Object.values(rig.state.actions);
	return runs[pick % Math.max(1, runs.length)] ?? { id: "act-none", node: "pi-1" };
};

export const tell = (rig: EngineRig, { kind, node, service, ms, pick }: Word): void => {
	const action = actionOf(rig, pick);
	switch (kind) {
		case "tick":
			rig.tick(ms);
			break;
		case "down":
			rig.down(node, service);
			break;
		case "up":
			rig.up(node, service);
			break;
		case "ready":
		case "lost":
			rig.presence(node, kind, pick % 4, SESSION);
			break;
		case "hot":
			rig.metrics(node, { temperatureMaxCelsius: 81 + (pick % 10) });
			break;
		case "cool":
			rig.metrics(node, { temperatureMaxCelsius: 70 + (pick % 10) });
			break;
		case "metrics":
			rig.metrics(node, { cpuRatio: 0.5 });
			break;
		case "firing":
			rig.alert(service, node, { severity: pick % 2 === 0 ? "warning" : "critical" });
			break;
		case "resolved":
			rig.feed(`/nodes/${node}`, "dev.orion.alert.resolved.v1", { name: service } as never);
			break;
		case "flapping":
			rig.feed(`/nodes/${node}`, "dev.orion.process.flapping.v1", { service, downs: 3, windowMs: 600_000 });
			break;
		case "dispatched":
			rig.dispatched(action.id, action.node);
			break;
		case "undelivered":
			rig.undelivered(action.id, action.node);
			break;
		case "done":
		case "refused":
		case "failed":
		case "unknown":
			rig.receipt(action.id, kind, pick % 10 === 0 ? node : action.node);
			break;
		case "level":
			rig.level(LEVELS[pick % 3] ?? "N0");
			break;
		case "start":
			rig.started(pick % 2 === 0 ? null : ms, rig.engineMs + (pick % 2 === 0 ? 0 : ms));
			break;
		case "policy":
			rig.policy(limitsWith({ askTimesMax: 1 + (pick % 5), reopenWithinMs: ms }));
			break;
		case "about":
			rig.about(node, pick % 3 === 0 ? ["web"] : ["web", "db"]);
			break;
		case "removed":
			rig.feed("/core/operator", "dev.orion.node.removed.v1", { node, by: "test" });
			break;
	}
};
