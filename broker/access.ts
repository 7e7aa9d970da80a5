// Decides what an identity may publish, read and leave as its will, from the topic table and nothing else.
import { type Fault, fault } from "../contracts/errors.ts";
import { CORE_TOPICS, NODE_CHANNELS, type NodeChannel, nodeTopic, parseTopic } from "../contracts/topics.ts";
import type { ClientKind, Identity } from "./ports.ts";

type NodeTopic = Extract<NonNullable<ReturnType<typeof parseTopic>>, { readonly kind: "node" }>;

/** What each kind of connection speaks on; whose subtree it may be on is decided below. Core's channels are in no row. */
const SPEAKS: Readonly<Record<ClientKind, readonly NodeChannel[]>> = {
	node: ["evt", "tlm", "ack", "about"],
	safety: ["pulse", "state", "safety", "stop", "cut"],
	client: ["evt"],
};

/** Only presence is left behind by the node itself: a will on any other of its channels would speak for a node that cannot know. */
const WILLS: Readonly<Record<ClientKind, readonly NodeChannel[]>> = { node: [], safety: ["state"], client: ["evt"] };

const SAFETY_READS: readonly NodeChannel[] = ["stop", "cut", "lease"];
const ALL = "all";
const SHOWN_MAX = 200;

const refused = (identity: Identity, verb: string, topic: string): Fault =>
	fault("TOPIC_REFUSED", { identity: identity.clientId, verb, topic: topic.slice(0, SHOWN_MAX) });

const orders = (channel: NodeChannel): boolean => NODE_CHANNELS[channel].publisher === "anyone";

/** Where each connection published last: most of them say the same kind of thing again and again. */
const LAST = new WeakMap<Identity, { readonly topic: string; readonly found: NodeTopic }>();

/** The node topic, if this identity may publish there (or leave its will there); else the fault. */
export const mayPublish = (identity: Identity, topic: string, verb: "publish" | "will" = "publish"): NodeTopic | Fault => {
	const last = LAST.get(identity);
	if (verb === "publish" && last?.topic === topic) return last.found;
	const found = placeOf(identity, topic, verb);
	if (verb === "publish" && !isFault(found)) LAST.set(identity, { topic, found });
	return found;
};

const placeOf = (identity: Identity, topic: string, verb: "publish" | "will"): NodeTopic | Fault => {
	const parsed = parseTopic(topic);
	if (parsed?.kind !== "node") return refused(identity, verb, topic);
	const channels = verb === "publish" ? SPEAKS[identity.kind] : WILLS[identity.kind];
	// Exact names are compared, never prefixes: `pi-3` is not the owner of `pi-30`. Stop and cut reach across nodes by design.
	const own = parsed.node === identity.node || orders(parsed.channel);
	return own && channels.includes(parsed.channel) ? parsed : refused(identity, verb, topic);
};

export const isFault = (found: NodeTopic | Fault): found is Fault => "code" in found;

const CHANNELS = Object.keys(NODE_CHANNELS) as readonly NodeChannel[];

/** The widest filters this identity may hold: everything it may read is below one of them. */
export const readable = (identity: Identity): readonly string[] => {
	const own = (channel: NodeChannel): string => nodeTopic(identity.node, channel, NODE_CHANNELS[channel].named ? "+" : undefined);
	const everyone = [nodeTopic(ALL, "stop"), nodeTopic(ALL, "cut")];
	switch (identity.kind) {
		case "node":
			return [...CHANNELS.filter((channel) => NODE_CHANNELS[channel].nodeSubscribes).map(own), ...everyone, CORE_TOPICS.beacon, CORE_TOPICS.policy];
		case "safety":
			return [...SAFETY_READS.map(own), ...everyone, CORE_TOPICS.beacon];
		case "client":
			return [own("verdict")];
	}
};

/** True when every topic that `filter` matches is matched by `wider` as well. */
export const isWithin = (filter: string, wider: string): boolean => {
	const wanted = filter.split("/");
	const allowed = wider.split("/");
	if (wanted.length !== allowed.length) return false;
	return allowed.every((level, index) => (level === "+" ? wanted[index] !== "#" : wanted[index] === level));
};

/** undefined if this identity may subscribe to the filter. */
export const maySubscribe = (identity: Identity, filter: string): Fault | undefined =>
	readable(identity).some((wider) => isWithin(filter, wider)) ? undefined : refused(identity, "subscribe", filter);

/** True when a published topic is matched by a filter. */
export const matches = (filter: string, topic: string): boolean => {
	if (topic.startsWith("$") && !filter.startsWith("$")) return false;
	const levels = topic.split("/");
	const wanted = filter.split("/");
	for (const [index, level] of wanted.entries()) {
		if (level === "#") return true;
		if (index >= levels.length || (level !== "+" && level !== levels[index])) return false;
	}
	return wanted.length === levels.length;
};
