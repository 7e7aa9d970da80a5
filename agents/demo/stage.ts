// Connects the demo to a mesh of its own: a real `orion up` on free ports in a folder of its own, with real services, removed afterwards.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Envelope, RecordType } from "../../contracts/envelope.ts";
import { OrionError } from "../../contracts/errors.ts";
import { findMesh, type MeshClient } from "../cli/mesh-client.ts";
import { freePort } from "./free-port.ts";
import { SecondNode } from "./second-node.ts";
import { type Seen, Watch } from "./watch.ts";

export interface StageOptions {
	/** The program that is this command line, and what Node is given to run it. */
	readonly program: string;
	readonly nodeArgs: readonly string[];
	/** The bundled agent. */
	readonly agent: string;
	readonly signal: AbortSignal;
}

export interface Play {
	readonly services: (folder: string, webPort: number) => Readonly<Record<string, readonly string[]>>;
	/** Texts by file name below the demo's folder. */
	readonly programs: Readonly<Record<string, string>>;
	/** Texts by `policies/NAME.yaml`. */
	readonly policies: Readonly<Record<string, string>>;
	/** Server of the Bot API and the token of its bot: then questions are also asked there. */
	readonly telegram?: { readonly api: string; readonly token: string };
}

export interface Answer {
	readonly code: number | null;
	readonly out: string;
	readonly err: string;
}

export const NODE = "demo";
const READY_WITHIN_MS = 20_000;
const FACT_WITHIN_MS = 20_000;
const STOP_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 20;

const newFolder = (): string => {
	try {
		return mkdtempSync(join(tmpdir(), "orion-demo-"));
	} catch (error) {
		throw new OrionError("DEMO_NOT_STARTED", { detail: error instanceof Error ? error.message : "no temporary folder" }, { cause: error });
	}
};

/** A process that can still do something; one that ended and was not yet collected cannot. */
const isAlive = (pid: number): boolean => {
	try {
		return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
	} catch {
		return false;
	}
};

const childrenOf = (pid: number): readonly number[] => {
	try {
		return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
	} catch {
		return [];
	}
};

export class Stage {
	readonly folder: string;
	readonly watch = new Watch();
	readonly webPort: number;
	readonly #ports: readonly [mqtt: number, http: number];
	readonly #options: StageOptions;
	readonly #services: readonly string[];
	#mesh: ChildProcess | undefined;
	#ended: Promise<void> = Promise.resolve();
	#client: MeshClient | undefined;
	readonly #more: SecondNode[] = [];
	#said = "";

	private constructor(folder: string, ports: readonly [mqtt: number, http: number, web: number], services: readonly string[], options: StageOptions) {
		this.folder = folder;
		this.#ports = [ports[0], ports[1]];
		this.webPort = ports[2];
		this.#services = services;
		this.#options = options;
	}

	/** `services` are commands of the demo's orion.yaml, `programs` the files that they run, `policies` files that replace shipped ones of the same name. */
	static async make(options: StageOptions, play: Play): Promise<Stage> {
		const folder = newFolder();
		const ports = [await freePort(), await freePort(), await freePort()] as const;
		const commands = Object.entries(play.services(folder, ports[2]));
		mkdirSync(join(folder, "policies"));
		for (const [name, text] of Object.entries({ ...play.programs, ...play.policies })) writeFileSync(join(folder, name), text);
		// JSON is YAML.
		const processes = Object.fromEntries(commands.map(([name, command]) => [name, { command }]));
		const telegram = play.telegram === undefined ? {} : { telegram: { tokenFile: "bot-token", api: play.telegram.api } };
		if (play.telegram !== undefined) writeFileSync(join(folder, "bot-token"), `${play.telegram.token}\n`, { mode: 0o600 });
		writeFileSync(join(folder, "orion.yaml"), JSON.stringify({ node: NODE, policies: "policies", processes, host: { every: "2s" }, ...telegram }, null, "\t"));
		const names = commands.map(([name]) => name);
		return new Stage(folder, ports, names, options);
	}

	get data(): string {
		return join(this.folder, "data");
	}
	get mqtt(): string {
		return `mqtt://127.0.0.1:${this.#ports[0]}`;
	}
	get client(): MeshClient {
		if (this.#client === undefined) throw new Error("the demo's mesh does not run");
		return this.#client;
	}

	/** Starts the mesh and resolves with how long that took, milliseconds. */
	async start(): Promise<number> {
		const { program, nodeArgs, signal } = this.#options;
		const [mqtt, http] = this.#ports;
		const ports = ["--mqtt-port", String(mqtt), "--http-port", String(http)];
		const args = [...nodeArgs, program, "up", "--json", "--data", this.data, "--config", join(this.folder, "orion.yaml"), ...ports];
		const beganMs = performance.now();
		// A group of its own: Ctrl-C in the terminal is for the demo, which then ends its mesh in order.
		const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], cwd: this.folder, detached: true });
		this.#mesh = child;
		this.#ended = new Promise((resolve) => {
			child.once("close", () => resolve());
		});
		child.stderr.on("data", (chunk: Buffer) => {
			this.#said = `${this.#said}${chunk.toString()}`.slice(-2_000);
		});
		await new Promise<void>((resolve, reject) => {
			const late = setTimeout(() => reject(this.#notStarted(`not ready within ${READY_WITHIN_MS / 1_000} s`)), READY_WITHIN_MS);
			createInterface({ input: child.stdout }).on("line", (line) => {
				if (line.includes('"event":"ready"')) resolve(clearTimeout(late));
			});
			child.once("close", (code) => reject(this.#notStarted(`ended with ${code}`)));
		});
		const ms = Math.round(performance.now() - beganMs);
		this.#client = await findMesh({ data: this.data, timeoutMs: FACT_WITHIN_MS, interrupted: signal });
		void this.#follow(this.#client);
		return ms;
	}

	#notStarted(how: string): OrionError {
		return new OrionError("DEMO_NOT_STARTED", { detail: [how, this.#said.trim()].filter(Boolean).join(": ") });
	}

	/** Resolves when every service of the demo runs. */
	running(): Promise<void> {
		return this.until("all services run", () => this.#services.every((service) => this.pidOf(service) !== undefined));
	}

	async #follow(client: MeshClient): Promise<void> {
		try {
			for await (const { id, data } of client.events(`/events?from=${this.watch.newest + 1}`)) this.watch.add(id, data as Envelope, performance.now());
		} catch {
			// The mesh was killed or stopped; the next start is followed anew, from where this one ended.
		}
	}

	/** Ends mesh and agent at once, as a power cut would; the services that they supervise go on. */
	async killAll(): Promise<readonly number[]> {
		const pid = this.#mesh?.pid;
		if (pid === undefined) return [];
		const pids = [pid, ...childrenOf(pid)];
		for (const each of pids) process.kill(each, "SIGKILL");
		await this.#ended;
		await this.until("the killed processes are gone", () => pids.every((each) => !isAlive(each)));
		return pids;
	}

	/** Kills a service of the demo: only a process that its own agent said it started. */
	kill(service: string): number {
		const pid = this.pidOf(service);
		if (pid === undefined) throw new Error(`${service} does not run`);
		process.kill(pid, "SIGKILL");
		return pid;
	}

	/** The process that runs a service, as the agent said it last. */
	pidOf(service: string): number | undefined {
		const pid = this.watch.all("dev.orion.process.up.v1", 0, ({ data }) => data.service === service).at(-1)?.envelope.data.pid;
		return pid !== undefined && isAlive(pid) ? pid : undefined;
	}

	/** A second node, with services of its own; it stays until the demo ends. */
	async addNode(name: string, services: Readonly<Record<string, readonly string[]>>): Promise<SecondNode> {
		const credential = await this.client.post<{ readonly username: string; readonly password: string }>("/nodes", { node: name, by: "demo" });
		const node = await SecondNode.start({
			name,
			folder: join(this.folder, "nodes", name),
			program: this.#options.agent,
			mqttPort: this.#ports[0],
			credential: { username: credential.username, password: credential.password },
			likeNodeFile: join(this.data, "agent/node.json"),
			processes: Object.fromEntries(Object.entries(services).map(([service, command]) => [service, { command }])),
		});
		this.#more.push(node);
		return node;
	}

	/** The process that runs a script of the demo's folder, seen in the process table: a node that is cut off tells nobody. */
	scriptPid(script: string): number | undefined {
		const path = join(this.folder, script);
		return readdirSync("/proc")
			.filter((name) => /^\d+$/.test(name))
			.map(Number)
			.find((pid) => {
				try {
					return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(path) && isAlive(pid);
				} catch {
					return false;
				}
			});
	}

	killScript(script: string): number {
		const pid = this.scriptPid(script);
		if (pid === undefined) throw new Error(`${script} does not run`);
		process.kill(pid, "SIGKILL");
		return pid;
	}

	/** Waits for a record; `what` is told when it does not come. */
	see<T extends RecordType>(what: string, type: T, after: number, matches?: (envelope: Envelope<T>) => boolean): Promise<Seen<T>> {
		return this.watch.next(type, after, { what, withinMs: FACT_WITHIN_MS, signal: this.#options.signal }, matches);
	}

	/** Looks until it is so. */
	async until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
		const endMs = performance.now() + FACT_WITHIN_MS;
		while (!(await isSo())) {
			this.#options.signal.throwIfAborted();
			if (performance.now() > endMs) throw new Error(`${what}: not so within ${FACT_WITHIN_MS / 1_000} s`);
			await new Promise((resolve) => {
				setTimeout(resolve, LOOK_EVERY_MS);
			});
		}
	}

	/** Runs a command of this command line against the demo's mesh. */
	orion(...args: readonly string[]): Promise<Answer> {
		const { program, nodeArgs } = this.#options;
		return new Promise((resolve) => {
			const child = spawn(process.execPath, [...nodeArgs, program, ...args, "--data", this.data], { stdio: ["ignore", "pipe", "pipe"], cwd: this.folder });
			let out = "";
			let err = "";
			child.stdout.on("data", (chunk: Buffer) => {
				out += chunk.toString();
			});
			child.stderr.on("data", (chunk: Buffer) => {
				err += chunk.toString();
			});
			child.once("close", (code) => resolve({ code, out, err }));
		});
	}

	/** Stops the mesh and its services in order, and removes the folder, unless it is to be kept. */
	async close(keep: boolean): Promise<void> {
		for (const node of this.#more) await node.close(STOP_WITHIN_MS);
		const child = this.#mesh;
		if (child !== undefined && child.exitCode === null && child.signalCode === null) {
			child.kill("SIGINT");
			const hang = setTimeout(() => child.kill("SIGKILL"), STOP_WITHIN_MS);
			await this.#ended;
			clearTimeout(hang);
		}
		// What a killed mesh left running, and no new one adopted, is ended too.
		const pids = new Set(this.watch.all("dev.orion.process.up.v1").map(({ envelope }) => envelope.data.pid));
		for (const pid of pids) if (isAlive(pid) && this.#isOurs(pid)) process.kill(pid, "SIGKILL");
		if (!keep && existsSync(this.folder)) rmSync(this.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
	}

	/** A pid may have been given to somebody else: the demo's own services name its folder in their command. */
	#isOurs(pid: number): boolean {
		try {
			return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(this.folder);
		} catch {
			return false;
		}
	}
}
