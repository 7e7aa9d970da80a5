// Shows that the fault proxy does what the chaos tests believe of it: order kept, packets doubled whole, silence that nobody is told of, cuts that everybody is.
import { afterEach, expect, test } from "vitest";
import { FaultProxy } from "../support/proxy.ts";
import { alert, type FakeIntake, hear, numbered, published, Rig, subscribed, until } from "./rig.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
	for (const one of open.splice(0).reverse()) await one.close();
});

const through = async (): Promise<{ readonly rig: Rig; readonly proxy: FaultProxy; readonly intake: FakeIntake }> => {
	const rig = await Rig.open();
	open.push(rig);
	const proxy = await FaultProxy.open(() => rig.broker.port);
	open.push(proxy);
	return { rig, proxy, intake: rig.intake };
};

test("in good weather everything arrives in order, however the bytes are cut", async () => {
	const { rig, proxy, intake } = await through();
	const client = await rig.connected("pi-3", { port: proxy.port });
	await Promise.all(Array.from({ length: 50 }, (_none, index) => published(client, "orion/v1/pi-3/evt/x", numbered("pi-3", index + 1))));
	expect(intake.stored.map(({ envelope }) => envelope.seq)).toEqual(Array.from({ length: 50 }, (_none, index) => index + 1));
	expect(proxy.counts).toMatchObject({ connections: 1, doubled: 0, swallowed: 0 });
});

test("a doubled packet reaches the broker twice and the log once", async () => {
	const { rig, proxy, intake } = await through();
	proxy.weather({ doubles: () => true }, "up");
	const client = await rig.connected("pi-3", { port: proxy.port });
	for (const seq of [1, 2, 3]) await published(client, "orion/v1/pi-3/evt/x", numbered("pi-3", seq));
	expect(proxy.counts.doubled).toBe(3);
	expect(intake.stored.map(({ envelope }) => envelope.seq)).toEqual([1, 2, 3]);
});

test("one packet at a time: what comes faster waits for its turn and keeps its order", async () => {
	const { rig, proxy } = await through();
	const client = await rig.connected("pi-3", { port: proxy.port });
	const heard = hear(client);
	await subscribed(client, "orion/v1/pi-3/cmd/+");
	proxy.weather({ oneEveryMs: 20 }, "down");
	for (const name of ["a", "b", "c", "d"]) await rig.broker.publish(`orion/v1/pi-3/cmd/${name}`, Buffer.from(name), { qos: 0, retain: false });
	await until("all four came", () => heard.length === 4);
	expect(heard.map(({ text }) => text)).toEqual(["a", "b", "c", "d"]);
	proxy.weather({ oneEveryMs: 60_000 }, "down");
	await rig.broker.publish("orion/v1/pi-3/cmd/e", Buffer.from("e"), { qos: 0, retain: false });
	await rig.lull();
	expect(heard).toHaveLength(4);
});

test("silence leaves both ends in the belief that they are connected; a cut does not", async () => {
	const { rig, proxy, intake } = await through();
	const client = await rig.connected("pi-3", { port: proxy.port });
	proxy.silence();
	client.publish("orion/v1/pi-3/evt/x", JSON.stringify(alert("/nodes/pi-3")), { qos: 1 });
	await until("it was swallowed", () => proxy.counts.swallowed > 0);
	expect([client.connected, rig.broker.connections().length, intake.stored.length]).toEqual([true, 1, 0]);
	proxy.cut();
	await until("both know", () => !client.connected && rig.broker.connections().length === 0);
	expect(proxy.counts.cuts).toBe(1);
});

test("one way only: what goes up arrives, what comes down does not", async () => {
	const { rig, proxy, intake } = await through();
	const client = await rig.connected("pi-3", { port: proxy.port });
	proxy.silence("down");
	let thanked = false;
	client.publish("orion/v1/pi-3/evt/x", JSON.stringify(numbered("pi-3", 1)), { qos: 1 }, () => {
		thanked = true;
	});
	await until("it is stored and the answer was swallowed", () => intake.stored.length === 1 && proxy.counts.swallowed > 0);
	expect(thanked).toBe(false);
});

test("while it is away nobody comes through, and afterwards everybody does", async () => {
	const { rig, proxy } = await through();
	proxy.away(true);
	await expect(rig.connected("pi-3", { port: proxy.port })).rejects.toThrow();
	proxy.away(false);
	expect((await rig.connected("pi-3", { port: proxy.port })).connected).toBe(true);
	expect(proxy.live).toBe(1);
});

test("mute carries nothing that way, on a connection that is made meanwhile too, until it ends", async () => {
	const { rig, proxy, intake } = await through();
	const client = await rig.connected("pi-3", { port: proxy.port });
	proxy.mute("up", true);
	client.publish("orion/v1/pi-3/evt/x", JSON.stringify(numbered("pi-3", 1)), { qos: 0 });
	await until("it was swallowed", () => proxy.counts.swallowed === 1);
	const raw = await rig.raw(proxy.port);
	raw.send(Buffer.from([0xc0, 0x00]));
	await until("so was what a new one says", () => proxy.counts.swallowed === 2);
	proxy.mute("up", false);
	await published(client, "orion/v1/pi-3/evt/x", numbered("pi-3", 2));
	expect(intake.stored.map(({ envelope }) => envelope.seq)).toEqual([2]);
});

test("a packet overtakes the one before it, and both arrive", async () => {
	const { rig, proxy, intake } = await through();
	const client = await rig.connected("pi-3", { port: proxy.port });
	proxy.weather({ delayMs: 200, overtakes: () => proxy.counts.overtaken === 0 }, "up");
	await Promise.all([1, 2].map((seq) => published(client, "orion/v1/pi-3/evt/x", numbered("pi-3", seq))));
	expect(proxy.counts.overtaken).toBe(1);
	expect(intake.stored.map(({ envelope }) => envelope.seq)).toEqual([2, 1]);
});

test("what was published of late comes once more, whether it ever arrived or not", async () => {
	const { rig, proxy, intake } = await through();
	const client = await rig.connected("pi-3", { port: proxy.port });
	await published(client, "orion/v1/pi-3/evt/x", numbered("pi-3", 1));
	proxy.mute("up", true);
	client.publish("orion/v1/pi-3/evt/x", JSON.stringify(numbered("pi-3", 2)), { qos: 0 });
	await until("it was swallowed", () => proxy.counts.swallowed === 1);
	proxy.mute("up", false);
	proxy.repeat("up", () => 0.5);
	await until("what never arrived is here", () => intake.stored.length === 2);
	expect(proxy.counts.repeated).toBe(2);
	expect(intake.stored.map(({ envelope }) => envelope.seq).sort()).toEqual([1, 2]);
});
