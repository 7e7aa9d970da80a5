// What a node remembers of commands and cores, so that nothing runs twice and no deposed core is obeyed; everything else is forgotten in a known order.
import type { ActionCommand, ActionReceipt } from "../../contracts/gen/types.ts";

export type Receipt = ActionReceipt;
export type CommandArgs = ActionCommand["args"];

/** A command that this node accepted, with what came of it once that is known. */
export interface Known {
	readonly command: string;
	readonly seq: number;
	readonly action: string;
	readonly args: CommandArgs;
	/** Absent while it is under way, or when the node died in between. */
	readonly receipt?: Receipt;
}

export interface Marks {
	/** Highest term of a core that was heard. */
	readonly coreTerm: { readonly counter: number; readonly keyId: string } | undefined;
	/** Highest seq of a command that was accepted. */
	readonly seq: number;
	/** Session counter at which this memory began: of commands before it nothing is known. */
	readonly bornCounter: number;
	/** Of commands up to this seq nothing may be known any more. */
	readonly forgottenSeq: number;
	readonly known: readonly Known[];
}

export const KNOWN_MAX = 512;

export const freshMarks = (bornCounter: number): Marks => ({ coreTerm: undefined, seq: 0, bornCounter, forgottenSeq: 0, known: [] });

/** What is written to the command journal, one record each, in this order of a command's life. */
export type MarkEntry =
	| { readonly kind: "born"; readonly counter: number }
	| { readonly kind: "term"; readonly counter: number; readonly keyId: string }
	| { readonly kind: "intent"; readonly command: string; readonly seq: number; readonly action: string; readonly args: CommandArgs }
	| { readonly kind: "receipt"; readonly receipt: Receipt }
	/** The receipt is in the outbox: a restart need not send it again. */
	| { readonly kind: "told"; readonly command: string }
	/** Everything before it in one record, so that older records can go. */
	| { readonly kind: "marks"; readonly marks: Marks };

/** Forgets the oldest that are finished; one that is under way is never forgotten. */
const bounded = (marks: Marks): Marks => {
	if (marks.known.length <= KNOWN_MAX) return marks;
	const oldest = marks.known.find(({ receipt }) => receipt !== undefined);
	if (oldest === undefined) return marks;
	return { ...marks, forgottenSeq: Math.max(marks.forgottenSeq, oldest.seq), known: marks.known.filter((known) => known !== oldest) };
};

/** The same fold at run time and when the journal is read again. */
export const foldMarks = (marks: Marks, entry: MarkEntry): Marks => {
	switch (entry.kind) {
		case "born":
			return { ...marks, bornCounter: entry.counter };
		case "term":
			return { ...marks, coreTerm: { counter: entry.counter, keyId: entry.keyId } };
		case "intent": {
			const { command, seq, action, args } = entry;
			return bounded({ ...marks, seq: Math.max(marks.seq, seq), known: [...marks.known, { command, seq, action, args }] });
		}
		case "receipt":
			return { ...marks, known: marks.known.map((known) => (known.command === entry.receipt.command ? { ...known, receipt: entry.receipt } : known)) };
		case "told":
			return marks;
		case "marks":
			return entry.marks;
	}
};
