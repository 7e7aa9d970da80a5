// Decides whether a token lets a device become a node: once, within the hour, and only as long as nobody took it back.
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { type Fault, fail, fault, OrionError } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";
import { NODE_ID } from "../../contracts/topics.ts";
import type { KeptFiles } from "../../core/service/world.ts";

const FILE = "join-tokens.json";
const SECRET_BYTES = 24;
const VALID_MS = 3_600_000;
/** Spent and old ones are remembered for a while, so that the answer can say which it was. */
const REMEMBERED_MS = 7 * 24 * VALID_MS;

interface Row {
	readonly hash: string;
	readonly madeWallMs: number;
	readonly used: boolean;
}

const hashOf = (secret: string): string => createHash("sha256").update(secret).digest("base64url");

const parseRows = (text: string): Map<string, Row> => {
	const damaged = (): OrionError => new OrionError("CONFIG_INVALID", { file: FILE, line: 1, column: 1, detail: "is damaged; remove it and make new tokens" });
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch {
		throw damaged();
	}
	const tokens = typeof value === "object" && value !== null && "tokens" in value ? value.tokens : undefined;
	if (typeof tokens !== "object" || tokens === null) throw damaged();
	return new Map(
		Object.entries(tokens).map(([node, row]): [string, Row] => {
			const { hash, madeWallMs, used } = (row ?? {}) as Partial<Row>;
			if (!NODE_ID.test(node) || typeof hash !== "string" || typeof madeWallMs !== "number" || typeof used !== "boolean") throw damaged();
			return [node, { hash, madeWallMs, used }];
		}),
	);
};

export interface JoinTokens {
	/** A fresh secret for a node; the one before stops working. */
	mint(node: string): Promise<{ readonly secret: string; readonly untilWallMs: number }>;
	/** Spends it, on disk, before it says yes. Fault: TOKEN_REFUSED. */
	spend(node: string, secret: string): Promise<Result<{ readonly node: string }>>;
	revoke(node: string): Promise<void>;
}

const UNKNOWN = "it is not known here: it was taken back, replaced by a newer one, or never made by this mesh";

export const openJoinTokens = async (files: KeptFiles, wall: () => number): Promise<JoinTokens> => {
	const text = await files.read(FILE);
	const rows = text === undefined ? new Map<string, Row>() : parseRows(text);
	let saving: Promise<void> = Promise.resolve();
	const save = (): Promise<void> => {
		const write = () => files.write(FILE, `${JSON.stringify({ schema: "orion.join-tokens/1", tokens: Object.fromEntries(rows) })}\n`, "secret");
		saving = saving.then(write, write);
		return saving;
	};
	const judge = (row: Row | undefined, secret: string): Fault | undefined => {
		if (row === undefined || !timingSafeEqual(Buffer.from(hashOf(secret)), Buffer.from(row.hash))) return fault("TOKEN_REFUSED", { detail: UNKNOWN });
		if (row.used) return fault("TOKEN_REFUSED", { detail: "it was used before" });
		// A clock that was set back must not make an old token young.
		const ageMs = wall() - row.madeWallMs;
		return ageMs >= 0 && ageMs < VALID_MS ? undefined : fault("TOKEN_REFUSED", { detail: "it is older than an hour, or core's clock was changed since" });
	};
	return {
		mint: async (node) => {
			const nowMs = wall();
			for (const [old, { madeWallMs }] of rows) if (Math.abs(nowMs - madeWallMs) > REMEMBERED_MS) rows.delete(old);
			const secret = randomBytes(SECRET_BYTES).toString("base64url");
			rows.set(node, { hash: hashOf(secret), madeWallMs: nowMs, used: false });
			await save();
			return { secret, untilWallMs: nowMs + VALID_MS };
		},
		spend: async (node, secret) => {
			const row = rows.get(node);
			const refused = judge(row, secret);
			if (refused !== undefined || row === undefined) return refused === undefined ? fail("TOKEN_REFUSED", { detail: UNKNOWN }) : { ok: false, fault: refused };
			rows.set(node, { ...row, used: true });
			await save();
			return ok({ node });
		},
		revoke: async (node) => {
			if (rows.delete(node)) await save();
		},
	};
};
