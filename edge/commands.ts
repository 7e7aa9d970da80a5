// Connects arriving commands to the gate, the gate's orders to disk and to the capabilities, and what came of them to receipts.
import { sha256Hex } from "../contracts/digest.ts";
import { checkContract } from "../contracts/envelope.ts";
import { OrionError } from "../contracts/errors.ts";
import type { ActionCommand } from "../contracts/gen/types.ts";
import type { CommandJournal } from "./command-journal.ts";
import type { Heard } from "./machines/beacon.ts";
import { type ActionArgs, type GateEffect, type GateSafety, type GateVerdict, judgeCommand, type Read } from "./machines/gate.ts";
import type { CommandArgs, Known, MarkEntry, Marks, Receipt } from "./machines/marks.ts";
import type { Note, Timers } from "./ports.ts";
import type { SessionStore } from "./session.ts";
import { type CoreKeys, verifySigned } from "./signed.ts";

export interface Outcome {
	readonly phase: "done" | "failed" | "unknown";
	readonly reason?: string;
	readonly detail?: string;
	readonly result?: Readonly<Record<string, string | number | boolean>>;
}

/** What this node can do; given by the capabilities. */
export interface Runner {
	actions(): Readonly<Record<string, ActionArgs>>;
	/** Never rejects. */
	run(action: string, args: CommandArgs, command: string): Promise<Outcome>;
	/** After a death in between: what became of it, as far as the world shows. */
	probe(action: string, args: CommandArgs, command: string): Promise<Outcome>;
}

export interface CommandsOptions {
	readonly mesh: string;
	readonly node: string;
	readonly keys: CoreKeys;
	readonly sessions: SessionStore;
	readonly journal: CommandJournal;
	readonly runner: Runner;
	readonly heard: () => Heard;
	readonly safety: () => GateSafety;
	/** Who stopped this node, if somebody did. */
	readonly stoppedBy: () => string | undefined;
	/** Resolves when the receipt is in the outbox. */
	readonly say: (receipt: Receipt) => Promise<void>;
	readonly timers: Timers;
	readonly note: Note;
}

const RUNNING_MAX = 16;
const WAITING_MAX = 256;
const RETRY_MS = 1_000;

const readCommand = (bytes: Uint8Array, keys: CoreKeys): Read => {
	const verified = verifySigned(bytes, "orion-command+jws", keys);
	if (verified.kind === "not-verified") return verified;
	const checked = checkContract("action.command", verified.payload);
	if (checked.ok) return { kind: "command", keyId: verified.keyId, command: checked.value satisfies ActionCommand };
	return { kind: "not-a-command", detail: `${String(checked.fault.facts["pointer"])}: ${String(checked.fault.facts["detail"])}` };
};

const isFull = (error: unknown): boolean => error instanceof OrionError && error.fault.code === "DISK_FULL";

export class Commands {
	readonly #options: CommandsOptions;
	readonly #running = new Set<string>();
	#waiting = 0;
	#queue: Promise<void> = Promise.resolve();
	#recovered = false;

	constructor(options: CommandsOptions) {
		this.#options = options;
	}

	get recovered(): boolean {
		return this.#recovered;
	}

	/** Effects are under way. */
	get busy(): boolean {
		return this.#running.size > 0 || this.#waiting > 0;
	}

	/** Before the first command is taken: what was left open is asked of the world and never done again. */
	async recover(): Promise<void> {
		const { journal, runner, note } = this.#options;
		for (const receipt of journal.untold()) await this.#tell({ ...receipt, repeat: true });
		for (const known of journal.unfinished()) {
			const outcome = await runner.probe(known.action, known.args, known.command);
			note("command-recovered", { command: known.command, phase: outcome.phase });
			await this.#finish(known, outcome);
		}
		this.#recovered = true;
	}

	/** One verdict after the other, in the order of arrival; effects run beside each other. */
	receive(topicAction: string, bytes: Uint8Array): Promise<void> {
		if (this.#waiting >= WAITING_MAX) {
			this.#options.note("command-dropped", { waiting: this.#waiting });
			return Promise.resolve();
		}
		this.#waiting += 1;
		const judged = this.#queue
			.then(() => this.#judge(topicAction, bytes))
			.finally(() => {
				this.#waiting -= 1;
			});
		this.#queue = judged.catch((error: unknown) => this.#options.note("command-failed", { detail: error instanceof Error ? error.message : "unknown" }));
		return this.#queue;
	}

	/** A newer core was heard: durable, so that a restart does not obey the older one. */
	termRaised(term: NonNullable<Marks["coreTerm"]>): Promise<void> {
		const raised = this.#queue.then(() => this.#options.journal.write({ kind: "term", counter: term.counter, keyId: term.keyId }));
		this.#queue = raised.catch((error: unknown) => this.#options.note("term-not-written", { detail: error instanceof Error ? error.message : "unknown" }));
		return this.#queue;
	}

	/** Resolves when every effect that was begun is over. */
	async idle(): Promise<void> {
		await this.#queue;
		while (this.#running.size > 0) await new Promise<void>((resolve) => this.#options.timers.after(20, resolve));
	}

	/** What the journal has and what was heard since, whichever is newer. */
	#marks(): Marks {
		const { journal, heard } = this.#options;
		const { term } = heard();
		const { marks } = journal;
		return term !== undefined && (marks.coreTerm === undefined || term.counter > marks.coreTerm.counter) ? { ...marks, coreTerm: term } : marks;
	}

	async #judge(topicAction: string, bytes: Uint8Array): Promise<void> {
		const { mesh, node, keys, sessions, runner, heard, safety, stoppedBy } = this.#options;
		const read = readCommand(bytes, keys);
		const session = sessions.current();
		const by = stoppedBy();
		const view = {
			mesh,
			node,
			session: session.id,
			nowTick: session.tick(),
			safety: this.#recovered || by !== undefined ? safety() : "boot",
			...(by === undefined ? {} : { stoppedBy: by }),
			actions: runner.actions(),
			policies: heard().policies,
			running: [...this.#running],
			runningMax: RUNNING_MAX,
		} as const;
		const verdict = judgeCommand(this.#marks(), view, { topicAction, fingerprint: sha256Hex(bytes).slice(0, 16), read });
		await this.#carryOut(verdict, read.kind === "command" ? read.command : undefined);
	}

	async #carryOut({ kind, effects }: GateVerdict, command: ActionCommand | undefined): Promise<void> {
		this.#options.note(`command-${kind}`, { command: command?.command ?? "unnamed", action: command?.action ?? "unnamed" });
		for (const effect of effects) {
			if (effect.kind === "write") {
				if (!(await this.#written(effect.entry))) return this.#refuseFull(command);
			} else this.#begin(effect);
		}
	}

	async #written(entry: MarkEntry): Promise<boolean> {
		try {
			await this.#options.journal.write(entry);
			return true;
		} catch (error) {
			if (isFull(error)) return false;
			throw error;
		}
	}

	/** What cannot be remembered is not done. */
	#refuseFull(command: ActionCommand | undefined): void {
		if (command === undefined) return;
		const detail = "the disk of this node is full, and what is not on disk is not done";
		void this.#say({ command: command.command, action: command.action, phase: "refused", reason: "disk-full", detail });
	}

	#begin(effect: Exclude<GateEffect, { kind: "write" }>): void {
		if (effect.kind === "say") {
			void this.#say(effect.receipt);
			return;
		}
		const { command, action, args } = effect;
		this.#running.add(command);
		this.#options.runner
			.run(action, args, command)
			.catch((error: unknown): Outcome => ({ phase: "unknown", reason: "capability-failed", detail: error instanceof Error ? error.message : "unknown" }))
			.then((outcome) => this.#finish({ command, action }, outcome))
			.catch((error: unknown) => this.#options.note("command-failed", { command, detail: error instanceof Error ? error.message : "unknown" }))
			.finally(() => this.#running.delete(command));
	}

	/** On disk first, then told: whoever asks later gets the same answer. */
	async #finish({ command, action }: Pick<Known, "command" | "action">, { phase, reason, detail, result }: Outcome): Promise<void> {
		const receipt: Receipt = {
			command,
			action,
			phase,
			...(reason === undefined ? {} : { reason: reason.slice(0, 64) }),
			...(detail === undefined || detail === "" ? {} : { detail: detail.slice(0, 2_000) }),
			...(result === undefined ? {} : { result }),
		};
		while (!(await this.#written({ kind: "receipt", receipt }))) await new Promise<void>((resolve) => this.#options.timers.after(RETRY_MS, resolve));
		await this.#tell(receipt);
	}

	async #tell(receipt: Receipt): Promise<void> {
		if (await this.#say(receipt)) await this.#written({ kind: "told", command: receipt.command });
	}

	async #say(receipt: Receipt): Promise<boolean> {
		try {
			await this.#options.say(receipt);
			return true;
		} catch (error) {
			// Core asks again, and the journal has the answer.
			this.#options.note("receipt-not-said", { command: receipt.command, detail: error instanceof Error ? error.message : "unknown" });
			return false;
		}
	}
}
