// Shows over a real broker and a network that misbehaves that a node moves only while its holder is really there: a slow link, a delay, a death, a stop.
import { afterEach, expect, test } from "vitest";
import { MOVER_RULES } from "../../edge/machines/safe-stop-rows.ts";
import type { MoverRules } from "../../edge/machines/safe-stop-rules.ts";
import { MoverLoop, type Servos } from "../../edge/mover.ts";
import { mqttConnect } from "../../edge/mqtt.ts";
import { Signer } from "../edge/world.ts";
import { FaultProxy } from "../support/proxy.ts";
import { Mesh, NodeFolder, PASSWORD, startNode, until } from "./mesh.ts";

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
	for (const close of closers.splice(0).reverse()) await close();
});

/** Of a machine that is shared by many tests: how late its loop may be is not what is shown here. */
const PATIENT: MoverRules = { ...MOVER_RULES, timing: { ...MOVER_RULES.timing, loopLateAfterMs: 10_000 } };
const TTL_MS = 1_000;
const RENEW_MS = 100;

class Legs implements Servos {
	targets = 0;
	on = false;
	enable(): Promise<void> {
		this.on = true;
		return Promise.resolve();
	}
	disable(): void {
		this.on = false;
	}
	freeze(): void {}
	settle(): void {}
	step(kind: string): "going" | "done" {
		this.targets += 1;
		return kind === "rising" || kind === "settling" ? "done" : "going";
	}
}

/** A robot behind a proxy, and a holder who hears its pulses at the broker. */
const standing = async () => {
	const mesh = await new Mesh().open();
	closers.push(() => mesh.close());
	mesh.speak();
	const proxy = await FaultProxy.open(() => mesh.broker.port);
	closers.push(() => proxy.close());
	const legs = new Legs();
	const holder = new Signer();
	let mover: MoverLoop | undefined;
	const folder = new NodeFolder();
	const { agent, notes } = await startNode(mesh, folder, {
		connect: mqttConnect({ url: `mqtt://127.0.0.1:${proxy.port}`, username: "pi-1", password: PASSWORD }),
		openMover: async ({ leases, onChange }) => {
			mover = await MoverLoop.open({
				rules: PATIENT,
				servos: legs,
				files: folder.files,
				leases,
				nowMs: () => performance.now(),
				note: () => undefined,
				onChange,
			});
			return mover;
		},
	});
	const loop = setInterval(() => mover?.tick(), 20);
	closers.push(() => clearInterval(loop));
	closers.push(() => agent.stop("agent-stop"));
	if (mover === undefined) throw new Error("no mover");
	const robot: MoverLoop = mover;
	await until("it is ready", () => robot.ready().ok || robot.state.kind === "off");
	await until("it is armed", () => robot.arm(robot.state.armEpoch).ok || robot.state.kind === "armed");
	await until("it stands", () => robot.state.kind === "armed");
	let lease = 0;
	let number = 0;
	const name = (): string => lease.toString(16).padStart(16, "0");
	const common = () => {
		const { session = "", tick = 0, armEpoch = -1 } = mesh.pulse() ?? {};
		return { v: 1, mesh: "mesh-1", node: "pi-1", session, lease: name(), armEpoch, tick };
	};
	const send = (bytes: Uint8Array) => void mesh.broker.publish("orion/v1/pi-1/lease", bytes, { qos: 0, retain: false });
	const open = (): void => {
		lease += 1;
		const bounds = { distanceMm: 1_000, radiusMm: 500, timeMs: 600_000 };
		send(mesh.signer.sign("orion-lease-open+jws", { ...common(), ttlMs: TTL_MS, holder: "peter", holderKey: holder.publicKey, purpose: "move", bounds }));
	};
	const hold = (): (() => void) => {
		const renewing = setInterval(() => {
			number += 1;
			send(holder.sign("orion-lease-renew+jws", { ...common(), number }));
		}, RENEW_MS);
		closers.push(() => clearInterval(renewing));
		return () => clearInterval(renewing);
	};
	return { mesh, proxy, legs, robot, notes, open, hold };
};

test("HARM-57 it moves while it is held over a good link; one message per 200 ms stops it although the holder holds on", async () => {
	const { proxy, robot, open, hold, legs, notes } = await standing();
	open();
	hold();
	await until("it moves", () => robot.state.kind === "moving");
	const before = legs.targets;
	await until("it goes on moving", () => legs.targets > before + 60);
	expect(robot.state.kind).toBe("moving");
	proxy.weather({ oneEveryMs: 200 });
	await until("it holds", () => robot.state.kind === "hold");
	expect(robot.state.cause).toBe("lease-over");
	const refused = notes.of("lease-refused").length;
	await until("renewals still come, and are refused", () => notes.of("lease-refused").length > refused + 3);
	expect(robot.state.kind).toBe("hold");
});

test("HARM-57 a constant delay of three seconds: no lease is ever accepted, and nothing moves", async () => {
	const { proxy, robot, open, notes } = await standing();
	proxy.weather({ delayMs: 3_000 }, "down");
	const opening = setInterval(open, 500);
	closers.push(() => clearInterval(opening));
	await until("some came", () => notes.of("lease-refused").filter(({ reason }) => reason === "too-old").length >= 2 || robot.state.kind === "hold");
	expect(robot.state.lease).toBeUndefined();
	expect(["armed", "hold"]).toContain(robot.state.kind);
});

test("HARM-57 a holder that dies stops what it moved; core's stop settles it, and a cut takes its outputs off", async () => {
	const { mesh, robot, open, hold, legs } = await standing();
	open();
	const die = hold();
	await until("it moves", () => robot.state.kind === "moving");
	die();
	await until("it holds", () => robot.state.kind === "hold");
	await mesh.broker.publish("orion/v1/all/stop", Buffer.from("stop"), { qos: 1, retain: false });
	await until("it sat down and is off", () => robot.state.kind === "off" && !legs.on);
	await mesh.broker.publish("orion/v1/pi-1/cut", Buffer.from("cut"), { qos: 1, retain: false });
	await until("it is cut", () => robot.state.kind === "cut");
	await until("it says so", () => mesh.of("dev.orion.node.safety.v1").at(-1)?.data.state === "cut");
	expect(mesh.of("dev.orion.node.safety.v1").at(-1)?.data).toMatchObject({ kind: "mover", latch: { verb: "cut" } });
});
