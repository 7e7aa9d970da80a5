// Decides which presence of a node is the newest: the last words of an older connection must not overwrite what a newer one said.
import { type Envelope, isType, sessionCounter } from "../contracts/envelope.ts";

/** Where a presence stands: the counter of the node's session, and its connection within that session. */
export interface StateMark {
	readonly counter: number;
	readonly conn: number;
}

/** The mark of this presence if it is the newest of its node; undefined if it is an older one, or cannot be placed. */
export const placeState = (newest: StateMark | undefined, envelope: Envelope): StateMark | undefined => {
	if (!isType(envelope, "dev.orion.node.state.v1")) return undefined;
	const { session, conn } = envelope.data;
	const counter = sessionCounter(session);
	if (!Number.isSafeInteger(counter)) return undefined;
	// Within one connection the later one counts: a connection says things in order.
	const older = newest !== undefined && (counter < newest.counter || (counter === newest.counter && conn < newest.conn));
	return older ? undefined : { counter, conn };
};
