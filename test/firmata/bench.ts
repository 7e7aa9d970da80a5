// Connects the real StandardFirmata, in an emulated Arduino, to the real serialport: behind a binding of its own, in the board's time.
import { readFileSync } from "node:fs";
import { SerialPortStream } from "@serialport/stream";
import { STANDARD_FIRMATA } from "../../build/firmata.mjs";
import { flashOf } from "../../firmware-bridge/intel-hex.ts";
import { VirtualArduino } from "../../firmware-bridge/virtual-board/arduino.ts";

type Options = ConstructorParameters<typeof SerialPortStream>[0];
type Binding = Options["binding"];
type Port = Awaited<ReturnType<Binding["open"]>>;

/** What the board's time moves on between two looks. */
const TURN_US = 2_000;
/** Nothing here needs a hundredth of it; a machine that is busy gets all of it. */
const NEVER_MS = 60_000;

const unused = (): Promise<never> => Promise.reject(new Error("this line has no such thing"));

/** One end of the line; the board is the other. */
class ArduinoPort implements Port {
	readonly openOptions: Port["openOptions"];
	isOpen = true;
	readonly #board: VirtualArduino;
	readonly #unread: number[] = [];
	#reading: (() => void) | undefined;

	constructor(board: VirtualArduino, options: Port["openOptions"]) {
		this.#board = board;
		this.openOptions = options;
		board.onByte = (byte) => {
			this.#unread.push(byte);
			this.#wake();
		};
	}

	#wake(): void {
		const wake = this.#reading;
		this.#reading = undefined;
		wake?.();
	}

	async read(buffer: Buffer, offset: number, length: number): Promise<{ buffer: Buffer; bytesRead: number }> {
		while (this.isOpen && this.#unread.length === 0)
			await new Promise<void>((resolve) => {
				this.#reading = resolve;
			});
		if (!this.isOpen) throw Object.assign(new Error("closed"), { canceled: true });
		const bytes = this.#unread.splice(0, length);
		buffer.set(bytes, offset);
		return { buffer, bytesRead: bytes.length };
	}

	write(bytes: Buffer): Promise<void> {
		this.#board.receive(bytes);
		return Promise.resolve();
	}

	close(): Promise<void> {
		this.isOpen = false;
		this.#board.onByte = () => {};
		this.#wake();
		return Promise.resolve();
	}

	readonly drain = (): Promise<void> => Promise.resolve();
	readonly flush = (): Promise<void> => Promise.resolve();
	readonly set = (): Promise<void> => Promise.resolve();
	readonly update = unused;
	readonly get = unused;
	readonly getBaudRate = unused;
}

export class FirmataBench {
	readonly board: VirtualArduino;

	constructor() {
		const flash = flashOf(readFileSync(STANDARD_FIRMATA, "utf8"));
		if (!flash.ok) throw new Error(flash.fault.code);
		this.board = new VirtualArduino(flash.value);
	}

	/** A port of the real serialport, not yet open. */
	port(): SerialPortStream {
		const binding: Binding = {
			list: () => Promise.resolve([]),
			open: (options) => Promise.resolve(new ArduinoPort(this.board, options as Port["openOptions"])),
		};
		return new SerialPortStream({ binding, path: "/dev/virtual", baudRate: 57_600, autoOpen: false });
	}

	/** Lets the board's time pass until it is so; timers of the host go on meanwhile. */
	async until(what: string, isSo: () => boolean): Promise<void> {
		const endMs = performance.now() + NEVER_MS;
		while (!isSo()) {
			if (performance.now() > endMs) throw new Error(`never: ${what}`);
			this.board.run(TURN_US);
			await new Promise<void>((resolve) => setImmediate(resolve));
		}
	}
}
