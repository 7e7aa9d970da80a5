// Decides in which order a log is folded: each input with the outputs that were recorded for it, although later inputs may stand between them.
import { isOutput, type Recorded } from "../record.ts";

export interface Chapter {
	readonly input: Recorded;
	/** What was recorded for this input, in order. */
	readonly outputs: readonly Recorded[];
	/** False: folded without acting, because a core ended before it decided on it. */
	readonly decided: boolean;
}

/**
 * Takes records in log order and gives chapters in the order in which they were decided.
 * The outputs of an input are one atomic batch that names its position, so an output tells that every input before that position is done.
 */
export class History {
	readonly #waiting: Recorded[] = [];
	#open: { input: Recorded; outputs: Recorded[] } | undefined;
	#decidedUpTo: number;

	/** `decidedUpTo`: outputs of inputs up to here are in the state already (a snapshot's); their records are passed over. */
	constructor(decidedUpTo = 0) {
		this.#decidedUpTo = decidedUpTo;
	}

	/** Position of the newest input that was decided on. */
	get decidedUpTo(): number {
		return this.#decidedUpTo;
	}

	push(record: Recorded): readonly Chapter[] {
		return isOutput(record.envelope) ? this.#pushOutput(record) : this.#pushInput(record);
	}

	/** The end of the log: what was decided, and the inputs that still wait for a decision. */
	finish(): { readonly chapters: readonly Chapter[]; readonly waiting: readonly Recorded[] } {
		return { chapters: this.#closeOpen(), waiting: this.#waiting.splice(0) };
	}

	#pushInput(record: Recorded): readonly Chapter[] {
		const chapters = [...this.#closeOpen()];
		if (record.envelope.type === "dev.orion.engine.started.v1") {
			// A core began here: what the one before had not decided on was folded without acting.
			for (const input of this.#waiting.splice(0)) chapters.push({ input, outputs: [], decided: input.position <= this.#decidedUpTo });
		}
		this.#waiting.push(record);
		return chapters;
	}

	#pushOutput(record: Recorded): readonly Chapter[] {
		const cause = record.envelope.causeposition ?? 0;
		if (this.#open?.input.position === cause) {
			this.#open.outputs.push(record);
			return [];
		}
		if (cause <= this.#decidedUpTo && this.#waiting[0]?.position !== cause && !this.#waiting.some((input) => input.position === cause)) return [];
		const chapters = [...this.#closeOpen()];
		while (this.#waiting[0] !== undefined && this.#waiting[0].position < cause) {
			const input = this.#waiting.shift();
			if (input !== undefined) chapters.push({ input, outputs: [], decided: true });
		}
		const input = this.#waiting.shift();
		if (input !== undefined) this.#open = { input, outputs: [record] };
		this.#decidedUpTo = Math.max(this.#decidedUpTo, cause);
		return chapters;
	}

	#closeOpen(): readonly Chapter[] {
		const open = this.#open;
		this.#open = undefined;
		return open === undefined ? [] : [{ ...open, decided: true }];
	}
}
