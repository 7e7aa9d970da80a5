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
/** Nothing here needs a tenth of it; a machine that is busy gets all of it. */
const NEVER_MS = 240_000;

const unused = (): Promise<never> => Promise.reject(new Error("this line has no such thing"));

/** One end of the line; the board is the other. */
class ArduinoPort implements Port {
	readonly openOptions: Port["openOptions"];
	isOpen = true;
	readonly #board: VirtualArduino;
	readonly #unread: number[] = [];
	readonly #isDeaf: () => boolean;
	#reading: (() => void) | undefined;

	constructor(board: VirtualArduino, options: Port["openOptions"], isDeaf: () => boolean) {
		this.#board = board;
		this.#isDeaf = isDeaf;
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
		if (!this.#isDeaf()) this.#board.receive(bytes);
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
	board: VirtualArduino;
	/** What is written does not reach the board: the line stays open. */
	deaf = false;
	readonly #flash: Uint16Array;
	#wasOpened = false;
	/** Of boards before this one. */
	#passedUs = 0;
	#timers: { readonly dueUs: number; readonly run: () => void }[] = [];

	constructor() {
		const flash = flashOf(readFileSync(STANDARD_FIRMATA, "utf8"));
		if (!flash.ok) throw new Error(flash.fault.code);
		this.#flash = flash.value;
		this.board = new VirtualArduino(flash.value);
	}

	/** Goes on when the board starts anew. */
	get nowUs(): number {
		return this.#passedUs + this.board.nowUs;
	}

	/** A port that is opened resets the board, as a real one does: pins are what a new board has. */
	#restart(): void {
		if (this.#wasOpened) {
			this.#passedUs = this.nowUs;
			this.board = new VirtualArduino(this.#flash);
		}
		this.#wasOpened = true;
	}

	/** A port of the real serialport, not yet open. */
	port(): SerialPortStream {
		const binding: Binding = {
			list: () => Promise.resolve([]),
			open: (options) => {
				this.#restart();
				return Promise.resolve(new ArduinoPort(this.board, options as Port["openOptions"], () => this.deaf));
			},
		};
		return new SerialPortStream({ binding, path: "/dev/virtual", baudRate: 57_600, autoOpen: false });
	}

	/** Calls once after this long in the board's time; returns how to cancel. */
	after(delayMs: number, run: () => void): () => void {
		const timer = { dueUs: this.nowUs + delayMs * 1_000, run };
		this.#timers.push(timer);
		return () => {
			this.#timers = this.#timers.filter((other) => other !== timer);
		};
	}

	#fire(): void {
		for (const timer of this.#timers.filter(({ dueUs }) => dueUs <= this.nowUs)) {
			this.#timers = this.#timers.filter((other) => other !== timer);
			timer.run();
		}
	}

	/** Lets the board's time pass until it is so; timers of the host go on meanwhile. */
	async until(what: string, isSo: () => boolean): Promise<void> {
		const endMs = performance.now() + NEVER_MS;
		while (!isSo()) {
			if (performance.now() > endMs) throw new Error(`never: ${what}`);
			this.board.run(TURN_US);
			this.#fire();
			await new Promise<void>((resolve) => setImmediate(resolve));
		}
	}
}
