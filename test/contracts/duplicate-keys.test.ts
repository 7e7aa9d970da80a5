// Shows what a key that is written twice means: the last one counts in a message, and commands and policies that do it are refused (HARM-4, RUN-3).
import { generateKeyPairSync, sign } from "node:crypto";
import { describe, expect, test } from "vitest";
import { parseEnvelope } from "../../contracts/envelope.ts";
import { checkYaml } from "../../core/service/checked-yaml.ts";
import { coreKeysOf, keyIdOf, verifySigned } from "../../edge/signed.ts";

const base64 = (text: string): string => Buffer.from(text).toString("base64url");

describe("a key that is written twice", () => {
	test("in a message: the last one counts, and it must obey the contract", () => {
		const message = (second: string): Uint8Array =>
			new TextEncoder().encode(
				`{"specversion":"1.0","id":"1","source":"/nodes/pi-3","type":"dev.orion.alert.firing.v1","data":{"name":"a","severity":"info","summary":"first","summary":${second}}}`,
			);
		expect(parseEnvelope(message('"second"'))).toMatchObject({ ok: true, value: { data: { summary: "second" } } });
		expect(parseEnvelope(message('""'))).toMatchObject({ ok: false, fault: { facts: { pointer: "/data/summary" } } });
	});

	test("in a signed command: refused although the signature holds, so that nobody reads the other one", () => {
		const { privateKey, publicKey } = generateKeyPairSync("ed25519");
		const { x = "" } = publicKey.export({ format: "jwk" });
		const keys = coreKeysOf("node.json", [{ keyId: keyIdOf(x), publicKey: x }]);
		const signed = (payload: string): Uint8Array => {
			const content = `${base64(JSON.stringify({ alg: "EdDSA", kid: keyIdOf(x), typ: "orion-command+jws" }))}.${base64(payload)}`;
			return Buffer.from(`${content}.${sign(null, Buffer.from(content), privateKey).toString("base64url")}`);
		};
		expect(verifySigned(signed('{"node":"pi-3","seq":1}'), "orion-command+jws", keys)).toMatchObject({ kind: "verified" });
		expect(verifySigned(signed('{"node":"pi-3","node":"pi-4"}'), "orion-command+jws", keys)).toMatchObject({ kind: "not-verified", reason: "malformed" });
		expect(verifySigned(signed('{"node":"pi-3","args":{"a":1,"a":1}}'), "orion-command+jws", keys)).toMatchObject({
			kind: "not-verified",
			reason: "malformed",
		});
	});

	test("in a policy or a configuration: refused with its line", () => {
		const limits = "version: 1\nreopenWithin: 10min\nevidencePerIncidentMax: 20\nforgetResolvedAfter: 24h\nreceiptWithin: 15s\naskTimesMax: 5\n";
		expect(checkYaml("limits.yaml", limits, "policy.limits", "POLICY_INVALID").ok).toBe(true);
		expect(checkYaml("limits.yaml", `${limits}askTimesMax: 100\n`, "policy.limits", "POLICY_INVALID")).toMatchObject({
			ok: false,
			fault: { code: "POLICY_INVALID", facts: { file: "limits.yaml", line: 7 } },
		});
	});

	test("a name with a slash is found in its file: the pointer is read back as it was written", () => {
		const text = 'node: pi-3\nprocesses:\n  web: { command: [a] }\n  "a/b": { command: [a] }\n';
		expect(checkYaml("orion.yaml", text, "config.orion", "CONFIG_INVALID")).toMatchObject({ fault: { facts: { line: 4, column: 3 } } });
	});
});
