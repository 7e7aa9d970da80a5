// Decides which open breaker a person means who says that something was mended.
import { fail } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";
import { type EngineState, openIncidents, rowOf } from "../state.ts";
import { targetOf } from "./decision.ts";

export interface OpenBreaker {
	readonly incident: string;
	/** Action and target, as attempts are counted. */
	readonly key: string;
}

/** Named by an open incident's id, the beginning of it, or its service. Faults: NOT_FOUND, AMBIGUOUS, USAGE (no breaker is open there). */
export const openBreaker = (state: EngineState, named: string): Result<OpenBreaker> => {
	const meant = openIncidents(state).filter(({ id, service }) => id.startsWith(named) || service === named);
	const broken = meant.flatMap((incident) => {
		const key = targetOf(state, incident);
		return key !== undefined && (rowOf(state.targets, key)?.breakerUntilMs ?? 0) > 0 ? [{ incident: incident.id, key }] : [];
	});
	const [first, second] = broken;
	if (first !== undefined && second === undefined) return ok(first);
	if (first !== undefined) return fail("AMBIGUOUS", { id: named, candidates: broken.map(({ incident }) => incident).join(", ") });
	const [incident] = meant;
	if (incident === undefined) return fail("NOT_FOUND", { what: "open incident", id: named, detail: "See: orion incidents" });
	return fail("USAGE", { detail: `no breaker is open for ${incident.id} (${incident.title}). See: orion why ${incident.id}` });
};
