// Shows that a node stops when anyone of the mesh orders it or a person at it does, says so at once past every disk, and goes on only when it is released.
import { mkdtempSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { NodePulse } from "../../contracts/gen/types.ts";
import { writeStopOrder } from "../../contracts/stop-order.ts";
import { openStopSocket } from "../../edge/stop-socket.ts";
import { Mesh, NodeFolder, startNode, until } from "./mesh.ts";
import { UNDISTURBED_MS_MAX, undisturbed } from "./undisturbed.ts";

const ORDER = "00112233445566aa";
const OTHER = "ffeeddccbbaa9988";
const opened: { stop(reason: "agent-stop"): Promise<void> }[] = [];
const meshes: Mesh[] = [];
const folders: string[] = [];
const putAway = async (): Promise<void> => {
	for (const agent of opened.splice(0)) await agent.stop("agent-stop");
	for (const mesh of meshes.splice(0)) await mesh.close();
	for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
};
afterEach(putAway);

const started = async (folder = new NodeFolder(), mesh?: Mesh, socket?: string) => {
	const world = mesh ?? (await new Mesh().open());
	if (mesh === undefined) {
		meshes.push(world);
		world.speak();
	}
	const openSocket =
		socket === undefined
			? {}
			: {
					openStopSocket: (desk: Parameters<typeof openStopSocket>[0]["desk"]) =>
						openStopSocket({ path: socket, desk, clear: async () => rmSync(socket, { force: true }) }),
				};
	const node = await startNode(world, folder, openSocket);
	opened.push(node.agent);
	await until("ready", () => world.states().some((state) => state.startsWith("ready")));
	return { mesh: world, folder, ...node };
};

const publish = (mesh: Mesh, topic: string, bytes: Uint8Array = writeStopOrder({ order: ORDER, by: "peter", via: "cli" })): Promise<void> =>
	mesh.broker.publish(`orion/v1/${topic}`, bytes, { qos: 1, retain: false });
const pulseOf = (mesh: Mesh, isIt: (pulse: NodePulse) => boolean): Promise<NodePulse> =>
	until("a pulse", () => {
		const pulse = mesh.pulse();
		return pulse !== undefined && isIt(pulse) ? pulse : undefined;
	});
const safeties = (mesh: Mesh): readonly string[] => mesh.of("dev.orion.node.safety.v1").map(({ data }) => data.state);

test.each(["pi-1/stop", "pi-1/cut", "all/stop", "all/cut"])(
	"HARM-40 %s latches it: a pulse with the order says so, then a record; commands are refused with who did it",
	async (topic) => {
		const { mesh, counting } = await started();
		await publish(mesh, topic);
		expect(await pulseOf(mesh, ({ order }) => order === ORDER)).toMatchObject({ safety: "stopped", order: ORDER });
		await until("the record", () => safeties(mesh).at(-1) === "stopped");
		const command = mesh.command();
		await mesh.send(command);
		const refused = await until("a refusal", () => mesh.of("dev.orion.action.receipt.v1").find(({ data }) => data.command === command.command));
		expect(refused.data).toMatchObject({ phase: "refused", reason: "stopped", detail: "this node was stopped by peter" });
		expect(counting.ran).toEqual([]);
	},
);

test("HARM-43 an order that nobody can read stops it all the same; one for another node does not", async () => {
	const { mesh } = await started();
	await publish(mesh, "pi-2/stop");
	await publish(mesh, "pi-1/stop", Buffer.from("halt!"));
	expect(await pulseOf(mesh, ({ safety }) => safety === "stopped")).not.toMatchObject({ order: ORDER });
});

test("HARM-44 an order that a broker kept from before has no effect", async () => {
	const mesh = await new Mesh().open();
	meshes.push(mesh);
	mesh.speak();
	await mesh.broker.publish("orion/v1/all/cut", Buffer.from("of yesterday"), { qos: 1, retain: true });
	const { notes } = await started(new NodeFolder(), mesh);
	await until("it was ignored", () => notes.of("stop-ignored").length > 0);
	expect(await pulseOf(mesh, () => true)).toMatchObject({ safety: "working" });
});

test("HARM-45 a disk of core that takes nothing is not in the way of the node's word", async () => {
	const { mesh } = await started();
	mesh.disk = "down";
	await publish(mesh, "all/stop");
	await pulseOf(mesh, ({ order, safety }) => order === ORDER && safety === "stopped");
	mesh.disk = "up";
	await until("the record follows", () => safeties(mesh).includes("stopped"));
});

test(
	"HARM-45 a disk of core that is stuck does not take away the connection by which it is stopped; what was not answered is said again",
	{ timeout: UNDISTURBED_MS_MAX },
	() =>
		undisturbed(async () => {
			const { mesh, notes } = await started();
			mesh.disk = "stuck";
			await publish(mesh, "pi-1/stop");
			await pulseOf(mesh, ({ order }) => order === ORDER);
			// Longer than any answer may take: a connection that were cut for it would be down by now.
			const before = mesh.live.length;
			await until("pulses go on", () => mesh.live.length > before + 1);
			expect(notes.of("link-down")).toEqual([]);
			await publish(mesh, "pi-1/cut", writeStopOrder({ order: OTHER, by: "anna", via: "cli" }));
			await pulseOf(mesh, ({ order }) => order === OTHER);
			mesh.disk = "up";
			await until("it is said again", () => safeties(mesh).includes("stopped"));
			expect(notes.of("link-down")).toEqual([]);
		}, putAway),
);

test("HARM-46 it stays stopped through a restart and through beacons; core's release of that order, and only of that, opens it", async () => {
	const folder = new NodeFolder();
	const { mesh, agent } = await started(folder);
	await publish(mesh, "pi-1/stop");
	await pulseOf(mesh, ({ order }) => order === ORDER);
	await agent.stop("agent-stop");
	opened.splice(0);
	mesh.heard.length = 0;
	mesh.live.length = 0;
	await started(folder, mesh);
	expect(await pulseOf(mesh, () => true)).toMatchObject({ safety: "stopped" });
	mesh.speak({
		releases: [
			{ node: "pi-1", orders: [OTHER] },
			{ node: "pi-2", orders: [ORDER] },
		],
	});
	const before = mesh.live.length;
	await until("pulses after that beacon", () => mesh.live.length > before + 1);
	expect(mesh.pulse()).toMatchObject({ safety: "stopped" });
	mesh.speak({ releases: [{ node: "pi-1", orders: [ORDER] }] });
	await pulseOf(mesh, ({ safety }) => safety === "working");
	expect(
		(await until("the record", () => mesh.of("dev.orion.node.safety.v1").findLast(({ data }) => data.released.includes(ORDER)))).data.latch,
	).toBeUndefined();
});

test("HARM-47 a node that missed the order latches on hearing core's list, before it works", async () => {
	const mesh = await new Mesh().open();
	meshes.push(mesh);
	mesh.speak({ latched: ["pi-1"], stops: [{ node: "pi-1", verb: "stop", order: ORDER, by: "anna" }] });
	const { notes } = await started(new NodeFolder(), mesh);
	const record = await until("the record", () => mesh.of("dev.orion.node.safety.v1").find(({ data }) => data.state === "stopped"));
	expect(record.data.latch?.orders).toEqual([{ order: ORDER, verb: "stop", by: "anna", via: "beacon" }]);
	expect(notes.of("safety").map(({ safety }) => safety)).not.toContain("working");
});

const ask = (path: string, line: string): Promise<Record<string, unknown>> =>
	new Promise((resolve, reject) => {
		let text = "";
		const socket = createConnection(path, () => socket.end(line));
		socket.on("data", (chunk: Buffer) => {
			text += chunk.toString();
		});
		socket.on("error", reject);
		socket.on("close", () => resolve(JSON.parse(text) as Record<string, unknown>));
	});
const socketPath = (): string => {
	const folder = mkdtempSync(join(tmpdir(), "orion-stop-"));
	folders.push(folder);
	return join(folder, "stop.sock");
};

test("HARM-48 a person at the node stops it with no broker at all, by a word, and is the only one who releases a cut", async () => {
	const path = socketPath();
	const { mesh, agent } = await started(new NodeFolder(), undefined, path);
	await mesh.broker.close();
	expect(await ask(path, "cut\n")).toMatchObject({ schema: "orion.local-stop/1", node: "pi-1", safety: "stopped", outcome: "latched" });
	expect(await ask(path, "stop")).toMatchObject({ outcome: "repeated", safety: "stopped" });
	expect(await ask(path, '{"verb":"stop","node":"all","by":"anna"}')).toMatchObject({ outcome: "repeated", others: "not-reached" });
	expect(await ask(path, "release\n")).toMatchObject({ outcome: "released" });
	expect(await ask(path, "release\n")).toMatchObject({ outcome: "not-latched" });
	expect(await ask(path, "halt\n")).toMatchObject({ schema: "orion.error/1", code: "USAGE" });
	expect(await ask(path, "release pi-2\n")).toMatchObject({ code: "USAGE" });
	await agent.stop("agent-stop");
	opened.splice(0);
});

test("HARM-49 from any node the order reaches the others by the broker alone, with nobody's core alive", async () => {
	const path = socketPath();
	const { mesh } = await started(new NodeFolder(), undefined, path);
	mesh.silence();
	expect(await ask(path, '{"verb":"stop","node":"all","by":"anna"}\n')).toMatchObject({ outcome: "latched", safety: "stopped", others: "handed-over" });
	await until("the broker tells who watches", () => mesh.stops.length === 1);
	expect(mesh.stops.map(({ verb, node, by }) => `${verb} ${node} by ${by}`)).toEqual(["stop all by pi-1.safety"]);
	expect(mesh.pulse()).toMatchObject({ safety: "stopped" });
});
