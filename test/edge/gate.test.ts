// Shows that the gate gives every command exactly one verdict: each refusal of the table with its typed reason, and an effect only where nothing speaks against it (HARM-3, HARM-4).
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkContract } from "../../contracts/envelope.ts";
import type { ActionCommand } from "../../contracts/gen/types.ts";
import { type Arrival, type GateVerdict, type GateView, judgeCommand, type Read, type RefusalReason } from "../../edge/machines/gate.ts";
import { foldMarks, freshMarks, KNOWN_MAX, type Marks, type Receipt } from "../../edge/machines/marks.ts";
import { commandOf, OTHER_POLICY, POLICY } from "./world.ts";

const KEY = { keyId: "00112233445566aa" };
const SESSION = "5.00000000000000aa";

const view = (change: Partial<GateView> = {}): GateView => ({
	mesh: "mesh-1",
	node: "pi-1",
	session: SESSION,
	nowTick: 1_500,
	safety: "working",
	actions: { "process.restart": { service: ["web", "db"] }, "process.stop": { service: ["web", "db"] } },
	policies: { current: POLICY, previous: undefined },
	running: [],
	runningMax: 16,
	...change,
});

const marksOf = (change: Partial<Marks> = {}): Marks => ({ ...freshMarks(5), coreTerm: { counter: 3, keyId: KEY.keyId }, ...change });

const arrival = (change: Partial<ActionCommand> = {}, read?: Read): Arrival => {
	const command = commandOf(KEY, change);
	return { topicAction: "process.restart", fingerprint: "f00d", read: read ?? { kind: "command", keyId: KEY.keyId, command } };
};

const receiptOf = (verdict: GateVerdict): Receipt | undefined => verdict.effects.flatMap((effect) => (effect.kind === "say" ? [effect.receipt] : []))[0];

describe("HARM-4: every refusal, with its reason", () => {
	const rows: readonly (readonly [name: string, reason: RefusalReason, arrival: Arrival, view: GateView, marks: Marks])[] = [
		["no JWS", "malformed", arrival({}, { kind: "not-verified", reason: "malformed", detail: "x" }), view(), marksOf()],
		["bad signature", "bad-signature", arrival({}, { kind: "not-verified", reason: "bad-signature", detail: "x" }), view(), marksOf()],
		["unknown key", "unknown-key", arrival({}, { kind: "not-verified", reason: "unknown-key", detail: "x" }), view(), marksOf()],
		["not a command", "contract-violated", arrival({}, { kind: "not-a-command", detail: "/seq: missing" }), view(), marksOf()],
		["signed by another core than its term says", "key-mismatch", arrival({ coreTerm: { counter: 3, keyId: "ffff" } }), view(), marksOf()],
		["other mesh", "other-mesh", arrival({ mesh: "mesh-2" }), view(), marksOf()],
		["other node", "other-node", arrival({ node: "pi-2" }), view(), marksOf()],
		["other action than its topic", "other-topic", arrival({ action: "process.stop" }), view(), marksOf()],
		["lower core term", "core-deposed", arrival(), view(), marksOf({ coreTerm: { counter: 4, keyId: KEY.keyId } })],
		["same term, other key", "core-term-forked", arrival(), view(), marksOf({ coreTerm: { counter: 3, keyId: "eeee" } })],
		["other session", "other-session", arrival({ session: "5.00000000000000ab" }), view(), marksOf()],
		["later session", "other-session", arrival({ session: "6.00000000000000ab" }), view(), marksOf()],
		["tick from the future", "tick-from-the-future", arrival({ tick: 1_501 }), view(), marksOf()],
		["too old", "too-old", arrival({ notAfterMs: 499 }), view(), marksOf()],
		["too old although it just arrived", "too-old", arrival({ tick: 0, notAfterMs: 1_000 }), view(), marksOf()],
		["unknown action", "unknown-action", { ...arrival({ action: "host.reboot" }), topicAction: "host.reboot" }, view(), marksOf()],
		["action of the prototype", "unknown-action", { ...arrival({ action: "constructor" }), topicAction: "constructor" }, view(), marksOf()],
		["argument missing", "args-wrong", arrival({ args: {} }), view(), marksOf()],
		["argument too many", "args-wrong", arrival({ args: { service: "web", force: true } }), view(), marksOf()],
		["argument of another type", "args-wrong", arrival({ args: { service: 1 } }), view(), marksOf()],
		["unknown service", "args-wrong", arrival({ args: { service: "mail" } }), view(), marksOf()],
		["unknown policy", "policy-unknown", arrival({ policyHash: OTHER_POLICY }), view(), marksOf()],
		["no policy heard yet", "policy-unknown", arrival(), view({ policies: { current: undefined, previous: undefined } }), marksOf()],
		[
			"policy of before, too late",
			"policy-unknown",
			arrival({ policyHash: OTHER_POLICY }),
			view({ policies: { current: POLICY, previous: { hash: OTHER_POLICY, goodUntilTick: 1_499 } } }),
			marksOf(),
		],
		["booting", "booting", arrival(), view({ safety: "boot" }), marksOf()],
		["alone", "alone", arrival(), view({ safety: "alone" }), marksOf()],
		["stopped", "stopped", arrival(), view({ safety: "stopped" }), marksOf()],
		["its certificate is over or taken back", "restricted", arrival(), view({ safety: "restricted" }), marksOf()],
		["overtaken", "overtaken", arrival({ seq: 9 }), view(), marksOf({ seq: 9 })],
		["busy", "busy", arrival(), view({ running: ["a"], runningMax: 1 }), marksOf()],
	];
	test.each(rows)("%s: %s", (_, reason, came, now, marks) => {
		const verdict = judgeCommand(marks, now, came);
		expect(verdict.kind).toBe("refuse");
		expect(verdict.effects.map(({ kind }) => kind)).toEqual(["say"]);
		const receipt = receiptOf(verdict);
		expect(receipt).toMatchObject({ phase: "refused", reason });
		expect(checkContract("action.receipt", receipt).ok).toBe(true);
	});

	test("what is not for this node, or not from a core, is not answered by its own id: the answer would count for another", () => {
		for (const came of [arrival({ node: "pi-2" }), arrival({ mesh: "mesh-2" }), arrival({}, { kind: "not-verified", reason: "bad-signature", detail: "x" })]) {
			expect(receiptOf(judgeCommand(marksOf(), view(), came))?.command).toBe("refused-f00d");
		}
	});

	test("a refusal carries the node's marks, so that core sees what it is behind of", () => {
		const marks = marksOf({ seq: 12, coreTerm: { counter: 9, keyId: "eeee" } });
		expect(receiptOf(judgeCommand(marks, view(), arrival()))?.marks).toEqual({ seq: 12, coreTermCounter: 9, coreTermKeyId: "eeee" });
	});
});

describe("accepting", () => {
	test("HARM-3: the intent is on disk before the effect", () => {
		const verdict = judgeCommand(marksOf(), view(), arrival());
		expect(verdict.kind).toBe("accept");
		const kinds = verdict.effects.map(({ kind }) => kind);
		expect(kinds.indexOf("write")).toBeLessThan(kinds.indexOf("run"));
		expect(verdict.effects[0]).toEqual({
			kind: "write",
			entry: { kind: "intent", command: "act-1", seq: 10, action: "process.restart", args: { service: "web" } },
		});
	});

	test("a newer core is remembered before it is obeyed", () => {
		const verdict = judgeCommand(marksOf({ coreTerm: { counter: 2, keyId: "eeee" } }), view(), arrival());
		expect(verdict.effects.slice(0, 2)).toEqual([
			{ kind: "write", entry: { kind: "term", counter: 3, keyId: KEY.keyId } },
			expect.objectContaining({ kind: "write", entry: expect.objectContaining({ kind: "intent" }) }),
		]);
	});

	test("exactly at its age limit, and under the policy of before in its grace, it is still good", () => {
		expect(judgeCommand(marksOf(), view(), arrival({ notAfterMs: 500 })).kind).toBe("accept");
		const policies = { current: POLICY, previous: { hash: OTHER_POLICY, goodUntilTick: 1_500 } };
		expect(judgeCommand(marksOf(), view({ policies }), arrival({ policyHash: OTHER_POLICY })).kind).toBe("accept");
	});

	test("HARM-7: wall time is not asked: the view has none", () => {
		expect(Object.keys(view()).some((name) => /wall|time|date/i.test(name))).toBe(false);
	});
});

describe("HARM-3: repeats", () => {
	const accepted = foldMarks(marksOf(), { kind: "intent", command: "act-1", seq: 10, action: "process.restart", args: { service: "web" } });
	const done: Receipt = { command: "act-1", action: "process.restart", phase: "done", result: { pid: 7 } };

	test("a repeat gets the last receipt, whatever else has changed meanwhile", () => {
		const marks = foldMarks(accepted, { kind: "receipt", receipt: done });
		const changes: readonly Partial<GateView>[] = [
			{},
			{ safety: "alone" },
			{ nowTick: 1_000_000 },
			{ session: "6.00000000000000bb" },
			{ policies: { current: OTHER_POLICY, previous: undefined } },
		];
		for (const change of changes) {
			const verdict = judgeCommand({ ...marks, coreTerm: { counter: 8, keyId: "eeee" } }, view(change), arrival());
			expect(verdict).toEqual({ kind: "repeat", effects: [{ kind: "say", receipt: { ...done, repeat: true } }] });
		}
	});

	test("one that is under way, or whose outcome is being found out, is answered as begun", () => {
		for (const running of [["act-1"], []]) {
			const verdict = judgeCommand(accepted, view({ running }), arrival());
			expect(verdict.kind).toBe("repeat");
			expect(receiptOf(verdict)).toMatchObject({ phase: "started", reason: "in-flight", repeat: true });
			expect(verdict.effects.some(({ kind }) => kind === "run")).toBe(false);
		}
	});

	test.each([{ seq: 11 }, { args: { service: "db" } }])("the same id for another command (%o) is refused", (change) => {
		const verdict = judgeCommand(accepted, view(), arrival(change));
		expect(receiptOf(verdict)).toMatchObject({ phase: "refused", reason: "id-reused", command: "refused-f00d" });
	});

	test("what this node cannot remember is unknown, not refused: it might have happened", () => {
		expect(receiptOf(judgeCommand(marksOf({ forgottenSeq: 10, seq: 20 }), view(), arrival()))).toMatchObject({
			command: "act-1",
			phase: "unknown",
			reason: "forgotten",
		});
		expect(receiptOf(judgeCommand(marksOf(), view(), arrival({ session: "4.00000000000000aa" })))).toMatchObject({ phase: "unknown" });
	});

	test("memory is bounded, the oldest finished go first, and what is gone is known to be gone", () => {
		let marks = marksOf();
		for (let seq = 1; seq <= KNOWN_MAX + 10; seq++) {
			marks = foldMarks(marks, { kind: "intent", command: `c${seq}`, seq, action: "process.restart", args: { service: "web" } });
			if (seq !== 3) marks = foldMarks(marks, { kind: "receipt", receipt: { command: `c${seq}`, action: "process.restart", phase: "done" } });
		}
		expect(marks.known.length).toBe(KNOWN_MAX);
		expect(marks.known.some(({ command }) => command === "c3")).toBe(true);
		expect(marks.forgottenSeq).toBe(11);
	});
});

describe("properties", () => {
	test("HARM-3: over any sequence of commands, no id runs twice and no seq runs below one that ran", () => {
		const step = fc.record({
			id: fc.integer({ min: 1, max: 4 }),
			seq: fc.integer({ min: 1, max: 6 }),
			term: fc.integer({ min: 1, max: 3 }),
			finish: fc.boolean(),
		});
		fc.assert(
			fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
				let marks = freshMarks(5);
				const ran: number[] = [];
				const ids = new Set<string>();
				for (const { id, seq, term, finish } of steps) {
					const verdict = judgeCommand(marks, view(), arrival({ command: `act-${id}`, seq, coreTerm: { counter: term, keyId: KEY.keyId } }));
					for (const effect of verdict.effects) {
						if (effect.kind === "write") marks = foldMarks(marks, effect.entry);
						if (effect.kind !== "run") continue;
						expect(ids.has(effect.command)).toBe(false);
						expect(Math.max(0, ...ran)).toBeLessThan(seq);
						ids.add(effect.command);
						ran.push(seq);
					}
					if (finish) marks = foldMarks(marks, { kind: "receipt", receipt: { command: `act-${id}`, action: "process.restart", phase: "done" } });
					expect(verdict.effects.filter(({ kind }) => kind === "say")).toHaveLength(1);
				}
			}),
		);
	});
});
