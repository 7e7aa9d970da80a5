// Shows by trying every order of answers, deadlines, drifts and restarts that nothing runs without a good yes, nothing runs twice, and each question ends once (HARM-39).
import { describe, expect, test } from "vitest";
import type { RecordTypes } from "../../contracts/envelope.ts";
import { fold, step } from "../../core/engine.ts";
import { Replay } from "../../core/memory/replay.ts";
import type { Recorded } from "../../core/record.ts";
import type { EngineState } from "../../core/state.ts";
import { activated, bytesOf, EngineRig, inputOf, MESH, policyWith, shippedPolicy } from "../support/engine.ts";

type Decided = RecordTypes["dev.orion.approval.decided.v1"];

/** What an outsider knows of a question: only from records, judged by the promises and not by the engine's own state. */
interface Known {
	readonly decideByMs: number;
	readonly policyHash: string;
	/** A yes to what was shown, in time, while it was open. */
	readonly yes: boolean;
	readonly no: boolean;
	readonly ends: readonly string[];
	readonly actions: number;
}

interface World {
	readonly state: EngineState;
	readonly records: readonly Recorded[];
	readonly known: Readonly<Record<string, Known>>;
	readonly wrong: readonly string[];
}

const OTHER = policyWith((policy) => ({ ...policy, limits: { ...policy.limits, evidencePerIncidentMax: 21 } }));

const begin = (): World => {
	const rig = new EngineRig({ level: "N3" });
	rig.tick(1_000);
	rig.alert("service-runaway", "pi-1", { labels: { service: "web" } });
	return rig.records.reduce<World>((world, record) => look(world, record, rig.state), { state: rig.state, records: rig.records, known: {}, wrong: [] });
};

const know = (world: World, id: string, change: (known: Known) => Known): World => {
	const known = world.known[id];
	return known === undefined ? { ...world, wrong: [...world.wrong, `${id} was never asked`] } : { ...world, known: { ...world.known, [id]: change(known) } };
};

/** Holds one record against the promises. `state` is only asked what the policy and level in force were. */
const look = (world: World, { envelope }: Recorded, state: EngineState): World => {
	switch (envelope.type) {
		case "dev.orion.approval.requested.v1": {
			const { approval, decideByEngineMs: decideByMs, policyHash } = envelope.data;
			if (world.known[approval] !== undefined) return { ...world, wrong: [...world.wrong, `${approval} was asked twice`] };
			const open = Object.values(world.known).filter(({ ends }) => ends.length === 0).length;
			const wrong = open > 0 ? [...world.wrong, "two questions about one incident are open"] : world.wrong;
			return { ...world, wrong, known: { ...world.known, [approval]: { decideByMs, policyHash, yes: false, no: false, ends: [], actions: 0 } } };
		}
		case "dev.orion.approval.closed.v1":
			return know(world, envelope.data.approval, (known) => ({ ...known, ends: [...known.ends, envelope.data.end] }));
		case "dev.orion.action.requested.v1": {
			const { approval, policyHash } = envelope.data;
			if (approval === undefined) return { ...world, wrong: [...world.wrong, "something RISKY ran without a question"] };
			const { yes = false, no = false, policyHash: askedUnder = "", ends = [] } = world.known[approval] ?? {};
			const wrong = [
				...(yes ? [] : [`${approval} ran without a yes in time`]),
				...(no ? [`${approval} ran after a no`] : []),
				...(ends.join() === "approved" ? [] : [`${approval} ran although it was ${ends.join() || "open"}`]),
				...(state.level === "N3" ? [] : [`it ran at ${state.level}`]),
				...(askedUnder === policyHash && policyHash === state.policyHash ? [] : ["it ran under another policy"]),
			];
			return know({ ...world, wrong: [...world.wrong, ...wrong] }, approval, (known) => ({ ...known, actions: known.actions + 1 }));
		}
		default:
			return world;
	}
};

const checked = (world: World): World => {
	const wrong = Object.entries(world.known).flatMap(([id, { ends, actions }]) => [
		...(ends.length > 1 ? [`${id} ended ${ends.join(" and ")}`] : []),
		...(actions > 1 ? [`${id} ran ${actions} times`] : []),
		...(ends.join() === "approved" && actions !== 1 ? [`${id} was approved and ran ${actions} times`] : []),
	]);
	return wrong.length === 0 ? world : { ...world, wrong: [...world.wrong, ...wrong] };
};

/** What an answer means to whoever looks only at the records that stand before it. */
const heard = (world: World, data: Decided, isGood: boolean): World => {
	const known = world.known[data.approval];
	if (known === undefined || known.ends.length > 0) return world;
	const { engineMs } = world.state.clock;
	if (data.verdict !== "approve") return know(world, data.approval, (before) => ({ ...before, no: before.no || engineMs <= before.decideByMs || before.yes }));
	return know(world, data.approval, (before) => ({ ...before, yes: before.yes || (isGood && engineMs < before.decideByMs) }));
};

const given = (world: World, input: Recorded, isDecided: boolean): World => {
	if (!isDecided) return { ...world, state: fold(world.state, input), records: [...world.records, input] };
	const { state, outputs } = step(world.state, input);
	const made = outputs.map((envelope, index) => ({ position: world.records.length + 2 + index, envelope }));
	const next: World = { ...world, state, records: [...world.records, input, ...made] };
	return checked(made.reduce((before, record) => look(before, record, state), next));
};

const positionAfter = ({ records }: World): number => records.length + 1;

const answer = (world: World, verdict: Decided["verdict"], isDecided = true, boundHash?: string): World => {
	const newest = Object.values(world.state.approvals).at(-1);
	if (newest === undefined) return world;
	const data: Decided = { approval: newest.id, verdict, boundHash: boundHash ?? newest.asked.boundHash, by: "anna", via: "cli" };
	return given(heard(world, data, boundHash === undefined), inputOf(positionAfter(world), "/core/operator", "dev.orion.approval.decided.v1", data), isDecided);
};

const tick = (world: World, ms: number): World => {
	const engineMs = world.state.clock.engineMs + ms;
	const data = { engineMs, wallMs: engineMs, quality: "synced", offsetMinutes: 0 } as const;
	return given(world, inputOf(positionAfter(world), "/core/clock", "dev.orion.clock.tick.v1", data), true);
};

const restart = (world: World, downtimeMs: number | null): World => {
	const { policyHash, clock } = world.state;
	const coreTerm = { counter: 1, keyId: "k" };
	const data = { code: "0.1.0", stateSchema: 2, policyHash, coreTerm, decidedUpTo: 0, downtimeMs, engineMs: clock.engineMs + (downtimeMs ?? 0) };
	return given(world, inputOf(positionAfter(world), "/core/engine", "dev.orion.engine.started.v1", data), true);
};

const level = (world: World, to: "N0" | "N2" | "N3", isDecided = true): World =>
	given(world, inputOf(positionAfter(world), "/core/operator", "dev.orion.level.set.v1", { level: to, by: "anna" }), isDecided);

const policy = (world: World): World => {
	const next = world.state.policyHash === OTHER.hash ? shippedPolicy() : OTHER;
	return given(world, inputOf(positionAfter(world), "/core/policy", "dev.orion.policy.activated.v1", activated(next)), true);
};

const alert = (world: World, fires: boolean): World =>
	fires
		? given(
				world,
				inputOf(positionAfter(world), "/nodes/pi-1", "dev.orion.alert.firing.v1", {
					name: "service-runaway",
					severity: "warning",
					summary: "test",
					labels: { service: "web" },
				}),
				true,
			)
		: given(world, inputOf(positionAfter(world), "/nodes/pi-1", "dev.orion.alert.resolved.v1", { name: "service-runaway" }), true);

const session = (world: World): World =>
	given(
		world,
		inputOf(positionAfter(world), "/nodes/pi-1", "dev.orion.node.state.v1", {
			state: "ready",
			session: `${Number.parseInt(world.state.nodes["pi-1"]?.session ?? "1", 10) + 1}.00112233445566aa`,
			conn: 1,
		}),
		true,
	);

const receipt = (world: World): World => {
	const run = Object.values(world.state.actions)[0];
	if (run === undefined) return world;
	return given(
		world,
		inputOf(positionAfter(world), "/nodes/pi-1", "dev.orion.action.receipt.v1", { command: run.id, action: run.name, phase: "failed" }),
		true,
	);
};

type Word = readonly [name: string, say: (world: World) => World];

const CORE: readonly Word[] = [
	["approve", (world) => answer(world, "approve")],
	["deny", (world) => answer(world, "deny")],
	["revoke", (world) => answer(world, "revoke")],
	["a moment", (world) => tick(world, 1)],
	[
		"to the deadline",
		(world) => tick(world, Math.max(0, (Object.values(world.state.approvals).at(-1)?.asked.decideByEngineMs ?? 0) - world.state.clock.engineMs)),
	],
	["past the deadline", (world) => tick(world, 600_001)],
	["alert over", (world) => alert(world, false)],
	["restart", (world) => restart(world, 0)],
];

const MORE: readonly Word[] = [
	["foreign yes", (world) => answer(world, "approve", true, `sha256:${"0".repeat(64)}`)],
	["alert again", (world) => alert(world, true)],
	["level N2", (world) => level(world, "N2")],
	["level N3", (world) => level(world, "N3")],
	["another policy", policy],
	["node anew", session],
	["action fails", receipt],
	["restart, unknown downtime", (world) => restart(world, null)],
	["restart after a minute and a half", (world) => restart(world, 90_000)],
	["yes, then core dies", (world) => restart(answer(world, "approve", false), 5)],
	["no, then core dies", (world) => restart(answer(world, "deny", false), 5)],
	["yes and no, then core dies", (world) => restart(answer(answer(world, "approve", false), "deny", false), 5)],
	["yes and a lower level, then core dies", (world) => restart(level(answer(world, "approve", false), "N2", false), 5)],
	["yes, then core dies for long", (world) => restart(answer(world, "approve", false), 61_000)],
	["yes, then core dies for nobody knows how long", (world) => restart(restart(answer(world, "approve", false), null), 0)],
];

interface Found {
	paths: number;
	readonly wrong: string[];
	readonly ends: Map<string, number>;
	ran: number;
	diverged: string[];
}

/** Every `replayEvery`-th path is decided again from its bytes. */
const explore = (words: readonly Word[], depth: number, replayEvery: number): Found => {
	const found: Found = { paths: 0, wrong: [], ends: new Map(), ran: 0, diverged: [] };
	const visit = (world: World, path: readonly string[]): void => {
		found.paths += 1;
		for (const wrong of world.wrong) if (found.wrong.length < 20) found.wrong.push(`${path.join(" > ")}: ${wrong}`);
		if (world.wrong.length > 0) return;
		if (found.paths % replayEvery === 0) {
			const replay = new Replay(MESH);
			for (const record of bytesOf(world.records)) replay.push(record);
			replay.finish();
			if (replay.divergence !== undefined) found.diverged.push(path.join(" > "));
		}
		if (path.length === depth) {
			for (const { ends, actions } of Object.values(world.known)) {
				found.ran += actions;
				for (const end of ends) found.ends.set(end, (found.ends.get(end) ?? 0) + 1);
			}
			return;
		}
		for (const [name, say] of words) visit(say(world), [...path, name]);
	};
	visit(begin(), []);
	return found;
};

const ENDS = ["approved", "denied", "expired", "revoked", "superseded", "void"];

describe("every order of events", () => {
	test("HARM-39: all sequences of five out of answers, deadlines, the end of the incident, and restarts", () => {
		const found = explore(CORE, 5, 499);
		expect(found.wrong).toEqual([]);
		expect(found.diverged).toEqual([]);
		expect(found.ran).toBeGreaterThan(500);
		expect([...found.ends.keys()].sort()).toEqual(ENDS);
	}, 120_000);
	test("HARM-39: all sequences of three with drifts, deaths in the middle of an answer, and downtimes too", () => {
		const found = explore([...CORE, ...MORE], 3, 97);
		expect(found.wrong).toEqual([]);
		expect(found.diverged).toEqual([]);
		expect(found.ran).toBeGreaterThan(1_000);
		expect([...found.ends.keys()].sort()).toEqual(ENDS);
	}, 120_000);
});
