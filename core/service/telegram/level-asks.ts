// Decides about asks for a higher level that come by chat, from what the log says of them: two taps, void when the level has changed since; whoever asks may not loosen anything by silence.
import { digest } from "../../../contracts/digest.ts";
import type { Envelope, RecordTypes } from "../../../contracts/envelope.ts";
import type { Level } from "../../policy.ts";
import type { LevelAsk } from "../../state.ts";
import { coreEnvelope } from "../journal.ts";
import type { Ask } from "./ports.ts";

/** How long one stands. */
export const LEVEL_DECIDE_WITHIN_MS = 600_000;

const SAYS: Readonly<Record<Level, string>> = {
	N0: "observes and executes nothing",
	N2: "runs SAFE actions by itself",
	N3: "runs SAFE actions by itself, and RISKY ones after an admin's approval",
};

type LevelEnd = RecordTypes["dev.orion.level.answered.v1"]["end"];

export interface Now {
	readonly engineMs: number;
	readonly level: Level;
}

/** How it has ended by itself: by time, or because the level is another one now. */
export const endOf = ({ end, before, askedMs, decideWithinMs }: LevelAsk, now: Now): LevelEnd | undefined => {
	if (end !== undefined) return end;
	if (now.level !== before) return "void";
	return now.engineMs - askedMs >= decideWithinMs ? "expired" : undefined;
};

/** Digest of what is shown of it: an answer is bound to that. */
export const levelHash = ({ id, level, before, by, askedMs }: LevelAsk): string => digest({ id, level, before, by, askedMs });

const iso = (wallMs: number): string => new Date(wallMs).toISOString();

export const levelAskShown = (ask: LevelAsk, now: Now): Ask => {
	const end = endOf(ask, now);
	return {
		approval: ask.id,
		status: end ?? "open",
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
		boundHash: levelHash(ask),
		askedAt: iso(ask.askedWallMs),
		decideBy: iso(ask.askedWallMs + ask.decideWithinMs),
		decideInMs: end === undefined ? Math.max(0, ask.askedMs + ask.decideWithinMs - now.engineMs) : 0,
		...(ask.endedBy === undefined ? {} : { by: ask.endedBy, via: "telegram" }),
		...(ask.endedWallMs === undefined ? {} : { decidedAt: iso(ask.endedWallMs) }),
		...(end === "approved" ? { outcome: { action: "level", end: "verified" } } : {}),
	};
};

/** What a chat's answer to an ask for a level becomes. */
export const levelRecords = (
	mesh: string,
	wallMs: number,
	answered: RecordTypes["dev.orion.level.answered.v1"],
	set: RecordTypes["dev.orion.level.set.v1"] | undefined,
): readonly Envelope[] => [
	coreEnvelope(mesh, wallMs, "/core/telegram", "dev.orion.level.answered.v1", answered),
	...(set === undefined ? [] : [coreEnvelope(mesh, wallMs, "/core/operator", "dev.orion.level.set.v1", set)]),
];
