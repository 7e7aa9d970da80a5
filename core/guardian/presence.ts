// Decides which nodes are there, by what they say of themselves and by what core misses; an older word never overwrites a newer one.
import { type Envelope, nodeOfSource, type RecordTypes, sessionCounter } from "../../contracts/envelope.ts";
import type { Recorded } from "../record.ts";
import { type EngineState, type NodeView, put, rowOf, type Silence, without } from "../state.ts";

/** A will that comes after the node is back, or any word of an older connection: it says what was, not what is. */
export const isLatePresence = (state: EngineState, envelope: Envelope): boolean => {
	if (envelope.type !== "dev.orion.node.state.v1") return false;
	const seen = rowOf(state.nodes, nodeOfSource(envelope.source) ?? "");
	if (seen === undefined) return false;
	const { session, conn } = envelope.data;
	return (sessionCounter(session) - sessionCounter(seen.session) || conn - seen.conn) < 0;
};

const spoke = (state: EngineState, envelope: Envelope<"dev.orion.node.state.v1">): EngineState => {
	const node = nodeOfSource(envelope.source);
	if (node === undefined || isLatePresence(state, envelope)) return state;
	const { state: said, session, conn } = envelope.data;
	const known = rowOf(state.nodes, node) ?? { capabilities: [], actions: [], services: [] };
	return { ...state, nodes: put(state.nodes, node, { ...known, state: said, session, conn, changedMs: state.clock.engineMs }) };
};

const about = (state: EngineState, envelope: Envelope<"dev.orion.node.about.v1">): EngineState => {
	const node = nodeOfSource(envelope.source);
	if (node === undefined) return state;
	const { capabilities, actions, services } = envelope.data;
	const unheard: NodeView = { state: "init", session: "0.0", conn: 0, capabilities, actions, services, changedMs: state.clock.engineMs };
	return { ...state, nodes: put(state.nodes, node, { ...(rowOf(state.nodes, node) ?? unheard), capabilities, actions, services }) };
};

/** Found by the pulses that were missing; what was found of an older session says nothing about this one. */
const silent = (state: EngineState, { node, session, found, missed, parent }: RecordTypes["dev.orion.node.silence.v1"]): EngineState => {
	const known = rowOf(state.nodes, node);
	if (known === undefined) return state;
	if (found === "over") {
		const { silence: _over, ...heard } = known;
		return { ...state, nodes: put(state.nodes, node, heard) };
	}
	if (known.session !== session) return state;
	return { ...state, nodes: put(state.nodes, node, { ...known, silence: { found, missed, ...(parent === undefined ? {} : { parent }) } }) };
};

export type Presence = NodeView["state"] | Silence["found"];

/** One word for where a node is. What it or its will said last wins over what is merely not heard. */
export const presenceOf = ({ state, silence }: Pick<NodeView, "state" | "silence">): Presence =>
	state === "lost" || state === "disconnected" ? state : (silence?.found ?? state);

export const foldPresence = (state: EngineState, { envelope }: Recorded): EngineState => {
	switch (envelope.type) {
		case "dev.orion.node.state.v1":
			return spoke(state, envelope);
		case "dev.orion.node.about.v1":
			return about(state, envelope);
		case "dev.orion.node.silence.v1":
			return silent(state, envelope.data);
		case "dev.orion.node.removed.v1":
			return { ...state, nodes: without(state.nodes, envelope.data.node) };
		default:
			return state;
	}
};
