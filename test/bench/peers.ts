// Connects benches to the brokers that ours is measured beside: a bare Mosquitto, the bare MQTT library, and our own broker without a mesh.
import { spawn } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { freePort, ORION, ROOT, until } from "../support/mesh.ts";
import { removeFolder } from "../support/remove-folder.ts";

export interface PeerBroker {
	readonly port: number;
	readonly pid: number;
	stop(): void;
}
export interface PeerProgram {
	readonly command: string;
	readonly env: NodeJS.ProcessEnv;
}

/** Stores nothing, asks nobody. */
export const startMosquitto = async ({ command, env }: PeerProgram): Promise<PeerBroker> => {
	const port = await freePort();
	const folder = mkdtempSync(join(tmpdir(), "orion-mosquitto-"));
	writeFileSync(
		join(folder, "conf"),
		`listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\nmax_inflight_messages 0\nlog_type none\nuser root\n`,
	);
	const child = spawn(command, ["-c", join(folder, "conf")], { env, stdio: "ignore" });
	await until(
		"mosquitto listens",
		() =>
			new Promise<true | undefined>((resolve) => {
				const socket = connect(port, "127.0.0.1");
				socket.once("connect", () => {
					socket.destroy();
					resolve(true);
				});
				socket.once("error", () => resolve(undefined));
			}),
	);
	return {
		port,
		pid: child.pid ?? 0,
		stop: () => {
			child.kill("SIGKILL");
			removeFolder(folder);
		},
	};
};

const startNode = async (args: readonly string[], portOf: (line: string) => number | undefined): Promise<PeerBroker> => {
	const child = spawn(process.execPath, ["--max-semi-space-size=48", ...args], { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
	const port = await new Promise<number>((resolve, reject) => {
		createInterface({ input: child.stdout }).on("line", (line) => {
			const found = portOf(line);
			if (found !== undefined) resolve(found);
		});
		child.once("close", (code) => reject(new Error(`it ended with ${code}`)));
	});
	return { port, pid: child.pid ?? 0, stop: () => child.kill("SIGKILL") };
};

/** `redisUrl`: with one plain XADD for each message. */
export const startBareAedes = (redisUrl?: string): Promise<PeerBroker> =>
	startNode([join(ROOT, "test/bench/bare-aedes.mjs"), ...(redisUrl === undefined ? [] : [redisUrl])], (line) => (JSON.parse(line) as { port: number }).port);

export const startPlainBroker = (): Promise<PeerBroker> =>
	startNode([ORION, "broker", "--config", join(ROOT, "test/conformance/paho.yaml"), "--json"], (line) => {
		const { event, mqtt } = JSON.parse(line) as { event: string; mqtt: string };
		return event === "ready" ? Number(new URL(mqtt).port) : undefined;
	});
