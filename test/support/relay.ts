// Connects one socket to another as they come: a way to a server that is there or not.
import { connect, createServer, type Server, type Socket } from "node:net";

export class Relay {
	readonly #server: Server;
	readonly #ends: Set<Socket>;

	private constructor(server: Server, ends: Set<Socket>) {
		this.#server = server;
		this.#ends = ends;
	}

	/** From a loopback port to another, or to a path. */
	static async open(port: number, target: number | string): Promise<Relay> {
		const ends = new Set<Socket>();
		const server = createServer((from) => {
			const to = typeof target === "number" ? connect(target, "127.0.0.1") : connect(target);
			for (const [one, other] of [
				[from, to],
				[to, from],
			] as const) {
				ends.add(one);
				one.on("error", () => undefined);
				one.on("close", () => {
					ends.delete(one);
					other.destroySoon();
				});
				one.pipe(other);
			}
		});
		await new Promise<void>((resolve, reject) => {
			server.once("error", reject);
			server.listen(port, "127.0.0.1", () => resolve());
		});
		return new Relay(server, ends);
	}

	async close(): Promise<void> {
		const closed = new Promise<void>((resolve) => {
			this.#server.close(() => resolve());
		});
		for (const end of this.#ends) end.destroy();
		await closed;
	}
}
