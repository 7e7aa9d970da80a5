// Decides about asks for a higher level: asked in a chat, answered wherever any other question is, bound to what was shown, ended once; the level that a yes raises is set in the same batch.
import { digest } from "../../contracts/digest.ts";
import type { Envelope, RecordTypes } from "../../contracts/envelope.ts";
import { sayDuration } from "../../contracts/time.ts";
import { type Draft, draft, type Recorded } from "../record.ts";
import type { EngineState, LevelAsk } from "../state.ts";
import { isFromPerson, refusalOf, saysRefusal } from "./answers.ts";
import { type Happening, isLive, type Refusal, settled } from "./machine.ts";

const PART = "approvals";
/** Only the chat's own door asks. What is answered elsewhere ends here; records from before that end at the door. */
const DOOR = "/core/telegram";
const ENDS_AT: readonly string[] = [DOOR, `/core/${PART}`];
const ASKS_MAX = 16;
const SEEN_MAX = 16;
const NAME_LENGTH_MAX = 64;
/** A yes that could not be carried out by then, because core was away, counts for nothing. */
export const LEVEL_EXECUTE_WITHIN_MS = 60_000;

type Answered = RecordTypes["dev.orion.level.answered.v1"];

const asksOf = ({ chat }: EngineState): readonly LevelAsk[] => chat?.levelAsks ?? [];

export const levelAskOf = (state: EngineState, id: string): LevelAsk | undefined => asksOf(state).find((ask) => ask.id === id);

const withAsks = (state: EngineState, levelAsks: readonly LevelAsk[]): EngineState => ({ ...state, chat: { refused: {}, ...state.chat, levelAsks } });

const change = (state: EngineState, id: string, next: (ask: LevelAsk) => LevelAsk): EngineState =>
	levelAskOf(state, id) === undefined
		? state
		: withAsks(
				state,
				asksOf(state).map((ask) => (ask.id === id ? next(ask) : ask)),
			);

/** The oldest that are over leave; one that stands stays until it has an end. */
const bounded = (asks: readonly LevelAsk[]): readonly LevelAsk[] => {
	const over = asks.filter(({ status }) => !isLive(status));
	const gone = new Set(over.slice(0, Math.max(0, asks.length - ASKS_MAX)));
	return asks.filter((ask) => !gone.has(ask));
};

const asked = (state: EngineState, { data }: Envelope<"dev.orion.level.asked.v1">): EngineState => {
	const { ask: id, level, before, by: asker, decideWithinMs } = data;
	const { engineMs: askedMs, wallMs: askedWallMs } = state.clock;
	if (levelAskOf(state, id) !== undefined) return state;
	const decideByEngineMs = askedMs + decideWithinMs;
	// An answer is bound to all that is shown of it.
	const boundHash = digest({ id, level, before, by: asker, decideByEngineMs });
	const bound = { boundHash, decideByEngineMs, decideWithinMs };
	const ask: LevelAsk = { id, status: "open", level, before, asker, asked: bound, askedMs, askedWallMs, seen: [], refusals: 0, unsure: false };
	return withAsks(state, bounded([...asksOf(state), ask]));
};

/** An answer that counts is kept with the ask at once, so that one that no core has decided on yet is not lost. */
const answered = (state: EngineState, { data, source }: Envelope<"dev.orion.approval.decided.v1">, position: number): EngineState => {
	const { approval: id, verdict, by, via, why } = data;
	const { engineMs: atMs } = state.clock;
	const ask = levelAskOf(state, id);
	if (ask === undefined || !isFromPerson(source) || refusalOf(ask, data, atMs) !== undefined) return state;
	const answer = { verdict, by, via, position, atMs, ...(why === undefined ? {} : { why }) };
	return change(state, id, (before) => ({ ...before, status: "answered", answer }));
};

/** Its first end is its only one. */
const ended = (state: EngineState, { data }: Envelope<"dev.orion.level.answered.v1">): EngineState => {
	const { ask: id, end: status, by, via, why } = data;
	const { engineMs: closedMs, wallMs: closedWallMs } = state.clock;
	const said = { ...(by === undefined ? {} : { by }), ...(via === undefined ? {} : { via }), ...(why === undefined ? {} : { why }) };
	return change(state, id, (ask) => (isLive(ask.status) ? { ...ask, ...said, status, closedMs, closedWallMs, tookMs: closedMs - ask.askedMs } : ask));
};

export const foldLevelAsks = (state: EngineState, { envelope, position }: Recorded): EngineState => {
	switch (envelope.type) {
		case "dev.orion.level.asked.v1":
			return envelope.source === DOOR ? asked(state, envelope) : state;
		case "dev.orion.level.answered.v1":
			return ENDS_AT.includes(envelope.source) ? ended(state, envelope) : state;
		case "dev.orion.approval.decided.v1":
			return answered(state, envelope, position);
		case "dev.orion.approval.seen.v1": {
			const { approval, by, via } = envelope.data;
			const who = `${by} (${via})`;
			if (!isFromPerson(envelope.source)) return state;
			return change(state, approval, (ask) => (ask.seen.includes(who) ? ask : { ...ask, seen: [...ask.seen, who].slice(0, SEEN_MAX) }));
		}
		case "dev.orion.approval.refused.v1":
			return change(state, envelope.data.approval, (ask) => ({ ...ask, refusals: ask.refusals + 1 }));
		case "dev.orion.engine.started.v1":
			if (envelope.data.downtimeMs !== null || !asksOf(state).some(({ status }) => isLive(status))) return state;
			return withAsks(
				state,
				asksOf(state).map((ask) => (isLive(ask.status) ? { ...ask, unsure: true } : ask)),
			);
		default:
			return state;
	}
};

/** What has changed since it was asked. */
const drifted = ({ level, clock }: EngineState, { before, unsure, answer }: LevelAsk): string | undefined => {
	if (unsure) return "core was away, and nobody knows for how long: its deadline means nothing any more";
	if (level !== before) return `the level is ${level} now, and was ${before} when it was asked`;
	if (answer?.verdict === "approve" && clock.engineMs > answer.atMs + LEVEL_EXECUTE_WITHIN_MS)
		return `it was approved, but could not be carried out within ${sayDuration(LEVEL_EXECUTE_WITHIN_MS)}`;
	return undefined;
};

/** A yes that led to nothing is told why. */
const unheard = ({ id, answer }: LevelAsk, end: Answered["end"], why: string | undefined): readonly Draft[] => {
	if (answer?.verdict !== "approve" || end === "approved") return [];
	const { verdict, by, via, position } = answer;
	const reason: Refusal = end === "void" ? "drift" : end;
	const data = { approval: id, verdict, by, via, reason, detail: why ?? `it was ${end} in the same moment`, position };
	return [draft(PART, "dev.orion.approval.refused.v1", data, undefined, id)];
};

const settle = (state: EngineState, ask: LevelAsk): readonly Draft[] => {
	const { id, status, level, asked: bound, answer } = ask;
	if (!isLive(status)) return [];
	const { engineMs } = state.clock;
	const stale = drifted(state, ask);
	const holds = new Set<Happening>();
	if (answer?.verdict === "revoke" || answer?.verdict === "deny") holds.add(answer.verdict);
	if (stale !== undefined) holds.add("void");
	if (engineMs > bound.decideByEngineMs) holds.add("expire");
	if (answer?.verdict === "approve" && engineMs > answer.atMs) holds.add("honour");
	const end = settled(status, holds)?.end;
	if (end === undefined || end === "superseded") return [];
	const byPerson = answer !== undefined && end !== "void" && end !== "expired";
	const why = byPerson ? answer.why : end === "void" ? stale : undefined;
	const by = byPerson ? { by: answer.by.slice(0, NAME_LENGTH_MAX), via: answer.via } : {};
	const closing = draft(PART, "dev.orion.level.answered.v1", { ask: id, end, ...by, ...(why === undefined ? {} : { why }) }, undefined, id);
	if (end !== "approved" || answer === undefined) return [...unheard(ask, end, stale), closing];
	return [closing, draft(PART, "dev.orion.level.set.v1", { level, by: answer.by, why: `asked for in a chat (${id})` })];
};

const settleAll = (state: EngineState): readonly Draft[] => {
	const drafts: Draft[] = [];
	for (const ask of asksOf(state)) {
		const made = settle(state, ask);
		drafts.push(...made);
		// Others that were asked at the level before are looked at again once it is set.
		if (made.some(({ type }) => type === "dev.orion.level.set.v1")) break;
	}
	return drafts;
};

const onAnswer = (state: EngineState, { data, source }: Envelope<"dev.orion.approval.decided.v1">, position: number): readonly Draft[] => {
	const ask = levelAskOf(state, data.approval);
	if (ask === undefined || !isFromPerson(source)) return [];
	const { approval, verdict, by, via } = data;
	// A no counts at once; a yes only when time has moved on.
	if (ask.answer?.position === position) return verdict === "approve" ? [] : settle(state, ask);
	const reason = refusalOf(ask, data, state.clock.engineMs) ?? "unknown";
	const refused = { approval, verdict, by, via, reason, detail: saysRefusal(reason, ask), position };
	return [draft(PART, "dev.orion.approval.refused.v1", refused, undefined, approval)];
};

export const decideLevelAsks = (state: EngineState, { envelope, position }: Recorded): readonly Draft[] => {
	switch (envelope.type) {
		case "dev.orion.approval.decided.v1":
			return onAnswer(state, envelope, position);
		case "dev.orion.clock.tick.v1":
		case "dev.orion.engine.started.v1":
		case "dev.orion.level.asked.v1":
		case "dev.orion.level.set.v1":
			return settleAll(state);
		default:
			return [];
	}
};

/** Engine times at which one ends or its answer begins to count. */
export function* levelAskTimers(state: EngineState): Iterable<number> {
	for (const { status, asked: bound, answer } of asksOf(state)) {
		if (!isLive(status)) continue;
		yield bound.decideByEngineMs + 1;
		if (answer !== undefined) yield answer.atMs + 1;
	}
}
