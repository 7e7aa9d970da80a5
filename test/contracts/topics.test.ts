// Shows that the topic table is all there is: what it names is parsed and printed alike, and nothing else is a topic (HARM-10).
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
	CLIENT_ID,
	CORE_TOPICS,
	NODE_CHANNELS,
	NODE_ID,
	type NodeChannel,
	nodeTopic,
	parseClientId,
	parseTopic,
	RESERVED_NODES,
	type Topic,
} from "../../contracts/topics.ts";

const CHANNELS = Object.keys(NODE_CHANNELS) as NodeChannel[];
const node = fc.stringMatching(/^[a-z0-9-]{1,32}$/).filter((id) => !RESERVED_NODES.includes(id));
const name = fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/);
const topic: fc.Arbitrary<Topic> = fc.oneof(
	fc.record({ kind: fc.constant("core" as const), channel: fc.constantFrom(...(Object.keys(CORE_TOPICS) as (keyof typeof CORE_TOPICS)[])) }),
	fc
		.tuple(node, fc.constantFrom(...CHANNELS), name)
		.map(
			([id, channel, last]): Topic => (NODE_CHANNELS[channel].named ? { kind: "node", node: id, channel, name: last } : { kind: "node", node: id, channel }),
		),
	fc.constantFrom("stop" as const, "cut" as const).map((channel): Topic => ({ kind: "node", node: "all", channel })),
);
const print = (of: Topic): string => (of.kind === "core" ? CORE_TOPICS[of.channel] : nodeTopic(of.node, of.channel, of.name));

describe("parseTopic", () => {
	test("gives back what was printed", () => {
		fc.assert(
			fc.property(topic, (of) => {
				expect(parseTopic(print(of))).toEqual(of);
			}),
			{ numRuns: 500 },
		);
	});
	test("what it parses is printed as it was: no topic has two spellings", () => {
		const level = fc.oneof(
			fc.constantFrom("orion", "v1", "v2", "core", "all", "pi-3", "beacon", "policy", "+", "#", "", "$SYS", "$share", "..", " ", ...CHANNELS),
			name,
			fc.string({ unit: "binary", maxLength: 4 }),
		);
		const near = fc.oneof(
			fc.array(level, { maxLength: 7 }).map((levels) => levels.join("/")),
			fc.tuple(topic, fc.nat(), fc.string({ maxLength: 2 })).map(([of, at, noise]) => `${print(of).slice(0, at % 60)}${noise}${print(of).slice(at % 60)}`),
		);
		fc.assert(
			fc.property(near, (text) => {
				const parsed = parseTopic(text);
				if (parsed !== undefined) expect(print(parsed)).toBe(text);
			}),
			{ numRuns: 2_000 },
		);
	});
	test.each(CHANNELS)("%s has a name exactly where the table says so", (channel) => {
		const { named } = NODE_CHANNELS[channel];
		expect(parseTopic(`orion/v1/pi-3/${channel}`) !== undefined).toBe(!named);
		expect(parseTopic(`orion/v1/pi-3/${channel}/x`) !== undefined).toBe(named);
		expect(parseTopic(`orion/v1/pi-3/${channel}/`)).toBeUndefined();
		expect(parseTopic(`orion/v1/pi-3/${channel}/x/y`)).toBeUndefined();
		expect(parseTopic(`orion/v1/pi-3/${channel.toUpperCase()}`)).toBeUndefined();
	});
	test("all is a node for stop and cut only, and core is none", () => {
		expect(CHANNELS.filter((channel) => parseTopic(`orion/v1/all/${channel}`) ?? parseTopic(`orion/v1/all/${channel}/x`))).toEqual(["stop", "cut"]);
		expect(CHANNELS.filter((channel) => parseTopic(`orion/v1/core/${channel}`) ?? parseTopic(`orion/v1/core/${channel}/x`))).toEqual([]);
		expect(parseTopic("orion/v1/core/beacon")).toEqual({ kind: "core", channel: "beacon" });
		expect(parseTopic("orion/v1/core/policy")).toEqual({ kind: "core", channel: "policy" });
		expect(parseTopic("orion/v1/all/beacon")).toBeUndefined();
		expect(parseTopic("orion/v1/pi-3/beacon")).toBeUndefined();
	});
	test.each([
		"",
		"/",
		"orion",
		"orion/v1",
		"orion/v1/pi-3",
		"orion/v1/pi-3/",
		"/orion/v1/pi-3/pulse",
		"orion/v1/pi-3/pulse/",
		"orion//pi-3/pulse",
		"orion/v1//pulse",
		"orion/v2/pi-3/pulse",
		"ORION/v1/pi-3/pulse",
		"orion/v1/Pi-3/pulse",
		"orion/v1/pi_3/pulse",
		"orion/v1/pi-3.safety/pulse",
		"orion/v1/pі-3/pulse",
		"orion/v1/pi-3\u0000/pulse",
		"orion/v1/pi-3/pulse\n",
		`orion/v1/${"a".repeat(33)}/pulse`,
		"orion/v1/+/pulse",
		"orion/v1/pi-3/+",
		"orion/v1/pi-3/#",
		"orion/v1/#",
		"#",
		"+/+/+/pulse",
		"$SYS/broker/uptime",
		"$share/group/orion/v1/pi-3/pulse",
		"orion/v1/$SYS/pulse",
		"orion/v1/pi-3/evt/+",
		"orion/v1/pi-3/evt/#",
		"orion/v1/pi-3/evt/ä",
		"orion/v1/pi-3/evt/a b",
		`orion/v1/pi-3/evt/${"x".repeat(65)}`,
		"orion/v1/pi-3/__proto__",
		"orion/v1/pi-3/constructor",
		"orion/v1/pi-3/toString/x",
		"orion/v1/core/__proto__",
		"orion/v1/core/beacon/x",
		"orion/v1/core/",
		"x/".repeat(40_000),
	])("%j is no topic", (text) => {
		expect(parseTopic(text)).toBeUndefined();
	});
});

describe("the table", () => {
	test("keeps nothing that acts: commands, leases, stop and cut are never retained", () => {
		expect(CHANNELS.filter((channel) => NODE_CHANNELS[channel].retained)).toEqual(["state", "safety", "about", "watermark"]);
	});
	test("lets a node read only what is said to it", () => {
		expect(CHANNELS.filter((channel) => NODE_CHANNELS[channel].nodeSubscribes)).toEqual(["cmd", "lease", "stop", "cut", "watermark", "verdict"]);
	});
	test("lets clients publish events only, and commands come from core only", () => {
		expect(CHANNELS.filter((channel) => NODE_CHANNELS[channel].publisher === "node-and-clients")).toEqual(["evt"]);
		expect(CHANNELS.filter((channel) => NODE_CHANNELS[channel].publisher === "core")).toEqual(["cmd", "lease", "watermark", "verdict"]);
		expect(CHANNELS.filter((channel) => NODE_CHANNELS[channel].publisher === "anyone")).toEqual(["stop", "cut"]);
	});
	test("what is always logged is acknowledged", () => {
		for (const channel of CHANNELS) if (NODE_CHANNELS[channel].logged === "always") expect(NODE_CHANNELS[channel].qos).toBe(1);
	});
});

describe("parseClientId", () => {
	test("gives the node, and the client where there is one", () => {
		expect(parseClientId("pi-3")).toEqual({ node: "pi-3" });
		expect(parseClientId("pi-3.safety")).toEqual({ node: "pi-3", client: "safety" });
		expect(parseClientId("pi-3.Backup_job-1")).toEqual({ node: "pi-3", client: "Backup_job-1" });
	});
	test("what it parses is printed as it was, and always speaks for a node that can be", () => {
		const part = fc.oneof(
			fc.constantFrom("pi-3", "all", "core", "safety", ".", "..", "", "é"),
			fc.string({ maxLength: 34 }),
			fc.stringMatching(/^[a-z0-9.-]{1,40}$/),
		);
		fc.assert(
			fc.property(
				fc.oneof(
					part,
					fc.tuple(part, part).map((parts) => parts.join(".")),
				),
				(text) => {
					const parsed = parseClientId(text);
					if (parsed === undefined) return;
					expect(parsed.client === undefined ? parsed.node : `${parsed.node}.${parsed.client}`).toBe(text);
					expect(NODE_ID.test(parsed.node) && CLIENT_ID.test(text)).toBe(true);
					expect(RESERVED_NODES).not.toContain(parsed.node);
				},
			),
			{ numRuns: 1_000 },
		);
	});
	test.each([
		"",
		"all",
		"core",
		"all.safety",
		"core.x",
		".safety",
		"pi-3.",
		"pi-3..x",
		"pi-3.a.b",
		"Pi-3",
		"pi 3",
		"pi-3.a b",
		"pi-3\n",
		"__proto__",
		"a".repeat(33),
		`pi-3.${"x".repeat(33)}`,
		"pi-3/x",
		"+",
		"#",
	])("%j is no client id", (text) => {
		expect(parseClientId(text)).toBeUndefined();
	});
});
