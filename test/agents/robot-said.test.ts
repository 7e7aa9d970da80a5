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
	armEpoch: 7,
	tick: 50_000,
	lease: null,
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

const rig = async (): Promise<{ time: VirtualTime; hexapod: HexapodCapability; poses: unknown[]; changes: unknown[]; start: () => Promise<void> }> => {
	const time = new VirtualTime();
	const hexapod = hexapodCapability();
	const poses: unknown[] = [];
	const changes: unknown[] = [];
	const start = (): Promise<void> =>
		hexapod.start({
			emit: (_type, data) => {
				changes.push(data);
				return Promise.resolve();
			},
			measure: (_type, data) => void poses.push(data),
			clock: time.clock(),
			timers: time,
			note: () => undefined,
		});
	return { time, hexapod, poses, changes, start };
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
