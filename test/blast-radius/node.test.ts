// Shows what a stolen node or client can do with everything that lies on it, and that it can do nothing more (HARM-113).
import { afterEach, describe, expect, test } from "vitest";
import { CORE_TOPICS, NODE_CHANNELS, type NodeChannel, nodeTopic } from "../../contracts/topics.ts";
import { closeAll, codeOf, come, configOf, doors, joined, MESH } from "../agents/doors.ts";

afterEach(closeAll);

const CHANNELS = Object.keys(NODE_CHANNELS) as readonly NodeChannel[];
const topicOf = (node: string, channel: NodeChannel): string => nodeTopic(node, channel, NODE_CHANNELS[channel].named ? "x" : undefined);

let numbered = 0;
const event = (source: string, type: string, data: object, more: object = {}): Buffer =>
	Buffer.from(
		JSON.stringify({
			specversion: "1.0",
			id: `${source} ${type} ${++numbered}`,
			source,
			type: `dev.orion.${type}.v1`,
			time: "2026-11-21T03:04:05.678Z",
			mesh: MESH,
			session: "1.00112233445566aa",
			lane: "event",
			seq: 1,
			mono: 1,
			data,
			...more,
		}),
	);

/** pi-3 is stolen; pi-30 is another node, whose name begins the same. */
const stolen = async () => {
	const mesh = await doors();
	const [thief, other] = [await joined(mesh, "pi-3"), await joined(mesh, "pi-30")];
	return { mesh, thief, other };
};

/** What each kind of connection of the stolen node may publish on its own topics, whatever it sends there. */
const OWN: Readonly<Record<string, readonly NodeChannel[]>> = {
	"pi-3": ["evt", "tlm", "ack", "about"],
	"pi-3.safety": ["pulse", "state", "safety", "stop", "cut"],
	"pi-3.script": ["evt"],
};
/** Stop and cut are anyone's in the mesh, and only the safety connection's. */
const ANYONES: readonly NodeChannel[] = ["stop", "cut"];

describe("HARM-113 a stolen node", () => {
	test.each(Object.keys(OWN))("as %s: it publishes on no topic but its own, and on those only what its kind may", async (clientId) => {
		const { mesh, thief } = await stolen();
		const connection = await come(thief, clientId);
		const mine = OWN[clientId] ?? [];
		for (const node of ["pi-3", "pi-30", "core", "all"])
			for (const channel of CHANNELS) {
				const allowed = mine.includes(channel) && (node === "pi-3" || (ANYONES.includes(channel) && node !== "core"));
				const topic = topicOf(node, channel);
				mesh.taken.quarantined.length = 0;
				await connection.publish(topic, Buffer.from("{}"), { qos: 1, retain: false });
				// What is allowed is looked at, and found to be no message; an order to stop is handed on whatever it says.
				const refused = mesh.taken.quarantined.some((row) => row.startsWith("TOPIC_REFUSED"));
				expect([topic, refused]).toEqual([topic, !allowed]);
			}
		for (const topic of [CORE_TOPICS.beacon, CORE_TOPICS.policy, "orion/v1/pi-4/state", "$SYS/x", "orion:log"]) {
			mesh.taken.quarantined.length = 0;
			await connection.publish(topic, Buffer.from("{}"), { qos: 1, retain: true }).catch(() => undefined);
			expect(mesh.taken.accepted).toEqual([]);
		}
		connection.destroy();
	});

	test("it speaks for no other, decides nothing and rewrites nothing: what core alone may say goes into quarantine", async () => {
		const { mesh, thief } = await stolen();
		const connection = await come(thief, "pi-3");
		const forged: readonly (readonly [string, object])[] = [
			["approval.decided", { approval: "apr-1", answer: "approve", by: "lars" }],
			["level.set", { level: "N3", by: "lars" }],
			["policy.activated", { hash: `sha256:${"a".repeat(64)}`, content: {}, files: [] }],
			["allowance.granted", {}],
			["node.added", { node: "evil", by: "lars" }],
			["node.removed", { node: "pi-30", by: "lars" }],
			["action.requested", {}],
			["log.gap", {}],
		];
		for (const [type, data] of forged) await connection.publish("orion/v1/pi-3/evt/x", event("/nodes/pi-3", type, data), { qos: 1, retain: false });
		for (const source of ["/nodes/pi-30", "/core/operator", "/core/commander", "/nodes/pi-3/../pi-30"])
			await connection.publish("orion/v1/pi-3/evt/alert", event(source, "alert.firing", { name: "x", severity: "info", summary: "x" }), {
				qos: 1,
				retain: false,
			});
		expect(mesh.taken.accepted).toEqual([]);
		expect(mesh.taken.quarantined).toHaveLength(forged.length + 4);
		// It may lie about itself: that is what remains to it.
		await connection.publish("orion/v1/pi-3/evt/alert", event("/nodes/pi-3", "alert.firing", { name: "x", severity: "info", summary: "x" }), {
			qos: 1,
			retain: false,
		});
		expect(mesh.taken.accepted).toEqual(["orion/v1/pi-3/evt/alert"]);
		await connection.close();
	});

	test("it reads its own commands and what all may hear; nothing of another, and no wildcard reaches further", async () => {
		const { mesh, thief } = await stolen();
		const heard: string[] = [];
		const connection = await come(thief, "pi-3", {}, { onMessage: (topic) => heard.push(topic) });
		await connection.subscribe([{ topic: "orion/v1/pi-3/cmd/+", qos: 1 }]);
		const refused = [
			"#",
			"+/#",
			"orion/#",
			"orion/v1/+/cmd/+",
			"orion/v1/pi-30/cmd/+",
			"orion/v1/pi-30/state",
			"orion/v1/+/evt/+",
			"$SYS/#",
			"$share/g/orion/v1/pi-30/cmd/+",
		];
		for (const topic of refused) await expect(connection.subscribe([{ topic, qos: 1 }]), topic).rejects.toThrow();
		await mesh.broker.publish("orion/v1/pi-30/cmd/process.stop", Buffer.from("x"), { qos: 1, retain: false });
		await mesh.broker.publish("orion/v1/pi-30/watermark", Buffer.from("x"), { qos: 1, retain: true });
		await mesh.broker.publish("orion/v1/pi-3/cmd/process.stop", Buffer.from("x"), { qos: 1, retain: false });
		// The one that is its own came last, so whatever else it was to hear has come.
		await expect.poll(() => heard).toEqual(["orion/v1/pi-3/cmd/process.stop"]);
		await connection.close();
	});

	test("it comes in as nobody else, with whatever it also knows, and leaves last words for nobody else", async () => {
		const { mesh, thief, other } = await stolen();
		const { password } = await configOf(thief);
		const known = await configOf(other);
		for (const clientId of ["pi-30", "pi-30.safety", "core", "all", "pi-3/x", "PI-3"]) {
			expect(await codeOf(come(thief, clientId, { username: clientId.split(".")[0] ?? "", password }))).not.toBe("none");
			expect(await codeOf(come(thief, clientId))).not.toBe("none");
		}
		expect(await codeOf(come(thief, "pi-30", known))).toBe("NOT_AUTHENTICATED");
		const will = {
			topic: "orion/v1/pi-30/state",
			bytes: event("/nodes/pi-30", "node.state", { state: "lost", session: "1.00112233445566aa", conn: 9 }),
			qos: 1,
			retain: true,
		} as const;
		expect(await codeOf(come(thief, "pi-3.safety", {}, { will }))).not.toBe("none");
		expect(mesh.broker.connections()).toEqual([]);
		expect(mesh.taken.accepted).toEqual([]);
	});
});
