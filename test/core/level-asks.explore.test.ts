// Shows by trying every order of answers, deadlines, levels and restarts that a level is raised by a good yes only, once, and that each ask for one ends once, and in one batch with the level (TELL-44, TELL-47).
import { describe, expect, test } from "vitest";
import { canonicalText } from "../../contracts/digest.ts";
import type { RecordTypes } from "../../contracts/envelope.ts";
import { fold, step } from "../../core/engine.ts";
import { Replay } from "../../core/memory/replay.ts";
import type { Level } from "../../core/policy.ts";
import type { Recorded } from "../../core/record.ts";
import { type EngineState, emptyState } from "../../core/state.ts";
import { bytesOf, EngineRig, inputOf, MESH } from "../support/engine.ts";

type Verdict = RecordTypes["dev.orion.approval.decided.v1"]["verdict"];

const FIRST = "apr-00000000000a";
const SECOND = "apr-00000000000b";
const STANDS_MS = 600_000;
const EXECUTE_WITHIN_MS = 60_000;

/** What an outsider knows of an ask: only from records. */
interface Known {
	readonly to: Level;
	readonly before: Level;
	readonly decideByMs: number;
	/** When a yes to what was shown came in time, while it was open. */
	readonly yesMs?: number;
	readonly no: boolean;
	/** Core was away since, and nobody knows for how long. */
	readonly unsure?: true;
	readonly ends: readonly string[];
}

interface World {
	readonly state: EngineState;
	readonly records: readonly Recorded[];
	/** By the records. */
	readonly level: Level;
	readonly known: Readonly<Record<string, Known>>;
	readonly raised: number;
	readonly wrong: readonly string[];
}

const positionAfter = ({ records }: World): number => records.length + 1;

/** Holds what followed from one input against the promises. */
const look = (world: World, { envelope }: Recorded, next: Recorded | undefined): World => {
	const wrong: string[] = [];
	// A node ends nothing.
	if (envelope.type === "dev.orion.level.answered.v1" && !envelope.source.startsWith("/nodes/")) {
		const { ask, end } = envelope.data;
		const known = world.known[ask];
		if (known === undefined || known.ends.length > 0) wrong.push(`${ask} ends ${end} after ${known?.ends.join() ?? "nothing"}`);
		const set = next?.envelope.type === "dev.orion.level.set.v1" ? next.envelope.data.level : undefined;
		if ((end === "approved") !== (set !== undefined)) wrong.push(`${ask} is ${end}, and the level ${set ?? "not"} set with it`);
		const { clock } = world.state;
		if (end === "approved" && known !== undefined) {
			if (set !== known.to) wrong.push(`${ask} asked for ${known.to} and sets ${set}`);
			if (known.unsure === true) wrong.push(`${ask} is approved, and nobody knows how old it is`);
			if (known.no) wrong.push(`${ask} is approved after a no`);
			if (known.yesMs === undefined || clock.engineMs > known.yesMs + EXECUTE_WITHIN_MS) wrong.push(`${ask} is approved without a yes in time`);
			if (known.yesMs === clock.engineMs) wrong.push(`${ask} is approved in the very moment of the yes: a no in it would come too late`);
			if (world.level !== known.before) wrong.push(`${ask} is approved at ${world.level} and was asked at ${known.before}`);
		}
		if (end === "expired" && known !== undefined && clock.engineMs <= known.decideByMs) wrong.push(`${ask} expires early`);
		const ended = known === undefined ? {} : { [ask]: { ...known, ends: [...known.ends, end] } };
		return { ...world, known: { ...world.known, ...ended }, wrong: [...world.wrong, ...wrong] };
	}
	if (envelope.type === "dev.orion.level.set.v1") {
		const byCore = envelope.source === "/core/approvals" ? 1 : 0;
		return { ...world, level: envelope.data.level, raised: world.raised + byCore };
	}
	return world;
};

const given = (world: World, input: Recorded, isDecided = true): World => {
	const seen = look({ ...world, records: [...world.records, input] }, input, undefined);
	if (!isDecided) return { ...seen, state: fold(world.state, input) };
	const { state, outputs } = step(world.state, input);
	const made = outputs.map((envelope, index) => ({ position: seen.records.length + 1 + index, envelope }));
	const next: World = { ...seen, state, records: [...seen.records, ...made] };
	return made.reduce((before, record, index) => look(before, record, made[index + 1]), next);
};

const asked = (world: World, ask: string, level: Level, before: Level): World => {
	const data = { ask, level, before, by: "telegram:1 Anna", via: "telegram", decideWithinMs: STANDS_MS };
	const known: Known = { to: level, before, decideByMs: world.state.clock.engineMs + STANDS_MS, no: false, ends: [] };
	return given({ ...world, known: { ...world.known, [ask]: known } }, inputOf(positionAfter(world), "/core/telegram", "dev.orion.level.asked.v1", data));
};

const begin = (): World => {
	const { state, records } = new EngineRig({ level: "N0" });
	const world: World = { state, records, level: "N0", known: {}, raised: 0, wrong: [] };
	return asked(asked(world, FIRST, "N2", "N0"), SECOND, "N3", "N0");
};

const heard = (world: World, ask: string, verdict: Verdict, isGood: boolean): World => {
	const known = world.known[ask];
	if (known === undefined || known.ends.length > 0) return world;
	const { engineMs } = world.state.clock;
	const inTime = verdict === "approve" ? engineMs < known.decideByMs : engineMs <= known.decideByMs || known.yesMs !== undefined;
	if (!inTime || !isGood) return world;
	const yes = known.yesMs ?? engineMs;
	return { ...world, known: { ...world.known, [ask]: verdict === "approve" ? { ...known, yesMs: yes } : { ...known, no: true } } };
};

const answer = (
	world: World,
	ask: string,
	verdict: Verdict,
	how: { readonly source?: string; readonly hash?: string; readonly undecided?: true } = {},
): World => {
	const { source = "/core/operator", hash, undecided } = how;
	const right = world.state.chat?.levelAsks.find(({ id }) => id === ask)?.asked.boundHash ?? "";
	const data = { approval: ask, verdict, boundHash: hash ?? right, by: "anna", via: "cli" as const };
	const isGood = hash === undefined && source.startsWith("/core/");
	return given(heard(world, ask, verdict, isGood), inputOf(positionAfter(world), source, "dev.orion.approval.decided.v1", data), undecided !== true);
};

const tick = (world: World, ms: number): World => {
	const engineMs = world.state.clock.engineMs + ms;
	return given(
		world,
		inputOf(positionAfter(world), "/core/clock", "dev.orion.clock.tick.v1", { engineMs, wallMs: engineMs, quality: "synced", offsetMinutes: 0 }),
	);
};

const level = (world: World, to: Level, isDecided = true): World =>
	given(world, inputOf(positionAfter(world), "/core/operator", "dev.orion.level.set.v1", { level: to, by: "bert" }), isDecided);

const restart = (world: World, downtimeMs: number | null): World => {
	const { policyHash, clock } = world.state;
	const coreTerm = { counter: 1, keyId: "k" };
	const data = { code: "0.1.0", stateSchema: 3, policyHash, coreTerm, decidedUpTo: 0, downtimeMs, engineMs: clock.engineMs + (downtimeMs ?? 0) };
	const known = Object.fromEntries(Object.entries(world.known).map(([id, ask]) => [id, downtimeMs === null ? { ...ask, unsure: true as const } : ask]));
	return given({ ...world, known }, inputOf(positionAfter(world), "/core/engine", "dev.orion.engine.started.v1", data));
};

/** A node says that an ask is over, and that the level is raised: neither is a node's to say. */
const forged = (world: World): World =>
	given(world, inputOf(positionAfter(world), "/nodes/pi-1", "dev.orion.level.answered.v1", { ask: FIRST, end: "denied" }), false);

type Word = readonly [name: string, say: (world: World) => World];

const CORE: readonly Word[] = [
	["yes to the first", (world) => answer(world, FIRST, "approve")],
	["yes to the second in a chat", (world) => answer(world, SECOND, "approve", { source: "/core/telegram" })],
	["no to the first", (world) => answer(world, FIRST, "deny")],
	["the second taken back", (world) => answer(world, SECOND, "revoke")],
	["a moment", (world) => tick(world, 1)],
	["to the deadline", (world) => tick(world, Math.max(0, STANDS_MS - world.state.clock.engineMs))],
	["past the deadline", (world) => tick(world, STANDS_MS + 1)],
	["level N2", (world) => level(world, "N2")],
	["restart", (world) => restart(world, 0)],
];

const MORE: readonly Word[] = [
	["yes to something else", (world) => answer(world, FIRST, "approve", { hash: `sha256:${"0".repeat(64)}` })],
	["a node's yes", (world) => answer(world, FIRST, "approve", { source: "/nodes/pi-1" })],
	["a node's end", forged],
	["level N0 again", (world) => level(world, "N0")],
	["restart, unknown downtime", (world) => restart(world, null)],
	["yes, then core dies", (world) => restart(answer(world, FIRST, "approve", { undecided: true }), 5)],
	["yes, then core dies for long", (world) => restart(answer(world, FIRST, "approve", { undecided: true }), EXECUTE_WITHIN_MS + 1)],
	["yes and no, then core dies", (world) => restart(answer(answer(world, FIRST, "approve", { undecided: true }), FIRST, "deny", { undecided: true }), 5)],
	["yes and another level, then core dies", (world) => restart(level(answer(world, SECOND, "approve", { undecided: true }), "N2", false), 5)],
];

const explore = (words: readonly Word[], depth: number) => {
	const found = { paths: 0, raised: 0, wrong: [] as string[], ends: new Set<string>(), diverged: [] as string[] };
	const visit = (world: World, path: readonly string[]): void => {
		found.paths += 1;
		for (const wrong of world.wrong) if (found.wrong.length < 20) found.wrong.push(`${path.join(" > ")}: ${wrong}`);
		if (world.wrong.length > 0) return;
		if (path.length < depth) {
			for (const [name, say] of words) visit(say(world), [...path, name]);
			return;
		}
		// Whatever happened: once its time is over and an answer could count, each has one end.
		const over = tick(tick(world, STANDS_MS + 1), 1);
		for (const [id, { ends }] of Object.entries(over.known)) {
			for (const end of ends) found.ends.add(end);
			const shown = over.state.chat?.levelAsks.find((ask) => ask.id === id)?.status;
			if (ends.length !== 1 || ends[0] !== shown) found.wrong.push(`${path.join(" > ")}: ${id} ends ${ends.join()}, shown as ${shown}`);
		}
		found.raised += over.raised;
		if (over.level !== over.state.level) found.wrong.push(`${path.join(" > ")}: the level is ${over.state.level}, and ${over.level} by the records`);
		if (found.paths % 101 !== 0) return;
		// Who starts anew folds what stands in the log, and knows the same.
		const folded = over.records.reduce(fold, emptyState(MESH));
		if (canonicalText(folded) !== canonicalText(over.state)) found.diverged.push(`${path.join(" > ")}: a restart knows something else`);
		const replay = new Replay(MESH);
		for (const record of bytesOf(over.records)) replay.push(record);
		replay.finish();
		if (replay.divergence !== undefined) found.diverged.push(path.join(" > "));
	};
	visit(begin(), []);
	return found;
};

const ENDS = ["approved", "denied", "expired", "revoked", "void"];

describe("every order of events", () => {
	test("TELL-44: all sequences of four out of answers, deadlines, another level, and restarts", () => {
		const found = explore(CORE, 4);
		expect(found.wrong).toEqual([]);
		expect(found.diverged).toEqual([]);
		expect([...found.ends].sort()).toEqual(ENDS);
		expect(found.raised).toBeGreaterThan(300);
	}, 120_000);
	test("TELL-44: all sequences of three with forgeries, deaths in the middle of an answer, and downtimes too", () => {
		const found = explore([...CORE, ...MORE], 3);
		expect(found.wrong).toEqual([]);
		expect(found.diverged).toEqual([]);
		expect([...found.ends].sort()).toEqual(ENDS);
		expect(found.raised).toBeGreaterThan(500);
	}, 120_000);
});

test("TELL-47: an answer that counts for nothing is refused by a record with its reason", () => {
	const refused = (world: World) =>
		world.records.flatMap(({ envelope }) => (envelope.type === "dev.orion.approval.refused.v1" ? [[envelope.data.approval, envelope.data.reason]] : []));
	const twice = answer(answer(begin(), FIRST, "approve"), FIRST, "approve");
	expect(refused(twice)).toEqual([[FIRST, "used"]]);
	expect(refused(answer(begin(), FIRST, "approve", { hash: `sha256:${"1".repeat(64)}` }))).toEqual([[FIRST, "foreign-hash"]]);
	expect(refused(answer(answer(begin(), FIRST, "deny"), FIRST, "approve"))).toEqual([[FIRST, "denied"]]);
	expect(refused(answer(tick(begin(), STANDS_MS), FIRST, "approve"))).toEqual([[FIRST, "late"]]);
	expect(refused(answer(tick(begin(), STANDS_MS + 1), FIRST, "approve"))).toEqual([[FIRST, "expired"]]);
	// The yes was given, and the level changed before time had moved on.
	expect(refused(level(answer(begin(), SECOND, "approve"), "N2"))).toEqual([[SECOND, "drift"]]);
	// A node is not even told.
	expect(refused(answer(begin(), FIRST, "approve", { source: "/nodes/pi-1" }))).toEqual([]);
	const counted = answer(begin(), FIRST, "approve", { hash: `sha256:${"1".repeat(64)}` }).state.chat?.levelAsks[0];
	expect(counted).toMatchObject({ status: "open", refusals: 1 });
});

test("TELL-47: however many were asked before, one that stands stays until it ends", () => {
	let world = begin();
	for (let n = 0; n < 40; n++) {
		const id = `apr-0000000001${String(n).padStart(2, "0")}`;
		world = answer(asked(world, id, "N3", "N0"), id, "deny");
	}
	const kept = world.state.chat?.levelAsks ?? [];
	expect(kept.length).toBe(16);
	expect(kept.filter(({ status }) => status === "open").map(({ id }) => id)).toEqual([FIRST, SECOND]);
});
