// Decides whether a snapshot may be trusted: format, code and digest are checked, and one that fails is ignored, never repaired.
import { digest } from "../../contracts/digest.ts";
import { type EngineState, STATE_SCHEMA } from "../state.ts";

export interface Snapshot {
	readonly schema: "orion.snapshot/1";
	readonly stateSchema: number;
	readonly code: string;
	/** Every input up to here is decided on, and its outputs are in the state. */
	readonly decidedUpTo: number;
	readonly state: EngineState;
	readonly digest: string;
}

export const takeSnapshot = (state: EngineState, decidedUpTo: number, code: string): Snapshot => ({
	schema: "orion.snapshot/1",
	stateSchema: STATE_SCHEMA,
	code,
	decidedUpTo,
	state,
	digest: digest({ decidedUpTo, state }),
});

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null && !Array.isArray(value);

/** undefined: fold an older one, or the log. A snapshot of other code is good as long as its format is: folding does not depend on code. */
export const readSnapshot = (value: unknown): Snapshot | undefined => {
	if (!isObject(value) || value["schema"] !== "orion.snapshot/1" || value["stateSchema"] !== STATE_SCHEMA) return undefined;
	const { state, decidedUpTo } = value;
	if (!isObject(state) || typeof decidedUpTo !== "number" || !Number.isSafeInteger(decidedUpTo)) return undefined;
	try {
		return value["digest"] === digest({ decidedUpTo, state }) ? (value as unknown as Snapshot) : undefined;
	} catch {
		return undefined;
	}
};
