// Shows what `orion logs` and `orion replay` tell of a log, running or not: TELL-1, LOSS-5.
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { encodeEnvelope } from "../../contracts/envelope.ts";
import { identityOf, keyOfRecord } from "../../core/service/journal.ts";
import { nodeFiles } from "../../log/node-files.ts";
import { openSegments } from "../../log/segments.ts";
import { DeskWorld, hopeless, repaired } from "../core/http-desk.ts";
import { until as untilWithin } from "../support/mesh.ts";
import { removeFolder } from "../support/remove-folder.ts";
import { apiOver, runHere, type TestApi } from "./host.ts";

const until = <T>(what: string, happens: () => Promise<T | undefined> | T | undefined): Promise<T> => untilWithin(what, happens, 8_000);

const apis: TestApi[] = [];
const folders: string[] = [];

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

describe("logs", () => {
	const positions = (out: string): readonly number[] =>
		out
			.trimEnd()
			.split("\n")
			.filter(Boolean)
			.map((line) => JSON.parse(line).position);

	test("-n, --type, --node, --since by position and by time", async () => {
		const world = hopeless();
		const api = await over(world);
		const ask = async (...args: readonly string[]) => positions((await api.run(["logs", "--json", ...args])).out);
		const all = world.records.map(({ position }) => position);
		expect(await ask("-n", "4")).toEqual(all.slice(-4));
		expect(await ask("--since", "30")).toEqual(all.slice(29));
		expect(await ask("--since", "#30", "-n", "2")).toEqual(all.slice(-2));
		expect(await ask("--type", "decision", "--type", "dev.orion.breaker")).toEqual(
			world.records.filter(({ envelope }) => /decision|breaker/.test(envelope.type)).map(({ position }) => position),
		);
		expect((await ask("--node", "host")).length).toBe(world.records.filter(({ envelope }) => envelope.source === "/nodes/host").length);
		const recent = world.records.filter(({ envelope }) => Date.parse(envelope.recordedtime ?? "") >= world.wallMs - 10_000).map(({ position }) => position);
		expect(await ask("--since", "10s")).toEqual(recent);
		expect(await ask("--since", "10m")).toEqual(all);
		expect(await api.run(["logs", "--since", "yesterday"])).toMatchObject({ code: 2, err: expect.stringContaining("10m") });
	});

	test("clock records are for programs, and for people who ask", async () => {
		const api = await over(hopeless());
		expect((await api.run(["logs"])).out).not.toContain("clock.tick");
		expect((await api.run(["logs", "--all"])).out).toContain("clock.tick");
		expect((await api.run(["logs", "--type", "clock"])).out).toContain("clock.tick");
	});

	test("-f goes on with what comes, through an end of the mesh, without a hole; Ctrl-C is exit 130", async () => {
		const world = new DeskWorld();
		world.alert("door");
		let api = await over(world);
		const { folder } = api;
		const ctrlC = new AbortController();
		let out = "";
		const running = api.run(["logs", "-f", "--json", "--type", "alert", "-n", "1"], {
			interrupted: ctrlC.signal,
			onOut: (text) => {
				out += text;
			},
		});
		const shown = () => positions(out).map((position) => (world.records[position - 1]?.envelope.data as { name?: string } | undefined)?.name);
		await until("the past", () => (shown().length === 1 ? true : undefined));
		world.alert("first");
		await until("the present", () => (shown().length === 2 ? true : undefined));
		const run = join(folder, "run.json");
		await api.close();
		world.alert("meanwhile");
		api = await over(world);
		mkdirSync(folder, { recursive: true });
		folders.push(folder);
		writeFileSync(run, readFileSync(join(api.folder, "run.json"), "utf8"));
		await until("what came meanwhile", () => (shown().length === 3 ? true : undefined));
		world.alert("last");
		await until("what comes now", () => (shown().length === 4 ? true : undefined));
		expect(shown()).toEqual(["door", "first", "meanwhile", "last"]);
		ctrlC.abort();
		expect((await running).code).toBe(130);
	});
});

describe("replay", () => {
	test("TELL-1: the same, byte for byte; at the first difference exit 8 with position, cause and both sides", async () => {
		const world = hopeless();
		const api = await over(world);
		expect(await api.run(["replay"])).toMatchObject({ code: 0, out: expect.stringContaining("the same, byte for byte") });
		const index = world.records.findIndex(({ envelope }) => envelope.type === "dev.orion.breaker.opened.v1");
		const record = world.records[index];
		if (record === undefined) throw new Error("no breaker opened");
		world.records[index] = { ...record, envelope: { ...record.envelope, data: { ...record.envelope.data, failures: 3 } } as never };
		const human = await api.run(["replay"]);
		expect(human.code).toBe(8);
		expect(human.out).toMatch(/the answer to #31 differs/);
		expect(human.out).toContain('"failures":3');
		expect(human.out).toContain('"failures":2');
		const { same, divergence } = JSON.parse((await api.run(["replay", "--json"])).out);
		expect([same, divergence.position, divergence.recorded.data.failures, divergence.replayed.data.failures, divergence.cause.type]).toEqual([
			false,
			31,
			3,
			2,
			"dev.orion.clock.tick.v1",
		]);
	});

	test("a log whose beginning is archived cannot be replayed from the first record, and says so", async () => {
		const world = repaired();
		world.first = 5;
		expect(await (await over(world)).run(["replay"])).toMatchObject({ code: 1, out: "", err: expect.stringContaining("archived") });
	});

	test("without a running mesh: the bytes in its folder; a flipped field is found there, too", async () => {
		const world = repaired();
		const play = async (): Promise<readonly [number, string]> => {
			const folder = emptyFolder();
			writeFileSync(join(folder, "mesh.json"), JSON.stringify({ schema: "orion.mesh/1", format: 1, mesh: world.info().mesh }));
			const files = nodeFiles();
			const onFatal = (error: unknown): never => {
				throw error;
			};
			const log = await openSegments({
				files,
				folder: join(folder, "log"),
				mesh: world.info().mesh,
				keyOf: keyOfRecord,
				identityOf,
				acceptLoss: false,
				onFatal,
			});
			await log.append(world.records.map(({ envelope }) => ({ bytes: encodeEnvelope(envelope) })));
			await log.close();
			const { code, out } = await runHere(["replay", "--data", folder, "--json"]);
			const { same, records } = JSON.parse(out) as { same: boolean; records: number };
			return [code, `${same} ${records}`];
		};
		expect(await play()).toEqual([0, `true ${world.head}`]);
		const index = world.records.findIndex(({ envelope }) => envelope.type === "dev.orion.incident.resolved.v1");
		const record = world.records[index];
		if (record === undefined) throw new Error("nothing was resolved");
		world.records[index] = { ...record, envelope: { ...record.envelope, data: { ...record.envelope.data, openMs: 1 } } as never };
		expect(await play()).toEqual([8, `false ${world.head}`]);
	});

	test("no mesh and no folder: says what is missing", async () => {
		expect(await runHere(["replay", "--data", emptyFolder()])).toMatchObject({ code: 1, err: expect.stringContaining("orion up") });
	});
});
