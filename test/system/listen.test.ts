// Shows where a mesh listens, as the kernel has it, and that nobody comes in with what anybody could guess: HARM-115.
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { OrionError } from "../../contracts/errors.ts";
import { mqttConnect } from "../../edge/mqtt.ts";
import { TestMesh } from "../support/mesh.ts";

const meshes: TestMesh[] = [];
afterEach(async () => {
	for (const mesh of meshes.splice(0)) await mesh.remove();
});

const LISTEN = "0A";
const LOOPBACK = /^0100007F:|^0000000000000000FFFF00000100007F:|^00000000000000000000000001000000:/;

/** Addresses on which this process listens, in the kernel's own words. */
const listensAt = (pid: number): readonly string[] => {
	const inodes = new Set(
		readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
			try {
				return [/^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? ""];
			} catch {
				return [];
			}
		}),
	);
	return ["tcp", "tcp6"].flatMap((table) =>
		readFileSync(`/proc/${pid}/net/${table}`, "utf8")
			.split("\n")
			.slice(1)
			.map((line) => line.trim().split(/\s+/))
			.filter(([, , , state, , , , , , inode]) => state === LISTEN && inodes.has(inode ?? ""))
			.map(([, local = ""]) => local),
	);
};

const childrenOf = (pid: number): readonly number[] =>
	readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
		.trim()
		.split(" ")
		.filter((text) => text !== "")
		.map(Number);

const codeOf = async (url: string, username: string, password: string): Promise<string> => {
	const options = { clientId: username, keepaliveSeconds: 5, onMessage: () => undefined, onClosed: () => undefined };
	try {
		await mqttConnect({ url, username, password })(options);
		return "none";
	} catch (error) {
		return error instanceof OrionError ? error.fault.code : String(error);
	}
};

const started = async (args: readonly string[]): Promise<TestMesh> => {
	const mesh = await TestMesh.make("node: host\n", args);
	meshes.push(mesh);
	await mesh.start();
	return mesh;
};

test("HARM-115: only on loopback unless another address was asked for, the agent nowhere; and no password, name or token that could be guessed", async () => {
	const mesh = await started([]);
	const pid = mesh.pid ?? 0;
	const at = listensAt(pid);
	expect(at.length).toBeGreaterThanOrEqual(2);
	expect(at.filter((address) => !LOOPBACK.test(address))).toEqual([]);
	const children = childrenOf(pid);
	expect(children.length).toBeGreaterThan(0);
	expect(children.flatMap((child) => (existsSync(`/proc/${child}/fd`) ? listensAt(child) : []))).toEqual([]);

	const url = `mqtt://127.0.0.1:${mesh.mqttPort}`;
	for (const username of ["host", "admin", "orion"]) expect(await codeOf(url, username, username)).toMatch(/NOT_AUTHENTICATED|UNREACHABLE/);
	for (const password of ["", "password", "orion", "secret", "none"]) expect(await codeOf(url, "host", password)).toMatch(/NOT_AUTHENTICATED|UNREACHABLE/);
	for (const authorization of ["", "Bearer ", "Bearer orion"])
		expect((await fetch(`${mesh.url}/state/status`, { headers: { authorization } })).status).toBe(401);

	const other = await started(["--listen", "127.0.0.1", "--mqtts-port", "0", "--join-port", "0"]);
	const more = listensAt(other.pid ?? 0);
	expect(more.length).toBe(at.length + 2);
	expect(more.filter((address) => !LOOPBACK.test(address))).toEqual([]);
	const passwordOf = ({ data }: TestMesh): string =>
		(JSON.parse(readFileSync(join(data, "agent/node.json"), "utf8")) as { readonly password: string }).password;
	const secrets = [mesh.token, other.token, passwordOf(mesh), passwordOf(other)];
	expect(new Set(secrets).size).toBe(4);
	for (const secret of secrets) expect(secret.length).toBeGreaterThanOrEqual(32);
});
