// Shows that no bytes end the broker, hold up others or make it grow: wrong packets, huge claims, names of prototypes, and peers that never read.
import fc from "fast-check";
import { generate, type Packet } from "mqtt-packet";
import { afterEach, describe, expect, test } from "vitest";
import { alert, connectPacket, hear, PING, publishBytes, published, type Raw, Rig, subscribed, until } from "./rig.ts";

const rigs: Rig[] = [];
const open = async (options: Parameters<typeof Rig.open>[0] = {}): Promise<Rig> => {
	const rig = await Rig.open(options);
	rigs.push(rig);
	return rig;
};
afterEach(async () => {
	for (const rig of rigs.splice(0)) await rig.close();
});

const of = (packet: unknown, protocolVersion: 4 | 5 = 4): Buffer => generate(packet as Packet, { protocolVersion });
const alive = async (rig: Rig): Promise<void> => {
	const witness = await rig.rawConnected("witness");
	witness.send(PING);
	await witness.packet("pingresp");
	witness.socket.destroy();
};
/** Ends the connection if it is not ended yet. */
const end = async (raw: Raw): Promise<void> => {
	raw.socket.destroy();
	await raw.ended();
};

describe("size", () => {
	test("a claim of 64 MB ends the connection before a byte of it came", async () => {
		const rig = await open();
		const before = await rig.raw();
		before.send(Buffer.from([0x10, 0x80, 0x80, 0x80, 0x20]));
		await before.ended();
		const after = await rig.rawConnected("pi-3");
		after.send(Buffer.from([0x32, 0x80, 0x80, 0x80, 0x20]));
		await after.ended();
		expect(rig.refusals.map(({ fault }) => fault.code)).toEqual(["TOO_LARGE", "TOO_LARGE"]);
		await alive(rig);
	});
	test("MQTT 5 says why", async () => {
		const rig = await open();
		const raw = await rig.rawConnected("pi-3", 5);
		raw.send(PING);
		await raw.packet("pingresp");
		raw.send(Buffer.from([0x32, 0x80, 0x80, 0x80, 0x20]));
		const { reasonCode, properties } = await raw.packet("disconnect");
		expect([reasonCode, properties?.reasonString]).toEqual([0x95, expect.stringMatching(/at most 67584 are allowed/)]);
		await raw.ended();
	});
	test("who sends a CONNECT of more than 4 KiB, and who sends none in time, is let go", async () => {
		const rig = await open({ connectTimeoutMs: 100 });
		const large = await rig.raw();
		large.send(connectPacket("pi-3", 4, { password: Buffer.alloc(5_000) }));
		await large.ended();
		expect(large.packets).toEqual([]);
		const [silent, slow] = [await rig.raw(), await rig.raw()];
		slow.send(connectPacket("pi-3").subarray(0, 12));
		await silent.ended();
		await slow.ended();
		await alive(rig);
	});
	test("many connections with most of a large packet each cost what one packet may be, and no more", async () => {
		const rig = await open();
		const raws = await Promise.all(Array.from({ length: 20 }, (_none, index) => rig.rawConnected(`pi-${index}`)));
		const packet = publishBytes("orion/v1/pi-1/evt/x", Buffer.alloc(65_000));
		const beforeBytes = process.memoryUsage.rss();
		for (const raw of raws) raw.send(packet.subarray(0, 64_000));
		await alive(rig);
		expect(process.memoryUsage.rss() - beforeBytes).toBeLessThan(64 * 1_048_576);
	});
});

describe("names", () => {
	test("a node called constructor comes in, is taken over, and is found", async () => {
		const rig = await open();
		const first = await rig.rawConnected("constructor");
		const second = await rig.connected("constructor");
		await first.ended();
		await subscribed(second, "orion/v1/constructor/cmd/+");
		expect(await rig.broker.deliver("constructor", "orion/v1/constructor/cmd/x", Buffer.from("x"))).toBe("delivered");
		await rig.broker.drop("constructor");
		await until("it is gone", () => !second.connected);
		await alive(rig);
	});
	test.each(["constructor", "__proto__", "toString", "hasOwnProperty"])(
		"nobody falls over an unsubscription from %s that was no subscription",
		async (name) => {
			const rig = await open();
			for (const version of [4, 5] as const) {
				const raw = await rig.rawConnected("pi-3", version);
				raw.send(of({ cmd: "unsubscribe", messageId: 5, unsubscriptions: [name, "orion/v1/pi-3/cmd/+"] }, version));
				if (name === "__proto__") await raw.ended();
				else await raw.packet("unsuback");
				await end(raw);
			}
			await alive(rig);
		},
	);
	test.each(["constructor", "__proto__", "toString"])("nor over subscriptions to %s beside others", async (name) => {
		const rig = await open();
		for (const version of [4, 5] as const) {
			const raw = await rig.rawConnected("pi-3", version);
			raw.send(of({ cmd: "subscribe", messageId: 5, subscriptions: [name, "orion/v1/pi-3/cmd/+", name].map((topic) => ({ topic, qos: 1 })) }, version));
			if (name === "__proto__") await raw.ended();
			else expect((await raw.packet("suback")).granted).toContain(1);
			await end(raw);
		}
		await alive(rig);
	});
	test("a message on a topic that the library obeys does not end another's connection", async () => {
		const rig = await open();
		const victim = await rig.connected("pi-3");
		const attacker = await rig.connected("pi-9");
		for (const topic of ["$SYS/x/new/clients", "$SYS/y/heartbeat", "$SYS/z/birth"])
			expect(await published(attacker, topic, "pi-3", { qos: 1 })).toBeUndefined();
		await published(attacker, "$SYS/x/new/clients", "pi-3", { qos: 0 });
		await published(attacker, "orion/v1/pi-9/evt/x", "after it");
		const heard = hear(victim);
		expect(victim.connected).toBe(true);
		expect(await subscribed(victim, "orion/v1/pi-3/stop")).toEqual([1]);
		await rig.broker.publish("orion/v1/pi-3/stop", Buffer.from("end"), { qos: 1, retain: false });
		await until("the victim still hears", () => heard.length === 1);
	});
	test("101 levels end the connection that sent them, and only that", async () => {
		const rig = await open();
		const deep = Array.from({ length: 101 }, () => "a").join("/");
		const [publisher, subscriber] = [await rig.rawConnected("pi-3"), await rig.rawConnected("pi-4")];
		publisher.send(publishBytes(deep, "x"));
		subscriber.send(of({ cmd: "subscribe", messageId: 5, subscriptions: [{ topic: deep, qos: 1 }] }));
		await publisher.ended();
		await subscriber.ended();
		await alive(rig);
	});
});

test("more filters than a connection may hold are refused, one by one", async () => {
	const rig = await open();
	const raw = await rig.rawConnected("pi-3");
	for (const batch of [0, 1])
		raw.send(
			of({
				cmd: "subscribe",
				messageId: batch + 1,
				subscriptions: Array.from({ length: 40 }, (_none, index) => ({ topic: `orion/v1/pi-3/cmd/a${batch * 40 + index}`, qos: 1 })),
			}),
		);
	await raw.packet("suback", 2);
	const granted = raw.packets.flatMap((packet) => (packet.cmd === "suback" ? packet.granted : []));
	expect(granted.filter((code) => code === 1)).toHaveLength(64);
	expect(granted.filter((code) => code === 128)).toHaveLength(16);
});

test("peers that never read are let go, and cost neither time nor memory of others", async () => {
	const rig = await open({ drainTimeoutMs: 10_000 });
	const frozen = await Promise.all(Array.from({ length: 5 }, (_none, index) => rig.rawConnected(`ice-${index}`)));
	for (const raw of frozen) {
		raw.send(of({ cmd: "subscribe", messageId: 5, subscriptions: [{ topic: "orion/v1/core/beacon", qos: 1 }] }));
		await raw.packet("suback");
		raw.socket.pause();
	}
	const node = await rig.connected("pi-3");
	const heard = hear(node);
	await subscribed(node, "orion/v1/core/beacon");
	const beacon = Buffer.alloc(60_000, "x");
	let mostMs = 0;
	for (let sent = 1; rig.broker.connections().length > 1; sent += 1) {
		expect(sent).toBeLessThan(2_000);
		const beganMs = performance.now();
		await rig.broker.publish("orion/v1/core/beacon", beacon, { qos: 1, retain: false });
		await until("the reader hears", () => heard.length === sent);
		mostMs = Math.max(mostMs, performance.now() - beganMs);
	}
	expect(mostMs).toBeLessThan(2_000);
	expect(rig.refusals.map(({ fault }) => fault.code)).toEqual(frozen.map(() => "PEER_STALLED"));
	expect(node.connected).toBe(true);
});

test("a sender that never reads its answers is let go in the end, and others go on", async () => {
	const rig = await open({ drainTimeoutMs: 200 });
	const raw = await rig.rawConnected("pi-3.backup", 5);
	raw.socket.pause();
	const question = of({ cmd: "unsubscribe", messageId: 5, unsubscriptions: Array.from({ length: 64 }, () => "a") }, 5);
	const chunk = Buffer.concat(Array.from({ length: 200 }, () => question));
	const other = await rig.connected("pi-4");
	for (let round = 0; rig.refusals.length === 0; round += 1) {
		expect(round).toBeLessThan(20_000);
		await new Promise<void>((resolve) => {
			if (raw.socket.write(chunk)) setImmediate(resolve);
			else {
				const timer = setTimeout(resolve, 20);
				raw.socket.once("drain", () => {
					clearTimeout(timer);
					resolve();
				});
			}
		});
	}
	expect(rig.refusals[0]?.fault.code).toBe("PEER_STALLED");
	expect(other.connected).toBe(true);
});

describe("noise", () => {
	const good = (version: 4 | 5): readonly Buffer[] => [
		publishBytes("orion/v1/pi-3/evt/x", JSON.stringify(alert("/nodes/pi-3")), version),
		publishBytes("orion/v1/pi-3/evt/x", "{", version, {
			qos: 0,
			messageId: undefined,
			properties: version === 5 ? { userProperties: { a: "b" }, messageExpiryInterval: 3, responseTopic: "a" } : undefined,
		}),
		of(
			{
				cmd: "subscribe",
				messageId: 3,
				subscriptions: [
					{ topic: "orion/v1/pi-3/verdict", qos: 1 },
					{ topic: "+/#", qos: 0 },
				],
				properties: version === 5 ? { subscriptionIdentifier: 4 } : undefined,
			},
			version,
		),
		of({ cmd: "unsubscribe", messageId: 4, unsubscriptions: ["orion/v1/pi-3/verdict", "a"] }, version),
		of({ cmd: "puback", messageId: 3 }, version),
		PING,
		connectPacket("pi-3.backup", version, { will: { topic: "orion/v1/pi-3/evt/w", payload: Buffer.from("x"), qos: 1, retain: false } }),
		version === 5 ? of({ cmd: "disconnect", reasonCode: 4, properties: { sessionExpiryInterval: 5 } }, 5) : of({ cmd: "disconnect" }),
	];
	const near = (version: 4 | 5) =>
		fc.tuple(fc.constantFrom(...good(version)), fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 3 })).map(([packet, changes]) => {
			const bytes = Buffer.from(packet);
			for (const [at, value] of changes) bytes[at % bytes.length] = value;
			return bytes;
		});

	test.each([4, 5] as const)(
		"thousands of packets with wrong bytes: the broker goes on, keeps nothing, and stores nothing that is not good (version %i)",
		async (version) => {
			const rig = await open();
			await alive(rig);
			const sessions = fc.sample(fc.tuple(fc.boolean(), fc.array(near(version), { minLength: 1, maxLength: 12 })), { numRuns: 600, seed: 20_261_121 });
			const beforeBytes = process.memoryUsage.rss();
			for (const [known, packets] of sessions) {
				const raw = known ? await rig.rawConnected("pi-3.backup", version) : await rig.raw();
				// One piece, so that a changed length swallows what follows; the end comes from this side if not from the other.
				raw.socket.end(Buffer.concat([...packets, PING]));
				await raw.ended();
			}
			await alive(rig);
			await until("all are gone", () => rig.broker.connections().length <= 1);
			expect(process.memoryUsage.rss() - beforeBytes).toBeLessThan(96 * 1_048_576);
			for (const { envelope, identity } of rig.intake.stored) expect([identity.node, envelope.source]).toEqual(["pi-3", "/nodes/pi-3"]);
		},
	);
	test("pure noise, without a word of MQTT", async () => {
		const rig = await open();
		for (const bytes of fc.sample(fc.uint8Array({ minLength: 1, maxLength: 400 }), { numRuns: 300, seed: 7 })) {
			const raw = await rig.raw();
			raw.socket.end(bytes);
			await raw.ended();
			expect(raw.packets).toEqual([]);
		}
		await alive(rig);
	});
});
