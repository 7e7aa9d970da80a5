// Folds into the state how much was refused at the door of a chat, by reason.
import type { RecordTypes } from "../../contracts/envelope.ts";
import type { Recorded } from "../record.ts";
import type { ChatFacts, EngineState } from "../state.ts";

/** Only the chat's own door speaks for it. */
const DOOR = "/core/telegram";

type Refused = RecordTypes["dev.orion.chat.refused.v1"];

const factsOf = (state: EngineState): ChatFacts => state.chat ?? { refused: {}, levelAsks: [] };

const refused = (facts: ChatFacts, { reason, count = 0 }: Refused): ChatFacts => ({
	...facts,
	refused: { ...facts.refused, [reason]: (facts.refused[reason] ?? 0) + 1 + count },
});

export const foldChat = (state: EngineState, { envelope }: Recorded): EngineState => {
	if (envelope.source !== DOOR || envelope.type !== "dev.orion.chat.refused.v1") return state;
	return { ...state, chat: refused(factsOf(state), envelope.data) };
};
