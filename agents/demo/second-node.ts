// Connects the demo to a second node of its mesh: a real agent in a process of its own, behind a link that the demo can cut.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** A wire between two ports: whole, or cut. */
export class Link {
	readonly #server: Server;
	readonly #ends = new Set<Socket>();
	#isCut = false;

	private constructor(toPort: number) {
		this.#server = createServer((near) => {
			if (this.#isCut) return void near.destroy();
			const far = createConnection({ host: "127.0.0.1", port: toPort, noDelay: true });
			for (const [one, other] of [
				[near, far],
				[far, near],
			] as const) {
				this.#ends.add(one);
				one.setNoDelay(true);
				one.on("error", () => other.destroy());
				one.on("close", () => {
					this.#ends.delete(one);
					other.destroy();
				});
				one.pipe(other);
			}
		});
	}

	static async open(toPort: number): Promise<Link> {
		const link = new Link(toPort);
		await new Promise<void>((resolve, reject) => {
			link.#server.once("error", reject);
			link.#server.listen(0, "127.0.0.1", () => resolve());
		});
		return link;
	}

	get port(): number {
		const address = this.#server.address();
		return typeof address === "object" && address !== null ? address.port : 0;
	}

	cut(): void {
		this.#isCut = true;
		for (const end of this.#ends) end.destroy();
	}

	heal(): void {
		this.#isCut = false;
	}

	close(): void {
		this.cut();
		this.#server.close();
	}
}

export interface SecondNodeOptions {
	readonly name: string;
	readonly folder: string;
	/** The bundled agent. */
	readonly program: string;
	readonly mqttPort: number;
	readonly credential: { readonly username: string; readonly password: string };
	/** node.json of this host's own agent: the same mesh, the same keys of core. */
	readonly likeNodeFile: string;
	readonly processes: Readonly<Record<string, { readonly command: readonly string[] }>>;
}

type Line = Readonly<Record<string, unknown>>;

export class SecondNode {
	readonly link: Link;
	readonly #child: ChildProcess;
	readonly #ended: Promise<void>;
	readonly #lines: Line[] = [];

	private constructor(link: Link, child: ChildProcess) {
		this.link = link;
		this.#child = child;
		this.#ended = new Promise((resolve) => {
			child.once("close", () => resolve());
		});
		if (child.stdout !== null) createInterface({ input: child.stdout }).on("line", (line) => this.#lines.push(JSON.parse(line) as Line));
	}

	static async start(options: SecondNodeOptions): Promise<SecondNode> {
		const { name, folder, program, mqttPort, credential, likeNodeFile, processes } = options;
		const link = await Link.open(mqttPort);
		const { mesh, coreKeys } = JSON.parse(readFileSync(likeNodeFile, "utf8")) as { readonly mesh: string; readonly coreKeys: unknown };
		mkdirSync(folder, { recursive: true });
		const config = { schema: "orion.node-config/1", mesh, node: name, url: `mqtt://127.0.0.1:${link.port}`, ...credential, coreKeys, processes, host: {} };
		writeFileSync(join(folder, "node.json"), JSON.stringify(config), { mode: 0o600 });
		const child = spawn(process.execPath, [program, "--state", folder], { stdio: ["ignore", "pipe", "ignore"], detached: true });
		return new SecondNode(link, child);
	}

	/** What the agent said of itself, from a line on. */
	said(event: string, fits: (line: Line) => boolean = () => true, from = 0): boolean {
		return this.#lines.slice(from).some((line) => line["event"] === event && fits(line));
	}

	get lines(): number {
		return this.#lines.length;
	}

	/** Ends the agent and its services in order. */
	async close(withinMs: number): Promise<void> {
		if (this.#child.exitCode === null && this.#child.signalCode === null) {
			this.#child.kill("SIGTERM");
			const hang = setTimeout(() => this.#child.kill("SIGKILL"), withinMs);
			await this.#ended;
			clearTimeout(hang);
		}
		this.link.close();
	}
}
