// Shows that a node alone does only what it was granted, counted on disk before the effect, and that neither coming back nor starting again gives a use back (HARM-90 HARM-91).
import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { CompactSign, importJWK, type JWK } from "jose";
import { describe, expect, test } from "vitest";
import type { CoreBundle, NodePulse } from "../../contracts/gen/types.ts";
import { instant, wallTime } from "../../contracts/time.ts";
import { Alone } from "../../edge/alone.ts";
import { type AloneView, adoptBundle, judgeAlone, type Known, lowerLevel, nothingSpent, passAlone, type Spent } from "../../edge/machines/allowance.ts";
import { coreKeysOf, keyIdOf } from "../../edge/signed.ts";

const HASH = `sha256:${"0".repeat(64)}`;
const ROW = { id: "restart", on: "dev.orion.process.down.v1", action: "process.restart", with: { service: "{service}" }, says: "again" };
const GRANT = { node: "pi-1", number: 1, counter: 3, reconciled: 0, validMs: 1_000_000, left: { restart: 2 } };
const BUNDLE: CoreBundle = { v: 1, mesh: "m", coreTerm: { counter: 1, keyId: "k" }, version: 10, policyHash: HASH, level: "N2", rows: [ROW], grants: [GRANT] };
const DOWN = { type: ROW.on, facts: { service: "web" } };
const VIEW: AloneView = { safety: "alone", counter: 3, heardLevel: "N2", busy: false };

const known = (change: Partial<CoreBundle> = {}, spent = nothingSpent): { readonly known: Known; readonly spent: Spent } => {
	const adopted = adoptBundle(undefined, spent, { ...BUNDLE, ...change }, "m", "pi-1");
	if (adopted.kind !== "adopted") throw new Error(adopted.why);
	return adopted;
};

describe("the machine", () => {
	test.each([
		["with a core at hand: that one decides", { safety: "working" as const }, {}, "nothing"],
		["before core was ever heard", { safety: "boot" as const }, {}, "booting"],
		["stopped", { safety: "stopped" as const }, {}, "stopped"],
		["at N0", {}, { level: "N0" as const }, "level"],
		["when core's newest word was N0", { heardLevel: "N0" as const }, {}, "level"],
		["without a grant", {}, { grants: [] }, "no-grant"],
		["with the grant of another node", {}, { grants: [{ ...GRANT, node: "pi-2" }] }, "no-grant"],
		["with a folder that is older than the grant: restored from a copy", { counter: 2 }, {}, "other-lineage"],
		["with nothing left of the row", {}, { grants: [{ ...GRANT, left: { restart: 0 } }] }, "spent"],
		["with a row that the grant does not name", {}, { grants: [{ ...GRANT, left: {} }] }, "spent"],
		["while a command of core is under way", { busy: true }, {}, "busy"],
	])("%s: %s", (_name, view, bundle, outcome) => {
		const adopted = known(bundle);
		const verdict = judgeAlone(adopted.known, adopted.spent, { ...VIEW, ...view }, DOWN);
		expect(verdict.kind === "refuse" ? verdict.reason : verdict.kind).toBe(outcome);
	});

	test("acts as often as granted, with the arguments of the event, and then no more", () => {
		const start = known();
		const first = judgeAlone(start.known, start.spent, VIEW, DOWN);
		expect(first).toMatchObject({ kind: "act", action: "process.restart", args: { service: "web" }, left: 1 });
		const second = judgeAlone(start.known, first.kind === "act" ? first.spent : nothingSpent, VIEW, DOWN);
		expect(second).toMatchObject({ kind: "act", left: 0 });
		expect(judgeAlone(start.known, second.kind === "act" ? second.spent : nothingSpent, VIEW, DOWN)).toMatchObject({ kind: "refuse", reason: "spent" });
	});

	test("a grant is over when its time alone is over, however often the node was started in between", () => {
		const { known: bundle, spent } = known();
		expect(judgeAlone(bundle, passAlone(spent, 999_999), VIEW, DOWN).kind).toBe("act");
		expect(judgeAlone(bundle, passAlone(passAlone(spent, 500_000), 500_000), VIEW, DOWN)).toMatchObject({ reason: "over" });
	});

	test("what no row speaks of is nothing", () => {
		const { known: bundle, spent } = known();
		expect(judgeAlone(bundle, spent, VIEW, { type: "dev.orion.alert.firing.v1", facts: {} })).toEqual({ kind: "nothing" });
		expect(judgeAlone(undefined, spent, VIEW, DOWN)).toEqual({ kind: "nothing" });
	});

	test("an older bundle, the same again, or one of another mesh changes nothing", () => {
		const { known: bundle, spent } = known();
		expect(adoptBundle(bundle, spent, { ...BUNDLE, version: 9 }, "m", "pi-1")).toEqual({ kind: "ignored", why: "older" });
		expect(adoptBundle(bundle, spent, BUNDLE, "m", "pi-1")).toEqual({ kind: "ignored", why: "older" });
		expect(adoptBundle(bundle, spent, { ...BUNDLE, version: 11, mesh: "other" }, "m", "pi-1")).toEqual({ kind: "ignored", why: "other-mesh" });
	});

	test("a newer grant begins anew only if core has counted what was used under the one before", () => {
		const start = known();
		const used = judgeAlone(start.known, start.spent, VIEW, DOWN);
		if (used.kind !== "act") throw new Error(used.kind);
		const next = (reconciled: number) =>
			adoptBundle(start.known, used.spent, { ...BUNDLE, version: 11, grants: [{ ...GRANT, number: 2, reconciled }] }, "m", "pi-1");
		expect(next(0)).toMatchObject({ spent: { grant: 2, used: { restart: 1 } } });
		expect(next(1)).toMatchObject({ spent: { grant: 2, used: {} } });
	});

	test("the same grant in a newer bundle gives nothing back", () => {
		const start = known();
		const used = judgeAlone(start.known, start.spent, VIEW, DOWN);
		if (used.kind !== "act") throw new Error(used.kind);
		expect(adoptBundle(start.known, used.spent, { ...BUNDLE, version: 11 }, "m", "pi-1")).toMatchObject({ spent: { used: { restart: 1 } } });
	});

	test("the lower of two levels", () => {
		expect(lowerLevel("N3", "N2")).toBe("N2");
		expect(lowerLevel("N0", "N3")).toBe("N0");
		expect(lowerLevel("N2", undefined)).toBe("N2");
	});

	test("property: whatever happens in whatever order, no more is done than grants allow", () => {
		const step = fc.oneof(
			fc.constant({ kind: "down" as const }),
			fc.record({ kind: fc.constant("bundle" as const), raise: fc.boolean(), reconciled: fc.boolean() }),
			fc.record({ kind: fc.constant("safety" as const), safety: fc.constantFrom("alone" as const, "working" as const, "stopped" as const) }),
		);
		fc.assert(
			fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
				let { known: bundle, spent } = known();
				let safety: NodePulse["safety"] = "alone";
				let version = 10;
				let number = 1;
				let reconciled = 0;
				let allowed = 2;
				let done = 0;
				for (const each of steps) {
					if (each.kind === "safety") safety = each.safety;
					else if (each.kind === "down") {
						const verdict = judgeAlone(bundle, spent, { ...VIEW, safety }, DOWN);
						if (verdict.kind !== "act") continue;
						done += 1;
						spent = verdict.spent;
					} else {
						version += 1;
						if (each.raise) number += 1;
						// Core has counted what was done under all grants before this one, or not yet.
						if (each.reconciled) reconciled = spent.grant;
						const adopted = adoptBundle(bundle, spent, { ...BUNDLE, version, grants: [{ ...GRANT, number, reconciled }] }, "m", "pi-1");
						if (adopted.kind !== "adopted") throw new Error(adopted.why);
						if (adopted.spent.grant > spent.grant && Object.keys(adopted.spent.used).length === 0) allowed = done + 2;
						({ known: bundle, spent } = adopted);
					}
					expect(done).toBeLessThanOrEqual(allowed);
				}
			}),
			{ numRuns: 300 },
		);
	});
});

class World {
	readonly files = new Map<string, string>();
	readonly runs: string[] = [];
	readonly said: { readonly type: string; readonly data: Record<string, unknown> }[] = [];
	readonly notes: string[] = [];
	safety: NodePulse["safety"] = "alone";
	level: "N0" | "N2" | undefined = "N2";
	ms = 0;
	counter = 3;
	failWrites = false;
	readonly #timers: { at: number; run: () => void }[] = [];
	readonly key = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" }) as JWK;
	readonly keyId = keyIdOf(this.key.x ?? "");

	open(): Promise<Alone> {
		return Alone.open({
			mesh: "m",
			node: "pi-1",
			keys: coreKeysOf("node.json", [{ keyId: this.keyId, publicKey: this.key.x ?? "" }]),
			files: {
				read: (name) => Promise.resolve(this.files.get(name)),
				write: (name, text) => {
					if (this.failWrites) return Promise.reject(new Error("disk full"));
					this.files.set(name, text);
					return Promise.resolve();
				},
			},
			sessions: {
				current: () => ({ id: `${this.counter}.00`, counter: this.counter, tick: () => this.ms }),
				isBehind: () => false,
				begin: () => Promise.reject(new Error("not asked for")),
			},
			clock: { now: () => instant(this.ms), wall: () => wallTime(0), bootMs: () => this.ms, quality: () => "unsynced" },
			timers: {
				after: (delayMs, run) => {
					const timer = { at: this.ms + delayMs, run };
					this.#timers.push(timer);
					return () => void this.#timers.splice(this.#timers.indexOf(timer), 1);
				},
			},
			note: (event, facts) => this.notes.push(`${event} ${String(facts?.["why"] ?? "")}`.trim()),
			runner: {
				actions: () => ({}),
				run: (action, args, command) => {
					// What is on disk at the moment of the effect is what a crash would leave.
					this.runs.push(`${action} ${JSON.stringify(args)} ${command} ${JSON.parse(this.files.get("allowance.json") ?? "{}").used?.restart}`);
					return Promise.resolve({ phase: "done" });
				},
				probe: () => Promise.resolve({ phase: "unknown" }),
			},
			safety: () => this.safety,
			heardLevel: () => this.level,
			busy: () => false,
			emit: (type, data) => {
				this.said.push({ type, data: { ...data } });
				return Promise.resolve();
			},
			termCounter: () => 1,
		});
	}

	powerCut(): void {
		this.#timers.length = 0;
	}

	async pass(ms: number): Promise<void> {
		for (const until = this.ms + ms; ; ) {
			const next = this.#timers.reduce<{ at: number; run: () => void } | undefined>(
				(best, timer) => (best === undefined || timer.at < best.at ? timer : best),
				undefined,
			);
			if (next === undefined || next.at > until) {
				this.ms = until;
				break;
			}
			this.#timers.splice(this.#timers.indexOf(next), 1);
			this.ms = Math.max(this.ms, next.at);
			next.run();
			for (let turn = 0; turn < 30; turn++) await Promise.resolve();
		}
	}

	async signed(change: Partial<CoreBundle> = {}, kind = "orion-policy+jws"): Promise<Uint8Array> {
		const payload = { ...BUNDLE, coreTerm: { counter: 1, keyId: this.keyId }, ...change };
		const signer = new CompactSign(new TextEncoder().encode(JSON.stringify(payload))).setProtectedHeader({ alg: "EdDSA", kid: this.keyId, typ: kind });
		return new TextEncoder().encode(await signer.sign(await importJWK(this.key, "EdDSA")));
	}
}

describe("the node", () => {
	test("alone it restarts what is down, twice, each use on disk before its effect; the third is refused and told once; back again it says what it did", async () => {
		const world = new World();
		const alone = await world.open();
		await alone.bundle(await world.signed());
		alone.start();
		for (let n = 0; n < 4; n++) {
			alone.observed("dev.orion.process.down.v1", { service: "web" });
			await world.pass(4_000);
			if (n < 2) alone.observed("dev.orion.process.up.v1", { service: "web" });
			await world.pass(4_000);
		}
		expect(world.runs).toEqual(['process.restart {"service":"web"} alone-1-restart-1 1', 'process.restart {"service":"web"} alone-1-restart-2 2']);
		expect(world.said.map(({ type, data }) => [type, data["left"] ?? data["reason"]])).toEqual([
			["dev.orion.alone.acted.v1", 1],
			["dev.orion.alone.acted.v1", 0],
			["dev.orion.alone.refused.v1", "spent"],
			["dev.orion.alone.refused.v1", "spent"],
		]);
		world.safety = "working";
		await world.pass(3_000);
		expect(world.said.at(-1)).toMatchObject({ type: "dev.orion.alone.ended.v1", data: { grant: 1, acted: 2, refused: 2 } });
		await alone.stop();
	});

	test("a service that came up by itself is left alone, and so is everything in the first two seconds", async () => {
		const world = new World();
		const alone = await world.open();
		await alone.bundle(await world.signed());
		alone.start();
		alone.observed("dev.orion.process.down.v1", { service: "web" });
		await world.pass(1_900);
		alone.observed("dev.orion.process.up.v1", { service: "web" });
		await world.pass(60_000);
		expect(world.runs).toEqual([]);
		await alone.stop();
	});

	test("started again, in whatever way: the uses stay used; after a power cut, too", async () => {
		const world = new World();
		const first = await world.open();
		await first.bundle(await world.signed());
		first.start();
		first.observed("dev.orion.process.down.v1", { service: "web" });
		await world.pass(5_000);
		expect(world.runs).toHaveLength(1);
		for (let boot = 0; boot < 5; boot++) {
			// No stop: what is on disk is all there is.
			world.powerCut();
			world.counter += 1;
			const again = await world.open();
			again.start();
			again.observed("dev.orion.process.down.v1", { service: "web" });
			await world.pass(5_000);
		}
		expect(world.runs).toHaveLength(2);
	});

	test("what cannot be counted on disk is not done", async () => {
		const world = new World();
		const alone = await world.open();
		await alone.bundle(await world.signed());
		alone.start();
		world.failWrites = true;
		alone.observed("dev.orion.process.down.v1", { service: "web" });
		await world.pass(10_000);
		expect(world.runs).toEqual([]);
		expect(world.notes).toContain("alone-failed");
	});

	test("a bundle that is unsigned, altered, of another kind, or of an older core is refused, and the one before stays", async () => {
		const world = new World();
		const alone = await world.open();
		await alone.bundle(await world.signed());
		const good = await world.signed({ version: 20 });
		const altered = good.slice();
		altered[altered.length - 3] = (altered[altered.length - 3] ?? 0) ^ 1;
		for (const bytes of [
			new TextEncoder().encode(JSON.stringify({ ...BUNDLE, version: 20 })),
			altered,
			await world.signed({ version: 20 }, "orion-beacon+jws"),
			await world.signed({ version: 20, coreTerm: { counter: 0, keyId: world.keyId } }),
			await world.signed({ version: 20, coreTerm: { counter: 9, keyId: "another" } }),
			await world.signed({ version: 9 }),
		]) {
			await alone.bundle(bytes);
		}
		expect(alone.version).toBe(10);
		await alone.bundle(good);
		expect(alone.version).toBe(20);
		expect((await world.open()).version).toBe(20);
	});

	test("a damaged count is no fresh one: the node says what to do instead of beginning anew", async () => {
		const world = new World();
		world.files.set("allowance.json", '{"schema":"orion.allowance/1"}');
		await expect(world.open()).rejects.toThrow("allowance.json");
	});
});
