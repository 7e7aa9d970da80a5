// Connects allow-listed units to systemd through systemctl: no shell, no other unit, and what it says read as key and value.
import { execFile } from "node:child_process";
import type { Condition, Runtime } from "./watched.ts";

export interface SystemdOptions {
	/** Units of the user's own manager. */
	readonly user: boolean;
	/** `systemctl`, or another program that behaves like it. */
	readonly program: string;
}

const CALL_WITHIN_MS = 60_000;
const OUTPUT_BYTES_MAX = 64 * 1_024;
const PROPERTIES = ["LoadState", "ActiveState", "SubState", "Result", "ExecMainStatus", "NRestarts"] as const;
/** What a unit is that was never asked to run, or was stopped in order. */
const ENDED_WELL = new Set(["success", ""]);

const call = (program: string, args: readonly string[]): Promise<string> =>
	new Promise((resolve, reject) => {
		execFile(program, args, { timeout: CALL_WITHIN_MS, maxBuffer: OUTPUT_BYTES_MAX, env: { ...process.env, LC_ALL: "C" } }, (error, stdout, stderr) => {
			if (error === null) resolve(stdout);
			else reject(new Error(stderr.trim() || error.message));
		});
	});

const fieldsOf = (text: string): ReadonlyMap<string, string> =>
	new Map(text.split("\n").map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1).trim()]));

/** `systemctl show` -> how the unit is. A unit that restarts by itself is down: it is up for moments only. */
export const conditionOf = (text: string): Condition => {
	const fields = fieldsOf(text);
	const [load, active = "", sub = "", result = ""] = ["LoadState", "ActiveState", "SubState", "Result"].map((name) => fields.get(name) ?? "");
	if (load === "not-found" || load === "masked") return { kind: "down", state: load, detail: `systemd says that the unit is ${load}` };
	const state = `${active} (${sub})`;
	const exitCode = Number(fields.get("ExecMainStatus") ?? "");
	const down: Condition = {
		kind: "down",
		state,
		detail: `result ${result || "unknown"}, restarted ${fields.get("NRestarts") ?? "0"} times by itself`,
		...(Number.isInteger(exitCode) && exitCode > 0 && exitCode < 256 ? { exitCode } : {}),
	};
	if (sub === "auto-restart" || sub === "auto-restart-queued") return down;
	switch (active) {
		case "active":
			return { kind: "up", state };
		case "activating":
		case "deactivating":
		case "reloading":
			return { kind: "between", state };
		case "inactive":
			return ENDED_WELL.has(result) ? { kind: "stopped", state } : down;
		default:
			return down;
	}
};

export const systemdRuntime = ({ user, program }: SystemdOptions): Runtime => {
	const scope = user ? ["--user"] : [];
	// Behind "--" a name is a name, whatever it begins with.
	const ask = (verb: string, unit: string, more: readonly string[] = []): Promise<string> =>
		call(program, [...scope, "--no-ask-password", verb, ...more, "--", unit]);
	return {
		name: "systemd",
		look: async (unit) => conditionOf(await ask("show", unit, [`--property=${PROPERTIES.join(",")}`])),
		restart: async (unit) => void (await ask("restart", unit)),
		stop: async (unit) => void (await ask("stop", unit)),
	};
};
