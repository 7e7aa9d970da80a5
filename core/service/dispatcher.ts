// Connects actions in the log to nodes: signs each once, records the signed command before it is handed over, and asks about those without an answer.
import type { Envelope } from "../../contracts/envelope.ts";
import { sayFault } from "../../contracts/errors.ts";
import type { ActionCommand } from "../../contracts/gen/types.ts";
import { nodeTopic } from "../../contracts/topics.ts";
import type { Log } from "../../log/port.ts";
import type { EngineState } from "../state.ts";
import type { Entered } from "./audit.ts";
import { onceDiskHasRoom } from "./full-disk.ts";
import type { Journal } from "./journal.ts";
import type { CoreKey } from "./keys.ts";
import type { Live } from "./live.ts";
import type { CoreTerm } from "./ports.ts";
import type { World } from "./world.ts";

/** The way to a node; "nobody" when it is not there to receive it now. Nothing is queued. */
export interface Delivery {
	deliver(node: string, topic: string, bytes: Uint8Array): Promise<"delivered" | "nobody">;
}

export interface DispatcherOptions {
	readonly log: Log;
	readonly journal: Journal;
	readonly key: CoreKey;
	readonly term: CoreTerm;
	readonly mesh: string;
	readonly live: Live;
	readonly delivery: Delivery;
	/** Nothing is handed over before what is said of it in the log has its entry in the audit. */
	readonly audit: { entered(position: number): Promise<Entered> };
	readonly world: World;
	readonly state: () => EngineState;
}

type Requested = Envelope<"dev.orion.action.requested.v1">;
type Dispatched = Envelope<"dev.orion.action.dispatched.v1">;

/** A command, and where the log says that it was signed. */
interface Signed {
	readonly jws: string;
	readonly position: number;
}

const CURSOR = "dispatcher";
const SOURCE = "/core/dispatcher";
const PAGE_RECORDS = 256;
const WHY_LENGTH_MAX = 500;
const ABOUT_ACTIONS = "dev.orion.action.";
/** Each move is two fsyncs, in the way of the log's own; reading so many records again after a restart takes a tenth of a second and does nothing twice. */
const CURSOR_EVERY_RECORDS = 4_096;

export class Dispatcher {
	readonly #options: DispatcherOptions;
	/** Actions that are not closed: where they stand in the log, and the command once it is signed. */
	readonly #open = new Map<string, { readonly position: number; readonly requested: Requested; signed?: Signed }>();
	readonly #encoder = new TextEncoder();
	#readUpTo = 0;
	#running: Promise<void> | undefined;
	#again = false;
	#stopListening: (() => void) | undefined;
	#stopping = false;

	constructor(options: DispatcherOptions) {
		this.#options = options;
	}

	/** Reads on from its cursor. What was signed before the last end is handed over again, byte for byte: the gate knows repeats. */
	async start(): Promise<void> {
		const { log } = this.#options;
		this.#readUpTo = Math.max(log.cursor(CURSOR), log.first() - 1);
		const head = log.head();
		while (this.#readUpTo < head) await this.#page((record) => this.#learn(record), head);
		for (const [action, { requested, signed }] of [...this.#open]) await (signed === undefined ? this.#dispatch(action) : this.#deliver(requested, signed));
		this.#stopListening = log.onCommit(() => void this.#wake());
		await this.#wake();
	}

	async stop(): Promise<void> {
		this.#stopListening?.();
		this.#stopping = true;
		while (this.#running !== undefined) await this.#running;
		await this.#moveCursor(1).catch(() => undefined);
	}

	#wake(): Promise<void> {
		this.#again = true;
		this.#running ??= this.#run()
			.catch((error: unknown) => this.#options.world.fatal(error))
			.finally(() => {
				this.#running = undefined;
				if (this.#again) void this.#wake();
			});
		return this.#running;
	}

	async #run(): Promise<void> {
		this.#again = false;
		while (this.#readUpTo < this.#options.log.head()) await this.#page((record) => this.#follow(record), Number.POSITIVE_INFINITY);
		await this.#moveCursor(CURSOR_EVERY_RECORDS);
	}

	async #page(each: (record: { position: number; envelope: Envelope }) => Promise<void> | void, upTo: number): Promise<void> {
		for (const record of await this.#options.journal.read(this.#readUpTo + 1, PAGE_RECORDS)) {
			if (record.position > upTo) return;
			// Of a flood of messages none is its business, and to wait for nothing costs a turn each.
			if (record.envelope.type.startsWith(ABOUT_ACTIONS)) await each(record);
			this.#readUpTo = record.position;
		}
	}

	/** Before the oldest action that is still open: a restart finds its command again. */
	async #moveCursor(atLeast: number): Promise<void> {
		const oldest = Math.min(this.#readUpTo, ...[...this.#open.values()].map(({ position }) => position - 1));
		if (oldest - this.#options.log.cursor(CURSOR) >= atLeast) await this.#onDisk(() => this.#options.log.setCursor(CURSOR, oldest));
	}

	#learn({ position, envelope }: { position: number; envelope: Envelope }): void {
		switch (envelope.type) {
			case "dev.orion.action.requested.v1":
				this.#open.set(envelope.data.action, { position, requested: envelope });
				break;
			case "dev.orion.action.dispatched.v1": {
				const open = this.#open.get(envelope.data.action);
				if (open !== undefined) open.signed = { jws: envelope.data.jws, position };
				break;
			}
			case "dev.orion.action.closed.v1":
				this.#open.delete(envelope.data.action);
				break;
			default:
		}
	}

	async #follow(record: { position: number; envelope: Envelope }): Promise<void> {
		this.#learn(record);
		const { envelope } = record;
		if (envelope.type === "dev.orion.action.requested.v1") await this.#dispatch(envelope.data.action);
		if (envelope.type === "dev.orion.action.asked.v1") {
			const open = this.#open.get(envelope.data.action);
			if (open?.signed !== undefined) await this.#deliver(open.requested, open.signed);
		}
	}

	async #dispatch(action: string): Promise<void> {
		const open = this.#open.get(action);
		if (open === undefined || open.signed !== undefined) return;
		const { key, journal, live, state, audit } = this.#options;
		const { node, session, notAfterMs } = open.requested.data;
		const entered = await audit.entered(open.position);
		if (entered === "ending") return;
		if (entered !== "entered") {
			await this.#undelivered(action, node, `it could not be entered in the audit: ${sayFault(entered)}`.slice(0, WHY_LENGTH_MAX));
			return;
		}
		// The command's own age counts from a fresh tick, so what waited here (a full disk, a long queue) is held against it here.
		const { actions, clock } = state();
		const waitedMs = clock.engineMs - (actions[action]?.requestedMs ?? clock.engineMs);
		if (waitedMs > notAfterMs) {
			await this.#undelivered(action, node, `it waited ${waitedMs} ms to be handed over, and is not to be done after ${notAfterMs} ms`);
			return;
		}
		const tick = live.tick(node, session);
		if (tick === undefined) {
			await this.#undelivered(action, node, `no pulse of ${node} in session ${session} was heard, so the age of a command could not be told`);
			return;
		}
		const jws = await key.sign("orion-command+jws", this.#command(open.requested, open.position, tick));
		const data: Dispatched["data"] = { action, node, position: open.position, jws, tick, session };
		const noted = await this.#onDisk(() => journal.note(SOURCE, "dev.orion.action.dispatched.v1", data, action));
		if (noted === undefined) return;
		open.signed = { jws, position: noted.value };
		if ((await this.#deliver(open.requested, open.signed)) === "nobody") await this.#undelivered(action, node, `${node} is away: nobody received the command`);
	}

	#command({ data }: Requested, seq: number, tick: number): ActionCommand {
		const { term, mesh } = this.#options;
		return {
			v: 1,
			mesh,
			node: data.node,
			command: data.action,
			action: data.name,
			args: data.args,
			incident: data.incident,
			decision: data.decision,
			...(data.approval === undefined ? {} : { approval: data.approval }),
			policyHash: data.policyHash,
			coreTerm: { ...term },
			seq,
			notAfterMs: data.notAfterMs,
			session: data.session,
			tick,
		};
	}

	/** What cannot be entered now is handed over again after the next start, byte for byte. */
	async #deliver({ data }: Requested, { jws, position }: Signed): Promise<"delivered" | "nobody" | "not entered"> {
		if ((await this.#options.audit.entered(position)) !== "entered") return "not entered";
		return this.#options.delivery.deliver(data.node, nodeTopic(data.node, "cmd", data.name), this.#encoder.encode(jws));
	}

	async #undelivered(action: string, node: string, why: string): Promise<void> {
		await this.#onDisk(() => this.#options.journal.note(SOURCE, "dev.orion.action.undelivered.v1", { action, node, why }, action));
	}

	#onDisk<T>(work: () => Promise<T>): Promise<{ readonly value: T } | undefined> {
		return onceDiskHasRoom(work, this.#options.world.timers, () => this.#stopping);
	}
}
