// Decides what the memory of what was stored looks like on disk, so that a start need not parse every record again.
import type { Lane } from "../contracts/envelope.ts";
import { crc32c } from "./crc32c.ts";
import { Dedup } from "./dedup.ts";
import { putU32, putU64, u32, u64 } from "./frame.ts";
import { type Generation, IdWindow } from "./id-window.ts";
import { LaneWindow } from "./lane-window.ts";
import type { PastMarks } from "./past-sessions.ts";
import type { Gap } from "./port.ts";

/** [magic][crc32c u32 over everything after it][position u64][json length u32][json][numbers, f64 each] */
const MAGIC = "ORIONDUP";
const FORMAT = 2;
/** Written before sessions that were let go were remembered. */
const FORMAT_WITHOUT_PAST = 1;
const CRC_AT = 8;
const POSITION_AT = 12;
const JSON_LENGTH_AT = 20;
const JSON_AT = 24;

interface LaneRow {
	readonly source: string;
	readonly session: string;
	readonly lane: Lane;
	readonly contiguous: number;
	readonly highest: number;
	readonly above: readonly number[];
	readonly forced: readonly number[];
	readonly coarse: readonly number[];
	/** How many of the numbers are this lane's. */
	readonly numbers: number;
}
interface IdRow {
	readonly source: string;
	readonly ids: readonly string[];
}
interface Outline {
	readonly format: number;
	readonly lanes: readonly LaneRow[];
	/** Source, session, and up to where each of its lanes is stored. Absent in format 1. */
	readonly past?: readonly (readonly [string, string, PastMarks])[];
	readonly ids: readonly IdRow[];
	readonly orphans: readonly Gap[];
}

/** Ids at a time, and bytes: a fraction of a millisecond. */
const PAGE_IDS = 1_024;
const PAGE_BYTES = 262_144;

const ENCODER = new TextEncoder();

/** Lets others have their turn: a flood of ids makes a copy of many megabytes, and nobody's message may wait for that. */
export type GiveWay = () => Promise<void>;

interface Parts {
	readonly texts: Uint8Array[];
	readonly numbers: Float64Array[];
}

const putIds = async ({ texts, numbers }: Parts, generations: readonly Generation[], giveWay: GiveWay): Promise<void> => {
	let separator = "";
	for (const { digests, count } of generations) {
		let left = count;
		let page: [string, number][] = [];
		for (const entry of digests) {
			if (left === 0) break;
			left -= 1;
			page.push(entry);
			if (page.length < PAGE_IDS && left > 0) continue;
			texts.push(ENCODER.encode(separator + JSON.stringify(page.map(([id]) => id)).slice(1, -1)));
			numbers.push(Float64Array.from(page, ([, digest]) => digest));
			separator = ",";
			page = [];
			if (left > 0) await giveWay();
		}
	}
};

/** Everything that is remembered of the records up to `position` when it is called, whatever comes while it is written down. */
export const encodeDedup = async (dedup: Dedup, position: number, giveWay: GiveWay): Promise<Uint8Array> => {
	const parts: Parts = { texts: [], numbers: [] };
	const say = (text: string): unknown => parts.texts.push(ENCODER.encode(text));
	const lanes: LaneRow[] = [];
	const contents = dedup.contents();
	const past: (readonly [string, string, PastMarks])[] = [];
	for (const [source, { sessions, past: gone }] of contents.lanes) {
		for (const [session, marks] of gone.entries()) past.push([source, session, marks]);
		for (const [session, windows] of sessions) {
			for (const [lane, window] of windows) {
				const { digests, ...marks } = window.snapshot();
				lanes.push({ source, session, lane, ...marks, numbers: digests.length });
				parts.numbers.push(digests);
			}
		}
	}
	const ids = [...contents.ids].map(([source, window]) => ({ source, generations: window.generations() }));
	const { orphans } = contents;
	const head: Omit<Outline, "ids" | "orphans"> = { format: FORMAT, lanes, past };
	say(`${JSON.stringify(head).slice(0, -1)},"ids":[`);
	for (const [index, { source, generations }] of ids.entries()) {
		say(`${index === 0 ? "" : ","}{"source":${JSON.stringify(source)},"ids":[`);
		await putIds(parts, generations, giveWay);
		say("]}");
	}
	say(`],"orphans":${JSON.stringify(orphans)}}`);
	return assemble(position, parts, giveWay);
};

const assemble = async (position: number, { texts, numbers }: Parts, giveWay: GiveWay): Promise<Uint8Array> => {
	const blocks = [...texts, ...numbers.map((block) => new Uint8Array(block.buffer, block.byteOffset, block.byteLength))];
	const bytes = new Uint8Array(JSON_AT + blocks.reduce((sum, { length }) => sum + length, 0));
	bytes.set(ENCODER.encode(MAGIC));
	putU64(bytes, POSITION_AT, position);
	putU32(
		bytes,
		JSON_LENGTH_AT,
		texts.reduce((sum, { length }) => sum + length, 0),
	);
	let at = JSON_AT;
	for (const block of blocks) {
		bytes.set(block, at);
		at += block.length;
	}
	let crc = 0;
	for (let from = POSITION_AT; from < bytes.length; from += PAGE_BYTES) {
		const to = Math.min(bytes.length, from + PAGE_BYTES);
		crc = crc32c(bytes, from, to, crc);
		if (to < bytes.length) await giveWay();
	}
	putU32(bytes, CRC_AT, crc);
	return bytes;
};

/** undefined: damaged, or of another format; the records themselves are read instead. */
export const decodeDedup = (bytes: Uint8Array, nowMs: number): { readonly dedup: Dedup; readonly position: number } | undefined => {
	const isWhole = bytes.length >= JSON_AT && new TextDecoder().decode(bytes.subarray(0, CRC_AT)) === MAGIC && crc32c(bytes, POSITION_AT) === u32(bytes, CRC_AT);
	if (!isWhole) return undefined;
	const numbersAt = JSON_AT + u32(bytes, JSON_LENGTH_AT);
	// The checksum holds, so this is what encodeDedup wrote, if it was one of this format.
	const outline = JSON.parse(new TextDecoder().decode(bytes.subarray(JSON_AT, numbersAt))) as Outline;
	if (outline.format !== FORMAT && outline.format !== FORMAT_WITHOUT_PAST) return undefined;
	// Copied to where eight bytes may stand; slice() of a Buffer would be a view.
	const numbers = new Float64Array(new Uint8Array(bytes.subarray(numbersAt)).buffer);
	let at = 0;
	const next = (count: number): Float64Array => {
		at += count;
		return numbers.subarray(at - count, at);
	};
	const dedup = new Dedup();
	for (const row of outline.lanes) dedup.restoreLane(row.source, row.session, row.lane, LaneWindow.restore({ ...row, digests: next(row.numbers) }));
	for (const [source, session, marks] of outline.past ?? []) dedup.restorePast(source, session, marks);
	for (const { source, ids } of outline.ids) dedup.restoreIds(source, IdWindow.restore({ ids, digests: next(ids.length) }, nowMs));
	dedup.restoreOrphans(outline.orphans);
	return { dedup, position: u64(bytes, POSITION_AT) };
};
