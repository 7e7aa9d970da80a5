// A real redis-server of its own on a free port, in a folder that goes when it goes; it can be killed, started again, and set back.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, readdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { peer } from "../../build/peers.mjs";
import { connectRedis, type RedisAnswer, type RedisArgument, type RedisConnection } from "../../log/redis-connection.ts";
import { freePort } from "./mesh.ts";
import { removeFolder } from "./remove-folder.ts";

export class TestRedis {
	readonly folder = mkdtempSync(join(tmpdir(), "orion-redis-"));
	port = 0;
	#process: ChildProcess | undefined;
	#arguments: readonly string[] = [];
	#within: readonly string[] = [];
	#client: RedisConnection | undefined;

	/** With the settings that are asked of it, unless others are given. */
	static start(...more: string[]): Promise<TestRedis> {
		return TestRedis.startWithin([], ...more);
	}

	/** `within`: a command that starts another one elsewhere on this host. */
	static async startWithin(within: readonly string[], ...more: string[]): Promise<TestRedis> {
		const redis = new TestRedis();
		redis.#within = within;
		redis.#arguments = more;
		redis.port = await freePort();
		await redis.start();
		return redis;
	}

	get url(): string {
		return `redis://127.0.0.1:${this.port}`;
	}

	/** `more`: what is set otherwise this time. */
	async start(...more: string[]): Promise<void> {
		const { command, env } = peer("redis-server");
		// Users survive a restart, once they are saved.
		const users = join(this.folder, "users.acl");
		if (!existsSync(users)) writeFileSync(users, "");
		const settings = [
			"--aclfile",
			users,
			"--appendonly",
			"yes",
			"--maxmemory-policy",
			"noeviction",
			"--save",
			"",
			"--appendfsync",
			"everysec",
			"--bind",
			"127.0.0.1",
		];
		const [program = "", ...args] = [...this.#within, command, "--port", String(this.port), "--dir", this.folder, ...settings, ...this.#arguments, ...more];
		this.#process = spawn(program, args, { env, stdio: "pipe" });
		const started = this.#process;
		await new Promise<void>((resolve, reject) => {
			let said = "";
			started.stdout?.on("data", (chunk: Buffer) => {
				said += chunk.toString();
				if (said.includes("Ready to accept connections")) resolve();
			});
			started.once("exit", () => reject(new Error(`redis-server ended: ${said}`)));
		});
	}

	/** As a power cut of this process would: nothing is said, nothing is saved. */
	async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
		this.#client?.end();
		this.#client = undefined;
		const process = this.#process;
		this.#process = undefined;
		if (process === undefined || process.exitCode !== null) return;
		const exited = once(process, "exit");
		process.kill(signal);
		await exited;
	}

	/** What is on disk now, to be put back later. */
	keep(name: string): void {
		cpSync(join(this.folder, "appendonlydir"), join(this.folder, name), { recursive: true });
	}

	putBack(name: string): void {
		removeFolder(join(this.folder, "appendonlydir"));
		cpSync(join(this.folder, name), join(this.folder, "appendonlydir"), { recursive: true });
	}

	/** The file that it appends to; there is one as long as it does not write it anew. */
	#appended(): string {
		const folder = join(this.folder, "appendonlydir");
		return join(folder, readdirSync(folder).find((name) => name.endsWith(".incr.aof")) ?? "");
	}

	appendedBytes(): number {
		return statSync(this.#appended()).size;
	}

	/** As a power cut of its machine: of what it appended since, only so much is on disk; the last command may be torn. */
	async cutPower(bytesLeft: number): Promise<void> {
		await this.kill();
		// It may have begun another file since: one that is shorter is not made longer.
		const file = this.#appended();
		truncateSync(file, Math.min(bytesLeft, statSync(file).size));
	}

	async ask(...command: [string, ...RedisArgument[]]): Promise<RedisAnswer> {
		this.#client ??= await connectRedis({ url: this.url, answerWithinMs: 10_000 });
		return this.#client.ask(...command);
	}

	async end(): Promise<void> {
		await this.kill();
		removeFolder(this.folder);
	}
}
