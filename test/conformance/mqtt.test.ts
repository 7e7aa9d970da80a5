// Shows that `orion broker --config test/conformance/paho.yaml` behaves as MQTT has it in the ten areas of the interoperability suite, in both versions (HARM-19).
import { join as path } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ROOT } from "../support/mesh.ts";
import { BrokerProcess, Peer, type Version } from "./mqtt-peer.ts";

let broker: BrokerProcess;
const peers: Peer[] = [];
/** Each test speaks below a topic of its own, so that none sees another's messages. */
let number = 0;
let root = "";

beforeAll(async () => {
	broker = await BrokerProcess.start(path(ROOT, "test/conformance/paho.yaml"));
});
afterAll(async () => {
	expect(await broker.stop()).toBe(0);
});
beforeEach(() => {
	number += 1;
	root = `area${number}`;
});
afterEach(async () => {
	for (const peer of peers.splice(0)) if (!peer.closed) await peer.vanish();
});

const join = async (version: Version, name: string, keeps: "clean" | "keeps" = "clean", more: Parameters<typeof Peer.connected>[4] = {}): Promise<Peer> => {
	const peer = await Peer.connected(broker.port, version, `${root}-${name}`, keeps, more);
	peers.push(peer);
	return peer;
};
const raw = async (version: Version): Promise<Peer> => {
	const peer = await Peer.open(broker.port, version);
	peers.push(peer);
	return peer;
};
const texts = (peer: Peer): readonly string[] => peer.received.map(({ text }) => text).sort();

describe.each([4, 5] as const)("MQTT version %i", (version) => {
	test("1 basic: a message of each QoS comes back as it was sent, and a second CONNECT ends the connection", async () => {
		const peer = await join(version, "a");
		expect(await peer.subscribe(2, `${root}/x`)).toEqual([2]);
		for (const qos of [0, 1, 2] as const) await peer.publish(`${root}/x`, `QoS ${qos}`, qos);
		const received = await peer.hears(3);
		expect(received.map(({ text, qos }) => [text, qos]).sort()).toEqual([
			["QoS 0", 0],
			["QoS 1", 1],
			["QoS 2", 2],
		]);
		peer.send({ cmd: "connect", protocolId: "MQTT", protocolVersion: version, clean: true, clientId: `${root}-b`, keepalive: 60 });
		await peer.ended();
	});

	test("1 basic: another protocol's name ends the connection", async () => {
		const peer = await raw(version);
		peer.bytes(Buffer.from([0x10, 15, 0, 7, ...Buffer.from("hj32789"), version, 2, 0, 0, 0, 0]));
		await peer.ended();
		expect(peer.packets).toEqual([]);
	});

	test("2 retained: the newest of each topic is handed to who comes later; an empty one takes it away", async () => {
		const sender = await join(version, "sender");
		for (const qos of [0, 1, 2] as const) await sender.publish(`${root}/${qos}`, `old ${qos}`, qos, { retain: true });
		for (const qos of [0, 1, 2] as const) await sender.publish(`${root}/${qos}`, `kept ${qos}`, qos, { retain: true });
		const late = await join(version, "late");
		await late.subscribe(2, `${root}/+`);
		await late.hears(3);
		expect(texts(late)).toEqual(["kept 0", "kept 1", "kept 2"]);
		expect(late.received.every(({ retain }) => retain)).toBe(true);
		for (const qos of [0, 1, 2] as const) await sender.publish(`${root}/${qos}`, "", qos, { retain: true });
		const later = await join(version, "later");
		await later.subscribe(2, `${root}/+`);
		await later.ping();
		await sender.publish(`${root}/0`, "the end", 1);
		expect((await later.hears(1)).map(({ text, retain }) => [text, retain])).toEqual([["the end", false]]);
	});

	test("3 zero-length client id: taken for a session that ends with the connection, refused for one that stays", async () => {
		const clean = await raw(version);
		const welcome = await clean.ask("", { clean: true });
		expect(version === 5 ? welcome.reasonCode : welcome.returnCode).toBe(0);
		if (version === 5) {
			// Version 5 gives a name instead, and says which.
			expect(welcome.properties?.assignedClientIdentifier).toMatch(/.+/);
			return;
		}
		const staying = await raw(version);
		// No client library sends it, so it is written by hand.
		staying.bytes(Buffer.from([0x10, 12, 0, 4, ...Buffer.from("MQTT"), 4, 0, 0, 60, 0, 0]));
		expect((await staying.packet("connack")).returnCode).toBe(2);
		await staying.ended();
	});

	test("4 offline queue: what came with QoS 1 and 2 while it was away is there when it returns", async () => {
		const away = await join(version, "away", "keeps");
		await away.subscribe(2, `${root}/+`);
		await away.leave();
		const sender = await join(version, "sender");
		for (const qos of [0, 1, 2] as const) await sender.publish(`${root}/${qos}`, `QoS ${qos}`, qos);
		const back = await join(version, "away", "keeps");
		expect((await back.packet("connack")).sessionPresent).toBe(true);
		await back.hears(2);
		await back.ping();
		expect(texts(back).filter((text) => text !== "QoS 0")).toEqual(["QoS 1", "QoS 2"]);
	});

	test("4 offline queue: a session that was to end with its connection brings nothing back", async () => {
		const away = await join(version, "away");
		await away.subscribe(2, `${root}/+`);
		await away.leave();
		const sender = await join(version, "sender");
		await sender.publish(`${root}/1`, "missed", 1);
		const back = await join(version, "away", "keeps");
		expect((await back.packet("connack")).sessionPresent).toBe(false);
		await back.ping();
		expect(back.received).toEqual([]);
	});

	test("5 overlapping subscriptions: one copy, or one for each, with a QoS that was granted", async () => {
		const peer = await join(version, "a");
		await peer.subscribe(2, `${root}/#`);
		await peer.subscribe(1, `${root}/+`);
		await peer.publish(`${root}/c`, "overlapping", 2);
		await peer.hears(1);
		await peer.ping();
		expect(peer.received.map(({ text }) => text)).toEqual(peer.received.length === 1 ? ["overlapping"] : ["overlapping", "overlapping"]);
		for (const { qos } of peer.received) expect([1, 2]).toContain(qos);
	});

	test("6 keepalive: who says nothing for half as long again is let go, and its will is said", async () => {
		const watcher = await join(version, "watcher");
		await watcher.subscribe(2, `${root}/will`);
		const will = { topic: `${root}/will`, payload: Buffer.from("keepalive expired"), qos: 1 as const, retain: false };
		const silent = await join(version, "silent", "clean", { keepalive: 1, will });
		await silent.ended();
		expect((await watcher.hears(1)).map(({ text }) => text)).toEqual(["keepalive expired"]);
	});

	test("6 keepalive: who says goodbye leaves no will", async () => {
		const watcher = await join(version, "watcher");
		await watcher.subscribe(2, `${root}/#`);
		const leaving = await join(version, "leaving", "clean", { will: { topic: `${root}/will`, payload: Buffer.from("never"), qos: 1, retain: false } });
		await leaving.leave();
		await watcher.publish(`${root}/x`, "after it", 1);
		expect((await watcher.hears(1)).map(({ text }) => text)).toEqual(["after it"]);
	});

	test("7 redelivery: what was not thanked for comes again, marked as a repeat", async () => {
		const peer = await join(version, "a", "keeps");
		peer.thanks = false;
		await peer.subscribe(2, `${root}/+`);
		const sender = await join(version, "sender");
		await sender.publish(`${root}/1`, "QoS 1", 1);
		await sender.publish(`${root}/2`, "QoS 2", 2);
		await peer.hears(2);
		await peer.vanish();
		const back = await join(version, "a", "keeps");
		await back.hears(2);
		expect(texts(back)).toEqual(["QoS 1", "QoS 2"]);
		expect(back.received.every(({ dup }) => dup)).toBe(true);
	});

	test("7 redelivery: what was thanked for does not", async () => {
		const peer = await join(version, "a", "keeps");
		await peer.subscribe(2, `${root}/+`);
		const sender = await join(version, "sender");
		await sender.publish(`${root}/1`, "QoS 1", 1);
		await peer.hears(1);
		await peer.ping();
		await peer.vanish();
		const back = await join(version, "a", "keeps");
		await back.ping();
		expect(back.received).toEqual([]);
	});

	test("8 subscribe failure: the filter that is refused says so, the one beside it is granted", async () => {
		const peer = await join(version, "a");
		const [refused, granted] = await peer.subscribe(2, "test/nosubscribe", `${root}/x`);
		expect([(refused ?? 0) >= 128, granted]).toEqual([true, 2]);
		await peer.publish(`${root}/x`, "heard", 1);
		expect((await peer.hears(1)).map(({ text }) => text)).toEqual(["heard"]);
	});

	test("9 $ topics: no wildcard at the beginning reaches them", async () => {
		const peer = await join(version, "a");
		await peer.subscribe(2, `+/${root}/b`);
		await peer.subscribe(2, "#");
		await peer.publish(`$${root}/${root}/b`, "hidden", 1);
		await peer.publish(`${root}/${root}/b`, "seen", 1);
		await peer.hears(1);
		await peer.ping();
		expect(new Set(texts(peer))).toEqual(new Set(["seen"]));
	});

	test("10 unsubscribe: what was left is not heard any more, the rest is", async () => {
		const peer = await join(version, "a");
		const sender = await join(version, "sender");
		for (const name of ["x", "y", "z"]) await peer.subscribe(2, `${root}/${name}`);
		await peer.unsubscribe(`${root}/x`);
		for (const name of ["x", "y", "z"]) await sender.publish(`${root}/${name}`, name, 1);
		await peer.hears(2);
		await peer.ping();
		expect(texts(peer)).toEqual(["y", "z"]);
	});
});
