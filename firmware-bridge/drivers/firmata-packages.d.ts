// What we use of `firmata-io` and `johnny-five`, which bring no types of their own.

declare module "firmata-io" {
	/** A serial port: bytes in as "data", bytes out by write(). */
	interface Transport {
		on(event: "data", heard: (bytes: Uint8Array) => void): unknown;
		write(bytes: Uint8Array, done: () => void): unknown;
	}
	class Firmata {
		/** `ready` is called once: its pins are known, or the port failed before. */
		constructor(transport: Transport, options: { readonly reportVersionTimeout: number; readonly samplingInterval: number }, ready?: (error?: Error) => void);
		readonly isReady: boolean;
		on(event: "error", heard: (error: Error) => void): void;
		readonly firmware: { readonly name?: string; readonly version?: { readonly major: number; readonly minor: number } };
		/** The board says its firmware; called once. */
		queryFirmware(answered: () => void): void;
	}
	const packaged: { readonly Firmata: typeof Firmata };
	export default packaged;
}

declare module "johnny-five" {
	interface OfBoard {
		readonly board: Board;
		readonly pin: number | string;
	}
	class Board {
		constructor(options: { readonly io: unknown; readonly repl: false; readonly debug: false; readonly sigint: false });
		/** Every board that this process ever made. */
		static readonly cache: Board[];
		once(event: "ready", heard: () => void): void;
		on(event: "error", heard: (error: Error) => void): void;
	}
	class Button {
		constructor(options: OfBoard & { readonly isPullup: boolean });
		on(event: "press" | "release", heard: () => void): void;
	}
	class Led {
		constructor(options: OfBoard);
		on(): void;
		off(): void;
	}
	class Sensor {
		constructor(options: OfBoard & { readonly freq: number });
		/** The middle of what was read since the last time, 0 to 1023. */
		on(event: "data", heard: (raw: number) => void): void;
		/** What was read last; null: nothing yet. */
		readonly value: number | null;
		disable(): void;
	}
	class Servo {
		constructor(
			options: OfBoard & {
				readonly startAt?: number;
				readonly pwmRange?: readonly [number, number];
				readonly controller?: "PCA9685";
				readonly address?: number;
			},
		);
		to(degrees: number): void;
		stop(): void;
	}
	const packaged: {
		readonly Board: typeof Board;
		readonly Button: typeof Button;
		readonly Led: typeof Led;
		readonly Sensor: typeof Sensor;
		readonly Servo: typeof Servo;
	};
	export default packaged;
}
