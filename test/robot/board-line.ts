// Connects a driver to a virtual leg board in the board's own time: nothing passes unless the board runs.

import type { Instant } from "../../contracts/time.ts";
import { instant } from "../../contracts/time.ts";
import { LineDriver, type LineEnds } from "../../firmware-bridge/drivers/line-driver.ts";
import { CYCLES_PER_US, VirtualBoard } from "../../firmware-bridge/virtual-board/board.ts";
import { imageUnderTest } from "../firmware-bridge/image.ts";

const CYCLES_PER_MS = CYCLES_PER_US * 1_000;

export class BoardLine {
	readonly board = new VirtualBoard(imageUnderTest().flash);
	/** What passes from host to board: false = the cable is out. */
	isPlugged = true;
	written = 0;
	#ends: LineEnds | undefined;

	constructor() {
		this.board.onByte = (byte) => {
			if (this.isPlugged) this.#ends?.onBytes(Uint8Array.of(byte));
		};
	}

	now = (): Instant => instant(this.board.cycles / CYCLES_PER_MS);

	runMs(ms: number): void {
		this.board.run(ms * 1_000);
	}

	/** Pulses as they come out of the chips, in the line's order; all 0 while outputs are off. */
	pulsesUs(channels: readonly number[]): readonly number[] {
		return channels.map((channel) => (this.board.outputsOn ? (this.board.chips.get(channel < 16 ? 0x41 : 0x40)?.pulsesUs()[channel % 16] ?? 0) : 0));
	}

	lastPulseChangeMs(): number {
		const last = this.board.events.findLast((event) => event.kind === "pulses");
		return (last?.atCycles ?? 0) / CYCLES_PER_MS;
	}

	driver(terms: { readonly firmware: string | undefined } = { firmware: undefined }, leaseMs = 200, freezeMs = 2_000): Promise<LineDriver> {
		return LineDriver.open({
			board: "leg-board",
			simulated: false,
			terms,
			leaseMs,
			freezeMs,
			now: this.now,
			open: (ends) => {
				this.#ends = ends;
				return Promise.resolve({
					write: (bytes) => {
						this.written += 1;
						if (this.isPlugged) this.board.receive(bytes);
					},
					close: () => Promise.resolve(),
				});
			},
		});
	}

	/** The line breaks so that the host sees it. */
	hangUp(): void {
		this.#ends?.onClosed();
	}
}

export const BEAT_MS = 20;

/** A control loop at 50 Hz for this long. */
export const beat = (line: BoardLine, driver: LineDriver, forMs: number, pulsesUs?: (tick: number) => readonly number[]): void => {
	for (let tick = 0; tick < forMs / BEAT_MS; tick++) {
		driver.beat(line.now());
		if (pulsesUs !== undefined) driver.writePose(pulsesUs(tick), line.now());
		line.runMs(BEAT_MS);
	}
};
