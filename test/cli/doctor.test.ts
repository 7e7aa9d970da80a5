// Shows that `orion doctor` finds each thing that can be wrong, says the exact fix, changes nothing, and works with and without a mesh (RUN-32).
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { runDoctor } from "../../agents/cli/doctor.ts";
import { Session } from "../../agents/cli/session.ts";
import { type HostFacts, hostFacts } from "../../agents/roles/host-facts.ts";
import { repaired } from "../core/http-desk.ts";
import { leftFolder } from "./folder.ts";
import { apiOver, runHere } from "./host.ts";
import { expectGolden, shapeOf } from "./shape.ts";

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
	for (const close of closers.splice(0)) await close();
});

interface Checked {
	readonly schema: string;
	readonly ok: boolean;
	readonly worst: string;
	readonly checks: readonly { readonly id: string; readonly state: string; readonly says: string; readonly fix?: string }[];
}

const HEALTHY: Partial<HostFacts> = {
	nodeVersion: "20.19.0",
	disk: async () => ({ usedRatio: 0.4, freeBytes: 50e9 }),
	isPortFree: async () => true,
	exists: () => false,
	listens: async () => false,
	holders: async () => [],
	clockQuality: () => "synced",
};

const left = async () => {
	const world = repaired();
	const folder = await leftFolder(world.records.map(({ envelope }) => envelope));
	closers.push(folder.remove);
	const { data } = folder;
	writeFileSync(join(data, "token"), "x".repeat(40), { mode: 0o600 });
	/** The folder as `orion doctor` finds it on a host about which these things are so. */
	const examine = async (facts: Partial<HostFacts> = {}) => {
		let out = "";
		const host = {
			out: (text: string) => (out += text),
			err: () => undefined,
			outIsTty: false,
			errIsTty: false,
			inIsTty: false,
			columns: 80,
			env: {},
			user: "lars",
		};
		const more = { wallMs: () => world.wallMs, askLine: async () => "", interrupted: new AbortController().signal };
		const code = await runDoctor(new Session({ ...host, ...more }, { data, json: true }), { ...hostFacts(), ...HEALTHY, ...facts });
		const answer = JSON.parse(out) as Checked;
		const check = (id: string) => answer.checks.find((found) => found.id === id);
		return { code, answer, check };
	};
	const run = async () => {
		const api = await apiOver(world);
		closers.push(api.close);
		for (const file of ["token", "run.json"]) writeFileSync(join(data, file), readFileSync(join(api.folder, file)), { mode: 0o600 });
	};
	return { world, data, examine, run };
};

describe("RUN-32 orion doctor", () => {
	test("a healthy folder without a mesh: nothing fails, and what to do next is said", async () => {
		const { examine } = await left();
		const { code, answer, check } = await examine();
		expect([code, answer.ok, answer.worst]).toEqual([0, true, "WARN"]);
		expect(answer.checks.filter(({ state }) => state !== "OK").map(({ id }) => id)).toEqual(["mesh"]);
		expect(check("mesh")?.fix).toBe("orion up");
		expectGolden("doctor.shape.txt", shapeOf(answer));
	});

	test("a healthy mesh that runs: every check is OK", async () => {
		const { examine, run } = await left();
		await run();
		const { code, answer } = await examine({ owner: async () => ({ pid: process.pid, isAlive: true }), isPortFree: async () => false });
		expect([code, answer.worst, answer.checks.filter(({ state }) => state !== "OK")]).toEqual([0, "OK", []]);
	});

	const DAY_MS = 86_400_000;
	const given = (wallMs: number, days: number, more: object = {}) => ({
		node: "pi-3",
		serial: `0${days < 0 ? 1 : days}`,
		notAfterWallMs: wallMs + days * DAY_MS,
		...more,
	});
	const lives: readonly (readonly [string, (wallMs: number) => readonly object[], string, string])[] = [
		["none", () => [], "OK", "no node has one"],
		["a good one", (wallMs) => [given(wallMs, 30)], "OK", "the first is over in 30 days"],
		["one that its node did not renew", (wallMs) => [given(wallMs, 29)], "WARN", "pi-3 (29 d)"],
		["one that is over", (wallMs) => [given(wallMs, -1)], "FAIL", "pi-3"],
		["an old one beside its successor", (wallMs) => [given(wallMs, 700), given(wallMs, -1)], "OK", "700 days"],
		["one that was taken back", (wallMs) => [given(wallMs, -1, { revokedWallMs: 1 })], "OK", "no node has one"],
	];
	test.each(lives)("RUN-44: of certificates, %s", async (_what, rows, state, says) => {
		const { world, data, examine } = await left();
		writeFileSync(join(data, "certificates.json"), JSON.stringify({ schema: "orion.certificates/1", certificates: rows(world.wallMs) }), { mode: 0o600 });
		const { check } = await examine();
		expect(check("certificates")).toMatchObject({ state, says: expect.stringContaining(says) });
		if (state !== "OK") expect(check("certificates")?.fix).toContain("orion renew");
	});

	test("RUN-44: a list that is damaged is said", async () => {
		const { data, examine } = await left();
		writeFileSync(join(data, "certificates.json"), "{");
		expect((await examine()).check("certificates")).toMatchObject({ state: "FAIL", says: expect.stringContaining("certificates.json") });
	});

	const wrong: readonly (readonly [string, string, string, Partial<HostFacts>, string])[] = [
		["an old Node", "node", "FAIL", { nodeVersion: "20.18.3" }, "install Node 20.19"],
		["an older one", "node", "FAIL", { nodeVersion: "18.20.0" }, "install Node"],
		["a disk that gets full", "disk", "WARN", { disk: async () => ({ usedRatio: 0.86, freeBytes: 9e9 }) }, "free some space"],
		["a full disk", "disk", "FAIL", { disk: async () => ({ usedRatio: 0.95, freeBytes: 9e9 }) }, "free some space"],
		["a small disk without its reserve", "disk", "FAIL", { disk: async () => ({ usedRatio: 0.5, freeBytes: 63e6 }) }, "free some space"],
		["a disk that says nothing", "disk", "WARN", { disk: async () => undefined }, "df -h"],
		["a port that is taken", "ports", "FAIL", { isPortFree: async (port) => port !== 7_070 }, "ss -ltnp 'sport = :7070'"],
		["a clock that nobody sets", "clock", "WARN", { clockQuality: () => "unsynced" }, "timedatectl set-ntp true"],
		["a process that hangs", "owner", "FAIL", { owner: async () => ({ pid: 77, isAlive: true }) }, "kill 77"],
		["one that is gone", "owner", "WARN", { owner: async () => ({ pid: 77, isAlive: false }) }, "orion up"],
		["a folder of somebody else", "folder", "FAIL", { uid: 1_000, file: async () => ({ uid: 1, mode: 0o700 }) }, "chown"],
		["a folder that others read", "folder", "WARN", { file: async (path) => (/token|core/.test(path) ? undefined : { uid: 0, mode: 0o755 }) }, "chmod 700"],
		["a folder that is read only", "folder", "FAIL", { file: async () => ({ uid: 0, mode: 0o500 }) }, "chmod 700"],
		["the vendor's server of a robot", "robot", "FAIL", { exists: () => true, listens: async (port) => port === 5_002 }, "ss -ltnp 'sport = :5002'"],
		["somebody else at the servos", "robot", "FAIL", { exists: () => true, holders: async () => [{ pid: 77, name: "python3" }] }, "kill 77"],
		["our own guard at the servos", "robot", "OK", { exists: () => true, holders: async () => [{ pid: 77, name: "linux-guard" }] }, ""],
		["no folder at all", "folder", "WARN", { file: async () => undefined }, "orion up"],
	];
	test.each(wrong)("%s", async (_name, id, state, facts, fix) => {
		const { examine } = await left();
		const { code, check } = await examine(facts);
		expect(check(id)).toMatchObject(fix === "" ? { state } : { state, fix: expect.stringContaining(fix) });
		expect(code).toBe(state === "FAIL" ? 9 : 0);
	});

	test.each(["token", "core/audit-key.json"])("%s that others may read, on the real file", async (name) => {
		const { examine, data } = await left();
		chmodSync(join(data, name), 0o640);
		const { code, check } = await examine();
		expect([code, check("secrets")]).toEqual([9, expect.objectContaining({ state: "FAIL", fix: `chmod 600 '${join(data, name)}'` })]);
	});

	test("orion.yaml and a policy that are wrong: file and line", async () => {
		const { examine, data } = await left();
		writeFileSync(join(data, "orion.yaml"), "processes:\n  web: {command: sleep}\n");
		const { check } = await examine();
		expect(check("config")).toMatchObject({ state: "FAIL", says: expect.stringContaining("orion.yaml:2:") });
		expect(check("policies")).toMatchObject({ state: "WARN" });
		writeFileSync(join(data, "orion.yaml"), `policies: ${data}\n`);
		writeFileSync(join(data, "autonomy.yaml"), "version: 1\nfoo: bar\n");
		expect((await examine()).check("policies")).toMatchObject({ state: "FAIL", says: expect.stringContaining("autonomy.yaml:") });
	});

	test("a log and an audit that were touched", async () => {
		const { examine, data } = await left();
		const flip = (file: string, at: number): void => {
			const bytes = readFileSync(join(data, file));
			bytes[at] = (bytes[at] ?? 0) ^ 1;
			writeFileSync(join(data, file), bytes);
		};
		flip("audit/entries-00000000000000000001", 900);
		expect((await examine()).check("audit")).toMatchObject({ state: "FAIL", fix: expect.stringContaining("orion audit verify") });
		flip("audit/entries-00000000000000000001", 900);
		flip("log/00000000000000000001.seg", 200);
		const { code, check } = await examine();
		expect([code, check("audit")?.state, check("log")]).toEqual([
			9,
			"OK",
			expect.objectContaining({ state: "FAIL", fix: expect.stringContaining("--accept-loss") }),
		]);
	});

	test("a mesh that stands still, one that is behind, one that says an error", async () => {
		const { examine, run, world } = await left();
		await run();
		const held = { owner: async () => ({ pid: process.pid, isAlive: true }) };
		world.notices = [
			{ severity: "warning", text: "look" },
			{ severity: "error", text: "the policy on disk was not taken over" },
		];
		expect((await examine(held)).check("notices")).toMatchObject({ state: "FAIL", says: "the policy on disk was not taken over" });
		world.notices = [{ severity: "warning", text: "look" }];
		expect((await examine(held)).check("notices")).toMatchObject({ state: "WARN", says: "look" });
		world.engineMs += 61_000;
		expect((await examine(held)).check("mesh")).toMatchObject({ state: "FAIL", says: expect.stringContaining("stands still") });
	});

	test("a token that is refused is said, and the other checks are made", async () => {
		const { examine, run, data } = await left();
		await run();
		const told = JSON.parse(readFileSync(join(data, "run.json"), "utf8")) as object;
		writeFileSync(join(data, "run.json"), JSON.stringify({ ...told, tokenFile: join(data, "token") }));
		writeFileSync(join(data, "token"), "wrong");
		const { answer, check } = await examine();
		expect([answer.checks.length, check("mesh")?.state]).toEqual([15, "FAIL"]);
	});

	test("the host's own answers are real: a port that is taken, a file's rights", async () => {
		const facts = hostFacts();
		const server = createServer();
		const port = await new Promise<number>((resolve) => {
			server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
		});
		closers.push(() => new Promise((resolve) => server.close(() => resolve())));
		expect(await facts.isPortFree(port)).toBe(false);
		const { data } = await left();
		expect(await facts.file(join(data, "token"))).toMatchObject({ mode: 0o600 });
		expect(await facts.owner(data)).toBeUndefined();
		expect((await facts.disk(data))?.usedRatio).toBeGreaterThan(0);
		expect(await facts.file(join(data, "none"))).toBeUndefined();
	});

	test("for people: every check on a line, the fix below it, and the sum", async () => {
		const { data } = await left();
		chmodSync(join(data, "token"), 0o644);
		const { code, out } = await runHere(["doctor", "--data", data]);
		expect(code).toBe(9);
		expect(out).toMatch(/FAIL {2}token, keys {2}others on this machine may read .*token\n +fix: chmod 600 /);
		expect(out).toMatch(/\n\d of 15 checks fail, \d warn\n$/);
	});
});
