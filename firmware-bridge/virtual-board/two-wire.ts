// Connects the board's two-wire unit to the servo chips, in the time that a 400 kHz bus takes, with faults to order.
import type { AVRTWI, CPU, TWIEventHandler } from "avr8js";
import type { Pca9685 } from "./pca9685.ts";

const BIT_CYCLES = 40;

export type BusFault = "none" | "no-answer" | "hangs";

export class TwoWireBus implements TWIEventHandler {
	readonly #twi: AVRTWI;
	readonly #cpu: CPU;
	readonly #chips: ReadonlyMap<number, Pca9685>;
	readonly #changed: (address: number) => void;
	readonly #faultNow: () => BusFault;
	#addressed: number | undefined;

	constructor(cpu: CPU, twi: AVRTWI, chips: ReadonlyMap<number, Pca9685>, faultNow: () => BusFault, changed: (address: number) => void) {
		this.#cpu = cpu;
		this.#twi = twi;
		this.#chips = chips;
		this.#faultNow = faultNow;
		this.#changed = changed;
		twi.eventHandler = this;
	}

	/** A bus that hangs never completes anything. */
	#after(bits: number, complete: () => void): void {
		if (this.#faultNow() !== "hangs") this.#cpu.addClockEvent(complete, bits * BIT_CYCLES);
	}

	#chip(): Pca9685 | undefined {
		return this.#addressed === undefined || this.#faultNow() === "no-answer" ? undefined : this.#chips.get(this.#addressed);
	}

	start(repeated: boolean): void {
		if (!repeated) this.#addressed = undefined;
		this.#after(1, () => this.#twi.completeStart());
	}

	stop(): void {
		this.#after(1, () => {
			const address = this.#addressed;
			this.#addressed = undefined;
			if (address !== undefined && this.#chips.get(address)?.stop() === true) this.#changed(address);
			this.#twi.completeStop();
		});
	}

	connectToSlave(address: number, write: boolean): void {
		this.#addressed = address;
		const chip = this.#chip();
		if (write) chip?.start();
		this.#after(9, () => this.#twi.completeConnect(chip?.powered === true));
	}

	writeByte(value: number): void {
		const taken = this.#chip()?.write(value) === true;
		this.#after(9, () => this.#twi.completeWrite(taken));
	}

	readByte(): void {
		const value = this.#chip()?.read() ?? 0xff;
		this.#after(9, () => this.#twi.completeRead(value));
	}
}
