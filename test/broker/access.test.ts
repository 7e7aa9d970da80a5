// Shows that nobody can publish, read or leave behind what the topic table does not give them (HARM-10).
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isFault, isWithin, matches, mayPublish, maySubscribe, readable } from "../../broker/access.ts";
import { identify } from "../../broker/identity.ts";
import type { ClientKind, Identity } from "../../broker/ports.ts";
import { NODE_CHANNELS, type NodeChannel, nodeTopic } from "../../contracts/topics.ts";

const KINDS: readonly ClientKind[] = ["node", "safety", "client"];
const SUFFIX: Readonly<Record<ClientKind, string>> = { node: "", safety: ".safety", client: ".backup" };
const of = (kind: ClientKind): Identity => ({ node: "pi-3", kind, clientId: `pi-3${SUFFIX[kind]}` });
const CHANNELS = Object.keys(NODE_CHANNELS) as readonly NodeChannel[];

/**
 * The whole rule, written down by hand: P may publish, W may leave as a will, R may read.
 * Columns: own subtree and foreign subtree, for each of node, safety, client.
 */
const TABLE: Readonly<Record<NodeChannel, readonly [string, string, string, string, string, string]>> = {
	//          node:  own, foreign   safety: own, foreign   client: own, foreign
	evt: ["P", "", "", "", "PW", ""],
	tlm: ["P", "", "", "", "", ""],
	pulse: ["", "", "P", "", "", ""],
	state: ["", "", "PW", "", "", ""],
	safety: ["", "", "P", "", "", ""],
	about: ["P", "", "", "", "", ""],
	ack: ["P", "", "", "", "", ""],
	cmd: ["R", "", "", "", "", ""],
	lease: ["R", "", "R", "", "", ""],
	stop: ["R", "", "PR", "P", "", ""],
	cut: ["R", "", "PR", "P", "", ""],
	watermark: ["R", "", "", "", "", ""],
	verdict: ["R", "", "", "", "R", ""],
};

const cells = CHANNELS.flatMap((channel) =>
	KINDS.flatMap((kind, column) => ["pi-3", "pi-30"].map((owner, foreign) => ({ channel, kind, owner, allowed: TABLE[channel][column * 2 + foreign] ?? "" }))),
);

describe("the table, cell by cell", () => {
	test("it has every channel", () => {
		expect(Object.keys(TABLE).sort()).toEqual([...CHANNELS].sort());
		expect(cells).toHaveLength(CHANNELS.length * 6);
	});
	test.each(cells)("$kind pi-3 on $owner/$channel: [$allowed]", ({ channel, kind, owner, allowed }) => {
		const topic = nodeTopic(owner, channel, NODE_CHANNELS[channel].named ? "x" : undefined);
		expect(!isFault(mayPublish(of(kind), topic))).toBe(allowed.includes("P"));
		expect(!isFault(mayPublish(of(kind), topic, "will"))).toBe(allowed.includes("W"));
		expect(maySubscribe(of(kind), topic) === undefined).toBe(allowed.includes("R"));
	});
});

test.each([
	["orion/v1/all/stop", ["safety"], ["node", "safety"]],
	["orion/v1/all/cut", ["safety"], ["node", "safety"]],
	["orion/v1/all/evt/x", [], []],
	["orion/v1/all/cmd/x", [], []],
	["orion/v1/core/beacon", [], ["node", "safety"]],
	["orion/v1/core/policy", [], ["node"]],
	["orion/v1/core/evt/x", [], []],
	["$SYS/broker/new/clients", [], []],
	["orion/void", [], []],
	["orion/v1/pi-3", [], []],
	["orion/v1/pi-3/evt", [], []],
	["orion/v1/pi-3/evt/a/b", [], []],
	["orion/v2/pi-3/evt/x", [], []],
	["/orion/v1/pi-3/evt/x", [], []],
	["orion/v1/pi-3/evt/x/", [], []],
	["orion/v1/PI-3/evt/x", [], []],
	["orion/v1/pi-3/constructor", [], []],
] as const)("%s: published by %j, read by %j", (topic, publishers, readers) => {
	expect(KINDS.filter((kind) => !isFault(mayPublish(of(kind), topic)))).toEqual(publishers);
	expect(KINDS.filter((kind) => maySubscribe(of(kind), topic) === undefined)).toEqual(readers);
});

test.each([
	"#",
	"+",
	"+/#",
	"$SYS/#",
	"$SYS/+/new/clients",
	"$share/g/orion/v1/pi-3/stop",
	"$share/g/#",
	"orion/#",
	"orion/v1/#",
	"orion/v1/+/stop",
	"orion/v1/pi-3/#",
	"orion/v1/pi-3/+",
	"orion/v1/pi-3/cmd/#",
	"orion/v1/pi-3/cmd",
	"orion/v1/pi-3/+/x",
	"orion/v1/all/#",
	"orion/v1/core/#",
	"orion/+/pi-3/stop",
	"orion/v1/pi-30/cmd/x",
	"/orion/v1/pi-3/stop",
	"",
])("filter %j is refused to everyone", (filter) => {
	for (const kind of KINDS) expect(maySubscribe(of(kind), filter)).toMatchObject({ code: "TOPIC_REFUSED" });
});

test("a node may read its own commands by wildcard", () => {
	expect(maySubscribe(of("node"), "orion/v1/pi-3/cmd/+")).toBeUndefined();
	expect(maySubscribe(of("safety"), "orion/v1/pi-3/cmd/+")).toBeDefined();
});

const level = fc.constantFrom(
	"orion",
	"v1",
	"pi-3",
	"pi-30",
	"all",
	"core",
	"cmd",
	"evt",
	"stop",
	"lease",
	"beacon",
	"policy",
	"verdict",
	"watermark",
	"x",
	"",
	"$SYS",
	"$share",
);
const filters = fc
	.array(fc.oneof({ weight: 4, arbitrary: level }, { weight: 1, arbitrary: fc.constantFrom("+", "#") }), { minLength: 1, maxLength: 6 })
	.map((levels) => {
		const end = levels.indexOf("#");
		return (end < 0 ? levels : levels.slice(0, end + 1)).join("/");
	});
/** Filters that look like what is allowed, with some levels turned into wildcards. */
const near = fc
	.tuple(fc.constantFrom(...KINDS), fc.nat(), fc.array(fc.constantFrom("", "+", "#"), { minLength: 6, maxLength: 6 }))
	.map(([kind, pick, wild]) => {
		const all = readable(of(kind));
		const levels = (all[pick % all.length] ?? "").split("/").map((text, index) => wild[index] || text);
		const end = levels.indexOf("#");
		return (end < 0 ? levels : levels.slice(0, end + 1)).join("/");
	});

/** All topics of up to five levels over a small alphabet, matched one by one: slow, and obviously right. */
const universe = ((): readonly string[] => {
	const topics: string[] = ["$SYS/x/new/clients", "orion/void", "orion/v1", "pi-3"];
	for (const node of ["pi-3", "pi-30", "all", "core", "x"])
		for (const channel of [...CHANNELS, "beacon", "policy", "x", ""])
			for (const tail of ["", "/x", "/", "/x/y"]) topics.push(`orion/v1/${node}/${channel}${tail}`, `orion/v2/${node}/${channel}${tail}`);
	return topics;
})();
const bruteMatch = (filter: readonly string[], topic: readonly string[]): boolean => {
	const [wanted, ...restWanted] = filter;
	const [found, ...restFound] = topic;
	if (wanted === undefined) return found === undefined;
	if (wanted === "#") return true;
	if (found === undefined) return false;
	return (wanted === "+" || wanted === found) && bruteMatch(restWanted, restFound);
};
const mayRead = (identity: Identity, topic: string): boolean => {
	const [root, version, node, channel, name, ...more] = topic.split("/");
	if (root !== "orion" || version !== "v1" || more.length > 0 || channel === undefined) return false;
	const column = KINDS.indexOf(identity.kind) * 2;
	if (node === identity.node && Object.hasOwn(TABLE, channel)) {
		const rule = channel as NodeChannel;
		return (TABLE[rule][column] ?? "").includes("R") && (name !== undefined) === NODE_CHANNELS[rule].named;
	}
	if (identity.kind === "client" || name !== undefined) return false;
	if (node === "all") return channel === "stop" || channel === "cut";
	return node === "core" && (channel === "beacon" || (channel === "policy" && identity.kind === "node"));
};

test("no filter lets anyone read what the table forbids, compared with matching every topic by brute force", () => {
	fc.assert(
		fc.property(fc.oneof(filters, near), fc.constantFrom(...KINDS), (filter, kind) => {
			if (maySubscribe(of(kind), filter) !== undefined) return;
			const read = universe.filter((topic) => bruteMatch(filter.split("/"), topic.split("/")));
			for (const topic of read) expect([filter, topic, mayRead(of(kind), topic)]).toEqual([filter, topic, true]);
		}),
		{ numRuns: 3_000 },
	);
});

test("matches and isWithin agree with brute force", () => {
	fc.assert(
		fc.property(filters, filters, (filter, wider) => {
			for (const topic of universe) {
				if (!topic.startsWith("$")) expect([filter, topic, matches(filter, topic)]).toEqual([filter, topic, bruteMatch(filter.split("/"), topic.split("/"))]);
				if (isWithin(filter, wider) && matches(filter, topic)) expect([filter, wider, topic, matches(wider, topic)]).toEqual([filter, wider, topic, true]);
			}
		}),
		{ numRuns: 100 },
	);
});

describe("who is who", () => {
	test.each([
		["pi-3", "pi-3", { node: "pi-3", kind: "node", clientId: "pi-3" }],
		["pi-3.safety", "pi-3", { node: "pi-3", kind: "safety", clientId: "pi-3.safety" }],
		["pi-3.backup", "pi-3", { node: "pi-3", kind: "client", clientId: "pi-3.backup" }],
		["constructor", "constructor", { node: "constructor", kind: "node", clientId: "constructor" }],
	])("%s as %s", (clientId, username, identity) => {
		expect(identify(clientId, username)).toEqual({ ok: true, value: identity });
	});
	test.each([
		"",
		"__proto__",
		"core",
		"all",
		"core.x",
		"PI-3",
		"pi-3.",
		"pi-3.a.b",
		"pi 3",
		"pi-3/x",
		"pi-3+",
		`${"a".repeat(33)}`,
		"hasOwnProperty",
		"pi-3\n",
	])("client id %j is refused", (clientId) => {
		expect(identify(clientId, clientId)).toMatchObject({ ok: false, fault: { code: "CLIENT_ID_REFUSED" } });
	});
	test.each([undefined, "", "pi-30", "pi-3.backup", "PI-3"])("user %j is not pi-3", (username) => {
		expect(identify("pi-3.backup", username)).toMatchObject({ ok: false, fault: { code: "NOT_AUTHENTICATED" } });
	});
});
