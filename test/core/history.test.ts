// Shows that a log is folded in the order in which it was decided, wherever a core ended, and that a replay names the first byte that differs.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { digest } from "../../contracts/digest.ts";
import type { Envelope } from "../../contracts/envelope.ts";
import { fold, step } from "../../core/engine.ts";
import { History } from "../../core/memory/history.ts";
import { Replay } from "../../core/memory/replay.ts";
import { readSnapshot, takeSnapshot } from "../../core/memory/snapshot.ts";
import { isOutput, type Recorded } from "../../core/record.ts";
import { type EngineState, emptyState } from "../../core/state.ts";
import { activated, bytesOf, EngineRig, inputOf, MESH, shippedPolicy } from "../support/engine.ts";
import { stories, tell } from "../support/story.ts";

const POLICY = shippedPolicy();

/** A core that decides later than the door accepts, and may end at any moment: the pure parts, with a list for a log. */
class LateCore {
	readonly log: Recorded[] = [];
	state: EngineState = emptyState(MESH);
	decidedUpTo = 0;
	#next = 1;
	#starts = 0;

	/** Everything up to here is in the state, decided on or folded at a start. */
	get readUpTo(): number {
		return this.#next - 1;
	}

	accept(envelope: Envelope): void {
		this.log.push({ position: this.log.length + 1, envelope });
	}

	/** Decides on the oldest input that waits; false when there is none. */
	decideOne(): boolean {
		while (this.#next <= this.log.length) {
			const record = this.log[this.#next - 1];
			this.#next += 1;
			if (record === undefined || isOutput(record.envelope)) continue;
			const { state, outputs } = step(this.state, record);
			for (const envelope of outputs) this.accept(envelope);
			this.state = state;
			this.decidedUpTo = record.position;
			return true;
		}
		return false;
	}

	/** What another core makes of this log. */
	recovered(snapshot?: { readonly state: EngineState; readonly decidedUpTo: number }): { readonly state: EngineState; readonly decidedUpTo: number } {
		const history = new History(snapshot?.decidedUpTo ?? 0);
		let state = snapshot?.state ?? emptyState(MESH);
		for (const record of this.log.slice(snapshot?.decidedUpTo ?? 0))
			for (const { input, outputs } of history.push(record)) state = [input, ...outputs].reduce(fold, state);
		const { chapters, waiting } = history.finish();
		for (const { input, outputs } of chapters) state = [input, ...outputs].reduce(fold, state);
		return { state: waiting.reduce(fold, state), decidedUpTo: history.decidedUpTo };
	}

	/** Ends and starts again: what was not decided on is folded without acting. */
	restart(): void {
		this.state = this.recovered().state;
		this.#starts += 1;
		this.#next = this.log.length + 1;
		const started = {
			code: "t",
			stateSchema: 1,
			policyHash: POLICY.hash,
			coreTerm: { counter: this.#starts, keyId: "k" },
			decidedUpTo: this.decidedUpTo,
			downtimeMs: null,
			engineMs: this.state.clock.engineMs,
		};
		this.accept(inputOf(this.log.length + 1, "/core/engine", "dev.orion.engine.started.v1", started).envelope);
	}
}

/** Inputs of a story, and after each how many are decided on (0..3) or whether the core ends there. */
const lateStories = fc.tuple(stories(30), fc.array(fc.integer({ min: -1, max: 3 }), { minLength: 1, maxLength: 50 }));

const run = (words: Parameters<typeof tell>[1][], pace: readonly number[]): LateCore => {
	const rig = new EngineRig({ nodes: ["pi-1", "pi-2"] });
	for (const word of words) tell(rig, word);
	const inputs = rig.records.flatMap(({ envelope }) => (isOutput(envelope) || envelope.type === "dev.orion.engine.started.v1" ? [] : [envelope]));
	const core = new LateCore();
	core.accept(inputOf(1, "/core/policy", "dev.orion.policy.activated.v1", activated(POLICY)).envelope);
	core.restart();
	for (const [index, envelope] of inputs.entries()) {
		core.accept({ ...envelope, id: `late-${index}` });
		const steps = pace[index % pace.length] ?? 0;
		if (steps < 0) core.restart();
		for (let n = 0; n < steps; n++) core.decideOne();
	}
	return core;
};

describe("a core that ends at any record", () => {
	test("property: the log is folded to the state in which it was decided (TELL-2)", () => {
		fc.assert(
			fc.property(lateStories, ([words, pace]) => {
				const core = run([...words], pace);
				const waiting = core.log.filter(({ position, envelope }) => position > core.readUpTo && !isOutput(envelope));
				const expected = waiting.reduce(fold, core.state);
				const recovered = core.recovered();
				expect(digest(recovered.state)).toBe(digest(expected));
				// The newest cause that is named is the cursor.
				expect(recovered.decidedUpTo).toBe(Math.max(0, ...core.log.map(({ envelope }) => envelope.causeposition ?? 0)));
			}),
			{ numRuns: 150 },
		);
	});

	test("property: from a snapshot taken at any moment it is the same state", () => {
		fc.assert(
			fc.property(lateStories, fc.nat({ max: 30 }), ([words, pace], at) => {
				const core = run([...words], pace);
				// Not before the start itself was decided on: until then there is nothing new to keep.
				for (let n = 0; n <= at && core.decideOne(); n++);
				const snapshot = readSnapshot(JSON.parse(JSON.stringify(takeSnapshot(core.state, core.decidedUpTo, "t"))));
				expect(snapshot).toBeDefined();
				while (core.decideOne());
				expect(digest(core.recovered(snapshot).state)).toBe(digest(core.recovered().state));
			}),
			{ numRuns: 100 },
		);
	});

	test("property: the replay of such a log differs in no byte (TELL-1)", () => {
		fc.assert(
			fc.property(lateStories, ([words, pace]) => {
				const core = run([...words], pace);
				while (core.decideOne());
				const replay = new Replay(MESH);
				for (const record of bytesOf(core.log)) replay.push(record);
				replay.finish();
				expect(replay.divergence).toBeUndefined();
				expect(digest(replay.state)).toBe(digest(core.state));
			}),
			{ numRuns: 100 },
		);
	});
});

describe("a replay that differs", () => {
	const recorded = () => {
		const rig = new EngineRig();
		rig.down();
		rig.receipt(rig.action(), "done");
		rig.up();
		rig.tick(3_000);
		rig.down();
		return bytesOf(rig.records);
	};
	const replayed = (records: ReturnType<typeof recorded>) => {
		const replay = new Replay(MESH);
		for (const record of records) replay.push(record);
		replay.finish();
		return replay;
	};

	test("every output: one byte otherwise, and its input, its place and the byte are named", () => {
		const records = recorded();
		const firstOf = new Map<number, number>();
		for (const [index, { envelope, position, bytes }] of records.entries()) {
			const { causeposition } = envelope;
			if (causeposition === undefined) continue;
			firstOf.set(causeposition, firstOf.get(causeposition) ?? position);
			const changed = Uint8Array.from(bytes);
			const at = bytes.length - 3;
			changed[at] = (changed[at] ?? 0) ^ 1;
			const { divergence } = replayed(records.with(index, { ...records[index], bytes: changed } as (typeof records)[number]));
			expect(divergence).toMatchObject({ position: causeposition, index: position - (firstOf.get(causeposition) ?? 0), byte: at, recordedBy: "0.1.0" });
		}
		expect(firstOf.size).toBe(5);
	});

	test("an output that is missing, and one too many", () => {
		const records = recorded();
		const last = records.findLastIndex(({ envelope }) => isOutput(envelope));
		const missing = replayed(records.filter((_record, index) => index !== last));
		expect(missing.divergence).toMatchObject({ recorded: undefined, byte: -1 });
		const extra = records[last];
		if (extra === undefined) throw new Error("no output");
		expect(replayed([...records, { ...extra, position: records.length + 1 }]).divergence).toMatchObject({ replayed: undefined, byte: -1 });
	});
});

describe("snapshots", () => {
	const good = () => JSON.parse(JSON.stringify(takeSnapshot(new EngineRig().state, 4, "t"))) as Record<string, unknown>;

	test.each([
		["other format", { schema: "orion.snapshot/2" }],
		["state of another shape", { stateSchema: 99 }],
		["a position that is none", { decidedUpTo: 1.5 }],
		["a position that was changed", { decidedUpTo: 5 }],
		["no state", { state: null }],
		["a list for a state", { state: [] }],
		["another digest", { digest: "sha256:00" }],
	])("%s is ignored, never repaired", (_name, change) => {
		expect(readSnapshot(good())).toBeDefined();
		expect(readSnapshot({ ...good(), ...change })).toBeUndefined();
	});

	test.each([[undefined], [null], [7], ["text"], [[]], [{}]])("%j is no snapshot", (value) => {
		expect(readSnapshot(value)).toBeUndefined();
	});

	test("a state in which anything was changed is ignored", () => {
		const snapshot = good();
		const state = snapshot["state"] as Record<string, unknown>;
		for (const name of Object.keys(state)) expect(readSnapshot({ ...snapshot, state: { ...state, [name]: "changed" } })).toBeUndefined();
	});

	test("one that is nested deeper than anything of ours is ignored, and does not end the process", () => {
		let deep: unknown = 1;
		for (let n = 0; n < 200; n++) deep = { deep };
		expect(readSnapshot({ ...good(), state: deep })).toBeUndefined();
	});
});
