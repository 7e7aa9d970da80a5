// Shows over a real broker and a network that misbehaves that the robot behind an agent walks only while its holder is really there: a slow link, a delay, a death, a stop, a lost robot.
import { mkdtempSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { hexapodCapability } from "../../agents/capabilities/hexapod.ts";
import { AgentLine } from "../../agents/robot/agent-line.ts";
import { type Actuator, openActuator, ROBOT_SOCKET } from "../../agents/roles/actuator.ts";
import { hostTimers } from "../../agents/roles/host-clock.ts";
import type { NodePulse } from "../../contracts/gen/types.ts";
import { instant } from "../../contracts/time.ts";
import { MOVER_RULES } from "../../edge/machines/safe-stop-rows.ts";
import type { MoverRules } from "../../edge/machines/safe-stop-rules.ts";
import { mqttConnect } from "../../edge/mqtt.ts";
import { openStopSocket } from "../../edge/stop-socket.ts";
import { TwinDriver } from "../../firmware-bridge/drivers/twin-driver.ts";
import { Signer } from "../edge/world.ts";
import { planOf } from "../robot/plans.ts";
import { FaultProxy } from "../support/proxy.ts";
import { removeFolder } from "../support/remove-folder.ts";
import { Mesh, NodeFolder, PASSWORD, startNode, until } from "./mesh.ts";

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
	for (const close of closers.splice(0).reverse()) await close();
});

/** Of a machine that is shared by many tests: how late its loop may be, and for how long core may seem silent, is not what is shown here. */
const PATIENT: MoverRules = {
	timing: { ...MOVER_RULES.timing, loopLateAfterMs: 60_000, riseWithinMs: 60_000 },
	rules: MOVER_RULES.rules.map((rule) => (rule.cause === "link-silent" ? { ...rule, graceMs: 60_000 } : rule)),
};
const TTL_MS = 1_000;
const RENEW_MS = 100;
const STANDS_WITHIN_MS = 60_000;
const WALK = { gait: "tripod", stride: { xMm: 0, yMm: 40, turnDegrees: 0 } } as const;

const slowly = async (what: string, look: () => boolean): Promise<void> => {
	const endMs = performance.now() + STANDS_WITHIN_MS;
	while (!look()) {
		if (performance.now() > endMs) throw new Error(`waited in vain for ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
};

/** A twin behind its socket, an agent behind a proxy, and a holder who hears its pulses at the broker. */
const robot = async () => {
	const mesh = await new Mesh().open();
	closers.push(() => mesh.close());
	mesh.speak();
	const proxy = await FaultProxy.open(() => mesh.broker.port);
	closers.push(() => proxy.close());
	const folder = mkdtempSync(join(tmpdir(), "orion-robot-"));
	// What it keeps may still be on its way to the disk.
	closers.push(() => removeFolder(folder));
	const plan = planOf("fnk0052");
	const twin = new TwinDriver({ plan, leaseMs: 60_000, freezeMs: 2_000, now: () => instant(performance.now()) });
	const path = join(folder, ROBOT_SOCKET);
	const actuator: Actuator = await openActuator({ folder, plan, driver: twin, rules: PATIENT, note: () => undefined });
	closers.push(() => actuator.stop());
	const stopPath = join(folder, "stop.sock");
	let opened: AgentLine | undefined;
	const hexapod = hexapodCapability();
	const { agent, notes } = await startNode(mesh, new NodeFolder(), {
		connect: mqttConnect({ url: `mqtt://127.0.0.1:${proxy.port}`, username: "pi-1", password: PASSWORD }),
		openRobot: (context) => {
			opened = new AgentLine({ ...context, path, timers: hostTimers(), nowMs: () => performance.now(), note: () => undefined, onState: hexapod.hear });
			return opened;
		},
		more: [hexapod],
		openStopSocket: (desk) => openStopSocket({ path: stopPath, desk, clear: () => Promise.resolve() }),
	});
	closers.push(() => agent.stop("agent-stop"));
	if (opened === undefined) throw new Error("no line to the robot");
	const line: AgentLine = opened;
	const kind = (): string => line.robot?.state ?? "not heard";
	const tell = (socket: string, text: string): Promise<void> =>
		new Promise((resolve, reject) => {
			const told = connect(socket, () => told.write(`${text}\n`));
			told.once("data", () => {
				told.destroy();
				resolve();
			});
			told.once("error", reject);
		});
	const pulse = (): NodePulse | undefined => mesh.pulse();
	let lease = 0;
	let number = 0;
	const common = () => {
		const { session = "", tick = 0, armEpoch = -1 } = pulse() ?? {};
		return { v: 1, mesh: "mesh-1", node: "pi-1", session, lease: lease.toString(16).padStart(16, "0"), armEpoch, tick };
	};
	const holder = new Signer();
	const send = (bytes: Uint8Array) => void mesh.broker.publish("orion/v1/pi-1/lease", bytes, { qos: 0, retain: false });
	const open = (bounds = { distanceMm: 10_000, radiusMm: 10_000, timeMs: 600_000 }): void => {
		lease += 1;
		send(mesh.signer.sign("orion-lease-open+jws", { ...common(), ttlMs: TTL_MS, holder: "peter", holderKey: holder.publicKey, purpose: "move", bounds }));
	};
	const renew = (): void => {
		number += 1;
		send(holder.sign("orion-lease-renew+jws", { ...common(), number, motion: WALK }));
	};
	const hold = (): (() => void) => {
		const renewing = setInterval(renew, RENEW_MS);
		closers.push(() => clearInterval(renewing));
		return () => clearInterval(renewing);
	};
	let saidAtMs = 0;
	/** Asked until it is so; the robot has few doors. */
	const again = (request: object): void => {
		if (performance.now() - saidAtMs < RENEW_MS) return;
		saidAtMs = performance.now();
		void tell(path, JSON.stringify(request)).catch(() => undefined);
	};
	const stand = async (): Promise<void> => {
		await slowly("it stands", () => {
			const { state = "", armEpoch = 0 } = line.robot ?? {};
			if (state === "off" || state === "hold") again({ verb: state === "off" ? "arm" : "resume", armEpoch });
			return state === "armed" && pulse()?.armEpoch === armEpoch && pulse()?.safety === "armed";
		});
	};
	/** A lease that a busy machine let run out is taken anew, as a person would. */
	const walk = async (forMm: number): Promise<() => void> => {
		const begunMm = line.robot?.travelled.pathMm ?? 0;
		let askedAtMs = 0;
		let letGo: () => void = () => undefined;
		await stand();
		await slowly("it walks", () => {
			const nowMs = performance.now();
			const { state = "", armEpoch = 0 } = line.robot ?? {};
			if (state === "off" || state === "hold") again({ verb: state === "off" ? "arm" : "resume", armEpoch });
			if (state === "armed" && nowMs - askedAtMs > TTL_MS) {
				askedAtMs = nowMs;
				letGo();
				open();
				letGo = hold();
			}
			return (line.robot?.travelled.pathMm ?? 0) > begunMm + forMm;
		});
		return letGo;
	};
	return { mesh, proxy, twin, line, notes, kind, pulse, stand, walk, open, hold, tell, path, stopPath, actuator };
};

test("HARM-119 a lease of the mesh makes the robot walk and all that is said of it is marked simulated; a holder that dies stops it", async () => {
	const { mesh, twin, kind, pulse, walk } = await robot();
	const die = await walk(60);
	expect(Math.hypot(twin.twin.xMm, twin.twin.yMm)).toBeGreaterThan(20);
	expect(pulse()).toMatchObject({ simulated: true });
	expect(mesh.of("dev.orion.node.safety.v1").at(-1)?.data).toMatchObject({ kind: "mover", simulated: true });
	const poses = mesh.live.filter(({ topic }) => topic === "orion/v1/pi-1/tlm/hexapod.pose");
	expect(poses.at(-1)?.envelope.data).toMatchObject({ model: "fnk0052", simulated: true, tiltDegrees: expect.any(Number) });
	die();
	await slowly("it stopped by itself", () => ["hold", "settling", "off"].includes(kind()));
	await slowly("it sits and is off", () => kind() === "off" && twin.status().poweredGroups === 0);
	await until("it was said", () => mesh.of("dev.orion.hexapod.changed.v1").at(-1)?.data.state === "off");
	const states = mesh.of("dev.orion.hexapod.changed.v1").map(({ data }) => data.state);
	expect(states).toEqual(expect.arrayContaining(["rising", "armed", "moving", "hold", "settling"]));
	expect(mesh.of("dev.orion.hexapod.changed.v1").every(({ data }) => data.simulated === true)).toBe(true);
});

test("HARM-57 one message per 200 ms stops it although its holder holds on, and nothing that still comes moves it", async () => {
	const { proxy, kind, walk, notes } = await robot();
	await walk(30);
	proxy.weather({ oneEveryMs: 200 });
	await slowly("it holds", () => ["hold", "settling", "off"].includes(kind()));
	const refused = notes.of("lease-refused").length;
	await slowly("renewals still come, and are refused", () => notes.of("lease-refused").length > refused + 3);
	expect(["hold", "settling", "off"]).toContain(kind());
});

test("HARM-57 a constant delay longer than a lease: no lease is ever accepted, and nothing moves", async () => {
	const { proxy, open, notes, stand, twin, line } = await robot();
	await stand();
	proxy.weather({ delayMs: TTL_MS * 1.5 }, "down");
	const before = line.robot?.travelled.pathMm;
	const seen = notes.of("lease-refused").length;
	const opening = setInterval(() => open(), 500);
	closers.push(() => clearInterval(opening));
	await slowly(
		"some came",
		() =>
			notes
				.of("lease-refused")
				.slice(seen)
				.filter(({ reason }) => reason === "too-old").length >= 2,
	);
	expect(line.robot?.lease).toBeNull();
	expect(line.robot?.travelled.pathMm).toBe(before);
	expect(twin.twin.hasFallen).toBe(false);
});

test("HARM-120 stop and cut of the mesh reach the robot in mid-stride; the mesh lets a stop go, only somebody at the node a cut, and both end in off", async () => {
	const { mesh, kind, walk, twin, tell, stopPath, path } = await robot();
	await walk(30);
	await mesh.broker.publish("orion/v1/all/stop", Buffer.from("stop"), { qos: 1, retain: false });
	await slowly("it sat down and is off", () => kind() === "off" && twin.status().poweredGroups === 0);
	await tell(path, JSON.stringify({ verb: "release" }));
	await tell(stopPath, "release");
	await walk(30);
	await mesh.broker.publish("orion/v1/pi-1/cut", Buffer.from("cut"), { qos: 1, retain: false });
	await slowly("it is cut", () => kind() === "cut" && twin.status().poweredGroups === 0);
	await until("it says so", () => mesh.of("dev.orion.node.safety.v1").at(-1)?.data.state === "cut");
	expect(mesh.of("dev.orion.node.safety.v1").at(-1)?.data).toMatchObject({ kind: "mover", latch: { verb: "cut" }, simulated: true });
	await tell(path, JSON.stringify({ verb: "release" }));
	expect(kind()).toBe("cut");
	await tell(stopPath, "release");
	await slowly("it is off", () => kind() === "off");
});

test("HARM-121 a robot that is not heard any more is at fault for the mesh and names no epoch: nobody can take it", async () => {
	const { mesh, actuator, pulse, stand, open, notes } = await robot();
	await stand();
	await actuator.stop();
	await until("the mesh knows", () => pulse()?.safety === "fault");
	expect(pulse()?.armEpoch).toBeUndefined();
	await until("it says why", () => mesh.of("dev.orion.node.safety.v1").at(-1)?.data.cause === "robot-not-heard");
	open();
	await until("it is refused", () => notes.of("lease-refused").some(({ reason }) => reason === "robot-not-heard"));
});

test("TELL-57 a pack that wants charging is an alert of its node at the broker, although nothing stands yet", async () => {
	const { mesh, twin, kind } = await robot();
	await until("its end is said first: what was said before this start may be over", () => mesh.of("dev.orion.alert.resolved.v1").length > 0);
	twin.faults = { ...twin.faults, boardMv: 6_900 };
	await slowly("it is said", () => mesh.of("dev.orion.alert.firing.v1").length > 0);
	expect(mesh.of("dev.orion.alert.firing.v1")[0]?.data).toMatchObject({ name: "battery-warn", severity: "warning", labels: { simulated: "true" } });
	expect(kind()).toBe("off");
});
