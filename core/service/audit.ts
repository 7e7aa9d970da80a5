// Connects the log to its audit: every record gets an entry, checkpoints are signed in time, and whoever is about to act waits for the entry.
import { type Fault, fail, sayFault } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";
import type { Log, StoredRecord } from "../../log/port.ts";
import { isDiskFull, RETRY_FULL_DISK_MS } from "./full-disk.ts";
import { Rush } from "./rush.ts";
import type { World } from "./world.ts";

/** The files of the audit, as they are used here. */
export interface AuditStore {
	readonly origin: string;
	readonly verifier: string;
	/** Position of the newest entry; of the newest that is on disk; of the newest that a checkpoint vouches for. */
	readonly last: number;
	readonly syncedUpTo: number;
	readonly signedUpTo: number;
	/** Rejects with OrionError DISK_FULL: nothing was added. */
	append(records: readonly StoredRecord[]): Promise<void>;
	sync(): Promise<void>;
	/** Rejects with OrionError DISK_FULL. */
	checkpoint(): Promise<void>;
	close(): Promise<void>;
}

/** What whoever waits for an entry is told: it is on disk, there is no more time, or there will be none. */
export type Entered = "entered" | "ending" | Fault;

export interface AuditOptions {
	readonly log: Log;
	readonly world: World;
	/** A fault: the audit on disk cannot be gone on with. */
	readonly store: Result<AuditStore>;
	/** Said to the operator until it is over. */
	readonly notice: (text: string | undefined) => void;
}

const CURSOR = "audit";
const PAGE_RECORDS = 250;
/** Under a rush one page in so many turns of the door, unless somebody waits or more than this is missing: half a second of work. */
const RUSH_TURNS = 32;
const BEHIND_MAX = 100_000;
const CHECKPOINT_EVERY_ENTRIES = 1_000;
const CHECKPOINT_EVERY_MS = 60_000;
/** Each move is an fsync or two; the files themselves say where the audit is. */
const CURSOR_EVERY_ENTRIES = 4_096;

/** Up to where every record is known to have an entry on disk. */
export const enteredUpTo = (log: Log): number => log.cursor(CURSOR);

export class Audit {
	readonly #options: AuditOptions;
	readonly #waiting = new Set<{ readonly position: number; readonly answer: (entered: Entered) => void }>();
	#rush: Rush | undefined;
	#running: Promise<void> | undefined;
	#again = false;
	#isCheckpointDue = false;
	#isFull = false;
	#ending = false;
	#stopped = false;
	#stopListening: (() => void) | undefined;
	#cancelCheckpoint: (() => void) | undefined;
	#cancelRetry: (() => void) | undefined;

	constructor(options: AuditOptions) {
		this.#options = options;
	}

	start(): void {
		const { store, log, notice } = this.#options;
		if (!store.ok) {
			notice(sayFault(store.fault));
			return;
		}
		this.#stopListening = log.onCommit(() => this.#wake());
		this.#armCheckpoint();
		this.#wake();
	}

	/** Resolves when the record at this position and all before it have an entry on disk. */
	entered(position: number): Promise<Entered> {
		const { store } = this.#options;
		if (!store.ok) return Promise.resolve(store.fault);
		if (store.value.syncedUpTo >= position) return Promise.resolve("entered");
		if (this.#stopped || (this.#ending && this.#isFull)) return Promise.resolve("ending");
		return new Promise((answer) => {
			this.#waiting.add({ position, answer });
			this.#wake();
		});
	}

	/** A checkpoint over all that the log has now. Faults: AUDIT_DAMAGED, DISK_FULL, LOG_CLOSED. */
	async sign(): Promise<Result<{ readonly signedUpTo: number }>> {
		const { store, log } = this.#options;
		if (!store.ok) return store;
		const entered = await this.entered(log.head());
		if (entered !== "entered") return entered === "ending" ? fail("LOG_CLOSED") : { ok: false, fault: entered };
		this.#isCheckpointDue = true;
		this.#wake();
		while (this.#running !== undefined && this.#isCheckpointDue) await this.#running;
		return this.#isFull ? fail("DISK_FULL", { folder: "audit" }) : ok({ signedUpTo: store.value.signedUpTo });
	}

	/** From now on nobody waits for a disk that is full. */
	end(): void {
		this.#ending = true;
		if (this.#isFull) this.#answerAll("ending");
	}

	/** Enters what is left, signs it, and gives the files back. */
	async stop(): Promise<void> {
		const { store, log } = this.#options;
		this.#stopListening?.();
		this.end();
		if (!store.ok) return;
		if (!this.#isFull) this.#wake();
		while (this.#running !== undefined) await this.#running;
		this.#stopped = true;
		this.#cancelCheckpoint?.();
		this.#cancelRetry?.();
		this.#answerAll("ending");
		try {
			if (store.value.signedUpTo < store.value.last) await store.value.checkpoint();
			await log.setCursor(CURSOR, store.value.syncedUpTo);
		} catch (error) {
			// The next start enters and signs what a full disk did not take.
			if (!isDiskFull(error)) throw error;
		}
		await store.value.close();
	}

	#wake(): void {
		this.#again = true;
		if (this.#running !== undefined || this.#isFull || this.#stopped) return;
		const { store, world } = this.#options;
		if (!store.ok) return;
		this.#running = this.#run(store.value)
			.catch((error: unknown) => {
				if (isDiskFull(error)) this.#waitForRoom();
				else world.fatal(error);
			})
			.finally(() => {
				this.#running = undefined;
				if (this.#again && !this.#isFull) this.#wake();
			});
	}

	async #run(store: AuditStore): Promise<void> {
		const { log, world } = this.#options;
		this.#again = false;
		this.#rush ??= new Rush(log, world);
		while (store.last < log.head()) {
			const unsigned = store.last - store.signedUpTo;
			const page = await log.read(store.last + 1, Math.max(1, Math.min(PAGE_RECORDS, CHECKPOINT_EVERY_ENTRIES - unsigned)));
			if (page.length === 0) break;
			await store.append(page);
			if (store.last - store.signedUpTo >= CHECKPOINT_EVERY_ENTRIES) await store.checkpoint();
			await this.#serve(store);
			if (page.length === PAGE_RECORDS) await this.#rush.giveWay(this.#isAwaited(store) ? 1 : RUSH_TURNS);
		}
		if (this.#isCheckpointDue && store.signedUpTo < store.last) await store.checkpoint();
		this.#isCheckpointDue = false;
		await this.#serve(store);
		if (store.syncedUpTo - log.cursor(CURSOR) >= CURSOR_EVERY_ENTRIES) await log.setCursor(CURSOR, store.syncedUpTo);
	}

	#isAwaited(store: AuditStore): boolean {
		return this.#waiting.size > 0 || this.#ending || this.#isCheckpointDue || this.#options.log.head() - store.last > BEHIND_MAX;
	}

	/** An fsync only when somebody waits for it: what is not on disk comes again from the log. */
	async #serve(store: AuditStore): Promise<void> {
		if ([...this.#waiting].some(({ position }) => position <= store.last)) await store.sync();
		for (const waiter of [...this.#waiting]) {
			if (waiter.position > store.syncedUpTo) continue;
			this.#waiting.delete(waiter);
			waiter.answer("entered");
		}
	}

	#answerAll(entered: Entered): void {
		for (const waiter of [...this.#waiting]) {
			this.#waiting.delete(waiter);
			waiter.answer(entered);
		}
	}

	#waitForRoom(): void {
		const { world, notice } = this.#options;
		this.#isFull = true;
		notice("the disk is full: the audit cannot be written, and nothing is handed over to a node before it is. Free some space.");
		if (this.#ending) this.#answerAll("ending");
		this.#cancelRetry = world.timers.after(RETRY_FULL_DISK_MS, () => {
			this.#isFull = false;
			this.#wake();
			void this.#running?.then(() => {
				if (!this.#isFull) notice(undefined);
			});
		});
	}

	#armCheckpoint(): void {
		this.#cancelCheckpoint = this.#options.world.timers.after(CHECKPOINT_EVERY_MS, () => {
			this.#isCheckpointDue = true;
			this.#wake();
			this.#armCheckpoint();
		});
	}
}
