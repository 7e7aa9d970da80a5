// Shows that a device joins only the mesh that its token names, once and within the hour, and that its certificate is good for nothing else (HARM-60 to HARM-64).
import { X509Certificate } from "node:crypto";
import { statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { connect, createServer as createTlsServer } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { joinMesh } from "../../agents/roles/join.ts";
import { openJoinTokens } from "../../agents/roles/join-tokens.ts";
import { keptFiles } from "../../agents/roles/kept-files.ts";
import { makeRequest, openMeshCa } from "../../agents/roles/mesh-ca.ts";
import { CORE_SERVER_NAME, readCertificate } from "../../agents/roles/node-certificate.ts";
import { type MqttTls, mqttConnect } from "../../edge/mqtt.ts";
import { closeAll, closers, codeOf, come, configOf, doors, folder, HOUR_MS, MESH } from "./doors.ts";

afterEach(closeAll);

describe("joining", () => {
	test("HARM-60: the key is made on the device and only its owner reads it; the certificate lets the node in over TLS, and nobody without one", async () => {
		const mesh = await doors();
		const { address, token } = await mesh.add("pi-3");
		expect(address).toBe(mesh.address);
		const state = folder();
		expect(await joinMesh(state, address, token)).toMatchObject({ mesh: MESH, node: "pi-3" });
		expect(statSync(join(state, "node.key")).mode & 0o777).toBe(0o600);
		expect(statSync(join(state, "node.json")).mode & 0o777).toBe(0o600);
		const certificate = new X509Certificate(await readFile(join(state, "node.crt")));
		expect([certificate.subject, certificate.ca]).toEqual(["CN=pi-3", false]);
		const connection = await come(state, "pi-3");
		expect(mesh.broker.connections().map(({ identity }) => identity.clientId)).toEqual(["pi-3"]);
		await connection.close();
		const { tls } = await readCertificate(state, "mqtts://x");
		const bare = { caPem: tls?.caPem ?? "", serverName: CORE_SERVER_NAME } as MqttTls;
		const anyone = { clientId: "pi-3", keepaliveSeconds: 5, onMessage: () => undefined, onClosed: () => undefined };
		expect(await codeOf(mqttConnect({ ...(await configOf(state)), tls: () => bare })(anyone))).toBe("UNREACHABLE");
		const naked = connect({ host: "127.0.0.1", port: mesh.broker.securePort ?? 0, rejectUnauthorized: false });
		naked.on("error", () => undefined);
		const gone = new Promise((resolve) => naked.once("close", resolve));
		naked.resume();
		await gone;
		expect(mesh.broker.connections()).toEqual([]);
	});

	test("HARM-61: another mesh at that address learns nothing: the authority is compared before anything is sent", async () => {
		const [mine, other] = [await doors(), await doors("mesh-000000000000")];
		const { token } = await mine.add("pi-3");
		await other.add("pi-3");
		expect(await codeOf(joinMesh(folder(), other.address, token))).toBe("AUTHORITY_FOREIGN");
		// An impostor that shows the true authority behind a key of its own: the handshake itself must prove it.
		const foreign = await (await openMeshCa(await keptFiles(folder()), "mesh-1", () => mine.time.wallMs)).server();
		let heard = 0;
		const authority = (await openMeshCa(mine.files, MESH, () => mine.time.wallMs)).certificatePem;
		const impostor = createTlsServer({ key: foreign.keyPem, cert: `${foreign.certificatePem}\n${authority}` }, (socket) => {
			socket.on("error", () => undefined);
			socket.on("data", (bytes: Buffer) => {
				heard += bytes.length;
			});
		});
		impostor.on("tlsClientError", () => undefined);
		await new Promise<void>((resolve) => impostor.listen(0, "127.0.0.1", resolve));
		closers.push(() => void impostor.close());
		const at = impostor.address();
		expect(await codeOf(joinMesh(folder(), `127.0.0.1:${typeof at === "object" ? at?.port : 0}`, token))).toMatch(/AUTHORITY_FOREIGN|JOIN_ADDRESS/);
		expect(heard).toBe(0);
		// And the token is still good where it belongs.
		expect(await codeOf(joinMesh(folder(), mine.address, token))).toBe("none");
	});

	test("HARM-62: a token is good once, within the hour, and not after its node was removed; it is kept as a hash, and guesses have to wait", async () => {
		const mesh = await doors();
		const { address, token } = await mesh.add("pi-3");
		const secret = token.split(".").at(-1) ?? "";
		for (const name of ["join-tokens.json", "nodes.json"]) {
			expect(await readFile(join(mesh.data, name), "utf8")).not.toContain(secret);
			expect(statSync(join(mesh.data, name)).mode & 0o777).toBe(0o600);
		}
		expect(await codeOf(joinMesh(folder(), address, token))).toBe("none");
		expect(await codeOf(joinMesh(folder(), address, token))).toBe("TOKEN_REFUSED");
		const state = folder();
		const other = await mesh.add("pi-6");
		await joinMesh(state, address, other.token);
		const key = await readFile(join(state, "node.key"), "utf8");
		expect(await codeOf(joinMesh(state, address, other.token))).toBe("TOKEN_REFUSED");
		expect(await readFile(join(state, "node.key"), "utf8")).toBe(key);
		const late = await mesh.add("pi-4");
		mesh.time.wallMs += HOUR_MS;
		expect(await codeOf(joinMesh(folder(), address, late.token))).toBe("TOKEN_REFUSED");
		const removed = await mesh.add("pi-5");
		await mesh.door.register.remove("pi-5");
		expect(await codeOf(joinMesh(folder(), address, removed.token))).toBe("TOKEN_REFUSED");
		const wrong = token.replace(secret, "A".repeat(secret.length));
		const codes: string[] = [];
		while (codes.length < 12) codes.push(await codeOf(joinMesh(folder(), address, wrong)));
		expect(codes.at(-1)).toBe("JOIN_BUSY");
		// What was spent stays spent after core was started again.
		const again = await openJoinTokens(mesh.files, () => mesh.time.wallMs - HOUR_MS);
		expect(await again.spend("pi-3", secret)).toMatchObject({ ok: false, fault: { facts: { detail: "it was used before" } } });
	});

	test("HARM-63: each failure names its layer", async () => {
		const mesh = await doors();
		const { token } = await mesh.add("pi-3");
		const silent = createServer((socket) => {
			socket.on("error", () => undefined);
			socket.end("220 mail\r\n");
			socket.resume();
		});
		await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
		const at = silent.address();
		const port = typeof at === "object" ? (at?.port ?? 0) : 0;
		expect(await codeOf(joinMesh(folder(), `127.0.0.1:${port}`, token))).toBe("JOIN_ADDRESS");
		await new Promise((resolve) => silent.close(resolve));
		await expect(joinMesh(folder(), `127.0.0.1:${port}`, token)).rejects.toMatchObject({ fault: { code: "JOIN_ADDRESS", facts: { detail: "ECONNREFUSED" } } });
		expect(await codeOf(joinMesh(folder(), mesh.address, "short"))).toBe("USAGE");
		expect(await codeOf(joinMesh(folder(), "a b", token))).toBe("USAGE");
	});
});

describe("what one stolen thing can do", () => {
	test("HARM-64: a node's certificate and password speak for that node alone, and end with its removal", async () => {
		const mesh = await doors();
		const [three, four] = [folder(), folder()];
		await joinMesh(three, mesh.address, (await mesh.add("pi-3")).token);
		await joinMesh(four, mesh.address, (await mesh.add("pi-4")).token);
		const other = await configOf(four);
		// pi-3's certificate, with everything else that pi-4 has.
		expect(await codeOf(come(three, "pi-4", other))).toBe("NOT_AUTHENTICATED");
		const connection = await come(three, "pi-3");
		await mesh.door.register.remove("pi-3");
		await mesh.broker.drop("pi-3");
		expect(mesh.broker.connections()).toEqual([]);
		connection.destroy();
		expect(await codeOf(come(three, "pi-3"))).toBe("CERTIFICATE_REFUSED");
		expect(mesh.taken.refused.at(-1)).toBe("CERTIFICATE_REVOKED");
	});

	test("HARM-64: a node's certificate is no server: who holds one cannot play core", async () => {
		const mesh = await doors();
		const state = folder();
		await joinMesh(state, mesh.address, (await mesh.add("pi-3")).token);
		const { tls } = await readCertificate(state, "mqtts://x");
		const impostor = createTlsServer({ key: tls?.keyPem, cert: `${tls?.certificatePem}\n${tls?.caPem}` });
		impostor.on("tlsClientError", () => undefined);
		await new Promise<void>((resolve) => impostor.listen(0, "127.0.0.1", resolve));
		closers.push(() => void impostor.close());
		const at = impostor.address();
		const error = await new Promise<unknown>((resolve) => {
			const socket = connect({ host: "127.0.0.1", port: typeof at === "object" ? (at?.port ?? 0) : 0, ca: tls?.caPem ?? "", servername: CORE_SERVER_NAME });
			socket.once("error", resolve);
			socket.once("secureConnect", () => resolve(undefined));
			closers.push(() => void socket.destroy());
		});
		expect(error).toMatchObject({ code: "INVALID_PURPOSE" });
	});

	test("HARM-60: a request that is altered gets no certificate, and the name in it is not looked at", async () => {
		const ca = await openMeshCa(await keptFiles(folder()), MESH, () => 0);
		const { requestPem } = await makeRequest("core");
		const made = await ca.node("pi-3", requestPem);
		expect(made.ok && new X509Certificate(made.value.certificatePem).subject).toBe("CN=pi-3");
		// The last byte of its signature: any letters of its text may be the same by chance.
		const der = Buffer.from(requestPem.replaceAll(/-----[^-]+-----|\s/g, ""), "base64");
		der[der.length - 1] = (der.at(-1) ?? 0) ^ 1;
		const altered = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
		expect(await ca.node("pi-3", altered)).toMatchObject({ ok: false, fault: { facts: { detail: "it is not signed by the key that it names" } } });
		expect((await ca.node("pi-3", "nonsense")).ok).toBe(false);
	});
});
