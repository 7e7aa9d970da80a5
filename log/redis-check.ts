// Decides whether a Redis may be trusted with records: its version and the two settings with which it forgets nothing by itself.
import { OrionError } from "../contracts/errors.ts";
import { mapOf, type RedisConnection, shownUrl, textOf } from "./redis-connection.ts";

const VERSION_MIN = 7;
const NEEDED: readonly (readonly [setting: string, needed: string])[] = [
	["maxmemory-policy", "noeviction"],
	["appendonly", "yes"],
];

/** Rejects with OrionError: VERSION_UNSUPPORTED, REDIS_SETTING; or with what Redis refused. */
export const checkRedis = async (redis: RedisConnection, url: string): Promise<void> => {
	const info = textOf(await redis.ask("info", "server"));
	const version = /^redis_version:(\S+)/m.exec(info)?.[1] ?? "unknown";
	if (!(Number.parseInt(version, 10) >= VERSION_MIN))
		throw new OrionError("VERSION_UNSUPPORTED", { what: "Redis", found: version, needed: `${VERSION_MIN}.0` });
	for (const [setting, needed] of NEEDED) {
		const found = textOf(mapOf(await redis.ask("config", "get", setting)).get(setting));
		if (found !== needed) throw new OrionError("REDIS_SETTING", { url: shownUrl(url), setting, found, needed });
	}
};
