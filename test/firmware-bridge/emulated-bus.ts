// Connects the linux-guard to chips, battery, tilt sensor and power line that a test can see and break: every register write is decoded here.
import { createServer, type Server, type Socket } from "node:net";
import { Pca9685 } from "../../firmware-bridge/virtual-board/pca9685.ts";

export type BusEvent =
	| { readonly kind: "power"; readonly on: boolean; readonly atMs: number }
	| { readonly kind: "pulses"; readonly address: number; readonly pulsesUs: readonly number[]; readonly atMs: number }
	/** The guard let go of the power line without a word: it died. */
	| { readonly kind: "released"; readonly atMs: number };

const ADC = 0x48;
const IMU = 0x68;
const IMU_POWER = 0x6b;

export class EmulatedBus {
	readonly chips: ReadonlyMap<number, Pca9685> = new Map([
		[0x40, new Pca9685()],
		[0x41, new Pca9685()],
	]);
	readonly events: BusEvent[] = [];
	readonly imu = new Uint8Array(256);
	/** Raw steps by converter channel; absent = the converter does not answer. */
	adc: Readonly<Record<number, number>> = { 0: 126, 4: 130 };
	rangeMm: number | undefined = 420;
	answering = true;
	powered = false;
	fed = 0;
	readonly #server: Server;
	readonly #sockets = new Set<Socket>();

	constructor() {
		this.imu[IMU_POWER] = 0x40;
		this.#server = createServer((socket) => {
			let waiting = Buffer.alloc(0);
			let holdsPower = false;
			this.#sockets.add(socket);
			socket.on("data", (piece: Buffer) => {
				waiting = Buffer.concat([waiting, piece]);
				for (;;) {
					const [kind = 0, address = 0, register = 0, count = 0] = waiting;
					const writes = kind === 0x57 || kind === 0x50;
					const length = 4 + (writes ? count : 0);
					if (waiting.length < 4 || waiting.length < length) return;
					const bytes = waiting.subarray(4, length);
					waiting = waiting.subarray(length);
					if (kind === 0x50 || kind === 0x46) {
						holdsPower = true;
						if (kind === 0x46) this.fed++;
						else this.#power(bytes[0] === 1);
					} else if (this.answering) socket.write(this.#answer(kind, address, register, count, bytes));
				}
			});
			socket.on("error", () => socket.destroy());
			socket.on("close", () => {
				this.#sockets.delete(socket);
				if (!holdsPower) return;
				this.powered = false;
				this.events.push({ kind: "released", atMs: performance.now() });
			});
		});
	}

	listen(path: string): Promise<void> {
		return new Promise((resolve, reject) => {
			this.#server.once("error", reject);
			this.#server.listen(path, resolve);
		});
	}

	close(): Promise<void> {
		for (const socket of this.#sockets) socket.destroy();
		return new Promise((resolve) => this.#server.close(() => resolve()));
	}

	/** What the legs see: pulses by the vendor's channel number, none without servo power. */
	pulseUs(channel: number): number {
		const chip = this.chips.get(channel < 16 ? 0x41 : 0x40);
		return this.powered ? (chip?.pulsesUs()[channel % 16] ?? 0) : 0;
	}

	#power(on: boolean): void {
		this.powered = on;
		this.events.push({ kind: "power", on, atMs: performance.now() });
	}

	#answer(kind: number, address: number, register: number, count: number, bytes: Buffer): Buffer {
		const no = Buffer.of(0, ...new Uint8Array(count));
		if (kind === 0x45) return this.rangeMm === undefined ? no : Buffer.of(1, this.rangeMm & 255, this.rangeMm >> 8);
		const chip = this.chips.get(address);
		if (kind === 0x57) {
			if (address === IMU) this.imu.set(bytes.subarray(1), bytes[0]);
			else if (chip?.powered !== true) return Buffer.of(0);
			else {
				chip.start();
				for (const byte of bytes) chip.write(byte);
				if (chip.stop()) this.events.push({ kind: "pulses", address, pulsesUs: chip.pulsesUs(), atMs: performance.now() });
			}
			return Buffer.of(1);
		}
		if (address === IMU) return Buffer.of(1, ...this.imu.subarray(register, register + count));
		if (address === ADC) {
			// The converter's command holds the channel in a shuffled order: C/S, then bits 0, 2, 1.
			const shuffled = (register >> 4) & 7;
			const value = this.adc[((shuffled << 1) & 6) | (shuffled >> 2)];
			return value === undefined ? no : Buffer.of(1, value);
		}
		if (chip?.powered !== true) return no;
		chip.start();
		chip.write(register);
		return Buffer.of(1, ...Array.from({ length: count }, () => chip.read()));
	}
}
