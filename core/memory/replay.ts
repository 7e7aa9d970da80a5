// Decides whether a log says what today's engine would say: the same records give the same outputs, byte for byte, or the first difference is named.
import { type Envelope, encodeEnvelope } from "../../contracts/envelope.ts";
import { fold, step } from "../engine.ts";
import type { Recorded } from "../record.ts";
import { type EngineState, emptyState } from "../state.ts";
import { type Chapter, History } from "./history.ts";

export interface RawRecord extends Recorded {
	readonly bytes: Uint8Array;
}

export interface Divergence {
	/** Position of the input that is answered otherwise. */
	readonly position: number;
	/** Which of its outputs, from 0. */
	readonly index: number;
	readonly recorded: Envelope | undefined;
	readonly replayed: Envelope | undefined;
	/** First byte that differs; -1 where one of the two is missing. */
	readonly byte: number;
	/** The version of the code that recorded it. */
	readonly recordedBy: string;
}

const firstDifference = (left: Uint8Array, right: Uint8Array): number => {
	const length = Math.min(left.length, right.length);
	for (let index = 0; index < length; index++) if (left[index] !== right[index]) return index;
	return left.length === right.length ? -1 : length;
};

/** Runs a log again. Feed it every record from the first one on, in order. */
export class Replay {
	readonly #history = new History();
	readonly #bytesOf = new Map<number, Uint8Array>();
	#state: EngineState;
	#code = "";
	#inputs = 0;
	#outputs = 0;
	#divergence: Divergence | undefined;

	constructor(mesh: string) {
		this.#state = emptyState(mesh);
	}

	get state(): EngineState {
		return this.#state;
	}
	get inputs(): number {
		return this.#inputs;
	}
	get outputs(): number {
		return this.#outputs;
	}
	get divergence(): Divergence | undefined {
		return this.#divergence;
	}

	push(record: RawRecord): void {
		if (this.#divergence !== undefined) return;
		if (record.envelope.causeposition !== undefined) this.#bytesOf.set(record.position, record.bytes);
		for (const chapter of this.#history.push(record)) this.#read(chapter);
	}

	/** The end of the log: inputs that no core has decided on yet are folded, as the next start would. */
	finish(): void {
		const { chapters, waiting } = this.#history.finish();
		for (const chapter of chapters) this.#read(chapter);
		for (const input of waiting) this.#read({ input, outputs: [], decided: false });
	}

	#read({ input, outputs, decided }: Chapter): void {
		if (this.#divergence !== undefined) return;
		this.#inputs += 1;
		if (input.envelope.type === "dev.orion.engine.started.v1") this.#code = input.envelope.data.code;
		if (!decided) {
			this.#state = fold(this.#state, input);
			return;
		}
		const replayed = step(this.#state, input);
		for (let index = 0; index < Math.max(outputs.length, replayed.outputs.length); index++)
			this.#compare(input, index, outputs[index], replayed.outputs[index]);
		this.#outputs += outputs.length;
		this.#state = replayed.state;
		for (const output of outputs) this.#bytesOf.delete(output.position);
	}

	#compare(input: Recorded, index: number, recorded: Recorded | undefined, replayed: Envelope | undefined): void {
		if (this.#divergence !== undefined) return;
		const bytes = recorded === undefined ? undefined : this.#bytesOf.get(recorded.position);
		const again = replayed === undefined ? undefined : encodeEnvelope(replayed);
		const byte = bytes === undefined || again === undefined ? -1 : firstDifference(bytes, again);
		if (byte === -1 && bytes !== undefined && again !== undefined) return;
		this.#divergence = { position: input.position, index, recorded: recorded?.envelope, replayed, byte, recordedBy: this.#code };
	}
}
