// Shows what a node keeps and how it connects: its key, its sessions, its small files, and one attempt after the other (RUN-3, HARM-3).
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OrionError } from "../../contracts/errors.ts";
import { openCoreKey } from "../../core/service/keys.ts";
import { openIdentity } from "../../edge/identity.ts";
import { KeptConnection } from "../../edge/kept-connection.ts";
import type { Connection, ConnectOptions } from "../../edge/ports.ts";
import { openSessions } from "../../edge/session.ts";
import { coreKeysOf, keyIdOf, verifySigned } from "../../edge/signed.ts";
import { beaconOf, commandOf, keysOf, MemoryFiles, Notes, Signer, seededRandomness, VirtualTime } from "./world.ts";

describe("identity", () => {
	test("made once, secret, the same ever after; its id is that of its public key", async () => {
		const files = new MemoryFiles();
		const first = await openIdentity(files);
		const second = await openIdentity(files);
		expect(second.publicKey).toBe(first.publicKey);
		expect(first.keyId).toBe(keyIdOf(first.publicKey));
		expect(files.secrets.has("node-key.json")).toBe(true);
		expect((await openIdentity(new MemoryFiles())).keyId).not.toBe(first.keyId);
	});

	test.each(["", "{}", "not json", '{"kty":"OKP","crv":"Ed25519","x":"AA"}'])("a broken key file (%s) is refused by name, not replaced", async (text) => {
		const files = new MemoryFiles();
		files.texts.set("node-key.json", text);
		await expect(openIdentity(files)).rejects.toThrow(/node-key\.json/);
		expect(files.texts.get("node-key.json")).toBe(text);
	});
});

describe("what core signs, the edge reads", () => {
	test("core's own signer and the edge's verifier agree, for commands and beacons, and on the key id", async () => {
		const key = await openCoreKey(new MemoryFiles());
		const keys = coreKeysOf("node.json", [{ keyId: key.keyId, publicKey: key.publicKey }]);
		for (const kind of ["orion-command+jws", "orion-beacon+jws"] as const) {
			const payload = kind === "orion-command+jws" ? commandOf(key) : beaconOf(key);
			const bytes = Buffer.from(await key.sign(kind, payload));
			expect(verifySigned(bytes, kind, keys)).toEqual({ kind: "verified", keyId: key.keyId, payload });
		}
	});

	test("a key that has another id than it says is refused", () => {
		const signer = new Signer();
		expect(() => coreKeysOf("node.json", [{ keyId: "0".repeat(16), publicKey: signer.publicKey }])).toThrow(/another id/);
		expect(keysOf(signer).size).toBe(1);
	});

	test("property: any text is read without an error", () => {
		const signer = new Signer();
		const isRefused = (bytes: Uint8Array): boolean => verifySigned(bytes, "orion-command+jws", keysOf(signer)).kind === "not-verified";
		fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), isRefused));
		const part = fc.base64String({ maxLength: 60 });
		fc.assert(fc.property(part, part, part, (a, b, c) => isRefused(Buffer.from(`${a}.${b}.${c}`))));
	});
});

describe("sessions", () => {
	const open = (files: MemoryFiles) => openSessions(files, new VirtualTime().clock(), seededRandomness(files.texts.size + 1));

	test("each start has a larger counter, on disk before it is used", async () => {
		const files = new MemoryFiles();
		const written: string[] = [];
		const write = files.write.bind(files);
		files.write = (name, text, secret) => {
			written.push(text.trim());
			return write(name, text, secret);
		};
		expect((await open(files)).current().id).toMatch(/^1\.[0-9a-f]{16}$/);
		expect((await open(files)).current().counter).toBe(2);
		expect(written).toEqual(['{"counter":1}', '{"counter":2}']);
	});

	test("a crash while the counter is written: no session is ever used twice", async () => {
		const files = new MemoryFiles();
		await open(files);
		const write = files.write.bind(files);
		files.write = async (name, text, secret) => {
			await write(name, text, secret);
			throw new Error("power cut");
		};
		await expect(open(files)).rejects.toThrow("power cut");
		files.write = write;
		expect((await open(files)).current().counter).toBe(3);
	});

	test.each([
		["core knows less", 4, "4.00000000000000bb", false],
		["core knows this very counter by another name", 5, "5.00000000000000bb", true],
		["core knows more", 9, "9.00000000000000bb", true],
		["core knows nothing", 0, "", false],
	])("%s", async (_, counter, session, behind) => {
		const files = new MemoryFiles();
		files.texts.set("session.json", '{"counter":4}');
		const sessions = await open(files);
		expect(sessions.isBehind({ counter, session })).toBe(behind);
		expect(sessions.isBehind({ counter: sessions.current().counter, session: sessions.current().id })).toBe(false);
		if (behind) expect((await sessions.begin({ counter, session })).counter).toBe(Math.max(5, counter) + 1);
	});

	test("its tick counts from its beginning, whatever the wall clock says", async () => {
		const time = new VirtualTime();
		const sessions = await openSessions(new MemoryFiles(), time.clock(), seededRandomness());
		time.jump(1_234);
		expect(sessions.current().tick()).toBe(1_234);
		await sessions.begin();
		expect(sessions.current().tick()).toBe(0);
	});

	test.each(["", "{}", '{"counter":-1}', '{"counter":1.5}', '{"counter":"9"}', "[]"])("a broken counter (%s) is refused by name", async (text) => {
		const files = new MemoryFiles();
		files.texts.set("session.json", text);
		await expect(open(files)).rejects.toThrow(/session\.json/);
	});
});

describe("a kept connection", () => {
	const keep = (outcome: () => "opens" | "fails" | "greeting fails" | "hangs") => {
		const time = new VirtualTime();
		const notes = new Notes();
		const attempts: { readonly atMs: number; readonly options: ConnectOptions; closed?: "goodbye" | "cut" }[] = [];
		const log: string[] = [];
		let held: (() => void) | undefined;
		const kept = new KeptConnection({
			name: "data",
			timers: time,
			random: seededRandomness(7),
			note: notes.note,
			connect: (options) => {
				const attempt: (typeof attempts)[number] = { atMs: time.nowMs, options };
				attempts.push(attempt);
				const end = (how: "goodbye" | "cut") => {
					attempt.closed = how;
					options.onClosed();
				};
				const connection: Connection = {
					publish: () => Promise.resolve(),
					subscribe: () => Promise.resolve(),
					close: async () => end("goodbye"),
					destroy: () => end("cut"),
				};
				if (outcome() === "fails") return Promise.reject(new OrionError("UNREACHABLE", { url: "x", detail: "refused" }));
				if (outcome() !== "hangs") return Promise.resolve(connection);
				return new Promise((resolve) => {
					held = () => resolve(connection);
				});
			},
			prepare: () => ({ clientId: "pi-1", keepaliveSeconds: 1, onMessage: () => undefined }),
			onUp: () => {
				log.push("up");
				return outcome() === "greeting fails" ? Promise.reject(new Error("no")) : Promise.resolve();
			},
			onDown: () => void log.push("down"),
		});
		return { kept, time, notes, attempts, log, release: () => held?.() };
	};

	test("it is tried for ever, each time after 200 to 1,000 ms, never two at once", async () => {
		const { kept, time, attempts, notes } = keep(() => "fails");
		kept.start();
		kept.start();
		await time.advance(20_000);
		const pauses = attempts.slice(1).map(({ atMs }, index) => atMs - (attempts[index]?.atMs ?? 0));
		expect(pauses.length).toBeGreaterThan(19);
		for (const pause of pauses) expect(pause >= 200 && pause <= 1_000).toBe(true);
		expect(new Set(pauses).size).toBeGreaterThan(10);
		expect(notes.of("connect-failed")[0]).toMatchObject({ connection: "data", code: "UNREACHABLE" });
	});

	test("lost: said once, and made anew", async () => {
		const { kept, time, attempts, log } = keep(() => "opens");
		kept.start();
		await time.settle();
		attempts[0]?.options.onClosed();
		attempts[0]?.options.onClosed();
		await time.advance(1_000);
		expect(log).toEqual(["up", "down", "up"]);
		expect(attempts.length).toBe(2);
	});

	test("a greeting that fails cuts the connection and makes another", async () => {
		let good = false;
		const { kept, time, attempts, log } = keep(() => (good ? "opens" : "greeting fails"));
		kept.start();
		await time.settle();
		expect(attempts[0]?.closed).toBe("cut");
		good = true;
		await time.advance(1_000);
		expect(log).toEqual(["up", "down", "up"]);
		expect(kept.connection).toBeDefined();
	});

	test("stopped: goodbye, and no further attempt; one that opens too late is closed with a goodbye, so that no will is said", async () => {
		const { kept, time, attempts, log } = keep(() => "opens");
		kept.start();
		await time.settle();
		await kept.stop();
		await time.advance(10_000);
		expect(attempts.map(({ closed }) => closed)).toEqual(["goodbye"]);
		expect(log).toEqual(["up", "down"]);
		const late = keep(() => "hangs");
		late.kept.start();
		await late.time.settle();
		await late.kept.stop();
		late.release();
		await late.time.advance(10_000);
		expect(late.attempts.map(({ closed }) => closed)).toEqual(["goodbye"]);
		expect(late.log).toEqual([]);
	});
});
