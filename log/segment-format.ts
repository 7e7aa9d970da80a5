// Decides what stands around the frames: how a segment is named and begins, and how the folder says up to where everything was durable.
import { crc32c } from "./crc32c.ts";
import { putU32, putU64, u32, u64 } from "./frame.ts";

export const FORMAT = 1;

/** Twenty digits hold every position, and sort as text. */
export const segmentName = (firstPosition: number): string => `${String(firstPosition).padStart(20, "0")}.seg`;

/** undefined: not a segment. */
export const firstOfName = (name: string): number | undefined => {
	const match = /^(\d{20})\.seg$/.exec(name);
	const position = Number(match?.[1] ?? Number.NaN);
	return Number.isSafeInteger(position) && position > 0 ? position : undefined;
};

/** ["ORIONSEG"][format u16][mesh length u16][mesh][first position u64][crc32c u32 over everything before it] */
const MAGIC = new TextEncoder().encode("ORIONSEG");
const FORMAT_AT = 8;
const MESH_LENGTH_AT = 10;
const MESH_AT = 12;
const POSITION_AND_CRC_BYTES = 12;

export interface SegmentHeader {
	readonly format: number;
	readonly mesh: string;
	readonly firstPosition: number;
	readonly bytes: number;
}

export const encodeSegmentHeader = (mesh: string, firstPosition: number, format = FORMAT): Uint8Array => {
	const name = new TextEncoder().encode(mesh);
	const bytes = new Uint8Array(MESH_AT + name.length + POSITION_AND_CRC_BYTES);
	bytes.set(MAGIC);
	bytes[FORMAT_AT] = format;
	bytes[FORMAT_AT + 1] = format >>> 8;
	bytes[MESH_LENGTH_AT] = name.length;
	bytes[MESH_LENGTH_AT + 1] = name.length >>> 8;
	bytes.set(name, MESH_AT);
	putU64(bytes, MESH_AT + name.length, firstPosition);
	putU32(bytes, bytes.length - 4, crc32c(bytes, 0, bytes.length - 4));
	return bytes;
};

/** undefined: too short or damaged. */
export const parseSegmentHeader = (source: Uint8Array): SegmentHeader | undefined => {
	if (source.length < MESH_AT + POSITION_AND_CRC_BYTES || MAGIC.some((byte, index) => source[index] !== byte)) return undefined;
	const meshLength = u32(source, MESH_LENGTH_AT) & 0xffff;
	const bytes = MESH_AT + meshLength + POSITION_AND_CRC_BYTES;
	if (source.length < bytes || crc32c(source, 0, bytes - 4) !== u32(source, bytes - 4)) return undefined;
	return {
		format: u32(source, FORMAT_AT) & 0xffff,
		mesh: new TextDecoder().decode(source.subarray(MESH_AT, MESH_AT + meshLength)),
		firstPosition: u64(source, MESH_AT + meshLength),
		bytes,
	};
};

/** Longest header there can be, and so what is read to find it. */
export const HEADER_BYTES_MAX = MESH_AT + 0xffff + POSITION_AND_CRC_BYTES;

/** What is known to be durable, written after each group commit. */
export interface TailMark {
	/** Rises with each mark; the highest whole one counts. */
	readonly generation: number;
	/** Every record up to here was durable. */
	readonly committed: number;
	/** Everything up to here may have been moved to the archive. */
	readonly archivedUpTo: number;
}

/** ["OTM1"][crc32c u32 over everything after it][generation u64][committed u64][archivedUpTo u64], in slots that are a disk sector apart. */
const MARK_MAGIC = new TextEncoder().encode("OTM1");
const MARK_BYTES = 32;
export const MARK_SLOTS = 3;
export const MARK_SLOT_BYTES = 512;
export const MARKS_BYTES = (MARK_SLOTS - 1) * MARK_SLOT_BYTES + MARK_BYTES;

export const encodeMark = (mark: TailMark): Uint8Array => {
	const bytes = new Uint8Array(MARK_BYTES);
	bytes.set(MARK_MAGIC);
	putU64(bytes, 8, mark.generation);
	putU64(bytes, 16, mark.committed);
	putU64(bytes, 24, mark.archivedUpTo);
	putU32(bytes, 4, crc32c(bytes, 8));
	return bytes;
};

const parseMark = (source: Uint8Array, at: number): TailMark | undefined => {
	if (source.length < at + MARK_BYTES || MARK_MAGIC.some((byte, index) => source[at + index] !== byte)) return undefined;
	if (crc32c(source, at + 8, at + MARK_BYTES) !== u32(source, at + 4)) return undefined;
	return { generation: u64(source, at + 8), committed: u64(source, at + 16), archivedUpTo: u64(source, at + 24) };
};

/** The newest whole mark and its slot; undefined if none is whole. */
export const newestMark = (source: Uint8Array): { readonly mark: TailMark; readonly slot: number } | undefined => {
	const marks = Array.from({ length: MARK_SLOTS }, (_, slot) => ({ slot, mark: parseMark(source, slot * MARK_SLOT_BYTES) }));
	return marks.reduce<{ readonly mark: TailMark; readonly slot: number } | undefined>(
		(best, { slot, mark }) => (mark !== undefined && mark.generation > (best?.mark.generation ?? -1) ? { mark, slot } : best),
		undefined,
	);
};
