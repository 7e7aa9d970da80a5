// Connects any image for an Arduino Uno to an emulated ATmega328P with all its pins: what goes in and what comes out is counted in cycles of that processor.
import {
	AVRADC,
	AVREEPROM,
	AVRIOPort,
	AVRTimer,
	AVRTWI,
	AVRUSART,
	adcConfig,
	avrInstruction,
	CPU,
	EEPROMMemoryBackend,
	portBConfig,
	portCConfig,
	portDConfig,
	timer0Config,
	timer1Config,
	timer2Config,
	twiConfig,
	usart0Config,
} from "avr8js";
import { CYCLES_PER_US } from "./board.ts";
import { Pca9685 } from "./pca9685.ts";
import { TwoWireBus } from "./two-wire.ts";

const CLOCK_HZ = 16_000_000;
const SRAM_BYTES = 2_048;
const EEPROM_BYTES = 1_024;
/** Ten bits at 57,600 baud. */
const BYTE_CYCLES = 2_778;

/** Of one level that a pin had from one edge to the next. */
export interface Pulse {
	readonly fromUs: number;
	readonly widthUs: number;
}

interface Edge {
	readonly atCycles: number;
	readonly high: boolean;
}

/** 0 to 7: port D; 8 to 13: port B; 14 to 19 (A0 to A5): port C. */
const placeOf = (pin: number): readonly ["B" | "C" | "D", number] => (pin < 8 ? ["D", pin] : pin < 14 ? ["B", pin - 8] : ["C", pin - 14]);

export class VirtualArduino {
	/** Servo chips on the two-wire bus, by address. */
	readonly servoChips: ReadonlyMap<number, Pca9685> = new Map([
		[0x40, new Pca9685()],
		[0x41, new Pca9685()],
	]);
	onByte: (byte: number) => void = () => {};
	readonly #cpu: CPU;
	readonly #usart: AVRUSART;
	readonly #adc: AVRADC;
	readonly #ports: Readonly<Record<"B" | "C" | "D", AVRIOPort>>;
	readonly #edges = new Map<number, Edge[]>();
	#lineFreeAt = 0;

	constructor(flash: Uint16Array) {
		const cpu = new CPU(Uint16Array.from(flash), SRAM_BYTES);
		this.#cpu = cpu;
		this.#ports = { B: new AVRIOPort(cpu, portBConfig), C: new AVRIOPort(cpu, portCConfig), D: new AVRIOPort(cpu, portDConfig) };
		for (const config of [timer0Config, timer1Config, timer2Config]) new AVRTimer(cpu, config);
		new AVREEPROM(cpu, new EEPROMMemoryBackend(EEPROM_BYTES));
		this.#adc = new AVRADC(cpu, adcConfig);
		this.#usart = new AVRUSART(cpu, usart0Config, CLOCK_HZ);
		this.#usart.onByteTransmit = (byte) => this.onByte(byte);
		this.#keepReceivedByte();
		new TwoWireBus(
			cpu,
			new AVRTWI(cpu, twiConfig, CLOCK_HZ),
			this.servoChips,
			() => "none",
			() => {},
		);
		for (let pin = 0; pin < 20; pin++) this.#watch(pin);
	}

	get nowUs(): number {
		return this.#cpu.cycles / CYCLES_PER_US;
	}

	run(us: number): void {
		const end = this.#cpu.cycles + us * CYCLES_PER_US;
		while (this.#cpu.cycles < end) {
			avrInstruction(this.#cpu);
			this.#cpu.tick();
		}
	}

	/** Puts bytes on the line to the board, at the line's speed. */
	receive(bytes: Uint8Array): void {
		let at = Math.max(this.#lineFreeAt, this.#cpu.cycles);
		for (const byte of bytes) {
			at += BYTE_CYCLES;
			this.#cpu.addClockEvent(() => this.#usart.writeByte(byte, true), at - this.#cpu.cycles);
		}
		this.#lineFreeAt = at;
	}

	/** What something outside puts on a digital pin. */
	drive(pin: number, high: boolean): void {
		const [port, bit] = placeOf(pin);
		this.#ports[port].setPin(bit, high);
	}

	/** Volts on an analogue input, 0 = A0. */
	putVolts(input: number, volts: number): void {
		this.#adc.channelValues[input] = volts;
	}

	isHigh(pin: number): boolean {
		return this.#edges.get(pin)?.at(-1)?.high ?? false;
	}

	/** Whole high pulses of a pin that began at or after this time, oldest first. */
	pulses(pin: number, sinceUs = 0): readonly Pulse[] {
		const edges = this.#edges.get(pin) ?? [];
		return edges.flatMap((edge, at) => {
			const end = edges[at + 1];
			const fromUs = edge.atCycles / CYCLES_PER_US;
			return edge.high && end !== undefined && fromUs >= sinceUs ? [{ fromUs, widthUs: (end.atCycles - edge.atCycles) / CYCLES_PER_US }] : [];
		});
	}

	#watch(pin: number): void {
		const [name, bit] = placeOf(pin);
		const edges: Edge[] = [];
		this.#edges.set(pin, edges);
		this.#ports[name].addListener((value) => {
			const high = ((value >> bit) & 1) === 1;
			if (high !== (edges.at(-1)?.high ?? false)) edges.push({ atCycles: this.#cpu.cycles, high });
		});
	}

	/** The emulator forgets a received byte when UCSR0B is written; the real unit does not. */
	#keepReceivedByte(): void {
		const cpu = this.#cpu;
		const inner = cpu.writeHooks[usart0Config.UCSRB];
		cpu.writeHooks[usart0Config.UCSRB] = (value, before, address, mask) => {
			const waiting = ((cpu.data[usart0Config.UCSRA] ?? 0) & 0x80) !== 0;
			const done = inner?.(value, before, address, mask);
			if (waiting) cpu.setInterruptFlag(this.#usart["RXC"]);
			return done;
		};
	}
}
