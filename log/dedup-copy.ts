// Decides what the memory of what was stored looks like on disk, so that a start need not parse every record again.
import type { Lane } from "../contracts/envelope.ts";
import { crc32c } from "./crc32c.ts";
import { Dedup } from "./dedup.ts";
import { putU32, putU64, u32, u64 } from "./frame.ts";
import { IdWindow } from "./id-window.ts";
import { LaneWindow } from "./lane-window.ts";
import type { Gap } from "./port.ts";

/** [magic][crc32c u32 over everything after it][position u64][json length u32][json][numbers, f64 each] */
const MAGIC = "ORIONDUP";
const FORMAT = 1;
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
	readonly ids: readonly IdRow[];
	readonly orphans: readonly Gap[];
}

/** Everything that is remembered of the records up to `position`. */
export const encodeDedup = (dedup: Dedup, position: number): Uint8Array => {
	const lanes: LaneRow[] = [];
	const ids: IdRow[] = [];
	const numbers: Float64Array[] = [];
	const contents = dedup.contents();
	for (const [source, { sessions }] of contents.lanes) {
		for (const [session, windows] of sessions) {
			for (const [lane, window] of windows) {
				const { digests, ...marks } = window.snapshot();
				lanes.push({ source, session, lane, ...marks, numbers: digests.length });
				numbers.push(digests);
			}
		}
	}
	for (const [source, window] of contents.ids) {
		const snapshot = window.snapshot();
		ids.push({ source, ids: snapshot.ids });
		numbers.push(snapshot.digests);
	}
	const outline: Outline = { format: FORMAT, lanes, ids, orphans: contents.orphans };
	return assemble(position, new TextEncoder().encode(JSON.stringify(outline)), numbers);
};

const assemble = (position: number, json: Uint8Array, numbers: readonly Float64Array[]): Uint8Array => {
	const count = numbers.reduce((sum, { length }) => sum + length, 0);
	const bytes = new Uint8Array(JSON_AT + json.length + count * 8);
	bytes.set(new TextEncoder().encode(MAGIC));
	putU64(bytes, POSITION_AT, position);
	putU32(bytes, JSON_LENGTH_AT, json.length);
	bytes.set(json, JSON_AT);
	let at = JSON_AT + json.length;
	for (const block of numbers) {
		bytes.set(new Uint8Array(block.buffer, block.byteOffset, block.byteLength), at);
		at += block.byteLength;
	}
	putU32(bytes, CRC_AT, crc32c(bytes, POSITION_AT));
	return bytes;
};

/** undefined: damaged, or of another format; the records themselves are read instead. */
export const decodeDedup = (bytes: Uint8Array, nowMs: number): { readonly dedup: Dedup; readonly position: number } | undefined => {
	const isWhole = bytes.length >= JSON_AT && new TextDecoder().decode(bytes.subarray(0, CRC_AT)) === MAGIC && crc32c(bytes, POSITION_AT) === u32(bytes, CRC_AT);
	if (!isWhole) return undefined;
	const numbersAt = JSON_AT + u32(bytes, JSON_LENGTH_AT);
	// The checksum holds, so this is what encodeDedup wrote, if it was one of this format.
	const outline = JSON.parse(new TextDecoder().decode(bytes.subarray(JSON_AT, numbersAt))) as Outline;
	if (outline.format !== FORMAT) return undefined;
	// Copied to where eight bytes may stand; slice() of a Buffer would be a view.
	const numbers = new Float64Array(new Uint8Array(bytes.subarray(numbersAt)).buffer);
	let at = 0;
	const next = (count: number): Float64Array => {
		at += count;
		return numbers.subarray(at - count, at);
	};
	const dedup = new Dedup();
	for (const row of outline.lanes) dedup.restoreLane(row.source, row.session, row.lane, LaneWindow.restore({ ...row, digests: next(row.numbers) }));
	for (const { source, ids } of outline.ids) dedup.restoreIds(source, IdWindow.restore({ ids, digests: next(ids.length) }, nowMs));
	dedup.restoreOrphans(outline.orphans);
	return { dedup, position: u64(bytes, POSITION_AT) };
};
