// Connects readers to records in a segment on disk; the checksum of each is verified again, because disks forget later too.
import { OrionError } from "../contracts/errors.ts";
import type { FilePort } from "./file-port.ts";
import { frameAt } from "./frame.ts";
import type { StoredRecord } from "./port.ts";
import type { Segment } from "./segment.ts";

const CHUNK_BYTES = 65_536;
/** What a page holds at most, so that one reader cannot ask for more memory than there is. */
export const PAGE_BYTES_MAX = 4_194_304;

export interface SegmentPage {
	readonly files: FilePort;
	readonly folder: string;
	readonly segment: Segment;
	readonly from: number;
	/** Not beyond this position. */
	readonly upTo: number;
	readonly recordsMax: number;
	readonly bytesMax: number;
}

/** Records of one segment; at least one if there is one. Rejects with OrionError RECORD_DAMAGED; with ENOENT if it was archived meanwhile. */
export const readSegment = async ({ files, folder, segment, from, upTo, recordsMax, bytesMax }: SegmentPage): Promise<readonly StoredRecord[]> => {
	const endOffset = segment.endOffset;
	const file = await files.open(`${folder}/${segment.name}`, "read");
	try {
		const records: StoredRecord[] = [];
		let offset = segment.passOver(segment.startOf(from));
		let chunk: Uint8Array = new Uint8Array(0);
		let chunkOffset = offset;
		let takenBytes = 0;
		while (offset < endOffset && records.length < recordsMax && takenBytes < bytesMax) {
			const frame = frameAt(chunk, offset - chunkOffset);
			if (frame === "short" && chunkOffset + chunk.length < endOffset) {
				const lengthBytes = Math.min(endOffset - offset, Math.max(CHUNK_BYTES, (chunk.length - (offset - chunkOffset)) * 2));
				chunk = await file.read(offset, lengthBytes);
				chunkOffset = offset;
				if (chunk.length < lengthBytes) throw new OrionError("RECORD_DAMAGED", { file: segment.name, offset });
				continue;
			}
			if (typeof frame === "string") throw new OrionError("RECORD_DAMAGED", { file: segment.name, offset });
			if (frame.position > upTo) break;
			if (frame.position >= from) {
				records.push({ position: frame.position, bytes: frame.bytes });
				takenBytes += frame.bytes.length;
			}
			const next = chunkOffset + frame.end;
			offset = segment.passOver(next);
			// What is passed over may be longer than what was read.
			if (offset - chunkOffset > chunk.length) {
				chunk = new Uint8Array(0);
				chunkOffset = offset;
			}
		}
		return records;
	} finally {
		await file.close();
	}
};
