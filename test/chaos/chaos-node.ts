// Connects chaos rounds to a node process: started, killed, its card copied and restored, and every event that it accepted noted.
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ROOT, type TestMesh, until } from "../support/mesh.ts";
import { removeFolder } from "../support/remove-folder.ts";

export const NODE = "edge";

const hostFacts = (mesh: TestMesh): object => JSON.parse(readFileSync(join(mesh.data, "agent/node.json"), "utf8")) as object;

export class ChaosNode {
	/** What its disk has accepted, over all its lives. */
	readonly accepted = new Set<string>();
	kills = 0;
	sessions = 0;
	readonly #folder: string;
	#process: ChildProcess | undefined;
	#life = 0;
	#isQuiet = false;
	#exit: Promise<void> = Promise.resolve();

	private constructor(folder: string) {
		this.#folder = folder;
	}

	/** A node of this mesh that comes in by another door; `host`: what a node's file says of mesh and core, where core has no agent of its own. */
	static async make(mesh: TestMesh, port: number, host = hostFacts(mesh)): Promise<ChaosNode> {
		const folder = join(mesh.folder, NODE);
		mkdirSync(folder, { mode: 0o700 });
		const credential = await mesh.ask<{ username: string; password: string }>("/nodes", { method: "POST", body: JSON.stringify({ node: NODE }) });
		writeFileSync(
			join(folder, "node.json"),
			JSON.stringify({
				...host,
				node: NODE,
				url: `mqtt://127.0.0.1:${port}`,
				username: credential.username,
				password: credential.password,
				processes: {},
				host: {},
			}),
		);
		return new ChaosNode(folder);
	}

	async start(): Promise<void> {
		this.#life += 1;
		const child = spawn(process.execPath, [join(ROOT, "test/chaos/node-child.mjs"), this.#folder, `life${this.#life}`], {
			cwd: ROOT,
			stdio: ["pipe", "pipe", "pipe"],
		});
		this.#process = child;
		let said = "";
		child.stderr.on("data", (chunk: Buffer) => {
			said = (said + chunk.toString()).slice(-4_000);
		});
		child.stdin.on("error", () => undefined);
		this.#exit = new Promise((resolve) => {
			child.once("close", () => resolve());
		});
		await new Promise<void>((resolve, reject) => {
			createInterface({ input: child.stdout }).on("line", (line) => {
				if (line === "started") resolve();
				if (line === "quiet") this.#isQuiet = true;
				if (line.startsWith("accepted ")) this.accepted.add(line.slice("accepted ".length));
				if (line.startsWith("note session-began")) this.sessions += 1;
			});
			child.once("close", (code) => reject(new Error(`the node ended with ${code}: ${said}`)));
		});
	}

	async kill(): Promise<void> {
		if (this.#process?.exitCode !== null) return;
		this.kills += 1;
		this.#process.kill("SIGKILL");
		await this.#exit;
	}

	/** Resolves when it has said its last word for now. */
	async quiet(): Promise<void> {
		this.#isQuiet = false;
		this.tell("quiet yes");
		await until("the node is quiet", () => (this.#isQuiet ? true : undefined));
	}

	tell(line: string): void {
		this.#process?.stdin?.write(`${line}\n`);
	}

	/** A picture of its card, as somebody makes one for later. */
	copyCard(): void {
		removeFolder(`${this.#folder}.card`);
		cpSync(this.#folder, `${this.#folder}.card`, { recursive: true });
	}
	get hasCopy(): boolean {
		return existsSync(`${this.#folder}.card`);
	}
	/** The old picture is the card from now on. */
	restoreCard(): void {
		removeFolder(this.#folder);
		cpSync(`${this.#folder}.card`, this.#folder, { recursive: true });
	}
}
