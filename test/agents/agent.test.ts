// Shows a whole agent with a real broker: presence, pulses, commands, outages, sessions and restored folders (HARM-3, HARM-4, HARM-8, LOSS-8).
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Agent, AgentOptions } from "../../agents/roles/agent.ts";
import { nodeClock } from "../../agents/roles/node-clock.ts";
import { instant } from "../../contracts/time.ts";
import { Mesh, NodeFolder, startNode, until } from "./mesh.ts";

let mesh: Mesh;
let agents: Agent[];

beforeEach(async () => {
	mesh = await new Mesh().open();
	agents = [];
});
afterEach(async () => {
	for (const agent of agents.splice(0)) await agent.stop("agent-leave");
	await mesh.close();
});

const start = async (folder = new NodeFolder(), change: { readonly password?: string } & Partial<Pick<AgentOptions, "clock">> = {}) => {
	const started = await startNode(mesh, folder, change);
	agents.push(started.agent);
	return { ...started, folder };
};

const ready = (times = 1) => until(`ready ${times}`, () => mesh.states().filter((state) => state.startsWith("ready")).length >= times);

describe("presence", () => {
	test("init when connected, ready only when core is heard; pulses name session, tick and safety", async () => {
		const { notes } = await start();
		await until("a pulse", () => mesh.pulse());
		expect(mesh.states()).toEqual(["init 1"]);
		expect(mesh.pulse()).toMatchObject({ session: expect.stringMatching(/^1\.[0-9a-f]{16}$/), safety: expect.stringMatching(/^(boot|alone)$/) });
		await mesh.broker.publish("orion/v1/core/beacon", Buffer.from("forged"), { qos: 0, retain: false });
		await until("the forged beacon", () => notes.of("beacon-ignored").length > 0);
		await mesh.broker.deliver("pi-1", "orion/v1/pi-1/cmd/process.restart", Buffer.from("forged"));
		await until("a refusal after it", () => mesh.of("dev.orion.action.receipt.v1").length > 0);
		expect(mesh.states()).toEqual(["init 1"]);
		mesh.speak();
		await ready();
		expect(mesh.states()).toEqual(["init 1", "ready 1"]);
		await until("a working pulse", () => mesh.pulse()?.safety === "working");
		// Said is noted when the broker has thanked for it.
		await until("the note of it", () => notes.of("ready").length > 0);
		expect(notes.of("ready").length).toBe(1);
		expect(mesh.quarantined).toEqual([]);
	});

	test("HARM-103: held for lost by core although it lives, it says again that it is ready, on the same connection", async () => {
		const { notes } = await start();
		mesh.speak();
		await ready();
		mesh.speak({ ticks: {} });
		await ready(2);
		expect(new Set(mesh.states())).toEqual(new Set(["init 1", "ready 1"]));
		expect(notes.of("ready-again").length).toBeGreaterThan(0);
	});

	test("about says what the node can do, and stays at the broker", async () => {
		await start();
		mesh.speak();
		await until("about", () => mesh.of("dev.orion.node.about.v1")[0]);
		expect(mesh.of("dev.orion.node.about.v1")[0]?.data).toMatchObject({
			role: "node",
			capabilities: ["process"],
			actions: ["process.restart"],
			services: ["web"],
			keyId: expect.stringMatching(/^[0-9a-f]{16}$/),
		});
		expect(await mesh.broker.retained("orion/v1/pi-1/about")).toBeDefined();
	});

	test("an end in order: what is in the outbox is sent, then disconnected, and no will", async () => {
		const { agent, counting } = await start();
		mesh.speak();
		await ready();
		await counting.context?.emit("dev.orion.process.stopped.v1", { service: "web", why: "agent-stop" });
		agents = [];
		await agent.stop("agent-stop");
		expect(counting.stopped).toBe("agent-stop");
		expect(mesh.of("dev.orion.process.stopped.v1").length).toBe(1);
		expect(mesh.states()).toEqual(["init 1", "ready 1", "disconnected 1"]);
	});

	test("an agent that leaves is lost: its will says so", async () => {
		const { agent } = await start();
		mesh.speak();
		await ready();
		agents = [];
		await agent.stop("agent-leave");
		await until("lost", () => mesh.states().includes("lost 1"));
	});

	test("the lanes have no holes, over reconnects too", async () => {
		const { counting } = await start();
		mesh.speak();
		await ready();
		await counting.context?.emit("dev.orion.process.up.v1", { service: "web", pid: 1, startTicks: 1, how: "running", starts: 1 });
		const { port } = mesh.broker;
		await mesh.close();
		await counting.context?.emit("dev.orion.process.up.v1", { service: "web", pid: 2, startTicks: 1, how: "running", starts: 1 });
		await mesh.open(port);
		mesh.speak();
		await ready(2);
		await until("the last one", () => mesh.of("dev.orion.process.up.v1").some(({ data }) => data.pid === 2));
		for (const lane of ["safety", "event"]) {
			const seqs = [...new Set(mesh.heard.filter(({ envelope }) => envelope.lane === lane).map(({ envelope }) => envelope.seq ?? 0))].sort((a, b) => a - b);
			expect(seqs).toEqual(seqs.map((_, index) => index + 1));
		}
	});
});

describe("what a node writes to its card", () => {
	test("LOSS-54: each pulse says what the outbox writes a day, once an hour is known", async () => {
		const host = nodeClock();
		let slept = 0;
		const { counting, folder } = await start(new NodeFolder(), { clock: { ...host, now: () => instant(host.now() + slept) } });
		mesh.speak();
		await ready();
		await counting.context?.emit("dev.orion.process.up.v1", { service: "web", pid: 1, startTicks: 1, how: "running", starts: 1 });
		await until("a pulse", () => mesh.pulse()?.outboxCount !== undefined);
		expect(mesh.pulse()).not.toHaveProperty("outboxDailyBytes");
		slept = 2 * 3_600_000;
		const perDay = await until("a pulse of two hours later", () => mesh.pulse()?.outboxDailyBytes);
		const written = folder.outbox.records.reduce((sum, bytes) => sum + bytes.byteLength, 0);
		// Twelve times what two hours brought; the seconds that the test took make it a little less.
		expect(perDay).toBeLessThanOrEqual(written * 12);
		expect(perDay).toBeGreaterThan(written * 11);
		expect(mesh.quarantined).toEqual([]);
	});

	test("LOSS-55: measurements are never written, neither while the broker is there nor while it is away", async () => {
		const { counting, folder } = await start();
		mesh.speak();
		await ready();
		const measure = (uptimeSeconds: number) =>
			counting.context?.measure("dev.orion.host.metrics.v1", { uptimeSeconds, cpuRatio: 0.1, memoryTotalBytes: 2, memoryAvailableBytes: 1, disks: [] });
		for (let number = 1; number <= 20; number += 1) measure(number);
		await until("the last one", () => mesh.live.some(({ envelope }) => envelope.seq === 20));
		await mesh.close();
		for (let number = 21; number <= 40; number += 1) measure(number);
		// Behind them in the same outbox: when this one is there, they would be too.
		await counting.context?.emit("dev.orion.process.up.v1", { service: "web", pid: 1, startTicks: 1, how: "running", starts: 1 });
		const kept = [...folder.outbox.records, ...folder.commands.records].map((bytes) => Buffer.from(bytes).toString());
		expect(kept.some((text) => text.includes("process.up"))).toBe(true);
		expect([...kept, ...folder.files.texts.values()].filter((text) => text.includes("host.metrics"))).toEqual([]);
		await mesh.open();
	});
});

describe("commands over the wire", () => {
	test("accepted, done; sent again it is answered with the same receipt; forged it is refused", async () => {
		const { counting } = await start();
		mesh.speak();
		await ready();
		const command = mesh.command();
		await mesh.send(command);
		await mesh.send(command);
		const receipts = () => mesh.of("dev.orion.action.receipt.v1").map(({ data }) => `${data.phase}${data.repeat === true ? " again" : ""}`);
		await until("the repeat", () => receipts().some((said) => said.endsWith("again")));
		expect(receipts().slice(0, 2)).toEqual(["accepted", "done"]);
		expect(counting.ran).toEqual(["act-1"]);
		await mesh.broker.deliver("pi-1", "orion/v1/pi-1/cmd/process.restart", Buffer.from("forged"));
		await until("the refusal", () => mesh.of("dev.orion.action.receipt.v1").some(({ data }) => data.reason === "malformed"));
		expect(mesh.quarantined).toEqual([]);
	});

	test("HARM-8: a new agent on the same folder refuses commands of the session before, and knows what that one did", async () => {
		const { agent, folder } = await start();
		mesh.speak();
		await ready();
		const done = mesh.command();
		const never = mesh.command({ command: "act-9", seq: 99 });
		await mesh.send(done);
		await until("done", () => mesh.of("dev.orion.action.receipt.v1").some(({ data }) => data.phase === "done"));
		agents = [];
		await agent.stop("agent-leave");
		const second = await start(folder);
		await ready(2);
		expect(mesh.pulse()?.session).toMatch(/^2\./);
		await mesh.send(done);
		await mesh.send(never);
		await until("both answers", () => mesh.of("dev.orion.action.receipt.v1").some(({ data }) => data.command === "act-9"));
		const answers = mesh
			.of("dev.orion.action.receipt.v1")
			.slice(-2)
			.map(({ data }) => [data.command, data.phase, data.reason ?? "", data.repeat ?? false]);
		expect(answers).toEqual([
			["act-1", "done", "", true],
			["act-9", "refused", "other-session", false],
		]);
		expect(second.counting.ran).toEqual([]);
	});
});

describe("outages", () => {
	test("LOSS-8: what is said while no broker runs arrives when one does, in order", async () => {
		const { counting } = await start();
		mesh.speak();
		await ready();
		const { port } = mesh.broker;
		await mesh.close();
		for (let pid = 1; pid <= 20; pid++)
			await counting.context?.emit("dev.orion.process.up.v1", { service: "web", pid, startTicks: 1, how: "running", starts: 1 });
		await mesh.open(port);
		await until("all of them", () => mesh.of("dev.orion.process.up.v1").length >= 20);
		expect(mesh.of("dev.orion.process.up.v1").map(({ data }) => data.pid)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
	});

	test("LOSS-8: a broker whose disk is down acknowledges nothing; the node sends it until it is up again", async () => {
		const { counting } = await start();
		mesh.speak();
		await ready();
		mesh.disk = "down";
		await counting.context?.emit("dev.orion.process.up.v1", { service: "web", pid: 1, startTicks: 1, how: "running", starts: 1 });
		await until("a cut connection", () => mesh.broker.connections().length < 2);
		expect(mesh.of("dev.orion.process.up.v1")).toEqual([]);
		mesh.disk = "up";
		await until("the event", () => mesh.of("dev.orion.process.up.v1").length > 0);
	});

	test("a newer core is told everything again", async () => {
		const { counting } = await start();
		mesh.speak();
		await ready();
		const before = counting.announced;
		mesh.term += 1;
		mesh.speak();
		await until("the announcement", () => counting.announced > before);
		await until("about again", () => mesh.of("dev.orion.node.about.v1").length >= 2);
	});

	test("a wrong password is said as what it is, and tried again", async () => {
		const { notes } = await start(new NodeFolder(), { password: "wrong" });
		await until("two refusals", () => notes.of("connect-failed").filter(({ code }) => code === "NOT_AUTHENTICATED").length >= 2);
		expect(mesh.heard).toEqual([]);
	});
});

describe("sessions", () => {
	test("a restored folder, or a new one for an old name: core knows of later sessions, so a later one is begun", async () => {
		await mesh.watermark({ counter: 41, session: "41.00000000000000bb" });
		const { folder } = await start();
		mesh.speak();
		await ready();
		expect(mesh.pulse()?.session).toMatch(/^42\./);
		expect(JSON.parse(folder.files.texts.get("session.json") ?? "")).toEqual({ counter: 42 });
		const states = mesh.of("dev.orion.node.state.v1");
		expect(states.at(-1)).toMatchObject({ data: { state: "ready" }, session: expect.stringMatching(/^42\./) });
	});

	test("core's word on it comes late: the session changes under way, and the node comes back as itself", async () => {
		const { counting } = await start();
		mesh.speak();
		await ready();
		await mesh.watermark({ counter: 7, session: "7.00000000000000bb" });
		await until("a later session", () => mesh.pulse()?.session.startsWith("8."));
		await ready(2);
		await until("working", () => mesh.pulse()?.safety === "working");
		await mesh.send(mesh.command());
		await until("done", () => mesh.of("dev.orion.action.receipt.v1").some(({ data }) => data.phase === "done"));
		expect(counting.ran).toEqual(["act-1"]);
	});

	test("core's word on this very session changes nothing", async () => {
		await start();
		mesh.speak();
		await ready();
		const session = mesh.pulse()?.session ?? "";
		await mesh.watermark({ counter: 1, session, lanes: { event: 1 } });
		await mesh.send(mesh.command());
		await until("done", () => mesh.of("dev.orion.action.receipt.v1").some(({ data }) => data.phase === "done"));
		expect(mesh.pulse()?.session).toBe(session);
	});
});
