// Folds what came by a chat into the state: asks for a higher level with their first end, and how much was refused at the door, by reason.
import type { Envelope, RecordTypes } from "../../contracts/envelope.ts";
import type { Recorded } from "../record.ts";
import type { ChatFacts, EngineState, LevelAsk } from "../state.ts";

const LEVEL_ASKS_MAX = 16;
/** Only the chat's own door speaks for it. */
const DOOR = "/core/telegram";

type Refused = RecordTypes["dev.orion.chat.refused.v1"];

const factsOf = (state: EngineState): ChatFacts => state.chat ?? { refused: {}, levelAsks: [] };

const refused = (facts: ChatFacts, { reason, count = 0 }: Refused): ChatFacts => ({
	...facts,
	refused: { ...facts.refused, [reason]: (facts.refused[reason] ?? 0) + 1 + count },
});

const asked = (state: EngineState, facts: ChatFacts, { data }: Envelope<"dev.orion.level.asked.v1">): ChatFacts => {
	const { ask: id, level, before, by, decideWithinMs } = data;
	const { engineMs: askedMs, wallMs: askedWallMs } = state.clock;
	const ask: LevelAsk = { id, level, before, by, decideWithinMs, askedMs, askedWallMs };
	return { ...facts, levelAsks: [...facts.levelAsks.filter((each) => each.id !== id), ask].slice(-LEVEL_ASKS_MAX) };
};

/** Its first end is its only one. */
const answered = (state: EngineState, facts: ChatFacts, { data }: Envelope<"dev.orion.level.answered.v1">): ChatFacts => {
	const { ask: id, end, by } = data;
	const ended = { end, endedWallMs: state.clock.wallMs, ...(by === undefined ? {} : { endedBy: by }) };
	return { ...facts, levelAsks: facts.levelAsks.map((each) => (each.id === id && each.end === undefined ? { ...each, ...ended } : each)) };
};

export const foldChat = (state: EngineState, { envelope }: Recorded): EngineState => {
	if (envelope.source !== DOOR) return state;
	const facts = factsOf(state);
	switch (envelope.type) {
		case "dev.orion.chat.refused.v1":
			return { ...state, chat: refused(facts, envelope.data) };
		case "dev.orion.level.asked.v1":
			return { ...state, chat: asked(state, facts, envelope) };
		case "dev.orion.level.answered.v1":
			return { ...state, chat: answered(state, facts, envelope) };
		default:
			return state;
	}
};
