// Shows what of MQTT 5 the plain broker does beyond the common areas, and that what docs/mqtt-conformance.md calls missing is refused and not pretended (HARM-19).
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { ROOT } from "../support/mesh.ts";
import { BrokerProcess, Peer } from "./mqtt-peer.ts";

let broker: BrokerProcess;
const peers: Peer[] = [];

beforeAll(async () => {
	broker = await BrokerProcess.start(join(ROOT, "test/conformance/paho.yaml"));
});
afterAll(() => broker.stop());
afterEach(async () => {
	for (const peer of peers.splice(0)) if (!peer.closed) await peer.vanish();
});

const connected = async (name: string, keeps: "clean" | "keeps" = "clean", more: Parameters<typeof Peer.connected>[4] = {}): Promise<Peer> => {
	const peer = await Peer.connected(broker.port, 5, name, keeps, more);
	peers.push(peer);
	return peer;
};
const raw = async (): Promise<Peer> => {
	const peer = await Peer.open(broker.port, 5);
	peers.push(peer);
	return peer;
};
const subscribe = async (peer: Peer, topic: string, more: Record<string, unknown> = {}, properties: Record<string, unknown> = {}) => {
	peer.send({ cmd: "subscribe", messageId: 900, subscriptions: [{ topic, qos: 1, ...more }], properties });
	return (await peer.packet("suback", 900)).granted.map(Number);
};

test("user properties, content type, correlation data and response topic arrive as they were sent", async () => {
	const peer = await connected("a");
	await peer.subscribe(1, "props/x");
	const properties = {
		userProperties: { a: ["1", "2"], b: "3" },
		contentType: "text/plain",
		correlationData: Buffer.from([1, 2, 3]),
		responseTopic: "props/y",
		payloadFormatIndicator: true,
	};
	await peer.publish("props/x", "x", 1, { properties });
	const [received] = await peer.hears(1);
	expect({ ...received?.packet.properties, userProperties: { ...received?.packet.properties?.userProperties } }).toEqual(properties);
});

test("no local, retain as published and subscription identifiers", async () => {
	const [a, b] = [await connected("a"), await connected("b")];
	expect(await subscribe(a, "opts/+", { nl: true })).toEqual([1]);
	expect(await subscribe(b, "opts/+", { rap: true }, { subscriptionIdentifier: 7 })).toEqual([1]);
	await a.publish("opts/x", "mine", 1, { retain: true });
	const [heard] = await b.hears(1);
	expect([heard?.retain, heard?.packet.properties?.subscriptionIdentifier]).toEqual([true, 7]);
	await b.publish("opts/y", "yours", 1);
	expect((await a.hears(1)).map(({ text, retain }) => [text, retain])).toEqual([["yours", false]]);
});

test("retain handling 2 hands nothing over on SUBSCRIBE", async () => {
	const a = await connected("a");
	await a.publish("rh/x", "kept", 1, { retain: true });
	expect(await subscribe(a, "rh/+", { rh: 2 })).toEqual([1]);
	await a.ping();
	expect(a.received).toEqual([]);
});

test("missing: topic aliases are not offered, and one that comes all the same ends the connection with its reason", async () => {
	for (const topic of ["alias/x", ""]) {
		const a = await connected("a");
		expect(a.packets.find((packet) => packet.cmd === "connack")?.properties?.topicAliasMaximum ?? 0).toBe(0);
		a.send({ cmd: "publish", topic, payload: "three", qos: 0, dup: false, retain: false, properties: { topicAlias: 2 } });
		expect((await a.packet("disconnect")).reasonCode).toBe(topic === "" ? 0x81 : 0x94);
		await a.ended();
	}
});

test("whose name is taken over hears why", async () => {
	const first = await connected("same");
	await connected("same");
	expect((await first.packet("disconnect")).reasonCode).toBe(0x8e);
	await first.ended();
});

test("a message that expired while its reader was away is not handed over; one that did not is, with the time that is left", async () => {
	const away = await connected("away", "keeps");
	await away.subscribe(1, "expiry/+");
	await away.leave();
	const sender = await connected("sender");
	await sender.publish("expiry/long", "long", 1, { properties: { messageExpiryInterval: 1_000 } });
	const back = await connected("away", "keeps");
	const [received] = await back.hears(1);
	const left = received?.packet.properties?.messageExpiryInterval ?? 0;
	expect(received?.text).toBe("long");
	expect(left > 0 && left <= 1_000).toBe(true);
});

test("missing: shared subscriptions are said not to be there, and are refused", async () => {
	const a = await connected("a");
	const welcome = a.packets.find((packet) => packet.cmd === "connack");
	expect(welcome?.properties?.sharedSubscriptionAvailable).toBe(false);
	expect(await subscribe(a, "$share/group/x")).toEqual([0x9e]);
});

test("missing: enhanced authentication is refused with its reason, and an AUTH packet ends the connection", async () => {
	const asking = await raw();
	expect((await asking.ask("auth", { properties: { authenticationMethod: "SCRAM-SHA-256" } })).reasonCode).toBe(0x8c);
	const a = await connected("a");
	a.bytes(Buffer.from([0xf0, 0]));
	await a.ended();
});

test("missing: the client's receive maximum is not kept", async () => {
	const narrow = await connected("narrow", "clean", { properties: { receiveMaximum: 1 } });
	narrow.thanks = false;
	await narrow.subscribe(1, "flow/x");
	const sender = await connected("sender");
	for (const text of ["1", "2", "3"]) await sender.publish("flow/x", text, 1);
	expect(await narrow.hears(3)).toHaveLength(3);
});
