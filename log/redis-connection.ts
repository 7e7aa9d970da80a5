// Connects one conversation with a Redis to the library that speaks its protocol: it ends with the first cut, and whoever holds it begins another.
import type { Redis } from "ioredis";
import { fault, OrionError } from "../contracts/errors.ts";

export type RedisArgument = string | Uint8Array;
export type RedisCommand = readonly [name: string, ...rest: RedisArgument[]];
/** Texts come as bytes; what Redis refused is an Error. */
export type RedisAnswer = Uint8Array | number | null | Error | readonly RedisAnswer[];

export interface RedisConnection {
	/** All of them in one go, answers in their order. Rejects only when the conversation ended. */
	send(commands: readonly RedisCommand[]): Promise<readonly RedisAnswer[]>;
	/** Rejects with what Redis refused, too. */
	ask(...command: RedisCommand): Promise<RedisAnswer>;
	/** This conversation can do nothing else from now on. */
	subscribe(channels: readonly string[], listener: (channel: string, bytes: Uint8Array) => void): Promise<void>;
	readonly ended: Promise<void>;
	end(): void;
}

export interface RedisOptions {
	readonly url: string;
	/** Certificate authority for rediss://, PEM; default: those of the system. */
	readonly ca?: string;
	/** Every answer comes within this, or the conversation ends; undefined for one that waits for news. */
	readonly answerWithinMs?: number;
}

const CONNECT_WITHIN_MS = 5_000;
const KEEP_ALIVE_MS = 5_000;
const CREDENTIAL = /WRONGPASS|NOAUTH|NOPERM|invalid password|without any password/i;

/** As it may be shown: without the password. */
export const shownUrl = (url: string): string => {
	const parsed = new URL(url);
	if (parsed.password !== "") parsed.password = "***";
	return parsed.toString();
};

/** Rejects with OrionError REDIS_URL. */
export const checkRedisUrl = (url: string): void => {
	const isOne = URL.canParse(url) && ["redis:", "rediss:"].includes(new URL(url).protocol) && new URL(url).hostname !== "";
	if (!isOne) throw new OrionError("REDIS_URL", { url: url.replace(/\/\/[^@/]*@/, "//***@") });
};

/** The fault that a refusal of Redis stands for. */
export const faultOf = (error: unknown, url: string): OrionError => {
	if (error instanceof OrionError) return error;
	const detail = (error instanceof Error ? error.message : String(error)).slice(0, 200);
	const found = fault(CREDENTIAL.test(detail) ? "REDIS_AUTH" : "REDIS_AWAY", { url: shownUrl(url), detail });
	return new OrionError(found.code, found.facts, { cause: error });
};

export const textOf = (answer: RedisAnswer | undefined): string => (answer instanceof Uint8Array ? new TextDecoder().decode(answer) : String(answer ?? ""));

export const listOf = (answer: RedisAnswer | undefined): readonly RedisAnswer[] => (Array.isArray(answer) ? answer : []);

/** A list of names and values as a map. */
export const mapOf = (answer: RedisAnswer | undefined): ReadonlyMap<string, RedisAnswer> => {
	const list = listOf(answer);
	return new Map(list.flatMap((name, index) => (index % 2 === 0 ? [[textOf(name), list[index + 1] ?? null] as const] : [])));
};

const argumentOf = (argument: RedisArgument): string | Buffer =>
	typeof argument === "string" ? argument : Buffer.from(argument.buffer, argument.byteOffset, argument.byteLength);

/**
 * The library has a class that extends String, and with that V8 keeps the methods of all strings of the process in a dictionary: each `text.startsWith` is
 * a search from then on, for whoever judges messages too. To go through the names of a String object makes it put them in order again.
 */
const orderStringMethods = (): void => {
	for (const _ in Object("")) break;
};

const openLibrary = async ({ url, ca, answerWithinMs }: RedisOptions): Promise<Redis> => {
	// 28 MB that only those carry who have a Redis.
	const { Redis: Library } = await import("ioredis");
	orderStringMethods();
	return new Library(url, {
		lazyConnect: true,
		protocol: 2,
		enableReadyCheck: false,
		enableOfflineQueue: false,
		// A command that is sent again unseen is a record twice; every cut ends the conversation, and the next one looks what is there.
		autoResendUnfulfilledCommands: false,
		retryStrategy: () => null,
		maxRetriesPerRequest: 0,
		connectTimeout: CONNECT_WITHIN_MS,
		keepAlive: KEEP_ALIVE_MS,
		noDelay: true,
		disableClientInfo: true,
		...(answerWithinMs === undefined ? {} : { commandTimeout: answerWithinMs }),
		...(ca === undefined ? {} : { tls: { ca } }),
	});
};

/** Rejects with OrionError: REDIS_URL, REDIS_AWAY, REDIS_AUTH. */
export const connectRedis = async (options: RedisOptions): Promise<RedisConnection> => {
	const { url } = options;
	checkRedisUrl(url);
	const redis = await openLibrary(options);
	let reason: unknown;
	redis.on("error", (error: unknown) => {
		reason = error;
	});
	const ended = new Promise<void>((resolve) => {
		redis.once("end", () => resolve());
	});
	try {
		await redis.connect();
	} catch (error) {
		redis.disconnect();
		throw faultOf(reason ?? error, url);
	}
	const send = async (commands: readonly RedisCommand[]): Promise<readonly RedisAnswer[]> => {
		const pipeline = redis.pipeline();
		for (const [name, ...rest] of commands) pipeline.callBuffer(name, ...rest.map(argumentOf));
		const answers = (await pipeline.exec()) ?? [];
		return answers.map(([error, value]) => {
			// What is no answer of Redis is the end of the conversation: nobody knows what became of the command.
			if (error !== null && error.name !== "ReplyError") throw faultOf(error, url);
			return error ?? (value as RedisAnswer);
		});
	};
	return {
		send,
		ask: async (...command) => {
			const [answer] = await send([command]);
			if (answer instanceof Error) throw answer;
			return answer ?? null;
		},
		subscribe: async (channels, listener) => {
			redis.on("messageBuffer", (channel: Uint8Array, bytes: Uint8Array) => listener(textOf(channel), bytes));
			await redis.subscribe(...channels);
		},
		ended,
		end: () => redis.disconnect(),
	};
};
