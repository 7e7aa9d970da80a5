// Connects orders to stop to this node's latch: it holds at once, and goes to disk after that, so that a restart does not undo it.
import type { NodeSafety } from "../contracts/gen/types.ts";
import type { Ordered, StopVerb } from "../contracts/stop-order.ts";
import { type HeldOrder, heldVerb, type LatchBook, type LatchInput, type LatchOutcome, openLatch, RELEASED_MAX, stepLatch } from "./machines/latch.ts";
import type { KeptFiles, Note } from "./ports.ts";

export interface StopLatchOptions {
	readonly files: KeptFiles;
	readonly note: Note;
	/** Called before anything is written: whatever must stop stops now. */
	readonly onOutcome: (outcome: LatchOutcome, book: LatchBook) => void;
}

const FILE = "stop.json";
const ORDER = /^[0-9a-f]{16}$/;

type Fields = Readonly<Record<string, unknown>>;

const fieldsOf = (value: unknown): Fields => (typeof value === "object" && value !== null ? (value as Fields) : {});
const isOrder = (value: unknown): value is string => typeof value === "string" && ORDER.test(value);

const orderIn = (value: unknown): readonly HeldOrder[] => {
	const { verb, order, by, via } = fieldsOf(value);
	if ((verb !== "stop" && verb !== "cut") || !isOrder(order) || typeof by !== "string" || typeof via !== "string") return [];
	return [{ verb, order, by, via }];
};

/** A file that cannot be read is no permission: the node begins stopped, until somebody who may releases it. */
const UNREADABLE: LatchBook = { ...openLatch, orders: [{ verb: "stop", order: "0000000000000000", by: `an unreadable ${FILE}`, via: "restart" }] };

const parseBook = (text: string): LatchBook => {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch {
		return UNREADABLE;
	}
	const { schema, orders, released } = fieldsOf(value);
	if (schema !== "orion.stop-latch/1" || !Array.isArray(orders) || !Array.isArray(released)) return UNREADABLE;
	const held = orders.flatMap(orderIn);
	if (held.length !== orders.length) return UNREADABLE;
	return { orders: held, repeats: 0, heard: held.at(-1)?.order, released: released.filter(isOrder).slice(-RELEASED_MAX) };
};

export class StopLatch {
	readonly #options: StopLatchOptions;
	#book: LatchBook;
	#writing: Promise<void> = Promise.resolve();

	private constructor(options: StopLatchOptions, book: LatchBook) {
		this.#options = options;
		this.#book = book;
	}

	static async open(options: StopLatchOptions): Promise<StopLatch> {
		const text = await options.files.read(FILE);
		return new StopLatch(options, text === undefined ? openLatch : parseBook(text));
	}

	get book(): LatchBook {
		return this.#book;
	}
	get isLatched(): boolean {
		return this.#book.orders.length > 0;
	}

	order(verb: StopVerb, ordered: Ordered): LatchOutcome {
		return this.#take({ kind: "order", order: { ...ordered, verb } });
	}
	listed(verb: StopVerb, ordered: Ordered): LatchOutcome {
		return this.#take({ kind: "listed", order: { ...ordered, verb } });
	}
	release(orders: readonly string[]): LatchOutcome {
		return this.#take({ kind: "release", orders });
	}
	/** By a person at this node. */
	releaseHere(): LatchOutcome {
		return this.#take({ kind: "presence" });
	}

	/** Resolves when what holds now is on disk, or could not be written. */
	settled(): Promise<void> {
		return this.#writing;
	}

	#take(input: LatchInput): LatchOutcome {
		const { book, outcome } = stepLatch(this.#book, input);
		const changed = book !== this.#book;
		this.#book = book;
		// Whoever orders is answered each time, whether or not it changes anything.
		if (changed || input.kind === "order") this.#options.onOutcome(outcome, book);
		if (changed) this.#write();
		return outcome;
	}

	/** One after the other, each as the book is then. A disk that is full forgets nothing now: core's list latches it again after a restart. */
	#write(): void {
		const { files, note } = this.#options;
		this.#writing = this.#writing
			.then(() => files.write(FILE, `${JSON.stringify({ schema: "orion.stop-latch/1", orders: this.#book.orders, released: this.#book.released })}\n`, "plain"))
			.catch((error: unknown) => note("stop-not-written", { detail: error instanceof Error ? error.message : "unknown" }));
	}
}

/** What the node says of its latch. */
export const sayLatch = (book: LatchBook): Pick<NodeSafety, "latch" | "released"> => {
	const verb = heldVerb(book);
	const released = [...book.released];
	return verb === undefined ? { released } : { latch: { verb, orders: book.orders.map((order) => ({ ...order })), repeats: book.repeats }, released };
};
