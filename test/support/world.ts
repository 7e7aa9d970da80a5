// Connects code that asks the world for clocks, timers and files to a world that a test moves: nothing here ever waits for real time.
import { type Instant, instant, type WallTime, wallTime } from "../../contracts/time.ts";
import type { HostClock, KeptFiles, Timers, World } from "../../core/service/world.ts";

/** Lets every promise that can go on go on. Nothing virtual depends on more than that. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Due {
	readonly atMs: number;
	readonly order: number;
	readonly run: () => void;
	cancelled: boolean;
}

/** A heap of (time, order, what to do): the only thing that lets time pass. */
export class VirtualTime implements Timers {
	readonly #heap: Due[] = [];
	#order = 0;
	nowMs = 0;

	after(delayMs: number, run: () => void): () => void {
		const due: Due = { atMs: this.nowMs + Math.max(0, delayMs), order: this.#order++, run, cancelled: false };
		this.#push(due);
		return () => {
			due.cancelled = true;
		};
	}

	/** Time of what comes next; undefined if nothing does. */
	nextMs(): number | undefined {
		while (this.#heap[0]?.cancelled === true) this.#pop();
		return this.#heap[0]?.atMs;
	}

	/** Does what is due next, if it is due by `untilMs`, and lets all that follows from it happen. False: there was nothing. */
	async turn(untilMs: number): Promise<boolean> {
		const next = this.nextMs();
		if (next === undefined || next > untilMs) return false;
		const due = this.#pop();
		this.nowMs = Math.max(this.nowMs, next);
		due?.run();
		await settle();
		return true;
	}

	async advance(byMs: number): Promise<void> {
		const untilMs = this.nowMs + byMs;
		await settle();
		while (await this.turn(untilMs));
		this.nowMs = untilMs;
	}

	#before(left: number, right: number): boolean {
		const [a, b] = [this.#heap[left], this.#heap[right]];
		return a !== undefined && b !== undefined && (a.atMs - b.atMs || a.order - b.order) < 0;
	}

	#swap(left: number, right: number): void {
		const [a, b] = [this.#heap[left], this.#heap[right]];
		if (a === undefined || b === undefined) return;
		this.#heap[left] = b;
		this.#heap[right] = a;
	}

	#push(due: Due): void {
		this.#heap.push(due);
		for (let at = this.#heap.length - 1; at > 0; ) {
			const parent = (at - 1) >> 1;
			if (!this.#before(at, parent)) return;
			this.#swap(at, parent);
			at = parent;
		}
	}

	#pop(): Due | undefined {
		this.#swap(0, this.#heap.length - 1);
		const due = this.#heap.pop();
		for (let at = 0; ; ) {
			const [left, right] = [2 * at + 1, 2 * at + 2];
			const least = this.#before(right, left) ? right : left;
			if (!this.#before(least, at)) return due;
			this.#swap(least, at);
			at = least;
		}
	}
}

/** Files that survive the process; a full disk refuses to write them. */
export class VirtualFiles implements KeptFiles {
	readonly texts = new Map<string, string>();
	readonly secrets = new Set<string>();
	full = false;

	async read(name: string): Promise<string | undefined> {
		return this.texts.get(name);
	}

	async write(name: string, text: string, secret: "secret" | "plain"): Promise<void> {
		if (this.full) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
		this.texts.set(name, text);
		if (secret === "secret") this.secrets.add(name);
	}
}

/** What is so of a host, whichever process looks. */
export class VirtualHost {
	readonly time: VirtualTime;
	readonly files = new VirtualFiles();
	bootId = "boot-1";
	bootedAtMs = 0;
	wallOffsetMs = Date.UTC(2026, 0, 2);
	quality: "synced" | "holdover" | "unsynced" = "synced";

	constructor(time = new VirtualTime()) {
		this.time = time;
	}

	reboot(): void {
		this.bootId = `boot-${Number(this.bootId.slice(5)) + 1}`;
		this.bootedAtMs = this.time.nowMs;
	}

	/** The world of one process. When that ends its timers never fire. */
	process(): VirtualWorld {
		return new VirtualWorld(this);
	}
}

export class VirtualWorld implements World {
	readonly #host: VirtualHost;
	readonly #beganMs: number;
	readonly files: VirtualFiles;
	readonly clock: HostClock;
	readonly timers: Timers;
	readonly fatalities: unknown[] = [];
	alive = true;

	constructor(host: VirtualHost) {
		this.#host = host;
		this.#beganMs = host.time.nowMs;
		this.files = host.files;
		this.clock = {
			bootId: host.bootId,
			now: (): Instant => instant(host.time.nowMs - this.#beganMs),
			wall: (): WallTime => wallTime(Math.max(0, host.wallOffsetMs + host.time.nowMs)),
			bootMs: () => this.#host.time.nowMs - this.#host.bootedAtMs,
			quality: () => host.quality,
			offsetMinutes: () => 0,
		};
		this.timers = {
			after: (delayMs, run) =>
				host.time.after(delayMs, () => {
					if (this.alive) run();
				}),
		};
	}

	readonly fatal = (error: unknown): void => {
		if (this.alive) this.fatalities.push(error);
	};
}
