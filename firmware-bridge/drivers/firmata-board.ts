// Connects an Arduino with StandardFirmata to what a bench has: buttons, lamps, analogue sensors. It offers nothing that moves: Firmata has no time-out of its own.
import { OrionError } from "../../contracts/errors.ts";

/** A serial port that is not open yet, as `serialport` makes it. */
export interface FirmataPort {
	readonly path: string;
	readonly isOpen: boolean;
	open(opened: (error: Error | null) => void): void;
	close(closed: () => void): void;
	on(event: "data", heard: (bytes: Uint8Array) => void): unknown;
	once(event: "close", heard: () => void): unknown;
	write(bytes: Uint8Array, done: () => void): unknown;
}

export interface FirmataEnds {
	/** Called once, after it was open: the cable, or this side. */
	readonly onClosed: () => void;
	/** Calls once after delayMs; returns how to cancel. */
	readonly after: (delayMs: number, run: () => void) => () => void;
}

export interface FirmataBoard {
	/** As it calls itself, with its version: "StandardFirmata.ino 2.4". */
	readonly firmware: string;
	/** With the board's own pull-up: pressed is connected to ground. Its first word is its first change. */
	button(pin: number, changed: (pressed: boolean) => void): void;
	lamp(pin: number): (lit: boolean) => void;
	/** Input 0 is A0; the middle of what was read in that time, 0 to 1,023. */
	analog(input: number, everyMs: number, read: (raw: number) => void): void;
	/** Called when the board itself has answered; never, if it does not. */
	ask(answered: () => void): void;
	/** Lamps off, as far as the line takes it. */
	close(): Promise<void>;
}

/** Exactly what was tested; they bring their own dependencies, and one of those would be compiled if it were not left out. */
export const FIRMATA_PACKAGES = { "firmata-io": "2.3.0", "johnny-five": "2.1.0" } as const;

/** A board that was reset by the opening of its port blinks its version first. */
const READY_WITHIN_MS = 10_000;
const ASK_VERSION_AFTER_MS = 3_000;
const SAMPLE_EVERY_MS = 20;

const load = async () => {
	try {
		const [firmata, five] = await Promise.all([import("firmata-io"), import("johnny-five")]);
		return { Firmata: firmata.default.Firmata, five: five.default };
	} catch (error) {
		const packages = Object.entries(FIRMATA_PACKAGES).map(([name, version]) => `${name}@${version}`);
		throw new OrionError("PACKAGES_MISSING", {
			packages: packages.join(" "),
			detail: error instanceof Error ? (error.message.split("\n")[0] ?? "") : "unknown",
		});
	}
};

const opened = (port: FirmataPort): Promise<void> =>
	new Promise((resolve, reject) => {
		port.open((error) =>
			error === null || error === undefined ? resolve() : reject(new OrionError("PORT_CLOSED", { path: port.path, detail: error.message })),
		);
	});

const closed = (port: FirmataPort): Promise<void> =>
	new Promise((resolve) => {
		if (port.isOpen) port.close(() => resolve());
		else resolve();
	});

type Loaded = Awaited<ReturnType<typeof load>>;

/** Firmware known, pins known; rejects when that takes too long or the port closes before. */
const handshaken = (port: FirmataPort, { Firmata, five }: Loaded, { after }: FirmataEnds) =>
	new Promise<{ io: InstanceType<Loaded["Firmata"]>; board: InstanceType<Loaded["five"]["Board"]> }>((resolve, reject) => {
		const silent = (detail: string): void => reject(new OrionError("PORT_CLOSED", { path: port.path, detail }));
		const cancel = after(READY_WITHIN_MS, () => silent("nothing there speaks Firmata"));
		port.once("close", () => {
			cancel();
			silent("closed");
		});
		const options = { reportVersionTimeout: ASK_VERSION_AFTER_MS, samplingInterval: SAMPLE_EVERY_MS };
		const io = new Firmata(port, options, (error) => {
			if (error !== undefined) return silent(error.message);
			const board = new five.Board({ io, repl: false, debug: false, sigint: false });
			board.on("error", ({ message }) => silent(message));
			board.once("ready", () => {
				cancel();
				resolve({ io, board });
			});
		});
		// A port that fails closes, and that is heard.
		io.on("error", () => undefined);
	});

/** Faults: PACKAGES_MISSING, PORT_CLOSED. */
export const openFirmata = async (portOf: () => Promise<FirmataPort>, ends: FirmataEnds): Promise<FirmataBoard> => {
	const loaded = await load();
	const { five } = loaded;
	const port = await portOf();
	await opened(port);
	const { io, board } = await handshaken(port, loaded, ends).catch(async (error: unknown) => {
		await closed(port);
		throw error;
	});
	const lamps: { off(): void }[] = [];
	const sensors: { disable(): void }[] = [];
	const forget = (): void => {
		for (const sensor of sensors) sensor.disable();
		// It keeps every board that it ever made.
		five.Board.cache.splice(0, five.Board.cache.length, ...five.Board.cache.filter((other) => other !== board));
	};
	port.once("close", () => {
		forget();
		ends.onClosed();
	});
	const { name = "unknown", version } = io.firmware;
	return {
		firmware: version === undefined ? name : `${name} ${version.major}.${version.minor}`,
		button: (pin, changed) => {
			const button = new five.Button({ board, pin, isPullup: true });
			button.on("press", () => changed(true));
			button.on("release", () => changed(false));
		},
		lamp: (pin) => {
			const lamp = new five.Led({ board, pin });
			lamps.push(lamp);
			return (lit) => (lit ? lamp.on() : lamp.off());
		},
		analog: (input, everyMs, read) => {
			const sensor = new five.Sensor({ board, pin: `A${input}`, freq: everyMs });
			sensors.push(sensor);
			// It says 0 as long as it knows nothing.
			sensor.on("data", (raw) => {
				if (sensor.value !== null) read(raw);
			});
		},
		ask: (answered) => io.queryFirmware(answered),
		close: async () => {
			if (port.isOpen) for (const lamp of lamps) lamp.off();
			await closed(port);
		},
	};
};
