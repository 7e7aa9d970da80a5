// Shows what a client is promised: an answer means on disk and judged, a bad message costs a verdict and nothing else, and nobody waits for anybody.
import { afterEach, describe, expect, test } from "vitest";
import { alert, hear, numbered, published, Rig, subscribed, until } from "./rig.ts";

let rig: Rig | undefined;
const open = async (options: Parameters<typeof Rig.open>[0] = {}): Promise<Rig> => {
	rig = await Rig.open(options);
	return rig;
};
afterEach(async () => {
	await rig?.close();
	rig = undefined;
});

describe.each([4, 5] as const)("MQTT version %i", (protocolVersion) => {
	test("LOSS-1: the answer follows the disk, never the other way round", async () => {
		const found = await open();
		const { intake } = found;
		const client = await found.connected("pi-3", { protocolVersion });
		intake.hold("held");
		const answer = published(client, "orion/v1/pi-3/evt/backup", numbered("pi-3", 1)).then(() => intake.order.push("answered"));
		await until("it reached the disk", () => intake.waiting === 1);
		expect(intake.order).toEqual([]);
		intake.hold("open");
		await answer;
		expect(intake.order).toEqual([expect.stringMatching(/^stored:/), "answered"]);
	});
	test("LOSS-9: a bad message is quarantined, its sender is told, and the connection goes on", async () => {
		const found = await open();
		const node = await found.connected("pi-3", { protocolVersion });
		const client = await found.connected("pi-3.backup", { protocolVersion });
		const verdicts = hear(node);
		expect(await subscribed(node, "orion/v1/pi-3/verdict")).toEqual([1]);
		const bad = alert("/nodes/pi-3", { data: { name: "backup", severity: "awful", summary: "x" } });
		const error = await published(client, "orion/v1/pi-3/evt/backup", bad);
		if (protocolVersion === 4) expect(error).toBeUndefined();
		else expect(error?.message).toMatch(/Payload format invalid/);
		expect(await published(client, "orion/v1/pi-3/evt/backup", alert("/nodes/pi-3"))).toBeUndefined();
		expect(found.intake.stored).toHaveLength(1);
		expect(found.intake.quarantined).toHaveLength(1);
		await until("verdict", () => verdicts.length === 1);
		expect(JSON.parse(verdicts[0]?.text ?? "")).toMatchObject({
			messageId: bad["id"],
			outcome: "quarantined",
			code: "CONTRACT_VIOLATED",
			contract: "alert.firing",
			pointer: "/data/severity",
			position: 1,
		});
		expect(client.connected).toBe(true);
	});
});
