// Shows that core's key and term outlive it: the key is made once and kept secret, the term is raised and durable before anything is signed.
import { compactVerify, importJWK } from "jose";
import { describe, expect, test } from "vitest";
import { keyIdOf, openCoreKey, raiseTerm } from "../../../core/service/keys.ts";
import { VirtualFiles } from "../../support/world.ts";

describe("the key", () => {
	test("is made once, kept secret, and the same after a restart", async () => {
		const files = new VirtualFiles();
		const first = await openCoreKey(files);
		expect([...files.secrets]).toEqual(["core-key.json"]);
		const again = await openCoreKey(files);
		expect(again.keyId).toBe(first.keyId);
		expect(again.keyId).toBe(keyIdOf(again.publicKey));
		expect(again.keyId).toMatch(/^[0-9a-f]{16}$/);
	});

	test("signs so that the public half verifies it, the kind is part of it, and the same content gives the same text", async () => {
		const key = await openCoreKey(new VirtualFiles());
		const jws = await key.sign("orion-command+jws", { a: 1 });
		expect(await key.sign("orion-command+jws", { a: 1 })).toBe(jws);
		expect(await key.sign("orion-beacon+jws", { a: 1 })).not.toBe(jws);
		const verified = await compactVerify(jws, await importJWK({ kty: "OKP", crv: "Ed25519", x: key.publicKey }, "EdDSA"));
		expect(verified.protectedHeader).toEqual({ alg: "EdDSA", kid: key.keyId, typ: "orion-command+jws" });
		expect(JSON.parse(Buffer.from(verified.payload).toString())).toEqual({ a: 1 });
	});

	test.each([["{"], ["[]"], ["null"], ["{}"], ['{"kty":"OKP","crv":"Ed25519","x":"AA"}'], ['{"kty":"EC","crv":"P-256","x":"AA","d":"AA"}']])(
		"a file that holds %s is refused by name and is not replaced",
		async (text) => {
			const files = new VirtualFiles();
			files.texts.set("core-key.json", text);
			await expect(openCoreKey(files)).rejects.toMatchObject({ fault: { code: "CONFIG_INVALID", facts: { file: "core-key.json" } } });
			expect(files.texts.get("core-key.json")).toBe(text);
		},
	);

	test("that cannot be written is not used", async () => {
		const files = new VirtualFiles();
		files.full = true;
		await expect(openCoreKey(files)).rejects.toThrow("no space");
	});
});

describe("the term", () => {
	test("is raised by one at each start, on disk before it is used", async () => {
		const files = new VirtualFiles();
		for (let counter = 1; counter <= 4; counter++) {
			expect(await raiseTerm(files, "k")).toEqual({ counter, keyId: "k" });
			expect(JSON.parse(files.texts.get("core-term.json") ?? "")).toEqual({ counter, keyId: "k" });
		}
	});

	test("that cannot be written is not used", async () => {
		const files = new VirtualFiles();
		await raiseTerm(files, "k");
		files.full = true;
		await expect(raiseTerm(files, "k")).rejects.toThrow("no space");
		files.full = false;
		expect(await raiseTerm(files, "k")).toMatchObject({ counter: 2 });
	});

	test.each([["{"], ["{}"], ['{"counter":-1}'], ['{"counter":1.5}'], ['{"counter":"7"}']])(
		"a file that holds %s is refused: a lower term would be taken for a deposed core",
		async (text) => {
			const files = new VirtualFiles();
			files.texts.set("core-term.json", text);
			await expect(raiseTerm(files, "k")).rejects.toMatchObject({ fault: { code: "CONFIG_INVALID" } });
		},
	);
});
