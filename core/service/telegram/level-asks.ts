// Decides asks for a higher level that come by chat: one at a time, two taps, void when the level has changed since; whoever asks may not loosen anything alone by silence.
import { digest } from "../../../contracts/digest.ts";
import type { Level } from "../../policy.ts";
import type { Ask } from "./ports.ts";

const DECIDE_WITHIN_MS = 600_000;
const KEPT_MAX = 16;

const SAYS: Readonly<Record<Level, string>> = {
	N0: "observes and executes nothing",
	N2: "runs SAFE actions by itself",
	N3: "runs SAFE actions by itself, and RISKY ones after an admin's approval",
};

export type LevelEnd = "approved" | "denied" | "expired" | "void";

interface LevelAsk {
	readonly id: string;
	readonly level: Level;
	readonly before: Level;
	readonly by: string;
	readonly askedMs: number;
	readonly askedWallMs: number;
	readonly end?: LevelEnd;
	readonly endedBy?: string;
	readonly endedWallMs?: number;
}

export interface Now {
	readonly engineMs: number;
	readonly wallMs: number;
	readonly level: Level;
}

export class LevelAsks {
	#asks: readonly LevelAsk[] = [];

	static readonly decideWithinMs = DECIDE_WITHIN_MS;

	/** Undefined: the same is asked already. */
	ask(id: string, level: Level, by: string, now: Now): LevelAsk | undefined {
		this.expire(now);
		if (this.#asks.some((ask) => ask.end === undefined && ask.level === level)) return undefined;
		const ask: LevelAsk = { id, level, before: now.level, by, askedMs: now.engineMs, askedWallMs: now.wallMs };
		this.#asks = [...this.#asks, ask].slice(-KEPT_MAX);
		return ask;
	}

	/** Those that ended since it was asked last: by time, or because the level is another one now. */
	expire(now: Now): readonly { readonly id: string; readonly end: LevelEnd }[] {
		const ended: { id: string; end: LevelEnd }[] = [];
		this.#asks = this.#asks.map((ask) => {
			if (ask.end !== undefined) return ask;
			const end = now.level !== ask.before ? "void" : now.engineMs - ask.askedMs >= DECIDE_WITHIN_MS ? "expired" : undefined;
			if (end === undefined) return ask;
			ended.push({ id: ask.id, end });
			return { ...ask, end, endedWallMs: now.wallMs };
		});
		return ended;
	}

	/** What an answer leads to; undefined: there is no such open ask. */
	decide(id: string, verdict: "approve" | "deny", boundHash: string, by: string, now: Now): { readonly end: LevelEnd; readonly level: Level } | undefined {
		this.expire(now);
		const ask = this.#asks.find((each) => each.id === id);
		if (ask === undefined || ask.end !== undefined || hashOf(ask) !== boundHash) return undefined;
		const end: LevelEnd = verdict === "approve" ? "approved" : "denied";
		this.#asks = this.#asks.map((each) => (each.id === id ? { ...each, end, endedBy: by, endedWallMs: now.wallMs } : each));
		return { end, level: ask.level };
	}

	has(id: string): boolean {
		return this.#asks.some((ask) => ask.id === id);
	}

	shown(now: Now): readonly Ask[] {
		return this.#asks.map((ask) => shownAs(ask, now));
	}
}

const hashOf = ({ id, level, before, by, askedMs }: LevelAsk): string => digest({ id, level, before, by, askedMs });

const iso = (wallMs: number): string => new Date(wallMs).toISOString();

const shownAs = (ask: LevelAsk, now: Now): Ask => ({
	approval: ask.id,
	status: ask.end ?? "open",
	incident: "",
	title: `${ask.by} asks for level ${ask.level}`,
	node: "the whole mesh",
	name: "level",
	risk: "LEVEL",
	plan: `raise the level from ${ask.before} to ${ask.level}: from then on the mesh ${SAYS[ask.level]}`,
	why: `${ask.by} asked for it in a chat`,
	blast: "every node and every open incident, which is decided again",
	undo: "at any time",
	undoSays: `orion level ${ask.before}, or /level ${ask.before} here`,
	evidence: [],
	boundHash: hashOf(ask),
	askedAt: iso(ask.askedWallMs),
	decideBy: iso(ask.askedWallMs + DECIDE_WITHIN_MS),
	decideInMs: ask.end === undefined ? Math.max(0, ask.askedMs + DECIDE_WITHIN_MS - now.engineMs) : 0,
	...(ask.endedBy === undefined ? {} : { by: ask.endedBy, via: "telegram" }),
	...(ask.endedWallMs === undefined ? {} : { decidedAt: iso(ask.endedWallMs) }),
	...(ask.end === "approved" ? { outcome: { action: "level", end: "verified" } } : {}),
});
