// Connects signed leases on the lease topic to the machine that decides about them: opened by core's word for a person, renewed and ended by that person's key.
import { checkContract } from "../contracts/envelope.ts";
import type { LeaseRenew } from "../contracts/gen/types.ts";
import type { LeaseBook, LeaseStep, LeaseView, OpenLease } from "./machines/lease.ts";
import { endLease, liveLease, noLease, openLease, renewLease } from "./machines/lease.ts";
import type { SessionStore } from "./session.ts";
import { type CoreKeys, coreKeysOf, keyIdOf, type SignedKind, verifySigned } from "./signed.ts";

export interface LeasesOptions {
	readonly mesh: string;
	readonly node: string;
	readonly keys: CoreKeys;
	readonly sessions: SessionStore;
	readonly armEpoch: () => number;
}

export type LeaseNews =
	| { readonly kind: "held"; readonly lease: OpenLease; readonly leftMs: number; readonly motion: LeaseRenew["motion"] }
	| { readonly kind: "ended"; readonly lease: string }
	| { readonly kind: "sit"; readonly by: string }
	| { readonly kind: "refused"; readonly reason: string; readonly detail: string };

const refused = (reason: string, detail: string): LeaseNews => ({ kind: "refused", reason, detail });

export class Leases {
	readonly #options: LeasesOptions;
	#book: LeaseBook = noLease;
	/** Of the holder; made once for each lease, not for each renewal. */
	#holderKeys: { readonly lease: string; readonly keys: CoreKeys } | undefined;

	constructor(options: LeasesOptions) {
		this.#options = options;
	}

	/** Stopped: what was held is not held any more, whatever is still on its way. */
	drop(): void {
		this.#book = { ...this.#book, open: undefined };
	}

	take(bytes: Uint8Array): LeaseNews {
		const { keys } = this.#options;
		const view = this.#view();
		const open = liveLease(this.#book, view.nowTick).open;
		const renewed = this.#read("orion-lease-renew+jws", "lease.renew", bytes, this.#keysOf(open));
		if (renewed.kind === "read") return this.#become(renewLease(this.#book, view, renewed.value), view, renewed.value.motion);
		const ended = this.#read("orion-lease-end+jws", "lease.end", bytes, this.#keysOf(open));
		if (ended.kind === "read") return this.#become(endLease(this.#book, view, ended.value), view);
		const opened = this.#read("orion-lease-open+jws", "lease.open", bytes, keys);
		if (opened.kind === "read") return this.#become(openLease(this.#book, view, opened.value), view);
		const found = [renewed, ended, opened].find(({ reason }) => reason !== "malformed") ?? opened;
		return refused(found.reason, found.detail);
	}

	#view(): LeaseView {
		const { mesh, node, sessions, armEpoch } = this.#options;
		const session = sessions.current();
		return { mesh, node, session: session.id, nowTick: session.tick(), armEpoch: armEpoch() };
	}

	#keysOf(open: OpenLease | undefined): CoreKeys {
		if (open === undefined) return new Map();
		if (this.#holderKeys?.lease !== open.lease)
			this.#holderKeys = { lease: open.lease, keys: coreKeysOf("lease", [{ keyId: keyIdOf(open.holderKey), publicKey: open.holderKey }]) };
		return this.#holderKeys.keys;
	}

	#read<K extends "lease.open" | "lease.renew" | "lease.end">(kind: SignedKind, contract: K, bytes: Uint8Array, keys: CoreKeys) {
		const verified = verifySigned(bytes, kind, keys);
		if (verified.kind === "not-verified") return verified;
		const checked = checkContract(contract, verified.payload);
		return checked.ok
			? { kind: "read" as const, value: checked.value }
			: { kind: "not-verified" as const, reason: "contract-violated" as const, detail: String(checked.fault.facts["pointer"]) };
	}

	#become(step: LeaseStep, view: LeaseView, motion?: LeaseRenew["motion"]): LeaseNews {
		this.#book = step.book;
		switch (step.kind) {
			case "held":
				return { kind: "held", lease: step.open, leftMs: step.open.untilTick - view.nowTick, motion };
			case "ended":
				return { kind: "ended", lease: step.lease };
			case "sit":
				return { kind: "sit", by: step.by };
			case "refused":
				return refused(step.reason, step.detail);
		}
	}
}
