// Decides what a PCA9685 does with every byte on its bus: registers, auto-increment, sleep, and the pulses that come out.

const MODE1 = 0x00;
const LED0 = 0x06;
const LED_END = 0x46;
const ALL_LED = 0xfa;
const PRESCALE = 0xfe;
const SLEEP = 0x10;
const AUTO_INCREMENT = 0x20;
const FULL = 0x10;
const OSCILLATOR_MHZ = 25;
const CHANNELS = 16;

export class Pca9685 {
	readonly registers = new Uint8Array(256);
	#pointer: number | undefined;
	#atRegister = 0;
	#outputs: readonly number[] = [];
	/** A chip without power answers nothing. */
	powered = true;

	constructor() {
		this.losePower();
	}

	/** Registers as they are when power comes: asleep, everything full off. */
	losePower(): void {
		this.registers.fill(0);
		this.registers[MODE1] = SLEEP | 1;
		this.registers[1] = 4;
		this.registers[PRESCALE] = 0x1e;
		for (let channel = 0; channel < CHANNELS; channel++) this.registers[LED0 + 4 * channel + 3] = FULL;
		this.#outputs = this.#fromRegisters();
	}

	start(): void {
		this.#pointer = undefined;
	}

	write(value: number): boolean {
		if (!this.powered) return false;
		if (this.#pointer === undefined) {
			this.#pointer = value;
			this.#atRegister = value;
			return true;
		}
		this.#set(this.#pointer, value);
		this.#advance();
		return true;
	}

	read(): number {
		const value = this.registers[this.#atRegister] ?? 0xff;
		this.#pointer = this.#atRegister;
		this.#advance();
		return value;
	}

	/** Outputs change when the bus stops. True if any did. */
	stop(): boolean {
		this.#pointer = undefined;
		const before = this.#outputs;
		this.#outputs = this.#fromRegisters();
		return this.#outputs.some((pulseUs, channel) => pulseUs !== before[channel]);
	}

	/** Microseconds of high level in each period; 0 = none. */
	pulsesUs(): readonly number[] {
		return this.#outputs;
	}

	periodUs(): number {
		return (((this.registers[PRESCALE] ?? 0) + 1) * 4_096) / OSCILLATOR_MHZ;
	}

	#advance(): void {
		if (((this.registers[MODE1] ?? 0) & AUTO_INCREMENT) !== 0) this.#pointer = ((this.#pointer ?? 0) + 1) & 0xff;
		this.#atRegister = this.#pointer ?? 0;
	}

	#set(register: number, value: number): void {
		const asleep = ((this.registers[MODE1] ?? 0) & SLEEP) !== 0;
		if (register === PRESCALE) {
			if (asleep) this.registers[PRESCALE] = Math.max(3, value);
		} else if (register >= ALL_LED) {
			for (let channel = 0; channel < CHANNELS; channel++) this.registers[LED0 + 4 * channel + (register - ALL_LED)] = value;
		} else if (register < LED_END) this.registers[register] = value;
	}

	#fromRegisters(): readonly number[] {
		const stepUs = this.periodUs() / 4_096;
		const asleep = ((this.registers[MODE1] ?? 0) & SLEEP) !== 0;
		return Array.from({ length: CHANNELS }, (_, channel) => {
			const [onLow = 0, onHigh = 0, offLow = 0, offHigh = 0] = this.registers.subarray(LED0 + 4 * channel);
			if (asleep || (offHigh & FULL) !== 0) return 0;
			if ((onHigh & FULL) !== 0) return this.periodUs();
			const steps = (((offHigh & 15) << 8) | offLow) - (((onHigh & 15) << 8) | onLow);
			return ((steps + 4_096) % 4_096) * stepUs;
		});
	}
}
