// Connects a person who wants to move a node to it: core vouches for the person's key once, then only carries what that key signs, and records beginning and end.
import { fail } from "../../contracts/errors.ts";
import type { LeaseOpen } from "../../contracts/gen/types.ts";
import { ok, type Result } from "../../contracts/result.ts";
import { nodeTopic } from "../../contracts/topics.ts";
import type { Journal } from "./journal.ts";
import type { CoreKey } from "./keys.ts";
import type { Live } from "./live.ts";
import type { Publish } from "./rounds.ts";
import type { World } from "./world.ts";

export interface MotionLeasesOptions {
	readonly mesh: string;
	readonly key: CoreKey;
	readonly journal: Journal;
	readonly live: Live;
	readonly world: World;
	/** 16 hex characters that no other lease has. */
	readonly newLease: () => string;
}

export interface MotionAsked {
	readonly node: string;
	readonly holder: string;
	readonly holderKey: string;
	readonly purpose: LeaseOpen["purpose"];
	readonly ttlMs: number;
	readonly bounds: LeaseOpen["bounds"];
	readonly via: string;
}

/** What the holder echoes: the node's own newest word. */
export interface MoverHeard {
	readonly node: string;
	readonly session: string;
	readonly tick: number;
	readonly armEpoch: number;
	readonly safety: string;
}

export interface MotionOpened extends MoverHeard {
	readonly lease: string;
}

/** A node that was not heard for this long has no tick that a lease could count from. */
const HEARD_WITHIN_MS = 1_000;
const NOT_RENEWED_AFTER_MS = 3_000;
const SIGNED_BYTES_MAX = 4_096;

interface Held {
	readonly lease: string;
	cancel: () => void;
}

export class MotionLeases {
	readonly #options: MotionLeasesOptions;
	readonly #held = new Map<string, Held>();
	#publish: Publish | undefined;

	constructor(options: MotionLeasesOptions) {
		this.#options = options;
	}

	connect(publish: Publish): void {
		this.#publish = publish;
	}

	/** Faults: MOVER_NOT_HEARD. Whether the node takes it is the node's to say: its pulse becomes `moving`. */
	async open(asked: MotionAsked): Promise<Result<MotionOpened>> {
		const { mesh, key, journal, newLease } = this.#options;
		const heard = this.#heard(asked.node);
		if (!heard.ok) return heard;
		const { node, session, tick, armEpoch } = heard.value;
		const { holder, holderKey, purpose, ttlMs, bounds, via } = asked;
		const lease = newLease();
		const open: LeaseOpen = { v: 1, mesh, node, session, lease, armEpoch, tick, ttlMs, holder, holderKey, purpose, bounds };
		this.#send(node, Buffer.from(await key.sign("orion-lease-open+jws", open)));
		// Nobody renews a way down.
		if (purpose !== "sit") this.#watch(node, lease);
		await journal.note("/core/operator", "dev.orion.lease.opened.v1", { lease, node, holder, purpose, armEpoch, bounds, via });
		return ok({ ...heard.value, lease });
	}

	/** Carried as it is: only the node can tell whether the holder signed it. Faults: MOVER_NOT_HEARD, TOO_LARGE. */
	renew(node: string, lease: string, signed: string): Result<MoverHeard> {
		if (signed.length > SIGNED_BYTES_MAX) return fail("TOO_LARGE", { bytes: signed.length, bytesMax: SIGNED_BYTES_MAX });
		this.#send(node, Buffer.from(signed));
		if (this.#held.get(node)?.lease === lease) this.#watch(node, lease);
		return this.#heard(node);
	}

	/** The same, and the record of it. */
	end(node: string, lease: string, signed: string): Result<MoverHeard> {
		if (signed.length > SIGNED_BYTES_MAX) return fail("TOO_LARGE", { bytes: signed.length, bytesMax: SIGNED_BYTES_MAX });
		this.#send(node, Buffer.from(signed));
		this.#over(node, lease, "let-go");
		return this.#heard(node);
	}

	close(): void {
		for (const { cancel } of this.#held.values()) cancel();
		this.#held.clear();
	}

	#heard(node: string): Result<MoverHeard> {
		const pulse = this.#options.live.newest(node);
		if (pulse?.armEpoch === undefined || pulse.ageMs > HEARD_WITHIN_MS) return fail("MOVER_NOT_HEARD", { node });
		const { session, tick, armEpoch, safety } = pulse;
		return ok({ node, session, tick, armEpoch, safety });
	}

	#send(node: string, bytes: Uint8Array): void {
		this.#publish?.publish(nodeTopic(node, "lease"), bytes, { qos: 0, retain: false }).catch(() => undefined);
	}

	#watch(node: string, lease: string): void {
		this.#held.get(node)?.cancel();
		this.#held.set(node, { lease, cancel: this.#options.world.timers.after(NOT_RENEWED_AFTER_MS, () => this.#over(node, lease, "not-renewed")) });
	}

	#over(node: string, lease: string, why: "let-go" | "not-renewed"): void {
		const held = this.#held.get(node);
		if (held?.lease !== lease) return;
		held.cancel();
		this.#held.delete(node);
		// The node stopped by itself; a record that cannot be written changes nothing about that.
		this.#options.journal.note("/core/operator", "dev.orion.lease.ended.v1", { lease, node, why }).catch(() => undefined);
	}
}
