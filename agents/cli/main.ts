// Connects the command line to this process: its streams, its signals and its exit code.
import { userInfo } from "node:os";
import { createInterface } from "node:readline/promises";
import { runCli } from "./program.ts";
import type { Host } from "./session.ts";

const userName = (): string => {
	try {
		return userInfo().username;
	} catch {
		// A user id without a name, as in some containers.
		return `uid ${process.getuid?.() ?? "unknown"}`;
	}
};

/** `orion logs | head` closes our output: that is no error. */
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

const interrupted = new AbortController();
process.once("SIGINT", () => interrupted.abort());

const keys = (onKey: (key: string) => void): (() => void) => {
	const { stdin } = process;
	const hear = (text: string): void => {
		for (const key of text) onKey(key);
	};
	stdin.setRawMode(true);
	stdin.setEncoding("utf8");
	stdin.on("data", hear);
	stdin.resume();
	return () => {
		stdin.off("data", hear);
		stdin.setRawMode(false);
		stdin.pause();
	};
};

const host: Host = {
	out: (text) => process.stdout.write(text),
	err: (text) => process.stderr.write(text),
	outIsTty: process.stdout.isTTY === true,
	errIsTty: process.stderr.isTTY === true,
	inIsTty: process.stdin.isTTY === true,
	columns: process.stdout.columns ?? 100,
	env: process.env,
	user: userName(),
	wallMs: () => Date.now(),
	askLine: async (question) => {
		const lines = createInterface({ input: process.stdin, output: process.stderr });
		try {
			return await lines.question(question, { signal: interrupted.signal });
		} finally {
			lines.close();
		}
	},
	...(process.stdin.isTTY === true ? { keys } : {}),
	interrupted: interrupted.signal,
};

process.exit(await runCli(process.argv.slice(2), host));
