// Decides who may move this node and until when: a lease counts from the tick of this node that its holder had heard, so that delay can only shorten it.
import type { LeaseEnd, LeaseOpen, LeaseRenew } from "../../contracts/gen/types.ts";

export interface OpenLease {
	readonly lease: string;
	readonly holder: string;
	/** Raw Ed25519 public key, base64url: whoever renews has its other half. */
	readonly holderKey: string;
	readonly session: string;
	readonly armEpoch: number;
	readonly purpose: LeaseOpen["purpose"];
	readonly bounds: LeaseOpen["bounds"];
	readonly ttlMs: number;
	readonly openedTick: number;
	/** Newest tick that the holder echoed, and the number of that renewal. */
	readonly tick: number;
	readonly number: number;
	/** When a message of this lease came last. */
	readonly heardTick: number;
	/** Exclusive, on this node's own axis. */
	readonly untilTick: number;
}

export interface LeaseBook {
	readonly open: OpenLease | undefined;
	/** Leases that were opened in this session, newest last: none is opened twice. */
	readonly used: readonly string[];
}

export interface LeaseView {
	readonly mesh: string;
	readonly node: string;
	readonly session: string;
	readonly nowTick: number;
	readonly armEpoch: number;
}

export type LeaseRefusal =
	| "other-mesh"
	| "other-node"
	| "other-session"
	| "other-epoch"
	| "other-lease"
	| "tick-from-the-future"
	| "too-old"
	| "used-before"
	| "held-by-other"
	| "replayed"
	| "link-slow"
	| "time-is-up";

export type LeaseStep =
	| { readonly kind: "held"; readonly book: LeaseBook; readonly open: OpenLease }
	| { readonly kind: "ended"; readonly book: LeaseBook; readonly lease: string }
	/** Somebody has it sit down, whoever holds it: nothing is held after that. */
	| { readonly kind: "sit"; readonly book: LeaseBook; readonly by: string }
	| { readonly kind: "refused"; readonly book: LeaseBook; readonly reason: LeaseRefusal; readonly detail: string };

const USED_MAX = 256;
/** Holders renew every 100 ms. What comes later than this after the one before came over a link that slowed down: it prolongs nothing. */
const RENEWAL_GAP_MS_MAX = 180;

export const noLease: LeaseBook = { open: undefined, used: [] };

const refuse = (book: LeaseBook, reason: LeaseRefusal, detail = ""): LeaseStep => ({ kind: "refused", book, reason, detail });

/** A lease that ran out is not open any more, whoever asks next. */
export const liveLease = (book: LeaseBook, nowTick: number): LeaseBook =>
	book.open !== undefined && nowTick >= book.open.untilTick ? { ...book, open: undefined } : book;

const addressed = (view: LeaseView, { mesh, node, session, armEpoch }: LeaseOpen | LeaseRenew): readonly [LeaseRefusal, string] | undefined => {
	if (mesh !== view.mesh) return ["other-mesh", mesh];
	if (node !== view.node) return ["other-node", node];
	if (session !== view.session) return ["other-session", session];
	return armEpoch === view.armEpoch ? undefined : ["other-epoch", `${armEpoch}, not ${view.armEpoch}`];
};

/** Good until the echoed tick + ttl, never until arrival + ttl; and never beyond the time that the bounds give. */
const untilOf = (tick: number, ttlMs: number, openedTick: number, bounds: LeaseOpen["bounds"]): number => Math.min(tick + ttlMs, openedTick + bounds.timeMs);

const judgeTick = ({ nowTick }: LeaseView, tick: number, untilTick: number): readonly [LeaseRefusal, string] | undefined => {
	if (tick > nowTick) return ["tick-from-the-future", `${tick}, it is ${nowTick}`];
	return untilTick <= nowTick ? ["too-old", `it was good until ${untilTick}, it is ${nowTick}`] : undefined;
};

export const openLease = (before: LeaseBook, view: LeaseView, asked: LeaseOpen): LeaseStep => {
	const book = liveLease(before, view.nowTick);
	const { lease, holder, holderKey, session, armEpoch, purpose, bounds, ttlMs, tick } = asked;
	const untilTick = untilOf(tick, ttlMs, tick, bounds);
	const wrong = addressed(view, asked) ?? judgeTick(view, tick, untilTick);
	if (wrong !== undefined) return refuse(book, ...wrong);
	if (book.used.includes(lease)) return refuse(book, "used-before", lease);
	const used = [...book.used, lease].slice(-USED_MAX);
	// A way down is nobody's to keep: it needs no turn and leaves nothing to renew.
	if (purpose === "sit") return { kind: "sit", book: { open: undefined, used }, by: holder };
	if (book.open !== undefined) return refuse(book, "held-by-other", book.open.holder);
	const open: OpenLease = {
		lease,
		holder,
		holderKey,
		session,
		armEpoch,
		purpose,
		bounds,
		ttlMs,
		openedTick: tick,
		tick,
		number: 0,
		heardTick: view.nowTick,
		untilTick,
	};
	return { kind: "held", book: { open, used }, open };
};

export const renewLease = (before: LeaseBook, view: LeaseView, asked: LeaseRenew): LeaseStep => {
	const book = liveLease(before, view.nowTick);
	const { open } = book;
	if (open?.lease !== asked.lease) return refuse(book, "other-lease", asked.lease);
	const wrong = addressed(view, asked);
	if (wrong !== undefined) return refuse(book, ...wrong);
	if (asked.number <= open.number) return refuse(book, "replayed", `${asked.number}, ${open.number} was heard`);
	if (view.nowTick - open.heardTick > RENEWAL_GAP_MS_MAX) {
		const heard: OpenLease = { ...open, number: asked.number, heardTick: view.nowTick };
		return refuse({ ...book, open: heard }, "link-slow", `${view.nowTick - open.heardTick} ms after the one before`);
	}
	const untilTick = untilOf(asked.tick, open.ttlMs, open.openedTick, open.bounds);
	const late = judgeTick(view, asked.tick, untilTick);
	if (late !== undefined) return refuse(book, ...late);
	// A newer number with an older tick would be a holder that hears less than it did: it prolongs nothing.
	const next: OpenLease = {
		...open,
		number: asked.number,
		tick: Math.max(open.tick, asked.tick),
		heardTick: view.nowTick,
		untilTick: Math.max(open.untilTick, untilTick),
	};
	return { kind: "held", book: { ...book, open: next }, open: next };
};

/** Only of the lease that is open: what ends later than it was replaced ends nothing. */
export const endLease = (before: LeaseBook, view: LeaseView, asked: LeaseEnd): LeaseStep => {
	const book = liveLease(before, view.nowTick);
	const { open } = book;
	if (open?.lease !== asked.lease) return refuse(book, "other-lease", asked.lease);
	if (asked.node !== view.node) return refuse(book, "other-node", asked.node);
	return { kind: "ended", book: { ...book, open: undefined }, lease: open.lease };
};
