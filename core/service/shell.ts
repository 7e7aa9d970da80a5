// Connects the engine to the log: reads committed inputs in order, appends what follows as one batch each, and folds without acting after a start.
import type { Duration } from "../../contracts/time.ts";
import type { Log } from "../../log/port.ts";
import { fold, step } from "../engine.ts";
import { History } from "../memory/history.ts";
import { readSnapshot, takeSnapshot } from "../memory/snapshot.ts";
import { isOutput } from "../record.ts";
import { type EngineState, emptyState, STATE_SCHEMA } from "../state.ts";
import { nextTimerMs } from "../timers.ts";
import { isDiskFull, onceDiskHasRoom, RETRY_FULL_DISK_MS } from "./full-disk.ts";
import { coreEnvelope, type Incoming, type Journal, parseStored } from "./journal.ts";
import type { LoadedPolicy } from "./policies.ts";
import type { CoreTerm } from "./ports.ts";
import { Rush } from "./rush.ts";
import type { World } from "./world.ts";

const PAGE_RECORDS = 256;
/** So many decisions at once while messages come in, then the door has its turn: half a millisecond. */
const DECIDE_RECORDS = 16;
/** Under a rush the door has so many turns between: some thousand decisions a second remain. */
const RUSH_TURNS = 4;
/** Without a timer that is due earlier, time is recorded this often, so that a downtime has a known beginning. */
const IDLE_TICK_MS = 30_000;
const SNAPSHOT_EVERY_INPUTS = 20_000;
const SNAPSHOT_FILES = ["snapshot-a.json", "snapshot-b.json"] as const;

export interface ShellOptions {
	readonly log: Log;
	readonly mesh: string;
	readonly code: string;
	readonly term: CoreTerm;
	readonly policy: LoadedPolicy;
	readonly world: World;
	/** Made by whoever owns the shell, because the journal asks the shell for engine time. */
	readonly journal: () => Journal;
	/** What decides: the engine. Simulation gives other code, to show that the record wins over it. */
	readonly step?: typeof step;
}

export class Shell {
	readonly #options: ShellOptions;
	#state: EngineState;
	#decidedUpTo = 0;
	#readUpTo = 0;
	/** Engine time = base + what the host's monotonic clock has moved since. */
	#baseEngineMs = 0;
	#baseBootMs = 0;
	#lastTick: { bootId: string; monoMs: number; wallMs: number; quality: string } | undefined;
	#rush: Rush | undefined;
	#running: Promise<void> | undefined;
	#again = false;
	#cancelTimer: (() => void) | undefined;
	#stopListening: (() => void) | undefined;
	#inputsSinceSnapshot = 0;
	#snapshots = 0;
	/** No more waiting for a disk that is full. */
	#stopping = false;
	#stopped = false;

	constructor(options: ShellOptions) {
		this.#options = options;
		this.#state = emptyState(options.mesh);
	}

	get state(): EngineState {
		return this.#state;
	}
	get decidedUpTo(): number {
		return this.#decidedUpTo;
	}
	/** Everything up to here was looked at; with no input waiting it is the head of the log. */
	get readUpTo(): number {
		return this.#readUpTo;
	}

	engineMs(): number {
		return Math.max(this.#state.clock.engineMs, this.#baseEngineMs + this.#options.world.clock.bootMs() - this.#baseBootMs);
	}

	/** Folds what is there without acting, records the start, decides afresh, and goes on with what comes. */
	async start(extra: readonly Incoming[] = []): Promise<void> {
		await this.#recover();
		const { mesh, code, term, policy, world, journal, log } = this.#options;
		const downtimeMs = this.#downtimeMs();
		this.#baseEngineMs = this.#state.clock.engineMs + (downtimeMs ?? 0);
		this.#baseBootMs = world.clock.bootMs();
		const activated = { hash: policy.hash, content: policy.content as unknown as Record<string, never>, files: [...policy.files] };
		const wallMs = world.clock.wall();
		const policyNews =
			this.#state.policyHash === policy.hash ? [] : [{ envelope: coreEnvelope(mesh, wallMs, "/core/policy", "dev.orion.policy.activated.v1", activated) }];
		const started = {
			code,
			stateSchema: STATE_SCHEMA,
			policyHash: policy.hash,
			coreTerm: term,
			decidedUpTo: this.#decidedUpTo,
			downtimeMs,
			engineMs: Math.floor(this.#baseEngineMs),
		};
		const envelope = coreEnvelope(mesh, wallMs, "/core/engine", "dev.orion.engine.started.v1", started);
		await journal().append([...policyNews, ...extra, { envelope }]);
		await this.#foldUpTo(log.head());
		this.#stopListening = log.onCommit(() => this.#wake());
		await this.#wake();
		this.#armTimer();
	}

	/** Decides on everything that is durable now. */
	async idle(): Promise<void> {
		while (this.#running !== undefined) await this.#running;
	}

	async stop(): Promise<void> {
		this.#stopListening?.();
		this.#stopping = true;
		await this.idle();
		this.#stopped = true;
		this.#cancelTimer?.();
		await this.#snapshot();
	}

	/** From the newest snapshot that can be trusted, or from the first record; then what was recorded, and last what nobody decided on. */
	async #recover(): Promise<void> {
		const { log, world } = this.#options;
		for (const file of SNAPSHOT_FILES) {
			const text = await world.files.read(file);
			const snapshot = text === undefined ? undefined : readSnapshot(safeJson(text));
			if (
				snapshot === undefined ||
				snapshot.decidedUpTo <= this.#decidedUpTo ||
				snapshot.decidedUpTo > log.head() ||
				snapshot.state.mesh !== this.#options.mesh
			)
				continue;
			this.#state = snapshot.state;
			this.#decidedUpTo = snapshot.decidedUpTo;
		}
		const history = new History(this.#decidedUpTo);
		let from = Math.max(this.#decidedUpTo + 1, log.first());
		for (;;) {
			const page = await log.read(from, PAGE_RECORDS);
			for (const { position, bytes } of page) {
				const envelope = parseStored(bytes);
				if (envelope.type === "dev.orion.clock.tick.v1") this.#noteTick(envelope.data);
				for (const { input, outputs } of history.push({ position, envelope })) {
					this.#state = [input, ...outputs].reduce(fold, this.#state);
				}
			}
			const last = page.at(-1);
			if (last === undefined) break;
			from = last.position + 1;
		}
		const { chapters, waiting } = history.finish();
		for (const { input, outputs } of chapters) this.#state = [input, ...outputs].reduce(fold, this.#state);
		for (const input of waiting) this.#state = fold(this.#state, input);
		this.#decidedUpTo = history.decidedUpTo;
		this.#readUpTo = log.head();
		if (this.#lastTick === undefined) await this.#findNewestTick();
	}

	/** After a clean end the snapshot stands behind the newest clock record: it is looked for from the end of the log. */
	async #findNewestTick(): Promise<void> {
		const { log } = this.#options;
		for (let to = log.head(); this.#lastTick === undefined && to >= log.first(); to -= PAGE_RECORDS) {
			const from = Math.max(log.first(), to - PAGE_RECORDS + 1);
			for (const { bytes } of await log.read(from, to - from + 1)) {
				const envelope = parseStored(bytes);
				if (envelope.type === "dev.orion.clock.tick.v1") this.#noteTick(envelope.data);
			}
		}
	}

	/** The records of the start itself: all but the start are folded only, because a start decides on everything at once. */
	async #foldUpTo(head: number): Promise<void> {
		while (this.#readUpTo < head) {
			for (const { position, envelope } of await this.#options.journal().read(this.#readUpTo + 1, PAGE_RECORDS)) {
				if (position > head || envelope.type === "dev.orion.engine.started.v1") return;
				this.#state = fold(this.#state, { position, envelope });
				this.#readUpTo = position;
			}
		}
	}

	#noteTick(data: { bootId?: string; monoMs?: number; wallMs: number; quality: string }): void {
		this.#lastTick = { bootId: data.bootId ?? "", monoMs: data.monoMs ?? 0, wallMs: data.wallMs, quality: data.quality };
	}

	/** Exact within one boot; across boots only two synced clocks can tell; else nobody knows. */
	#downtimeMs(): Duration | null {
		const { clock } = this.#options.world;
		const last = this.#lastTick;
		if (last === undefined) return null;
		if (last.bootId === clock.bootId && clock.bootMs() >= last.monoMs) return Math.floor(clock.bootMs() - last.monoMs) as Duration;
		const elapsedMs = clock.wall() - last.wallMs;
		return last.quality === "synced" && clock.quality() === "synced" && elapsedMs >= 0 ? (Math.floor(elapsedMs) as Duration) : null;
	}

	#wake(): Promise<void> {
		this.#again = true;
		this.#running ??= this.#run()
			.catch((error: unknown) => this.#options.world.fatal(error))
			.finally(() => {
				this.#running = undefined;
				if (this.#again && !this.#stopped) void this.#wake();
			});
		return this.#running;
	}

	async #run(): Promise<void> {
		const { log, journal } = this.#options;
		// Let the journal note what it just stored, so that nothing is parsed twice.
		await Promise.resolve();
		this.#again = false;
		this.#rush ??= new Rush(log, this.#options.world);
		let atOnce = DECIDE_RECORDS;
		while (this.#readUpTo < log.head()) {
			let decided = 0;
			for (const { position, envelope } of await journal().read(this.#readUpTo + 1, PAGE_RECORDS)) {
				if (!isOutput(envelope) && !(await this.#decide(position, envelope))) return;
				this.#readUpTo = position;
				decided += 1;
				if (decided < atOnce) continue;
				decided = 0;
				const headBefore = log.head();
				await this.#rush.giveWay(RUSH_TURNS);
				atOnce = log.head() === headBefore && !this.#rush.isOn() ? PAGE_RECORDS : DECIDE_RECORDS;
			}
		}
		if (this.#inputsSinceSnapshot >= SNAPSHOT_EVERY_INPUTS) await this.#snapshot();
		this.#armTimer();
	}

	/** False: it could not be recorded before the end, so it was not decided. */
	async #decide(position: number, envelope: Parameters<typeof step>[1]["envelope"]): Promise<boolean> {
		const { state, outputs } = (this.#options.step ?? step)(this.#state, { position, envelope });
		if (outputs.length > 0 && !(await this.#appendOutputs(outputs))) return false;
		this.#state = state;
		this.#decidedUpTo = position;
		this.#inputsSinceSnapshot += 1;
		return true;
	}

	/** A full disk stops the engine where it is: what it decided is not so until it is on disk. */
	async #appendOutputs(outputs: Parameters<Journal["appendOutputs"]>[0]): Promise<boolean> {
		const { world, journal } = this.#options;
		return (
			(await onceDiskHasRoom(
				() => journal().appendOutputs(outputs),
				world.timers,
				() => this.#stopping,
			)) !== undefined
		);
	}

	/** `atLeastMs`: how long to leave a disk that is full alone. */
	#armTimer(atLeastMs = 1): void {
		this.#cancelTimer?.();
		if (this.#stopped) return;
		const next = nextTimerMs(this.#state);
		const dueMs = next === undefined ? IDLE_TICK_MS : Math.min(IDLE_TICK_MS, Math.max(atLeastMs, Math.ceil(next - this.engineMs())));
		this.#cancelTimer = this.#options.world.timers.after(dueMs, () => {
			this.#options
				.journal()
				.tick()
				.catch((error: unknown) => {
					if (isDiskFull(error)) this.#armTimer(RETRY_FULL_DISK_MS);
					else if (!this.#stopped) this.#options.world.fatal(error);
				});
		});
	}

	async #snapshot(): Promise<void> {
		if (this.#inputsSinceSnapshot === 0) return;
		this.#inputsSinceSnapshot = 0;
		// Alternating files: a crash while writing one leaves the other.
		const file = SNAPSHOT_FILES[this.#snapshots % 2] ?? SNAPSHOT_FILES[0];
		this.#snapshots += 1;
		try {
			await this.#options.world.files.write(file, JSON.stringify(takeSnapshot(this.#state, this.#decidedUpTo, this.#options.code)), "plain");
		} catch {
			// A snapshot saves time and nothing else: without this one the older one, or the log, is folded. A full disk must not end the process.
		}
	}
}

const safeJson = (text: string): unknown => {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
};
