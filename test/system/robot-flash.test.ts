// Shows `orion robot flash` against a program that plays avrdude, and with the real avrdude over a pseudo terminal against a bootloader in front of the emulated board (HARM-129).
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, closeSync, existsSync, mkdtempSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { peer } from "../../build/peers.mjs";
import { BoardFromBootloader } from "../firmware-bridge/bootloader.ts";
import { committedImage } from "../firmware-bridge/image.ts";
import { runOrion, until } from "../support/mesh.ts";
import { removeFolder } from "../support/remove-folder.ts";

let folder = "";
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "orion-flash-"));
});
afterEach(() => removeFolder(folder));

const flash = (port: string, ...more: readonly string[]) => runOrion(["robot", "flash", "--port", port, ...more]);

describe("with a program that plays avrdude", () => {
	/** Notes what it is asked, says what it is told to say, and ends. */
	const played = (said: string, exitCode: number, onWrite = exitCode): string => {
		const file = join(folder, "avrdude");
		const lines = [
			"#!/usr/bin/env node",
			"const asked = process.argv.slice(2);",
			`require("node:fs").appendFileSync(${JSON.stringify(join(folder, "asked"))}, JSON.stringify(asked) + "\\n");`,
			`process.stderr.write(${JSON.stringify(said)});`,
			`process.exit(asked.includes("-U") ? ${onWrite} : ${exitCode});`,
		];
		writeFileSync(file, lines.join("\n"));
		chmodSync(file, 0o755);
		return file;
	};
	const asked = (): readonly (readonly string[])[] =>
		existsSync(join(folder, "asked"))
			? readFileSync(join(folder, "asked"), "utf8")
					.trim()
					.split("\n")
					.map((line) => JSON.parse(line) as readonly string[])
			: [];
	const COMMON = ["-p", "m328p", "-c", "arduino", "-P", "/dev/none", "-b"];

	test("a dry run opens nothing and says what it would run; without --yes and a terminal nothing is asked of the board", async () => {
		const avrdude = played("", 0);
		const dry = await flash("/dev/none", "--avrdude", avrdude, "--dry-run", "--json");
		expect(dry.code).toBe(0);
		const { schema, written, bytes, commands, file } = JSON.parse(dry.out) as Record<string, unknown>;
		expect({ schema, written, bytes }).toEqual({ schema: "orion.robot-flash/1", written: false, bytes: committedImage().manifest.flashBytes });
		expect(commands).toEqual([
			[avrdude, ...COMMON, "115200", "-F", "-n"],
			[avrdude, ...COMMON, "115200", "-D", "-U", `flash:w:${file}:i`],
		]);
		expect((await flash("/dev/none", "--avrdude", avrdude)).code).toBe(2);
		expect(asked()).toEqual([]);
	});

	test("another chip: refused with exit 5, and nothing is written", async () => {
		const { code, err } = await flash("/dev/none", "--baud", "57600", "--yes", "--avrdude", played("Device signature = 0x1e9801\n", 0));
		expect(code).toBe(5);
		expect(err).toContain("wrong-signature");
		expect(asked()).toEqual([[...COMMON, "57600", "-F", "-n"]]);
	});

	test("what was written is not what is read back: exit 8, with avrdude's own words", async () => {
		const said = "Device signature = 0x1e950f\nverification error, first mismatch at byte 0x0000\n";
		const { code, err } = await flash("/dev/none", "--yes", "--avrdude", played(said, 0, 1));
		expect(code).toBe(8);
		expect(err).toContain("first mismatch at byte 0x0000");
		expect(asked().map((words) => words.includes("-U"))).toEqual([false, true]);
	});

	test("an image that is not what its manifest says, and no avrdude at all: exit 1, and nothing is asked", async () => {
		const { hex, manifest } = committedImage();
		writeFileSync(join(folder, "leg-board.hex"), hex.toLowerCase());
		writeFileSync(join(folder, "leg-board.json"), JSON.stringify(manifest));
		const forged = await flash("/dev/none", "--yes", "--avrdude", played("", 0), "--image", folder);
		expect(forged.code).toBe(1);
		expect(forged.err).toContain("not a firmware image");
		const none = await flash("/dev/none", "--yes", "--avrdude", join(folder, "no-such-program"));
		expect(none.code).toBe(1);
		expect(none.err).toContain("apt-get install avrdude");
		expect(asked()).toEqual([]);
	});
});

describe("with the real avrdude, over a pseudo terminal", () => {
	let cable: ChildProcess;
	let held = -1;
	let board: BoardFromBootloader;
	let port = "";
	const plugIn = async (found: BoardFromBootloader): Promise<void> => {
		board = found;
		port = join(folder, "port");
		await board.listen(join(folder, "board"));
		const { command, env } = peer("socat");
		cable = spawn(command, [`PTY,link=${port},raw,echo=0`, `UNIX-CONNECT:${join(folder, "board")}`], { env, stdio: "ignore" });
		await until("the port is there", () => (existsSync(port) ? true : undefined));
		// Held open, so that the cable stays while one program after the other opens it.
		held = openSync(port, "r+");
	};
	afterEach(async () => {
		closeSync(held);
		cable.kill("SIGKILL");
		await board.close();
	});
	const avrdude = (): readonly string[] => {
		const { command } = peer("avrdude");
		const file = join(folder, "run-avrdude");
		const { LD_LIBRARY_PATH = "" } = peer("avrdude").env;
		writeFileSync(file, `#!/bin/sh\nLD_LIBRARY_PATH='${LD_LIBRARY_PATH}' exec '${command}' "$@"\n`);
		chmodSync(file, 0o755);
		const conf = join(command, "../../../etc/avrdude.conf");
		return ["--avrdude", file, ...(existsSync(conf) ? ["--avrdude-conf", conf] : [])];
	};

	test("written, read back, and the board's own program says which firmware it is", async () => {
		await plugIn(new BoardFromBootloader());
		const { code, out, err } = await flash(port, "--yes", "--json", ...avrdude());
		expect(code, err).toBe(0);
		const { manifest, flash: words } = committedImage();
		expect(JSON.parse(out)).toMatchObject({ written: true, firmware: manifest.sourceSha256.slice(0, 16) });
		expect([...board.flash.subarray(0, manifest.flashBytes)]).toEqual([...new Uint8Array(words.buffer).subarray(0, manifest.flashBytes)]);
		expect(board.board?.outputsOn).toBe(false);
	});

	test("another chip is refused before a page is written", async () => {
		await plugIn(new BoardFromBootloader([0x1e, 0x98, 0x01]));
		const other = await flash(port, "--yes", ...avrdude());
		expect(other.code).toBe(5);
		expect(other.err).toContain("1e9801");
		expect(board.written).toBe(0);
	});

	test("a page that does not hold what was written is found by reading back", async () => {
		await plugIn(new BoardFromBootloader());
		board.isBroken = true;
		const { code, err } = await flash(port, "--yes", ...avrdude());
		expect(code, err).toBe(8);
		expect(board.written).toBeGreaterThan(0);
	});
});
