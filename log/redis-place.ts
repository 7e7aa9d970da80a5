// Decides where a mirror goes on in a Redis: what it has is compared with the log, and what this mesh did not write is never written over.
import { OrionError } from "../contracts/errors.ts";
import { FAMILY_STREAMS } from "./families.ts";
import type { Position, ReadLog } from "./port.ts";
import { listOf, mapOf, type RedisAnswer, type RedisConnection, shownUrl, textOf } from "./redis-connection.ts";

export const LOG_STREAM = "orion:log";
export const MARK = "orion:mirror";
export const FIELD = "data";

export interface Place {
	/** Everything up to here is in Redis. */
	readonly upTo: Position;
	/** There is no stream yet: the first record makes it. */
	readonly isNew: boolean;
	/** Up to where each family stream reaches. */
	readonly families: ReadonlyMap<string, Position>;
}

const ID = /^(\d{1,15})-(\d+)$/;

/** The position that an id stands for; undefined for one that no mirror gives. */
const positionOf = (id: string): Position | undefined => {
	const found = ID.exec(id);
	return found?.[1] !== undefined && found[2] === "0" ? Number(found[1]) : undefined;
};

/** The content of an entry as `[id, [field, value, ...]]`. */
export const dataOf = (entry: RedisAnswer | undefined): Uint8Array | undefined => {
	const data = mapOf(listOf(entry)[1]).get(FIELD);
	return data instanceof Uint8Array ? data : undefined;
};

const sameBytes = (left: Uint8Array | undefined, right: Uint8Array | undefined): boolean =>
	left !== undefined && right !== undefined && left.length === right.length && left.every((byte, index) => byte === right[index]);

export interface Looking {
	readonly redis: RedisConnection;
	readonly log: Pick<ReadLog, "head" | "first" | "read">;
	readonly mesh: string;
	readonly url: string;
}

const foreign = ({ url }: Looking, key: string, detail: string): OrionError => new OrionError("REDIS_FOREIGN", { key, url: shownUrl(url), detail });

/** The last id that a stream ever had; undefined if there is no such stream. */
const lastIdOf = async ({ redis }: Looking, key: string): Promise<string | undefined> => {
	const [answer] = await redis.send([["xinfo", "stream", key]]);
	if (answer instanceof Error) {
		if (/no such key/i.test(answer.message)) return undefined;
		throw answer;
	}
	return textOf(mapOf(answer).get("last-generated-id"));
};

/** The last position of a stream that is ours; 0 if there is none. */
const reach = async (looking: Looking, key: string): Promise<Position | undefined> => {
	const id = await lastIdOf(looking, key);
	if (id === undefined) return undefined;
	const position = positionOf(id);
	if (position === undefined) throw foreign(looking, key, `it has an entry ${id}`);
	const head = looking.log.head();
	if (position > head) throw foreign(looking, key, `it reaches to ${position}, and the log here only to ${head}`);
	return position;
};

const compareLast = async (looking: Looking, upTo: Position): Promise<void> => {
	const { redis, log } = looking;
	const [entry] = listOf(await redis.ask("xrevrange", LOG_STREAM, "+", "-", "COUNT", "1"));
	// Somebody took entries away: there is nothing to compare, and nothing that could be written over.
	if (entry === undefined) return;
	const position = positionOf(textOf(listOf(entry)[0]));
	if (position === undefined || position > upTo || position < log.first()) return;
	const [record] = await log.read(position, 1);
	if (!sameBytes(dataOf(entry), record?.bytes)) throw foreign(looking, LOG_STREAM, `entry ${position} is another one than in the log here`);
};

/** Rejects with OrionError REDIS_FOREIGN, or with what Redis refused. */
export const findPlace = async (looking: Looking): Promise<Place> => {
	const { redis, mesh } = looking;
	const mark = textOf(await redis.ask("hget", MARK, "mesh"));
	if (mark !== "" && mark !== mesh) throw foreign(looking, LOG_STREAM, `it belongs to mesh ${mark.slice(0, 64)}`);
	const families = new Map<string, Position>();
	for (const key of FAMILY_STREAMS) {
		const position = await reach(looking, key);
		if (position === undefined) continue;
		if (mark === "") throw foreign(looking, key, "nothing says whose it is");
		families.set(key, position);
	}
	const upTo = await reach(looking, LOG_STREAM);
	if (upTo === undefined) return { upTo: 0, isNew: true, families };
	if (mark === "") throw foreign(looking, LOG_STREAM, "nothing says whose it is");
	await compareLast(looking, upTo);
	return { upTo, isNew: false, families };
};
