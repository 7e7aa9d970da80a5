// Connects a client to a server byte for byte, until it is cut: then nobody gets through, and nobody is told more than that.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export class Relay {
	readonly #server: Server;
	readonly #ends = new Set<Socket>();
	#isCut = false;

	private constructor(target: number | string) {
		this.#server = createServer((from) => {
			if (this.#isCut) {
				from.destroy();
				return;
			}
			const to = typeof target === "number" ? connect(target, "127.0.0.1") : connect(target);
			for (const [one, other] of [
				[from, to],
				[to, from],
			] as const) {
				this.#ends.add(one);
				one.setNoDelay(true);
				one.on("error", () => undefined);
				one.on("close", () => {
					this.#ends.delete(one);
					other.destroySoon();
				});
				one.pipe(other);
			}
		});
	}

	/** From a loopback port, 0 = any, to another, or to a path. */
	static async open(port: number, target: number | string): Promise<Relay> {
		const relay = new Relay(target);
		relay.#server.listen(port, "127.0.0.1");
		await once(relay.#server, "listening");
		return relay;
	}

	get port(): number {
		return (this.#server.address() as AddressInfo).port;
	}

	cut(isCut: boolean): void {
		this.#isCut = isCut;
		if (isCut) for (const end of this.#ends) end.destroy();
	}

	async close(): Promise<void> {
		this.cut(true);
		const closed = once(this.#server, "close");
		this.#server.close();
		await closed;
	}
}
