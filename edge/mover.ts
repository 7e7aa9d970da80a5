// Connects the safe-stop of what moves to its servos, its disk, its orders and its leases: each effect in its order, targets only while they may be written.
import type { NodeSafety } from "../contracts/gen/types.ts";
import type { StopVerb } from "../contracts/stop-order.ts";
import { type Instant, instant } from "../contracts/time.ts";
import type { LeaseNews, Leases } from "./leases.ts";
import type { OpenLease } from "./machines/lease.ts";
import { stepMover } from "./machines/safe-stop.ts";
import type { MoverRules } from "./machines/safe-stop-rules.ts";
import { bootMover, type Mover, type MoverEffect, type MoverInput, type MoverRefusal, mayWrite, type SeenCause } from "./machines/safe-stop-state.ts";
import type { KeptFiles, Note } from "./ports.ts";

/** What the loop drives. Whatever it throws ends in fault, never in another try. */
export interface Servos {
	/** Outputs on; resolves when they are. */
	enable(): Promise<void>;
	/** Outputs off, at once: it neither waits nor throws. */
	disable(): void;
	/** Keeps the newest pose. */
	freeze(): void;
	/** Begins to sit down. */
	settle(): void;
	/** One target of what is allowed now; called once a tick. `done`: it stands, or sits. */
	step(kind: "rising" | "moving" | "settling" | "calibrating", at: Instant, lease: OpenLease | undefined): "going" | "done";
}

export interface MoverOptions {
	readonly rules: MoverRules;
	readonly servos: Servos;
	readonly files: KeptFiles;
	readonly leases: Leases;
	/** Monotonic milliseconds. */
	readonly nowMs: () => number;
	readonly note: Note;
	/** Its kind or its epoch changed: whoever watches is told. */
	readonly onChange: (state: Mover) => void;
}

export type Asked = { readonly ok: true } | { readonly ok: false; readonly reason: MoverRefusal; readonly detail: string };

const FILE = "armed.json";

interface Kept {
	readonly armed: boolean;
	readonly armEpoch: number;
}

/** A file that cannot be read may have said that it was armed. */
const parseKept = (text: string | undefined): Kept => {
	if (text === undefined) return { armed: false, armEpoch: 0 };
	try {
		const value: unknown = JSON.parse(text);
		const { armed, armEpoch } = (typeof value === "object" && value !== null ? value : {}) as Readonly<Record<string, unknown>>;
		if (typeof armed === "boolean" && typeof armEpoch === "number" && Number.isSafeInteger(armEpoch)) return { armed, armEpoch };
	} catch {
		// As below.
	}
	return { armed: true, armEpoch: 0 };
};

export class MoverLoop {
	readonly #options: MoverOptions;
	#state: Mover;
	#lease: OpenLease | undefined;
	#writing: Promise<void> = Promise.resolve();
	#refused: Extract<MoverEffect, { kind: "refused" }> | undefined;

	private constructor(options: MoverOptions, { armed, armEpoch }: Kept) {
		this.#options = options;
		this.#state = bootMover(instant(options.nowMs()), armEpoch + 1);
		if (!armed) return;
		this.#take({ kind: "seen", cause: "found-armed", present: true });
		this.#take({ kind: "seen", cause: "found-armed", present: false });
	}

	static async open(options: MoverOptions): Promise<MoverLoop> {
		return new MoverLoop(options, parseKept(await options.files.read(FILE)));
	}

	get state(): Mover {
		return this.#state;
	}

	/** What it says of itself; the latch is said beside it. */
	safety(): Pick<NodeSafety, "kind" | "state" | "armEpoch" | "cause"> {
		const { kind, armEpoch, cause } = this.#state;
		return { kind: "mover", state: kind, armEpoch, ...(cause === undefined ? {} : { cause }) };
	}

	/** Every 20 ms, by the loop that also feeds the dead-man: deadlines first, then one target. */
	tick(): void {
		this.#take({ kind: "time" });
		const { kind, at } = this.#state;
		if (!mayWrite(this.#state, instant(this.#options.nowMs()))) return;
		if (kind !== "rising" && kind !== "moving" && kind !== "settling" && kind !== "calibrating") return;
		this.#drive(() => {
			const done = this.#options.servos.step(kind, at, this.#lease) === "done";
			if (done && kind === "rising") this.#take({ kind: "risen" });
			if (done && kind === "settling") this.#take({ kind: "settled" });
		});
	}

	/** The board answers, outputs are off, everything was looked at. */
	ready(): Asked {
		return this.#ask({ kind: "ready" });
	}
	/** Core was heard. */
	heard(): void {
		this.#take({ kind: "heard" });
	}
	seen(cause: SeenCause, present: boolean): void {
		if (this.#state.seen.includes(cause) !== present) this.#take({ kind: "seen", cause, present });
	}
	/** What the latch of this node holds now. */
	held(verb: StopVerb | undefined): void {
		this.seen("cut", verb === "cut");
		this.seen("stop", verb === "stop");
	}
	arm(armEpoch: number): Asked {
		return this.#ask({ kind: "arm", armEpoch });
	}
	resume(armEpoch: number): Asked {
		return this.#ask({ kind: "resume", armEpoch });
	}
	sit(): Asked {
		return this.#ask({ kind: "sit" });
	}
	/** A person at the node. */
	presence(): Asked {
		return this.#ask({ kind: "presence" });
	}

	/** A message of the lease topic. */
	lease(bytes: Uint8Array): LeaseNews {
		// What ran out while nobody looked is over before anything is prolonged.
		this.#take({ kind: "time" });
		const news = this.#options.leases.take(bytes);
		if (news.kind === "ended") this.#take({ kind: "lease-end", holder: news.lease });
		if (news.kind === "held") {
			const { armEpoch, lease, purpose } = news.lease;
			const asked = this.#ask({ kind: "lease", armEpoch, holder: lease, until: instant(this.#options.nowMs() + news.leftMs), purpose });
			if (!asked.ok) {
				this.#options.leases.drop();
				return { kind: "refused", reason: asked.reason, detail: asked.detail };
			}
			this.#lease = news.lease;
		}
		return news;
	}

	/** Resolves when what is so now is on disk, or could not be written. */
	settled(): Promise<void> {
		return this.#writing;
	}

	#ask(input: Unstamped): Asked {
		this.#refused = undefined;
		this.#take(input);
		// Read through a call: the step before may have set it.
		const refused = this.#newestRefusal();
		return refused === undefined ? { ok: true } : { ok: false, reason: refused.reason, detail: refused.detail };
	}

	#newestRefusal(): Extract<MoverEffect, { kind: "refused" }> | undefined {
		return this.#refused;
	}

	#take(input: Unstamped): void {
		const before = this.#state;
		const { state, effects } = stepMover(this.#options.rules, before, { ...input, at: instant(this.#options.nowMs()) } as MoverInput);
		this.#state = state;
		if (state.lease === undefined && before.lease !== undefined) {
			this.#lease = undefined;
			this.#options.leases.drop();
		}
		for (const effect of effects) this.#carryOut(effect);
		if (state.kind !== before.kind || state.armEpoch !== before.armEpoch) this.#options.onChange(this.#state);
	}

	#carryOut(effect: MoverEffect): void {
		const { servos, note } = this.#options;
		switch (effect.kind) {
			case "disable":
				servos.disable();
				return;
			case "freeze":
				this.#drive(() => servos.freeze());
				return;
			case "settle":
				this.#drive(() => servos.settle());
				return;
			case "enable":
				servos.enable().catch((error: unknown) => this.#broke(error));
				return;
			case "keep-armed":
				this.#keepArmed(this.#state.armEpoch);
				return;
			case "keep-off":
				this.#write(false, this.#state.armEpoch).catch((error: unknown) => note("armed-not-written", { detail: sayError(error) }));
				return;
			case "refused":
				this.#refused = effect;
		}
	}

	/** Nothing is enabled before it is on disk that it may be; what cannot be written is not armed. */
	#keepArmed(armEpoch: number): void {
		this.#write(true, armEpoch).then(
			() => this.#take({ kind: "armed-kept", armEpoch }),
			(error: unknown) => {
				this.#options.note("armed-not-written", { detail: sayError(error) });
				this.seen("driver-error", true);
				this.seen("driver-error", false);
			},
		);
	}

	/** One after the other, so that the newest is what stays. */
	#write(armed: boolean, armEpoch: number): Promise<void> {
		const writing = this.#writing.then(() => this.#options.files.write(FILE, `${JSON.stringify({ schema: "orion.armed/1", armed, armEpoch })}\n`, "plain"));
		this.#writing = writing.catch(() => undefined);
		return writing;
	}

	#drive(work: () => void): void {
		try {
			work();
		} catch (error) {
			this.#broke(error);
		}
	}

	#broke(error: unknown): void {
		this.#options.note("servos-failed", { detail: sayError(error) });
		this.seen("driver-error", true);
	}
}

type Unstamped = MoverInput extends infer Input ? (Input extends MoverInput ? Omit<Input, "at"> : never) : never;

const sayError = (error: unknown): string => (error instanceof Error ? error.message : "unknown");
