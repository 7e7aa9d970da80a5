// A folder, real processes and the process capability on them; what a test started is ended after it.
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect } from "vitest";
import type { Capability, CapabilityContext } from "../../agents/capabilities/capability.ts";
import { processCapability, readBootId } from "../../agents/capabilities/process.ts";
import { leftoversOf, observe } from "../../agents/capabilities/process-table.ts";
import { hostTimers } from "../../agents/roles/host-clock.ts";
import { keptFiles } from "../../agents/roles/kept-files.ts";
import { nodeClock, nodeRandomness } from "../../agents/roles/node-clock.ts";
import { checkEnvelope } from "../../contracts/envelope.ts";
import type { ConfigNode, KeptServices } from "../../contracts/gen/types.ts";
import type { KeptFiles } from "../../edge/ports.ts";
import { removeFolder } from "../support/remove-folder.ts";

export type Processes = NonNullable<ConfigNode["processes"]>;
export interface Said {
	readonly type: string;
	readonly data: Readonly<Record<string, unknown>>;
}

const WITHIN_MS = 8_000;
const clock = nodeClock();
const random = nodeRandomness();

/** Waits for a fact, not for a time. */
export const until = async <T>(what: string, look: () => T | undefined | false | Promise<T | undefined | false>): Promise<T> => {
	const deadline = performance.now() + WITHIN_MS;
	for (;;) {
		const found = await look();
		if (found !== undefined && found !== false) return found;
		if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
};

export const SLEEPS: Processes = { web: { command: ["sleep", "1000"] } };
export const runs = (pid: number): boolean => observe(pid)?.ended === false;

/** Called once in a test file. */
export const processRig = () => {
	let folder = "";
	let agents: Capability[] = [];
	/** Pid -> start ticks: what is ended after a test is exactly what it started. */
	let started = new Map<number, number>();

	beforeEach(async () => {
		folder = await mkdtemp(join(tmpdir(), "orion-process-"));
		agents = [];
		started = new Map();
	});

	afterEach(async () => {
		for (const agent of agents) await agent.stop("agent-leave");
		for (const [pid, startTicks] of started) for (const left of leftoversOf({ pid, startTicks })) process.kill(left, "SIGKILL");
		removeFolder(folder);
	});

	const services = async (): Promise<KeptServices["services"]> => (JSON.parse(await readFile(join(folder, "services.json"), "utf8")) as KeptServices).services;

	/** It is ended after the test, whatever becomes of its agent. */
	const willEnd = (pid: number): void => {
		const startTicks = observe(pid)?.startTicks;
		if (startTicks !== undefined) started.set(pid, startTicks);
	};

	/** An agent's process capability; `files` may be made to die. */
	const agent = (processes: Processes, change: { files?: KeptFiles; bootId?: string } = {}) => {
		const said: Said[] = [];
		const context: CapabilityContext = {
			emit: (type, data) => {
				said.push({ type: type.slice("dev.orion.".length, -".v1".length), data: data as unknown as Said["data"] });
				const envelope = checkEnvelope({ specversion: "1.0", id: "1", source: "/nodes/pi-1", type, data });
				expect(envelope.ok ? "" : JSON.stringify(envelope.fault)).toBe("");
				const pid = (data as { pid?: number }).pid;
				if (pid !== undefined && type.includes("process.up")) willEnd(pid);
				return Promise.resolve();
			},
			measure: () => undefined,
			safety: () => "working",
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

	return { agent, services, willEnd, folder: () => folder };
};
