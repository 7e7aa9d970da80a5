// Shows that an order to stop is handed on at once, past a stuck disk, past peers that never read, and whatever becomes of its sender.
import { generate, type Packet } from "mqtt-packet";
import { afterEach, describe, expect, test } from "vitest";
import { hear, PING, publishBytes, published, type Raw, Rig, stateOf, subscribed, until } from "./rig.ts";

const rigs: Rig[] = [];
const open = async (options: Parameters<typeof Rig.open>[0] = {}): Promise<Rig> => {
	const rig = await Rig.open(options);
	rigs.push(rig);
	return rig;
};
afterEach(async () => {
	for (const rig of rigs.splice(0)) await rig.close();
});

const subscribe = async (raw: Raw, ...filters: readonly string[]): Promise<void> => {
	raw.send(generate({ cmd: "subscribe", messageId: 9, subscriptions: filters.map((topic) => ({ topic, qos: 1 as const })) } as Packet));
	await raw.packet("suback");
};

describe.each(["stop", "cut"] as const)("%s", (verb) => {
	test("reaches every connection that listens, is answered, and is told to the mesh after that", async () => {
		const rig = await open();
		const sender = await rig.connected("pi-1.safety");
		const node = await rig.connected("pi-3");
		const safety = await rig.connected("pi-3.safety");
		const other = await rig.connected("pi-4");
		const heard = [hear(node), hear(safety), hear(other)];
		await subscribed(node, `orion/v1/pi-3/${verb}`, `orion/v1/all/${verb}`);
		await subscribed(safety, `orion/v1/pi-3/${verb}`);
		await subscribed(other, `orion/v1/pi-4/${verb}`, `orion/v1/all/${verb}`);
		expect(await published(sender, `orion/v1/pi-3/${verb}`, "why not")).toBeUndefined();
		await until("both", () => heard[0]?.length === 1 && heard[1]?.length === 1);
		await until("told", () => rig.stops.length === 1);
		expect(rig.stops[0]).toMatchObject({ verb, node: "pi-3", by: { clientId: "pi-1.safety" } });
		expect(Buffer.from(rig.stops[0]?.bytes ?? []).toString()).toBe("why not");
		await published(sender, `orion/v1/all/${verb}`, "", { qos: 0 });
		await until("all", () => heard[0]?.length === 2 && heard[2]?.length === 1);
		expect(heard.map((list) => list.map(({ topic }) => topic))).toEqual([
			[`orion/v1/pi-3/${verb}`, `orion/v1/all/${verb}`],
			[`orion/v1/pi-3/${verb}`],
			[`orion/v1/all/${verb}`],
		]);
		expect([rig.intake.stored.length, rig.intake.quarantined.length]).toEqual([0, 0]);
	});
	test("is never retained: the flag is dropped, the order is not", async () => {
		const rig = await open();
		const sender = await rig.connected("pi-1.safety");
		const node = await rig.connected("pi-3");
		const heard = hear(node);
		await subscribed(node, `orion/v1/all/${verb}`);
		expect(await published(sender, `orion/v1/all/${verb}`, "x", { retain: true })).toBeUndefined();
		await until("the order", () => heard.length === 1);
		expect(heard[0]?.retain).toBe(false);
		expect(await rig.broker.retained(`orion/v1/all/${verb}`)).toBeUndefined();
	});
	test.each(["pi-1", "pi-1.backup"])("by %s, which may not, goes into quarantine and no further", async (clientId) => {
		const rig = await open();
		const sender = await rig.connected(clientId);
		const node = await rig.connected("pi-3");
		const heard = hear(node);
		await subscribed(node, `orion/v1/all/${verb}`);
		expect(await published(sender, `orion/v1/all/${verb}`, "x")).toBeUndefined();
		expect(rig.intake.quarantined.map(({ fault }) => fault.code)).toEqual(["TOPIC_REFUSED"]);
		await rig.broker.publish(`orion/v1/all/${verb}`, Buffer.from("end"), { qos: 1, retain: false });
		await until("the end", () => heard.length > 0);
		expect(heard.map(({ text }) => text)).toEqual(["end"]);
		expect(rig.stops).toEqual([]);
	});
	test("passes messages of the same connection that wait for a stuck disk, in the same piece and in later ones", async () => {
		const rig = await open({ hookDeadlineMs: 2_000 });
		const sender = await rig.rawConnected("pi-1.safety");
		const node = await rig.connected("pi-3");
		const heard = hear(node);
		await subscribed(node, `orion/v1/all/${verb}`);
		rig.intake.hold("held");
		const state = publishBytes("orion/v1/pi-1/state", JSON.stringify(stateOf("pi-1", "ready", 1)), 4, { retain: true });
		const beganMs = performance.now();
		sender.send(Buffer.concat([state, publishBytes(`orion/v1/all/${verb}`, "1")]));
		await until("the first order", () => heard.length === 1);
		expect(rig.intake.waiting).toBe(1);
		sender.send(Buffer.concat([state, PING]));
		sender.send(publishBytes(`orion/v1/all/${verb}`, "2"));
		await until("the second order", () => heard.length === 2);
		expect(performance.now() - beganMs).toBeLessThan(1_500);
		await until("both told", () => rig.stops.length === 2);
		rig.intake.hold("open");
		await sender.packet("puback", 3);
		expect(heard.map(({ text }) => text)).toEqual(["1", "2"]);
	});
	test("goes out although its sender ends right behind it", async () => {
		const rig = await open();
		const node = await rig.connected("pi-3");
		const heard = hear(node);
		await subscribed(node, `orion/v1/all/${verb}`);
		const sender = await rig.rawConnected("pi-1.safety");
		sender.socket.end(publishBytes(`orion/v1/all/${verb}`, "last"));
		await until("the order", () => heard.length === 1);
		await until("told", () => rig.stops.length === 1);
	});
	test("is not held up by twenty peers that never read", async () => {
		const rig = await open({ drainTimeoutMs: 60_000 });
		const large = Buffer.alloc(60_000, "x");
		const beacon = (): Promise<void> => rig.broker.publish("orion/v1/core/beacon", large, { qos: 0, retain: false });
		const freeze = async (clientId: string): Promise<void> => {
			const raw = await rig.rawConnected(clientId);
			await subscribe(raw, "orion/v1/core/beacon", `orion/v1/all/${verb}`);
			raw.socket.pause();
		};
		// How much the kernel and the broker take together for one that never reads, before the broker lets it go.
		await freeze("probe");
		let most = 0;
		for (; rig.refusals.length === 0; most += 1) await beacon();
		for (let index = 0; index < 20; index += 1) await freeze(`ice-${index}`);
		const node = await rig.connected("pi-3");
		const heard = hear(node);
		await subscribed(node, `orion/v1/all/${verb}`);
		const sender = await rig.connected("pi-1.safety");
		// Half a megabyte less: it waits in the broker for all twenty.
		for (let index = 0; index < most - 9; index += 1) await beacon();
		expect(rig.broker.connections()).toHaveLength(22);
		const tookMs: number[] = [];
		for (let index = 1; index <= 20; index += 1) {
			const beganMs = performance.now();
			await published(sender, `orion/v1/all/${verb}`, String(index));
			await until("the order", () => heard.length === index);
			tookMs.push(performance.now() - beganMs);
		}
		// Far below the minute that the peers are given; how fast it is exactly is for the bench to say.
		expect(Math.max(...tookMs)).toBeLessThan(1_000);
	});
});

test("an order that nobody hears is told to the mesh all the same, and once", async () => {
	const rig = await open();
	const sender = await rig.connected("pi-1.safety");
	await published(sender, "orion/v1/pi-9/stop", "nobody listens");
	await until("told", () => rig.stops.length === 1);
	await published(sender, "orion/v1/pi-1/state", stateOf("pi-1", "ready", 1), { retain: true });
	expect(rig.stops).toHaveLength(1);
});
