// Shows what a person sees who stops, cuts and releases: who said so and after how long, exit 7 for a silent node, and the nodes here when no mesh answers.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { MOVER_RULES, STILL_RULES } from "../../edge/machines/safe-stop-rows.ts";
import { StopDesk } from "../../edge/stop-desk.ts";
import { StopLatch } from "../../edge/stop-latch.ts";
import { openStopSocket } from "../../edge/stop-socket.ts";
import { DeskWorld } from "../core/http-desk.ts";
import { MemoryFiles, VirtualTime } from "../edge/world.ts";
import { apiOver, runHere, type TestApi } from "./host.ts";

const apis: TestApi[] = [];
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
	for (const api of apis.splice(0)) await api.close();
	for (const close of closers.splice(0)) await close();
});
const over = async (world: DeskWorld): Promise<TestApi> => {
	const api = await apiOver(world);
	apis.push(api);
	return api;
};
const pair = (): DeskWorld => {
	const world = new DeskWorld();
	world.node("pi-3", []);
	world.node("pi-4", []);
	return world;
};
const lastOf = (world: DeskWorld) => world.records.at(-1)?.envelope;

describe("orion stop with a mesh (HARM-50)", () => {
	test("names no node: all of them, each with how long it took to say so", async () => {
		const world = pair();
		const { code, out } = await (await over(world)).run(["stop"]);
		expect([code, out]).toEqual([0, "stopped  pi-3  3 ms, it says stopped\nstopped  pi-4  3 ms, it says stopped\n"]);
		expect(lastOf(world)).toMatchObject({ type: "dev.orion.stop.requested.v1", data: { node: "all", by: "lars", via: "cli", verb: "stop" } });
	});
	test("a silent node is named, and the exit code is 7", async () => {
		const world = pair();
		world.mute.add("pi-4");
		const api = await over(world);
		const { code, out, err } = await api.run(["cut", "--all"]);
		expect([code, out.split("\n")[1]]).toEqual([7, "silent   pi-4  did not say that it is cut; its state was unknown"]);
		expect(err).toContain("use the switch at the machine");
		const json = await api.run(["stop", "pi-4", "--json"]);
		expect([json.code, JSON.parse(json.out)]).toEqual([
			7,
			{ schema: "orion.stop/1", verb: "stop", nodes: [{ node: "pi-4", ms: null, safety: "unknown" }], order: "00112233445566aa" },
		]);
	});
	test("a node and --all together are refused, and nothing is stopped", async () => {
		const world = pair();
		const before = world.records.length;
		expect((await (await over(world)).run(["stop", "pi-3", "--all"])).code).toBe(2);
		expect(world.records).toHaveLength(before);
	});
	test("status says who stopped what, and how it is taken back", async () => {
		const world = pair();
		const api = await over(world);
		await api.run(["stop", "pi-3"]);
		const { out } = await api.run(["status"]);
		expect(out).toContain("pi-3 is stopped by lars");
		expect(out).toContain("orion release pi-3");
		expect(JSON.parse((await api.run(["status", "--json"])).out)).toMatchObject({ stops: [{ node: "pi-3", verb: "stop", by: "lars", via: "cli" }] });
	});
});

describe("orion release (HARM-51)", () => {
	test("asks for the name, takes no other, and asks nobody where nobody can answer", async () => {
		const world = pair();
		const api = await over(world);
		await api.run(["stop", "pi-3"]);
		expect((await api.run(["release", "pi-3"])).code).toBe(2);
		expect((await api.run(["release", "pi-3"], { inIsTty: true, askLine: async () => "pi-4" })).code).toBe(1);
		expect(lastOf(world)?.type).toBe("dev.orion.stop.requested.v1");
		const { code, out } = await api.run(["release", "pi-3"], { inIsTty: true, askLine: async () => "pi-3" });
		expect([code, out]).toEqual([0, "released pi-3 after 5 ms; it says working\n"]);
		expect(lastOf(world)).toMatchObject({ type: "dev.orion.stop.released.v1", data: { node: "pi-3", by: "lars", via: "cli" } });
	});
	test("of what is not stopped says so", async () => {
		const { code, err } = await (await over(pair())).run(["release", "pi-3", "--yes"]);
		expect([code, err]).toEqual([1, "orion: pi-3 is not stopped: there is nothing to release.\n"]);
	});
});

/** A node's stop desk behind its socket, in a data folder without a mesh. */
const nodeHere = async (node: string, handsOver: boolean): Promise<{ readonly data: string; readonly latch: StopLatch }> => {
	const data = mkdtempSync(join(tmpdir(), "orion-cli-"));
	mkdirSync(join(data, "agent"));
	const latch = await StopLatch.open({ files: new MemoryFiles(), note: () => undefined, onOutcome: () => undefined });
	const desk = new StopDesk({
		node,
		latch,
		clock: new VirtualTime().clock(),
		random: { hex: () => "00112233445566aa", ratio: () => 0 },
		safety: () => (latch.isLatched ? "stopped" : "alone"),
		presence: () => false,
		order: () => (handsOver ? Promise.resolve() : Promise.reject(new Error("no broker"))),
	});
	const socket = await openStopSocket({ path: join(data, "agent/stop.sock"), desk, clear: async () => undefined });
	closers.push(async () => {
		await socket.close();
		rmSync(data, { recursive: true });
	});
	return { data, latch };
};

describe("orion stop without a mesh (HARM-52)", () => {
	test("asks the nodes here, and says that the others are not known of", async () => {
		const { data, latch } = await nodeHere("pi-1", true);
		const { code, out, err } = await runHere(["stop", "--data", data]);
		expect([code, out, latch.isLatched]).toEqual([7, "stopped  pi-1  0 ms, it says stopped\n", true]);
		expect(err).toContain("the broker took the order for the other nodes; whether they heard it is not known here");
	});
	test("--local is this machine and nothing else; the release of a cut is done here", async () => {
		const { data, latch } = await nodeHere("pi-1", false);
		expect(await runHere(["cut", "--local", "--data", data])).toMatchObject({ code: 0, out: "cut      pi-1  0 ms, it says stopped\n" });
		expect((await runHere(["release", "pi-2", "--local", "--yes", "--data", data])).code).toBe(3);
		expect(latch.isLatched).toBe(true);
		expect(await runHere(["release", "pi-1", "--local", "--yes", "--data", data])).toMatchObject({ code: 0, out: "released pi-1; it says alone\n" });
		expect((await runHere(["release", "pi-1", "--local", "--yes", "--data", data])).code).toBe(1);
	});
	test("another node, with neither mesh nor broker: silent, 7", async () => {
		const { data, latch } = await nodeHere("pi-1", false);
		const { code, out } = await runHere(["stop", "pi-9", "--data", data, "--json"]);
		expect([code, JSON.parse(out), latch.isLatched]).toEqual([
			7,
			{ schema: "orion.stop/1", verb: "stop", nodes: [{ node: "pi-9", ms: null, safety: "unknown" }], others: "not-reached" },
			false,
		]);
	});
	test("no node either: exit 3, and the switch is named", async () => {
		const data = mkdtempSync(join(tmpdir(), "orion-cli-"));
		const { code, err } = await runHere(["stop", "--data", data]);
		rmSync(data, { recursive: true });
		expect(code).toBe(3);
		expect(err).toContain("the switch at the machine works always");
	});
});

test("orion explain safe-stop prints the rows that the agents carry (HARM-54)", async () => {
	const { code, out } = await runHere(["explain", "safe-stop"]);
	expect(code).toBe(0);
	for (const { id } of MOVER_RULES.rules) expect(out).toContain(id);
	expect(JSON.parse((await runHere(["explain", "safe-stop", "--json"])).out)).toEqual({ schema: "orion.safe-stop/1", mover: MOVER_RULES, still: STILL_RULES });
});
