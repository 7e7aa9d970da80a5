// Shows with real processes that a service is never started twice and is taken over only if it is exactly the one that was recorded, however the agent died (RUN-2).
import { type ChildProcess, spawn } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { describe, expect, test } from "vitest";
import { isAlive, isStill } from "../../agents/capabilities/process-table.ts";
import { keptFiles } from "../../agents/roles/kept-files.ts";
import type { KeptFiles } from "../../edge/ports.ts";
import { type Processes, processRig, runs, type Said, SLEEPS, until } from "./process-rig.ts";

const { agent, services, willEnd, folder } = processRig();

describe("RUN-2: over the death of the agent", () => {
	const bundle = async (): Promise<string> => {
		const outfile = join(folder(), "host-process.mjs");
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
		const child = spawn(process.execPath, [program, folder(), JSON.stringify(processes)], { stdio: ["ignore", "pipe", "inherit"] });
		const lines: Said[] = [];
		let rest = "";
		child.stdout.on("data", (chunk: Buffer) => {
			const parts = (rest + chunk.toString()).split("\n");
			rest = parts.pop() ?? "";
			for (const part of parts) lines.push(JSON.parse(part) as Said);
		});
		await until("start of the other agent", () => lines.some(({ type }) => type === "started"));
		for (const { data } of lines) if (typeof data?.["pid"] === "number") willEnd(data["pid"]);
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
		const files = await keptFiles(folder());
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
	/** Everything of this test that runs now: its folder() is in its command line. */
	const alive = async (name: string): Promise<readonly number[]> => {
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
		const order: Processes = { web: { command: ["sh", "-c", "while :; do sleep 1000; done", folder()] } };
		const { files, dead } = await dying(at, when);
		const one = agent(order, { files });
		void (await one.open()).start(one.context);
		await dead;
		const before = (await alive(folder()))[0];
		if (before !== undefined) willEnd(before);
		expect(before !== undefined).toBe(at >= 2);
		const two = agent(order);
		await two.begin();
		const pids = await alive(folder());
		for (const pid of pids) willEnd(pid);
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
		await writeFile(join(folder(), "services.json"), text);
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
		await writeFile(join(folder(), "services.json"), '{"schema":"orion.services/1","services":{"web":{"phase":"flying"}}}');
		await expect(agent(SLEEPS).begin()).rejects.toThrow(/services\.json/);
	});
});
