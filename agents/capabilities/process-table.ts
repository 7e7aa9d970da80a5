// Connects process ids to what the kernel knows of them: when they started, what they were started as, and whose they are.
import { readdirSync, readFileSync } from "node:fs";
import { sha256Hex } from "../../contracts/digest.ts";

/** Clock ticks a second in what the kernel shows to programs: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const MS_PER_TICK = 1_000 / TICKS_PER_SECOND;

export interface Observed {
	readonly pid: number;
	/** Field 22: clock ticks since boot. Together with the pid it names a process for as long as the host runs. */
	readonly startTicks: number;
	readonly session: number;
	/** It ended, and nobody has asked for its exit code yet. */
	readonly ended: boolean;
}

/** /proc/<pid>/stat; the name in parentheses may itself contain spaces and parentheses. */
export const parseProcessStat = (text: string): Observed | undefined => {
	const open = text.indexOf("(");
	const close = text.lastIndexOf(")");
	if (open < 1 || close < open) return undefined;
	const fields = text
		.slice(close + 2)
		.trim()
		.split(" ");
	const pid = Number(text.slice(0, open));
	const session = Number(fields[3]);
	const startTicks = Number(fields[19]);
	if (!Number.isSafeInteger(pid) || !Number.isSafeInteger(startTicks) || !Number.isSafeInteger(session)) return undefined;
	return { pid, startTicks, session, ended: fields[0] === "Z" || fields[0] === "X" };
};

const read = (path: string): Buffer | undefined => {
	try {
		return readFileSync(path);
	} catch {
		// It ended meanwhile, or belongs to somebody else.
		return undefined;
	}
};

export const observe = (pid: number): Observed | undefined => {
	const text = read(`/proc/${pid}/stat`)?.toString("utf8");
	return text === undefined ? undefined : parseProcessStat(text);
};

/** SHA-256 of the command line as the kernel shows it; a script shows its interpreter first, so it is taken from there and not from the order. */
export const argvHashOf = (pid: number): string | undefined => {
	const bytes = read(`/proc/${pid}/cmdline`);
	return bytes === undefined || bytes.byteLength === 0 ? undefined : sha256Hex(bytes);
};

/** What the command line of an order will look like, unless it is a script. */
export const argvHashOfCommand = (command: readonly string[]): string => sha256Hex(`${command.join("\0")}\0`);

export interface Recorded {
	readonly pid: number;
	readonly startTicks: number;
	readonly argvHash: string;
}

/** Exactly that process and no other that got its number: all three must match. */
export const isAlive = ({ pid, startTicks, argvHash }: Recorded): boolean => {
	const found = observe(pid);
	return found !== undefined && !found.ended && found.startTicks === startTicks && argvHashOf(pid) === argvHash;
};

/** It still runs; what it calls itself now does not matter. */
export const isStill = ({ pid, startTicks }: Pick<Recorded, "pid" | "startTicks">): boolean => {
	const found = observe(pid);
	return found !== undefined && !found.ended && found.startTicks === startTicks;
};

const everyProcess = (): readonly Observed[] =>
	readdirSync("/proc").flatMap((name) => {
		const found = /^\d+$/.test(name) ? observe(Number(name)) : undefined;
		return found === undefined ? [] : [found];
	});

/** The name of the variable by which a process is found whose start was not recorded. */
export const MARK_VARIABLE = "ORION_START";

/** The process that was started with this mark: the leader of its session, because what it starts itself has the mark too. */
export const findMarked = (mark: string, fromTicks: number): Observed | undefined =>
	everyProcess().find(({ pid, session, startTicks, ended }) => {
		if (ended || session !== pid || startTicks < fromTicks) return false;
		return read(`/proc/${pid}/environ`)?.toString("latin1").split("\0").includes(`${MARK_VARIABLE}=${mark}`) ?? false;
	});

/**
 * What a process left behind in its session, itself included if it runs under a name that nobody knows it by. Its number cannot belong to another process while they live, unless a process with that very
 * number runs now: then nothing is theirs.
 */
export const leftoversOf = ({ pid, startTicks }: Pick<Recorded, "pid" | "startTicks">): readonly number[] => {
	const leader = observe(pid);
	if (leader !== undefined && leader.startTicks !== startTicks) return [];
	return everyProcess()
		.filter((found) => found.session === pid && !found.ended)
		.map((found) => found.pid);
};

export const ticksOf = (bootMs: number): number => Math.floor(bootMs / MS_PER_TICK);
export const bootMsOf = (ticks: number): number => ticks * MS_PER_TICK;
