// Small records for tests of the log, which carry their own key as an envelope does.
import type { Lane } from "../../contracts/envelope.ts";
import type { Entry, EntryKey, Gap, Log, StoredRecord } from "../../log/port.ts";
import { openSegments, type SegmentsLog, type SegmentsOptions } from "../../log/segments.ts";
import type { FakeFiles } from "./files.ts";

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

export const text = (bytes: Uint8Array): string => DECODER.decode(bytes);
export const bytesOf = (said: string): Uint8Array => ENCODER.encode(said);

/** Without a key. */
export const plain = (said: string): Entry => ({ bytes: bytesOf(said) });

/** "lane source session lane seq | what it says" */
export const numbered = (seq: number, says = `message ${seq}`, session = "1.a", lane: Lane = "event", source = "/nodes/a"): Entry => ({
	bytes: bytesOf(`lane ${source} ${session} ${lane} ${seq} | ${says}`),
	key: { kind: "lane", source, session, lane, seq },
});

/** "id source id | what it says" */
export const named = (id: string, says = `message ${id}`, source = "/nodes/a.script"): Entry => ({
	bytes: bytesOf(`id ${source} ${id} | ${says}`),
	key: { kind: "id", source, id },
});

/** The record that accounts for a gap. */
export const gapFact = ({ source, session, lane, fromSeq, toSeq }: Gap): Entry => plain(`gap ${source} ${session} ${lane} ${fromSeq} ${toSeq}`);

export const keyOf = (record: Uint8Array): EntryKey | undefined => {
	const [kind, source = "", third = "", lane, seq] = text(record).split(" ");
	if (kind === "lane") return { kind: "lane", source, session: third, lane: lane as Lane, seq: Number(seq) };
	return kind === "id" ? { kind: "id", source, id: third } : undefined;
};

export const gapOf = (record: Uint8Array): Gap | undefined => {
	const [kind, source = "", session = "", lane, fromSeq, toSeq] = text(record).split(" ");
	return kind === "gap" ? { source, session, lane: lane as Lane, fromSeq: Number(fromSeq), toSeq: Number(toSeq) } : undefined;
};

export const FOLDER = "/log";
export const MESH = "mesh-1";

const unexpected = (error: unknown): void => {
	throw error;
};

/** A log on a fake disk, with small segments if wanted. */
export const openFake = (files: FakeFiles, options: Partial<SegmentsOptions> = {}): Promise<SegmentsLog> =>
	openSegments({ files, folder: FOLDER, mesh: MESH, keyOf, gapOf, onFatal: unexpected, ...options });

/** Every record, page by page. */
export const readAll = async (log: Log, pageRecords = 7): Promise<readonly StoredRecord[]> => {
	const records: StoredRecord[] = [];
	for (let from = log.first(); ; ) {
		const page = await log.read(from, pageRecords);
		records.push(...page);
		const last = page.at(-1);
		if (last === undefined) return records;
		from = last.position + 1;
	}
};

/** "position text" of every record. */
export const said = async (log: Log): Promise<readonly string[]> => (await readAll(log)).map(({ position, bytes }) => `${position} ${text(bytes)}`);

/** What the outcomes of one batch are, in short. */
export const kinds = async (log: Log, ...entries: readonly Entry[]): Promise<readonly string[]> => (await log.append(entries)).map(({ kind }) => kind);

/** The code of the fault that something is refused with. */
export const codeOf = async (attempt: Promise<unknown>): Promise<string> => {
	try {
		await attempt;
		return "nothing was refused";
	} catch (error) {
		const fault = (error as { fault?: { code?: string } }).fault;
		return fault?.code ?? `no code: ${String(error)}`;
	}
};
