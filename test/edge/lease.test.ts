// Shows who may move a node and until when: counted from the tick that was echoed, never from arrival, for one holder, within its bounds.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LeaseOpen, LeaseRenew } from "../../contracts/gen/types.ts";
import { Leases } from "../../edge/leases.ts";
import { endLease, type LeaseBook, type LeaseStep, type LeaseView, noLease, openLease, renewLease } from "../../edge/machines/lease.ts";
import type { SessionStore } from "../../edge/session.ts";
import { keysOf, Signer } from "./world.ts";

const SESSION = "5.00000000000000aa";
const sessionsAt = (tick: number): SessionStore => ({
	current: () => ({ id: SESSION, counter: 5, tick: () => tick }),
	isBehind: () => false,
	begin: () => Promise.reject(new Error("no new session in these tests")),
});
const view = (nowTick: number, change: Partial<LeaseView> = {}): LeaseView => ({
	mesh: "mesh-1",
	node: "pi-1",
	session: SESSION,
	nowTick,
	armEpoch: 7,
	...change,
});
const opening = (tick: number, change: Partial<LeaseOpen> = {}): LeaseOpen => ({
	v: 1,
	mesh: "mesh-1",
	node: "pi-1",
	session: SESSION,
	lease: "00112233445566aa",
	armEpoch: 7,
	tick,
	ttlMs: 400,
	holder: "peter",
	holderKey: "A".repeat(43),
	purpose: "move",
	bounds: { distanceMm: 1_000, radiusMm: 500, timeMs: 10_000 },
	...change,
});
const renewal = (tick: number, number: number, change: Partial<LeaseRenew> = {}): LeaseRenew => ({
	v: 1,
	mesh: "mesh-1",
	node: "pi-1",
	session: SESSION,
	lease: "00112233445566aa",
	armEpoch: 7,
	tick,
	number,
	...change,
});
const opened = (tick = 1_000): LeaseBook => openLease(noLease, view(tick), opening(tick)).book;
const told = (step: LeaseStep): string | number => (step.kind === "held" ? step.open.untilTick : step.kind === "refused" ? step.reason : step.kind);

describe("HARM-55 a lease", () => {
	test.each([
		["heard at once: good until its tick + ttl", view(1_000), opening(1_000), 1_400],
		["heard late: the same end", view(1_350), opening(1_000), 1_400],
		["heard at its end", view(1_400), opening(1_000), "too-old"],
		["of a tick that was not yet", view(999), opening(1_000), "tick-from-the-future"],
		["of another mesh", view(1_000, { mesh: "mesh-2" }), opening(1_000), "other-mesh"],
		["of another node", view(1_000, { node: "pi-2" }), opening(1_000), "other-node"],
		["of another session", view(1_000, { session: "6.00000000000000aa" }), opening(1_000), "other-session"],
		["of an arming before a stop", view(1_000, { armEpoch: 8 }), opening(1_000), "other-epoch"],
		["of an arming that never was", view(1_000, { armEpoch: 6 }), opening(1_000), "other-epoch"],
		["whose bounds give less time than its ttl", view(1_000), opening(1_000, { bounds: { distanceMm: 1, radiusMm: 1, timeMs: 100 } }), 1_100],
	] as const)("%s", (_, now, asked, expected) => {
		expect(told(openLease(noLease, now, asked))).toBe(expected);
	});

	test("is opened once: not again while it is held, nor after it ran out, nor after it ended", () => {
		const book = opened();
		expect(told(openLease(book, view(1_010), opening(1_010)))).toBe("used-before");
		expect(told(openLease(book, view(2_000), opening(2_000)))).toBe("used-before");
		const ended = endLease(book, view(1_010), { v: 1, mesh: "mesh-1", node: "pi-1", lease: "00112233445566aa" });
		expect(told(openLease(ended.book, view(1_020), opening(1_020)))).toBe("used-before");
	});
	test("has one holder: a second one waits until it ran out, and ends nothing of the first", () => {
		const book = opened();
		const other = opening(1_010, { lease: "ffeeddccbbaa9988", holder: "anna" });
		expect(told(openLease(book, view(1_010), other))).toBe("held-by-other");
		expect(told(endLease(book, view(1_010), { v: 1, mesh: "mesh-1", node: "pi-1", lease: "ffeeddccbbaa9988" }))).toBe("other-lease");
		expect(told(openLease(book, view(1_400), { ...other, tick: 1_390 }))).toBe(1_790);
	});
	test("HARM-167 a sit needs no turn: it ends whatever is held, holds nothing itself, and is as young, addressed and single as a lease", () => {
		const sit = opening(1_090, { lease: "ffeeddccbbaa9988", holder: "anna", purpose: "sit" });
		const step = openLease(opened(), view(1_100), sit);
		expect(step).toMatchObject({ kind: "sit", by: "anna", book: { open: undefined } });
		expect(told(renewLease(step.book, view(1_110), renewal(1_110, 1)))).toBe("other-lease");
		expect(told(openLease(step.book, view(1_110), sit))).toBe("used-before");
		expect(openLease(noLease, view(1_100), sit).kind).toBe("sit");
		const refused: readonly (readonly [LeaseView, string])[] = [
			[view(1_490), "too-old"],
			[view(1_089), "tick-from-the-future"],
			[view(1_100, { armEpoch: 8 }), "other-epoch"],
			[view(1_100, { session: "6.00000000000000aa" }), "other-session"],
			[view(1_100, { node: "pi-2" }), "other-node"],
			[view(1_100, { mesh: "mesh-2" }), "other-mesh"],
		];
		for (const [now, reason] of refused) {
			const kept = openLease(opened(), now, sit);
			expect(told(kept)).toBe(reason);
			if (now.nowTick < 1_400) expect(kept.book.open?.holder).toBe("peter");
		}
	});
	test.each([
		["in time", view(1_100), renewal(1_090, 1), 1_490],
		["late: the same end", view(1_180), renewal(1_090, 1), 1_490],
		["over a link that slowed down: it prolongs nothing", view(1_181), renewal(1_180, 1), "link-slow"],
		["too late: what ran out is not prolonged", view(1_400), renewal(1_390, 1), "other-lease"],
		["of an older tick: it takes nothing away", view(1_100), renewal(900, 1), 1_400],
		["of a tick so old that it would be over", view(1_150), renewal(740, 1), "too-old"],
		["of a tick that was not yet", view(1_100), renewal(1_101, 1), "tick-from-the-future"],
		["with an older number", view(1_100), renewal(1_090, 0), "replayed"],
		["of another lease", view(1_100), renewal(1_090, 1, { lease: "ffeeddccbbaa9988" }), "other-lease"],
		["after a stop", view(1_100, { armEpoch: 8 }), renewal(1_090, 1), "other-epoch"],
	] as const)("renewed %s", (_, now, asked, expected) => {
		expect(told(renewLease(opened(), now, asked))).toBe(expected);
	});
	test("is never renewed beyond the time of its bounds", () => {
		let book = opened(0);
		for (let nowTick = 100, number = 1; nowTick < 10_000; nowTick += 100, number += 1) {
			const step = renewLease(book, view(nowTick), renewal(nowTick, number));
			expect(told(step)).toBe(Math.min(nowTick + 400, 10_000));
			book = step.book;
		}
		expect(told(renewLease(book, view(10_000), renewal(10_000, 999)))).toBe("other-lease");
	});
	test("with a constant delay of three seconds none is ever accepted", () => {
		for (let nowTick = 3_000; nowTick < 60_000; nowTick += 100)
			expect(told(openLease(noLease, view(nowTick), opening(nowTick - 3_000, { lease: nowTick.toString(16).padStart(16, "0"), ttlMs: 1_000 })))).toBe(
				"too-old",
			);
	});
	test("property: messages late, doubled and out of order never give more than the newest echoed tick + ttl", () => {
		const message = fc.record({ tick: fc.integer({ min: 0, max: 3_000 }), number: fc.integer({ min: 1, max: 30 }), afterMs: fc.integer({ min: 0, max: 300 }) });
		fc.assert(
			fc.property(fc.array(message, { maxLength: 40 }), (messages) => {
				let book = opened(0);
				let nowTick = 0;
				let echoed = 0;
				for (const { tick, number, afterMs } of messages) {
					nowTick += afterMs;
					const step = renewLease(book, view(nowTick), renewal(tick, number));
					if (tick <= nowTick) echoed = Math.max(echoed, tick);
					if (step.kind === "held") {
						expect(step.open.untilTick).toBeLessThanOrEqual(echoed + 400);
						expect(step.open.untilTick).toBeGreaterThan(nowTick);
					}
					book = step.book;
				}
			}),
		);
	});
});

describe("HARM-56 signed leases", () => {
	const core = new Signer();
	const holder = new Signer();
	const other = new Signer();
	const leases = (tick = 1_100) => new Leases({ mesh: "mesh-1", node: "pi-1", keys: keysOf(core), sessions: sessionsAt(tick), armEpoch: () => 7 });
	const open = (signer: Signer = core) => signer.sign("orion-lease-open+jws", opening(1_000, { holderKey: holder.publicKey }));
	const renew = (signer: Signer, change: Partial<LeaseRenew> = {}) => signer.sign("orion-lease-renew+jws", renewal(1_090, 1, change));
	const end = (signer: Signer) => signer.sign("orion-lease-end+jws", { v: 1, mesh: "mesh-1", node: "pi-1", lease: "00112233445566aa" });

	test("opened by core's word, renewed and ended by the holder's key alone", () => {
		const node = leases();
		expect(node.take(renew(holder))).toMatchObject({ kind: "refused", reason: "unknown-key" });
		expect(node.take(open())).toMatchObject({ kind: "held", leftMs: 300 });
		expect(node.take(renew(other))).toMatchObject({ kind: "refused", reason: "unknown-key" });
		expect(node.take(renew(core))).toMatchObject({ kind: "refused", reason: "unknown-key" });
		expect(node.take(renew(holder))).toMatchObject({ kind: "held", leftMs: 390 });
		expect(node.take(end(other))).toMatchObject({ kind: "refused", reason: "unknown-key" });
		expect(node.take(end(holder))).toEqual({ kind: "ended", lease: "00112233445566aa" });
		expect(node.take(renew(holder, { number: 2 }))).toMatchObject({ kind: "refused" });
	});
	test("nobody opens one for himself, and nothing signed for another purpose is one", () => {
		const node = leases();
		expect(node.take(open(holder))).toMatchObject({ kind: "refused", reason: "unknown-key" });
		expect(node.take(core.sign("orion-command+jws", opening(1_000)))).toMatchObject({ kind: "refused" });
		expect(node.take(Buffer.from("move!"))).toMatchObject({ kind: "refused", reason: "malformed" });
	});
	test("HARM-167 only core has it sit down: nobody signs that for himself", () => {
		const sit = (signer: Signer) => signer.sign("orion-lease-open+jws", opening(1_000, { holderKey: holder.publicKey, purpose: "sit" }));
		const node = leases();
		expect(node.take(open())).toMatchObject({ kind: "held" });
		expect(node.take(sit(holder))).toMatchObject({ kind: "refused", reason: "unknown-key" });
		expect(node.take(core.sign("orion-lease-open+jws", opening(1_050, { lease: "00112233445566bb", holder: "anna", purpose: "sit" })))).toEqual({
			kind: "sit",
			by: "anna",
		});
		expect(node.take(renew(holder))).toMatchObject({ kind: "refused" });
	});
	test("a flipped byte anywhere is no lease", () => {
		const bytes = open();
		for (let index = 0; index < bytes.length; index += 1) {
			const flipped = Uint8Array.from(bytes);
			flipped[index] = (flipped[index] ?? 0) ^ 1;
			expect(leases().take(flipped).kind).toBe("refused");
		}
	});
	test("what was dropped by a stop is not renewed", () => {
		const node = leases();
		node.take(open());
		node.drop();
		expect(node.take(renew(holder))).toMatchObject({ kind: "refused" });
	});
});
