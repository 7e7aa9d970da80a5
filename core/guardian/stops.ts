// Decides which stops core keeps for which nodes: what was ordered, what the nodes say of themselves, and what was released.
import { type Envelope, nodeOfSource } from "../../contracts/envelope.ts";
import type { Recorded } from "../record.ts";
import { type EngineState, type KeptOrder, put, rowOf, type StopView, without } from "../state.ts";

/** As many as a node holds. */
const ORDERS_MAX = 16;

const none: StopView = { orders: [], releasing: [], said: false };

/** Orders that hold: those that nobody released. */
export const holding = ({ orders, releasing }: StopView): readonly KeptOrder[] => orders.filter(({ order }) => !releasing.includes(order));

/** The one to name when somebody asks: who cut it, else who stopped it first. */
export const stoppedBy = (view: StopView): KeptOrder | undefined => {
	const held = holding(view);
	return held.find(({ verb }) => verb === "cut") ?? held[0];
};

const added = (view: StopView, order: KeptOrder): StopView => {
	if (view.orders.some((known) => known.order === order.order && known.verb === order.verb)) return view;
	const orders = [...view.orders, order];
	const oldest = orders.find(({ verb }) => verb === "stop") ?? orders[0];
	return { ...view, orders: orders.length > ORDERS_MAX ? orders.filter((known) => known !== oldest) : orders };
};

const keep = (state: EngineState, node: string, view: StopView): EngineState =>
	view.orders.length === 0 ? { ...state, stops: without(state.stops, node) } : { ...state, stops: put(state.stops, node, view) };

const requested = (state: EngineState, { data }: Envelope<"dev.orion.stop.requested.v1">): EngineState => {
	const { order, verb, by, via } = data;
	const kept: KeptOrder = { order, verb, by, via, atWallMs: state.clock.wallMs };
	return data.nodes.reduce((before, node) => keep(before, node, added(rowOf(before.stops, node) ?? none, kept)), state);
};

const released = (state: EngineState, { data }: Envelope<"dev.orion.stop.released.v1">): EngineState => {
	const view = rowOf(state.stops, data.node);
	if (view === undefined) return state;
	return keep(state, data.node, { ...view, releasing: [...new Set([...view.releasing, ...data.orders])].slice(-ORDERS_MAX) });
};

/** The node is the one who knows: what it holds is added, what it released is gone. What it never heard of stays, and the beacon tells it. */
const said = (state: EngineState, envelope: Envelope<"dev.orion.node.safety.v1">): EngineState => {
	const node = nodeOfSource(envelope.source);
	if (node === undefined) return state;
	const { latch, released: gone } = envelope.data;
	const before = rowOf(state.stops, node) ?? none;
	const orders = before.orders.filter(({ order }) => !gone.includes(order) || latch?.orders.some((held) => held.order === order));
	const releasing = before.releasing.filter((order) => orders.some((known) => known.order === order));
	const after = (latch?.orders ?? []).reduce((view, { order, verb, by, via }) => added(view, { order, verb, by, via, atWallMs: state.clock.wallMs }), {
		orders,
		releasing,
		said: latch !== undefined,
	} as StopView);
	return after.orders.length === 0 && before === none ? state : keep(state, node, after);
};

export const foldStops = (state: EngineState, { envelope }: Recorded): EngineState => {
	switch (envelope.type) {
		case "dev.orion.stop.requested.v1":
			return requested(state, envelope);
		case "dev.orion.stop.released.v1":
			return released(state, envelope);
		case "dev.orion.node.safety.v1":
			return said(state, envelope);
		case "dev.orion.node.removed.v1":
			return { ...state, stops: without(state.stops, envelope.data.node) };
		default:
			return state;
	}
};
