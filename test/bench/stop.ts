// Measures how long a stop takes to end the walk and a cut to switch outputs off, over the broker and by the socket at the node, with a stuck disk and twenty clients that never read.
import { mkdtempSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generate } from "mqtt-packet";
import { AgentLine } from "../../agents/robot/agent-line.ts";
import { openActuator, ROBOT_SOCKET } from "../../agents/roles/actuator.ts";
import { hostTimers } from "../../agents/roles/host-clock.ts";
import { writeStopOrder } from "../../contracts/stop-order.ts";
import { type Instant, instant } from "../../contracts/time.ts";
import { MOVER_RULES } from "../../edge/machines/safe-stop-rows.ts";
import { mqttConnect } from "../../edge/mqtt.ts";
import type { Note } from "../../edge/ports.ts";
import { openStopSocket } from "../../edge/stop-socket.ts";
import { TwinDriver } from "../../firmware-bridge/drivers/twin-driver.ts";
import type { Pulses } from "../../firmware-bridge/words.ts";
import { Mesh, NodeFolder, PASSWORD, startNode, until } from "../agents/mesh.ts";
import { planOf } from "../robot/plans.ts";
import { removeFolder } from "../support/remove-folder.ts";
import { type Figure, figure } from "./figures.ts";
import { quantile } from "./load.ts";

const LEFT_AFTER_MS = 3_000;
/** Each of them stands up and sits down. */
const ROUNDS = 6;
const FROZEN = 20;
const TICK_MS = 20;
const RENEW_EVERY_MS = 100;
const ASK_EVERY_MS = 50;
const STANDS_WITHIN_MS = 60_000;
const WALKS_WITHIN_MS = 3_000;
const WALKS_TRIED_MAX = 10;
/** The dead-man has figures of its own. */
const BUSY_MS = 60_000;
const ANSWERS_BYTES = 4 + 7;

/** The twin, and when it was given its last pose and its outputs went off. */
class Legs extends TwinDriver {
	lastPoseMs = 0;
	disabledMs = 0;
	override disable(at: Instant): void {
		this.disabledMs = performance.now();
		super.disable(at);
	}
	override writePose(pulsesUs: Pulses, at: Instant): boolean {
		this.lastPoseMs = performance.now();
		return super.writePose(pulsesUs, at);
	}
}

/** Subscribes to everything that a node may hear and then never reads again. */
const freeze = async (port: number, name: string): Promise<Socket> => {
	const socket = connect(port, "127.0.0.1");
	// CONNACK and SUBACK, in one piece or in several.
	const subscribed = new Promise<void>((resolve) => {
		let seenBytes = 0;
		socket.on("data", (chunk: Buffer) => {
			seenBytes += chunk.length;
			if (seenBytes >= ANSWERS_BYTES) resolve();
		});
	});
	socket.on("error", () => undefined);
	socket.write(
		generate({
			cmd: "connect",
			protocolId: "MQTT",
			protocolVersion: 4,
			clean: true,
			clientId: name,
			keepalive: 100,
			username: name,
			password: Buffer.from(PASSWORD),
		}),
	);
	socket.write(
		generate({
			cmd: "subscribe",
			messageId: 1,
			subscriptions: ["orion/v1/core/beacon", "orion/v1/all/stop", "orion/v1/all/cut"].map((topic) => ({ topic, qos: 1 as const })),
		}),
	);
	await subscribed;
	socket.pause();
	return socket;
};

/** There and back over loopback: what no order can be faster than. */
const loopbackMs = async (): Promise<number> => {
	const server = createServer({ noDelay: true }, (socket) => void socket.pipe(socket));
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const address = server.address();
	const socket = connect({ port: typeof address === "object" && address !== null ? address.port : 0, host: "127.0.0.1", noDelay: true });
	const tookMs: number[] = [];
	for (let round = 0; round < 200; round += 1) {
		const beganMs = performance.now();
		await new Promise<void>((resolve) => {
			socket.once("data", () => resolve());
			socket.write("x");
		});
		tookMs.push(performance.now() - beganMs);
	}
	socket.destroy();
	await new Promise<void>((resolve) => server.close(() => resolve()));
	return quantile(tookMs, 0.99);
};

export const stopFigures = async (say: (line: string) => void): Promise<readonly Figure[]> => {
	const folder = mkdtempSync(join(tmpdir(), "orion-bench-"));
	const path = join(folder, "stop.sock");
	const mesh = await new Mesh().open();
	mesh.speak();
	const plan = planOf("fnk0052");
	const now = (): Instant => instant(performance.now());
	const legs = new Legs({ plan, leaseMs: BUSY_MS, freezeMs: BUSY_MS, now });
	/** When the newest walk ended: what is written after it is the way down. */
	let walkedUntilMs = 0;
	const note: Note = (event, facts = {}) => {
		if (event === "robot" && facts["state"] !== "moving") walkedUntilMs = performance.now();
	};
	const actuator = await openActuator({ folder, plan, driver: legs, rules: MOVER_RULES, note });
	const kept = new NodeFolder();
	let opened: AgentLine | undefined;
	const { agent } = await startNode(mesh, kept, {
		openStopSocket: (desk) => openStopSocket({ path, desk, clear: () => Promise.resolve() }),
		openRobot: (context) => {
			opened = new AgentLine({
				...context,
				path: join(folder, ROBOT_SOCKET),
				timers: hostTimers(),
				nowMs: () => performance.now(),
				note: () => undefined,
				onState: () => undefined,
			});
			return opened;
		},
	});
	if (opened === undefined) throw new Error("no robot");
	const robot: AgentLine = opened;
	const kind = (): string => robot.robot?.state ?? "";
	const frozen: Socket[] = [];
	const sender = await mqttConnect({ url: mesh.url, username: "pi-2", password: PASSWORD })({
		clientId: "pi-2.safety",
		keepaliveSeconds: 60,
		onMessage: () => undefined,
		onClosed: () => undefined,
	});
	const tell = (to: string, line: string): Promise<void> =>
		new Promise((resolve, reject) => {
			const socket = connect(to, () => socket.write(`${line}\n`));
			socket.once("data", () => {
				socket.destroy();
				resolve();
			});
			socket.once("error", reject);
		});
	const local = (line: string): Promise<void> => tell(path, line);
	let lease = 0;
	const person = (request: object): Promise<void> => tell(join(folder, ROBOT_SOCKET), JSON.stringify(request));
	const sign = (typ: "orion-lease-open+jws" | "orion-lease-renew+jws", more: object): void => {
		const { session = "", tick = 0, armEpoch = -1 } = mesh.pulse() ?? {};
		const common = { v: 1, mesh: "mesh-1", node: "pi-1", session, lease: lease.toString(16).padStart(16, "0"), armEpoch, tick };
		robot.lease(mesh.signer.sign(typ, { ...common, ...more }));
	};
	const standing = async (): Promise<void> => {
		const endMs = performance.now() + STANDS_WITHIN_MS;
		while (kind() !== "armed") {
			if (performance.now() > endMs) throw new Error("it does not stand up");
			const { armEpoch = 0 } = robot.robot ?? {};
			if (kind() === "off") await person({ verb: "arm", armEpoch });
			if (kind() === "hold") await person({ verb: "resume", armEpoch });
			if (kind() === "cut" || kind() === "fault") await local("release");
			await new Promise((again) => setTimeout(again, ASK_EVERY_MS));
		}
	};
	let number = 0;
	let renewing: NodeJS.Timeout | undefined;
	const moving = async (): Promise<void> => {
		for (let again = 0; ; again += 1) {
			if (again === WALKS_TRIED_MAX) throw new Error(`it does not walk: ${JSON.stringify(robot.robot)}`);
			clearInterval(renewing);
			await standing();
			lease += 1;
			const bounds = { distanceMm: 100_000, radiusMm: 100_000, timeMs: 60_000 };
			sign("orion-lease-open+jws", { ttlMs: 1_000, holder: "bench", holderKey: mesh.signer.publicKey, purpose: "move", bounds });
			renewing = setInterval(() => {
				number += 1;
				sign("orion-lease-renew+jws", { number, motion: { gait: "tripod", stride: { xMm: 0, yMm: number % 40 < 20 ? 40 : -40, turnDegrees: 0 } } });
			}, RENEW_EVERY_MS);
			const beganMs = performance.now();
			while (performance.now() - beganMs < WALKS_WITHIN_MS) {
				if (kind() === "moving" && legs.lastPoseMs > beganMs + TICK_MS * 5) return;
				await new Promise((again) => setTimeout(again, 5));
			}
		}
	};
	const measure = async (verb: "stop" | "cut", way: "lan" | "local"): Promise<readonly number[]> => {
		const found: number[] = [];
		for (let round = 0; round < ROUNDS; round += 1) {
			await moving();
			const order = { order: `${verb === "stop" ? "a" : "b"}${way === "lan" ? "a" : "b"}${round.toString(16)}`.padStart(16, "0"), by: "bench", via: "bench" };
			legs.disabledMs = 0;
			const beganMs = performance.now();
			if (way === "lan") void sender.publish(`orion/v1/all/${verb}`, writeStopOrder(order), { qos: 1, retain: false }).catch(() => undefined);
			else void local(verb);
			await until("stopped", () => walkedUntilMs > beganMs && (verb === "stop" || legs.disabledMs > beganMs));
			clearInterval(renewing);
			// No target of the walk is written later than it ended; the last one may have been written before the order was given.
			found.push((verb === "stop" ? walkedUntilMs : legs.disabledMs) - beganMs);
			await local("release");
		}
		say(`${verb}.${way}: ${ROUNDS} rounds`);
		return found;
	};
	try {
		await until("ready", () => mesh.states().some((state) => state.startsWith("ready")));
		for (let index = 0; index < FROZEN; index += 1) frozen.push(await freeze(mesh.broker.port, `ice-${index}`));
		for (let index = 0; index < 20; index += 1) void mesh.broker.publish("orion/v1/core/beacon", Buffer.alloc(60_000, "x"), { qos: 0, retain: false });
		mesh.disk = "stuck";
		const beside = { name: "loopback, there and back", value: await loopbackMs(), unit: "ms" };
		const figures: Figure[] = [];
		for (const [verb, way, bound] of [
			["stop", "lan", 100],
			["stop", "local", 45],
			["cut", "lan", 100],
			["cut", "local", 20],
		] as const)
			figures.push(figure(`${verb}.${way}.p99`, quantile(await measure(verb, way), 0.99), "ms", beside, `< ${bound} ms`, (value) => value < bound));
		return figures;
	} finally {
		clearInterval(renewing);
		mesh.disk = "up";
		for (const socket of frozen) socket.destroy();
		await sender.close();
		await agent.stop("agent-stop");
		await actuator.stop();
		// Its disk was stuck while messages waited for it, so its broker may wait for ever: it is left.
		await Promise.race([mesh.close(), new Promise<void>((resolve) => setTimeout(resolve, LEFT_AFTER_MS))]);
		removeFolder(folder);
	}
};
