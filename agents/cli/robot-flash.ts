// Connects `orion robot flash` to a leg board: says what will be written where, asks, writes, and hears from the board that it runs.
import { OrionError } from "../../contracts/errors.ts";
import { askArguments, writeArguments } from "../../firmware-bridge/flashing.ts";
import { type Avrdude, askSignature, confirmImage, readImage, writeImage } from "../robot/flash.ts";
import type { Session } from "./session.ts";

export interface FlashOptions {
	readonly port: string;
	readonly baud: number;
	readonly avrdude: string;
	readonly avrdudeConf?: string;
	readonly image?: string;
	readonly dryRun?: boolean;
	readonly yes?: boolean;
}

const SCHEMA = "orion.robot-flash/1";
const BEFORE = "Servo battery out, and the pull-up on outputs-enable in place (docs/robot-wiring.md)? Type flash: ";

const isMeant = async (session: Session): Promise<boolean> => {
	if (!session.host.inIsTty || session.json) throw new OrionError("USAGE", { detail: "nobody can be asked here; to write to the board give --yes" });
	return (await session.host.askLine(BEFORE)).trim() === "flash";
};

export const flashBoard = async (session: Session, options: FlashOptions): Promise<number> => {
	const { port, baud } = options;
	const { file, manifest } = await readImage(options.image);
	const firmware = manifest.sourceSha256.slice(0, 16);
	const target = { port, baud, ...(options.avrdudeConf === undefined ? {} : { config: options.avrdudeConf }) };
	const avrdude: Avrdude = { command: options.avrdude, target, signal: session.host.interrupted };
	const plan = { schema: SCHEMA, port, file, bytes: manifest.flashBytes, firmware };
	const say = (text: string): void => (session.json ? session.note(text) : session.say(text));
	say(`${file}: ${manifest.flashBytes} bytes, firmware ${firmware}, as its manifest says`);
	if (options.dryRun === true) {
		const commands = [askArguments(target), writeArguments(target, file)].map((args) => [options.avrdude, ...args]);
		if (session.json) session.print({ ...plan, written: false, commands });
		else for (const command of commands) session.say(`would run: ${command.join(" ")}`);
		return 0;
	}
	if (options.yes !== true && !(await isMeant(session))) {
		session.note("nothing was written");
		return 1;
	}
	await session.waiting(() => "asking the chip who it is", askSignature(avrdude));
	await session.waiting(() => "writing and reading back", writeImage(avrdude, file));
	const runs = await session.waiting(() => "waiting for the new program's hello", confirmImage(port, manifest));
	if (session.json) session.print({ ...plan, written: true });
	else session.say(`written to ${port} and read back; the board says that it runs ${runs}. It is off, and unrehearsed`);
	return 0;
};
