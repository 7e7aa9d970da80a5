// Connects what is to be said to the Bot API: one after the other, no faster than it allows, again after faults, and never after its time is over.
import type { Clock } from "../../../contracts/time.ts";
import type { Timers } from "../world.ts";
import { ChatFault } from "./ports.ts";

export interface Saying {
	/** A later one under the same key takes the place of an earlier one that still waits. */
	readonly key: string;
	readonly chat: number;
	/** This process' monotonic clock, milliseconds: not delivered after it. */
	readonly untilMs: number;
	readonly say: (signal: AbortSignal) => Promise<void>;
	/** Better not said than said twice: not tried again when it may have arrived. */
	readonly once?: true;
	/** Called once when it will never be said. */
	readonly dropped?: (why: string) => void;
}

/** Why something is dropped that waited too long. */
export const TIME_OVER = "its time was over";
/** The Bot API asks for at most one message a second in a chat. */
const CHAT_EVERY_MS = 1_000;
const ALL_EVERY_MS = 40;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;
const CALL_WITHIN_MS = 15_000;
const WAITING_MAX = 500;

export interface OutboxOptions {
	readonly clock: Clock;
	readonly timers: Timers;
	/** undefined: the newest call went well. */
	readonly fault: (fault: ChatFault | undefined) => void;
}

export class ChatOutbox {
	readonly #options: OutboxOptions;
	readonly #closed = new AbortController();
	#waiting: Saying[] = [];
	readonly #chatFreeMs = new Map<number, number>();
	#freeMs = 0;
	#retryMs = FIRST_RETRY_MS;
	#busy: Promise<void> | undefined;
	#wake: (() => void) | undefined;

	constructor(options: OutboxOptions) {
		this.#options = options;
	}

	get waiting(): number {
		return this.#waiting.length;
	}

	put(saying: Saying): void {
		if (this.#closed.signal.aborted) return;
		this.#waiting = this.#waiting.filter(({ key }) => key !== saying.key);
		if (this.#waiting.length >= WAITING_MAX) this.#waiting.shift()?.dropped?.("too much waits to be said");
		this.#waiting.push(saying);
		this.#wake?.();
		this.#busy ??= this.#work().finally(() => {
			this.#busy = undefined;
		});
	}

	/** Nothing that waits is said any more. */
	async close(): Promise<void> {
		this.#closed.abort();
		this.#wake?.();
		await this.#busy;
	}

	#pause(ms: number): Promise<void> {
		return new Promise((resolve) => {
			const cancel = this.#options.timers.after(ms, () => this.#wake?.());
			this.#wake = () => {
				this.#wake = undefined;
				cancel();
				resolve();
			};
		});
	}

	/** The first that may be said now, else how long until one may. */
	#next(nowMs: number): Saying | number {
		if (this.#freeMs > nowMs) return this.#freeMs - nowMs;
		let soonestMs = Number.POSITIVE_INFINITY;
		for (const saying of this.#waiting) {
			const freeMs = this.#chatFreeMs.get(saying.chat) ?? 0;
			if (freeMs <= nowMs) return saying;
			soonestMs = Math.min(soonestMs, freeMs - nowMs);
		}
		return soonestMs;
	}

	async #work(): Promise<void> {
		const { clock } = this.#options;
		while (this.#waiting.length > 0 && !this.#closed.signal.aborted) {
			const nowMs = clock.now();
			const late = this.#waiting.filter(({ untilMs }) => untilMs <= nowMs);
			this.#waiting = this.#waiting.filter(({ untilMs }) => untilMs > nowMs);
			for (const saying of late) saying.dropped?.(TIME_OVER);
			if (this.#waiting.length === 0) break;
			const next = this.#next(nowMs);
			if (typeof next === "number") await this.#pause(Math.max(1, Math.min(next, ...this.#waiting.map(({ untilMs }) => untilMs - nowMs))));
			else await this.#say(next);
		}
	}

	async #say(saying: Saying): Promise<void> {
		const { clock, fault, timers } = this.#options;
		const call = new AbortController();
		// Neither a call that hangs nor one that comes back late may deliver what is over.
		const cancel = timers.after(Math.min(CALL_WITHIN_MS, saying.untilMs - clock.now()), () => call.abort());
		try {
			await saying.say(AbortSignal.any([call.signal, this.#closed.signal]));
			this.#retryMs = FIRST_RETRY_MS;
			this.#remove(saying);
			fault(undefined);
		} catch (error) {
			this.#failed(saying, error instanceof ChatFault ? error : new ChatFault("down", error instanceof Error ? error.message : "unknown"));
		} finally {
			cancel();
			this.#freeMs = Math.max(this.#freeMs, clock.now() + ALL_EVERY_MS);
			this.#chatFreeMs.set(saying.chat, Math.max(this.#chatFreeMs.get(saying.chat) ?? 0, clock.now() + CHAT_EVERY_MS));
		}
	}

	#remove(saying: Saying): void {
		this.#waiting = this.#waiting.filter((each) => each !== saying);
	}

	#failed(saying: Saying, found: ChatFault): void {
		if (this.#closed.signal.aborted) return;
		const { clock, fault } = this.#options;
		fault(found);
		if (found.kind === "gone" || found.kind === "refused" || (saying.once === true && found.kind === "down")) {
			this.#remove(saying);
			saying.dropped?.(found.message);
			return;
		}
		const waitMs = found.kind === "rate" ? Math.max(found.retryAfterMs, FIRST_RETRY_MS) : this.#retryMs;
		if (found.kind !== "rate") this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS);
		this.#freeMs = clock.now() + waitMs;
	}
}
