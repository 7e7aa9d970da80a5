// Connects the shipped image to a leg board at a serial port: by avrdude, and afterwards by asking the board who it is.
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { sha256Hex } from "../../contracts/digest.ts";
import { OrionError } from "../../contracts/errors.ts";
import { openSerialLine } from "../../firmware-bridge/drivers/serial-line.ts";
import { askArguments, checkImage, checkSignature, complaintIn, type FlashTarget, type ImageManifest, writeArguments } from "../../firmware-bridge/flashing.ts";
import { decodeBoard, encodeHost, FrameReader } from "../../firmware-bridge/frames.ts";
import { PROTOCOL_VERSION } from "../../firmware-bridge/words.ts";

export interface ShippedImage {
	readonly file: string;
	readonly manifest: ImageManifest;
}

export interface Avrdude {
	readonly command: string;
	readonly target: FlashTarget;
	readonly signal: AbortSignal;
}

const RUN_WITHIN_MS = 120_000;
const SAID_CHARACTERS_MAX = 65_536;
/** The bootloader waits about a second before it starts the program. */
const HELLO_WITHIN_MS = 10_000;
const HELLO_EVERY_MS = 500;
const FIRMWARE_DIGITS = 16;

/** Beside the sources and beside dist alike. */
const shippedFolder = (): string => {
	const here = dirname(fileURLToPath(import.meta.url));
	return join(here, here.endsWith("robot") ? "../.." : "..", "firmware-bridge/firmware/leg-board");
};

/** A folder with leg-board.hex and leg-board.json -> the image, checked. Faults: IMAGE_INVALID. */
export const readImage = async (folder = shippedFolder()): Promise<ShippedImage> => {
	const file = join(folder, "leg-board.hex");
	try {
		const [hex, manifestText] = await Promise.all([readFile(file, "utf8"), readFile(join(folder, "leg-board.json"), "utf8")]);
		const manifest = checkImage(manifestText, hex, sha256Hex(hex));
		if (!manifest.ok) throw new OrionError(manifest.fault.code, manifest.fault.facts);
		return { file, manifest: manifest.value };
	} catch (error) {
		if (error instanceof OrionError) throw error;
		throw new OrionError("IMAGE_INVALID", { detail: error instanceof Error ? error.message : "unreadable" }, { cause: error });
	}
};

const run = ({ command, signal }: Avrdude, args: readonly string[]): Promise<{ readonly exitCode: number | null; readonly said: string }> =>
	new Promise((resolve, reject) => {
		const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], signal, timeout: RUN_WITHIN_MS });
		let said = "";
		for (const stream of [child.stdout, child.stderr])
			stream.on("data", (piece: Buffer) => {
				said = (said + piece.toString()).slice(-SAID_CHARACTERS_MAX);
			});
		child.once("error", (error: NodeJS.ErrnoException) =>
			reject(
				error.code === "ENOENT" || error.code === "EACCES"
					? new OrionError("TOOL_MISSING", { tool: command, detail: "sudo apt-get install avrdude" }, { cause: error })
					: error,
			),
		);
		child.once("close", (exitCode) => resolve({ exitCode, said }));
	});

/** Reads the chip's signature; writes nothing. Faults: TOOL_MISSING, FLASH_REFUSED. */
export const askSignature = async (avrdude: Avrdude): Promise<void> => {
	const { exitCode, said } = await run(avrdude, askArguments(avrdude.target));
	const checked = checkSignature(avrdude.target.port, exitCode, said);
	if (!checked.ok) throw new OrionError(checked.fault.code, checked.fault.facts);
};

/** Writes and reads back. Faults: TOOL_MISSING, FLASH_FAILED. */
export const writeImage = async (avrdude: Avrdude, file: string): Promise<void> => {
	const { exitCode, said } = await run(avrdude, writeArguments(avrdude.target, file));
	if (exitCode !== 0) throw new OrionError("FLASH_FAILED", { port: avrdude.target.port, detail: complaintIn(said) });
};

/** What the program on the board says it was built from, 16 hex digits. Faults: PORT_CLOSED, FLASH_FAILED. */
const askFirmware = async (port: string): Promise<string> => {
	const reader = new FrameReader(decodeBoard);
	let found: ((firmware: string) => void) | undefined;
	let lost: (() => void) | undefined;
	const line = await openSerialLine(port, {
		onBytes: (bytes) => {
			for (const heard of reader.push(bytes)) if (heard.kind === "frame" && heard.frame.kind === "hello") found?.(heard.frame.firmware);
		},
		onClosed: () => lost?.(),
	});
	let seq = 0;
	const ask = (): void => {
		seq += 1;
		line.write(encodeHost({ kind: "hello", version: PROTOCOL_VERSION, seq }));
	};
	const asking = setInterval(ask, HELLO_EVERY_MS);
	let late: NodeJS.Timeout | undefined;
	try {
		return await new Promise<string>((resolve, reject) => {
			const silent = (detail: string) => (): void => reject(new OrionError("FLASH_FAILED", { port, detail }));
			found = resolve;
			lost = silent("the port closed before the new program said hello");
			late = setTimeout(silent("it was written and read back, but the new program says nothing"), HELLO_WITHIN_MS);
			ask();
		});
	} finally {
		clearInterval(asking);
		clearTimeout(late);
		lost = undefined;
		await line.close();
	}
};

/** The board runs what was written. Faults: as askFirmware, and FLASH_FAILED. */
export const confirmImage = async (port: string, { sourceSha256 }: ImageManifest): Promise<string> => {
	const wanted = sourceSha256.slice(0, FIRMWARE_DIGITS);
	const firmware = await askFirmware(port);
	if (firmware !== wanted) throw new OrionError("FLASH_FAILED", { port, detail: `the board says that it runs ${firmware}, not ${wanted}` });
	return firmware;
};
