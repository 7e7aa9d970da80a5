// Connects partition rounds to one node: the real agent in a process of its own, behind a network of its own, with one service whose every start is counted by the service itself.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ROOT, type TestMesh, until } from "../support/mesh.ts";
import { FaultProxy } from "../support/proxy.ts";

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

export class Island {
	readonly name: string;
	readonly proxy: FaultProxy;
	readonly #folder: string;
	readonly #lines: Line[] = [];
	#child: ChildProcess | undefined;
	#ended: Promise<void> = Promise.resolve();
	#said = "";

	private constructor(name: string, folder: string, proxy: FaultProxy) {
		this.name = name;
		this.#folder = folder;
		this.proxy = proxy;
	}

	static async make(mesh: TestMesh, name: string): Promise<Island> {
		const proxy = await FaultProxy.open(() => mesh.mqttPort);
		const folder = join(mesh.folder, "islands", name);
		mkdirSync(folder, { recursive: true, mode: 0o700 });
		const island = new Island(name, folder, proxy);
		const { username, password } = await mesh.ask<{ username: string; password: string }>("/nodes", { method: "POST", body: JSON.stringify({ node: name }) });
		const { mesh: id, coreKeys } = JSON.parse(readFileSync(join(mesh.data, "agent/node.json"), "utf8")) as { mesh: string; coreKeys: unknown };
		writeFileSync(join(folder, "pump.mjs"), PROGRAM);
		const processes = { [SERVICE]: { command: [process.execPath, join(folder, "pump.mjs"), island.#startsFile] } };
		const config = {
			schema: "orion.node-config/1",
			mesh: id,
			node: name,
			url: `mqtt://127.0.0.1:${proxy.port}`,
			username,
			password,
			coreKeys,
			processes,
			host: {},
		};
		writeFileSync(join(folder, "node.json"), JSON.stringify(config), { mode: 0o600 });
		return island;
	}

	start(): void {
		const child = spawn(process.execPath, [join(ROOT, "dist/agent.js"), "--state", this.#folder], { stdio: ["ignore", "pipe", "pipe"] });
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
		if (this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null) {
			this.#child.kill("SIGTERM");
			const hang = setTimeout(() => this.#child?.kill("SIGKILL"), STOP_WITHIN_MS);
			await this.#ended;
			clearTimeout(hang);
		}
		await this.proxy.close();
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
		return join(this.#folder, "starts.txt");
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
