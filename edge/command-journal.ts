// Connects the memory of commands to disk: what is about to happen is durable before it happens, what came of it is durable before it is told.
import { checkContract } from "../contracts/envelope.ts";
import { OrionError } from "../contracts/errors.ts";
import type { Log } from "../log/port.ts";
import { foldMarks, freshMarks, type Known, type MarkEntry, type Marks, type Receipt } from "./machines/marks.ts";

/** Records after which the memory is written whole, so that older ones can go. */
const WHOLE_EVERY = 2_000;
const PAGE_RECORDS = 256;

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);
const isCount = (value: unknown): value is number => typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
const isScalars = (value: unknown): value is Readonly<Record<string, string | number | boolean>> =>
	isFields(value) && Object.values(value).every((inner) => ["string", "number", "boolean"].includes(typeof inner));

const isKnown = (value: unknown): value is Known =>
	isFields(value) &&
	typeof value["command"] === "string" &&
	isCount(value["seq"]) &&
	typeof value["action"] === "string" &&
	isScalars(value["args"]) &&
	(value["receipt"] === undefined || checkContract("action.receipt", value["receipt"]).ok);

const isTerm = (value: unknown): value is NonNullable<Marks["coreTerm"]> => isFields(value) && isCount(value["counter"]) && typeof value["keyId"] === "string";

const isMarks = (value: unknown): value is Marks => {
	if (!isFields(value) || !Array.isArray(value["known"])) return false;
	const { coreTerm, seq, bornCounter, forgottenSeq, known } = value;
	return (coreTerm === undefined || isTerm(coreTerm)) && isCount(seq) && isCount(bornCounter) && isCount(forgottenSeq) && known.every(isKnown);
};

const isEntry = (value: unknown): value is MarkEntry => {
	if (!isFields(value)) return false;
	switch (value["kind"]) {
		case "born":
			return isCount(value["counter"]);
		case "term":
			return isTerm(value);
		case "intent":
			return isKnown(value);
		case "receipt":
			return checkContract("action.receipt", value["receipt"]).ok;
		case "told":
			return typeof value["command"] === "string";
		case "marks":
			return isMarks(value["marks"]);
		default:
			return false;
	}
};

const parseEntry = (position: number, bytes: Uint8Array): MarkEntry => {
	const text = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8")) as unknown;
	if (!isEntry(text)) throw new OrionError("RECORD_DAMAGED", { file: "commands", offset: position });
	return text;
};

export class CommandJournal {
	readonly #log: Log;
	readonly #sweep: () => Promise<void>;
	#marks: Marks = freshMarks(0);
	readonly #untold = new Set<string>();
	#sinceWhole = 0;
	#writing: Promise<void> = Promise.resolve();

	private constructor(log: Log, sweep: () => Promise<void>) {
		this.#log = log;
		this.#sweep = sweep;
	}

	/** A journal that begins now knows nothing of commands of sessions before `counter`. */
	static async open(log: Log, counter: number, sweep: () => Promise<void>): Promise<CommandJournal> {
		const journal = new CommandJournal(log, sweep);
		let from = log.first();
		let found = false;
		for (;;) {
			const page = await log.read(from, PAGE_RECORDS);
			for (const { position, bytes } of page) {
				journal.#fold(parseEntry(position, bytes));
				found = true;
				from = position + 1;
			}
			if (page.length === 0) break;
		}
		if (!found) await journal.write({ kind: "born", counter });
		return journal;
	}

	get marks(): Marks {
		return this.#marks;
	}

	/** Commands whose effect may or may not have happened when the agent died. */
	unfinished(): readonly Known[] {
		return this.#marks.known.filter(({ receipt }) => receipt === undefined);
	}

	/** Receipts that may never have reached the outbox. */
	untold(): readonly Receipt[] {
		return this.#marks.known.flatMap(({ command, receipt }) => (receipt !== undefined && this.#untold.has(command) ? [receipt] : []));
	}

	/** Durable when it resolves; only then is it so. One after the other, so that the whole is never older than its parts. Rejects with OrionError: DISK_FULL. */
	write(entry: MarkEntry): Promise<void> {
		const written = this.#writing.then(() => this.#write(entry));
		this.#writing = written.catch(() => undefined);
		return written;
	}

	async #write(entry: MarkEntry): Promise<void> {
		await this.#log.append([{ bytes: Buffer.from(JSON.stringify(entry)) }]);
		this.#fold(entry);
		if (this.#sinceWhole >= WHOLE_EVERY) await this.#writeWhole();
	}

	async close(): Promise<void> {
		await this.#writing;
		await this.#log.close();
	}

	#fold(entry: MarkEntry): void {
		this.#marks = foldMarks(this.#marks, entry);
		this.#sinceWhole += 1;
		if (entry.kind === "receipt") this.#untold.add(entry.receipt.command);
		if (entry.kind === "told") this.#untold.delete(entry.command);
	}

	/** The memory in one record; the receipts that are not told follow again, because the record does not say that. */
	async #writeWhole(): Promise<void> {
		this.#sinceWhole = 0;
		const untold = this.untold().map((receipt) => ({ kind: "receipt", receipt }) as const);
		const batch: readonly MarkEntry[] = [{ kind: "marks", marks: this.#marks }, ...untold];
		const [whole] = await this.#log.append(batch.map((entry) => ({ bytes: Buffer.from(JSON.stringify(entry)) })));
		if (whole?.kind !== "stored") return;
		if ((await this.#log.archive(whole.position - 1)) > 0) await this.#sweep();
	}
}
