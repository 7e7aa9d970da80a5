// Connects the leg board's real image to an emulated ATmega328P with both servo chips: everything is counted in cycles of that processor.
import {
	AVRClock,
	AVREEPROM,
	AVRIOPort,
	AVRTimer,
	AVRTWI,
	AVRUSART,
	AVRWatchdog,
	avrInstruction,
	CPU,
	clockConfig,
	EEPROMMemoryBackend,
	portDConfig,
	timer2Config,
	twiConfig,
	usart0Config,
	watchdogConfig,
} from "avr8js";
import { Pca9685 } from "./pca9685.ts";
import { type BusFault, TwoWireBus } from "./two-wire.ts";

export const CYCLES_PER_US = 16;
/** Ten bits at 115,200 baud. */
const BYTE_CYCLES = 1_389;
const CLOCK_HZ = 16_000_000;
const SRAM_BYTES = 2_048;
const REGISTER_BYTES = 0x100;
const OUTPUTS_OFF_BIT = 4;
const POWER_ON_RESET = 1;
const WATCHDOG_RESET = 8;
const WDE = 8;
const WDCE = 16;
const TWEN = 4;
const TWI_IDLE = 0xf8;

export type BoardEvent =
	/** The outputs-enable line, after every write to its level or its direction; low = on. */
	| { readonly kind: "outputs"; readonly atCycles: number; readonly on: boolean }
	| { readonly kind: "pulses"; readonly atCycles: number; readonly address: number; readonly pulsesUs: readonly number[] }
	| { readonly kind: "reset"; readonly atCycles: number };

interface Parts {
	readonly cpu: CPU;
	readonly usart: AVRUSART;
	resetAsked: boolean;
}

export class VirtualBoard {
	readonly chips: ReadonlyMap<number, Pca9685> = new Map([
		[0x40, new Pca9685()],
		[0x41, new Pca9685()],
	]);
	readonly events: BoardEvent[] = [];
	busFault: BusFault = "none";
	onByte: (byte: number, atCycles: number) => void = () => {};
	/** Called in the very cycle, so that memory can be looked at as it is then. */
	onEvent: (event: BoardEvent) => void = () => {};
	readonly #flash: Uint16Array;
	readonly #eeprom: EEPROMMemoryBackend;
	#parts: Parts;
	#outputsOn = false;
	#lineFreeAt = 0;

	/** Pass the EEPROM of an earlier board to start the same board again. */
	constructor(flash: Uint16Array, eeprom: EEPROMMemoryBackend = new EEPROMMemoryBackend(1_024)) {
		this.#flash = Uint16Array.from(flash);
		this.#eeprom = eeprom;
		this.#parts = this.#build(new Uint8Array(SRAM_BYTES).fill(0xa5), 0, POWER_ON_RESET);
	}

	get cycles(): number {
		return this.#parts.cpu.cycles;
	}

	get outputsOn(): boolean {
		return this.#outputsOn;
	}

	get eeprom(): EEPROMMemoryBackend {
		return this.#eeprom;
	}

	/** Runs until this many cycles have passed since the board got power. */
	runTo(cycles: number): void {
		while (this.#parts.cpu.cycles < cycles) this.#step();
	}

	run(us: number): void {
		this.runTo(this.cycles + us * CYCLES_PER_US);
	}

	/** Runs until the condition holds, looked at every `stepUs`; false if it did not within the bound. */
	runUntil(condition: () => boolean, withinUs: number, stepUs = 20): boolean {
		const end = this.cycles + withinUs * CYCLES_PER_US;
		while (!condition()) {
			if (this.cycles >= end) return false;
			this.run(stepUs);
		}
		return true;
	}

	/** Puts bytes on the line to the board, at the line's speed; returns the cycle at which the last one is there. */
	receive(bytes: Uint8Array, fromCycles = this.cycles): number {
		let at = Math.max(fromCycles, this.#lineFreeAt, this.cycles);
		const parts = this.#parts;
		for (const byte of bytes) {
			at += BYTE_CYCLES;
			parts.cpu.addClockEvent(() => parts.usart.writeByte(byte, true), at - parts.cpu.cycles);
		}
		this.#lineFreeAt = at;
		return at;
	}

	/** A byte of the processor's memory, as its own address space counts it. */
	peek(address: number): number {
		return this.#parts.cpu.data[address] ?? 0xff;
	}

	/** Overwrites an instruction, to break the running program on purpose. */
	patch(byteAddress: number, word: number): void {
		this.#flash[byteAddress >> 1] = word;
		this.#parts.cpu.progMem[byteAddress >> 1] = word;
	}

	/** Takes the interrupts away, as a stray instruction would. */
	clearInterrupts(): void {
		const { data } = this.#parts.cpu;
		data[95] = (data[95] ?? 0) & 0x7f;
	}

	#note(event: BoardEvent): void {
		this.events.push(event);
		this.onEvent(event);
	}

	#step(): void {
		const parts = this.#parts;
		avrInstruction(parts.cpu);
		parts.cpu.tick();
		if (parts.resetAsked) this.#resetByWatchdog(parts.cpu);
	}

	/** Memory, EEPROM and time go on; every register starts anew, and pins float until the program sets them. */
	#resetByWatchdog(cpu: CPU): void {
		this.#note({ kind: "reset", atCycles: cpu.cycles });
		this.#parts = this.#build(cpu.data.slice(REGISTER_BYTES), cpu.cycles, WATCHDOG_RESET);
		this.#noteOutputs(this.#parts.cpu);
	}

	#build(sram: Uint8Array, cycles: number, cause: number): Parts {
		const cpu = new CPU(Uint16Array.from(this.#flash), SRAM_BYTES);
		cpu.data.set(sram, REGISTER_BYTES);
		cpu.cycles = cycles;
		const usart = new AVRUSART(cpu, usart0Config, CLOCK_HZ);
		const parts: Parts = { cpu, usart, resetAsked: false };
		new AVRTimer(cpu, timer2Config);
		new AVRIOPort(cpu, portDConfig);
		new AVREEPROM(cpu, this.#eeprom);
		new AVRWatchdog(cpu, watchdogConfig, new AVRClock(cpu, CLOCK_HZ, clockConfig));
		const twi = new AVRTWI(cpu, twiConfig, CLOCK_HZ);
		this.#forgetWhenDisabled(cpu, twi);
		new TwoWireBus(
			cpu,
			twi,
			this.chips,
			() => this.busFault,
			(address) => this.#note({ kind: "pulses", atCycles: cpu.cycles, address, pulsesUs: this.chips.get(address)?.pulsesUs() ?? [] }),
		);
		cpu.reset = () => {
			parts.resetAsked = true;
		};
		cpu.data[watchdogConfig.MCUSR] = cause;
		if (cause === WATCHDOG_RESET) {
			// The watchdog that bit goes on, at its shortest time, until the program says otherwise.
			cpu.writeData(watchdogConfig.WDTCSR, WDE | WDCE);
			cpu.writeData(watchdogConfig.WDTCSR, WDE);
		}
		usart.onByteTransmit = (byte) => this.onByte(byte, cpu.cycles + BYTE_CYCLES);
		this.#keepReceivedByte(cpu, usart);
		for (const register of [portDConfig.DDR, portDConfig.PORT]) {
			const inner = cpu.writeHooks[register];
			cpu.writeHooks[register] = (value, before, address, mask) => {
				const done = inner?.(value, before, address, mask);
				this.#noteOutputs(cpu);
				return done;
			};
		}
		return parts;
	}

	/** The emulator forgets a received byte when UCSR0B is written; the real unit does not. */
	#keepReceivedByte(cpu: CPU, usart: AVRUSART): void {
		const inner = cpu.writeHooks[usart0Config.UCSRB];
		cpu.writeHooks[usart0Config.UCSRB] = (value, before, address, mask) => {
			const waiting = ((cpu.data[usart0Config.UCSRA] ?? 0) & 0x80) !== 0;
			const done = inner?.(value, before, address, mask);
			if (waiting) cpu.setInterruptFlag(usart["RXC"]);
			return done;
		};
	}

	/** A two-wire unit that is switched off gives up what it was doing; the emulator's would wait for ever. */
	#forgetWhenDisabled(cpu: CPU, twi: AVRTWI): void {
		const inner = cpu.writeHooks[twiConfig.TWCR];
		cpu.writeHooks[twiConfig.TWCR] = (value, before, address, mask) => {
			const done = inner?.(value, before, address, mask);
			if ((value & TWEN) === 0) {
				twi["busy"] = false;
				cpu.data[twiConfig.TWSR] = TWI_IDLE;
			}
			return done;
		};
	}

	/** Driven low = on; driven high, or left to the pull-up = off. */
	#noteOutputs(cpu: CPU): void {
		const bit = 1 << OUTPUTS_OFF_BIT;
		const driven = ((cpu.data[portDConfig.DDR] ?? 0) & bit) !== 0;
		const on = driven && ((cpu.data[portDConfig.PORT] ?? 0) & bit) === 0;
		if (on === this.#outputsOn) return;
		this.#outputsOn = on;
		this.#note({ kind: "outputs", atCycles: cpu.cycles, on });
	}
}
