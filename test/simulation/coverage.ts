// Decides whether the simulation still reaches what it is for: pairs of an input and the phase of an action that was under way.
import type { EngineState } from "../../core/state.ts";

export class Coverage {
	readonly counts = new Map<string, number>();

	see(type: string, state: EngineState): void {
		const phases = new Set(Object.values(state.actions).map(({ phase }) => phase));
		for (const phase of phases.size === 0 ? ["none"] : phases) {
			const pair = `${type.slice("dev.orion.".length, -".v1".length)} ${phase}`;
			this.counts.set(pair, (this.counts.get(pair) ?? 0) + 1);
		}
	}

	missing(): readonly string[] {
		return KNOWN.filter((pair) => !this.counts.has(pair));
	}
}

const ANYTIME = [
	"action.receipt",
	"alert.firing",
	"alert.resolved",
	"clock.tick",
	"engine.started",
	"host.metrics",
	"node.about",
	"node.state",
	"process.down",
	"process.flapping",
	"process.up",
];
const PHASES = ["none", "dispatched", "unknown", "verifying"];

/** Pairs that every 200 seeds reach. One that is reached no more means that the generator, not the engine, has become weaker. */
export const KNOWN: readonly string[] = [
	...ANYTIME.flatMap((input) => PHASES.map((phase) => `${input} ${phase}`)),
	...["requested", "dispatched", "unknown", "verifying"].flatMap((phase) => [`action.dispatched ${phase}`, `action.undelivered ${phase}`]),
	...["none", "dispatched", "verifying"].flatMap((phase) => [`level.set ${phase}`, `policy.activated ${phase}`]),
	"engine.started requested",
	"approval.decided none",
	"approval.decided dispatched",
];
