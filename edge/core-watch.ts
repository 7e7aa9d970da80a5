// Connects core's beacons to what this node knows of its core: whether it is heard, its term, and the policies in force.
import { checkContract } from "../contracts/envelope.ts";
import type { CoreBeacon } from "../contracts/gen/types.ts";
import { instant } from "../contracts/time.ts";
import { type BeaconStep, type Heard, hearBeacon, nothingHeard } from "./machines/beacon.ts";
import { type Echo, echoed, hearEcho } from "./machines/echo.ts";
import { type Presence, presence } from "./machines/presence.ts";
import type { NodeClock, Note, Timers } from "./ports.ts";
import type { SessionStore } from "./session.ts";
import { type CoreKeys, verifySigned } from "./signed.ts";

export interface CoreWatchOptions {
	readonly mesh: string;
	readonly node: string;
	readonly keys: CoreKeys;
	readonly sessions: SessionStore;
	readonly clock: NodeClock;
	readonly timers: Timers;
	readonly note: Note;
	readonly onChange: (presence: Presence["kind"]) => void;
	/** Each beacon of a core that is to be heard: its list of stops, and what else it says. */
	readonly onBeacon: (beacon: CoreBeacon) => void;
	/** A core that is newer than any heard before: everything it must know is said again. */
	readonly onTerm: (term: NonNullable<Heard["term"]>) => void;
	/** Core is heard and works with this node, and holds it for lost: what it is has to be said once more. */
	readonly onUnechoed: () => void;
	/** It has looked whether core is heard; the safety loop of a node that does not move. */
	readonly onTurn?: () => void;
}

const LOOK_EVERY_MS = 250;

export class CoreWatch {
	readonly #options: CoreWatchOptions;
	#heard: Heard;
	#presence: Presence = { kind: "boot" };
	#echo: Echo = echoed;
	#cancel: (() => void) | undefined;

	constructor(options: CoreWatchOptions, term: Heard["term"]) {
		this.#options = options;
		this.#heard = nothingHeard(term);
	}

	get heard(): Heard {
		return this.#heard;
	}
	get presence(): Presence["kind"] {
		return this.#presence.kind;
	}

	start(): void {
		this.#cancel = this.#options.timers.after(LOOK_EVERY_MS, () => {
			this.#step("time");
			this.#options.onTurn?.();
			this.start();
		});
	}

	stop(): void {
		this.#cancel?.();
	}

	/** A new session counts its ticks anew: what was remembered by old ones is forgotten, and core has to be heard again. */
	sessionBegan(): void {
		this.#heard = nothingHeard(this.#heard.term);
		this.#become({ kind: "boot" });
	}

	linkLost(): void {
		this.#step("link-lost");
	}

	beacon(bytes: Uint8Array): void {
		const read = this.#read(bytes);
		if (read.kind === "ignored") {
			this.#options.note("beacon-ignored", { why: read.why });
			return;
		}
		this.#heard = read.heard;
		if (read.termRaised && read.heard.term !== undefined) this.#options.onTerm(read.heard.term);
		this.#options.onBeacon(read.beacon);
		this.#step("beacon");
		this.#hearEcho(read.beacon);
	}

	#hearEcho({ ticks }: CoreBeacon): void {
		const { node, clock, onUnechoed } = this.#options;
		const { echo, saysAgain } = hearEcho(this.#echo, Object.hasOwn(ticks, node), instant(clock.bootMs()));
		this.#echo = echo;
		if (saysAgain && this.#presence.kind === "working") onUnechoed();
	}

	#read(bytes: Uint8Array): (Extract<BeaconStep, { kind: "heard" }> & { readonly beacon: CoreBeacon }) | { readonly kind: "ignored"; readonly why: string } {
		const { mesh, keys, sessions } = this.#options;
		const verified = verifySigned(bytes, "orion-beacon+jws", keys);
		if (verified.kind === "not-verified") return { kind: "ignored", why: verified.reason };
		const checked = checkContract("core.beacon", verified.payload);
		if (!checked.ok) return { kind: "ignored", why: "contract-violated" };
		const step = hearBeacon(this.#heard, mesh, verified.keyId, checked.value, sessions.current().tick());
		return step.kind === "heard" ? { ...step, beacon: checked.value } : step;
	}

	#step(kind: "beacon" | "link-lost" | "time"): void {
		this.#become(presence(this.#presence, { kind, at: instant(this.#options.clock.bootMs()) }));
	}

	#become(next: Presence): void {
		const before = this.#presence.kind;
		this.#presence = next;
		if (next.kind !== before) this.#options.onChange(next.kind);
	}
}
