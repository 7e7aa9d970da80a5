// Connects one client id to the broker and keeps it so: one attempt after the other, each after a random pause, so that a mesh does not come back as one crowd.
import { OrionError } from "../contracts/errors.ts";
import type { Connect, Connection, ConnectOptions, Note, Randomness, Timers } from "./ports.ts";

export interface KeptConnectionOptions {
	readonly name: string;
	readonly connect: Connect;
	readonly timers: Timers;
	readonly random: Randomness;
	readonly note: Note;
	/** Asked before each attempt: the will may be another one each time. */
	readonly prepare: () => Omit<ConnectOptions, "onClosed">;
	/** Subscribes and greets; if it rejects, the connection is cut and made anew. */
	readonly onUp: (connection: Connection) => Promise<void>;
	readonly onDown: () => void;
}

const RETRY_MS_MIN = 200;
const RETRY_MS_MAX = 1_000;

export class KeptConnection {
	readonly #options: KeptConnectionOptions;
	#connection: Connection | undefined;
	#cancelRetry: (() => void) | undefined;
	#wanted = false;
	/** Each start is a life of its own: what an older one still waits for is not listened to. */
	#life = 0;

	constructor(options: KeptConnectionOptions) {
		this.#options = options;
	}

	get connection(): Connection | undefined {
		return this.#connection;
	}

	start(): void {
		if (this.#wanted) return;
		this.#wanted = true;
		this.#life += 1;
		void this.#attempt(this.#life);
	}

	/** Says goodbye if it is connected. */
	async stop(): Promise<void> {
		this.#wanted = false;
		this.#life += 1;
		this.#cancelRetry?.();
		const connection = this.#connection;
		if (connection === undefined) return;
		this.#connection = undefined;
		this.#options.onDown();
		await connection.close();
	}

	/** Cuts it, so that the will is published. */
	abandon(): Promise<void> {
		this.#wanted = false;
		this.#life += 1;
		this.#cancelRetry?.();
		this.#connection?.destroy();
		this.#connection = undefined;
		return Promise.resolve();
	}

	async #attempt(life: number): Promise<void> {
		const { connect, prepare, onUp, note, name } = this.#options;
		let connection: Connection | undefined;
		try {
			connection = await connect({ ...prepare(), onClosed: () => this.#lost(life) });
			if (life !== this.#life) return await connection.close();
			this.#connection = connection;
			await onUp(connection);
		} catch (error) {
			if (life !== this.#life) return;
			const code = error instanceof OrionError ? error.fault.code : "UNREACHABLE";
			note("connect-failed", { connection: name, code, detail: error instanceof Error ? error.message : "unknown" });
			if (connection === undefined) this.#retry(life);
			else this.#cut(connection, life);
		}
	}

	#cut(connection: Connection, life: number): void {
		connection.destroy();
		if (this.#connection === connection) this.#lost(life);
	}

	#lost(life: number): void {
		if (life !== this.#life || this.#connection === undefined) return;
		this.#connection = undefined;
		this.#options.onDown();
		this.#retry(life);
	}

	#retry(life: number): void {
		const pauseMs = RETRY_MS_MIN + this.#options.random.ratio() * (RETRY_MS_MAX - RETRY_MS_MIN);
		this.#cancelRetry?.();
		this.#cancelRetry = this.#options.timers.after(pauseMs, () => void this.#attempt(life));
	}
}
