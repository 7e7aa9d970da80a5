// Connects one running process to the agent: started in a session of its own so that it outlives the agent, or taken over from an earlier one.
import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Timers } from "../../edge/ports.ts";
import { isStill, leftoversOf, MARK_VARIABLE } from "./process-table.ts";

export interface Order {
	readonly command: readonly string[];
	readonly cwd?: string;
	readonly env?: Readonly<Record<string, string>>;
}

/** How a process ended, as far as anybody knows: only a parent gets the exit code. */
export interface ChildEnd {
	readonly exitCode?: number;
	readonly signal?: string;
}

export interface Child {
	readonly pid: number;
	readonly ended: Promise<ChildEnd>;
	/** Stops watching; the process goes on. */
	leave(): void;
}

const WATCH_EVERY_MS = 250;
const OUTPUT_BYTES_MAX = 5 * 1_024 * 1_024;
const TAIL_BYTES = 4_096;
const LINE_MAX = 500;
const KILLED_WITHIN_MS = 2_000;
const LOOK_EVERY_MS = 20;

/** What a service writes goes to a file, because a pipe would end with the agent. */
export const outputFile = (folder: string, service: string): string => join(folder, `${service}.log`);

const openOutput = (folder: string, service: string): number => {
	mkdirSync(folder, { recursive: true, mode: 0o700 });
	const file = outputFile(folder, service);
	if (existsSync(file) && statSync(file).size > OUTPUT_BYTES_MAX) renameSync(file, `${file}.1`);
	return openSync(file, "a", 0o600);
};

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters and colour codes are what is taken out here.
const CONTROL = /\u001b\[[0-9;?]*[ -/]*[@-~]|[\u0000-\u001f\u007f-\u009f]/g;

/** The last line that a service wrote since `fromByte`, without control characters; undefined if it wrote none. */
export const lastLine = (file: string, fromByte: number): string | undefined => {
	let descriptor: number;
	try {
		descriptor = openSync(file, "r");
	} catch {
		return undefined;
	}
	try {
		const size = statSync(file).size;
		const start = Math.max(fromByte <= size ? fromByte : 0, size - TAIL_BYTES);
		const buffer = Buffer.alloc(Math.max(0, size - start));
		const read = readSync(descriptor, buffer, 0, buffer.byteLength, start);
		const lines = buffer.toString("utf8", 0, read).split(/\r?\n/);
		return lines
			.map((line) => line.replace(CONTROL, "").trim())
			.filter((line) => line !== "")
			.at(-1)
			?.slice(0, LINE_MAX);
	} finally {
		closeSync(descriptor);
	}
};

export const outputBytes = (file: string): number => {
	try {
		return statSync(file).size;
	} catch {
		return 0;
	}
};

/** Starts it. Rejects with the system's error if there is no such program, no such folder, or no right to it. */
export const startChild = (folder: string, service: string, { command, cwd, env }: Order, mark: string): Promise<Child> =>
	new Promise((resolve, reject) => {
		const [program = "", ...args] = command;
		const output = openOutput(folder, service);
		try {
			const child = spawn(program, args, {
				...(cwd === undefined ? {} : { cwd }),
				env: { ...process.env, ...env, [MARK_VARIABLE]: mark },
				detached: true,
				stdio: ["ignore", output, output],
			});
			const ended = new Promise<ChildEnd>((done) => {
				child.once("exit", (code, signal) => done({ ...(code === null ? {} : { exitCode: code }), ...(signal === null ? {} : { signal }) }));
			});
			// A folder that is not there is reported by the system as a program that is not there.
			child.once("error", (error) => reject(cwd === undefined || existsSync(cwd) ? error : new Error(`its folder ${cwd} does not exist`)));
			const { pid } = child;
			// Without a pid it was not started, and "error" says why.
			if (pid !== undefined) resolve({ pid, ended, leave: () => child.unref() });
		} finally {
			closeSync(output);
		}
	});

/** Takes over one that somebody else started: nobody tells its end, so it is looked for. */
export const watchProcess = (recorded: { readonly pid: number; readonly startTicks: number }, timers: Timers): Child => {
	let cancel: (() => void) | undefined;
	const ended = new Promise<ChildEnd>((done) => {
		const look = (): void => {
			if (isStill(recorded)) cancel = timers.after(WATCH_EVERY_MS, look);
			else done({});
		};
		cancel = timers.after(WATCH_EVERY_MS, look);
	});
	return { pid: recorded.pid, ended, leave: () => cancel?.() };
};

const signal = (pid: number, name: "SIGTERM" | "SIGKILL"): void => {
	try {
		process.kill(pid, name);
	} catch {
		// It ended before.
	}
};

const goneWithin = async (isGone: () => boolean, withinMs: number, timers: Timers): Promise<boolean> => {
	for (let waitedMs = 0; !isGone(); waitedMs += LOOK_EVERY_MS) {
		if (waitedMs >= withinMs) return false;
		await new Promise<void>((resolve) => timers.after(LOOK_EVERY_MS, resolve));
	}
	return true;
};

/** Asks the whole group to end, and ends it when it does not. False if even that did not help. */
export const endProcess = async (recorded: { readonly pid: number; readonly startTicks: number }, withinMs: number, timers: Timers): Promise<boolean> => {
	const isGone = (): boolean => !isStill(recorded);
	if (!isGone()) signal(-recorded.pid, "SIGTERM");
	if (!(await goneWithin(isGone, withinMs, timers)) && !isGone()) signal(-recorded.pid, "SIGKILL");
	return goneWithin(isGone, KILLED_WITHIN_MS, timers);
};

/** Ends what a process that is gone left behind, so that the next one finds its ports and files free. */
export const endLeftovers = async (recorded: { readonly pid: number; readonly startTicks: number }, withinMs: number, timers: Timers): Promise<void> => {
	for (const pid of leftoversOf(recorded)) signal(pid, "SIGTERM");
	if (await goneWithin(() => leftoversOf(recorded).length === 0, withinMs, timers)) return;
	for (const pid of leftoversOf(recorded)) signal(pid, "SIGKILL");
	await goneWithin(() => leftoversOf(recorded).length === 0, KILLED_WITHIN_MS, timers);
};
