// Connects one supervised service to its process: found again or started, watched, stopped, restarted; each step on disk before it counts.
import type { RecordType, RecordTypes } from "../../contracts/envelope.ts";
import { type Ended, type Found, neverRan, OPENING, type Supervised, type SupervisionInput, supervise } from "../../edge/machines/supervision.ts";
import type { NodeClock, Note, Timers } from "../../edge/ports.ts";
import type { Outcome } from "./capability.ts";
import { type Child, type ChildEnd, endLeftovers, endProcess, lastLine, type Order, outputBytes, outputFile, startChild, watchProcess } from "./child.ts";
import type { KeptService, KeptServicesFile } from "./kept-services.ts";
import { argvHashOf, argvHashOfCommand, bootMsOf, findMarked, isAlive, observe, type Recorded, ticksOf } from "./process-table.ts";

export interface ServiceOptions {
	readonly name: string;
	/** undefined: it is not configured any more; what is left of it is ended. */
	readonly order: Order | undefined;
	readonly stopWithinMs: number;
	readonly folder: string;
	readonly bootId: string;
	readonly kept: KeptServicesFile;
	readonly clock: NodeClock;
	readonly timers: Timers;
	readonly note: Note;
	readonly newMark: () => string;
	readonly emit: <T extends RecordType>(type: T, data: RecordTypes[T]) => Promise<void>;
}

/** A service counts as running when it has lived this long. */
const LIVES_AFTER_MS = 300;

interface Running {
	readonly child: Child;
	readonly recorded: Recorded;
	readonly outputFrom: number;
}

export class Service {
	readonly #options: ServiceOptions;
	#state: Supervised = neverRan;
	#running: Running | undefined;
	#stopping = false;
	#unsaidEnd: Ended | undefined;
	/** One change at a time. */
	#queue: Promise<unknown> = Promise.resolve();

	constructor(options: ServiceOptions) {
		this.#options = options;
	}

	get state(): Supervised {
		return this.#state;
	}

	#exclusive<T>(work: () => Promise<T>): Promise<T> {
		const done = this.#queue.then(work);
		this.#queue = done.catch(() => undefined);
		return done;
	}

	#row(): KeptService {
		const { kept, name } = this.#options;
		return kept.get(name) ?? { phase: "down", starts: 0, downsBootMs: [] };
	}

	/** Finds out what became of it while no agent ran, and does what the table of openings says. */
	open(): Promise<void> {
		return this.#exclusive(async () => {
			const { kept, name, bootId, note, order } = this.#options;
			const row = kept.get(name);
			if (row !== undefined && row.bootId === bootId) {
				const { flappingSaidBootMs: flappingSaidMs } = row;
				this.#state = { ...this.#state, downsMs: row.downsBootMs, ...(flappingSaidMs === undefined ? {} : { flappingSaidMs }) };
			}
			this.#state = { ...this.#state, starts: row?.starts ?? 0 };
			const found = this.#find(row);
			if (order === undefined) return this.#retire(found.recorded);
			const opening = OPENING[row?.phase ?? "never-seen"][found.kind];
			note("service-found", { service: name, found: found.kind, opening });
			if (opening === "adopt" && found.recorded !== undefined) await this.#adopt(found.recorded);
			else if (opening === "start") await this.#start("started", undefined);
			else if (opening === "leave-stopped")
				await this.#step({ kind: "was-stopped", at: this.#now(), why: "action", ...(row?.action === undefined ? {} : { action: row.action }) });
			else await this.#sayDown(row, opening);
		});
	}

	#find(row: KeptService | undefined): { readonly kind: Found; readonly recorded?: Recorded } {
		const { bootId } = this.#options;
		const { intent, process: known } = row ?? {};
		if (known?.bootId === bootId && isAlive(known)) return { kind: "alive", recorded: known };
		if (intent?.bootId === bootId) {
			const orphan = findMarked(intent.mark, intent.fromTicks);
			const argvHash = orphan === undefined ? undefined : argvHashOf(orphan.pid);
			if (orphan !== undefined && argvHash !== undefined) return { kind: "alive", recorded: { pid: orphan.pid, startTicks: orphan.startTicks, argvHash } };
		}
		const from = intent?.bootId ?? known?.bootId;
		return { kind: from !== undefined && from !== bootId ? "host-rebooted" : "gone" };
	}

	async #adopt(recorded: Recorded): Promise<void> {
		const { bootId, timers } = this.#options;
		const { intent, ...row } = this.#row();
		// An orphan of a start that was not recorded counts as that start.
		const starts = intent === undefined ? row.starts : row.starts + 1;
		const action = intent?.action ?? row.action;
		this.#watch({ child: watchProcess(recorded, timers), recorded, outputFrom: 0 });
		await this.#save({ ...row, phase: "running", starts, process: { ...recorded, bootId }, ...(action === undefined ? {} : { action }) });
		await this.#step({
			kind: "ran",
			at: this.#now(),
			living: { pid: recorded.pid, startTicks: recorded.startTicks },
			how: "adopted",
			starts,
			...(intent?.action === undefined ? {} : { action: intent.action }),
		});
	}

	async #sayDown(row: KeptService | undefined, opening: "say-gone" | "say-down" | "adopt"): Promise<void> {
		if (opening === "say-down" && row?.lastDown !== undefined) {
			const ended = row.lastDown;
			this.#state = { downsMs: this.#state.downsMs, starts: row.starts, phase: "down", ended };
			return this.announce();
		}
		const pid = row?.process?.pid;
		await this.#down({ cause: "gone-while-away", ...(pid === undefined ? {} : { pid }) });
	}

	/** It is not configured any more: what still runs of it is ended, and forgotten. */
	async #retire(recorded: Recorded | undefined): Promise<void> {
		const { kept, name, stopWithinMs, timers } = this.#options;
		if (recorded !== undefined) {
			await endProcess(recorded, stopWithinMs, timers);
			await endLeftovers(recorded, stopWithinMs, timers);
			await this.#step({ kind: "was-stopped", at: this.#now(), why: "agent-stop" });
		}
		await kept.forget(name);
	}

	restart(action: string): Promise<Outcome> {
		return this.#exclusive(async () => {
			if (!(await this.#end())) return { phase: "failed", reason: "cannot-be-stopped", detail: "it did not end, not even when it was killed" };
			return this.#start("restarted", action);
		});
	}

	stop(why: "agent-stop" | "action", action?: string): Promise<Outcome> {
		return this.#exclusive(async () => {
			if (why === "agent-stop" && this.#state.phase !== "running") return { phase: "done" };
			if (!(await this.#end())) return { phase: "failed", reason: "cannot-be-stopped", detail: "it did not end, not even when it was killed" };
			const said = action === undefined ? {} : { action };
			await this.#save({ ...this.#row(), phase: why === "action" ? "stopped-by-action" : "stopped-by-agent", ...said });
			await this.#step({ kind: "was-stopped", at: this.#now(), why, ...said });
			return { phase: "done" };
		});
	}

	/** What became of a command that an earlier agent began: only what is seen counts. */
	probe(name: string, command: string): Outcome {
		const row = this.#row();
		const state = this.#state;
		if (row.action !== command) return { phase: "unknown", reason: "agent-died", detail: "the agent died before it could be seen whether it happened" };
		if (name === "process.stop") return state.phase === "stopped" ? { phase: "done" } : { phase: "unknown", reason: "agent-died" };
		if (state.phase === "running") return { phase: "done", result: { pid: state.pid } };
		return state.phase === "down"
			? { phase: "failed", reason: "ended", detail: state.ended.detail ?? "it was started, and ended while no agent ran" }
			: { phase: "unknown" };
	}

	/** Its command line may change while it runs; the newest one is what an adoption has to match. */
	refresh(): Promise<void> {
		return this.#exclusive(async () => {
			const running = this.#running;
			if (running === undefined) return;
			const recorded = await this.#settled(running.recorded);
			if (this.#running?.child === running.child) this.#running = { ...running, recorded };
		});
	}

	/** Says how it is, without a change. */
	announce(): Promise<void> {
		return this.#step({ kind: "asked", at: this.#now() });
	}

	/** The agent goes; the process stays. */
	leave(): void {
		this.#running?.child.leave();
		this.#running = undefined;
	}

	async #end(): Promise<boolean> {
		const { stopWithinMs, timers } = this.#options;
		await this.#sayEnd();
		const running = this.#running;
		if (running === undefined) return true;
		this.#stopping = true;
		try {
			if (!(await endProcess(running.recorded, stopWithinMs, timers))) return false;
			await running.child.ended;
			await endLeftovers(running.recorded, stopWithinMs, timers);
			this.#running = undefined;
			return true;
		} finally {
			this.#stopping = false;
		}
	}

	async #start(how: "started" | "restarted", action: string | undefined): Promise<Outcome> {
		const { name, order, folder, bootId, newMark, stopWithinMs, timers } = this.#options;
		const { process: before, lastDown: _lastDown, intent: _intent, ...row } = this.#row();
		if (order === undefined) return { phase: "failed", reason: "not-configured" };
		if (before?.bootId === bootId) await endLeftovers(before, stopWithinMs, timers);
		const mark = newMark();
		const said = action === undefined ? {} : { action };
		const intent = { mark, fromTicks: Math.max(0, ticksOf(this.#now()) - 1), bootId, ...said };
		try {
			await this.#save({ ...row, phase: "starting", intent });
		} catch (error) {
			// What could not be found again is not started.
			const detail = error instanceof Error ? error.message : "unknown";
			await this.#down({ cause: "not-started", detail: detail.slice(0, 2_000) });
			return { phase: "failed", reason: "not-recorded", detail };
		}
		const outputFrom = outputBytes(outputFile(folder, name));
		let child: Child;
		try {
			child = await startChild(folder, name, order, mark);
		} catch (error) {
			const detail = error instanceof Error ? error.message : "unknown";
			await this.#down({ cause: "not-started", detail: detail.slice(0, 2_000) }, said);
			return { phase: "failed", reason: "cannot-start", detail };
		}
		const argvHash = argvHashOf(child.pid) ?? argvHashOfCommand(order.command);
		const recorded: Recorded = { pid: child.pid, startTicks: observe(child.pid)?.startTicks ?? ticksOf(this.#now()), argvHash };
		const starts = row.starts + 1;
		// If this cannot be written the intent still finds the process.
		await this.#save({ ...row, phase: "running", starts, process: { ...recorded, bootId }, ...said }).catch((error: unknown) => this.#unwritten(error));
		const ended = await Promise.race([child.ended, new Promise<undefined>((resolve) => timers.after(LIVES_AFTER_MS, () => resolve(undefined)))]);
		this.#state = { ...this.#state, starts };
		if (ended !== undefined) return this.#endedAtOnce(recorded, outputFrom, ended);
		const settled = await this.#settled(recorded);
		this.#watch({ child, recorded: settled, outputFrom });
		await this.#step({ kind: "ran", at: this.#now(), living: { pid: settled.pid, startTicks: settled.startTicks }, how, starts, ...said });
		return { phase: "done", result: { pid: settled.pid } };
	}

	/** Some rewrite their command line while they start; it is the settled one that an adoption will see. */
	async #settled(recorded: Recorded): Promise<Recorded> {
		const argvHash = argvHashOf(recorded.pid);
		const row = this.#row();
		if (argvHash === undefined || argvHash === recorded.argvHash || row.process === undefined) return recorded;
		await this.#save({ ...row, process: { ...row.process, argvHash } }).catch((error: unknown) => this.#unwritten(error));
		return { ...recorded, argvHash };
	}

	async #endedAtOnce(recorded: Recorded, outputFrom: number, end: ChildEnd): Promise<Outcome> {
		const ended = this.#describe(recorded, outputFrom, end);
		await this.#down(ended);
		const how = ended.signal === undefined ? `with exit code ${ended.exitCode ?? "unknown"}` : `by ${ended.signal}`;
		return { phase: "failed", reason: "ended-at-once", detail: `it ended ${how}${ended.detail === undefined ? "" : `: ${ended.detail}`}` };
	}

	#describe({ pid, startTicks }: Recorded, outputFrom: number, end: ChildEnd): Ended {
		const { folder, name } = this.#options;
		const detail = lastLine(outputFile(folder, name), outputFrom);
		const aliveMs = Math.max(0, Math.round(this.#now() - bootMsOf(startTicks)));
		return { cause: end.signal === undefined ? "exited" : "killed", pid, ...end, aliveMs, ...(detail === undefined ? {} : { detail }) };
	}

	#watch(running: Running): void {
		this.#running = running;
		void running.child.ended.then((end) => {
			// An end that was asked for is no surprise; whoever asked says it.
			if (this.#stopping || this.#running?.child !== running.child) return;
			this.#running = undefined;
			this.#unsaidEnd = this.#describe(running.recorded, running.outputFrom, end);
			void this.#exclusive(() => this.#sayEnd()).catch((error: unknown) => this.#unwritten(error));
		});
	}

	/** An end is said before anything else is done with the service, so that it never speaks of the process after it. */
	async #sayEnd(): Promise<void> {
		const ended = this.#unsaidEnd;
		this.#unsaidEnd = undefined;
		if (ended !== undefined) await this.#down(ended);
	}

	async #down(ended: Ended, said: { readonly action?: string } = {}): Promise<void> {
		const { intent: _intent, ...row } = this.#row();
		const input: SupervisionInput = { kind: "ended", at: this.#now(), ended };
		const { state, events } = supervise(this.#options.name, this.#state, input);
		this.#state = state;
		// Unwritten it is found out again at the next start.
		await this.#save({ ...row, ...said, phase: "down", lastDown: ended }).catch((error: unknown) => this.#unwritten(error));
		await this.#say(events);
	}

	async #step(input: SupervisionInput): Promise<void> {
		const { state, events } = supervise(this.#options.name, this.#state, input);
		this.#state = state;
		await this.#say(events);
	}

	async #say(events: ReturnType<typeof supervise>["events"]): Promise<void> {
		for (const { type, data } of events) {
			// What the disk refuses now is said again within a minute.
			await this.#options.emit(type, data as never).catch((error: unknown) => this.#unwritten(error));
		}
	}

	async #save(row: KeptService): Promise<void> {
		const { kept, name, bootId } = this.#options;
		const { downsMs, flappingSaidMs } = this.#state;
		const flapping = flappingSaidMs === undefined ? {} : { flappingSaidBootMs: Math.floor(flappingSaidMs) };
		await kept.put(name, { ...row, bootId, downsBootMs: downsMs.map(Math.floor), ...flapping });
	}

	#unwritten(error: unknown): void {
		this.#options.note("service-unwritten", { service: this.#options.name, detail: error instanceof Error ? error.message : "unknown" });
	}

	#now(): number {
		return this.#options.clock.bootMs();
	}
}
