// Shows with real processes that a service is never started twice, is taken over only if it is exactly the one that was recorded, and that what is said of it is what happened (RUN-2, TELL-6).
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Capability, CapabilityContext } from "../../agents/capabilities/capability.ts";
import { lastLine } from "../../agents/capabilities/child.ts";
import { processCapability, readBootId } from "../../agents/capabilities/process.ts";
import { findMarked, isAlive, isStill, observe, parseProcessStat } from "../../agents/capabilities/process-table.ts";
import { hostTimers } from "../../agents/roles/host-clock.ts";
import { keptFiles } from "../../agents/roles/kept-files.ts";
import { nodeClock, nodeRandomness } from "../../agents/roles/node-clock.ts";
import { checkEnvelope } from "../../contracts/envelope.ts";
import type { ConfigNode, KeptServices } from "../../contracts/gen/types.ts";
import type { KeptFiles } from "../../edge/ports.ts";

type Processes = NonNullable<ConfigNode["processes"]>;
interface Said {
	readonly type: string;
	readonly data: Readonly<Record<string, unknown>>;
}

const WITHIN_MS = 8_000;
const clock = nodeClock();
const random = nodeRandomness();

/** Waits for a fact, not for a time. */
const until = async <T>(what: string, look: () => T | undefined | false | Promise<T | undefined | false>): Promise<T> => {
	const deadline = performance.now() + WITHIN_MS;
	for (;;) {
		const found = await look();
		if (found !== undefined && found !== false) return found;
		if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
};

let folder: string;
let agents: Capability[];
let started: Set<number>;

beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "orion-process-"));
	agents = [];
	started = new Set();
});

afterEach(async () => {
	for (const agent of agents) await agent.stop("agent-leave");
	for (const pid of started) {
		try {
			process.kill(-pid, "SIGKILL");
		} catch {
			// Gone already.
		}
	}
	await rm(folder, { recursive: true, force: true });
});

const services = async (): Promise<KeptServices["services"]> => (JSON.parse(await readFile(join(folder, "services.json"), "utf8")) as KeptServices).services;

/** An agent's process capability; `files` may be made to die. */
const agent = (processes: Processes, change: { files?: KeptFiles; bootId?: string } = {}) => {
	const said: Said[] = [];
	const context: CapabilityContext = {
		emit: (type, data) => {
			said.push({ type: type.slice("dev.orion.".length, -".v1".length), data: data as unknown as Said["data"] });
			const envelope = checkEnvelope({ specversion: "1.0", id: "1", source: "/nodes/pi-1", type, data });
			expect(envelope.ok ? "" : JSON.stringify(envelope.fault)).toBe("");
			const pid = (data as { pid?: number }).pid;
			if (pid !== undefined && type.includes("process.up")) started.add(pid);
			return Promise.resolve();
		},
		measure: () => undefined,
		clock,
		timers: hostTimers(),
		note: () => undefined,
	};
	const open = async (): Promise<Capability> => {
		const files = change.files ?? (await keptFiles(folder));
		const capability = processCapability({ processes, folder, files, bootId: change.bootId ?? readBootId(), newMark: () => random.hex(16) });
		agents.push(capability);
		return capability;
	};
	const begin = async (): Promise<Capability> => {
		const capability = await open();
		await capability.start(context);
		return capability;
	};
	const last = (type: string): Said["data"] | undefined => said.findLast((one) => one.type === type)?.data;
	const pid = (): number => Number(last("process.up")?.["pid"]);
	return { said, begin, open, context, last, pid, types: () => said.map(({ type }) => type) };
};

const SLEEPS: Processes = { web: { command: ["sleep", "1000"] } };
const runs = (pid: number): boolean => observe(pid)?.ended === false;

describe("a service from its first start", () => {
	test("it is started in a session of its own, recorded with pid, start ticks and argv hash, and said to be up", async () => {
		const one = agent(SLEEPS);
		await one.begin();
		const pid = one.pid();
		expect(observe(pid)).toMatchObject({ session: pid, ended: false });
		expect((await services())["web"]).toMatchObject({ phase: "running", starts: 1, process: { pid, startTicks: observe(pid)?.startTicks } });
		expect(one.said).toMatchObject([{ type: "process.up", data: { service: "web", how: "started", starts: 1 } }]);
		expect((await stat(join(folder, "services.json"))).mode & 0o777).toBe(0o600);
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
		["no such program", { command: ["/no/such/program"] }],
		["no such folder", { command: ["sleep", "1"], cwd: "/no/such/folder" }],
	])("%s: down, not started, with the reason", async (_, order) => {
		const one = agent({ web: order });
		const capability = await one.begin();
		expect(one.said).toMatchObject([{ type: "process.down", data: { cause: "not-started", detail: expect.stringContaining("ENOENT") } }]);
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
			async () => Number(/child (\d+)/.exec(await readFile(join(folder, "services/web.log"), "utf8"))?.[1] ?? Number.NaN) || undefined,
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
			async () => Number(/child (\d+)/.exec(await readFile(join(folder, "services/web.log"), "utf8"))?.[1] ?? Number.NaN) || undefined,
		);
		process.kill(one.pid(), "SIGKILL");
		await until("down", () => one.last("process.down"));
		expect(runs(child)).toBe(true);
		await capability.run("process.restart", { service: "web" }, "act-9");
		expect(runs(child)).toBe(false);
	});

	test("restart that ends at once failed, with the reason", async () => {
		const file = join(folder, "ok");
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

describe("RUN-2: over the death of the agent", () => {
	const bundle = async (): Promise<string> => {
		const outfile = join(folder, "host-process.mjs");
		await build({
			entryPoints: [fileURLToPath(new URL("host-process.ts", import.meta.url))],
			bundle: true,
			format: "esm",
			platform: "node",
			outfile,
			logLevel: "error",
		});
		return outfile;
	};
	const other = async (program: string, processes: Processes): Promise<{ readonly child: ChildProcess; readonly lines: Said[] }> => {
		const child = spawn(process.execPath, [program, folder, JSON.stringify(processes)], { stdio: ["ignore", "pipe", "inherit"] });
		const lines: Said[] = [];
		let rest = "";
		child.stdout.on("data", (chunk: Buffer) => {
			const parts = (rest + chunk.toString()).split("\n");
			rest = parts.pop() ?? "";
			for (const part of parts) lines.push(JSON.parse(part) as Said);
		});
		await until("start of the other agent", () => lines.some(({ type }) => type === "started"));
		for (const { data } of lines) if (typeof data?.["pid"] === "number") started.add(data["pid"]);
		return { child, lines };
	};
	const kill = async (child: ChildProcess): Promise<void> => {
		const gone = new Promise((resolve) => child.once("exit", resolve));
		child.kill("SIGKILL");
		await gone;
	};

	test("kill -9 of the agent: its services live on and are adopted, not started; their end is noticed", async () => {
		const { child, lines } = await other(await bundle(), SLEEPS);
		const pid = Number(lines.find(({ type }) => type === "dev.orion.process.up.v1")?.data["pid"]);
		await kill(child);
		expect(runs(pid)).toBe(true);
		const two = agent(SLEEPS);
		await two.begin();
		expect(two.said).toMatchObject([{ type: "process.up", data: { pid, how: "adopted", starts: 1 } }]);
		process.kill(pid, "SIGKILL");
		const down = await until("down", () => two.last("process.down"));
		expect(down).toMatchObject({ pid, cause: "exited" });
		expect(down).not.toHaveProperty("exitCode");
		expect(down).not.toHaveProperty("signal");
	});

	test("it died while no agent ran: down, gone while away, and left down; said again at the next start", async () => {
		const { child, lines } = await other(await bundle(), SLEEPS);
		const pid = Number(lines[0]?.data["pid"]);
		await kill(child);
		process.kill(pid, "SIGKILL");
		await until("its end", () => !runs(pid));
		const two = agent(SLEEPS);
		const capability = await two.begin();
		expect(two.said).toMatchObject([{ type: "process.down", data: { cause: "gone-while-away", pid, downs: 1 } }]);
		await capability.stop("agent-leave");
		const three = agent(SLEEPS);
		await three.begin();
		expect(three.said).toMatchObject([{ type: "process.down", data: { cause: "gone-while-away", downs: 1 } }]);
	});

	/** Files whose n-th write is the last thing the agent did: written or not, nothing follows. */
	const dying = async (at: number, when: "before" | "after"): Promise<{ readonly files: KeptFiles; readonly dead: Promise<void> }> => {
		const files = await keptFiles(folder);
		let writes = 0;
		let die: () => void = () => undefined;
		const dead = new Promise<void>((resolve) => {
			die = resolve;
		});
		const write: KeptFiles["write"] = async (name, text, secret) => {
			writes += 1;
			if (writes < at || (writes === at && when === "after")) await files.write(name, text, secret);
			if (writes < at) return;
			die();
			await new Promise(() => undefined);
		};
		return { files: { read: files.read, write }, dead };
	};
	/** Everything of this test that runs now: its folder is in its command line. */
	const alive = async (name: string): Promise<readonly number[]> => {
		const { readdir } = await import("node:fs/promises");
		const pids = (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry)).map(Number);
		const found = await Promise.all(
			pids.map(async (pid) => ((await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).includes(name) && runs(pid) ? pid : undefined)),
		);
		return found.filter((pid) => pid !== undefined);
	};

	test.each([
		[1, "before"],
		[1, "after"],
		[2, "before"],
		[2, "after"],
	] as const)("the agent dies at its write %i of the record, just %s it is on disk: one process at most, and it is found", async (at, when) => {
		const order: Processes = { web: { command: ["sh", "-c", "while :; do sleep 1000; done", folder] } };
		const { files, dead } = await dying(at, when);
		const one = agent(order, { files });
		void (await one.open()).start(one.context);
		await dead;
		const before = (await alive(folder))[0];
		if (before !== undefined) started.add(before);
		expect(before !== undefined).toBe(at >= 2);
		const two = agent(order);
		await two.begin();
		const pids = await alive(folder);
		for (const pid of pids) started.add(pid);
		if (before === undefined) expect(two.types()).toEqual([at === 1 && when === "before" ? "process.up" : "process.down"]);
		else expect(two.said).toMatchObject([{ type: "process.up", data: { how: "adopted", pid: before, starts: 1 } }]);
		expect(pids.length).toBe(two.last("process.up") === undefined ? 0 : 1);
	});

	test("adopted only if pid, start ticks and argv hash all match", async () => {
		const one = agent(SLEEPS);
		const capability = await one.begin();
		const pid = one.pid();
		await capability.stop("agent-leave");
		const kept = await services();
		const recorded = kept["web"]?.process;
		if (recorded === undefined) throw new Error("not recorded");
		expect(isAlive(recorded)).toBe(true);
		for (const wrong of [{ startTicks: recorded.startTicks + 1 }, { argvHash: "0".repeat(64) }, { pid: process.pid }]) {
			expect(isAlive({ ...recorded, ...wrong })).toBe(false);
		}
		expect(isStill({ ...recorded, startTicks: recorded.startTicks + 1 })).toBe(false);
		const text = JSON.stringify({
			schema: "orion.services/1",
			services: { web: { ...kept["web"], process: { ...recorded, startTicks: recorded.startTicks - 1 } } },
		});
		await writeFile(join(folder, "services.json"), text);
		const two = agent(SLEEPS);
		await two.begin();
		expect(two.said).toMatchObject([{ type: "process.down", data: { cause: "gone-while-away", pid } }]);
		expect(runs(pid)).toBe(true);
	});

	test("after a boot of the host nothing is adopted and everything is started", async () => {
		const one = agent(SLEEPS, { bootId: "boot-1" });
		const capability = await one.begin();
		const before = one.pid();
		await capability.stop("agent-leave");
		const two = agent(SLEEPS, { bootId: "boot-2" });
		await two.begin();
		expect(two.last("process.up")).toMatchObject({ how: "started", starts: 2 });
		expect(two.pid()).not.toBe(before);
	});

	test("a service that is not configured any more is ended and forgotten", async () => {
		const one = agent(SLEEPS);
		const capability = await one.begin();
		const pid = one.pid();
		await capability.stop("agent-leave");
		const two = agent({});
		await two.begin();
		expect(runs(pid)).toBe(false);
		expect(await services()).toEqual({});
	});

	test("a damaged record is refused by name", async () => {
		await writeFile(join(folder, "services.json"), '{"schema":"orion.services/1","services":{"web":{"phase":"flying"}}}');
		await expect(agent(SLEEPS).begin()).rejects.toThrow(/services\.json/);
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
		const file = join(folder, "x.log");
		await writeFile(file, `old line\n${"y".repeat(9_000)}\n`);
		expect(lastLine(file, 0)).toBe("y".repeat(500));
		expect(lastLine(file, (await stat(file)).size)).toBeUndefined();
		expect(lastLine(join(folder, "none.log"), 0)).toBeUndefined();
	});
});
