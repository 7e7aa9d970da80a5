// Shows whom core reaches: the live connection that listens, once, and nobody later.
import { afterEach, describe, expect, test } from "vitest";
import { hear, PASSWORD, Rig, subscribed, until } from "./rig.ts";

const rigs: Rig[] = [];
const open = async (options: Parameters<typeof Rig.open>[0] = {}): Promise<Rig> => {
	const rig = await Rig.open(options);
	rigs.push(rig);
	return rig;
};
afterEach(async () => {
	for (const rig of rigs.splice(0)) await rig.close();
});

describe("what core says", () => {
	test("a command reaches the live data connection that listens, and nobody else", async () => {
		const rig = await open();
		const topic = "orion/v1/pi-3/cmd/process.restart";
		const send = () => rig.broker.deliver("pi-3", topic, Buffer.from("do it"));
		expect(await send()).toBe("nobody");
		const safety = await rig.connected("pi-3.safety");
		const node = await rig.connected("pi-3");
		expect(await send()).toBe("nobody");
		expect(await subscribed(node, "orion/v1/pi-3/verdict")).toEqual([1]);
		expect(await send()).toBe("nobody");
		const heard = [hear(node), hear(safety)];
		expect(await subscribed(node, "orion/v1/pi-3/cmd/+")).toEqual([1]);
		expect(await send()).toBe("delivered");
		await until("the command", () => heard[0]?.length === 1);
		expect(heard).toEqual([[{ topic, text: "do it", retain: false }], []]);
		await new Promise<void>((resolve) => {
			node.unsubscribe("orion/v1/pi-3/cmd/+", () => resolve());
		});
		expect(await send()).toBe("nobody");
		await subscribed(node, "orion/v1/pi-3/cmd/process.restart");
		expect(await send()).toBe("delivered");
		node.end(true);
		await until("it is away", () => rig.broker.connections().length === 1);
		expect(await send()).toBe("nobody");
	});
	test("overlapping filters give one copy", async () => {
		const rig = await open();
		const node = await rig.connected("pi-3");
		const heard = hear(node);
		await subscribed(node, "orion/v1/pi-3/cmd/+", "orion/v1/pi-3/cmd/x", "orion/v1/all/stop");
		await rig.broker.publish("orion/v1/pi-3/cmd/x", Buffer.from("1"), { qos: 1, retain: false });
		await rig.broker.publish("orion/v1/all/stop", Buffer.from("end"), { qos: 1, retain: false });
		await until("the end", () => heard.some(({ text }) => text === "end"));
		expect(heard.map(({ text }) => text)).toEqual(["1", "end"]);
	});
	test("what is retained is there for who comes later; what is not, is not", async () => {
		const rig = await open();
		await rig.broker.publish("orion/v1/pi-3/watermark", Buffer.from("mark"), { qos: 1, retain: true });
		await rig.broker.publish("orion/v1/core/beacon", Buffer.from("beacon"), { qos: 0, retain: false });
		const node = await rig.connected("pi-3");
		const heard = hear(node);
		await subscribed(node, "orion/v1/core/beacon", "orion/v1/pi-3/watermark");
		await until("the watermark", () => heard.length > 0);
		expect(heard).toEqual([{ topic: "orion/v1/pi-3/watermark", text: "mark", retain: true }]);
	});
	test("a message that is overtaken is not lost: many of each kind at once all arrive", async () => {
		const rig = await open();
		const node = await rig.connected("pi-3");
		const heard = hear(node);
		await subscribed(node, "orion/v1/core/beacon", "orion/v1/all/stop");
		for (let index = 0; index < 200; index += 1) {
			void rig.broker.publish("orion/v1/all/stop", Buffer.from(`stop ${index}`), { qos: 1, retain: false });
			void rig.broker.publish("orion/v1/core/beacon", Buffer.from(`beacon ${index}`), { qos: 0, retain: false });
		}
		await until("all of them", () => heard.length === 400);
		expect(heard.filter(({ text }) => text.startsWith("stop")).map(({ text }) => text)).toEqual(Array.from({ length: 200 }, (_none, index) => `stop ${index}`));
	});
	test("who is connected, and for how long", async () => {
		const clock = { nowMs: 1_000 };
		const rig = await open({ now: () => clock.nowMs });
		await rig.connected("pi-3");
		clock.nowMs = 4_000;
		expect(rig.broker.connections()).toEqual([{ identity: { node: "pi-3", kind: "node", clientId: "pi-3" }, sinceMs: 3_000 }]);
	});
	test("the password never shows", async () => {
		const rig = await open();
		await rig.connected("pi-3");
		expect(JSON.stringify([rig.broker.connections(), rig.refusals])).not.toContain(PASSWORD);
	});
});
