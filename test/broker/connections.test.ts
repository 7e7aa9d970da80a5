// Shows who comes in and who does not, and what a connection leaves behind when it ends.
import { afterEach, describe, expect, test } from "vitest";
import { alert, connectPacket, MESH, numbered, PING, published, Rig, SESSION, stateOf, until } from "./rig.ts";

const rigs: Rig[] = [];
const open = async (options: Parameters<typeof Rig.open>[0] = {}): Promise<Rig> => {
	const rig = await Rig.open(options);
	rigs.push(rig);
	return rig;
};
afterEach(async () => {
	for (const rig of rigs.splice(0)) await rig.close();
});

const STATE = "orion/v1/pi-3/state";
const willOf = (topic: string, message: unknown, retain = true, qos: 0 | 1 | 2 = 1) => ({
	topic,
	payload: Buffer.from(typeof message === "string" ? message : JSON.stringify(message)),
	retain,
	qos,
});
/** Last words as an agent leaves them: without a number. */
const lost = (conn: number, session = SESSION, node = "pi-3") => {
	const { session: _session, lane, seq, mono, time, ...rest } = stateOf(node, "lost", conn, session);
	return rest;
};

describe.each([4, 5] as const)("MQTT version %i: who comes in", (protocolVersion) => {
	const answerTo = async (rig: Rig, clientId: string, more: Record<string, unknown> = {}): Promise<readonly [number | undefined, string | undefined]> => {
		const raw = await rig.raw();
		raw.send(connectPacket(clientId, protocolVersion, more));
		const packet = await raw.packet("connack");
		const code = protocolVersion === 5 ? packet.reasonCode : packet.returnCode;
		if (code !== 0) await raw.ended();
		return [code, packet.properties?.reasonString];
	};
	const V5 = protocolVersion === 5;

	test.each(["pi-3", "pi-3.safety", "pi-3.backup", "constructor"])("%s does", async (clientId) => {
		const rig = await open();
		expect(await answerTo(rig, clientId)).toEqual([0, undefined]);
		await until("it is shown", () => rig.broker.connections().length === 1);
		expect(rig.broker.connections()[0]?.identity.clientId).toBe(clientId);
	});
	test.each(["", "core", "all", "PI-3", "__proto__", "pi-3.", "pi-3/x", "x".repeat(33)])("client id %j does not", async (clientId) => {
		const rig = await open();
		const [code, reason] = await answerTo(rig, clientId, { username: "pi-3" });
		expect(code).toBe(V5 ? 0x85 : 2);
		if (V5) expect(reason).toMatch(/is no client id: use the name of the node/);
		expect(rig.refusals).toMatchObject([{ clientId, fault: { code: "CLIENT_ID_REFUSED" } }]);
	});
	test.each([
		["a wrong password", { password: Buffer.from("wrong") }],
		["no password", { password: undefined }],
		["another node's name", { username: "pi-9" }],
		["no name", { username: undefined, password: undefined }],
	])("%s does not", async (_what, more) => {
		const rig = await open();
		const [code, reason] = await answerTo(rig, "pi-3", more);
		expect(code).toBe(V5 ? 0x86 : 4);
		if (V5) expect(reason).toMatch(/credential was refused/);
		expect(rig.broker.connections()).toEqual([]);
	});
	test("nobody does while passwords cannot be checked", async () => {
		const rig = await open({ credentials: { check: () => Promise.reject(new Error("no file")) } });
		expect((await answerTo(rig, "pi-3"))[0]).toBe(V5 ? 0x88 : 3);
	});
	test.each([
		["on another node's presence", willOf("orion/v1/pi-9/state", lost(1))],
		["in another node's name", willOf(STATE, lost(1, SESSION, "pi-9"))],
		["on a command", willOf("orion/v1/pi-3/cmd/x", lost(1))],
		["that stops everyone", willOf("orion/v1/all/stop", "{}")],
		["of the library", willOf("$SYS/x/new/clients", "pi-9")],
		["that is not presence", willOf(STATE, alert("/nodes/pi-3", { mesh: MESH }))],
		["that is rubbish", willOf(STATE, "{")],
		["of another mesh", willOf(STATE, { ...lost(1), mesh: "mesh-2" })],
	])("HARM-10: a will %s does not", async (_what, will) => {
		const rig = await open();
		const [code, reason] = await answerTo(rig, "pi-3.safety", { will });
		expect(code).toBe(V5 ? 0x87 : 5);
		if (V5) expect(reason).toMatch(/^the will on/);
	});
	test("HARM-10: a client's retained will, a data connection's will and a will with QoS 2 do not", async () => {
		const rig = await open();
		expect((await answerTo(rig, "pi-3.backup", { will: willOf("orion/v1/pi-3/evt/x", alert("/nodes/pi-3"), true) }))[0]).toBe(V5 ? 0x87 : 5);
		expect((await answerTo(rig, "pi-3.backup", { will: willOf("orion/v1/pi-3/evt/x", alert("/nodes/pi-3"), false) }))[0]).toBe(0);
		expect((await answerTo(rig, "pi-3", { will: willOf(STATE, lost(1)) }))[0]).toBe(V5 ? 0x87 : 5);
		expect((await answerTo(rig, "pi-3.safety", { will: willOf(STATE, lost(1), true, 2) }))[0]).toBe(V5 ? 0x9b : 5);
	});
	test("filters beyond the table are refused one by one, and the others are granted", async () => {
		const rig = await open();
		const raw = await rig.rawConnected("pi-3", protocolVersion);
		const filters = ["#", "orion/v1/pi-3/cmd/+", "$SYS/#", "+/+/+/+", "$share/g/orion/v1/pi-3/stop", "orion/v1/pi-9/cmd/+", "orion/v1/all/stop"];
		const { generate } = await import("mqtt-packet");
		raw.send(generate({ cmd: "subscribe", messageId: 9, subscriptions: filters.map((topic) => ({ topic, qos: 1 })) }, { protocolVersion }));
		const { granted } = await raw.packet("suback");
		const no = V5 ? 0x87 : 0x80;
		expect(granted).toEqual([no, 1, no, no, V5 ? 0x9e : no, no, 1]);
	});
});

test("MQTT 3.1 is answered that it is too old", async () => {
	const rig = await open();
	const raw = await rig.raw();
	raw.send(connectPacket("pi-3", 4, { protocolId: "MQIsdp", protocolVersion: 3 }));
	expect((await raw.packet("connack")).returnCode).toBe(1);
});

test("a keep alive that is none, or too long, is refused to 3.1.1 and set for 5", async () => {
	const rig = await open();
	for (const keepalive of [0, 3_600]) {
		const four = await rig.raw();
		four.send(connectPacket("pi-3", 4, { keepalive }));
		expect((await four.packet("connack")).returnCode).not.toBe(0);
		const five = await rig.raw();
		five.send(connectPacket("pi-3", 5, { keepalive }));
		const { reasonCode, properties } = await five.packet("connack");
		expect([reasonCode, properties?.serverKeepAlive, properties?.maximumPacketSize]).toEqual([0, 120, 67_584]);
	}
});

test("a storm of connections costs few checks at a time, and everyone comes in", async () => {
	const checks = { now: 0, most: 0 };
	const held: (() => void)[] = [];
	let hold = true;
	const rig = await open({
		credentials: {
			check: async () => {
				checks.now += 1;
				checks.most = Math.max(checks.most, checks.now);
				await new Promise<void>((resolve) => {
					if (hold) held.push(resolve);
					else setImmediate(resolve);
				});
				checks.now -= 1;
				return true;
			},
		},
	});
	const all = Promise.all(Array.from({ length: 40 }, (_none, index) => rig.rawConnected(`pi-${index}`)));
	await until("two checks run", () => held.length === 2);
	hold = false;
	for (const release of held) release();
	await all;
	expect(rig.broker.connections()).toHaveLength(40);
	expect(checks).toEqual({ now: 0, most: 2 });
});

describe("what a connection leaves behind", () => {
	test("last words are judged, stored and shown to who asks", async () => {
		const rig = await open();
		const raw = await rig.raw();
		raw.send(connectPacket("pi-3.safety", 4, { will: willOf(STATE, lost(1)) }));
		await raw.packet("connack");
		raw.socket.destroy();
		await until("last words", () => rig.intake.stored.length === 1);
		expect(rig.intake.stored[0]).toMatchObject({ topic: STATE, identity: { clientId: "pi-3.safety" }, envelope: { data: { state: "lost", conn: 1 } } });
	});
	test("a goodbye leaves none", async () => {
		const rig = await open();
		const raw = await rig.raw();
		raw.send(connectPacket("pi-3.safety", 4, { will: willOf(STATE, lost(1)) }));
		await raw.packet("connack");
		raw.send(Buffer.from([0xe0, 0]));
		await raw.ended();
		await until("it is gone", () => rig.broker.connections().length === 0);
		const after = await rig.connected("pi-3");
		await published(after, "orion/v1/pi-3/evt/x", numbered("pi-3", 1));
		expect(rig.intake.stored).toHaveLength(1);
	});
	test("a node that is dropped leaves none, on any of its connections, and core hears that they are gone", async () => {
		const rig = await open();
		const raws = [];
		for (const [clientId, more] of [
			["pi-3.safety", { will: willOf(STATE, lost(1)) }],
			["pi-3", {}],
			["pi-3.backup", {}],
			["pi-30", {}],
		] as const) {
			const raw = await rig.raw();
			raw.send(connectPacket(clientId, 4, more));
			await raw.packet("connack");
			raws.push(raw);
		}
		await rig.broker.drop("pi-3");
		for (const raw of raws.slice(0, 3)) await raw.ended();
		expect(rig.broker.connections().map(({ identity }) => identity.clientId)).toEqual(["pi-30"]);
		const other = await rig.connected("pi-4");
		await published(other, "orion/v1/pi-4/evt/x", numbered("pi-4", 1));
		expect(rig.intake.stored.map(({ topic }) => topic)).toEqual(["orion/v1/pi-4/evt/x"]);
	});
	test("a password that is taken away while it is checked does not let its node in", async () => {
		let good = true;
		let finish: () => void = () => undefined;
		let asked = 0;
		const rig = await open({
			credentials: {
				check: async () => {
					asked += 1;
					const right = good;
					if (asked === 1)
						await new Promise<void>((resolve) => {
							finish = resolve;
						});
					return right;
				},
			},
		});
		const raw = await rig.raw();
		raw.send(connectPacket("pi-3"));
		await until("the check began", () => asked === 1);
		good = false;
		await rig.broker.drop("pi-3");
		finish();
		expect((await raw.packet("connack")).returnCode).toBe(4);
	});
	test("the end of the broker leaves none: nobody was lost", async () => {
		const rig = await open();
		const raw = await rig.raw();
		raw.send(connectPacket("pi-3.safety", 5, { will: willOf(STATE, lost(1)) }));
		await raw.packet("connack");
		raw.send(PING);
		await raw.packet("pingresp");
		await rig.broker.close();
		await raw.ended();
		expect((await raw.packet("disconnect")).reasonCode).toBe(0x8b);
		expect(rig.intake.stored).toHaveLength(0);
	});
	test("a second connection with the same id takes over: the first ends, its last words are stored", async () => {
		const rig = await open();
		const first = await rig.raw();
		first.send(connectPacket("pi-3.safety", 5, { will: willOf(STATE, lost(1)) }));
		await first.packet("connack");
		const second = await rig.raw();
		second.send(connectPacket("pi-3.safety", 5, { will: willOf(STATE, lost(2)) }));
		await second.packet("connack");
		await first.ended();
		expect((await first.packet("disconnect")).reasonCode).toBe(0x8e);
		await until("last words of the first", () => rig.intake.stored.length === 1);
		expect(rig.intake.stored[0]?.envelope.data).toMatchObject({ conn: 1 });
		expect(rig.broker.connections()).toHaveLength(1);
		expect(second.closed).toBe(false);
	});
	test("taken over again and again, exactly one connection is left", async () => {
		const rig = await open();
		const raws = await Promise.all(Array.from({ length: 20 }, () => rig.rawConnected("pi-3").catch(() => undefined)));
		await until("one is left", () => raws.filter((raw) => raw !== undefined && !raw.closed).length === 1);
		expect(rig.broker.connections()).toHaveLength(1);
	});
	test("nothing waits for who is away, whatever session it asked for", async () => {
		const rig = await open();
		for (const [version, more] of [
			[4, { clean: false }],
			[5, { clean: false, properties: { sessionExpiryInterval: 3_600 } }],
		] as const) {
			const raw = await rig.raw();
			raw.send(connectPacket("pi-3", version, more));
			expect((await raw.packet("connack")).sessionPresent).toBe(false);
			const { generate } = await import("mqtt-packet");
			raw.send(generate({ cmd: "subscribe", messageId: 9, subscriptions: [{ topic: "orion/v1/pi-3/stop", qos: 1 }] }, { protocolVersion: version }));
			await raw.packet("suback");
			raw.socket.destroy();
			await until("it is away", () => rig.broker.connections().length === 0);
			await rig.broker.publish("orion/v1/pi-3/stop", Buffer.from("old"), { qos: 1, retain: false });
			const again = await rig.raw();
			again.send(connectPacket("pi-3", version, more));
			expect((await again.packet("connack")).sessionPresent).toBe(false);
			again.send(Buffer.from([0xc0, 0]));
			await again.packet("pingresp");
			expect(again.packets.map(({ cmd }) => cmd)).toEqual(["connack", "pingresp"]);
			again.socket.destroy();
			await until("it is away again", () => rig.broker.connections().length === 0);
		}
	});
});
