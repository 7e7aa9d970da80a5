// Connects the tests to the leg board's image: the committed one, or, when its sources were changed, one built from them as they are.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { flashOf } from "../../firmware-bridge/intel-hex.ts";
import { removeFolder } from "../support/remove-folder.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FIRMWARE = join(ROOT, "firmware-bridge/firmware");

interface Manifest {
	readonly compiler: string;
	readonly sources: readonly string[];
	readonly sourceSha256: string;
	readonly hexSha256: string;
	readonly flashBytes: number;
	readonly symbols: { readonly turn: number; readonly legs: number };
}

export interface Image {
	readonly hex: string;
	readonly manifest: Manifest;
	readonly flash: Uint16Array;
}

const readImage = (folder: string): Image => {
	const hex = readFileSync(join(folder, "leg-board.hex"), "utf8");
	const flash = flashOf(hex);
	if (!flash.ok) throw new Error(JSON.stringify(flash.fault));
	return { hex, manifest: JSON.parse(readFileSync(join(folder, "leg-board.json"), "utf8")) as Manifest, flash: flash.value };
};

export const committedImage = (): Image => readImage(join(FIRMWARE, "leg-board"));

export const sourcesNow = (): readonly string[] =>
	["leg-board", "shared"].flatMap((folder) =>
		readdirSync(join(FIRMWARE, folder))
			.filter((file) => /\.[ch]$/.test(file))
			.sort()
			.map((file) => `${folder}/${file}`),
	);

export const sourceHashNow = (): string => {
	const hash = createHash("sha256");
	for (const file of sourcesNow())
		hash
			.update(`${file}\0`)
			.update(readFileSync(join(FIRMWARE, file)))
			.update("\0");
	return hash.digest("hex");
};

export const imageUnderTest = (): Image => {
	const committed = committedImage();
	if (committed.manifest.sourceSha256 === sourceHashNow()) return committed;
	const folder = mkdtempSync(join(tmpdir(), "orion-image-"));
	try {
		execFileSync(process.execPath, [join(ROOT, "build/avr.mjs"), "--out", folder], { stdio: ["ignore", "ignore", "inherit"] });
		return readImage(folder);
	} finally {
		removeFolder(folder);
	}
};
