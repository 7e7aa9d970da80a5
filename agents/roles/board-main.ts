// The process that is an emulated leg board: the shipped image at the pace of the wall clock, a unix socket as its serial line, and a line of JSON for everything that its pins do.
import { readFile } from "node:fs/promises";
import { setPriority } from "node:os";
import { parseArgs } from "node:util";
import { flashOf } from "../../firmware-bridge/intel-hex.ts";
import { readImage } from "../robot/flash.ts";
import { boardMs, PacedBoard } from "./paced-board.ts";

/** As the actuator: a chip shares its processor with nobody. */
const URGENT = -10;

const say = (line: object): void => {
	process.stdout.write(`${JSON.stringify(line)}\n`);
};

const main = async (): Promise<void> => {
	const { socket } = parseArgs({ options: { socket: { type: "string" } } }).values;
	if (socket === undefined) throw new Error("board --socket PATH");
	const { file, manifest } = await readImage();
	const flash = flashOf(await readFile(file, "utf8"));
	if (!flash.ok) throw new Error(String(flash.fault.facts["detail"]));
	const paced = new PacedBoard(flash.value);
	paced.onEvent = ({ kind, atCycles, ...facts }) => say({ event: kind, atMs: boardMs(atCycles), heardMs: paced.heardMs, ...facts });
	await paced.listen(socket);
	try {
		setPriority(URGENT);
	} catch {
		// Only root may; then a busy machine makes its time go slower.
	}
	paced.run();
	// It ends with whoever started it.
	process.stdout.on("error", () => process.exit(0));
	process.stdin.on("end", () => process.exit(0));
	process.stdin.resume();
	say({ event: "ready", firmware: manifest.sourceSha256.slice(0, 16) });
};

main().catch((error: unknown) => {
	process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
	process.exit(1);
});
