// Shows that a join or a renewal which fails says at which layer, in words that name what to look at (HARM-114).
import { createServer } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { joinMesh } from "../../agents/roles/join.ts";
import { renewCertificate } from "../../agents/roles/renew.ts";
import { closeAll, closers, come, doors, folder, HOUR_MS, joined, MESH } from "./doors.ts";

const YEAR_MS = 365 * 86_400_000;

afterEach(closeAll);

const saidBy = async (work: Promise<unknown>): Promise<string> => {
	try {
		await work;
		return "nothing";
	} catch (error) {
		return error instanceof Error ? error.message : String(error);
	}
};

const listening = async (answer: string) => {
	const server = createServer((socket) => {
		socket.on("error", () => undefined);
		socket.end(answer);
		socket.resume();
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const at = server.address();
	const close = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
	return { port: typeof at === "object" ? (at?.port ?? 0) : 0, close };
};

describe("HARM-114", () => {
	test("another authority answers", async () => {
		const [mine, other] = [await doors(), await doors("mesh-000000000000")];
		const { token } = await mine.add("pi-3");
		expect(await saidBy(joinMesh(folder(), other.address, token))).toMatch(/the hash of its authority differs\. Nothing was sent to it/);
	});

	test("a clock that is wrong: what core shows is over by the clock of this device", async () => {
		// The same as a device whose clock runs half a century ahead.
		const mesh = await doors(MESH, folder(), Date.now() - 50 * YEAR_MS);
		const { token } = await mesh.add("pi-3");
		expect(await saidBy(joinMesh(folder(), mesh.address, token))).toMatch(/CERT_HAS_EXPIRED.*by the clock of this device: look at `date`/);
	});

	test("an agent whose clock is wrong hears that it is the certificate of core", async () => {
		const mesh = await doors();
		const state = await joined(mesh, "pi-3");
		const old = await doors(MESH, folder(), Date.now() - 50 * YEAR_MS);
		const url = `mqtts://127.0.0.1:${old.broker.securePort}`;
		expect(await saidBy(come(state, "pi-3", { url }))).toMatch(/certificate/);
	});

	test("a port that is closed, and one that speaks something else", async () => {
		const mesh = await doors();
		const { token } = await mesh.add("pi-3");
		const mail = await listening("220 mail\r\n");
		closers.push(mail.close);
		expect(await saidBy(joinMesh(folder(), `127.0.0.1:${mail.port}`, token))).toMatch(/does not speak TLS|hung up|ECONNRESET|EPROTO|WRONG_VERSION/);
		const gone = await listening("");
		await gone.close();
		expect(await saidBy(joinMesh(folder(), `127.0.0.1:${gone.port}`, token))).toMatch(/ECONNREFUSED.*nothing listens on that port/);
	});

	test("a token that is used, old, taken back or of the other kind", async () => {
		const mesh = await doors();
		const used = await mesh.add("pi-3");
		await joinMesh(folder(), mesh.address, used.token);
		expect(await saidBy(joinMesh(folder(), mesh.address, used.token))).toMatch(/token was refused: it was used before/);
		const old = await mesh.add("pi-4");
		mesh.time.wallMs += HOUR_MS;
		expect(await saidBy(joinMesh(folder(), mesh.address, old.token))).toMatch(/it is older than an hour/);
		const taken = await mesh.add("pi-5");
		await mesh.door.register.revoke("pi-5");
		expect(await saidBy(joinMesh(folder(), mesh.address, taken.token))).toMatch(/taken back|removed/);
		const client = await mesh.add("backup", true);
		expect(await saidBy(joinMesh(folder(), mesh.address, client.token))).toMatch(/join with --client/);
		const node = await mesh.add("pi-6");
		expect(await saidBy(joinMesh(folder(), mesh.address, node.token, true))).toMatch(/join without --client/);
	});

	test("a renewal: the port is closed, the certificate was taken back, there is none", async () => {
		const mesh = await doors();
		const state = await joined(mesh, "pi-3");
		await mesh.door.register.revoke("pi-3");
		expect(await saidBy(renewCertificate(state))).toMatch(/certificate of pi-3 was taken back.*orion node add pi-3/);
		const other = await doors();
		const lonely = await joined(other, "pi-3");
		await other.close();
		expect(await saidBy(renewCertificate(lonely))).toMatch(/ECONNREFUSED.*nothing listens on that port/);
		expect(await saidBy(renewCertificate(folder()))).toMatch(/`orion join` makes one/);
	});
});
