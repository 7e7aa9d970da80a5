// The process that moves a robot: apart from the agent, so that nothing the agent does can delay a turn; ends in order when it is told to or its parent is gone.
import { setPriority } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { ERRORS, OrionError } from "../../contracts/errors.ts";
import type { Note } from "../../edge/ports.ts";
import { type Actuator, startActuator } from "./actuator.ts";
import { openSupervisor } from "./supervisor.ts";

/** Before whatever else runs on this machine: its turns are short. */
const URGENT = -10;
const STOP_WITHIN_MS = 6_000;

const note: Note = (event, facts = {}) => {
	process.stdout.write(`${JSON.stringify({ event, ...facts })}\n`);
};

/** Whatever it was: the board's dead-man stops the legs when nobody renews any more. */
const fatal = (error: unknown): never => {
	const code = error instanceof OrionError ? error.fault.code : undefined;
	const detail = error instanceof Error ? error.message : String(error);
	process.stderr.write(`${JSON.stringify({ event: "failed", ...(code === undefined ? {} : { code }), detail })}\n`);
	process.exit(code === undefined ? 1 : ERRORS[code].exit);
};

const readFlags = () => {
	try {
		const { values } = parseArgs({
			options: { state: { type: "string" }, policy: { type: "string" }, driver: { type: "string" }, "with-parent": { type: "boolean", default: false } },
		});
		const { state, policy, driver } = values;
		if (state === undefined || policy === undefined || driver === undefined)
			throw new Error("actuator --state DIR --policy FILE --driver twin|serial:PORT|guard:SOCKET|board:SOCKET");
		return { folder: resolve(state), policy: resolve(policy), driver, withParent: values["with-parent"] };
	} catch (error) {
		throw new OrionError("USAGE", { detail: error instanceof Error ? error.message : "unreadable flags" });
	}
};

const main = async (): Promise<void> => {
	const { withParent, ...options } = readFlags();
	const supervisor = openSupervisor(process.env, (detail) => note("supervisor-not-told", { detail }));
	let running: Actuator | undefined;
	let ending = false;
	const end = (): void => {
		if (ending) return;
		ending = true;
		supervisor.stopping();
		setTimeout(() => process.exit(1), STOP_WITHIN_MS).unref();
		(running?.stop() ?? Promise.resolve()).then(() => process.exit(0), fatal);
	};
	// Whoever read the lines may be gone before this process is.
	process.stdout.on("error", () => undefined);
	process.stderr.on("error", () => undefined);
	process.on("SIGTERM", end);
	process.on("SIGINT", end);
	process.on("unhandledRejection", fatal);
	process.on("uncaughtException", fatal);
	if (withParent) {
		process.stdin.on("end", end);
		process.stdin.on("error", end);
		process.stdin.resume();
	}
	try {
		setPriority(URGENT);
	} catch {
		// Only root may; then it shares the processor with everything else, and a late turn holds the robot.
	}
	running = await startActuator({ ...options, note, onTurn: () => supervisor.turned() });
	supervisor.ready();
	note("ready", { pid: process.pid });
};

main().catch(fatal);
