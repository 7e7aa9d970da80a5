// Decides how a page of records goes into a Redis: one command for all of it, carried out there only behind what this mesh wrote last.
import { familyStream } from "./families.ts";
import type { StoredRecord } from "./port.ts";
import type { RedisCommand } from "./redis-connection.ts";
import { FIELD, LOG_STREAM, MARK, type Place } from "./redis-place.ts";

const LENGTH_BYTES = 4;

/**
 * KEYS: the stream, the mark, the family streams. ARGV: up to where the stream reaches, whether it is to be made, the mesh, the first position, how many
 * records a family stream keeps, for each record the number of its family among KEYS (one character, `0`: none), and the records, each behind its length
 * in four bytes. Answers 1, or 0 when something else is there: then nothing was written. A command or an argument for each record costs the thread that
 * also answers nodes several times as much.
 */
const SCRIPT = `
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local upTo, from = tonumber(ARGV[1]), tonumber(ARGV[4])
if last then
  local position = string.match(last[1], '^(%d+)-0$')
  if not position or tonumber(position) > upTo then return 0 end
end
if ARGV[2] == '0' and redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[2], 'mesh', ARGV[3], 'position', string.format('%.0f', from + #ARGV[6] - 1))
local at = 1
for index = 1, #ARGV[6] do
  local id = string.format('%.0f-0', from + index - 1)
  local bytes = struct.unpack('>I4', ARGV[7], at)
  local record = string.sub(ARGV[7], at + 4, at + 3 + bytes)
  at = at + 4 + bytes
  redis.call('XADD', KEYS[1], id, '${FIELD}', record)
  local family = string.byte(ARGV[6], index) - 48
  if family > 0 then redis.call('XADD', KEYS[family + 2], 'MAXLEN', '~', ARGV[5], id, '${FIELD}', record) end
end
return 1
`;

export interface PageOptions {
	readonly mesh: string;
	/** 0: no family streams. */
	readonly familyRecordsMax: number;
}

/** As many records from the first as follow each other without a hole: their positions are counted, not sent. */
export const unbroken = (page: readonly StoredRecord[]): readonly StoredRecord[] => {
	const from = page[0]?.position ?? 0;
	const end = page.findIndex(({ position }, index) => position !== from + index);
	return end === -1 ? page : page.slice(0, end);
};

/** The records, each behind its length in four bytes. */
const packed = (page: readonly StoredRecord[]): Uint8Array => {
	const all = Buffer.allocUnsafe(page.reduce((sum, { bytes }) => sum + LENGTH_BYTES + bytes.length, 0));
	let at = 0;
	for (const { bytes } of page) {
		at = all.writeUInt32BE(bytes.length, at);
		all.set(bytes, at);
		at += bytes.length;
	}
	return all;
};

/** `page`: unbroken, and not empty. */
export const pageCommand = (page: readonly StoredRecord[], place: Place, { mesh, familyRecordsMax }: PageOptions): RedisCommand => {
	const streams: string[] = [];
	const familyOf = ({ position, bytes, type }: StoredRecord): string => {
		const family = familyRecordsMax > 0 ? familyStream(bytes, type) : undefined;
		if (family === undefined || position <= (place.families.get(family) ?? 0)) return "0";
		if (!streams.includes(family)) streams.push(family);
		return String.fromCharCode(49 + streams.indexOf(family));
	};
	const families = page.map(familyOf).join("");
	const keys = [LOG_STREAM, MARK, ...streams];
	const from = page[0]?.position ?? 0;
	const head = [String(place.upTo), place.isNew ? "1" : "0", mesh, String(from), String(familyRecordsMax), families];
	return ["eval", SCRIPT, String(keys.length), ...keys, ...head, packed(page)];
};
