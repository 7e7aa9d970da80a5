// Connects a node that hears no core to its allowance: the signed bundle it keeps, the uses it counts on disk before each effect, and what it tells afterwards.
import { checkContract, type RecordType, type RecordTypes } from "../contracts/envelope.ts";
import { OrionError } from "../contracts/errors.ts";
import type { CoreBundle, NodePulse } from "../contracts/gen/types.ts";
import type { Outcome, Runner } from "./commands.ts";
import { type AloneVerdict, adoptBundle, endAlone, judgeAlone, type Known, type Level, nothingSpent, passAlone, type Spent } from "./machines/allowance.ts";
import type { KeptFiles, NodeClock, Note, Timers } from "./ports.ts";
import type { SessionStore } from "./session.ts";
import { type CoreKeys, verifySigned } from "./signed.ts";

export interface AloneOptions {
	readonly mesh: string;
	readonly node: string;
	readonly keys: CoreKeys;
	readonly files: KeptFiles;
	readonly sessions: SessionStore;
	readonly clock: NodeClock;
	readonly timers: Timers;
	readonly note: Note;
	readonly runner: Runner;
	readonly safety: () => NodePulse["safety"];
	readonly heardLevel: () => Level | undefined;
	/** Commands of core are under way. */
	readonly busy: () => boolean;
	readonly emit: <T extends RecordType>(type: T, data: RecordTypes[T]) => Promise<void>;
	/** Lowest term that this node obeys; a bundle of an older core is refused. */
	readonly termCounter: () => number;
}

const BUNDLE_FILE = "bundle.json";
const SPENT_FILE = "allowance.json";
/** A link that is gone for a moment is no reason to act; core may be acting itself. */
const SETTLE_MS = 2_000;
const LOOK_EVERY_MS = 1_000;
/** Time alone is written down this often: what a power cut forgets of it is less than this. */
const WRITE_EVERY_MS = 60_000;
/** A service that ends again at once is not started in a loop. */
const REPEAT_AFTER_MS = 5_000;
const WATCHED_MAX = 256;

type Facts = Readonly<Record<string, string | number | boolean | undefined>>;

interface Wrong {
	readonly type: string;
	readonly facts: Facts;
	/** Not looked at before this, milliseconds since the host booted. */
	readonly notBeforeMs: number;
	/** Refused for this already: told once. */
	readonly refusedFor?: string;
}

const readSpent = (text: string | undefined): Spent => {
	if (text === undefined) return nothingSpent;
	try {
		const value = JSON.parse(text) as Partial<Spent> & { readonly schema?: unknown };
		const numbers = [value.grant, value.aloneMs, value.acted, value.refused, value.sinceMs];
		if (
			value.schema === "orion.allowance/1" &&
			numbers.every((each) => typeof each === "number" && each >= 0) &&
			typeof value.used === "object" &&
			value.used !== null
		) {
			const { schema: _schema, ...spent } = value;
			// Written before uses were counted for ever: those that stand there are all that are known.
			return { total: value.used, ...spent } as Spent;
		}
	} catch {
		// Falls through to the one error below.
	}
	throw new OrionError("CONFIG_INVALID", {
		file: SPENT_FILE,
		line: 1,
		column: 1,
		detail: "is not what this node wrote; remove it together with bundle.json, and core grants anew",
	});
};

export class Alone {
	readonly #options: AloneOptions;
	#known: Known | undefined;
	#spent: Spent;
	/** What is wrong now, by service. */
	readonly #wrong = new Map<string, Wrong>();
	#aloneSinceMs: number | undefined;
	#countedMs = 0;
	#cancel: (() => void) | undefined;
	/** One change of the counts at a time. */
	#queue: Promise<void> = Promise.resolve();

	private constructor(options: AloneOptions, spent: Spent) {
		this.#options = options;
		this.#spent = spent;
	}

	/** The bundle on disk is verified like one that arrives. Fault: CONFIG_INVALID. */
	static async open(options: AloneOptions): Promise<Alone> {
		const alone = new Alone(options, readSpent(await options.files.read(SPENT_FILE)));
		const kept = await options.files.read(BUNDLE_FILE);
		if (kept !== undefined) {
			const read = alone.#read(new TextEncoder().encode(kept.trim()));
			if (typeof read === "string") options.note("bundle-refused", { why: read, from: "disk" });
			else alone.#adoptKept(adoptBundle(undefined, alone.#spent, read, options.mesh, options.node));
		}
		return alone;
	}

	/** Uses count against the grant that is known, also when their file is gone: the same grant that comes again gives none back. */
	#adoptKept(adopted: ReturnType<typeof adoptBundle>): void {
		if (adopted.kind !== "adopted") return;
		this.#known = adopted.known;
		this.#spent = adopted.spent;
	}

	get version(): number {
		return this.#known?.version ?? 0;
	}

	start(): void {
		this.#cancel = this.#options.timers.after(LOOK_EVERY_MS, () => {
			this.#look();
			this.start();
		});
	}

	async stop(): Promise<void> {
		this.#cancel?.();
		this.#count();
		await this.#exclusive(() => this.#writeSpent(this.#spent));
	}

	/** A bundle that arrived by topic; kept when it is genuine and newer. */
	bundle(bytes: Uint8Array): Promise<void> {
		const { mesh, node, files, note } = this.#options;
		const read = this.#read(bytes);
		if (typeof read === "string") {
			note("bundle-refused", { why: read });
			return Promise.resolve();
		}
		return this.#exclusive(async () => {
			const adopted = adoptBundle(this.#known, this.#spent, read, mesh, node);
			if (adopted.kind === "ignored") {
				if (adopted.why !== "older") note("bundle-refused", { why: adopted.why });
				return;
			}
			// The counts first: a grant that is known without them could be spent twice.
			if (adopted.spent !== this.#spent) await this.#writeSpent(adopted.spent);
			await files.write(BUNDLE_FILE, `${new TextDecoder().decode(bytes)}\n`, "plain");
			this.#known = adopted.known;
			note("bundle-adopted", { version: read.version, grant: adopted.known.grant?.number ?? 0 });
		});
	}

	/** Something that this node's capabilities said: wrong things are remembered until they are right again. */
	observed(type: RecordType, data: object): void {
		const facts = data as Facts;
		const about = typeof facts["service"] === "string" ? facts["service"] : "";
		const rows = this.#known?.rows ?? [];
		if (rows.some(({ on }) => on === type)) {
			if (this.#wrong.size < WATCHED_MAX || this.#wrong.has(about)) this.#wrong.set(about, { type, facts, notBeforeMs: this.#nowMs() });
		} else if (/^dev\.orion\.(process|unit|container)\.(up|stopped)\.v1$/.test(type)) this.#wrong.delete(about);
	}

	#nowMs(): number {
		return this.#options.clock.bootMs();
	}

	#read(bytes: Uint8Array): CoreBundle | string {
		const verified = verifySigned(bytes, "orion-policy+jws", this.#options.keys);
		if (verified.kind === "not-verified") return verified.reason;
		const checked = checkContract("core.bundle", verified.payload);
		if (!checked.ok) return "contract-violated";
		if (checked.value.coreTerm.keyId !== verified.keyId) return "key-mismatch";
		return checked.value.coreTerm.counter < this.#options.termCounter() ? "core-deposed" : checked.value;
	}

	#exclusive(work: () => Promise<void>): Promise<void> {
		const done = this.#queue.then(work);
		this.#queue = done.catch((error: unknown) => this.#options.note("alone-failed", { detail: error instanceof Error ? error.message : "unknown" }));
		return this.#queue;
	}

	async #writeSpent(spent: Spent): Promise<void> {
		await this.#options.files.write(SPENT_FILE, `${JSON.stringify({ schema: "orion.allowance/1", ...spent })}\n`, "plain");
		this.#spent = spent;
	}

	/** Adds the time alone since it was counted last. */
	#count(): void {
		if (this.#aloneSinceMs === undefined) return;
		const ms = Math.floor(this.#nowMs() - this.#aloneSinceMs) - this.#countedMs;
		if (ms <= 0) return;
		this.#countedMs += ms;
		this.#spent = passAlone(this.#spent, ms);
	}

	#look(): void {
		const alone = this.#options.safety() === "alone";
		if (alone && this.#aloneSinceMs === undefined) {
			this.#aloneSinceMs = this.#nowMs();
			this.#countedMs = 0;
		}
		if (!alone && this.#aloneSinceMs !== undefined && this.#options.safety() === "working") this.#end();
		if (!alone || this.#aloneSinceMs === undefined) return;
		const uncountedMs = this.#nowMs() - this.#aloneSinceMs - this.#countedMs;
		if (uncountedMs >= WRITE_EVERY_MS) {
			this.#count();
			void this.#exclusive(() => this.#writeSpent(this.#spent));
		}
		if (this.#nowMs() - this.#aloneSinceMs >= SETTLE_MS) void this.#exclusive(() => this.#treat());
	}

	/** Core is heard again: what was done without it is told, whatever it was. */
	#end(): void {
		this.#count();
		this.#aloneSinceMs = undefined;
		void this.#exclusive(async () => {
			const { acted, refused, sinceMs, grant } = this.#spent;
			// Nothing could be done in so short a time, and nothing was: a slow start or a blink of the link is no story.
			if (acted === 0 && refused === 0 && sinceMs < SETTLE_MS) return;
			await this.#options.emit("dev.orion.alone.ended.v1", { grant, aloneMs: sinceMs, acted: Math.min(acted, 1_000), refused: Math.min(refused, 1_000) });
			await this.#writeSpent(endAlone(this.#spent));
			for (const [about, wrong] of this.#wrong) this.#wrong.set(about, { type: wrong.type, facts: wrong.facts, notBeforeMs: wrong.notBeforeMs });
		});
	}

	async #treat(): Promise<void> {
		const { safety, sessions, heardLevel, busy } = this.#options;
		for (const [about, wrong] of this.#wrong) {
			if (wrong.notBeforeMs > this.#nowMs()) continue;
			this.#count();
			const view = { safety: safety(), counter: sessions.current().counter, heardLevel: heardLevel(), busy: busy() };
			const verdict = judgeAlone(this.#known, this.#spent, view, wrong);
			if (verdict.kind === "act") await this.#act(about, wrong, verdict);
			else if (verdict.kind === "refuse" && verdict.reason !== "busy" && wrong.refusedFor !== verdict.reason) await this.#refuse(about, wrong, verdict);
		}
	}

	async #act(about: string, wrong: Wrong, { row, action, args, spent, left }: Extract<AloneVerdict, { kind: "act" }>): Promise<void> {
		const { runner, emit, note } = this.#options;
		// Counted before it is done: a death in between costs a use, and never gives one.
		await this.#writeSpent(spent);
		this.#wrong.set(about, { ...wrong, notBeforeMs: this.#nowMs() + REPEAT_AFTER_MS });
		note("alone-acts", { row, action, left });
		const command = `alone-${spent.grant}-${row}-${spent.used[row] ?? 0}`;
		const outcome: Outcome = await runner.run(action, args, command);
		note("alone-acted", { row, outcome: outcome.phase });
		await emit("dev.orion.alone.acted.v1", {
			grant: spent.grant,
			row,
			action,
			args: { ...args },
			outcome: outcome.phase,
			left,
			uses: spent.total[row] ?? 1,
			...(outcome.detail === undefined || outcome.detail === "" ? {} : { detail: outcome.detail.slice(0, 2_000) }),
		});
	}

	async #refuse(about: string, wrong: Wrong, { row, action, args, reason }: Extract<AloneVerdict, { kind: "refuse" }>): Promise<void> {
		this.#wrong.set(about, { ...wrong, refusedFor: reason });
		this.#options.note("alone-refuses", { row, action, reason });
		await this.#writeSpent({ ...this.#spent, refused: this.#spent.refused + 1 });
		const { grant } = this.#spent;
		await this.#options.emit("dev.orion.alone.refused.v1", { ...(grant === 0 ? {} : { grant }), row, action, args: { ...args }, reason });
	}
}
