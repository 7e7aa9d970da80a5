// Connects passwords to what is kept of them: scrypt hashes, and a short memory so that a storm of reconnects does not eat the CPU.
import { createHmac, randomBytes, scrypt, timingSafeEqual } from "node:crypto";

interface Cost {
	readonly N: number;
	readonly r: number;
	readonly p: number;
}

/** 16 MiB and about 40 ms on a small server. */
const COST: Cost = { N: 16_384, r: 8, p: 1 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** What a stored hash may ask of us: beyond this somebody tampered with the file. */
const MEMORY_BYTES_MAX = 256 * 1_024 * 1_024;
const PASSWORD_BYTES_MAX = 1_024;
const REMEMBERED_MS = 600_000;
const REMEMBERED_MAX = 1_024;

interface Stored {
	readonly cost: Cost;
	readonly salt: Buffer;
	readonly hash: Buffer;
}

const derive = (password: Uint8Array, salt: Buffer, { N, r, p }: Cost): Promise<Buffer> =>
	new Promise((resolve, reject) => {
		scrypt(password, salt, HASH_BYTES, { N, r, p, maxmem: MEMORY_BYTES_MAX }, (error, hash) => (error === null ? resolve(hash) : reject(error)));
	});

const STORED = /^scrypt\$(\d{1,7})\$(\d{1,2})\$(\d{1,2})\$([A-Za-z0-9_-]{8,128})\$([A-Za-z0-9_-]{43})$/;

const parseStored = (text: string): Stored | undefined => {
	const [, N, r, p, salt, hash] = STORED.exec(text) ?? [];
	if (N === undefined || r === undefined || p === undefined || salt === undefined || hash === undefined) return undefined;
	const cost = { N: Number(N), r: Number(r), p: Number(p) };
	const isPower = cost.N >= 2 && Number.isInteger(Math.log2(cost.N));
	if (!isPower || cost.r < 1 || cost.p < 1 || 128 * cost.N * cost.r * cost.p >= MEMORY_BYTES_MAX) return undefined;
	return { cost, salt: Buffer.from(salt, "base64url"), hash: Buffer.from(hash, "base64url") };
};

/** `scrypt$N$r$p$salt$hash`, salt and hash in base64url. */
export const hashPassword = async (password: string): Promise<string> => {
	const salt = randomBytes(SALT_BYTES);
	const hash = await derive(Buffer.from(password), salt, COST);
	return ["scrypt", COST.N, COST.r, COST.p, salt.toString("base64url"), hash.toString("base64url")].join("$");
};

/** False for a wrong password and for a stored text that is no hash. */
export const verifyPassword = async (password: Uint8Array, stored: string): Promise<boolean> => {
	const parsed = parseStored(stored);
	if (parsed === undefined || password.byteLength > PASSWORD_BYTES_MAX) return false;
	return timingSafeEqual(await derive(password, parsed.salt, parsed.cost), parsed.hash);
};

export type VerifyPassword = (password: Uint8Array, stored: string) => Promise<boolean>;

export interface RememberingVerifier extends VerifyPassword {
	/** Without the price of a check; false says nothing. */
	remembers(password: Uint8Array, stored: string): boolean;
}

/**
 * As verifyPassword, and right answers are remembered for ten minutes under a hash with a key that dies with this process. The stored
 * text is part of what is remembered, so that a password that was renewed or taken away is wrong at once. Wrong answers cost the full price each time.
 */
export const rememberingVerifier = (now: () => number, verify: VerifyPassword = verifyPassword): RememberingVerifier => {
	const key = randomBytes(32);
	const goodUntil = new Map<string, number>();
	const nameOf = (password: Uint8Array, stored: string): string =>
		createHmac("sha256", key).update(`${stored.length}:${stored}`).update(password).digest("base64");
	const check: VerifyPassword = async (password, stored) => {
		const name = nameOf(password, stored);
		if ((goodUntil.get(name) ?? 0) > now()) return true;
		goodUntil.delete(name);
		if (!(await verify(password, stored))) return false;
		if (goodUntil.size >= REMEMBERED_MAX) goodUntil.clear();
		goodUntil.set(name, now() + REMEMBERED_MS);
		return true;
	};
	return Object.assign(check, { remembers: (password: Uint8Array, stored: string) => (goodUntil.get(nameOf(password, stored)) ?? 0) > now() });
};
