// Shows how long a certificate counts: taken back it ends at once and for good, over it leaves health and stop, and it is renewed for its own key alone (HARM-108 to HARM-110, HARM-112).
import "reflect-metadata";
import { createPrivateKey, webcrypto, X509Certificate } from "node:crypto";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BasicConstraintsExtension, ExtendedKeyUsage, ExtendedKeyUsageExtension, X509CertificateGenerator } from "@peculiar/x509";
import { afterEach, describe, expect, test } from "vitest";
import { parseAddress, post } from "../../agents/roles/core-line.ts";
import { joinMesh } from "../../agents/roles/join.ts";
import { keptFiles } from "../../agents/roles/kept-files.ts";
import { RENEW_PATH } from "../../agents/roles/listen.ts";
import { makeRequest, openMeshCa, requestWith } from "../../agents/roles/mesh-ca.ts";
import { openNodeRegister } from "../../agents/roles/node-register.ts";
import { renewCertificate } from "../../agents/roles/renew.ts";
import { readCertified } from "../../broker/certificate.ts";
import { closeAll, codeOf, come, configOf, type Doors, doors, folder, joined, MESH, until } from "./doors.ts";

const DAY_MS = 86_400_000;
const NODE_DAYS = 730;

/** By the authority's own key, for pi-3 and one purpose. */
const forPurpose = async (purpose: string, { keyPem }: { readonly keyPem: string }): Promise<Uint8Array> => {
	const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
	const pkcs8 = createPrivateKey(keyPem).export({ format: "der", type: "pkcs8" });
	const signingKey = await webcrypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]);
	const keys = (await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as webcrypto.CryptoKeyPair;
	const made = await X509CertificateGenerator.create({
		subject: "CN=pi-3",
		issuer: `CN=${MESH}`,
		signingAlgorithm: algorithm,
		publicKey: keys.publicKey,
		signingKey,
		extensions: [new BasicConstraintsExtension(false, undefined, true), new ExtendedKeyUsageExtension([purpose], true)],
	});
	return new Uint8Array(made.rawData);
};

afterEach(closeAll);

const serialOf = (state: string): string => new X509Certificate(readFileSync(join(state, "node.crt"))).serialNumber;

/** What a node says last, if it goes without a goodbye. */
const lastWords = (node: string) => ({
	topic: `orion/v1/${node}/state`,
	qos: 1 as const,
	retain: true,
	bytes: Buffer.from(
		JSON.stringify({
			specversion: "1.0",
			id: "0193a7c2-5f10-7abc-8def-000000000019",
			source: `/nodes/${node}`,
			type: "dev.orion.node.state.v1",
			time: "2026-11-21T03:04:05.678Z",
			mesh: MESH,
			session: "1.00112233445566aa",
			mono: 1,
			data: { state: "lost", session: "1.00112233445566aa", conn: 1 },
		}),
	),
});

describe("HARM-108 what is taken back", () => {
	test("ends what is connected, says no last words, and lets nobody in again: not now, and not after a restart of core", async () => {
		const mesh = await doors();
		const [three, four] = [await joined(mesh, "pi-3"), await joined(mesh, "pi-4")];
		let closed = 0;
		const onClosed = () => {
			closed += 1;
		};
		await come(three, "pi-3", {}, { onClosed });
		await come(three, "pi-3.safety", {}, { onClosed, will: lastWords("pi-3") });
		await come(four, "pi-4");
		const { password } = await configOf(three);
		expect(await mesh.door.register.check("pi-3", Buffer.from(password))).toBe(true);
		const taken = await mesh.door.register.revoke("pi-3");
		expect(await mesh.door.register.check("pi-3", Buffer.from(password))).toBe(false);
		expect(taken).toEqual({ ok: true, value: { node: "pi-3", certificates: [serialOf(three)] } });
		await mesh.broker.drop("pi-3");
		expect(mesh.broker.connections().map(({ identity }) => identity.clientId)).toEqual(["pi-4"]);
		await until("both are closed", () => closed === 2);
		for (const clientId of ["pi-3", "pi-3.safety", "pi-3.script"]) expect(await codeOf(come(three, clientId))).toBe("CERTIFICATE_REFUSED");
		expect(mesh.taken).toMatchObject({ accepted: [], refused: ["CERTIFICATE_REVOKED", "CERTIFICATE_REVOKED", "CERTIFICATE_REVOKED"] });
		expect(await codeOf(renewCertificate(three))).toBe("CERTIFICATE_REVOKED");
		const later = await doors(MESH, mesh.data);
		const { url } = await configOf(three);
		const elsewhere = url.replace(/\d+$/, String(later.broker.securePort));
		expect(await codeOf(come(three, "pi-3", { url: elsewhere }))).toBe("CERTIFICATE_REFUSED");
		expect(later.taken.refused).toEqual(["CERTIFICATE_REVOKED"]);
		expect(later.door.register.nodes().find(({ node }) => node === "pi-3")).toMatchObject({ revokedWallMs: mesh.time.wallMs });
		const other = await come(four, "pi-4", { url: elsewhere });
		await other.close();
	});

	test("a device that comes in while it is taken back does not stay, whichever of the two was first", async () => {
		const mesh = await doors();
		const state = await joined(mesh, "pi-3");
		for (let round = 0; round < 5; round += 1) {
			const coming = codeOf(come(state, "pi-3"));
			await mesh.door.register.revoke("pi-3");
			await mesh.broker.drop("pi-3");
			await coming;
			await until("it is out", () => mesh.broker.connections().length === 0);
			await joinMesh(state, mesh.address, (await mesh.add("pi-3")).token);
		}
		const connection = await come(state, "pi-3");
		expect(mesh.broker.connections()).toHaveLength(1);
		await connection.close();
	});

	test("undone by joining anew: the folder keeps what it has, and the old certificate stays out, with the new password too", async () => {
		const mesh = await doors();
		const state = await joined(mesh, "pi-3");
		writeFileSync(join(state, "outbox-of-before"), "kept");
		const stolen = folder();
		for (const name of ["node.key", "node.crt", "mesh-ca.crt", "node.json"]) copyFileSync(join(state, name), join(stolen, name));
		await mesh.door.register.revoke("pi-3");
		await joinMesh(state, mesh.address, (await mesh.add("pi-3")).token);
		expect(readFileSync(join(state, "outbox-of-before"), "utf8")).toBe("kept");
		const connection = await come(state, "pi-3");
		const { password } = await configOf(state);
		expect(await codeOf(come(stolen, "pi-3", { password }))).toBe("CERTIFICATE_REFUSED");
		expect(mesh.broker.connections()).toHaveLength(1);
		await connection.close();
		// What it may join with ends with it as well.
		await mesh.door.register.revoke("pi-3");
		const { token } = await mesh.add("pi-3");
		await mesh.door.register.revoke("pi-3");
		expect(await codeOf(joinMesh(state, mesh.address, token))).toBe("TOKEN_REFUSED");
	});

	test("the list is refused when it is damaged: a mesh that forgot it would let the stolen in", async () => {
		const mesh = await doors();
		await joined(mesh, "pi-3");
		for (const text of [
			"",
			"{}",
			'{"certificates":[{"node":"pi-3"}]}',
			'{"certificates":[{"node":"pi-3","serial":"0A","notAfterWallMs":1,"revokedWallMs":"x"}]}',
		]) {
			writeFileSync(join(mesh.data, "certificates.json"), text);
			expect(await codeOf(openNodeRegister(mesh.files, mesh.clock as never))).toBe("CONFIG_INVALID");
		}
	});
});

describe("HARM-109 what is over", () => {
	test("leaves a node its health and stop, and nothing else; it ends what is connected; core's clock says when", async () => {
		const mesh = await doors();
		const state = await joined(mesh, "pi-3");
		let closed = 0;
		const onClosed = () => {
			closed += 1;
		};
		await come(state, "pi-3", {}, { onClosed });
		mesh.time.wallMs += NODE_DAYS * DAY_MS - 10_000;
		await (await come(state, "pi-3.script")).close();
		mesh.time.wallMs += 20_000;
		await until("it is out", () => closed === 1);
		for (const clientId of ["pi-3", "pi-3.script"]) expect(await codeOf(come(state, clientId))).toBe("CERTIFICATE_REFUSED");
		const connection = await come(state, "pi-3.safety");
		await connection.publish("orion/v1/all/stop", Buffer.from("{}"), { qos: 1, retain: false });
		await connection.subscribe([{ topic: "orion/v1/pi-3/stop", qos: 1 }]);
		await expect(connection.subscribe([{ topic: "orion/v1/pi-3/cmd/+", qos: 1 }])).rejects.toThrow();
		await connection.publish("orion/v1/pi-3/evt/alert", Buffer.from("{}"), { qos: 1, retain: false });
		expect(mesh.taken).toMatchObject({ accepted: [], quarantined: ["TOPIC_REFUSED orion/v1/pi-3/evt/alert"] });
		expect(mesh.taken.refused).toEqual(["CERTIFICATE_EXPIRED", "CERTIFICATE_EXPIRED"]);
		await connection.close();
	});

	test("HARM-110: the node renews it by itself, before and after its end, for the key that it has", async () => {
		const mesh = await doors();
		const state = await joined(mesh, "pi-3");
		const key = readFileSync(join(state, "node.key"), "utf8");
		for (const days of [NODE_DAYS - 30, 2 * NODE_DAYS]) {
			const before = serialOf(state);
			mesh.time.wallMs += days * DAY_MS;
			const { node, serial, notAfterWallMs } = await renewCertificate(state);
			expect([node, serial === before, serial]).toEqual(["pi-3", false, serialOf(state)]);
			expect(Math.abs(notAfterWallMs - mesh.time.wallMs - NODE_DAYS * DAY_MS)).toBeLessThan(1_001);
			expect(readFileSync(join(state, "node.key"), "utf8")).toBe(key);
			await (await come(state, "pi-3")).close();
		}
		// What was given is on the list, so all of it can be taken back.
		const taken = await mesh.door.register.revoke("pi-3");
		expect(taken.ok && taken.value.certificates.map((serial) => mesh.door.register.certificates.isRevoked(serial))).toEqual([true, true, true]);
		expect(await codeOf(come(state, "pi-3"))).toBe("CERTIFICATE_REFUSED");
	});
});

/** Asks for a new certificate with whatever is given instead of what the node has. */
const askAs = async (
	mesh: Doors,
	state: string,
	change: { node?: string; secret?: string; request?: string; shown?: { key: string; cert: string } | "none" },
) => {
	const [key, cert, ca] = ["node.key", "node.crt", "mesh-ca.crt"].map((name) => readFileSync(join(state, name), "utf8"));
	if (key === undefined || cert === undefined || ca === undefined) throw new Error("no folder of a node");
	const { username, password } = await configOf(state);
	const { shown = { key, cert }, ...asked } = change;
	const body = { node: username, secret: password, request: await requestWith(username, key), ...asked };
	return post(parseAddress(mesh.address), ca, RENEW_PATH, body, ...(shown === "none" ? [] : [shown]));
};

describe("HARM-110 who is given a new certificate", () => {
	test("only who shows the certificate of that node, knows its password, and asks for its key", async () => {
		const mesh = await doors();
		const [three, four] = [await joined(mesh, "pi-3"), await joined(mesh, "pi-4")];
		const { requestPem } = await makeRequest("pi-3");
		const foreignCa = await openMeshCa(await keptFiles(folder()), "mesh-1", () => mesh.time.wallMs);
		const made = await makeRequest("pi-3");
		const forged = await foreignCa.node("pi-3", made.requestPem);
		if (!forged.ok) throw new Error("not made");
		const core = await (await openMeshCa(mesh.files, MESH, () => mesh.time.wallMs)).server();
		const before = readFileSync(join(mesh.data, "certificates.json"), "utf8");
		expect(await codeOf(askAs(mesh, three, { shown: "none" }))).toBe("NOT_AUTHENTICATED");
		expect(await codeOf(askAs(mesh, three, { shown: { key: made.keyPem, cert: forged.value.certificatePem } }))).toBe("NOT_AUTHENTICATED");
		expect(await codeOf(askAs(mesh, three, { shown: { key: core.keyPem, cert: core.certificatePem } }))).toBe("NOT_AUTHENTICATED");
		expect(await codeOf(askAs(mesh, three, { secret: "wrong" }))).toBe("NOT_AUTHENTICATED");
		expect(await codeOf(askAs(mesh, four, { node: "pi-3", secret: (await configOf(three)).password }))).toBe("NOT_AUTHENTICATED");
		expect(await codeOf(askAs(mesh, three, { request: requestPem }))).toBe("REQUEST_UNREADABLE");
		expect(await codeOf(askAs(mesh, three, { request: "nonsense" }))).toBe("REQUEST_UNREADABLE");
		// Nobody was given anything until now.
		expect(readFileSync(join(mesh.data, "certificates.json"), "utf8")).toBe(before);
		mesh.time.nowMs += 3_600_000;
		expect(await askAs(mesh, three, {})).toMatchObject({ schema: "orion.renewed/1", node: "pi-3" });
	});

	test("one that is over is looked at as closely as one that is not: its issuer, its purpose and its name", async () => {
		const home = folder();
		const ca = await openMeshCa(await keptFiles(home), MESH, () => Date.now());
		// Another authority that calls itself the same.
		const namesake = await openMeshCa(await keptFiles(folder()), MESH, () => Date.now());
		const authority = new X509Certificate(ca.certificatePem);
		const der = (pem: string) => new X509Certificate(pem).raw;
		const { requestPem } = await makeRequest("pi-3");
		const [mine, foreign] = [await ca.node("pi-3", requestPem), await namesake.node("pi-3", requestPem)];
		if (!mine.ok || !foreign.ok) throw new Error("not made");
		expect(readCertified(der(mine.value.certificatePem), authority)).toMatchObject({ node: "pi-3", serial: mine.value.serial });
		expect(readCertified(der(foreign.value.certificatePem), authority)).toBeUndefined();
		expect(readCertified(der((await ca.server()).certificatePem), authority)).toBeUndefined();
		expect(readCertified(der(ca.certificatePem), authority)).toBeUndefined();
		// Its name and issuer are right, but it is there to be a server with.
		for (const [purpose, read] of [
			[ExtendedKeyUsage.clientAuth, { node: "pi-3" }],
			[ExtendedKeyUsage.serverAuth, undefined],
		] as const) {
			const made = await forPurpose(purpose, JSON.parse(readFileSync(join(home, "mesh-ca.json"), "utf8")) as { readonly keyPem: string });
			const found = readCertified(made, authority);
			if (read === undefined) expect(found).toBeUndefined();
			else expect(found).toMatchObject(read);
		}
		expect(readCertified(Buffer.from("nonsense"), authority)).toBeUndefined();
	});
});

describe("HARM-112 who only publishes events", () => {
	test("comes as a client whatever it calls itself: no presence, no measurements, no orders to stop, nothing to read but its verdicts", async () => {
		const mesh = await doors();
		const state = folder();
		const { token } = await mesh.add("backup", true);
		expect(await codeOf(joinMesh(state, mesh.address, token))).toBe("TOKEN_REFUSED");
		await joinMesh(state, mesh.address, token, true);
		const credential = await configOf(state, "client.json");
		expect(await codeOf(configOf(state))).toContain("ENOENT");
		writeFileSync(join(state, "node.json"), JSON.stringify(credential));
		expect(await codeOf(come(state, "backup", {}, { will: lastWords("backup") }))).not.toBe("none");
		expect(mesh.taken.refused).toEqual(["WILL_REFUSED"]);
		for (const clientId of ["backup", "backup.safety", "backup.nightly"]) {
			mesh.taken.accepted.length = 0;
			mesh.taken.quarantined.length = 0;
			const connection = await come(state, clientId);
			const event = {
				specversion: "1.0",
				id: clientId,
				source: "/nodes/backup",
				type: "dev.orion.alert.firing.v1",
				data: { name: "try", severity: "info", summary: "x" },
			};
			await connection.publish("orion/v1/backup/evt/alert", Buffer.from(JSON.stringify(event)), { qos: 1, retain: false });
			for (const topic of ["state", "about", "safety", "pulse", "ack/x", "tlm/host.metrics", "stop", "cut"])
				await connection.publish(`orion/v1/backup/${topic}`, Buffer.from("{}"), { qos: 1, retain: false });
			expect(mesh.taken.accepted).toEqual(["orion/v1/backup/evt/alert"]);
			expect(mesh.taken.quarantined).toHaveLength(8);
			expect(new Set(mesh.taken.quarantined.map((row) => row.split(" ")[0]))).toEqual(new Set(["TOPIC_REFUSED"]));
			await connection.subscribe([{ topic: "orion/v1/backup/verdict", qos: 1 }]);
			for (const topic of ["orion/v1/backup/cmd/+", "orion/v1/backup/stop", "orion/v1/core/beacon", "#"])
				await expect(connection.subscribe([{ topic, qos: 1 }])).rejects.toThrow();
			await connection.close();
		}
		expect(mesh.door.register.nodes()).toMatchObject([{ node: "backup", client: true }]);
		await renewCertificate(state);
		// And a token of a node makes no client of it.
		const other = await mesh.add("pi-3");
		expect(await codeOf(joinMesh(folder(), mesh.address, other.token, true))).toBe("TOKEN_REFUSED");
		expect(await codeOf(joinMesh(folder(), mesh.address, other.token))).toBe("none");
	});
});
