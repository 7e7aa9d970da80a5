// Connects a test to the leg board's image in simavr, an emulator that was made by others than the one the rest is tested with.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { peer } from "../../build/peers.mjs";
import { decodeBoard, encodeHost, FrameReader } from "../../firmware-bridge/frames.ts";
import type { BoardFrame, HostFrame } from "../../firmware-bridge/words.ts";
import { removeFolder } from "../support/remove-folder.ts";

const SOURCE = fileURLToPath(new URL("./simavr.c", import.meta.url));
const FLAGS = ["-std=gnu11", "-O2", "-Wall", "-Wextra"];

type Body = HostFrame extends infer F ? (F extends HostFrame ? Omit<F, "seq"> : never) : never;

/** The outputs-enable line, driven low = on; driven high, or left to its pull-up = off. */
export interface LineEvent {
	readonly atCycles: number;
	readonly level: "high" | "low" | "float";
}

/** Where headers and libraries of simavr are, and how a program finds the latter when it runs. */
const simavr = () => {
	const { command: header, env } = peer("libsimavr-dev");
	const libraries = join(dirname(header), "../../lib");
	const machine = readdirSync(libraries).find((name) => name.includes("-linux-gnu")) ?? "";
	return { headers: dirname(header), libraries: join(libraries, machine), env };
};

export interface SimavrProgram {
	readonly command: string;
	readonly env: NodeJS.ProcessEnv;
	remove(): void;
}

export const buildSimavr = (flash: Uint16Array): SimavrProgram => {
	const { headers, libraries, env } = simavr();
	const folder = mkdtempSync(join(tmpdir(), "orion-simavr-"));
	const command = join(folder, "simavr-board");
	// Its own library is all that it needs to be linked; what that one needs is found when it runs.
	execFileSync("cc", [...FLAGS, `-I${headers}`, SOURCE, "-o", command, `-L${libraries}`, "-l:libsimavr.so.2", "-Wl,--allow-shlib-undefined"], {
		stdio: "pipe",
	});
	writeFileSync(join(folder, "flash.bin"), new Uint8Array(flash.buffer, flash.byteOffset, flash.byteLength));
	return { command, env, remove: () => removeFolder(folder) };
};

export class SimavrBoard {
	readonly line: LineEvent[] = [];
	readonly heard: BoardFrame[] = [];
	cycles = 0;
	readonly #child: ChildProcess;
	readonly #words: Interface;
	readonly #reader = new FrameReader(decodeBoard);
	#done: (() => void) | undefined;
	#ended: string | undefined;
	#seq = 0;

	constructor({ command, env }: SimavrProgram) {
		const child = spawn(command, [join(dirname(command), "flash.bin")], { env, stdio: ["pipe", "pipe", "inherit"] });
		this.#child = child;
		this.#words = createInterface({ input: child.stdout });
		this.#words.on("line", (line) => this.#take(line));
		const end = (why: string): void => {
			this.#ended = why;
			this.#done?.();
		};
		child.once("error", (error) => end(error.message));
		child.once("close", (code, signal) => end(`simavr ended with ${code ?? signal}`));
		child.stdin.on("error", () => undefined);
	}

	#take(line: string): void {
		const [word, ...rest] = line.split(" ");
		if (word === "line") this.line.push({ atCycles: Number(rest[0]), level: rest[1] as LineEvent["level"] });
		else if (word === "byte") {
			for (const found of this.#reader.push(Uint8Array.of(Number.parseInt(rest[0] ?? "", 16)))) if (found.kind === "frame") this.heard.push(found.frame);
		} else if (word === "done") {
			this.cycles = Number(rest[0]);
			this.#done?.();
		}
	}

	async #order(text: string): Promise<void> {
		const done = new Promise<void>((resolve) => {
			this.#done = resolve;
		});
		if (this.#ended === undefined) this.#child.stdin?.write(`${text}\n`);
		if (this.#ended === undefined) await done;
		if (this.#ended !== undefined) throw new Error(this.#ended);
	}

	run(us: number): Promise<void> {
		return this.#order(`run ${us}`);
	}

	step(instructions: number): Promise<void> {
		return this.#order(`step ${instructions}`);
	}

	/** The supply sags and comes back: registers are gone, memory is as it was, and the board starts with that as its cause. */
	sag(): Promise<void> {
		return this.#order("sag");
	}

	/** Switched off and on. */
	power(): Promise<void> {
		return this.#order("power");
	}

	async say(body: Body): Promise<void> {
		this.#seq++;
		await this.#order(`say ${Buffer.from(encodeHost({ ...body, seq: this.#seq } as HostFrame)).toString("hex")}`);
	}

	/** Runs until such a frame is heard, at most this long in the board's time. */
	async hear<K extends BoardFrame["kind"]>(kind: K, withinMs: number): Promise<Extract<BoardFrame, { kind: K }>> {
		const from = this.heard.length;
		for (let waitedMs = 0; waitedMs < withinMs; waitedMs++) {
			const found = this.heard.slice(from).find((frame) => frame.kind === kind);
			if (found !== undefined) return found as Extract<BoardFrame, { kind: K }>;
			await this.run(1_000);
		}
		throw new Error(`no ${kind} within ${withinMs} ms of the board's time, but ${JSON.stringify(this.heard.slice(from))}`);
	}

	async end(): Promise<void> {
		const closed = this.#ended === undefined ? once(this.#child, "close") : Promise.resolve();
		this.#child.stdin?.end();
		await closed;
		this.#words.close();
	}
}
