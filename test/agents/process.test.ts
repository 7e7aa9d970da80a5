// Shows with real processes what is said of a service and done to it: started, ended, restarted, stopped, announced (RUN-2, TELL-6).
import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { lastLine } from "../../agents/capabilities/child.ts";
import { findMarked, observe, parseProcessStat } from "../../agents/capabilities/process-table.ts";
import { processRig, runs, SLEEPS, until } from "./process-rig.ts";

const { agent, services, folder } = processRig();

describe("a service from its first start", () => {
	test("it is started in a session of its own, recorded with pid, start ticks and argv hash, and said to be up", async () => {
		const one = agent(SLEEPS);
		await one.begin();
		const pid = one.pid();
		expect(observe(pid)).toMatchObject({ session: pid, ended: false });
		expect((await services())["web"]).toMatchObject({ phase: "running", starts: 1, process: { pid, startTicks: observe(pid)?.startTicks } });
		expect(one.said).toMatchObject([{ type: "process.up", data: { service: "web", how: "started", starts: 1 } }]);
		expect((await stat(join(folder(), "services.json"))).mode & 0o777).toBe(0o600);
	});

	test("killed from outside: down with its signal; it is not started again by itself", async () => {
		const one = agent(SLEEPS);
		await one.begin();
		process.kill(one.pid(), "SIGKILL");
		const down = await until("down", () => one.last("process.down"));
		expect(down).toMatchObject({ service: "web", cause: "killed", signal: "SIGKILL", downs: 1 });
		expect((await services())["web"]).toMatchObject({ phase: "down", starts: 1 });
		expect(one.types()).toEqual(["process.up", "process.down"]);
	});

	test("ended by itself: down with its exit code and its last line, control characters taken out", async () => {
		const one = agent({ web: { command: ["sh", "-c", "sleep 0.4; printf 'first\\n\\033[31mport 8099 is taken\\033[0m\\007\\n' >&2; exit 3"] } });
		await one.begin();
		expect(await until("down", () => one.last("process.down"))).toMatchObject({ cause: "exited", exitCode: 3, detail: "port 8099 is taken" });
	});

	test("ended at once: down, never up", async () => {
		const one = agent({ web: { command: ["sh", "-c", "echo no config >&2; exit 2"] } });
		await one.begin();
		expect(one.said).toMatchObject([{ type: "process.down", data: { cause: "exited", exitCode: 2, detail: "no config" } }]);
	});

	test.each([
		["no such program", { command: ["/no/such/program"] }, "ENOENT"],
		["no such folder", { command: ["sleep", "1"], cwd: "/no/such/folder" }, "/no/such/folder does not exist"],
	])("%s: down, not started, with the reason", async (_, order, said) => {
		const one = agent({ web: order });
		const capability = await one.begin();
		expect(one.said).toMatchObject([{ type: "process.down", data: { cause: "not-started", detail: expect.stringContaining(said) } }]);
		expect(await capability.run("process.restart", { service: "web" }, "act-1")).toMatchObject({ phase: "failed", reason: "cannot-start" });
	});

	test("three ends in ten minutes are flapping, said once", async () => {
		const one = agent(SLEEPS);
		const capability = await one.begin();
		for (let times = 1; times <= 4; times++) {
			process.kill(one.pid(), "SIGKILL");
			await until(`down ${times}`, () => one.said.filter(({ type }) => type === "process.down").length === times);
			await capability.run("process.restart", { service: "web" }, `act-${times}`);
		}
		expect(one.said.filter(({ type }) => type === "process.flapping")).toMatchObject([{ data: { service: "web", downs: 3, windowMs: 600_000 } }]);
	});
});

describe("restart and stop", () => {
	test("restart of a dead one: done with its new pid, up as restarted by that action", async () => {
		const one = agent(SLEEPS);
		const capability = await one.begin();
		process.kill(one.pid(), "SIGKILL");
		await until("down", () => one.last("process.down"));
		const outcome = await capability.run("process.restart", { service: "web" }, "act-7");
		expect(outcome).toEqual({ phase: "done", result: { pid: one.pid() } });
		expect(one.last("process.up")).toMatchObject({ how: "restarted", action: "act-7", starts: 2 });
		expect(runs(one.pid())).toBe(true);
	});

	test("restart of a running one ends the old one first and says nothing of an end", async () => {
		const one = agent(SLEEPS);
		const capability = await one.begin();
		const before = one.pid();
		await capability.run("process.restart", { service: "web" }, "act-7");
		expect(runs(before)).toBe(false);
		expect(one.types()).toEqual(["process.up", "process.up"]);
	});

	test("one that does not listen to SIGTERM is killed, and what it started with it", async () => {
		const one = agent({ web: { command: ["sh", "-c", "trap '' TERM; sleep 1000 & echo child $!; while :; do sleep 0.1; done"], stopWithin: "200ms" } });
		const capability = await one.begin();
		const before = one.pid();
		const child = await until(
			"its child",
			async () => Number(/child (\d+)/.exec(await readFile(join(folder(), "services/web.log"), "utf8"))?.[1] ?? Number.NaN) || undefined,
		);
		expect(await capability.run("process.stop", { service: "web" }, "act-8")).toEqual({ phase: "done" });
		expect(runs(before)).toBe(false);
		expect(runs(child)).toBe(false);
		expect(one.last("process.stopped")).toEqual({ service: "web", why: "action", action: "act-8" });
	});

	test("what a dead service left behind is ended before the next one starts", async () => {
		const one = agent({ web: { command: ["sh", "-c", "sleep 1000 & echo child $!; wait"] } });
		const capability = await one.begin();
		const child = await until(
			"its child",
			async () => Number(/child (\d+)/.exec(await readFile(join(folder(), "services/web.log"), "utf8"))?.[1] ?? Number.NaN) || undefined,
		);
		process.kill(one.pid(), "SIGKILL");
		await until("down", () => one.last("process.down"));
		expect(runs(child)).toBe(true);
		await capability.run("process.restart", { service: "web" }, "act-9");
		expect(runs(child)).toBe(false);
	});

	test("restart that ends at once failed, with the reason", async () => {
		const file = join(folder(), "ok");
		await writeFile(file, "");
		const one = agent({ web: { command: ["sh", "-c", `test -e ${file} || { echo broken for good >&2; exit 4; }; exec sleep 1000`] } });
		const capability = await one.begin();
		await rm(file);
		const outcome = await capability.run("process.restart", { service: "web" }, "act-7");
		expect(outcome).toEqual({ phase: "failed", reason: "ended-at-once", detail: "it ended with exit code 4: broken for good" });
		expect(one.last("process.down")).toMatchObject({ exitCode: 4 });
	});

	test("a service that a mesh stopped stays stopped over restarts of the agent, one that the agent's own end stopped is started again", async () => {
		const one = agent({ web: { command: ["sleep", "1000"] }, db: { command: ["sleep", "1001"] } });
		const first = await one.begin();
		await first.run("process.stop", { service: "web" }, "act-8");
		await first.stop("agent-stop");
		expect(one.said.filter(({ type }) => type === "process.stopped").map(({ data }) => [data["service"], data["why"]])).toEqual([
			["web", "action"],
			["db", "agent-stop"],
		]);
		const two = agent({ web: { command: ["sleep", "1000"] }, db: { command: ["sleep", "1001"] } });
		await two.begin();
		expect(two.last("process.stopped")).toMatchObject({ service: "web", why: "action", action: "act-8" });
		expect(two.last("process.up")).toMatchObject({ service: "db", how: "started", starts: 2 });
	});

	test("probe says what can be seen: done, failed, or unknown", async () => {
		const one = agent(SLEEPS);
		const capability = await one.begin();
		await capability.run("process.restart", { service: "web" }, "act-7");
		expect(await capability.probe("process.restart", { service: "web" }, "act-7")).toMatchObject({ phase: "done" });
		expect(await capability.probe("process.restart", { service: "web" }, "act-6")).toMatchObject({ phase: "unknown" });
		process.kill(one.pid(), "SIGKILL");
		await until("down", () => one.last("process.down"));
		expect(await capability.probe("process.restart", { service: "web" }, "act-7")).toMatchObject({ phase: "failed" });
	});
});

describe("announcing", () => {
	test("level-triggered: up, down and stopped are said again as they are", async () => {
		const one = agent({ web: { command: ["sleep", "1000"] }, db: { command: ["sleep", "1001"] }, bad: { command: ["false"] } });
		const capability = await one.begin();
		await capability.run("process.stop", { service: "db" }, "act-8");
		const before = one.said.length;
		await capability.announce();
		expect(one.said.slice(before).map(({ type, data }) => [type, data["service"]])).toEqual([
			["process.up", "web"],
			["process.stopped", "db"],
			["process.down", "bad"],
		]);
		expect(one.last("process.up")).toMatchObject({ how: "running" });
		expect(one.last("process.down")).toMatchObject({ downs: 1 });
	});
});

describe("what the kernel shows", () => {
	test("a name with spaces and parentheses does not move the fields", () => {
		const rest = Array.from({ length: 18 }, (_, index) => String(index + 100)).join(" ");
		expect(parseProcessStat(`42 (a ) b (c)) S 1 42 42 ${rest.split(" ").slice(0, 15).join(" ")} 987 x`)).toMatchObject({
			pid: 42,
			session: 42,
			startTicks: 987,
			ended: false,
		});
		expect(parseProcessStat("nonsense")).toBeUndefined();
	});

	test("the marked process is the leader of its session, not what it started", async () => {
		const one = agent({ web: { command: ["sh", "-c", "sleep 1000 & wait"] } });
		await one.begin();
		const environment = await readFile(`/proc/${one.pid()}/environ`, "utf8");
		const mark = /ORION_START=([0-9a-f]{32})/.exec(environment)?.[1] ?? "";
		expect(findMarked(mark, 0)?.pid).toBe(one.pid());
		expect(findMarked(mark, (observe(one.pid())?.startTicks ?? 0) + 1)).toBeUndefined();
	});

	test("the last line is bounded, and only what was written since the start counts", async () => {
		const file = join(folder(), "x.log");
		await writeFile(file, `old line\n${"y".repeat(9_000)}\n`);
		expect(lastLine(file, 0)).toBe("y".repeat(500));
		expect(lastLine(file, (await stat(file)).size)).toBeUndefined();
		expect(lastLine(join(folder(), "none.log"), 0)).toBeUndefined();
	});
});
