// Decides what an order to stop does to the latch of this node, what may release it, and what comes too late to change anything.
import type { Ordered, StopVerb } from "../../contracts/stop-order.ts";

export interface HeldOrder extends Ordered {
	readonly verb: StopVerb;
}

export interface LatchBook {
	/** Orders that hold, oldest first; the node is stopped while there is one. */
	readonly orders: readonly HeldOrder[];
	/** Orders that came while it was stopped. */
	readonly repeats: number;
	/** Newest order that was heard. */
	readonly heard: string | undefined;
	/** Orders that were released, newest last: core's list may still name them. */
	readonly released: readonly string[];
}

export type LatchInput =
	/** From the stop and cut topics, or by hand at the node. */
	| { readonly kind: "order"; readonly order: HeldOrder }
	/** Core's list, in each of its beacons: for who missed the order. */
	| { readonly kind: "listed"; readonly order: HeldOrder }
	/** Core says that a person with the right to it released these. */
	| { readonly kind: "release"; readonly orders: readonly string[] }
	/** A person at the node itself. */
	| { readonly kind: "presence" };

export type LatchOutcome = "latched" | "raised" | "repeated" | "released" | "still-held" | "needs-presence" | "not-latched" | "known";

export interface LatchStep {
	readonly book: LatchBook;
	readonly outcome: LatchOutcome;
}

export const ORDERS_MAX = 16;
export const RELEASED_MAX = 64;

export const openLatch: LatchBook = { orders: [], repeats: 0, heard: undefined, released: [] };

/** A cut goes beyond a stop, and holds whatever else was ordered. */
export const heldVerb = ({ orders }: LatchBook): StopVerb | undefined => {
	if (orders.length === 0) return undefined;
	return orders.some(({ verb }) => verb === "cut") ? "cut" : "stop";
};

/** Who is named when somebody asks: who cut it, else who stopped it first. */
export const heldBy = ({ orders }: LatchBook): HeldOrder | undefined => orders.find(({ verb }) => verb === "cut") ?? orders[0];

/** The oldest go first, but a cut only for another cut. */
const bounded = (orders: readonly HeldOrder[]): readonly HeldOrder[] => {
	if (orders.length <= ORDERS_MAX) return orders;
	const oldest = orders.find(({ verb }) => verb === "stop") ?? orders[0];
	return orders.filter((order) => order !== oldest);
};

const hold = (book: LatchBook, order: HeldOrder): LatchStep => {
	const before = heldVerb(book);
	const known = book.orders.some((held) => held.order === order.order && held.verb === order.verb);
	// A message that came twice is one order.
	if (known) return { book, outcome: "known" };
	const orders = bounded([...book.orders, order]);
	const held: LatchBook = { ...book, orders, heard: order.order, repeats: before === undefined ? 0 : book.repeats + 1 };
	if (before === undefined) return { book: held, outcome: "latched" };
	return { book: held, outcome: before === "stop" && order.verb === "cut" ? "raised" : "repeated" };
};

const releaseOf = (book: LatchBook, released: readonly string[]): LatchBook => ({
	...book,
	orders: book.orders.filter(({ order }) => !released.includes(order)),
	released: [...book.released.filter((order) => !released.includes(order)), ...released].slice(-RELEASED_MAX),
});

/** A release names what it releases: an order that came after it was decided still holds. */
const release = (book: LatchBook, named: readonly string[]): LatchStep => {
	const news = named.filter((order) => !book.released.includes(order) || book.orders.some((held) => held.order === order));
	if (heldVerb(book) === "cut") return { book, outcome: "needs-presence" };
	if (news.length === 0) return { book, outcome: book.orders.length === 0 ? "not-latched" : "still-held" };
	const after = releaseOf(book, news);
	return { book: after, outcome: after.orders.length === 0 ? "released" : "still-held" };
};

export const stepLatch = (book: LatchBook, input: LatchInput): LatchStep => {
	switch (input.kind) {
		case "order":
			return hold(book, input.order);
		case "listed":
			// Core lists its stops in every beacon until it has heard what became of them.
			return book.released.includes(input.order.order) ? { book, outcome: "known" } : hold(book, input.order);
		case "release":
			return release(book, input.orders);
		case "presence":
			if (book.orders.length === 0) return { book, outcome: "not-latched" };
			return {
				book: releaseOf(
					book,
					book.orders.map(({ order }) => order),
				),
				outcome: "released",
			};
	}
};
