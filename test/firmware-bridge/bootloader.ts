// Connects a test to a leg board from its bootloader on: STK500 version 1 as optiboot speaks it, then the program that was written, in the board's emulator at the pace of the wall clock.
import { createServer, type Server, type Socket } from "node:net";
import { PacedBoard } from "../../agents/roles/paced-board.ts";
import type { VirtualBoard } from "../../firmware-bridge/virtual-board/board.ts";

const OK = 0x10;
const IN_SYNC = 0x14;
const END = 0x20;
const FLASH_BYTES = 32_768;

const BODY_BYTES: Readonly<Record<number, number>> = { 65: 1, 66: 20, 69: 5, 85: 2, 86: 4, 116: 3 };

export class BoardFromBootloader {
	readonly flash = new Uint8Array(FLASH_BYTES).fill(0xff);
	/** Pages that were written. */
	written = 0;
	/** A bootloader that writes something else than it was told. */
	isBroken = false;
	readonly #signature: readonly number[];
	readonly #server: Server;
	readonly #sockets = new Set<Socket>();
	#address = 0;
	#waiting = Buffer.alloc(0);
	#paced: PacedBoard | undefined;

	constructor(signature: readonly number[] = [0x1e, 0x95, 0x0f]) {
		this.#signature = signature;
		this.#server = createServer((socket) => {
			this.#sockets.add(socket);
			socket.on("error", () => socket.destroy());
			socket.on("close", () => this.#sockets.delete(socket));
			socket.on("data", (piece: Buffer) => {
				this.#hear(piece, socket);
			});
		});
	}

	/** The board whose program runs, once the bootloader has left. */
	get board(): VirtualBoard | undefined {
		return this.#paced?.board;
	}

	listen(path: string): Promise<void> {
		return new Promise((resolve, reject) => {
			this.#server.once("error", reject);
			this.#server.listen(path, resolve);
		});
	}

	close(): Promise<void> {
		this.#paced?.close();
		for (const socket of this.#sockets) socket.destroy();
		return new Promise((resolve) => this.#server.close(() => resolve()));
	}

	#hear(piece: Buffer, socket: Socket): void {
		this.#waiting = Buffer.concat([this.#waiting, piece]);
		for (;;) {
			const [kind = 0] = this.#waiting;
			if (this.#waiting.length < (kind === 100 ? 4 : 1)) return;
			const body = kind === 100 ? 3 + this.#waiting.readUInt16BE(1) : (BODY_BYTES[kind] ?? 0);
			if (this.#waiting.length < 2 + body) return;
			const frame = this.#waiting.subarray(1, 1 + body);
			const isWhole = this.#waiting[1 + body] === END;
			this.#waiting = this.#waiting.subarray(isWhole ? 2 + body : 1);
			if (isWhole) socket.write(Buffer.from([IN_SYNC, ...this.#obey(kind, frame), OK]));
			if (isWhole && kind === 81 && this.written > 0) this.#start();
		}
	}

	#obey(kind: number, frame: Buffer): readonly number[] {
		switch (kind) {
			case 65:
				return [frame[0] === 0x81 ? 8 : 4];
			case 85:
				this.#address = frame.readUInt16LE(0) * 2;
				return [];
			case 86:
				return [0];
			case 100:
				this.written += 1;
				this.flash.set(frame.subarray(3), this.#address);
				if (this.isBroken) this.flash[this.#address] = ~(this.flash[this.#address] ?? 0);
				return [];
			case 116:
				return [...this.flash.subarray(this.#address, this.#address + frame.readUInt16BE(0))];
			case 117:
				return this.#signature;
			default:
				return [];
		}
	}

	/** The bootloader leaves: from now on the line is the program's. */
	#start(): void {
		const paced = new PacedBoard(new Uint16Array(this.flash.buffer));
		this.#paced = paced;
		for (const socket of this.#sockets) {
			socket.removeAllListeners("data");
			paced.attach(socket);
		}
		paced.run();
	}
}
