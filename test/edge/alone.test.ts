// Shows the node alone on a disk of its own: each use counted before its effect, told when core is back, and given back neither by restarts nor by what is put back or lost (HARM-90 HARM-91).
import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { CompactSign, importJWK, type JWK } from "jose";
import { describe, expect, test } from "vitest";
import type { CoreBundle, NodePulse } from "../../contracts/gen/types.ts";
import { instant, wallTime } from "../../contracts/time.ts";
import { Alone } from "../../edge/alone.ts";
import { coreKeysOf, keyIdOf } from "../../edge/signed.ts";
import { BUNDLE } from "./granted.ts";

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

	test("a blink of the link, or a slow start, is no story; what it may do alone is not given back by it", async () => {
		const world = new World();
		const alone = await world.open();
		await alone.bundle(await world.signed());
		alone.start();
		await world.pass(1_100);
		world.safety = "working";
		await world.pass(2_000);
		expect(world.said).toEqual([]);
		world.safety = "alone";
		await world.pass(1_100);
		world.safety = "working";
		await world.pass(2_000);
		// Both times together.
		expect(world.said).toMatchObject([{ type: "dev.orion.alone.ended.v1", data: { acted: 0, refused: 0 } }]);
		expect(world.said[0]?.data["aloneMs"]).toBeGreaterThanOrEqual(2_000);
		await alone.stop();
	});

	test("HARM-91 property: links that flap, power that goes, cards that are put back: never more than the grants name", async () => {
		const step = fc.constantFrom("down", "down", "flap", "hour", "power", "picture", "restore");
		await fc.assert(
			fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
				const world = new World();
				let alone = await world.open();
				await alone.bundle(await world.signed());
				alone.start();
				let picture = { files: new Map(world.files), runs: 0 };
				let putBack = 0;
				const again = async (): Promise<void> => {
					world.powerCut();
					world.counter += 1;
					alone = await world.open();
					// What the broker kept comes again with each connection.
					await alone.bundle(await world.signed());
					alone.start();
				};
				for (const each of steps) {
					if (each === "down") {
						alone.observed("dev.orion.process.down.v1", { service: "web" });
						await world.pass(8_000);
						alone.observed("dev.orion.process.up.v1", { service: "web" });
					} else if (each === "flap") {
						world.safety = "working";
						await world.pass(1_500);
						world.safety = "alone";
						await world.pass(1_500);
					} else if (each === "hour") await world.pass(3_600_000);
					else if (each === "power") await again();
					else if (each === "picture") picture = { files: new Map(world.files), runs: world.runs.length };
					else {
						// A card of before: its session is older than the grant that core gave since, and core names a later one.
						world.files.clear();
						for (const [name, text] of picture.files) world.files.set(name, text);
						putBack += world.runs.length - picture.runs;
						await again();
					}
					// What a card put back forgot it may do once more, and not one use beyond that: core counts those when it hears of them.
					expect(world.runs.length).toBeLessThanOrEqual(2 + putBack);
				}
			}),
			{ numRuns: 40 },
		);
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

	test("the file of its counts is gone: what it uses then counts against the grant that it kept, and the same grant gives nothing back", async () => {
		const world = new World();
		await (await world.open()).bundle(await world.signed());
		world.files.delete("allowance.json");
		const alone = await world.open();
		alone.start();
		for (let times = 0; times < 4; times += 1) {
			alone.observed("dev.orion.process.down.v1", { service: "web" });
			await world.pass(8_000);
			alone.observed("dev.orion.process.up.v1", { service: "web" });
			await alone.bundle(await world.signed({ version: 11 + times }));
		}
		expect(world.runs.length).toBe(2);
		// Told as uses of the grant that it kept, from the first on: core accounts by that number.
		expect(world.said.filter(({ type }) => type === "dev.orion.alone.acted.v1").map(({ data }) => [data["grant"], data["uses"]])).toEqual([
			[1, 1],
			[1, 2],
		]);
		await alone.stop();
	});

	test("a damaged count is no fresh one: the node says what to do instead of beginning anew", async () => {
		const world = new World();
		world.files.set("allowance.json", '{"schema":"orion.allowance/1"}');
		await expect(world.open()).rejects.toThrow("allowance.json");
	});
});
