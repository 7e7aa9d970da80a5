// Shows that what moves stops as its rows say and never begins by itself: every reachable state with every input, and long runs with time jumps.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Instant, instant } from "../../contracts/time.ts";
import { stepMover } from "../../edge/machines/safe-stop.ts";
import { MOVER_RULES } from "../../edge/machines/safe-stop-rows.ts";
import type { MoverRules } from "../../edge/machines/safe-stop-rules.ts";
import { bootMover, isEnergised, type Mover, type MoverInput, type MoverKind, type SeenCause } from "../../edge/machines/safe-stop-state.ts";
import { faultsOfStep, msUntilOff } from "./safe-stop-oracle.ts";

/** The same mechanism with times of a few ticks and one row of each action, so that every state can be visited. */
const SMALL: MoverRules = {
	timing: { loopLateAfterMs: 2, linkGoodForMs: 1, riseWithinMs: 2, holdForMs: 2, settleWithinMs: 2, leaseMaxMs: 2 },
	rules: [
		{ id: "obstacle", cause: "obstacle", in: "energised", graceMs: 1, action: "hold", clears: "itself", clearAfterMs: 2, says: "" },
		{ id: "near", cause: "obstacle", in: "any", graceMs: 0, action: "warn", clears: "itself", clearAfterMs: 0, says: "" },
		{ id: "cut", cause: "cut", in: "any", graceMs: 0, action: "cut", clears: "presence", clearAfterMs: 0, says: "" },
		{ id: "stop", cause: "stop", in: "any", graceMs: 0, action: "settle", clears: "release", clearAfterMs: 0, says: "" },
		{ id: "tilt", cause: "tilt", in: "energised", graceMs: 1, action: "fault", clears: "presence", clearAfterMs: 1, says: "" },
		{ id: "rise", cause: "rise-late", in: "energised", graceMs: 0, action: "settle", clears: "itself", clearAfterMs: 0, says: "" },
		{ id: "lease", cause: "lease-over", in: "energised", graceMs: 0, action: "hold", clears: "itself", clearAfterMs: 0, says: "" },
		{ id: "link", cause: "link-silent", in: "energised", graceMs: 2, action: "hold", clears: "itself", clearAfterMs: 1, says: "" },
		{ id: "late", cause: "loop-late", in: "energised", graceMs: 0, action: "hold", clears: "itself", clearAfterMs: 1, says: "" },
		{ id: "sitting", cause: "not-sitting", in: "unpowered", graceMs: 0, action: "inhibit", clears: "itself", clearAfterMs: 0, says: "" },
	],
};
const SMALL_SEEN: readonly SeenCause[] = ["cut", "stop", "tilt", "obstacle", "not-sitting"];

/** Every way from one kind to another that there is. */
const WAYS: readonly string[] = [
	"armed calibrating",
	"armed cut",
	"armed fault",
	"armed hold",
	"armed moving",
	"armed settling",
	"boot cut",
	"boot off",
	"calibrating armed",
	"calibrating cut",
	"calibrating fault",
	"calibrating hold",
	"calibrating settling",
	"cut off",
	"fault cut",
	"fault off",
	"hold armed",
	"hold cut",
	"hold fault",
	"hold settling",
	"moving armed",
	"moving cut",
	"moving fault",
	"moving hold",
	"moving settling",
	"off cut",
	"off rising",
	"rising armed",
	"rising cut",
	"rising fault",
	"rising hold",
	"rising settling",
	"settling cut",
	"settling fault",
	"settling off",
];

type Asked = (state: Mover, at: Instant) => MoverInput;

const inputsOf = (rules: MoverRules, seen: readonly SeenCause[]): readonly Asked[] => {
	const max = rules.timing.leaseMaxMs;
	const leases = ["move", "calibrate"] as const;
	const holders = ["anna", "peter"];
	return [
		...["time", "ready", "heard", "risen", "sit", "settled", "presence"].map(
			(kind): Asked =>
				(_, at) =>
					({ kind, at }) as MoverInput,
		),
		...seen.flatMap((cause) =>
			[true, false].map(
				(present): Asked =>
					(_, at) => ({ kind: "seen", cause, present, at }),
			),
		),
		...[0, -1, 1].flatMap((older): readonly Asked[] =>
			(["arm", "armed-kept", "resume"] as const).map(
				(kind): Asked =>
					({ armEpoch }, at) => ({ kind, armEpoch: armEpoch + older, at }),
			),
		),
		...leases.flatMap((purpose) =>
			holders.flatMap((holder) =>
				[
					[0, max],
					[0, 1],
					[0, 0],
					[0, max + 1],
					[-1, max],
				].map(
					([older = 0, ms = 0]): Asked =>
						({ armEpoch }, at) => ({ kind: "lease", armEpoch: armEpoch + older, holder, until: instant(at + ms), purpose, at }),
				),
			),
		),
		...holders.map(
			(holder): Asked =>
				(_, at) => ({ kind: "lease-end", holder, at }),
		),
	];
};

const TIMED: readonly MoverKind[] = ["rising", "hold", "settling"];

/** Times count from now, and only those that something still waits for: then there are finitely many states. */
const keyOf = ({ timing, rules }: MoverRules, { kind, at, since, arming, lease, heardAt, goodSince, seen, causes }: Mover): string => {
	const age = (from: Instant | undefined, atMost: number): number => (from === undefined ? -1 : Math.min(at - from, atMost));
	const parts: (string | number | boolean)[] = [kind, arming, lease?.holder ?? "", lease === undefined ? "" : lease.until - at];
	parts.push(TIMED.includes(kind) ? age(since, Math.max(timing.riseWithinMs, timing.holdForMs, timing.settleWithinMs)) : "");
	parts.push(age(heardAt, Math.max(...rules.map(({ graceMs }) => graceMs))), age(goodSince, timing.linkGoodForMs));
	for (const { id, cause, graceMs, clearAfterMs } of rules) {
		const state = causes[id];
		if (state === undefined) continue;
		parts.push(id, state.present, state.inForce);
		if (cause !== "link-silent" && state.present !== state.inForce) parts.push(age(state.since, state.present ? graceMs : clearAfterMs));
	}
	return `${parts.join(" ")} ${[...seen].sort().join(" ")}`;
};

const explore = (rules: MoverRules, seen: readonly SeenCause[], pausesMs: readonly number[]) => {
	const inputs = inputsOf(rules, seen);
	const start = bootMover(instant(0), 5);
	const states = new Map<string, Mover>([[keyOf(rules, start), start]]);
	const edges = new Map<string, number>();
	const faults: string[] = [];
	let steps = 0;
	for (const state of states.values()) {
		for (const pauseMs of pausesMs) {
			const at = instant(state.at + pauseMs);
			for (const ask of inputs) {
				const input = ask(state, at);
				const { state: after, effects } = stepMover(rules, state, input);
				steps += 1;
				for (const fault of faultsOfStep(rules, state, input, after, effects))
					if (faults.length < 5) faults.push(`${fault}: ${JSON.stringify({ input, from: state, to: after, effects })}`);
				const edge = `${state.kind} ${after.kind}`;
				edges.set(edge, (edges.get(edge) ?? 0) + 1);
				const key = keyOf(rules, after);
				if (!states.has(key)) states.set(key, after);
			}
		}
	}
	return { states, edges, faults, steps };
};

describe("HARM-53 the safe-stop of what moves", () => {
	test("every reachable state with every input, on time, late and much later: nothing that must hold is broken", () => {
		const { states, edges, faults, steps } = explore(SMALL, SMALL_SEEN, [0, 1, 3]);
		expect(faults).toEqual([]);
		// The explorer is tested too: it came everywhere, and by every way there is.
		const kinds = new Map<MoverKind, number>();
		for (const { kind } of states.values()) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
		const floors: Readonly<Record<MoverKind, number>> = {
			boot: 100,
			off: 100,
			rising: 20,
			armed: 10,
			moving: 40,
			hold: 80,
			settling: 150,
			calibrating: 40,
			cut: 500,
			fault: 100,
		};
		for (const [kind, floor] of Object.entries(floors)) expect([kind, (kinds.get(kind as MoverKind) ?? 0) >= floor]).toEqual([kind, true]);
		expect([...edges.keys()].filter((edge) => edge.split(" ")[0] !== edge.split(" ")[1]).sort()).toEqual([...WAYS].sort());
		expect(steps).toBeGreaterThan(100_000);
		const mostMs = SMALL.timing.leaseMaxMs + SMALL.timing.riseWithinMs + SMALL.timing.holdForMs + SMALL.timing.settleWithinMs + 4;
		for (const state of states.values()) if (isEnergised(state)) expect(msUntilOff(SMALL, state, 1, 100)).toBeLessThanOrEqual(mostMs);
	});
});

/** A person arms it over a good link and holds the lease: where most of what can go wrong begins. */
const UP: readonly (readonly [number, Asked])[] = [
	[20, (_, at) => ({ kind: "ready", at })],
	...Array.from({ length: 5 }, (): readonly [number, Asked] => [300, (_, at) => ({ kind: "heard", at })]),
	[20, ({ armEpoch }, at) => ({ kind: "arm", armEpoch, at })],
	[20, ({ armEpoch }, at) => ({ kind: "armed-kept", armEpoch, at })],
	[20, (_, at) => ({ kind: "risen", at })],
	[20, ({ armEpoch }, at) => ({ kind: "lease", armEpoch, holder: "anna", until: instant(at + 400), purpose: "move", at })],
];
const UP_TO_CALIBRATE: readonly (readonly [number, Asked])[] = [
	...UP.slice(0, -1),
	[20, ({ armEpoch }, at) => ({ kind: "lease", armEpoch, holder: "anna", until: instant(at + 400), purpose: "calibrate", at })],
];
const ALL_SEEN: readonly SeenCause[] = [...new Set(MOVER_RULES.rules.map(({ cause }) => cause))].filter(
	(cause): cause is SeenCause => !["rise-late", "lease-over", "link-silent", "loop-late"].includes(cause),
);
const ASKED = inputsOf(MOVER_RULES, ALL_SEEN);
/** Mostly a loop that runs; now and then a host that slept, or a clock that would go back. */
const PAUSES_MS = [0, 1, 20, 20, 20, 20, 90, 101, 400, 1_500, 6_000, 60_000, -500];

const runOf = (script: readonly (readonly [number, Asked])[]) => {
	let state = bootMover(instant(1_000), 0);
	const faults: string[] = [];
	const seen: MoverKind[] = [];
	for (const [pauseMs, ask] of script) {
		const input = ask(state, instant(state.at + pauseMs));
		const { state: after, effects } = stepMover(MOVER_RULES, state, input);
		faults.push(...faultsOfStep(MOVER_RULES, state, input, after, effects).map((fault) => `${fault} (${input.kind}, ${state.kind} to ${after.kind})`));
		seen.push(after.kind);
		state = after;
	}
	return { state, faults, seen };
};

/** A quarter of what is usual: a generator that comes somewhere no more is found out, a lucky draw is not. */
const FLOORS = { boot: 300, off: 2_000, rising: 500, armed: 500, moving: 500, hold: 400, settling: 400, calibrating: 200, cut: 300, fault: 300 } as const;

describe("HARM-53 with the rows that ship", () => {
	test("property: long runs with time jumps break nothing, and come into every kind", () => {
		const reached = new Map<MoverKind, number>();
		const step = fc.tuple(fc.constantFrom(...PAUSES_MS), fc.constantFrom(...ASKED));
		// Three of four begin where it moves: drawn evenly, almost no run would ever come there.
		const script = fc.tuple(fc.constantFrom(UP, UP, UP_TO_CALIBRATE, []), fc.array(step, { maxLength: 60 }));
		fc.assert(
			fc.property(script, ([before, steps]) => {
				const { faults, seen } = runOf([...before, ...steps]);
				for (const kind of seen) reached.set(kind, (reached.get(kind) ?? 0) + 1);
				expect(faults).toEqual([]);
			}),
			{ numRuns: 3_000 },
		);
		for (const [kind, floor] of Object.entries(FLOORS)) expect([kind, (reached.get(kind as MoverKind) ?? 0) >= floor]).toEqual([kind, true]);
	});

	const moving = (): Mover => runOf(UP).state;
	const linesOf = (from: Mover, ...steps: readonly (readonly [number, (at: Instant) => MoverInput])[]): readonly string[] => {
		let state = from;
		return steps.map(([pauseMs, ask]) => {
			const { state: next, effects } = stepMover(MOVER_RULES, state, ask(instant(state.at + pauseMs)));
			state = next;
			return [next.kind, ...effects.map((effect) => (effect.kind === "refused" ? `refused ${effect.reason}` : effect.kind))].join(" ");
		});
	};
	const ticks = (count: number, stepMs = 20): readonly (readonly [number, (at: Instant) => MoverInput])[] =>
		Array.from({ length: count }, () => [stepMs, (at: Instant): MoverInput => ({ kind: "time", at })] as const);

	test("the script of the property moves", () => {
		expect(runOf(UP)).toMatchObject({ faults: [], state: { kind: "moving", lease: { holder: "anna" } } });
	});
	test("nobody holds the lease: hold within a tick, then it sits, then off, by its own clock alone", () => {
		const said = linesOf(moving(), ...ticks(600));
		const first = (kind: string): number => (said.findIndex((line) => line.startsWith(kind)) + 1) * 20;
		expect([first("hold freeze"), first("settling settle"), first("off disable keep-off")]).toEqual([400, 5_400, 9_400]);
		expect(new Set(said.slice(470))).toEqual(new Set(["off"]));
	});
	test.each([
		["stop", "settling settle"],
		["cut", "cut disable keep-off"],
		["driver-error", "fault disable keep-off"],
		["board-reset", "fault disable keep-off"],
		["battery-empty", "fault disable keep-off"],
		["battery-low", "settling settle"],
		["obstacle", "hold freeze"],
		["battery-weak", "moving"],
		["battery-warn", "moving"],
		["not-sitting", "moving"],
	] as const)("while it moves, %s: %s", (cause, expected) => {
		expect(linesOf(moving(), [1, (at) => ({ kind: "seen", cause, present: true, at })])).toEqual([expected]);
	});
	test("HARM-163 what only warns is in the way of nothing: it is in force, and it is armed, resumed and moved all the same", () => {
		const warned = stepMover(MOVER_RULES, bootMover(instant(1_000), 0), { kind: "seen", cause: "battery-warn", present: true, at: instant(1_000) }).state;
		const run = (script: readonly (readonly [number, Asked])[]): Mover =>
			script.reduce((state, [pauseMs, ask]) => stepMover(MOVER_RULES, state, ask(state, instant(state.at + pauseMs))).state, warned);
		const up = run(UP);
		expect(up).toMatchObject({ kind: "moving", causes: { "battery-warn": { inForce: true } } });
		const obstacle =
			(present: boolean) =>
			(at: Instant): MoverInput => ({ kind: "seen", cause: "obstacle", present, at });
		const heard = (at: Instant): MoverInput => ({ kind: "heard", at });
		const said = linesOf(
			up,
			[20, obstacle(true)],
			[20, obstacle(false)],
			...ticks(30),
			[0, heard],
			[0, (at) => ({ kind: "resume", armEpoch: up.armEpoch + 1, at })],
		);
		expect([said[0], said.at(-1)]).toEqual(["hold freeze", "armed"]);
	});
	test("the gravest counts when several come at once", () => {
		const from = stepMover(MOVER_RULES, moving(), { kind: "seen", cause: "obstacle", present: true, at: instant(0) }).state;
		expect(linesOf(from, [0, (at) => ({ kind: "seen", cause: "cut", present: true, at })])).toEqual(["cut disable keep-off"]);
	});
	test("a tilt shorter than its grace is a step, a longer one is a fall", () => {
		const tilt =
			(present: boolean) =>
			(at: Instant): MoverInput => ({ kind: "seen", cause: "tilt", present, at });
		expect(linesOf(moving(), [20, tilt(true)], [40, tilt(false)], [20, tilt(true)], [40, (at) => ({ kind: "time", at })])).toEqual([
			"moving",
			"moving",
			"moving",
			"moving",
		]);
		expect(linesOf(moving(), [20, tilt(true)], ...ticks(3))).toEqual(["moving", "moving", "moving", "fault disable keep-off"]);
	});
	test("a loop that was late holds before it hears the lease that waited in its queue", () => {
		const renew =
			({ armEpoch }: Mover) =>
			(at: Instant): MoverInput => ({ kind: "lease", armEpoch, holder: "anna", until: instant(at + 400), purpose: "move", at });
		const state = moving();
		expect(linesOf(state, [101, renew(state)])).toEqual(["hold freeze refused wrong-state"]);
		expect(linesOf(state, [100, renew(state)])).toEqual(["moving"]);
	});
	test("a stop that was released leaves it off: whoever wants it up arms it, with the epoch of now", () => {
		const state = moving();
		const stop =
			(present: boolean) =>
			(at: Instant): MoverInput => ({ kind: "seen", cause: "stop", present, at });
		const arm =
			(armEpoch: number) =>
			(at: Instant): MoverInput => ({ kind: "arm", armEpoch, at });
		const heard = (at: Instant): MoverInput => ({ kind: "heard", at });
		const good = Array.from({ length: 6 }, () => [200, heard] as const);
		const said = linesOf(
			state,
			[20, stop(true)],
			[20, (at) => ({ kind: "settled", at })],
			...good,
			[20, arm(state.armEpoch + 1)],
			[20, stop(false)],
			[0, arm(state.armEpoch)],
			[0, arm(state.armEpoch + 1)],
		);
		expect(said.slice(-4)).toEqual(["off refused inhibited", "off", "off refused other-epoch", "off keep-armed"]);
	});
	test("cut and fault are left only at the node, only when what caused them is gone, and end in off", () => {
		const seen =
			(cause: SeenCause, present: boolean) =>
			(at: Instant): MoverInput => ({ kind: "seen", cause, present, at });
		const presence = (at: Instant): MoverInput => ({ kind: "presence", at });
		const said = linesOf(moving(), [20, seen("tilt", true)], ...ticks(4), [20, presence], [20, seen("tilt", false)], [20, presence], [1_000, presence]);
		expect(said.slice(4)).toEqual(["fault", "fault refused still-there", "fault", "fault refused still-there", "off"]);
		expect(linesOf(moving(), [20, seen("cut", true)], [20, presence], [20, seen("cut", false)], [20, presence])).toEqual([
			"cut disable keep-off",
			"cut refused still-there",
			"cut",
			"off",
		]);
	});
	test("a boot that finds it armed begins in fault", () => {
		expect(
			linesOf(bootMover(instant(0), 3), [0, (at) => ({ kind: "seen", cause: "found-armed", present: true, at })], [0, (at) => ({ kind: "ready", at })]),
		).toEqual(["fault disable keep-off", "fault refused wrong-state"]);
	});
	test("a second holder is refused, and the first one's end ends only what it held", () => {
		const state = moving();
		const lease =
			(holder: string, ms: number) =>
			(at: Instant): MoverInput => ({ kind: "lease", armEpoch: state.armEpoch, holder, until: instant(at + ms), purpose: "move", at });
		expect(
			linesOf(
				state,
				[20, lease("peter", 400)],
				[0, (at) => ({ kind: "lease-end", holder: "peter", at })],
				[0, lease("anna", 1_001)],
				[0, (at) => ({ kind: "lease-end", holder: "anna", at })],
			),
		).toEqual(["moving refused held-by-other", "moving refused wrong-state", "moving refused lease-too-long", "armed freeze"]);
	});
});
