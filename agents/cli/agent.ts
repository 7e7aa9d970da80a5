// Connects `orion agent` to the agent of a node that is not core's own: the same process that core starts for its host, in the foreground.
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { resolve } from "node:path";
import { bundled } from "../roles/agent-process.ts";
import type { JoinOptions } from "./join.ts";
import type { Session } from "./session.ts";

const SMALL_YOUNG_SPACE = "--max-semi-space-size=1";
const BY_SIGNAL = 128;

/** Its lines are the agent's own; what ends this ends the agent in order, and its exit code is this one's. */
export const runAgent = (session: Session, { state }: JoinOptions): Promise<number> =>
	new Promise((done, reject) => {
		const agent = spawn(process.execPath, [SMALL_YOUNG_SPACE, bundled("agent"), "--state", resolve(state)], {
			stdio: ["ignore", "inherit", "inherit"],
			// Of a service it is the agent that gives the signs of life, not this process.
			env: { ...process.env, WATCHDOG_PID: undefined },
		});
		const pass = (signal: NodeJS.Signals): void => {
			agent.kill(signal);
		};
		process.on("SIGTERM", pass);
		// Ctrl-C reaches both; a signal to this process alone is passed on.
		session.host.interrupted.addEventListener("abort", () => pass("SIGINT"), { once: true });
		agent.once("error", reject);
		agent.once("close", (code, signal) => {
			process.off("SIGTERM", pass);
			done(code ?? BY_SIGNAL + (signal === null ? 0 : constants.signals[signal]));
		});
	});
