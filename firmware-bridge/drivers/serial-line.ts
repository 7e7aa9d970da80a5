// Connects a serial port to a line of bytes; `serialport` is loaded when the first port is opened and not before.
import { OrionError } from "../../contracts/errors.ts";
import type { FirmataPort } from "./firmata-board.ts";
import type { ByteLine, LineEnds } from "./line-driver.ts";

const BAUD = 115_200;

/** A pose older than the next one is of no use: what waits to be written is bounded by closing a port that takes nothing. */
const UNWRITTEN_BYTES_MAX = 2_048;

/** StandardFirmata's own speed. */
const FIRMATA_BAUD = 57_600;

/** A port for a board with Firmata, not open yet. */
export const firmataPort = async (path: string): Promise<FirmataPort> => {
	const { SerialPort } = await import("serialport");
	return new SerialPort({ path, baudRate: FIRMATA_BAUD, autoOpen: false });
};

export const openSerialLine = async (path: string, { onBytes, onClosed }: LineEnds): Promise<ByteLine> => {
	const { SerialPort } = await import("serialport");
	// hupcl off: closing must not reset a board that is holding a standing robot.
	const port = new SerialPort({ path, baudRate: BAUD, autoOpen: false, hupcl: false });
	port.on("data", (bytes: Uint8Array) => onBytes(bytes));
	port.once("close", () => onClosed());
	port.on("error", () => onClosed());
	await new Promise<void>((resolve, reject) => {
		port.open((error) => (error === null || error === undefined ? resolve() : reject(new OrionError("PORT_CLOSED", { path, detail: error.message }))));
	});
	return {
		write: (bytes) => {
			if (!port.isOpen) return;
			port.write(bytes);
			if (port.writableLength > UNWRITTEN_BYTES_MAX) port.close();
		},
		close: () =>
			new Promise((resolve) => {
				if (!port.isOpen) resolve();
				else port.drain(() => port.close(() => resolve()));
			}),
	};
};
