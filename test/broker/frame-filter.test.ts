// Shows that only whole, well-formed packets of an allowed size pass, however the bytes are cut, and that what is kept meanwhile is bounded.
import fc from "fast-check";
import { generate, type Packet } from "mqtt-packet";
import { describe, expect, test } from "vitest";
import { CONNECT_BYTES_MAX, FrameFilter, PACKET_BYTES_MAX } from "../../broker/frame-filter.ts";
import { connectPacket } from "./rig.ts";

const of = (packet: unknown, protocolVersion: 4 | 5 = 4): Buffer => generate(packet as Packet, { protocolVersion });
const publish = (topic: string, payload: string | Buffer, more: Record<string, unknown> = {}, version: 4 | 5 = 4): Buffer =>
	of({ cmd: "publish", topic, payload, qos: 1, messageId: 7, dup: false, retain: false, ...more }, version);
const isUrgent = (topic: string): boolean => topic.endsWith("/stop");

/** A filter past its CONNECT. */
const opened = (version: 4 | 5 = 4): FrameFilter => {
	const filter = new FrameFilter(isUrgent);
	const passed = filter.push(connectPacket("pi-3", version));
	expect(passed).toMatchObject({ awaitsAdmission: true, urgent: [] });
	expect(passed.refusal).toBeUndefined();
	expect(filter.admit()).toMatchObject({ pieces: [], awaitsAdmission: false });
	return filter;
};
const codeOf = (filter: FrameFilter, bytes: Uint8Array): string | undefined => filter.push(bytes).refusal?.fault.code;
const joined = (pieces: readonly Uint8Array[]): Buffer => Buffer.concat(pieces);

const GOOD: readonly [string, Buffer, Buffer][] = [
	["publish QoS 0", publish("a/b", "x", { qos: 0, messageId: undefined }), publish("a/b", "x", { qos: 0, messageId: undefined }, 5)],
	[
		"publish QoS 1",
		publish("a/b", "x"),
		publish("a/b", "x", { properties: { contentType: "json", userProperties: { a: "1", b: ["2", "3"] }, messageExpiryInterval: 9 } }, 5),
	],
	["publish nothing", publish("a", ""), publish("a", "", {}, 5)],
	["publish the largest", publish("a", Buffer.alloc(65_536)), publish("a", Buffer.alloc(65_536), {}, 5)],
	["puback", of({ cmd: "puback", messageId: 3 }), of({ cmd: "puback", messageId: 3, reasonCode: 0x10, properties: { reasonString: "x" } }, 5)],
	[
		"subscribe",
		of({ cmd: "subscribe", messageId: 3, subscriptions: [{ topic: "a/+/#", qos: 1 }] }),
		of(
			{
				cmd: "subscribe",
				messageId: 3,
				properties: { subscriptionIdentifier: 4 },
				subscriptions: [
					{ topic: "#", qos: 1, nl: true, rap: true, rh: 2 },
					{ topic: "+", qos: 0 },
				],
			},
			5,
		),
	],
	["unsubscribe", of({ cmd: "unsubscribe", messageId: 3, unsubscriptions: ["a", "+/b"] }), of({ cmd: "unsubscribe", messageId: 3, unsubscriptions: ["a"] }, 5)],
	["pingreq", of({ cmd: "pingreq" }), of({ cmd: "pingreq" }, 5)],
	["disconnect", of({ cmd: "disconnect" }), of({ cmd: "disconnect", reasonCode: 4, properties: { reasonString: "bye" } }, 5)],
	["disconnect without a word", of({ cmd: "disconnect" }), Buffer.from([0xe0, 0])],
];

describe("what passes", () => {
	test.each(GOOD)("%s", (_name, four, five) => {
		expect(joined(opened(4).push(four).pieces)).toEqual(four);
		expect(joined(opened(5).push(five).pieces)).toEqual(five);
	});
	test("a CONNECT with everything", () => {
		const will = { topic: "orion/v1/pi-3/state", payload: Buffer.from("x"), qos: 1, retain: true };
		for (const version of [4, 5] as const) {
			const bytes = connectPacket("pi-3", version, { will });
			expect(joined(new FrameFilter(isUrgent).push(bytes).pieces)).toEqual(bytes);
		}
	});
	test("what is cut anywhere passes as if it were not, and never as a part of a packet", () => {
		const packets = GOOD.slice(0, 8).flatMap(([, four]) => [four.length > 1_000 ? publish("a", Buffer.alloc(300)) : four]);
		const stream = Buffer.concat(packets);
		const ends = packets.map((_packet, index) => packets.slice(0, index + 1).reduce((sum, { length }) => sum + length, 0));
		fc.assert(
			fc.property(fc.array(fc.nat(stream.length), { maxLength: 20 }), (cuts) => {
				const filter = opened();
				const passed: Uint8Array[] = [];
				let at = 0;
				for (const cut of [...cuts.sort((a, b) => a - b), stream.length]) {
					const { pieces, refusal } = filter.push(stream.subarray(at, cut));
					expect(refusal).toBeUndefined();
					passed.push(...pieces);
					at = cut;
					expect([0, ...ends]).toContain(joined(passed).length);
				}
				expect(joined(passed)).toEqual(stream);
				expect(filter.keptBytes).toBe(0);
			}),
		);
	});
	test("byte by byte, with the CONNECT before it", () => {
		const filter = new FrameFilter(isUrgent);
		const stream = Buffer.concat([connectPacket("pi-3"), publish("a/stop", "now"), of({ cmd: "pingreq" })]);
		const passed: Uint8Array[] = [];
		const urgent: string[] = [];
		for (const byte of stream) {
			const one = filter.push(Uint8Array.of(byte));
			const more = one.awaitsAdmission ? filter.admit() : undefined;
			passed.push(...one.pieces, ...(more?.pieces ?? []));
			urgent.push(...one.urgent.map(({ topic, payload }) => `${topic} ${Buffer.from(payload).toString()}`));
		}
		expect(joined(passed)).toEqual(stream);
		expect(urgent).toEqual(["a/stop now"]);
	});
	test("what follows a CONNECT waits until its sender is known, within a bound", () => {
		const filter = new FrameFilter(isUrgent);
		const first = filter.push(Buffer.concat([connectPacket("pi-3"), publish("a/stop", "x")]));
		expect([first.awaitsAdmission, first.urgent.length, joined(first.pieces).length]).toEqual([true, 0, connectPacket("pi-3").length]);
		expect(filter.takesMore).toBe(false);
		expect(filter.push(publish("b", "y"))).toMatchObject({ pieces: [], urgent: [] });
		const after = filter.admit();
		expect(joined(after.pieces)).toEqual(Buffer.concat([publish("a/stop", "x"), publish("b", "y")]));
		expect(after.urgent).toHaveLength(1);
		const other = new FrameFilter(isUrgent);
		other.push(connectPacket("pi-3"));
		expect(codeOf(other, Buffer.alloc(PACKET_BYTES_MAX * 2 + 1))).toBe("TOO_LARGE");
		expect(other.keptBytes).toBe(0);
	});
	test("after a goodbye nothing passes", () => {
		const filter = opened();
		expect(joined(filter.push(Buffer.concat([of({ cmd: "disconnect" }), publish("a/stop", "x")])).pieces)).toEqual(of({ cmd: "disconnect" }));
		expect(filter.push(publish("a", "x"))).toMatchObject({ pieces: [], urgent: [] });
	});
});

/** A packet from its first byte and its body. */
const frame = (header: number, ...body: readonly number[]): Buffer => Buffer.from([header, body.length, ...body]);
const text = (value: string): readonly number[] => [0, Buffer.byteLength(value), ...Buffer.from(value)];

describe("what is refused", () => {
	test.each([
		["a packet of a server", frame(0x20, 0, 0)],
		["type 0", frame(0x00)],
		["type 15 (AUTH)", frame(0xf0, 0)],
		["PUBREC", frame(0x50, 0, 1)],
		["PUBREL", frame(0x62, 0, 1)],
		["PUBCOMP", frame(0x70, 0, 1)],
		["QoS 3", frame(0x36, ...text("a"), 0, 1)],
		["a repeat with QoS 0", frame(0x38, ...text("a"))],
		["packet id 0", frame(0x32, ...text("a"), 0, 0)],
		["no packet id", frame(0x32, ...text("a"))],
		["an empty topic", frame(0x30, ...text(""))],
		["a topic that is cut off", frame(0x30, 0, 9, 0x61)],
		["a wildcard in a topic", frame(0x30, ...text("a/#"))],
		["a plus in a topic", frame(0x30, ...text("+"))],
		["U+0000 in a topic", frame(0x30, ...text("a\u0000"))],
		["a topic that is not UTF-8", frame(0x30, 0, 2, 0xc3, 0x28)],
		["half a surrogate", frame(0x30, 0, 3, 0xed, 0xa0, 0x80)],
		["an overlong slash", frame(0x30, 0, 2, 0xc0, 0xaf)],
		["SUBSCRIBE without its flag", frame(0x80, 0, 1, ...text("a"), 0)],
		["SUBSCRIBE to nothing", frame(0x82, 0, 1)],
		["SUBSCRIBE with id 0", frame(0x82, 0, 0, ...text("a"), 0)],
		["SUBSCRIBE to an empty filter", frame(0x82, 0, 1, ...text(""), 0)],
		["SUBSCRIBE with QoS 3", frame(0x82, 0, 1, ...text("a"), 3)],
		["SUBSCRIBE with reserved options", frame(0x82, 0, 1, ...text("a"), 0x41)],
		["SUBSCRIBE without options", frame(0x82, 0, 1, ...text("a"))],
		["a# as filter", frame(0x82, 0, 1, ...text("a#"), 0)],
		["#/a as filter", frame(0x82, 0, 1, ...text("#/a"), 0)],
		["a+ as filter", frame(0x82, 0, 1, ...text("a+"), 0)],
		["the prototype as filter", frame(0x82, 0, 1, ...text("__proto__"), 0)],
		["UNSUBSCRIBE from nothing", frame(0xa2, 0, 1)],
		["PINGREQ with something in it", frame(0xc0, 1)],
		["PINGREQ with flags", frame(0xc1)],
		["DISCONNECT with something in it", frame(0xe0, 0)],
		["PUBACK with id 0", frame(0x40, 0, 0)],
		["PUBACK that is cut off", frame(0x40, 0)],
		["a second CONNECT", connectPacket("pi-3")],
		["a length of five bytes", Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x01])],
		["101 levels", publish(Array.from({ length: 101 }, () => "a").join("/"), "x")],
		[
			"65 filters at once",
			of({ cmd: "subscribe", messageId: 1, subscriptions: Array.from({ length: 65 }, (_none, index) => ({ topic: `a${index}`, qos: 0 })) }),
		],
	] as const)("%s", (_name, bytes) => {
		const filter = opened();
		const { refusal, pieces } = filter.push(Buffer.concat([of({ cmd: "pingreq" }), bytes, publish("a/stop", "x")]));
		expect(refusal?.fault.code).toBe("PACKET_MALFORMED");
		expect(joined(pieces)).toEqual(of({ cmd: "pingreq" }));
		expect(filter.keptBytes).toBe(0);
		expect(filter.push(publish("a", "x"))).toMatchObject({ pieces: [], urgent: [] });
	});
	test.each([
		["an unknown property", [2, 0x7e, 1]],
		["a property twice", [10, 0x02, 0, 0, 0, 1, 0x02, 0, 0, 0, 1]],
		["properties that are cut off", [9, 0x02, 0, 0]],
		["a property that is cut off", [3, 0x02, 0, 0]],
		["a bit that is 2", [2, 0x01, 2]],
		["text that is not UTF-8", [5, 0x03, 0, 2, 0xc3, 0x28]],
		["a length of five bytes", [0xff, 0xff, 0xff, 0xff, 0x01]],
	] as const)("MQTT 5: %s", (_name, properties) => {
		expect(codeOf(opened(5), frame(0x30, ...text("a"), ...properties))).toBe("PACKET_MALFORMED");
	});
	test("MQTT 5: thousands of user properties", () => {
		const userProperties = { a: Array.from({ length: 65 }, () => "b") };
		expect(codeOf(opened(5), publish("a", "x", { properties: { userProperties } }, 5))).toBe("PACKET_MALFORMED");
	});
	test.each([
		["a ping", of({ cmd: "pingreq" })],
		["another protocol", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n")],
		["a handshake of TLS", Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0])],
		["a protocol of another name", frame(0x10, ...text("MQTX"), 4, 2, 0, 60, ...text("pi-3"))],
		["a version of tomorrow", frame(0x10, ...text("MQTT"), 6, 2, 0, 60, ...text("pi-3"))],
		["a reserved flag", frame(0x10, ...text("MQTT"), 4, 3, 0, 60, ...text("pi-3"))],
		["will QoS without a will", frame(0x10, ...text("MQTT"), 4, 0x0a, 0, 60, ...text("pi-3"))],
		["will QoS 3", frame(0x10, ...text("MQTT"), 4, 0x1e, 0, 60, ...text("pi-3"), ...text("a"), ...text("x"))],
		["a password without a user", frame(0x10, ...text("MQTT"), 4, 0x42, 0, 60, ...text("pi-3"), ...text("x"))],
		["a client id that is cut off", frame(0x10, ...text("MQTT"), 4, 2, 0, 60, 0, 9, 0x61)],
		["bytes after the end", frame(0x10, ...text("MQTT"), 4, 2, 0, 60, ...text("pi-3"), 1)],
		["a will topic that is not UTF-8", frame(0x10, ...text("MQTT"), 4, 6, 0, 60, ...text("pi-3"), 0, 1, 0xff, ...text("x"))],
	] as const)("before a CONNECT: %s", (_name, bytes) => {
		expect(codeOf(new FrameFilter(isUrgent), bytes)).toBe("PACKET_MALFORMED");
	});
	test("QoS 2, with its own reason", () => {
		expect(opened(5).push(publish("a", "x", { qos: 2 }, 5)).refusal).toMatchObject({ fault: { code: "QOS_REFUSED" }, reasonCode: 0x9b });
	});
	test("what is too large, by its claim alone: 4 KiB before a CONNECT, an envelope and what is around it after", () => {
		const claim = (header: number, length: number): Buffer => {
			const bytes = [header];
			for (let left = length; ; left = Math.floor(left / 128)) {
				bytes.push(left >= 128 ? (left % 128) | 0x80 : left);
				if (left < 128) return Buffer.from(bytes);
			}
		};
		const unknown = (length: number): string | undefined => codeOf(new FrameFilter(isUrgent), claim(0x10, length));
		const known = (length: number): string | undefined => codeOf(opened(), claim(0x30, length));
		expect([unknown(CONNECT_BYTES_MAX - 3), unknown(CONNECT_BYTES_MAX - 2), unknown(64 * 1_048_576), unknown(268_435_455)]).toEqual([
			undefined,
			"TOO_LARGE",
			"TOO_LARGE",
			"TOO_LARGE",
		]);
		expect([known(PACKET_BYTES_MAX - 4), known(PACKET_BYTES_MAX - 3), known(64 * 1_048_576)]).toEqual([undefined, "TOO_LARGE", "TOO_LARGE"]);
	});
});

test("any bytes, in any pieces, before or after a CONNECT: no exception, and never more kept than a packet may be", () => {
	const noise = fc.oneof(
		fc.uint8Array({ maxLength: 200 }),
		// Nearly good: a real packet with a few bytes changed.
		fc
			.tuple(
				fc.constantFrom(...GOOD.filter(([, four]) => four.length < 1_000).flatMap(([, four, five]) => [four, five]), connectPacket("pi-3")),
				fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 3 }),
			)
			.map(([packet, changes]) => {
				const bytes = Uint8Array.from(packet);
				for (const [at, value] of changes) bytes[at % bytes.length] = value;
				return bytes;
			}),
	);
	fc.assert(
		fc.property(fc.array(noise, { maxLength: 8 }), fc.constantFrom(undefined, 4 as const, 5 as const), (chunks, version) => {
			const filter = version === undefined ? new FrameFilter(isUrgent) : opened(version);
			for (const chunk of chunks) {
				const passed = filter.push(chunk);
				if (passed.awaitsAdmission) filter.admit();
				expect(filter.keptBytes).toBeLessThanOrEqual(PACKET_BYTES_MAX);
				if (passed.refusal !== undefined) expect(filter.push(publish("a", "x")).pieces).toEqual([]);
			}
		}),
		{ numRuns: 3_000 },
	);
});
