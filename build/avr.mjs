// Connects the leg board's sources to its committed image: builds it there or into --out FOLDER, or (--check) builds it again and compares byte for byte.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const FIRMWARE = join(root, "firmware-bridge/firmware");
const CACHE = join(root, ".cache/avr");
/** Another compiler makes other bytes; this one is Debian's since 2017. */
const COMPILER = "5.4.0";
const PACKAGES = ["gcc-avr", "binutils-avr", "avr-libc", "libgmp10", "libmpc3", "libmpfr6"];
const FLAGS = [
	"-mmcu=atmega328p",
	"-DF_CPU=16000000UL",
	"-Os",
	"-std=gnu11",
	"-Wall",
	"-Wextra",
	"-Werror",
	"-ffunction-sections",
	"-fdata-sections",
	"-Wl,--gc-sections",
];
/** What tests look at from outside: where the loop turns, where state is kept. */
const SYMBOLS = ["turn", "legs", "__vector_7"];

export const IMAGE = join(FIRMWARE, "leg-board/leg-board.hex");
export const MANIFEST = join(FIRMWARE, "leg-board/leg-board.json");

/** C files and headers of the leg board, relative to the firmware folder, in a fixed order. */
export const legBoardSources = () =>
	["leg-board", "shared"].flatMap((folder) =>
		readdirSync(join(FIRMWARE, folder))
			.filter((file) => /\.[ch]$/.test(file))
			.sort()
			.map((file) => `${folder}/${file}`),
	);

export const hashOfSources = (files) => {
	const hash = createHash("sha256");
	for (const file of files)
		hash
			.update(`${file}\0`)
			.update(readFileSync(join(FIRMWARE, file)))
			.update("\0");
	return hash.digest("hex");
};

const output = (tool, args, options = {}) => execFileSync(tool, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], ...options });

const usable = (tools) => {
	try {
		return (
			output(tools.gcc, ["-dumpversion"], { env: tools.env }).trim() === COMPILER &&
			output(tools.gcc, ["-mmcu=atmega328p", "-print-file-name=crtatmega328p.o"], { env: tools.env }).trim() !== "crtatmega328p.o"
		);
	} catch {
		return false;
	}
};

const toolsIn = (folder, env) => ({ gcc: join(folder, "avr-gcc"), objcopy: join(folder, "avr-objcopy"), nm: join(folder, "avr-nm"), env });
const libraries = () => ["x86_64-linux-gnu", "aarch64-linux-gnu", "arm-linux-gnueabihf"].map((arch) => join(CACHE, "usr/lib", arch)).join(":");

/** Debian's packages, unpacked beside the repository; nothing is installed and no root is needed. */
const fetchTools = () => {
	mkdirSync(join(root, ".cache"), { recursive: true });
	const staging = mkdtempSync(join(root, ".cache/avr-fetch-"));
	try {
		output("apt-get", ["download", ...PACKAGES], { cwd: staging });
		for (const file of readdirSync(staging).filter((name) => name.endsWith(".deb"))) output("dpkg-deb", ["-x", join(staging, file), join(staging, "root")]);
		rmSync(CACHE, { recursive: true, force: true });
		renameSync(join(staging, "root"), CACHE);
	} catch (error) {
		throw new Error(
			`TOOL_MISSING: avr-gcc ${COMPILER} is not on this machine and could not be fetched (apt-get download ${PACKAGES.join(" ")}): ${error.stderr ?? error.message}`,
		);
	} finally {
		rmSync(staging, { recursive: true, force: true });
	}
};

/** The compiler on the PATH if it is the right one, else the one in .cache, fetched if need be. */
export const avrTools = ({ onlyCache = false } = {}) => {
	const host = toolsIn("/usr/bin", process.env);
	if (!onlyCache && existsSync(host.gcc) && usable(host)) return host;
	const cached = toolsIn(join(CACHE, "usr/bin"), { ...process.env, LD_LIBRARY_PATH: libraries() });
	if (!existsSync(cached.gcc) || !usable(cached)) fetchTools();
	if (!usable(cached)) throw new Error(`TOOL_MISSING: the fetched avr-gcc is not ${COMPILER} or does not run here`);
	return cached;
};

/** Builds the leg board -> { hex, manifest }; works in a temporary folder. */
export const buildLegBoard = (tools = avrTools()) => {
	const sources = legBoardSources();
	const sourceSha256 = hashOfSources(sources);
	const folder = mkdtempSync(join(tmpdir(), "orion-avr-"));
	try {
		const elf = join(folder, "leg-board.elf");
		const bytes = sourceSha256
			.slice(0, 16)
			.match(/../g)
			.map((byte) => `0x${byte}`)
			.join();
		// Paths relative to the firmware folder, so that where the repository stands does not reach the image.
		output(tools.gcc, [...FLAGS, `-DFIRMWARE_HASH=${bytes}`, ...sources.filter((file) => file.endsWith(".c")), "-o", elf], { cwd: FIRMWARE, env: tools.env });
		const hexFile = join(folder, "leg-board.hex");
		output(tools.objcopy, ["-O", "ihex", "-R", ".eeprom", elf, hexFile], { env: tools.env });
		const hex = readFileSync(hexFile, "utf8").replaceAll("\r\n", "\n");
		const table = output(tools.nm, [elf], { env: tools.env });
		const symbols = Object.fromEntries(SYMBOLS.map((name) => [name, Number.parseInt(new RegExp(`^([0-9a-f]+) . ${name}$`, "m").exec(table)[1], 16)]));
		const flashBytes = hex
			.split("\n")
			.filter((line) => line.slice(7, 9) === "00")
			.reduce((sum, line) => sum + Number.parseInt(line.slice(1, 3), 16), 0);
		const manifest = {
			compiler: `avr-gcc ${COMPILER}`,
			flags: FLAGS,
			sources,
			sourceSha256,
			hexSha256: createHash("sha256").update(hex).digest("hex"),
			flashBytes,
			symbols,
		};
		return { hex, manifest };
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const built = buildLegBoard(avrTools({ onlyCache: process.argv.includes("--fetched") }));
	const text = `${JSON.stringify(built.manifest, undefined, "\t")}\n`;
	const out = process.argv.indexOf("--out");
	if (out > 0) {
		writeFileSync(join(process.argv[out + 1], "leg-board.hex"), built.hex);
		writeFileSync(join(process.argv[out + 1], "leg-board.json"), text);
	} else if (process.argv.includes("--check")) {
		const same = existsSync(IMAGE) && readFileSync(IMAGE, "utf8") === built.hex && readFileSync(MANIFEST, "utf8") === text;
		process.stdout.write(
			same
				? `leg-board.hex is what its sources build (${built.manifest.flashBytes} bytes)\n`
				: "leg-board.hex is NOT what its sources build: run `node build/avr.mjs` and commit\n",
		);
		process.exitCode = same ? 0 : 1;
	} else {
		mkdirSync(dirname(IMAGE), { recursive: true });
		writeFileSync(IMAGE, built.hex);
		writeFileSync(MANIFEST, text);
		process.stdout.write(`leg-board.hex: ${built.manifest.flashBytes} bytes, sources ${built.manifest.sourceSha256.slice(0, 16)}\n`);
	}
}
