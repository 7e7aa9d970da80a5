// Decides from a seed what a hostile client sends: good packets with wrong bytes, packets that are right and not allowed, and pure noise.
import { generate, type Packet } from "mqtt-packet";

export type Version = 4 | 5;
type Random = () => number;

const pick = <T>(random: Random, from: readonly T[]): T => {
	const found = from[Math.floor(random() * from.length)];
	if (found === undefined) throw new Error("nothing to pick from");
	return found;
};
const below = (random: Random, max: number): number => Math.floor(random() * max);

const TOPICS = [
	"orion/v1/fuzz/evt/x",
	"orion/v1/fuzz/evt/alert",
	"orion/v1/fuzz/state",
	"orion/v1/fuzz/about",
	"orion/v1/honest/evt/alert",
	"orion/v1/honest/state",
	"orion/v1/honest/cmd/process.restart",
	"orion/v1/honest/stop",
	"orion/v1/all/cut",
	"orion/v1/core/beacon",
	"orion/v1/core/policy",
	"$SYS/fuzz/new/clients",
	"$SYS/a/heartbeat",
	"constructor",
	"/",
	"a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p",
];
const FILTERS = [
	"#",
	"+/#",
	"$SYS/#",
	"$share/g/#",
	"$share/g/orion/v1/honest/cmd/+",
	"orion/v1/+/cmd/+",
	"orion/v1/fuzz/cmd/+",
	"orion/v1/core/beacon",
	"a",
	"__proto__",
	"toString",
];

const envelope = (random: Random, source: string): string =>
	JSON.stringify({
		specversion: "1.0",
		id: `fuzz-${below(random, 2_000)}`,
		source,
		type: pick(random, ["dev.orion.alert.firing.v1", "dev.orion.action.receipt.v1", "dev.orion.node.state.v1", "dev.orion.level.set.v1", "x"]),
		data: { name: `fuzz-${below(random, 5)}`, severity: "info", summary: "x".repeat(below(random, 80)) },
	});

const payload = (random: Random): string | Buffer => {
	switch (below(random, 6)) {
		case 0:
			return "[".repeat(below(random, 4_000));
		case 1:
			return Buffer.from(Array.from({ length: below(random, 200) }, () => below(random, 256)));
		case 2:
			return envelope(random, "/nodes/honest");
		case 3:
			return "";
		default:
			return envelope(random, "/nodes/fuzz");
	}
};

const properties = (random: Random, version: Version, of: "publish" | "subscribe"): Record<string, unknown> => {
	if (version === 4 || random() < 0.5) return {};
	if (of === "subscribe") return { properties: { subscriptionIdentifier: 1 + below(random, 1_000) } };
	return {
		properties: pick(random, [
			{ topicAlias: 1 + below(random, 3) },
			{ userProperties: Object.fromEntries(Array.from({ length: below(random, 90) }, (_none, index) => [`k${index}`, "v".repeat(below(random, 30))])) },
			{ messageExpiryInterval: below(random, 10), responseTopic: "a/b", correlationData: Buffer.alloc(below(random, 100)) },
		]),
	};
};

const publish = (random: Random, version: Version): Packet => {
	// QoS 2 ends a session at once: rarely, so that most of them come far.
	const qos = random() < 0.02 ? 2 : pick(random, [0, 1, 1, 1] as const);
	const messageId = qos === 0 ? {} : { messageId: 1 + below(random, 4) };
	const topic = pick(random, TOPICS);
	return {
		cmd: "publish",
		topic,
		payload: payload(random),
		qos,
		dup: qos > 0 && random() < 0.2,
		retain: random() < 0.3,
		...messageId,
		...properties(random, version, "publish"),
	};
};

const wellFormed = (random: Random, version: Version): Packet => {
	const messageId = 1 + below(random, 4);
	switch (below(random, 10)) {
		case 0: {
			const subscriptions = Array.from({ length: 1 + below(random, 20) }, () => ({ topic: pick(random, FILTERS), qos: pick(random, [0, 1, 2] as const) }));
			return { cmd: "subscribe", messageId, subscriptions, ...properties(random, version, "subscribe") };
		}
		case 1:
			return { cmd: "unsubscribe", messageId, unsubscriptions: [pick(random, FILTERS), pick(random, FILTERS)] };
		case 2:
			return { cmd: random() < 0.1 ? pick(random, ["pubrec", "pubrel", "pubcomp"] as const) : "puback", messageId };
		case 3:
			return { cmd: "pingreq" };
		default:
			return publish(random, version);
	}
};

const spoiled = (random: Random, bytes: Buffer): Buffer => {
	const changed = Buffer.from(bytes);
	for (let count = 1 + below(random, 3); count > 0; count -= 1) changed[below(random, changed.length)] = below(random, 256);
	return changed;
};

/** One packet, or what claims to be one. */
export const hostilePacket = (random: Random, version: Version): Buffer => {
	if (random() < 0.01) return Buffer.from(Array.from({ length: 1 + below(random, 60) }, () => below(random, 256)));
	if (random() < 0.003) return Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]);
	const bytes = generate(wellFormed(random, version), { protocolVersion: version });
	return random() < 0.08 ? spoiled(random, bytes) : bytes;
};

/** How a session begins: most say the truth about who they are, some lie, some do not begin at all. */
export const hostileConnect = (random: Random, version: Version, clientId: string, password: string): Buffer => {
	const honest = random() < 0.85;
	const will =
		random() < 0.1
			? { will: { topic: pick(random, TOPICS), payload: Buffer.from(payload(random)), qos: pick(random, [0, 1, 2] as const), retain: random() < 0.5 } }
			: {};
	const who = honest
		? { clientId, username: "fuzz" }
		: { clientId: pick(random, ["honest", "core", "honest.safety", "", "__proto__"]), username: pick(random, ["honest", "fuzz", "core"]) };
	const bytes = generate(
		{
			cmd: "connect",
			protocolId: "MQTT",
			protocolVersion: version,
			clean: who.clientId === "" || random() < 0.8,
			keepalive: 60,
			password: Buffer.from(password),
			...who,
			...will,
		},
		{ protocolVersion: version },
	);
	return random() < 0.08 ? spoiled(random, bytes) : bytes;
};
