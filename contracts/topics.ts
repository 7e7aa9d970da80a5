// The topic table: which topics exist, what travels on them, how, and who may publish or subscribe them.

export const TOPIC_ROOT = "orion/v1";
export const NODE_ID = /^[a-z0-9-]{1,32}$/;
/** `NAME` is a node; `NAME.anything` is a client that speaks in its name and may publish events only. */
export const CLIENT_ID = /^([a-z0-9-]{1,32})(\.[A-Za-z0-9_-]{1,32})?$/;
/** The node name that stands for all nodes on stop and cut; no node may be called so, nor `core`. */
export const RESERVED_NODES: readonly string[] = ["all", "core"];

export type NodeChannel = "evt" | "tlm" | "pulse" | "state" | "safety" | "about" | "ack" | "cmd" | "lease" | "stop" | "cut" | "watermark" | "verdict";

export interface ChannelRule {
	readonly qos: 0 | 1;
	readonly retained: boolean;
	/** True where the topic carries one more level: evt/<name>. */
	readonly named: boolean;
	/** Who may publish below orion/v1/<node>/. */
	readonly publisher: "node" | "node-and-clients" | "core" | "anyone";
	/** Whether the node itself may subscribe to it. */
	readonly nodeSubscribes: boolean;
	/** How it reaches the log. */
	readonly logged: "always" | "sampled" | "never" | "as-action" | "after-delivery";
}

export const NODE_CHANNELS: Readonly<Record<NodeChannel, ChannelRule>> = {
	evt: { qos: 1, retained: false, named: true, publisher: "node-and-clients", nodeSubscribes: false, logged: "always" },
	tlm: { qos: 0, retained: false, named: true, publisher: "node", nodeSubscribes: false, logged: "sampled" },
	pulse: { qos: 0, retained: false, named: false, publisher: "node", nodeSubscribes: false, logged: "never" },
	state: { qos: 1, retained: true, named: false, publisher: "node", nodeSubscribes: false, logged: "always" },
	safety: { qos: 1, retained: true, named: false, publisher: "node", nodeSubscribes: false, logged: "always" },
	about: { qos: 1, retained: true, named: false, publisher: "node", nodeSubscribes: false, logged: "always" },
	ack: { qos: 1, retained: false, named: true, publisher: "node", nodeSubscribes: false, logged: "always" },
	cmd: { qos: 1, retained: false, named: true, publisher: "core", nodeSubscribes: true, logged: "as-action" },
	lease: { qos: 0, retained: false, named: false, publisher: "core", nodeSubscribes: true, logged: "never" },
	stop: { qos: 1, retained: false, named: false, publisher: "anyone", nodeSubscribes: true, logged: "after-delivery" },
	cut: { qos: 1, retained: false, named: false, publisher: "anyone", nodeSubscribes: true, logged: "after-delivery" },
	watermark: { qos: 1, retained: true, named: false, publisher: "core", nodeSubscribes: true, logged: "never" },
	verdict: { qos: 1, retained: false, named: false, publisher: "core", nodeSubscribes: true, logged: "never" },
};

export const CORE_TOPICS = { beacon: `${TOPIC_ROOT}/core/beacon`, policy: `${TOPIC_ROOT}/core/policy` } as const;

export type Topic =
	| { readonly kind: "node"; readonly node: string; readonly channel: NodeChannel; readonly name?: string }
	| { readonly kind: "core"; readonly channel: keyof typeof CORE_TOPICS };

const NAME = /^[A-Za-z0-9._-]{1,64}$/;

const isChannel = (text: string): text is NodeChannel => Object.hasOwn(NODE_CHANNELS, text);

/** Parses a topic that is published; undefined for anything that is not in the table. */
export const parseTopic = (topic: string): Topic | undefined => {
	const [root, version, node, channel, name, ...rest] = topic.split("/");
	if (`${root}/${version}` !== TOPIC_ROOT || node === undefined || channel === undefined || rest.length > 0) return undefined;
	if (node === "core") {
		return name === undefined && Object.hasOwn(CORE_TOPICS, channel) ? { kind: "core", channel: channel as keyof typeof CORE_TOPICS } : undefined;
	}
	if (!NODE_ID.test(node) || !isChannel(channel)) return undefined;
	if (node === "all" && channel !== "stop" && channel !== "cut") return undefined;
	const { named } = NODE_CHANNELS[channel];
	if (named !== (name !== undefined)) return undefined;
	if (name === undefined) return { kind: "node", node, channel };
	return NAME.test(name) ? { kind: "node", node, channel, name } : undefined;
};

/** `orion/v1/<node>/<channel>[/<name>]` */
export const nodeTopic = (node: string, channel: NodeChannel, name?: string): string =>
	name === undefined ? `${TOPIC_ROOT}/${node}/${channel}` : `${TOPIC_ROOT}/${node}/${channel}/${name}`;

/** `NAME` or `NAME.client` -> the node it speaks for and whether it is the node itself; undefined if it is no client id. */
export const parseClientId = (clientId: string): { readonly node: string; readonly client?: string } | undefined => {
	const match = CLIENT_ID.exec(clientId);
	if (match?.[1] === undefined || RESERVED_NODES.includes(match[1])) return undefined;
	return match[2] === undefined ? { node: match[1] } : { node: match[1], client: match[2].slice(1) };
};
