// Connects a test to a virtual leg board as a host would be: says frames, hears frames, knows its own nonce, tag and seq.
import { decodeBoard, encodeHost, FrameReader } from "../../firmware-bridge/frames.ts";
import { type BoardEvent, CYCLES_PER_US, VirtualBoard } from "../../firmware-bridge/virtual-board/board.ts";
import {
	answerTo,
	type BoardFrame,
	type BoardStatus,
	type HelloFromBoard,
	type HostFrame,
	JOINT_COUNT,
	PROTOCOL_VERSION,
	tagOf,
} from "../../firmware-bridge/words.ts";
import type { Image } from "./image.ts";

type Body = HostFrame extends infer F ? (F extends HostFrame ? Omit<F, "seq"> : never) : never;

export const STATE_OFF = 0;
export const MIDDLE: readonly number[] = new Array<number>(JOINT_COUNT).fill(1_500);
export const ms = (cycles: number): number => cycles / (CYCLES_PER_US * 1_000);

export class BenchBoard {
	readonly board: VirtualBoard;
	readonly heard: BoardFrame[] = [];
	readonly sent: Uint8Array[] = [];
	readonly #image: Image;
	noise = 0;
	seq = 0;
	tag = 0;

	constructor(image: Image, eeprom?: VirtualBoard["eeprom"]) {
		this.#image = image;
		this.board = new VirtualBoard(image.flash, eeprom);
		const reader = new FrameReader(decodeBoard);
		this.board.onByte = (byte) => {
			for (const found of reader.push(Uint8Array.of(byte))) {
				if (found.kind === "frame") this.heard.push(found.frame);
				else this.noise++;
			}
		};
	}

	/** Deadman state as the processor's memory has it. */
	get state(): number {
		return this.board.peek((this.#image.manifest.symbols.legs - 0x800000) & 0xffff);
	}

	/** Puts a frame on the line; returns the cycle at which its last byte is there. */
	say(body: Body, fromCycles?: number): number {
		this.seq++;
		const bytes = encodeHost({ ...body, seq: this.seq } as HostFrame);
		this.sent.push(bytes);
		return this.board.receive(bytes, fromCycles);
	}

	/** Says it and runs until an answer with its seq is heard. */
	ask<K extends BoardFrame["kind"]>(body: Body, kind: K): Extract<BoardFrame, { kind: K }> {
		this.say(body);
		const { seq } = this;
		const from = this.heard.length;
		let answer: BoardFrame | undefined;
		this.board.runUntil(() => {
			answer = this.heard.slice(from).find((frame) => frame.seq === seq);
			return answer !== undefined;
		}, 100_000);
		if (answer?.kind !== kind) throw new Error(`${body.kind} was answered by ${JSON.stringify(answer)}`);
		return answer as Extract<BoardFrame, { kind: K }>;
	}

	hello(): HelloFromBoard {
		return this.ask({ kind: "hello", version: PROTOCOL_VERSION }, "hello");
	}

	status(): BoardStatus {
		return this.ask({ kind: "status" }, "status");
	}

	boot(): HelloFromBoard {
		if (!this.board.runUntil(() => this.heard.some((frame) => frame.kind === "hello"), 300_000)) throw new Error("no hello after boot");
		return this.hello();
	}

	arm(leaseMs: number, freezeMs: number): BoardStatus {
		const { nonce } = this.hello();
		this.tag = tagOf(nonce);
		return this.ask({ kind: "arm", answer: answerTo(nonce), leaseMs, freezeMs }, "status");
	}

	renew(fromCycles?: number): number {
		return this.say({ kind: "renew", tag: this.tag }, fromCycles);
	}

	pose(pulsesUs: readonly number[] = MIDDLE, fromCycles?: number): number {
		return this.say({ kind: "pose", tag: this.tag, pulsesUs }, fromCycles);
	}

	/** Renews and poses every 20 ms like a control loop, for this long; the pose moves a little each time. */
	walk(forMs: number): void {
		for (let tick = 0; tick < forMs / 20; tick++) {
			const from = this.board.cycles;
			this.renew();
			this.pose(MIDDLE.map((pulseUs, joint) => pulseUs + ((tick + joint) % 40) * 5));
			this.board.runTo(from + 20_000 * CYCLES_PER_US);
		}
	}

	of<K extends BoardEvent["kind"]>(kind: K): Extract<BoardEvent, { kind: K }>[] {
		return this.board.events.filter((event): event is Extract<BoardEvent, { kind: K }> => event.kind === kind);
	}
}
