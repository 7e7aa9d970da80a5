// Decides whether a core that starts knows what the one before it knew: the state is held against two other ways to the same state.
import { digest } from "../../contracts/digest.ts";
import { fold } from "../../core/engine.ts";
import { History } from "../../core/memory/history.ts";
import { isOutput, type Recorded } from "../../core/record.ts";
import { type EngineState, emptyState } from "../../core/state.ts";
import { MESH } from "../support/engine.ts";

/** Where a core was when it ended. */
export interface Left {
	readonly state: EngineState;
	/** Everything up to here was in its state. */
	readonly readUpTo: number;
}

/** Without any snapshot, from the first record, up to a start that is the last record. */
const fromTheFirst = (records: readonly Recorded[]): EngineState => {
	const history = new History();
	let state = emptyState(MESH);
	for (const record of records) for (const { input, outputs } of history.push(record)) state = [input, ...outputs].reduce(fold, state);
	const { chapters, waiting } = history.finish();
	for (const { input, outputs } of chapters) state = [input, ...outputs].reduce(fold, state);
	return waiting.reduce(fold, state);
};

/** What the one before knew, and each input that it had not got to, with what was durable of its outputs. */
const fromWhereItLeft = ({ state, readUpTo }: Left, records: readonly Recorded[]): EngineState => {
	const later = records.filter(({ position, envelope }) => position > readUpTo && !isOutput(envelope));
	return later.reduce((folded, input) => {
		const outputs = records.filter(({ envelope }) => envelope.causeposition === input.position && isOutput(envelope));
		return [input, ...outputs].reduce(fold, folded);
	}, state);
};

/** `records`: everything before the start that is about to be decided on. Throws if the three do not agree. */
export const mustAgree = (recovered: EngineState, records: readonly Recorded[], left: Left | undefined): void => {
	const found = digest(recovered);
	if (digest(fromTheFirst(records)) !== found) throw new Error("TELL-2: the state after a restart is not that of the whole log");
	if (left !== undefined && digest(fromWhereItLeft(left, records)) !== found) throw new Error("TELL-2: the state after a restart is not the one that was left");
};
