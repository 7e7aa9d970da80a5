// Connects the emulated leg board to a unix socket and to the wall clock: whoever is connected is at the other end of its serial line.
import { createServer, type Server, type Socket } from "node:net";
import { type BoardEvent, CYCLES_PER_US, VirtualBoard } from "../../firmware-bridge/virtual-board/board.ts";

const PACE_MS = 2;
/** Half a lease. What a busy machine lost beyond it is not caught up with: the board's own time stands still meanwhile. */
const BEHIND_MS_MAX = 100;

export const boardMs = (cycles: number): number => cycles / (CYCLES_PER_US * 1_000);

export class PacedBoard {
	readonly board: VirtualBoard;
	onEvent: (event: BoardEvent) => void = () => {};
	readonly #server: Server;
	readonly #sockets = new Set<Socket>();
	#heardAt = 0;
	#pace: NodeJS.Timeout | undefined;

	constructor(flash: Uint16Array) {
		this.board = new VirtualBoard(flash);
		this.board.onEvent = (event) => this.onEvent(event);
		this.board.onByte = (byte) => {
			for (const socket of this.#sockets) socket.write(Uint8Array.of(byte));
		};
		this.#server = createServer((socket) => this.attach(socket));
	}

	/** Milliseconds of the board's time at which the last byte from a host was on its line. */
	get heardMs(): number {
		return boardMs(this.#heardAt);
	}

	/** From here on this socket is an end of the line. */
	attach(socket: Socket): void {
		this.#sockets.add(socket);
		socket.on("error", () => socket.destroy());
		socket.once("close", () => this.#sockets.delete(socket));
		socket.on("data", (bytes: Uint8Array) => {
			this.#heardAt = this.board.receive(bytes);
		});
	}

	run(): void {
		let lastMs = performance.now();
		const pace = (): void => {
			const nowMs = performance.now();
			this.board.run(Math.min(BEHIND_MS_MAX, nowMs - lastMs) * 1_000);
			lastMs = nowMs;
		};
		// After what came on the line meanwhile was read: time must not pass before it.
		this.#pace = setInterval(() => setImmediate(pace), PACE_MS);
	}

	listen(path: string): Promise<void> {
		return new Promise((resolve, reject) => {
			this.#server.once("error", reject);
			this.#server.listen(path, resolve);
		});
	}

	close(): void {
		clearInterval(this.#pace);
		for (const socket of this.#sockets) socket.destroy();
		this.#server.close();
	}
}
