// Connects a broker's spool to its stream in Redis, record by record under their own positions, and to what core says back.
import { type BrokerWord, bridgeNames, type CoreWord, encodeWord, parseCoreWord } from "../contracts/bridge.ts";
import { OrionError, sayFault } from "../contracts/errors.ts";
import type { Log, Position } from "./port.ts";
import { connectRedis, faultOf, type RedisCommand, type RedisConnection, type RedisOptions, shownUrl } from "./redis-connection.ts";

export interface FeedOptions extends Pick<RedisOptions, "url" | "ca"> {
	readonly name: string;
	/** Of the spool: another one begins to count anew. */
	readonly epoch: string;
	/** The spool was set back: it gets another one. */
	readonly newEpoch: () => string;
	readonly spool: Pick<Log, "head" | "first" | "read" | "onCommit" | "cursor" | "setCursor">;
	/** Calls once after delayMs; returns how to cancel. */
	readonly timers: { after(delayMs: number, run: () => void): () => void };
	/** Who is connected now, which register of nodes is known, and how its disk is. */
	readonly here: () => Pick<Extract<BrokerWord, { readonly kind: "here" }>, "nodes" | "rows" | "full" | "bytesPerDay">;
	readonly heard: (word: Exclude<CoreWord, { readonly kind: "mark" }>) => void;
	/** Records went to the other side for good. */
	readonly moved: (upTo: Position) => void;
	/** What the operator has to know; undefined: nothing any more. */
	readonly notice: (text: string | undefined) => void;
	readonly fatal: (error: unknown) => void;
}

export interface FeedView {
	readonly state: "away" | "waiting" | "moving";
	/** Everything up to here is on core's disk. */
	readonly upTo: Position;
}

/** On core's disk up to here: kept over a restart, so that a spool knows what it may forget. */
const CURSOR = "core";
const ANSWER_WITHIN_MS = 10_000;
const PAGE_RECORDS = 256;
/** So many records lie between here and core at most: the rest waits in the spool, and Redis stays small. */
const WINDOW_RECORDS = 4_096;
const HERE_EVERY_MS = 1_000;
/** So often it says that it is here without hearing how far core is: then what lay between may be gone. */
const UNHEARD_MAX = 5;
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 5_000;

export class Feed {
	readonly #options: FeedOptions;
	readonly #names: ReturnType<typeof bridgeNames>;
	#state: FeedView["state"] = "away";
	#upTo: Position;
	#epoch: string;
	/** The last record that was put into Redis; undefined: core has not said yet where to go on. */
	#sentUpTo: Position | undefined;
	#isFirst = true;
	#connections: readonly RedisConnection[] = [];
	#running: Promise<void> = Promise.resolve();
	#wake: () => void = () => undefined;
	#retryMs = RETRY_MIN_MS;
	#unheard = 0;
	#saving = false;
	#stopped = false;

	constructor(options: FeedOptions) {
		this.#options = options;
		this.#names = bridgeNames(options.name);
		this.#epoch = options.epoch;
		this.#upTo = Math.min(options.spool.cursor(CURSOR), options.spool.head());
	}

	view(): FeedView {
		return { state: this.#state, upTo: this.#upTo };
	}

	start(): void {
		this.#running = this.#run();
	}

	async stop(): Promise<void> {
		this.#stopped = true;
		this.#wake();
		for (const connection of this.#connections) connection.end();
		await this.#running;
	}

	/** At once or not at all. Resolves with whether core listened. */
	async say(word: BrokerWord): Promise<boolean> {
		const [connection] = this.#connections;
		if (connection === undefined) return false;
		return connection.ask("publish", this.#names.says, encodeWord(word)).then(
			(count) => typeof count === "number" && count > 0,
			() => false,
		);
	}

	async #run(): Promise<void> {
		const stopListening = this.#options.spool.onCommit(() => this.#wake());
		while (!this.#stopped) {
			try {
				await this.#converse();
			} catch (error) {
				const found = faultOf(error, this.#options.url);
				if (!this.#stopped) this.#options.notice(sayFault(found.fault));
			}
			this.#state = "away";
			for (const connection of this.#connections) connection.end();
			this.#connections = [];
			if (this.#stopped) break;
			await this.#pause(this.#retryMs);
			this.#retryMs = Math.min(RETRY_MAX_MS, this.#retryMs * 2);
		}
		stopListening();
	}

	async #converse(): Promise<void> {
		const { url, ca, timers, notice } = this.#options;
		const certificate = ca === undefined ? {} : { ca };
		const mouth = await connectRedis({ url, ...certificate, answerWithinMs: ANSWER_WITHIN_MS });
		this.#connections = [mouth];
		const ears = await connectRedis({ url, ...certificate });
		this.#connections = [mouth, ears];
		await ears.subscribe([this.#names.hears], (_channel, bytes) => this.#hear(bytes));
		this.#state = "waiting";
		this.#sentUpTo = undefined;
		let isOver = false;
		for (const { ended } of this.#connections)
			void ended.then(() => {
				isOver = true;
				this.#wake();
			});
		let cancel: () => void = () => undefined;
		const beat = (): void => {
			cancel = timers.after(HERE_EVERY_MS, beat);
			void this.#here();
		};
		beat();
		notice(undefined);
		try {
			while (!this.#stopped && !isOver) if (!(await this.#move(mouth))) await this.#pause(HERE_EVERY_MS);
		} finally {
			cancel();
		}
		if (!this.#stopped) throw new OrionError("REDIS_AWAY", { url: shownUrl(url), detail: "the connection was closed" });
	}

	async #here(): Promise<void> {
		const { spool, here } = this.#options;
		if (this.#sentUpTo !== undefined && this.#sentUpTo > this.#upTo) this.#unheard += 1;
		if (this.#unheard >= UNHEARD_MAX) {
			this.#unheard = 0;
			this.#sentUpTo = undefined;
			this.#state = "waiting";
		}
		const first = spool.first();
		const lostUpTo = first - 1 > this.#upTo ? first - 1 : 0;
		await this.say({ v: 1, kind: "here", epoch: this.#epoch, first, head: spool.head(), lostUpTo, sync: this.#sentUpTo === undefined, ...here() });
	}

	#hear(bytes: Uint8Array): void {
		const parsed = parseCoreWord(bytes);
		if (!parsed.ok) return;
		const word = parsed.value;
		if (word.kind !== "mark") {
			this.#options.heard(word);
			return;
		}
		// Core may speak of a spool that was here before this one.
		if (word.epoch !== this.#epoch) return;
		if (word.upTo > this.#options.spool.head()) {
			// The spool is an older copy of itself: what it counts from now on is not what core knows under the same numbers.
			this.#epoch = this.#options.newEpoch();
			this.#sentUpTo = undefined;
			return;
		}
		this.#unheard = 0;
		if (word.again) {
			this.#sentUpTo = word.upTo;
			this.#isFirst = true;
			this.#state = "moving";
		}
		this.#retryMs = RETRY_MIN_MS;
		if (word.upTo > this.#upTo) {
			this.#upTo = word.upTo;
			this.#save();
		}
		this.#wake();
	}

	/** One write at a time; the newest mark counts. */
	#save(): void {
		if (this.#saving) return;
		const { spool, moved, fatal } = this.#options;
		const upTo = this.#upTo;
		this.#saving = true;
		spool
			.setCursor(CURSOR, upTo)
			.then(() => moved(upTo))
			.catch((error: unknown) => {
				// A full disk only means that more is known again after a restart.
				if (!(error instanceof OrionError) || !["DISK_FULL", "LOG_CLOSED"].includes(error.fault.code)) fatal(error);
			})
			.finally(() => {
				this.#saving = false;
				if (this.#upTo > upTo && !this.#stopped) this.#save();
			});
	}

	/** Moves a page; false when there is nothing to move now. */
	async #move(mouth: RedisConnection): Promise<boolean> {
		const { spool } = this.#options;
		const from = this.#sentUpTo;
		if (from === undefined || from >= spool.head() || from - this.#upTo >= WINDOW_RECORDS) return false;
		const page = await spool.read(from + 1, PAGE_RECORDS);
		const last = page.at(-1);
		if (last === undefined) return false;
		const commands = page.map(({ position, bytes }, index): RedisCommand => {
			const fields = [`${position}-0`, "epoch", this.#epoch, "data", bytes] as const;
			// A stream that is gone must not begin in the middle.
			return this.#isFirst && index === 0 ? ["xadd", this.#names.stream, ...fields] : ["xadd", this.#names.stream, "NOMKSTREAM", ...fields];
		});
		const answers = await mouth.send(commands);
		// Core said meanwhile to go on elsewhere.
		if (this.#sentUpTo !== from) return true;
		this.#isFirst = false;
		const refused = answers.find((answer) => answer === null || answer instanceof Error);
		if (refused === undefined) {
			this.#sentUpTo = last.position;
			return true;
		}
		// What is there is not what was put there, or there is no room: core looks, empties the way, and says where to go on.
		if (refused instanceof Error && !/equal or smaller/.test(refused.message)) {
			const { url, notice } = this.#options;
			notice(sayFault({ code: "REDIS_REFUSED", facts: { url: shownUrl(url), detail: refused.message.slice(0, 200) } }));
		}
		this.#sentUpTo = undefined;
		this.#state = "waiting";
		return false;
	}

	#pause(delayMs: number): Promise<void> {
		return new Promise((resolve) => {
			const cancel = this.#options.timers.after(delayMs, resolve);
			this.#wake = () => {
				cancel();
				resolve();
			};
		});
	}
}
