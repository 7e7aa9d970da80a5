// Shows the command line: help and JSON shapes as promised, exit codes, what it says when something is wrong: TELL-7, RUN-3.

import { mkdtempSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { fail } from "../../contracts/errors.ts";
import { DeskWorld, hopeless, repaired } from "../core/http-desk.ts";
import { removeFolder } from "../support/remove-folder.ts";
import { apiOver, runHere, type TestApi, TOKEN } from "./host.ts";
import { expectGolden, shapeOf } from "./shape.ts";
import { VERBS } from "./verbs.ts";

const apis: TestApi[] = [];
const folders: string[] = [];

beforeAll(() => {
	process.env["TZ"] = "UTC";
});
afterEach(async () => {
	for (const api of apis.splice(0)) await api.close();
	for (const folder of folders.splice(0)) removeFolder(folder);
});

const over = async (world: DeskWorld): Promise<TestApi> => {
	const api = await apiOver(world);
	apis.push(api);
	return api;
};
const emptyFolder = (): string => {
	const folder = mkdtempSync(join(tmpdir(), "orion-cli-"));
	folders.push(folder);
	return folder;
};

/** A host with measurements, a dead service at N0, and an alert. */
const troubled = (): DeskWorld => {
	const world = new DeskWorld();
	world.node("host", ["web", "api"]);
	world.down("host", "web");
	world.alert("door", "warning");
	world.lives = [
		{
			node: "host",
			connected: true,
			metricsNotRecorded: 3,
			session: "1.0",
			tick: 4,
			safety: "working",
			pulseAgeMs: 300,
			metricsAgeMs: 500,
			metrics: {
				uptimeSeconds: 5,
				cpuRatio: 0.123,
				memoryTotalBytes: 8e9,
				memoryAvailableBytes: 5e9,
				temperatureMaxCelsius: 51.6,
				disks: [{ mount: "/", device: "sda", totalBytes: 1e12, freeBytes: 4e11, usedRatio: 0.6 }],
			},
		},
	];
	return world;
};

const COMMANDS = VERBS.map((verb) => (verb === "" ? [] : verb.split(" ")));

describe("help", () => {
	test.each(COMMANDS.map((path) => [path.join(" "), path] as const))("orion %s --help has examples, and is as it was", async (name, path) => {
		const { code, out, err } = await runHere([...path, "--help"], { columns: 80, outIsTty: true });
		expect([code, err]).toEqual([0, ""]);
		expect(out).toContain("Examples:\n");
		expect(out.split("\n").filter((line) => line.length > 100)).toEqual([]);
		// The words of `up` are settled where that command is.
		if (name !== "up") expectGolden(`help${path.map((part) => `-${part}`).join("")}.txt`, out);
	});

	test("orion help why is the same as orion why --help", async () => {
		expect((await runHere(["help", "why"])).out).toBe((await runHere(["why", "--help"])).out);
	});
});

describe("--json", () => {
	const shapes: readonly (readonly [string, () => DeskWorld, readonly string[]])[] = [
		["status", troubled, ["status"]],
		["incidents", troubled, ["incidents", "--all"]],
		["incident", repaired, ["incident", "show", "inc-"]],
		["why-incident", hopeless, ["why", "inc-"]],
		["why-event", troubled, ["why", "2"]],
		["nodes", troubled, ["node", "ls"]],
		["level", troubled, ["level"]],
		["level-set", troubled, ["level", "N2", "-m", "trust it"]],
		["node", troubled, ["node", "add", "backup"]],
		["node-removed", troubled, ["node", "rm", "host", "--yes"]],
		["node-revoked", troubled, ["node", "revoke", "host", "--yes"]],
		["event", troubled, ["alert", "door", "again", "--value", "3"]],
		["policy", troubled, ["config", "reload"]],
		["replay", hopeless, ["replay"]],
		["retry", hopeless, ["retry", "inc-"]],
		["open", troubled, ["open"]],
		["version", troubled, ["version"]],
	];
	test.each(shapes)("%s keeps its shape", async (name, world, args) => {
		const { code, out, err } = await (await over(world())).run([...args, "--json"]);
		expect([code, err, out.trimEnd().split("\n").length]).toEqual([0, "", 1]);
		expectGolden(`${name}.shape.txt`, shapeOf(JSON.parse(out)));
	});

	test("node add prints exactly these four", async () => {
		const { out } = await (await over(troubled())).run(["node", "add", "backup", "--json"]);
		expect(JSON.parse(out)).toEqual({ schema: "orion.node/1", node: "backup", username: "backup", password: "secret-of-test" });
	});

	test("logs gives every record, one a line", async () => {
		const world = repaired();
		const { out } = await (await over(world)).run(["logs", "--since", "1", "--json"]);
		expect(
			out
				.trimEnd()
				.split("\n")
				.map((line) => JSON.parse(line).position),
		).toEqual(world.records.map(({ position }) => position));
	});

	test("an error is JSON on stderr, and stdout stays empty", async () => {
		const { code, out, err } = await runHere(["status", "--json", "--data", emptyFolder()]);
		expect([code, out]).toEqual([3, ""]);
		expect(JSON.parse(err)).toMatchObject({
			schema: "orion.error/1",
			code: "NOT_RUNNING",
			exit: 3,
			retryable: true,
			text: expect.stringContaining("orion up"),
		});
		expect(JSON.parse((await runHere(["stauts", "--json"])).err)).toMatchObject({ code: "USAGE", exit: 2, text: expect.stringContaining("stauts") });
	});
});

describe("what it says when something is wrong", () => {
	test.each([
		[["stauts"], "Did you mean status?"],
		[["status", "--jsno"], "Did you mean --json?"],
		[["status", "--frobnicate"], "unknown option '--frobnicate'"],
		[["level", "N1"], "Allowed choices are N0, N2, N3"],
		[["alert", "door", "x", "--severity", "loud"], "info, warning, error, critical"],
		[["alert", "door"], 'orion alert door "text" --severity warning'],
		[["alert", "no good name", "x"], "name must match pattern"],
		[["alert", "door", "x", "--label", "novalue"], "--label novalue is not KEY=VALUE"],
		[["alert", "door", "x", "--value", "many"], "It is a number"],
		[["logs", "-n", "0"], "whole number from 1 on"],
		[["retry"], "missing required argument 'id'"],
		[["node", "rm", "pi"], "give --yes"],
		[["status", "--url", "not a url"], "it looks like http://127.0.0.1:7070"],
		[["status", "--url", "ftp://x"], "neither http nor https"],
	])("orion %j: exit 2", async (args, said) => {
		const { code, out, err } = await runHere([...args]);
		expect([code, out]).toEqual([2, ""]);
		expect(err).toContain(said);
	});

	test("no command at all: the help, exit 2", async () => {
		const { code, out, err } = await runHere([]);
		expect([code, out]).toEqual([2, ""]);
		expect(err).toContain("orion up");
	});

	test("no mesh ran here, or it is gone: exit 3 and what to do", async () => {
		const folder = emptyFolder();
		expect(await runHere(["status", "--data", folder])).toMatchObject({ code: 3, err: expect.stringContaining("Start one with `orion up`") });
		const server = createServer();
		const port = await new Promise<number>((resolve) => {
			server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
		});
		await new Promise((resolve) => {
			server.close(resolve);
		});
		writeFileSync(join(folder, "token"), TOKEN);
		writeFileSync(
			join(folder, "run.json"),
			JSON.stringify({ schema: "orion.run/1", pid: 1, mqtt: "x", http: `http://127.0.0.1:${port}`, tokenFile: join(folder, "token") }),
		);
		expect(await runHere(["status", "--data", folder])).toMatchObject({ code: 3, err: expect.stringContaining(`127.0.0.1:${port}`) });
	});

	test("a damaged run file, a missing token, a wrong one, another server, one that never answers", async () => {
		const folder = emptyFolder();
		writeFileSync(join(folder, "run.json"), "{");
		expect(await runHere(["status", "--data", folder])).toMatchObject({ code: 2, err: expect.stringContaining("run.json:1:1: is not orion.run/1") });
		const api = await over(troubled());
		expect(await runHere(["status", "--url", api.url, "--token-file", join(folder, "none")])).toMatchObject({
			code: 4,
			err: expect.stringContaining("--token-file"),
		});
		writeFileSync(join(folder, "wrong"), "wrong");
		expect(await runHere(["status", "--url", api.url, "--token-file", join(folder, "wrong")])).toMatchObject({
			code: 4,
			err: expect.stringContaining("refused"),
		});
		expect((await runHere(["status", "--url", api.url, "--token-file", join(api.folder, "token")])).code).toBe(0);
		let answer: string | undefined = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi";
		const other = createServer((socket) => {
			socket.on("error", () => undefined);
			if (answer !== undefined) socket.end(answer);
		});
		const port = await new Promise<number>((resolve) => {
			other.listen(0, "127.0.0.1", () => resolve((other.address() as { port: number }).port));
		});
		const ask = ["status", "--url", `http://127.0.0.1:${port}`, "--token-file", join(api.folder, "token"), "--timeout", "0.2"];
		expect((await runHere(ask)).code).toBe(3);
		answer = "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi";
		expect(await runHere(ask)).toMatchObject({ code: 3, err: expect.stringContaining("not as an orion mesh does") });
		answer = undefined;
		expect(await runHere(ask)).toMatchObject({ code: 3, err: expect.stringContaining("no answer within 0.2 s") });
		other.close();
	});

	test("an id that nobody knows, one that may be several", async () => {
		const world = troubled();
		const api = await over(world);
		expect(await api.run(["why", "inc-ffffff"])).toMatchObject({
			code: 1,
			out: "",
			err: expect.stringContaining("there is no incident, decision, question, action or event inc-ffffff"),
		});
		expect(await api.run(["why", "inc-"])).toMatchObject({ code: 2, err: expect.stringContaining("Give more of it") });
		expect(await api.run(["why", "99999"])).toMatchObject({ code: 1, err: expect.stringContaining("there is no record 99999") });
	});

	test("a bad policy at a reload: file, line, column, exit 2", async () => {
		const world = troubled();
		world.policyFault = fail("POLICY_INVALID", { file: "policies/autonomy.yaml", line: 12, column: 13, detail: "there is no action x" });
		expect(await (await over(world)).run(["config", "reload"])).toMatchObject({
			code: 2,
			out: "",
			err: expect.stringContaining("policies/autonomy.yaml:12:13: there is no action x"),
		});
	});

	test("config check: a good file, a bad one with its place, a missing one; needs no mesh", async () => {
		const folder = emptyFolder();
		const file = join(folder, "orion.yaml");
		writeFileSync(file, "processes:\n  web: {command: [sleep, '9']}\n");
		expect(await runHere(["config", "check", file, "--data", folder])).toMatchObject({ code: 0, out: expect.stringContaining("supervises web") });
		expect(JSON.parse((await runHere(["config", "check", file, "--data", folder, "--json"])).out)).toMatchObject({
			schema: "orion.config/1",
			ok: true,
			processes: ["web"],
		});
		writeFileSync(file, "processes:\n  web: {command: sleep}\n");
		const bad = await runHere(["config", "check", file, "--data", folder]);
		expect([bad.code, bad.out]).toEqual([2, ""]);
		expect(bad.err).toMatch(/orion\.yaml:2:\d+: .*array/);
		expect(await runHere(["config", "check", join(folder, "none.yaml")])).toMatchObject({ code: 2, err: expect.stringContaining("there is no such file") });
	});
});

/** Digests change with every word of a policy; their place and length do not. */
const masked = (text: string): string =>
	text.replace(/\b(inc|dec|act)-[0-9a-f]{10,}|\b[0-9a-f]{8}\b/g, (found) => found.replace(/(?<=-|^)[0-9a-f]+$/, (hex) => "x".repeat(hex.length)));

describe("what people read", () => {
	const onTerminal = (columns: number) => ({ outIsTty: true, columns, env: { NO_COLOR: "1" } });

	test.each([80, 120])("status, incidents, why and logs fit %i columns", async (columns) => {
		for (const world of [troubled(), repaired(), hopeless()]) {
			const api = await over(world);
			for (const args of [
				["status"],
				["incidents", "--all"],
				["why", world.incident()],
				["incident", "show", world.incident()],
				["logs", "--all"],
				["level"],
				["node", "ls"],
			]) {
				const { code, out } = await api.run(args, onTerminal(columns));
				expect(code).toBe(0);
				expect(
					out.split("\n").filter((line) => line.length > columns),
					args.join(" "),
				).toEqual([]);
			}
		}
	});

	test("the card of a hopeless incident, the status and the logs read as they did", async () => {
		const world = hopeless();
		const api = await over(world);
		for (const [name, args] of [
			["why", ["why", "inc-"]],
			["logs", ["logs"]],
			["show", ["incident", "show", "inc-"]],
		] as const)
			expectGolden(`${name}.card.txt`, masked((await api.run(args, onTerminal(80))).out));
		expectGolden("status.card.txt", masked((await (await over(troubled())).run(["status"], onTerminal(80))).out));
	});

	test("RUN-43: node ls says of each node and client what it needs a person for", async () => {
		const world = troubled();
		const day = 86_400_000;
		const until = (days: number) => ({ certificateUntilWallMs: world.wallMs + days * day + 1 });
		const known = (node: string, more: object) => world.credentials.push({ node, addedWallMs: world.wallMs, ...more });
		known("pi-1", until(700));
		known("pi-2", until(59));
		known("pi-3", until(-3));
		known("pi-4", { revokedWallMs: world.wallMs, ...until(100) });
		known("backup", { client: true, ...until(400) });
		world.lives = [
			...world.lives,
			{
				node: "pi-1",
				connected: true,
				metricsNotRecorded: 0,
				session: "12.00000000000000aa",
				tick: 1,
				pulseAgeMs: 300,
				version: "0.1.0",
				outboxCount: 1_234,
				outboxDailyBytes: 2_345_678,
				clock: "unsynced",
			},
		];
		const api = await over(world);
		expectGolden("node-ls.card.txt", masked((await api.run(["node", "ls"], onTerminal(80))).out));
		expect((await api.run(["node", "ls"], onTerminal(120))).out).toMatch(/WRITTEN A DAY\n(.*\n)*pi-1 .* 2\.3 MB\n/);
		expect((await api.run(["status"], onTerminal(120))).out).toMatch(/WRITTEN A DAY .*\n(.*\n)*pi-1 .* 2\.3 MB/);
		const { nodes } = JSON.parse((await api.run(["node", "ls", "--json"])).out) as { nodes: { node: string; presence: string; credential: object }[] };
		expect(Object.fromEntries(nodes.map(({ node, presence, credential }) => [node, [presence, credential]]))).toMatchObject({
			"pi-1": ["never-seen", { kind: "node", certificate: "valid", certificateDaysLeft: 700 }],
			"pi-2": ["never-seen", { certificate: "valid", certificateDaysLeft: 59 }],
			"pi-3": ["never-seen", { certificate: "expired", certificateDaysLeft: -3 }],
			"pi-4": ["revoked", { certificate: "revoked" }],
			backup: ["client", { kind: "client", certificate: "valid" }],
		});
	});

	test("colours on a terminal, none with --no-color, NO_COLOR, TERM=dumb or into a pipe", async () => {
		const api = await over(troubled());
		const coloured = async (args: readonly string[], env: Record<string, string>, outIsTty = true) =>
			(await api.run([...args], { outIsTty, env })).out.includes("\u001b[");
		expect(await coloured(["status"], {})).toBe(true);
		expect(await coloured(["status", "--no-color"], {})).toBe(false);
		expect(await coloured(["status"], { NO_COLOR: "1" })).toBe(false);
		expect(await coloured(["status"], { TERM: "dumb" })).toBe(false);
		expect(await coloured(["status"], {}, false)).toBe(false);
	});

	test("what others wrote cannot steer the terminal", async () => {
		const world = troubled();
		world.alert("evil", "critical", "\u001b]0;owned\u0007\u001b[2J\nnext\u009b31m");
		const api = await over(world);
		for (const args of [["status"], ["incidents"], ["logs"], ["why", world.incident()]]) {
			const { out } = await api.run(args, onTerminal(120));
			// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
			expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
		}
	});

	test("status --exit-code: 9 while something is wrong, 0 when not", async () => {
		const world = troubled();
		const api = await over(world);
		expect((await api.run(["status", "--exit-code"])).code).toBe(9);
		expect((await api.run(["status", "--exit-code", "--json"])).code).toBe(9);
		expect((await api.run(["status"])).code).toBe(0);
		expect((await (await over(repaired())).run(["status", "--exit-code"])).code).toBe(0);
	});

	test("a line for mosquitto_pub that works as it stands", async () => {
		const { out } = await (await over(troubled())).run(["node", "add", "backup"]);
		const line = /mosquitto_pub .*/.exec(out)?.[0] ?? "";
		for (const part of ["-p 1883", "-i backup.script", "-u backup", "-P 'secret-of-test'", "-q 1", "-t orion/v1/backup/evt/alert"])
			expect(line).toContain(part);
		expect(JSON.parse(/-m '(.*)'$/.exec(line)?.[1] ?? "")).toMatchObject({ source: "/nodes/backup", type: "dev.orion.alert.firing.v1" });
	});

	test("node rm asks for the name, and takes no other", async () => {
		const world = troubled();
		const api = await over(world);
		expect((await api.run(["node", "rm", "host"], { inIsTty: true, askLine: async () => "hots" })).code).toBe(1);
		expect(world.credentials).toHaveLength(1);
		expect((await api.run(["node", "rm", "host"], { inIsTty: true, askLine: async () => "host" })).code).toBe(0);
		expect(world.credentials).toHaveLength(0);
	});

	test("who set the level and why is in the record; alert and its end are", async () => {
		const world = troubled();
		const api = await over(world);
		expect((await api.run(["level", "N2", "-m", "trust it"])).out).toContain("was N0 and is N2 now");
		expect(world.records.some(({ envelope }) => JSON.stringify(envelope.data) === JSON.stringify({ level: "N2", by: "lars", why: "trust it" }))).toBe(true);
		expect((await api.run(["alert", "disk", "nearly full", "--severity", "error", "--label", "mount=/srv", "--value", "97", "--threshold", "95"])).code).toBe(
			0,
		);
		const raised = world.records.findLast(({ envelope }) => envelope.type === "dev.orion.alert.firing.v1")?.envelope.data;
		expect(raised).toEqual({ name: "disk", severity: "error", summary: "nearly full", labels: { mount: "/srv" }, value: 97, threshold: 95 });
		expect((await api.run(["alert", "disk", "--resolved"])).code).toBe(0);
		expect(Object.values(world.state.incidents).find(({ title }) => title.startsWith("disk"))?.status).toBe("resolved");
	});
});
