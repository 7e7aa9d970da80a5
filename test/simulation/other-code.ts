// Decides otherwise than the engine does: what an older or a younger version might have left in the log, never more than the policy allows.
import { fold, step } from "../../core/engine.ts";
import type { EngineState } from "../../core/state.ts";

/** Only observes: no decisions, no actions, nobody asked. What it would have decided is open when the engine comes back. */
export const observingStep: typeof step = (state, input) => {
	const outputs = step(state, input).outputs.filter(({ type }) => !/^dev\.orion\.(decision|approval|action\.requested|person)\b/.test(type));
	const after = [input, ...outputs.map((envelope) => ({ position: 0, envelope }))].reduce<EngineState>(fold, state);
	return { state: after, outputs };
};
