// Shows that units and containers that somebody else runs are seen, restarted and stopped, the listed ones and no others: a person's own media server is covered (HARM-92).
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Capability, CapabilityContext } from "../../agents/capabilities/capability.ts";
import { conditionOf as containerOf, dockerRuntime } from "../../agents/capabilities/docker.ts";
import { systemdRuntime, conditionOf as unitOf } from "../../agents/capabilities/systemd.ts";
import { type Runtime, watchedCapability } from "../../agents/capabilities/watched.ts";
import { nodeClock } from "../../agents/roles/node-clock.ts";
import { checkContract } from "../../contracts/envelope.ts";
import { removeFolder } from "../support/remove-folder.ts";

let folder: string;
let capabilities: Capability[] = [];
let servers: Server[] = [];
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "orion-watched-"));
});
afterEach(async () => {
	for (const capability of capabilities) await capability.stop("agent-leave");
	for (const server of servers) server.close();
	capabilities = [];
	servers = [];
	removeFolder(folder);
});

const FASTER = 20;

/** The capability with time that runs twenty times as fast, and everything it said. */
const watch = async (runtime: Runtime, services: readonly string[], upWithinMs = 20_000) => {
	const said: { readonly type: string; readonly data: Record<string, unknown> }[] = [];
	const clock = nodeClock();
	const context: CapabilityContext = {
		emit: (type, data) => {
			const checked = checkContract(type.slice("dev.orion.".length, -".v1".length) as "service.up", data);
			if (!checked.ok) throw new Error(JSON.stringify(checked.fault));
			said.push({ type: type.slice("dev.orion.service.".length, -".v1".length), data: { ...data } });
			return Promise.resolve();
		},
		measure: () => undefined,
		safety: () => "working",
		clock: { ...clock, bootMs: () => clock.bootMs() * FASTER },
		timers: {
			after: (delayMs, run) => {
				const timer = setTimeout(run, delayMs / FASTER);
				return () => clearTimeout(timer);
			},
		},
		note: () => undefined,
	};
	const capability = watchedCapability({ runtime, services, everyMs: 1_000, upWithinMs });
	capabilities.push(capability);
	await capability.start(context);
	return { capability, said };
};

const until = async (what: string, isSo: () => boolean): Promise<void> => {
	const end = performance.now() + 10_000;
	while (!isSo()) {
		if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 5));
	}
};

describe("what systemctl says", () => {
	const show = (fields: Record<string, string>): string =>
		Object.entries({ LoadState: "loaded", ActiveState: "active", SubState: "running", Result: "success", ExecMainStatus: "0", NRestarts: "0", ...fields })
			.map(([name, value]) => `${name}=${value}`)
			.join("\n");
	test.each([
		["running", {}, { kind: "up", state: "active (running)" }],
		["a one-shot that is done", { SubState: "exited" }, { kind: "up", state: "active (exited)" }],
		["failed", { ActiveState: "failed", SubState: "failed", Result: "exit-code", ExecMainStatus: "3" }, { kind: "down", exitCode: 3 }],
		[
			"restarting by itself again and again",
			{ ActiveState: "activating", SubState: "auto-restart", Result: "exit-code", NRestarts: "17" },
			{ kind: "down", detail: "result exit-code, restarted 17 times by itself" },
		],
		["on its way", { ActiveState: "activating", SubState: "start" }, { kind: "between" }],
		["stopped in order", { ActiveState: "inactive", SubState: "dead" }, { kind: "stopped" }],
		["ended badly", { ActiveState: "inactive", SubState: "dead", Result: "signal" }, { kind: "down" }],
		["unknown to systemd", { LoadState: "not-found", ActiveState: "inactive", SubState: "dead" }, { kind: "down", state: "not-found" }],
		["masked", { LoadState: "masked", ActiveState: "inactive" }, { kind: "down", state: "masked" }],
	])("%s", (_name, fields, condition) => expect(unitOf(show(fields))).toMatchObject(condition));
});

describe("what the Engine says", () => {
	test.each([
		["running", { Status: "running", Running: true }, { kind: "up", state: "running" }],
		["healthy", { Status: "running", Running: true, Health: { Status: "healthy" } }, { kind: "up", state: "running, healthy" }],
		["unhealthy", { Status: "running", Running: true, Health: { Status: "unhealthy" } }, { kind: "down", state: "running, unhealthy" }],
		["health not known yet", { Status: "running", Running: true, Health: { Status: "starting" } }, { kind: "between" }],
		["paused", { Status: "paused", Running: true, Paused: true }, { kind: "down", state: "paused" }],
		["restarting again and again", { Status: "restarting", Running: true, Restarting: true, ExitCode: 1 }, { kind: "down", exitCode: 1 }],
		["failed", { Status: "exited", Running: false, ExitCode: 1, Error: "no such device" }, { kind: "down", exitCode: 1, detail: "no such device" }],
		["killed for its memory", { Status: "exited", Running: false, ExitCode: 137, OOMKilled: true }, { kind: "down", state: "killed for its memory" }],
		["stopped", { Status: "exited", Running: false, ExitCode: 0 }, { kind: "stopped" }],
		["stopped the hard way", { Status: "exited", Running: false, ExitCode: 137 }, { kind: "stopped" }],
		["never started", { Status: "created", Running: false }, { kind: "stopped" }],
		["nonsense", "x", { kind: "down", state: "unknown" }],
	])("%s", (_name, State, condition) => expect(containerOf({ State })).toMatchObject(condition));
});

/** A program that behaves like systemctl for units whose state lies in files. */
const systemctl = (): { readonly program: string; readonly set: (unit: string, state: string) => void; readonly calls: () => readonly string[] } => {
	const program = join(folder, "systemctl");
	const calls = join(folder, "calls");
	writeFileSync(
		program,
		`#!/bin/sh
echo "$*" >> "${calls}"
for last; do :; done
verb=""
for word; do case "$word" in show|restart|stop) verb=$word; break;; esac; done
state="${folder}/$last"
case "$verb" in
show) cat "$state" 2>/dev/null || printf 'LoadState=not-found\\nActiveState=inactive\\nSubState=dead\\n';;
restart) if [ -e "$state.broken" ]; then printf 'LoadState=loaded\\nActiveState=failed\\nSubState=failed\\nResult=exit-code\\nExecMainStatus=3\\n' > "$state"; echo "Job for $last failed." >&2; exit 1; fi
	printf 'LoadState=loaded\\nActiveState=active\\nSubState=running\\n' > "$state";;
stop) printf 'LoadState=loaded\\nActiveState=inactive\\nSubState=dead\\nResult=success\\n' > "$state";;
esac
`,
	);
	chmodSync(program, 0o755);
	return {
		program,
		set: (unit, state) => writeFileSync(join(folder, unit), state),
		calls: () => readFileSync(calls, "utf8").trim().split("\n"),
	};
};

const FAILED = "LoadState=loaded\nActiveState=failed\nSubState=failed\nResult=signal\nExecMainStatus=9\n";
const RUNNING = "LoadState=loaded\nActiveState=active\nSubState=running\n";

describe("systemd", () => {
	test("a unit that fails is said once, restarted when ordered, and verified by its state; stopped on purpose is no failure", async () => {
		const system = systemctl();
		system.set("jellyfin.service", RUNNING);
		const { capability, said } = await watch(systemdRuntime({ user: false, program: system.program }), ["jellyfin.service"]);
		expect(said.map(({ type }) => type)).toEqual(["up"]);
		system.set("jellyfin.service", FAILED);
		await until("it is said", () => said.length === 2);
		expect(said[1]).toMatchObject({ type: "down", data: { service: "jellyfin.service", runtime: "systemd", state: "failed (failed)", exitCode: 9 } });
		expect(await capability.run("systemd.restart", { service: "jellyfin.service" }, "act-1")).toMatchObject({ phase: "done" });
		expect(said.at(-1)).toMatchObject({ type: "up", data: { action: "act-1" } });
		expect(await capability.run("systemd.stop", { service: "jellyfin.service" }, "act-2")).toEqual({ phase: "done" });
		expect(said.at(-1)).toMatchObject({ type: "stopped", data: { why: "action", action: "act-2" } });
	});

	test("a restart that systemd refuses, and one after which the unit does not stay up, are failures with its words", async () => {
		const system = systemctl();
		system.set("web.service", RUNNING);
		writeFileSync(join(folder, "web.service.broken"), "");
		const { capability } = await watch(systemdRuntime({ user: true, program: system.program }), ["web.service"], 3_000);
		expect(await capability.run("systemd.restart", { service: "web.service" }, "act-1")).toMatchObject({
			phase: "failed",
			reason: "refused-by-runtime",
			detail: "Job for web.service failed.",
		});
		expect(system.calls().every((call) => call.startsWith("--user --no-ask-password ") && call.endsWith(" -- web.service"))).toBe(true);
	});

	test("a name that is not in the list is not touched", async () => {
		const system = systemctl();
		const { capability } = await watch(systemdRuntime({ user: false, program: system.program }), ["web.service"]);
		expect(await capability.run("systemd.stop", { service: "ssh.service" }, "act-1")).toMatchObject({ phase: "failed", reason: "not-allowed" });
		expect(system.calls().some((call) => call.includes("ssh"))).toBe(false);
	});

	test("no systemctl: down, with the reason, and not silence", async () => {
		const { said } = await watch(systemdRuntime({ user: false, program: join(folder, "nothing") }), ["web.service"]);
		expect(said).toMatchObject([{ type: "down", data: { state: "cannot be asked" } }]);
	});

	test("after a death in between nothing is guessed", async () => {
		const system = systemctl();
		system.set("web.service", RUNNING);
		const { capability } = await watch(systemdRuntime({ user: false, program: system.program }), ["web.service"]);
		expect(await capability.probe("systemd.restart", { service: "web.service" }, "act-1")).toMatchObject({ phase: "unknown" });
	});

	/** Where this user has a manager of his own, a real unit is used. */
	const userManager = (() => {
		try {
			execFileSync("systemctl", ["--user", "show", "--property=Version"], { stdio: "ignore", timeout: 5_000 });
			return true;
		} catch {
			return false;
		}
	})();
	test(userManager ? "the user's own manager answers" : "this machine has no user manager: what it says of that is a reason, no crash", async () => {
		const { said } = await watch(systemdRuntime({ user: true, program: "systemctl" }), ["orion-no-such-unit.service"]);
		expect(said).toMatchObject([{ type: "down", data: { state: userManager ? "not-found" : "cannot be asked" } }]);
	});
});

/** An Engine on a unix socket, with containers in memory. */
const engine = async (containers: Record<string, { State: Record<string, unknown> }>) => {
	const socket = join(folder, "docker.sock");
	const calls: string[] = [];
	const server = createServer((request, response) => {
		const [, name = "", what = ""] = /^\/containers\/([^/]+)\/(\w+)/.exec(request.url ?? "") ?? [];
		calls.push(`${request.method} ${request.url}`);
		const container = containers[decodeURIComponent(name)];
		const say = (status: number, body?: unknown): void => {
			response.writeHead(status, { "content-type": "application/json" });
			response.end(body === undefined ? undefined : JSON.stringify(body));
		};
		if (container === undefined) return say(404, { message: `No such container: ${name}` });
		if (request.method === "GET") return say(200, { Name: `/${name}`, ...container });
		if (what === "restart") {
			container.State =
				container.State["Broken"] === true ? { Status: "exited", Running: false, ExitCode: 2, Broken: true } : { Status: "running", Running: true };
			return say(204);
		}
		container.State = { Status: "exited", Running: false, ExitCode: 0 };
		return say(204);
	});
	servers.push(server);
	await new Promise<void>((resolve) => server.listen(socket, resolve));
	return { socket, calls, containers };
};

describe("docker", () => {
	test("an unhealthy container is down; restarted it is up; stopped it is stopped; no container that is not listed is asked about", async () => {
		const { socket, calls, containers } = await engine({
			jellyfin: { State: { Status: "running", Running: true, Health: { Status: "healthy" } } },
			other: { State: { Status: "running", Running: true } },
		});
		const { capability, said } = await watch(dockerRuntime({ socket }), ["jellyfin"]);
		containers["jellyfin"] = { State: { Status: "running", Running: true, Health: { Status: "unhealthy" } } };
		await until("it is said", () => said.length === 2);
		expect(said[1]).toMatchObject({ type: "down", data: { runtime: "docker", state: "running, unhealthy" } });
		expect(await capability.run("docker.restart", { service: "jellyfin" }, "act-1")).toMatchObject({ phase: "done" });
		expect(await capability.run("docker.stop", { service: "jellyfin" }, "act-2")).toEqual({ phase: "done" });
		// A round that looks at the same moment may say the same once more.
		expect(said.map(({ type }) => type).filter((type, index, all) => type !== all[index - 1])).toEqual(["up", "down", "up", "stopped"]);
		expect(calls.some((call) => call.includes("other"))).toBe(false);
	});

	test("one that does not stay up after a restart is a failure", async () => {
		const { socket } = await engine({ web: { State: { Status: "exited", Running: false, ExitCode: 2, Broken: true } } });
		const { capability, said } = await watch(dockerRuntime({ socket }), ["web"], 3_000);
		expect(await capability.run("docker.restart", { service: "web" }, "act-1")).toMatchObject({ phase: "failed", reason: "not-up" });
		expect(said.at(-1)).toMatchObject({ type: "down", data: { exitCode: 2 } });
	});

	test("missing, and no Engine at all, are told apart", async () => {
		const { socket } = await engine({});
		expect((await watch(dockerRuntime({ socket }), ["gone"])).said).toMatchObject([{ data: { state: "missing" } }]);
		const none = join(folder, "none.sock");
		expect(existsSync(none)).toBe(false);
		expect((await watch(dockerRuntime({ socket: none }), ["web"])).said).toMatchObject([
			{ data: { state: "cannot be asked", detail: `${none}: there is no such socket` } },
		]);
	});
});
