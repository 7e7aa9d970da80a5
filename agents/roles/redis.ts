// Connects the log of core to the Redis that orion.yaml or the command line names: the mirror, and what it has to say to the operator.
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { OrionError } from "../../contracts/errors.ts";
import type { Core } from "../../core/service/core.ts";
import type { World } from "../../core/service/world.ts";
import type { Log } from "../../log/port.ts";
import { checkRedisUrl, type RedisOptions } from "../../log/redis-connection.ts";
import { Mirror } from "../../log/redis-mirror.ts";
import type { FoundConfig } from "./config.ts";

const FAMILY_RECORDS_MAX = 10_000;

/** Where Redis is, if anywhere. Rejects with OrionError: REDIS_URL, CONFIG_INVALID. */
export const redisOf = async (named: string | undefined, { file, value }: FoundConfig): Promise<Pick<RedisOptions, "url" | "ca"> | undefined> => {
	const url = named ?? value.redis?.url;
	if (url === undefined) return undefined;
	checkRedisUrl(url);
	if (value.redis?.ca === undefined) return { url };
	const path = resolve(file === undefined ? "." : dirname(file), value.redis.ca);
	const ca = await readFile(path, "utf8").catch((error: unknown) => {
		const detail = `the file of redis.ca, ${path}, cannot be read (${error instanceof Error ? error.message : "unknown"})`;
		throw new OrionError("CONFIG_INVALID", { file: file ?? "orion.yaml", line: 1, column: 1, detail }, { cause: error });
	});
	return { url, ca };
};

export interface MirrorParts {
	readonly redis: Pick<RedisOptions, "url" | "ca">;
	readonly config: FoundConfig;
	readonly log: Log;
	readonly mesh: string;
	readonly world: World;
	readonly core: Pick<Core, "notice" | "show">;
}

/** Rejects with OrionError for what only the operator can mend. */
export const openMirror = async ({ redis, config, log, mesh, world, core }: MirrorParts): Promise<Mirror> => {
	const mirror = new Mirror({
		...redis,
		log,
		mesh,
		timers: world.timers,
		now: () => world.clock.now(),
		familyRecordsMax: config.value.redis?.familyRecordsMax ?? FAMILY_RECORDS_MAX,
		notice: (text) => core.notice("redis", text === undefined ? undefined : { severity: mirror.view().state === "mirroring" ? "info" : "error", text }),
	});
	await mirror.start();
	core.show({ redis: () => mirror.view() });
	return mirror;
};
