// Connects tests to a broker elsewhere: `orion broker --core` as a process of its own, with a spool in a folder of its own, killed and started again on the same port.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { freePort, ORION, ROOT } from "./mesh.ts";
import { removeFolder } from "./remove-folder.ts";

export class BrokerProcess {
	readonly folder = mkdtempSync(join(tmpdir(), "orion-broker-"));
	port = 0;
	readonly #command: readonly string[];
	readonly #within: readonly string[];
	#process: ChildProcess | undefined;
	said = "";

	/** `command`: as `orion broker add` printed it; `within`: a command that starts another one elsewhere on this host. */
	constructor(command: string, within: readonly string[] = []) {
		this.#within = within;
		this.#command = command.split(" ").slice(1);
	}

	get pid(): number | undefined {
		return this.#process?.pid;
	}

	/** As long as this file is there, its disk is full. */
	get diskFull(): string {
		return join(this.folder, "disk-full");
	}

	async start(): Promise<void> {
		this.port ||= await freePort();
		const place = ["--data", this.folder, "--mqtt-port", String(this.port)];
		const node = [process.execPath, "--import", pathToFileURL(join(ROOT, "test/support/full-disk.mjs")).href, ORION];
		const [program = "", ...args] = [...this.#within, ...node, ...this.#command, ...place, "--json"];
		const child = spawn(program, args, { stdio: "pipe", env: { ...process.env, ORION_TEST_DISK_FULL: this.diskFull } });
		this.#process = child;
		child.stderr.on("data", (chunk: Buffer) => {
			this.said = (this.said + chunk.toString()).slice(-4_000);
		});
		await new Promise<void>((resolve, reject) => {
			createInterface({ input: child.stdout }).on("line", (line) => {
				if (line.includes('"ready"')) resolve();
			});
			child.once("exit", (code) => reject(new Error(`the broker ended with ${code}: ${this.said}`)));
		});
	}

	async kill(): Promise<void> {
		const child = this.#process;
		this.#process = undefined;
		if (child === undefined || child.exitCode !== null) return;
		const exited = once(child, "exit");
		child.kill("SIGKILL");
		await exited;
	}

	async end(): Promise<void> {
		await this.kill();
		removeFolder(this.folder);
	}
}
