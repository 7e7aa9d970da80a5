// Shows what a client is promised: an answer means on disk and judged, a bad message costs a verdict and nothing else.
import { createServer } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { openBroker } from "../../broker/broker.ts";
import { alert, FakeIntake, hear, MESH, numbered, PING, publishBytes, published, Rig, subscribed, until } from "./rig.ts";

const rigs: Rig[] = [];
const open = async (options: Parameters<typeof Rig.open>[0] = {}): Promise<Rig> => {
	const rig = await Rig.open(options);
	rigs.push(rig);
	return rig;
};
afterEach(async () => {
	for (const rig of rigs.splice(0)) await rig.close();
});

describe.each([4, 5] as const)("MQTT version %i", (protocolVersion) => {
	test("LOSS-1: the answer follows the disk, never the other way round", async () => {
		const rig = await open();
		const { intake } = rig;
		const client = await rig.connected("pi-3", { protocolVersion });
		intake.hold("held");
		const answer = published(client, "orion/v1/pi-3/evt/backup", numbered("pi-3", 1)).then(() => intake.order.push("answered"));
		await until("it reached the disk", () => intake.waiting === 1);
		await rig.lull();
		expect(intake.order).toEqual([]);
		intake.hold("open");
		await answer;
		expect(intake.order).toEqual([expect.stringMatching(/^stored:/), "answered"]);
	});
	test("LOSS-1: a message that is quarantined is on disk before its answer, too", async () => {
		const rig = await open();
		const client = await rig.connected("pi-3.backup", { protocolVersion });
		rig.intake.hold("held");
		const answer = published(client, "orion/v1/pi-3/evt/backup", "rubbish").then(() => rig.intake.order.push("answered"));
		await until("it reached the disk", () => rig.intake.waiting === 1);
		await rig.lull();
		expect(rig.intake.order).toEqual([]);
		rig.intake.hold("open");
		await answer;
		expect(rig.intake.order).toEqual(["quarantined:NOT_JSON", "answered"]);
	});
	test("LOSS-9: a bad message is quarantined, its sender is told, and the connection goes on", async () => {
		const rig = await open();
		const node = await rig.connected("pi-3", { protocolVersion });
		const client = await rig.connected("pi-3.backup", { protocolVersion });
		const verdicts = hear(node);
		expect(await subscribed(node, "orion/v1/pi-3/verdict")).toEqual([1]);
		const bad = alert("/nodes/pi-3", { data: { name: "backup", severity: "awful", summary: "x" } });
		const error = await published(client, "orion/v1/pi-3/evt/backup", bad);
		if (protocolVersion === 4) expect(error).toBeUndefined();
		else expect(error?.message).toMatch(/Payload format invalid/);
		expect(await published(client, "orion/v1/pi-3/evt/backup", alert("/nodes/pi-3"))).toBeUndefined();
		expect([rig.intake.stored.length, rig.intake.quarantined.length]).toEqual([1, 1]);
		await until("verdict", () => verdicts.length === 1);
		expect(JSON.parse(verdicts[0]?.text ?? "")).toMatchObject({
			messageId: bad["id"],
			topic: "orion/v1/pi-3/evt/backup",
			outcome: "quarantined",
			code: "CONTRACT_VIOLATED",
			contract: "alert.firing",
			pointer: "/data/severity",
			position: 1,
		});
		expect(client.connected).toBe(true);
	});
	test.each([
		["a foreign subtree", "orion/v1/pi-9/evt/x", false, "TOPIC_REFUSED"],
		["a command", "orion/v1/pi-3/cmd/process.stop", false, "TOPIC_REFUSED"],
		["a retained command", "orion/v1/pi-3/cmd/process.stop", true, "TOPIC_REFUSED"],
		["a retained event", "orion/v1/pi-3/evt/x", true, "RETAIN_REFUSED"],
		["a topic of the library", "$SYS/x/new/clients", false, "TOPIC_REFUSED"],
		["a topic of nobody", "hello", false, "TOPIC_REFUSED"],
		["a topic of 100 levels", Array.from({ length: 100 }, () => "a").join("/"), false, "TOPIC_REFUSED"],
	])("HARM-10: %s is quarantined, reaches nobody, stays nowhere, and does not end the connection", async (_what, topic, retain, code) => {
		const rig = await open();
		const victim = await rig.connected("pi-3", { protocolVersion });
		const heard = hear(victim);
		await subscribed(victim, "orion/v1/pi-3/cmd/+", "orion/v1/pi-3/stop");
		const client = await rig.connected("pi-3.backup", { protocolVersion });
		await published(client, topic, topic.startsWith("$SYS") ? "pi-3" : alert("/nodes/pi-3"), { retain });
		expect(rig.intake.quarantined.map(({ fault }) => fault.code)).toEqual([code]);
		// Whatever was passed on would have arrived before this.
		await rig.broker.deliver("pi-3", "orion/v1/pi-3/cmd/end", Buffer.from("end"));
		await until("the last message", () => heard.length > 0);
		const later = await rig.connected("pi-4", { protocolVersion });
		expect(await subscribed(victim, "orion/v1/pi-3/cmd/+")).toBeDefined();
		await rig.broker.deliver("pi-3", "orion/v1/pi-3/cmd/end", Buffer.from("end"));
		await until("the last message again", () => heard.length > 1);
		expect(heard.map(({ text }) => text)).toEqual(["end", "end"]);
		expect([victim.connected, client.connected, later.connected]).toEqual([true, true, true]);
	});
	test("a disk that is down costs the connection, so that the message is sent again, and then it is stored", async () => {
		const rig = await open();
		const client = await rig.connected("pi-3", { protocolVersion, reconnectPeriod: 10 });
		rig.intake.hold("down");
		let closes = 0;
		client.on("close", () => {
			closes += 1;
			rig.intake.hold("open");
		});
		expect(await published(client, "orion/v1/pi-3/evt/backup", numbered("pi-3", 1))).toBeUndefined();
		expect(closes).toBe(1);
		expect(rig.intake.stored).toHaveLength(1);
	});
	test("a disk that is stuck costs the connection within the deadline, and what comes too late is a duplicate", async () => {
		const rig = await open({ hookDeadlineMs: 50 });
		const client = await rig.connected("pi-3", { protocolVersion, reconnectPeriod: 10 });
		rig.intake.hold("held");
		client.once("close", () => rig.intake.hold("open"));
		expect(await published(client, "orion/v1/pi-3/evt/backup", numbered("pi-3", 1))).toBeUndefined();
		expect(rig.intake.stored).toHaveLength(1);
	});
	test("a disk that is stuck holds up pings no longer than the deadline, and other connections not at all", async () => {
		const rig = await open({ hookDeadlineMs: 200 });
		const stuck = await rig.rawConnected("pi-3", protocolVersion);
		const other = await rig.rawConnected("pi-4", protocolVersion);
		rig.intake.hold("held");
		stuck.send(publishBytes("orion/v1/pi-3/evt/x", JSON.stringify(numbered("pi-3", 1)), protocolVersion));
		await until("it reached the disk", () => rig.intake.waiting === 1);
		stuck.send(PING);
		other.send(PING);
		await other.packet("pingresp");
		expect([rig.intake.waiting, stuck.closed]).toEqual([1, false]);
		await stuck.ended();
		expect(rig.intake.waiting).toBe(1);
	});
	test("a repeat is told to who does not number, and to nobody else", async () => {
		const rig = await open();
		const node = await rig.connected("pi-3", { protocolVersion });
		const client = await rig.connected("pi-3.backup", { protocolVersion });
		const verdicts = hear(client);
		await subscribed(client, "orion/v1/pi-3/verdict");
		const once = alert("/nodes/pi-3.backup");
		const counted = numbered("pi-3", 1);
		for (const _again of [1, 2]) {
			expect(await published(node, "orion/v1/pi-3/evt/x", counted)).toBeUndefined();
			expect(await published(client, "orion/v1/pi-3/evt/x", once)).toBeUndefined();
		}
		expect(await published(client, "orion/v1/pi-3/evt/x", { ...once, subject: "other bytes" })).toEqual(protocolVersion === 4 ? undefined : expect.any(Error));
		await until("verdicts", () => verdicts.length === 2);
		expect(verdicts.map(({ text }) => JSON.parse(text))).toMatchObject([
			{ outcome: "duplicate", messageId: once["id"] },
			{ outcome: "quarantined", code: "ID_REUSED", messageId: once["id"] },
		]);
		expect(rig.intake.stored).toHaveLength(2);
	});
	test("measurements and pulses are shown at once, also while the disk is stuck", async () => {
		const rig = await open();
		const node = await rig.connected("pi-3", { protocolVersion });
		const safety = await rig.connected("pi-3.safety", { protocolVersion });
		rig.intake.hold("held");
		const metrics = alert("/nodes/pi-3", { mesh: MESH, type: "dev.orion.host.metrics.v1", data: { uptimeSeconds: 1 } });
		const pulse = alert("/nodes/pi-3", { mesh: MESH, type: "dev.orion.node.pulse.v1", data: { session: "s", tick: 1, safety: "working" } });
		await published(node, "orion/v1/pi-3/tlm/host", metrics, { qos: 0 });
		await published(safety, "orion/v1/pi-3/pulse", pulse, { qos: 0 });
		await until("both", () => rig.intake.shown.length === 2);
		expect(rig.intake.shown.map(({ channel, envelope }) => [channel, envelope.id])).toEqual(
			expect.arrayContaining([
				["tlm", metrics["id"]],
				["pulse", pulse["id"]],
			]),
		);
		rig.intake.hold("open");
	});
	test("QoS 2 ends the connection, and nothing of it is kept", async () => {
		const rig = await open();
		const client = await rig.connected("pi-3.backup", { protocolVersion });
		const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
		const reasons: unknown[] = [];
		client.on("disconnect", (packet) => reasons.push(packet.reasonCode));
		void published(client, "orion/v1/pi-3/evt/x", alert("/nodes/pi-3"), { qos: 2 });
		await closed;
		expect(rig.intake.stored).toHaveLength(0);
		expect(rig.refusals).toMatchObject([{ clientId: "pi-3.backup", fault: { code: "QOS_REFUSED" } }]);
		expect(reasons).toEqual(protocolVersion === 5 ? [0x9b] : []);
	});
});

test("MQTT 5: the answer says what was wrong, with a code that fits", async () => {
	const rig = await open();
	const raw = await rig.rawConnected("pi-3.backup", 5);
	raw.send(publishBytes("orion/v1/pi-3/evt/x", "{", 5));
	raw.send(publishBytes("orion/v1/pi-9/evt/x", JSON.stringify(alert("/nodes/pi-3")), 5));
	raw.send(publishBytes("orion/v1/pi-3/evt/x", JSON.stringify(alert("/nodes/pi-3")), 5));
	await raw.packet("puback", 3);
	const answers = raw.packets.filter((packet) => packet.cmd === "puback");
	expect(answers.map(({ reasonCode }) => reasonCode)).toEqual([0x99, 0x87, 0]);
	expect(answers[0]?.properties?.reasonString).toMatch(/^not a JSON object/);
	expect(answers[1]?.properties?.reasonString).toBe("pi-3.backup may not publish orion/v1/pi-9/evt/x");
	expect(answers[2]?.properties).toBeUndefined();
});

test("a message of every size up to the bound is taken, and one that is larger than an envelope may be is quarantined", async () => {
	const rig = await open();
	const client = await rig.connected("pi-3.backup");
	const sized = (bytes: number): string => {
		const empty = JSON.stringify(alert("/nodes/pi-3", { note: "" }));
		return empty.replace('"note":""', `"note":"${"x".repeat(bytes - empty.length)}"`);
	};
	for (const bytes of [1_000, 16_384, 65_535, 65_536]) expect(await published(client, "orion/v1/pi-3/evt/x", sized(bytes))).toBeUndefined();
	expect(rig.intake.stored.map(({ bytes }) => bytes.length)).toEqual([1_000, 16_384, 65_535, 65_536]);
	expect(await published(client, "orion/v1/pi-3/evt/x", sized(65_537))).toBeUndefined();
	expect(rig.intake.quarantined.map(({ fault }) => fault.code)).toEqual(["TOO_LARGE"]);
	expect(client.connected).toBe(true);
});

test("thousands in flight are all stored, in order, and all answered", async () => {
	const rig = await open();
	const client = await rig.connected("pi-3");
	const all = await Promise.all(Array.from({ length: 2_000 }, (_none, seq) => published(client, "orion/v1/pi-3/evt/x", numbered("pi-3", seq + 1))));
	expect(all.filter((error) => error !== undefined)).toEqual([]);
	expect(rig.intake.stored.map(({ envelope }) => envelope.seq)).toEqual(Array.from({ length: 2_000 }, (_none, seq) => seq + 1));
});

test("a port in use is said with the flag that changes it", async () => {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const address = server.address();
	const port = typeof address === "object" && address !== null ? address.port : 0;
	const options = { mesh: MESH, host: "127.0.0.1", port, instance: "i", intake: new FakeIntake(), credentials: { check: () => Promise.resolve(true) } };
	await expect(openBroker(options)).rejects.toMatchObject({ fault: { code: "PORT_IN_USE", facts: { port, host: "127.0.0.1", flag: "--mqtt-port" } } });
	await expect(openBroker({ ...options, host: "192.0.2.1" })).rejects.toMatchObject({ fault: { code: "PORT_REFUSED" } });
	await new Promise<void>((resolve) => server.close(() => resolve()));
	const broker = await openBroker(options);
	expect(broker.port).toBe(port);
	await Promise.all([broker.close(), broker.close()]);
});

test("closing waits for what is on its way to the disk, and then nothing more comes", async () => {
	const rig = await open();
	const client = await rig.connected("pi-3");
	rig.intake.hold("held");
	void published(client, "orion/v1/pi-3/evt/x", numbered("pi-3", 1));
	await until("it reached the disk", () => rig.intake.waiting === 1);
	let closed = false;
	const closing = rig.broker.close().then(() => {
		closed = true;
	});
	await until("the client is gone", () => !client.connected);
	expect(closed).toBe(false);
	rig.intake.hold("open");
	await closing;
	expect(rig.intake.stored).toHaveLength(1);
	expect(rig.broker.connections()).toEqual([]);
});
