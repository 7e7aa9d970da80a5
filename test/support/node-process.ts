// Connects tests to one node: its agent in a process of its own, wherever that is told to run, with one service whose every start is counted by the service itself.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { until } from "./mesh.ts";

export const SERVICE = "pump";
const STOP_WITHIN_MS = 20_000;

/** It notes that it was started before it does anything else: nobody else's word is needed for how often that was. */
const PROGRAM = `import { appendFileSync } from "node:fs";
appendFileSync(process.argv[2], process.pid + "\\n");
setInterval(() => {}, 60_000);
`;

type Line = Readonly<Record<string, unknown>>;

const isAlive = (pid: number): boolean => {
	try {
		return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
	} catch {
		return false;
	}
};

export class NodeProcess {
	readonly name: string;
	readonly folder: string;
	readonly #command: readonly string[];
	readonly #lines: Line[] = [];
	#child: ChildProcess | undefined;
	#ended: Promise<void> = Promise.resolve();
	#said = "";

	/** `command` starts its agent; the folder is the node's own. */
	constructor(name: string, folder: string, command: readonly string[]) {
		this.name = name;
		this.folder = folder;
		this.#command = command;
	}

	/** What its `node.json` says of processes. */
	processes(): Readonly<Record<string, { readonly command: readonly string[] }>> {
		writeFileSync(join(this.folder, "pump.mjs"), PROGRAM);
		return { [SERVICE]: { command: [process.execPath, join(this.folder, "pump.mjs"), this.#startsFile] } };
	}

	start(): void {
		const [program = "", ...args] = this.#command;
		const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
		this.#child = child;
		this.#ended = new Promise((resolve) => {
			child.once("close", () => resolve());
		});
		createInterface({ input: child.stdout }).on("line", (line) => this.#lines.push(JSON.parse(line) as Line));
		child.stderr.on("data", (chunk: Buffer) => {
			this.#said = (this.#said + chunk.toString()).slice(-4_000);
		});
	}

	/** Ends the agent and its service in order: what it still has to say is sent. */
	async stop(): Promise<void> {
		if (this.#child === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
		this.#child.kill("SIGTERM");
		const hang = setTimeout(() => this.#child?.kill("SIGKILL"), STOP_WITHIN_MS);
		await this.#ended;
		clearTimeout(hang);
	}

	/** How many lines it has said; what is asked from there on is news. */
	get mark(): number {
		return this.#lines.length;
	}

	notes(event: string, from = 0): readonly Line[] {
		return this.#lines.slice(from).filter((line) => line["event"] === event);
	}

	/** Waits for the fact; what the agent said on stderr is part of the complaint. */
	async until<T>(what: string, ask: () => T | undefined): Promise<T> {
		return until(
			`${this.name}: ${what}`,
			() => {
				if (this.#child?.exitCode !== null) throw new Error(`${this.name} has ended: ${this.#said}`);
				return ask();
			},
			60_000,
		);
	}

	get #startsFile(): string {
		return join(this.folder, "starts.txt");
	}

	/** Every start of the service, by its process id, as the service itself noted it. */
	get starts(): readonly number[] {
		return existsSync(this.#startsFile) ? readFileSync(this.#startsFile, "utf8").split("\n").slice(0, -1).map(Number) : [];
	}

	/** Process id of the service while it runs. */
	get running(): number | undefined {
		const pid = this.starts.at(-1);
		return pid !== undefined && isAlive(pid) ? pid : undefined;
	}

	/** As an accident ends it. */
	async kill(): Promise<void> {
		const pid = await this.until("its service runs", () => this.running);
		process.kill(pid, "SIGKILL");
	}
}
