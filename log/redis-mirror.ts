// Connects the log to a Redis as one more reader of it: every record under its own position, in order, and never in the way of whoever appends.
import { OrionError, sayFault } from "../contracts/errors.ts";
import type { Position, ReadLog, StoredRecord } from "./port.ts";
import { checkRedis } from "./redis-check.ts";
import { connectRedis, faultOf, type RedisConnection, type RedisOptions, shownUrl } from "./redis-connection.ts";
import { pageCommand, unbroken } from "./redis-page.ts";
import { findPlace, type Place } from "./redis-place.ts";

export interface MirrorOptions extends Pick<RedisOptions, "url" | "ca"> {
	readonly log: Pick<ReadLog, "head" | "first" | "read" | "onCommit">;
	readonly mesh: string;
	/** Calls once after delayMs; returns how to cancel. */
	readonly timers: { after(delayMs: number, run: () => void): () => void };
	/** Monotonic milliseconds. */
	readonly now: () => number;
	/** About so many of the newest records stay in each family stream; 0: no such streams. */
	readonly familyRecordsMax: number;
	/** What the operator has to know; undefined: nothing any more. */
	readonly notice: (text: string | undefined) => void;
}

export interface MirrorView {
	/** Without the password. */
	readonly url: string;
	readonly state: "connecting" | "mirroring" | "away" | "refused";
	readonly upTo: Position;
	/** Records that Redis does not have yet. */
	readonly lag: number;
}

const ANSWER_WITHIN_MS = 10_000;
const PAGE_RECORDS = 1_024;
const GATHER_MS = 20;
const LOOK_EVERY_MS = 5_000;
const CHECK_EVERY_MS = 60_000;
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 5_000;

/** What was there is not there any more: it is looked at anew. */
class Changed extends Error {}

export class Mirror {
	readonly #options: MirrorOptions;
	#state: MirrorView["state"] = "connecting";
	#place: Place = { upTo: 0, isNew: true, families: new Map() };
	#connection: RedisConnection | undefined;
	#running: Promise<void> = Promise.resolve();
	#stopped = false;
	#wake: () => void = () => undefined;
	#retryMs = RETRY_MIN_MS;
	#checkedMs = Number.NEGATIVE_INFINITY;
	#mirroredMost = 0;

	constructor(options: MirrorOptions) {
		this.#options = options;
	}

	view(): MirrorView {
		const { upTo } = this.#place;
		return { url: shownUrl(this.#options.url), state: this.#state, upTo, lag: Math.max(0, this.#options.log.head() - upTo) };
	}

	/** Goes on also without an answer. Rejects with OrionError for what only the operator can mend: REDIS_SETTING, REDIS_AUTH, REDIS_FOREIGN, VERSION_UNSUPPORTED, REDIS_URL. */
	async start(): Promise<void> {
		const opened = await this.#open().catch((error: unknown) => {
			const found = faultOf(error, this.#options.url);
			if (found.fault.code !== "REDIS_AWAY" && found.fault.code !== "REDIS_REFUSED") throw found;
			this.#failed(found);
			return undefined;
		});
		this.#running = this.#run(opened);
	}

	async stop(): Promise<void> {
		this.#stopped = true;
		this.#wake();
		this.#connection?.end();
		await this.#running;
	}

	async #open(): Promise<RedisConnection> {
		const { url, ca, log, mesh } = this.#options;
		const redis = await connectRedis({ url, answerWithinMs: ANSWER_WITHIN_MS, ...(ca === undefined ? {} : { ca }) });
		try {
			await checkRedis(redis, url);
			this.#checkedMs = this.#options.now();
			this.#place = await findPlace({ redis, log, mesh, url });
			this.#connection = redis;
			return redis;
		} catch (error) {
			redis.end();
			throw error;
		}
	}

	async #run(first: RedisConnection | undefined): Promise<void> {
		const stopListening = this.#options.log.onCommit(() => this.#wake());
		let opened = first;
		while (!this.#stopped) {
			try {
				const redis = opened ?? (await this.#open());
				opened = undefined;
				await this.#follow(redis);
			} catch (error) {
				if (!(error instanceof Changed)) this.#failed(faultOf(error, this.#options.url));
			}
			this.#connection?.end();
			if (this.#stopped) break;
			await this.#pause(this.#retryMs);
			this.#retryMs = Math.min(RETRY_MAX_MS, this.#retryMs * 2);
		}
		stopListening();
	}

	#failed({ fault }: OrionError): void {
		if (this.#stopped) return;
		this.#state = fault.code === "REDIS_AWAY" ? "away" : "refused";
		this.#options.notice(sayFault(fault));
	}

	async #follow(redis: RedisConnection): Promise<void> {
		const { log, notice } = this.#options;
		this.#state = "mirroring";
		const before = this.#mirroredMost;
		notice(
			this.#place.upTo < before
				? `Redis at ${shownUrl(this.#options.url)} had lost what came after record ${this.#place.upTo}: written again from the log, nothing is missing`
				: undefined,
		);
		while (!this.#stopped) {
			while (this.#place.upTo < log.head() && !this.#stopped) {
				const page = await log.read(this.#place.upTo + 1, PAGE_RECORDS);
				if (page.length === 0) break;
				await this.#write(redis, page);
				this.#retryMs = RETRY_MIN_MS;
				// Under load the next page would be a few records, and each page costs the same.
				if (page.length < PAGE_RECORDS) await new Promise<void>((resolve) => this.#options.timers.after(GATHER_MS, resolve));
			}
			if (this.#stopped) return;
			await this.#news(redis);
			await this.#look(redis);
		}
	}

	/** Until the log has more, the conversation ended, or it is time to look whether everything is still there. */
	async #news(redis: RedisConnection): Promise<void> {
		if (this.#place.upTo < this.#options.log.head()) return;
		let isOver = false;
		await Promise.race([this.#pause(LOOK_EVERY_MS), redis.ended.then(() => (isOver = true))]);
		this.#wake();
		if (isOver) throw new OrionError("REDIS_AWAY", { url: shownUrl(this.#options.url), detail: "the connection was closed" });
	}

	/** A Redis that was emptied under an open connection, or set so that it forgets, must be noticed also when nothing happens. */
	async #look(redis: RedisConnection): Promise<void> {
		const { now, log, mesh, url } = this.#options;
		if (this.#place.upTo < log.head()) return;
		const found = await findPlace({ redis, log, mesh, url });
		if (found.upTo !== this.#place.upTo) throw new Changed();
		if (now() - this.#checkedMs < CHECK_EVERY_MS) return;
		await checkRedis(redis, url);
		this.#checkedMs = now();
	}

	/** Only behind what this mesh wrote last: who puts something there in between makes the whole page fail. */
	async #write(redis: RedisConnection, read: readonly StoredRecord[]): Promise<void> {
		const { url } = this.#options;
		const page = unbroken(read);
		const [answer] = await redis.send([pageCommand(page, this.#place, this.#options)]);
		if (answer instanceof Error) throw new OrionError("REDIS_REFUSED", { url: shownUrl(url), detail: answer.message.slice(0, 200) });
		if (answer !== 1) throw new Changed();
		const upTo = page.at(-1)?.position ?? this.#place.upTo;
		this.#place = { ...this.#place, upTo, isNew: false };
		this.#mirroredMost = Math.max(this.#mirroredMost, upTo);
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
