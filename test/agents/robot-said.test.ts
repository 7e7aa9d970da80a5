// Shows what a six-legged robot says to the mesh: its pose ten times a second, every state once, what it does not measure left out, and that it is simulated if it is.
import { expect, test } from "vitest";
import { type HexapodCapability, hexapodCapability, poseOf } from "../../agents/capabilities/hexapod.ts";
import type { RobotState } from "../../agents/robot/words.ts";
import { checkContract } from "../../contracts/envelope.ts";
import { VirtualTime } from "../edge/world.ts";

const STATE: RobotState = {
	schema: "orion.robot/1",
	model: "fnk0052",
	simulated: true,
	board: "twin",
	state: "armed",
	cause: null,
	causeRow: null,
	inForce: [],
	warnings: [],
	armEpoch: 7,
	tick: 50_000,
	lease: null,
	rehearsal: { upTo: 0, mayWalk: true, run: null, ended: null },
	driver: { state: "on", fault: null, detail: "", firmware: null },
	servoMv: 7_900,
	boardMv: null,
	tiltDegrees: 0,
	rangeMm: null,
	marginMm: 90,
	travelled: { xMm: 0, yMm: 0, headingDegrees: 0, pathMm: 0 },
	body: { xMm: 0, yMm: 0, rollDegrees: 0, pitchDegrees: 0, yawDegrees: 0 },
	heightMm: 80,
	feet: [],
};

interface Rig {
	readonly time: VirtualTime;
	readonly hexapod: HexapodCapability;
	readonly poses: unknown[];
	readonly changes: unknown[];
	readonly alerts: { readonly type: string; readonly data: unknown }[];
	readonly start: () => Promise<void>;
}

const rig = async (): Promise<Rig> => {
	const time = new VirtualTime();
	const hexapod = hexapodCapability();
	const poses: unknown[] = [];
	const changes: unknown[] = [];
	const alerts: { readonly type: string; readonly data: unknown }[] = [];
	const start = (): Promise<void> =>
		hexapod.start({
			emit: (type, data) => {
				if (type === "dev.orion.hexapod.changed.v1") changes.push(data);
				else alerts.push({ type, data });
				return Promise.resolve();
			},
			measure: (_type, data) => void poses.push(data),
			safety: () => "working",
			clock: time.clock(),
			timers: time,
			note: () => undefined,
		});
	return { time, hexapod, poses, changes, alerts, start };
};

test("TELL-46 a pose every 100 ms however often it speaks, and each state once, with what was before and why", async () => {
	const { time, hexapod, poses, changes, start } = await rig();
	await start();
	for (let turn = 0; turn < 100; turn += 1) {
		hexapod.hear(turn < 50 ? STATE : { ...STATE, state: "hold", causeRow: "lease-over", armEpoch: 8 });
		time.jump(20);
	}
	expect(poses.length).toBeGreaterThanOrEqual(20);
	expect(poses.length).toBeLessThanOrEqual(26);
	expect(changes).toEqual([
		{ state: "armed", armEpoch: 7, simulated: true },
		{ state: "hold", before: "armed", armEpoch: 8, cause: "lease-over", simulated: true },
	]);
	expect(changes.every((data) => checkContract("hexapod.changed", data).ok)).toBe(true);
});

test("TELL-46 what is not measured is absent; a real robot does not say that it is simulated; both keep the contract", () => {
	expect(Object.keys(poseOf(STATE))).not.toEqual(expect.arrayContaining(["boardMv"]));
	expect(Object.keys(poseOf(STATE))).not.toEqual(expect.arrayContaining(["rangeMm"]));
	expect(poseOf(STATE)).toMatchObject({ simulated: true, servoMv: 7_900, tiltDegrees: 0, heightMm: 80 });
	expect(poseOf({ ...STATE, simulated: false })).not.toHaveProperty("simulated");
	for (const state of [STATE, { ...STATE, simulated: false, body: null, heightMm: null, servoMv: null, marginMm: null }])
		expect(checkContract("hexapod.pose", poseOf(state)).ok).toBe(true);
});

test("TELL-46 what was heard before the mesh is there is said at the start, and again to whoever may not know; nothing moves by an action of the mesh", async () => {
	const { hexapod, changes, poses, start } = await rig();
	hexapod.hear(STATE);
	expect([changes, poses]).toEqual([[], []]);
	await start();
	await hexapod.announce();
	expect(changes).toEqual([
		{ state: "armed", armEpoch: 7, simulated: true },
		{ state: "armed", armEpoch: 7, simulated: true },
	]);
	hexapod.hear(undefined);
	hexapod.hear(STATE);
	expect(changes).toHaveLength(3);
	expect(hexapod.actions).toEqual({});
	expect((await hexapod.run("hexapod.walk", {}, "c1")).phase).toBe("failed");
	await hexapod.stop("agent-stop");
	hexapod.hear({ ...STATE, state: "cut" });
	expect(changes).toHaveLength(3);
});

test("TELL-57 a battery that wants charging is an alert once, and its end is told once; what an agent before this one said may be over", async () => {
	const { hexapod, alerts, start } = await rig();
	const warned: RobotState = { ...STATE, servoMv: 6_950, boardMv: 7_900, warnings: [{ row: "battery-warn", says: "a battery wants charging" }] };
	await start();
	expect(alerts).toEqual([]);
	hexapod.hear(STATE);
	expect(alerts).toEqual([{ type: "dev.orion.alert.resolved.v1", data: { name: "battery-warn" } }]);
	for (let said = 0; said < 10; said += 1) hexapod.hear(warned);
	const firing = {
		name: "battery-warn",
		severity: "warning",
		summary: "a battery wants charging (simulated)",
		labels: { model: "fnk0052", servoMv: "6950", boardMv: "7900", simulated: "true" },
	};
	expect(alerts.slice(1)).toEqual([{ type: "dev.orion.alert.firing.v1", data: firing }]);
	expect(checkContract("alert.firing", firing).ok).toBe(true);
	// Fell silent, and is back as it was: nothing is new.
	hexapod.hear(undefined);
	hexapod.hear(warned);
	expect(alerts).toHaveLength(2);
	await hexapod.announce();
	expect(alerts.slice(2)).toEqual([{ type: "dev.orion.alert.firing.v1", data: firing }]);
	hexapod.hear({ ...STATE, simulated: false });
	hexapod.hear({ ...STATE, simulated: false });
	expect(alerts.slice(3)).toEqual([{ type: "dev.orion.alert.resolved.v1", data: { name: "battery-warn" } }]);
});
