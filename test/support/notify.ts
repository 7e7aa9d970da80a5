// Connects tests to what a process tells the service that supervises it: a socket as systemd opens one, and systemd-notify wherever it had to be fetched to.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { peer } from "../../build/peers.mjs";
import { removeFolder } from "./remove-folder.ts";

const RECEIVER = join(import.meta.dirname, "notify-socket.py");

export class NotifySocket {
	readonly folder = mkdtempSync(join(tmpdir(), "orion-notify-"));
	readonly words: string[] = [];
	#receiver: ChildProcess | undefined;

	static async open(): Promise<NotifySocket> {
		const socket = new NotifySocket();
		const { command, env } = peer("systemd-notify");
		const programs = join(socket.folder, "bin");
		mkdirSync(programs);
		const libraries = env["LD_LIBRARY_PATH"] ?? "";
		writeFileSync(join(programs, "systemd-notify"), `#!/bin/sh\nLD_LIBRARY_PATH='${libraries}' exec '${command}' "$@"\n`);
		chmodSync(join(programs, "systemd-notify"), 0o755);
		const receiver = spawn("python3", [RECEIVER, socket.path], { stdio: ["ignore", "pipe", "inherit"] });
		socket.#receiver = receiver;
		await new Promise<void>((resolve, reject) => {
			receiver.once("error", reject);
			receiver.once("close", (code) => reject(new Error(`the socket's end ended with ${code}`)));
			createInterface({ input: receiver.stdout }).on("line", (line) => {
				const { listening, word } = JSON.parse(line) as { readonly listening?: string; readonly word?: string };
				if (listening !== undefined) resolve();
				if (word !== undefined) socket.words.push(word);
			});
		});
		return socket;
	}

	get path(): string {
		return join(this.folder, "n");
	}
	get signs(): number {
		return this.words.filter((word) => word === "WATCHDOG=1").length;
	}

	/** As systemd gives it to a service with this WatchdogSec. */
	environment(watchdogMs: number): NodeJS.ProcessEnv {
		return { ...process.env, PATH: `${join(this.folder, "bin")}:${process.env["PATH"]}`, NOTIFY_SOCKET: this.path, WATCHDOG_USEC: String(watchdogMs * 1_000) };
	}

	async close(): Promise<void> {
		const receiver = this.#receiver;
		if (receiver !== undefined && receiver.exitCode === null) {
			const exited = once(receiver, "exit");
			receiver.kill("SIGKILL");
			await exited;
		}
		removeFolder(this.folder);
	}
}
