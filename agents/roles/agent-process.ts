// Connects a running core to the agent of this host: its own process, started again when it dies, ended in order when the mesh ends.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 30_000;
/** An agent that lived this long died of something new: its next start is quick again. */
const SETTLED_MS = 60_000;
const STOP_WITHIN_MS = 10_000;

/** The bundled program: beside this code when it runs from dist, in dist when it runs from the sources. */
export const bundled = (name: "agent" | "actuator" | "board"): string => {
	const here = dirname(fileURLToPath(import.meta.url));
	const candidates = [join(here, `${name}.js`), join(here, `../../dist/${name}.js`)];
	return candidates.find((path) => existsSync(path)) ?? join(here, `${name}.js`);
};

export interface AgentProcess {
	/** Resolves at the agent's first "ready", or after withinMs. */
	ready(withinMs: number): Promise<boolean>;
	stop(): Promise<void>;
	pid(): number | undefined;
}

export interface AgentProcessOptions {
	readonly folder: string;
	readonly onLine: (line: string) => void;
	/** The agent itself, or what moves its robot. */
	readonly program?: "agent" | "actuator";
	readonly args?: readonly string[];
}

/** Its standard input ends with this process, however that ends: the agent then leaves, and its services stay. */
const spawnChild = ({ folder, program = "agent", args = [] }: AgentProcessOptions) =>
	spawn(process.execPath, ["--max-semi-space-size=1", bundled(program), "--state", folder, "--with-parent", ...args], { stdio: ["pipe", "pipe", "pipe"] });

export const startAgentProcess = (options: AgentProcessOptions): AgentProcess => {
	let child: ChildProcess | undefined;
	let stopping = false;
	let retryMs = FIRST_RETRY_MS;
	let retry: NodeJS.Timeout | undefined;
	let sayReady: (() => void) | undefined;
	const wasReady = new Promise<void>((resolve) => {
		sayReady = resolve;
	});

	const start = (): void => {
		const beganMs = performance.now();
		const started = spawnChild(options);
		child = started;
		const lines = (stream: NodeJS.ReadableStream): void => {
			createInterface({ input: stream }).on("line", (line) => {
				if (line.includes('"event":"ready"')) sayReady?.();
				options.onLine(line);
			});
		};
		lines(started.stdout);
		lines(started.stderr);
		started.stdin.on("error", () => undefined);
		started.on("error", (error) => options.onLine(JSON.stringify({ event: "error", detail: error.message })));
		started.on("close", (code, signal) => {
			child = undefined;
			if (stopping) return;
			retryMs = performance.now() - beganMs > SETTLED_MS ? FIRST_RETRY_MS : Math.min(retryMs * 2, LAST_RETRY_MS);
			options.onLine(JSON.stringify({ event: "ended", code, signal, againInMs: retryMs }));
			retry = setTimeout(start, retryMs);
		});
	};
	start();

	return {
		ready: (withinMs) => {
			const tooLate = new Promise<false>((resolve) => {
				setTimeout(() => resolve(false), withinMs).unref();
			});
			return Promise.race([wasReady.then(() => true as const), tooLate]);
		},
		pid: () => child?.pid,
		stop: async () => {
			stopping = true;
			clearTimeout(retry);
			const running = child;
			if (running === undefined) return;
			const ended = new Promise<void>((resolve) => {
				running.once("close", () => resolve());
			});
			running.kill("SIGTERM");
			const kill = setTimeout(() => running.kill("SIGKILL"), STOP_WITHIN_MS);
			await ended;
			clearTimeout(kill);
		},
	};
};
