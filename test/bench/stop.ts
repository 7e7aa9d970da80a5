// Measures how long a stop and a cut take to reach the servos, over the broker and by the socket at the node, with a stuck disk and twenty clients that never read.
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generate } from "mqtt-packet";
import { writeStopOrder } from "../../contracts/stop-order.ts";
import type { Instant } from "../../contracts/time.ts";
import { MOVER_RULES } from "../../edge/machines/safe-stop-rows.ts";
import { MoverLoop, type Servos } from "../../edge/mover.ts";
import { mqttConnect } from "../../edge/mqtt.ts";
import { openStopSocket } from "../../edge/stop-socket.ts";
import { Mesh, NodeFolder, PASSWORD, startNode, until } from "../agents/mesh.ts";
import { type Figure, figure } from "./figures.ts";
import { quantile } from "./load.ts";

const LEFT_AFTER_MS = 3_000;
const ROUNDS = 60;
const FROZEN = 20;
const TICK_MS = 20;
const ANSWERS_BYTES = 4 + 7;

/** When the movement wrote its last target, and when outputs went off. */
class Legs implements Servos {
	lastMovingMs = 0;
	disabledMs = 0;
	enable(): Promise<void> {
		return Promise.resolve();
	}
	disable(): void {
		this.disabledMs = performance.now();
	}
	freeze(): void {}
	settle(): void {}
	step(kind: string, _at: Instant): "going" | "done" {
		if (kind === "moving") this.lastMovingMs = performance.now();
		return kind === "rising" || kind === "settling" ? "done" : "going";
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
	const legs = new Legs();
	const kept = new NodeFolder();
	let open: MoverLoop | undefined;
	const { agent } = await startNode(mesh, kept, {
		openStopSocket: (desk) => openStopSocket({ path, desk, clear: () => Promise.resolve() }),
		openMover: async ({ leases, onChange }) => {
			open = await MoverLoop.open({
				rules: MOVER_RULES,
				servos: legs,
				files: kept.files,
				leases,
				nowMs: () => performance.now(),
				note: () => undefined,
				onChange,
			});
			return open;
		},
	});
	if (open === undefined) throw new Error("no mover");
	const mover: MoverLoop = open;
	const loop = setInterval(() => mover.tick(), TICK_MS);
	const frozen: Socket[] = [];
	const sender = await mqttConnect({ url: mesh.url, username: "pi-2", password: PASSWORD })({
		clientId: "pi-2.safety",
		keepaliveSeconds: 60,
		onMessage: () => undefined,
		onClosed: () => undefined,
	});
	const local = (line: string): Promise<void> =>
		new Promise((resolve, reject) => {
			const socket = connect(path, () => socket.write(`${line}\n`));
			socket.once("data", () => {
				socket.destroy();
				resolve();
			});
			socket.once("error", reject);
		});
	let lease = 0;
	const moving = async (): Promise<void> => {
		await until("off", () => {
			mover.presence();
			mover.ready();
			return mover.state.kind === "off";
		});
		await until("armed", () => mover.arm(mover.state.armEpoch).ok || ["rising", "armed"].includes(mover.state.kind));
		await until("standing", () => mover.state.kind === "armed");
		lease += 1;
		const { session = "", tick = 0 } = mesh.pulse() ?? {};
		const bounds = { distanceMm: 1_000, radiusMm: 500, timeMs: 60_000 };
		const asked = {
			v: 1,
			mesh: "mesh-1",
			node: "pi-1",
			session,
			lease: lease.toString(16).padStart(16, "0"),
			armEpoch: mover.state.armEpoch,
			tick,
			ttlMs: 1_000,
		};
		mover.lease(mesh.signer.sign("orion-lease-open+jws", { ...asked, holder: "bench", holderKey: mesh.signer.publicKey, purpose: "move", bounds }));
		const beganMs = performance.now();
		await until("moving", () => mover.state.kind === "moving" && legs.lastMovingMs > beganMs);
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
			await until("stopped", () => ["settling", "off", "cut"].includes(mover.state.kind));
			found.push(verb === "stop" ? Math.max(0, legs.lastMovingMs - beganMs) : legs.disabledMs - beganMs);
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
		clearInterval(loop);
		mesh.disk = "up";
		for (const socket of frozen) socket.destroy();
		await sender.close();
		await agent.stop("agent-stop");
		// Its disk was stuck while messages waited for it, so its broker may wait for ever: it is left.
		await Promise.race([mesh.close(), new Promise<void>((resolve) => setTimeout(resolve, LEFT_AFTER_MS))]);
		rmSync(folder, { recursive: true, force: true });
	}
};
