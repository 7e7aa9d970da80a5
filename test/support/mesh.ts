// Connects tests to a real mesh: `orion up`, or core apart, as a process of its own on free ports, in a folder of its own, asked over its own API.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { freePort } from "../../agents/demo/free-port.ts";
import type { Envelope } from "../../contracts/envelope.ts";
import { removeFolder } from "./remove-folder.ts";

export { freePort };

/** Found from the working folder: bundled rounds do not lie where their sources do. */
export const ROOT = process.env["ORION_ROOT"] ?? fileURLToPath(new URL("../..", import.meta.url));
export const ORION = join(ROOT, "bin/orion.mjs");

/** What `npm start` and the command itself give to Node. */
const AS_STARTED = ["--max-semi-space-size=48"];

/** Asks until the answer is there; the bound is for a test that failed, not for one that waits. */
export const until = async <T>(what: string, ask: () => Promise<T | undefined> | T | undefined, withinMs = 30_000): Promise<T> => {
	const endMs = performance.now() + withinMs;
	let last: unknown;
	while (performance.now() < endMs) {
		try {
			const answer = await ask();
			if (answer !== undefined) return answer;
		} catch (error) {
			last = error;
		}
		await new Promise<void>((resolve) => {
			setTimeout(resolve, 20);
		});
	}
	throw new Error(`not within ${withinMs} ms: ${what}${last === undefined ? "" : ` (${last instanceof Error ? last.message : String(last)})`}`);
};

const isZombie = (pid: number): boolean => {
	try {
		return readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
	} catch {
		return true;
	}
};

export interface LogLine {
	readonly position: number;
	readonly envelope: Envelope;
}

export class TestMesh {
	readonly folder: string;
	readonly mqttPort: number;
	readonly httpPort: number;
	readonly #args: readonly string[];
	readonly #verb: "up" | "core";
	readonly #within: readonly string[];
	#process: ChildProcess | undefined;
	#exit: Promise<number | null> = Promise.resolve(null);
	readyMs = 0;
	/** The line in which it said so. */
	ready: object = {};
	/** What `orion up` said of its parts at the newest start. */
	parts: { readonly part: string; readonly detail: string; readonly ms: number }[] = [];
	stderr = "";

	private constructor(folder: string, mqttPort: number, httpPort: number, args: readonly string[], verb: "up" | "core", within: readonly string[]) {
		this.#verb = verb;
		this.#within = within;
		this.folder = folder;
		this.mqttPort = mqttPort;
		this.httpPort = httpPort;
		this.#args = args;
	}

	/** A mesh that is not started yet; `config` is the text of its orion.yaml, `within` a command that starts another one elsewhere on this host. */
	static async make(config = "", args: readonly string[] = [], verb: "up" | "core" = "up", within: readonly string[] = []): Promise<TestMesh> {
		const folder = mkdtempSync(join(tmpdir(), "orion-test-"));
		writeFileSync(join(folder, "orion.yaml"), config);
		return new TestMesh(folder, await freePort(), await freePort(), args, verb, within);
	}

	get data(): string {
		return join(this.folder, "data");
	}
	get token(): string {
		return readFileSync(join(this.data, "token"), "utf8").trim();
	}
	get url(): string {
		return `http://127.0.0.1:${this.httpPort}`;
	}
	get pid(): number | undefined {
		return this.#process?.pid;
	}

	/** Starts it and resolves when it says that it is ready. */
	async start(more: readonly string[] = []): Promise<void> {
		const ports = ["--mqtt-port", String(this.mqttPort), "--http-port", String(this.httpPort)];
		const [program = "", ...args] = [
			...this.#within,
			process.execPath,
			...AS_STARTED,
			ORION,
			this.#verb,
			"--json",
			"--data",
			this.data,
			...ports,
			"--config",
			join(this.folder, "orion.yaml"),
			...this.#args,
			...more,
		];
		const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], cwd: this.folder });
		this.#process = child;
		this.parts = [];
		child.stderr.on("data", (chunk: Buffer) => {
			this.stderr = (this.stderr + chunk.toString()).slice(-20_000);
		});
		this.#exit = new Promise((resolve) => {
			child.once("close", (code) => resolve(code));
		});
		await new Promise<void>((resolve, reject) => {
			createInterface({ input: child.stdout }).on("line", (line) => {
				const said = JSON.parse(line) as { event: string; part: string; detail: string; ms: number };
				if (said.event === "part") this.parts.push(said);
				if (said.event !== "ready") return;
				this.readyMs = said.ms;
				this.ready = said;
				resolve();
			});
			child.once("close", (code) => reject(new Error(`orion ${this.#verb} ended with ${code}: ${this.stderr}`)));
		});
	}

	/** Ends it at once, as a power cut would end a process. */
	async kill(): Promise<void> {
		this.#process?.kill("SIGKILL");
		await this.#exit;
	}

	/** Ends it in order; resolves with its exit code. */
	async stop(): Promise<number | null> {
		this.#process?.kill("SIGINT");
		return this.#exit;
	}

	/** Processes that the mesh started and that are still its own. */
	#children(): readonly number[] {
		const pid = this.#process?.exitCode === null && this.#process.signalCode === null ? this.#process.pid : undefined;
		if (pid === undefined) return [];
		return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
	}

	async remove(): Promise<void> {
		const agents = this.#children();
		await this.kill();
		// The agent sees that its mesh is gone and leaves; its folder goes after it, or it would write into what is being removed.
		for (const pid of agents) await until("the agent has left", () => (existsSync(`/proc/${pid}/fd`) && !isZombie(pid) ? undefined : true));
		removeFolder(this.folder);
	}

	async ask<T>(path: string, init: RequestInit = {}): Promise<T> {
		const response = await fetch(`${this.url}${path}`, {
			...init,
			headers: { authorization: `Bearer ${this.token}`, "content-type": "application/json", ...init.headers },
		});
		if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
		return (await response.json()) as T;
	}

	/** Every record from a position on. */
	async records(from = 1): Promise<readonly LogLine[]> {
		const lines: LogLine[] = [];
		for (let next: number | undefined = from; next !== undefined; ) {
			const page: { records: LogLine[]; next?: number | null } = await this.ask(`/state/log?from=${next}&limit=1000`);
			lines.push(...page.records);
			next = page.records.length === 0 ? undefined : (page.next ?? undefined);
		}
		return lines;
	}

	/** Runs the command line against it. */
	orion(...args: readonly string[]): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> {
		return runOrion([...args, "--data", this.data]);
	}
}

export const runOrion = (
	args: readonly string[],
	environment: NodeJS.ProcessEnv = {},
	within: readonly string[] = [],
): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> =>
	new Promise((resolve) => {
		const [program = "", ...rest] = [...within, process.execPath, ORION, ...args];
		const child = spawn(program, rest, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...environment } });
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
