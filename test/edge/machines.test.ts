// Shows the small machines of a node as tables: presence, beacons, supervision, and what an agent does with a service when it starts (HARM-4, HARM-7, RUN-2).
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkEnvelope } from "../../contracts/envelope.ts";
import { instant } from "../../contracts/time.ts";
import { CoreWatch } from "../../edge/core-watch.ts";
import { type Heard, hearBeacon, nothingHeard, PREVIOUS_POLICY_GOOD_MS } from "../../edge/machines/beacon.ts";
import { BEACON_GAP_MS_MAX, BOOT_MS_MAX, GOOD_LINK_MS, type Presence, type PresenceInput, presence } from "../../edge/machines/presence.ts";
import { FLAPPING_WINDOW_MS, neverRan, OPENING, type Supervised, type SupervisionInput, supervise } from "../../edge/machines/supervision.ts";
import { beaconOf, keysOf, Notes, OTHER_POLICY, POLICY, Signer, VirtualTime } from "./world.ts";

const at = instant;

describe("presence", () => {
	const working: Presence = { kind: "working", heardAt: at(1_000) };
	const rows: readonly (readonly [name: string, before: Presence, input: PresenceInput, kind: Presence["kind"]])[] = [
		["boot, beacon", { kind: "boot" }, { kind: "beacon", at: at(5) }, "working"],
		["boot, the first look at the clock", { kind: "boot" }, { kind: "time", at: at(99_999) }, "boot"],
		["boot, nothing heard in time", { kind: "boot", since: at(1_000) }, { kind: "time", at: at(999 + BOOT_MS_MAX) }, "boot"],
		["boot, nothing heard for too long", { kind: "boot", since: at(1_000) }, { kind: "time", at: at(1_000 + BOOT_MS_MAX) }, "alone"],
		["boot, a beacon after too long does not undo that", { kind: "boot", since: at(1_000) }, { kind: "beacon", at: at(1_000 + BOOT_MS_MAX) }, "alone"],
		["boot, a beacon in time", { kind: "boot", since: at(1_000) }, { kind: "beacon", at: at(999 + BOOT_MS_MAX) }, "working"],
		["boot, link lost", { kind: "boot" }, { kind: "link-lost", at: at(5) }, "boot"],
		["working, in time", working, { kind: "time", at: at(1_000 + BEACON_GAP_MS_MAX) }, "working"],
		["working, too long silent", working, { kind: "time", at: at(1_001 + BEACON_GAP_MS_MAX) }, "alone"],
		["working, link lost", working, { kind: "link-lost", at: at(1_001) }, "alone"],
		["working, a beacon after too long a silence does not undo it", working, { kind: "beacon", at: at(1_001 + BEACON_GAP_MS_MAX) }, "alone"],
		["alone, first beacon", { kind: "alone" }, { kind: "beacon", at: at(2_000) }, "alone"],
		[
			"alone, good for less than a second",
			{ kind: "alone", goodSince: at(2_000), heardAt: at(2_000) },
			{ kind: "time", at: at(1_999 + GOOD_LINK_MS) },
			"alone",
		],
		["alone, good for a second", { kind: "alone", goodSince: at(2_000), heardAt: at(2_900) }, { kind: "time", at: at(2_000 + GOOD_LINK_MS) }, "working"],
		["alone, good, then silent", { kind: "alone", goodSince: at(2_000), heardAt: at(2_000) }, { kind: "time", at: at(2_001 + BEACON_GAP_MS_MAX) }, "alone"],
		["alone, good, link lost", { kind: "alone", goodSince: at(2_000), heardAt: at(2_000) }, { kind: "link-lost", at: at(5_000) }, "alone"],
	];
	test.each(rows)("%s", (_, before, input, kind) => {
		expect(presence(before, input).kind).toBe(kind);
	});

	test("property: after a loss of the link or a silence it never works before a second of good link", () => {
		const input = fc.record({ kind: fc.constantFrom("beacon" as const, "link-lost" as const, "time" as const), afterMs: fc.integer({ min: 0, max: 5_000 }) });
		fc.assert(
			fc.property(fc.array(input, { maxLength: 40 }), (inputs) => {
				let state: Presence = { kind: "boot" };
				let nowMs = 0;
				let lostMs: number | undefined;
				let heardMs = Number.NEGATIVE_INFINITY;
				for (const { kind, afterMs } of inputs) {
					nowMs += afterMs;
					const isBootOver = state.kind === "boot" && state.since !== undefined && nowMs - state.since >= BOOT_MS_MAX;
					if (isBootOver || (state.kind !== "boot" && (kind === "link-lost" || nowMs - heardMs > BEACON_GAP_MS_MAX))) lostMs = nowMs;
					state = presence(state, { kind, at: at(nowMs) });
					if (kind === "beacon") heardMs = nowMs;
					if (state.kind === "working" && lostMs !== undefined) expect(nowMs - lostMs).toBeGreaterThanOrEqual(GOOD_LINK_MS);
					if (state.kind === "working") expect(nowMs - heardMs).toBeLessThanOrEqual(BEACON_GAP_MS_MAX);
				}
			}),
		);
	});
});

describe("HARM-4: beacons", () => {
	const core = { keyId: "00112233445566aa" };
	const heard = (change: Partial<Heard> = {}): Heard => ({ ...nothingHeard({ counter: 3, keyId: core.keyId }), ...change });
	test.each([
		["other mesh", heard(), beaconOf(core, { mesh: "mesh-2" }), "other-mesh"],
		["a term of another key than it is signed by", heard(), beaconOf({ keyId: "ffff" }), "key-mismatch"],
		["lower term", heard({ term: { counter: 4, keyId: core.keyId } }), beaconOf(core), "core-deposed"],
		["same term, other key", heard({ term: { counter: 3, keyId: "ffff" } }), beaconOf(core), "core-term-forked"],
		["heard before", heard({ beaconCounter: 1 }), beaconOf(core), "replayed"],
	])("%s is ignored", (_, before, beacon, why) => {
		expect(hearBeacon(before, "mesh-1", core.keyId, beacon, 0)).toEqual({ kind: "ignored", why });
	});

	test("a newer core begins its counter anew; the policy before stays good for ten minutes of this node's clock", () => {
		const before = heard({ beaconCounter: 99, policies: { current: OTHER_POLICY, previous: undefined } });
		const step = hearBeacon(before, "mesh-1", core.keyId, beaconOf(core, { coreTerm: { counter: 4, keyId: core.keyId } }), 1_000);
		expect(step).toMatchObject({
			kind: "heard",
			termRaised: true,
			heard: {
				term: { counter: 4 },
				beaconCounter: 1,
				policies: { current: POLICY, previous: { hash: OTHER_POLICY, goodUntilTick: 1_000 + PREVIOUS_POLICY_GOOD_MS } },
			},
		});
	});

	test("the same policy again does not prolong the one before", () => {
		const policies = { current: POLICY, previous: { hash: OTHER_POLICY, goodUntilTick: 5 } };
		expect(hearBeacon(heard({ policies }), "mesh-1", core.keyId, beaconOf(core), 9_999)).toMatchObject({ heard: { policies } });
	});
});

describe("watching core", () => {
	const signer = new Signer();
	const watching = () => {
		const time = new VirtualTime();
		const notes = new Notes();
		const said: string[] = [];
		const terms: number[] = [];
		const again: number[] = [];
		const sessions = {
			current: () => ({ id: "1.00000000000000aa", counter: 1, tick: () => time.nowMs }),
			isBehind: () => false,
			begin: () => Promise.reject(new Error("none")),
		};
		const watch = new CoreWatch(
			{
				mesh: "mesh-1",
				node: "pi-1",
				keys: keysOf(signer),
				sessions,
				clock: time.clock(),
				timers: time,
				note: notes.note,
				onChange: (safety) => said.push(safety),
				onBeacon: () => undefined,
				onTerm: ({ counter }) => terms.push(counter),
				onUnechoed: () => again.push(time.nowMs),
			},
			undefined,
		);
		watch.start();
		let counter = 0;
		const beacon = (ticks: Readonly<Record<string, number>> = {}) => {
			counter += 1;
			watch.beacon(signer.beacon(beaconOf(signer, { counter, ticks })));
		};
		return { time, notes, said, terms, again, watch, beacon };
	};

	test("HARM-103: a node that core does not echo says again that it is there: after two seconds, then more and more rarely, and not while it is alone", async () => {
		const { time, again, beacon } = watching();
		const beacons = async (count: number, ticks: Readonly<Record<string, number>>) => {
			for (let each = 0; each < count; each += 1) {
				beacon(ticks);
				await time.advance(500);
			}
		};
		const began = time.nowMs;
		await beacons(20, { "pi-1": 1 });
		expect(again).toEqual([]);
		await beacons(30, { "pi-2": 1 });
		expect(again.map((at) => at - began)).toEqual([12_000, 16_000, 24_000]);
		await beacons(2, { "pi-1": 1 });
		await beacons(400, {});
		const said = again.slice(3).map((at, index, all) => at - (all[index - 1] ?? began + 26_000));
		expect(said).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
		await time.advance(60_000);
		const before = again.length;
		// Alone it waits until the link was good for a second.
		beacon({});
		await time.advance(900);
		beacon({});
		expect(again.length).toBe(before);
	});

	test("HARM-106: started where no core is, it is alone within two seconds, and works after a second of good link", async () => {
		const { time, said, watch, beacon } = watching();
		expect(watch.presence).toBe("boot");
		await time.advance(1_250);
		expect(said).toEqual([]);
		await time.advance(750);
		expect(said).toEqual(["alone"]);
		await time.advance(3_600_000);
		expect(said).toEqual(["alone"]);
		for (let each = 0; each < 4; each += 1) {
			beacon();
			await time.advance(500);
		}
		expect(said).toEqual(["alone", "working"]);
	});

	test("silence makes it alone, a second of beacons makes it work again; time asleep counts as silence", async () => {
		const { time, said, watch, beacon } = watching();
		beacon();
		await time.advance(3_000);
		beacon();
		expect(said).toEqual(["working"]);
		await time.advance(4_000);
		expect(said).toEqual(["working", "alone"]);
		beacon();
		await time.advance(900);
		expect(watch.presence).toBe("alone");
		await time.advance(200);
		expect(watch.presence).toBe("working");
		time.jump(60_000);
		beacon();
		expect(watch.presence).toBe("alone");
	});

	test("forged, foreign and repeated beacons are no signs of life, and are noted", async () => {
		const { notes, said, watch } = watching();
		const good = signer.beacon(beaconOf(signer, { counter: 1 }));
		for (let index = 0; index < good.length; index += 7) {
			const flipped = Uint8Array.from(good);
			flipped[index] = (flipped[index] ?? 0) ^ 1;
			watch.beacon(flipped);
		}
		watch.beacon(new Signer().beacon(beaconOf(signer)));
		watch.beacon(signer.sign("orion-command+jws", beaconOf(signer)));
		expect(said).toEqual([]);
		watch.beacon(good);
		watch.beacon(good);
		expect(notes.of("beacon-ignored").at(-1)).toEqual({ why: "replayed" });
		expect(said).toEqual(["working"]);
	});

	test("a newer core is told once; a new session forgets what was heard", () => {
		const { terms, watch, beacon } = watching();
		beacon();
		beacon();
		expect(terms).toEqual([3]);
		watch.sessionBegan();
		expect(watch.presence).toBe("boot");
		expect(watch.heard.policies.current).toBeUndefined();
		expect(watch.heard.term?.counter).toBe(3);
	});
});

describe("supervision", () => {
	const run = (inputs: readonly SupervisionInput[], from: Supervised = neverRan) =>
		inputs.reduce<{ state: Supervised; said: string[] }>(
			({ state, said }, input) => {
				const step = supervise("web", state, input);
				for (const event of step.events) expect(checkEnvelope({ specversion: "1.0", id: "1", source: "/nodes/pi-1", ...event })).toMatchObject({ ok: true });
				return { state: step.state, said: [...said, ...step.events.map(({ type }) => type.split(".").slice(2, 4).join("."))] };
			},
			{ state: from, said: [] },
		);
	const ran = (ms: number): SupervisionInput => ({ kind: "ran", at: ms, living: { pid: 7, startTicks: 70 }, how: "started", starts: 1 });
	const ended = (ms: number): SupervisionInput => ({ kind: "ended", at: ms, ended: { cause: "exited", exitCode: 1 } });

	test.each<[string, readonly SupervisionInput[], readonly string[], Supervised["phase"]]>([
		["started", [ran(1)], ["process.up"], "running"],
		["ended", [ran(1), ended(2)], ["process.up", "process.down"], "down"],
		["could not start", [ended(2)], ["process.down"], "down"],
		["stopped", [ran(1), { kind: "was-stopped", at: 2, why: "action", action: "act-1" }], ["process.up", "process.stopped"], "stopped"],
		["started again after a stop", [{ kind: "was-stopped", at: 2, why: "agent-stop" }, ran(3)], ["process.stopped", "process.up"], "running"],
		["asked before it ever ran", [{ kind: "asked", at: 1 }], [], "not-started"],
		["asked while running", [ran(1), { kind: "asked", at: 2 }], ["process.up", "process.up"], "running"],
		[
			"asked while down: said again, not counted again",
			[ended(1), { kind: "asked", at: 2 }, { kind: "asked", at: 3 }],
			["process.down", "process.down", "process.down"],
			"down",
		],
		[
			"asked while stopped",
			[
				{ kind: "was-stopped", at: 1, why: "action" },
				{ kind: "asked", at: 2 },
			],
			["process.stopped", "process.stopped"],
			"stopped",
		],
	])("%s", (_, inputs, said, phase) => {
		const result = run(inputs);
		expect(result.said).toEqual(said);
		expect(result.state.phase).toBe(phase);
	});

	test("flapping: at the third end within ten minutes, once a window, not for ends that are further apart", () => {
		const flaps = (times: readonly number[]): number => run(times.map(ended)).said.filter((name) => name === "process.flapping").length;
		expect(flaps([0, 1, 2])).toBe(1);
		expect(flaps([0, 1, 2, 3, 4, 5])).toBe(1);
		expect(flaps([0, 300_000, FLAPPING_WINDOW_MS])).toBe(0);
		expect(flaps([0, 1, 2, FLAPPING_WINDOW_MS, FLAPPING_WINDOW_MS + 1, FLAPPING_WINDOW_MS + 2])).toBe(2);
	});

	test("a stop that was asked for is no end: it is not counted", () => {
		expect(run([ended(1), ended(2), { kind: "was-stopped", at: 3, why: "action" }]).said).not.toContain("process.flapping");
	});

	test("property: at most one flapping in any window, and downs count what is in the window", () => {
		fc.assert(
			fc.property(fc.array(fc.integer({ min: 0, max: 400_000 }), { maxLength: 30 }), (gaps) => {
				let ms = 0;
				let state = neverRan;
				const times: number[] = [];
				const flapped: number[] = [];
				for (const gap of gaps) {
					ms += gap;
					times.push(ms);
					const step = supervise("web", state, ended(ms));
					state = step.state;
					for (const { type, data } of step.events) {
						if (type === "dev.orion.process.down.v1") expect(data.downs).toBe(Math.min(64, times.filter((one) => ms - one < FLAPPING_WINDOW_MS).length));
						if (type === "dev.orion.process.flapping.v1") flapped.push(ms);
					}
				}
				for (const [index, when] of flapped.entries()) if (index > 0) expect(when - (flapped[index - 1] ?? 0)).toBeGreaterThanOrEqual(FLAPPING_WINDOW_MS);
			}),
		);
	});

	test("RUN-2: what runs is adopted, whatever was written; only what never ran, was stopped with the agent, or ended with its host is started", () => {
		for (const row of Object.values(OPENING)) expect(row.alive).toBe("adopt");
		const starting = Object.entries(OPENING).flatMap(([before, row]) =>
			Object.entries(row).flatMap(([found, opening]) => (opening === "start" ? [`${before} ${found}`] : [])),
		);
		expect(starting.sort()).toEqual([
			"down host-rebooted",
			"never-seen gone",
			"never-seen host-rebooted",
			"running host-rebooted",
			"starting host-rebooted",
			"stopped-by-agent gone",
			"stopped-by-agent host-rebooted",
		]);
	});
});
