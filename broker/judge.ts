// Decides what becomes of a published message: accepted, shown live, an order to stop, or quarantined with the fault that it broke on.
import { checkEnvelope, type Envelope, parseJson } from "../contracts/envelope.ts";
import { type Fault, fault } from "../contracts/errors.ts";
import { NODE_CHANNELS, type NodeChannel } from "../contracts/topics.ts";
import { isFault, mayPublish } from "./access.ts";
import type { Identity } from "./ports.ts";

export interface Publication {
	readonly topic: string;
	readonly qos: 0 | 1;
	readonly retain: boolean;
	readonly bytes: Uint8Array;
}

export type Judgement =
	| { readonly kind: "accept"; readonly channel: NodeChannel; readonly envelope: Envelope }
	| { readonly kind: "live"; readonly channel: NodeChannel; readonly envelope: Envelope }
	| { readonly kind: "order"; readonly verb: "stop" | "cut"; readonly node: string }
	| { readonly kind: "quarantine"; readonly fault: Fault; readonly messageId?: string };

/** Types by channel, as `family.name` or `family.*`. A channel without a row carries no envelope. */
const TYPES: Readonly<Partial<Record<NodeChannel, readonly string[]>>> = {
	evt: ["alert.*", "alone.*", "process.*", "service.*", "host.*", "hexapod.changed", "gadget.changed", "log.loss"],
	tlm: ["host.metrics", "hexapod.pose"],
	pulse: ["node.pulse"],
	state: ["node.state"],
	safety: ["node.safety"],
	about: ["node.about"],
	ack: ["action.receipt"],
};
/** What only the node itself may say: its own account of what it had to drop, and of what it did without core. */
const NODE_ONLY: readonly string[] = ["alone.acted", "alone.ended", "alone.refused", "log.loss"];
/** How a node numbers and dates what goes into the log. */
const NUMBERED: readonly (keyof Envelope)[] = ["session", "lane", "seq"];
const DATED: readonly (keyof Envelope)[] = ["mono", "time"];
const MESSAGE_ID_MAX = 256;

/** `everyone`: nodes and their clients. */
type Speakers = "everyone" | "nodes" | "nobody";

const speakersOf = (channel: NodeChannel, type: string): Speakers => {
	const name = type.split(".").slice(2, 4).join(".");
	if (!(TYPES[channel] ?? []).some((row) => row === name || (row.endsWith(".*") && name.startsWith(row.slice(0, -1))))) return "nobody";
	return NODE_ONLY.includes(name) ? "nodes" : "everyone";
};

/** Asked for every message, and there are as many answers as channels and types with a contract. */
const SPEAKERS = new Map<NodeChannel, Map<string, Speakers>>();

/** Of a type that has a contract. */
const fits = (channel: NodeChannel, identity: Identity, type: string): boolean => {
	const known = SPEAKERS.get(channel) ?? new Map<string, Speakers>();
	if (known.size === 0) SPEAKERS.set(channel, known);
	const speakers = known.get(type) ?? speakersOf(channel, type);
	known.set(type, speakers);
	return speakers === "everyone" || (speakers === "nodes" && identity.kind !== "client");
};

const sourceFits = (identity: Identity, source: string): boolean => {
	const own = `/nodes/${identity.node}`;
	if (source === own) return true;
	return identity.kind === "client" && (source.startsWith(`${own}.`) || source.startsWith(`${own}/`));
};

const missing = (attribute: string, detail: string): Fault => fault("CONTRACT_VIOLATED", { schema: "envelope", pointer: `/${attribute}`, detail });

/** A message is numbered whole or not at all: half a number would never be recognised again. */
const numbering = (identity: Identity, envelope: Envelope, demanded: boolean): Fault | undefined => {
	const isUnnumbered = envelope.session === undefined && envelope.lane === undefined && envelope.seq === undefined;
	if (isUnnumbered && !demanded) return undefined;
	const absent = NUMBERED.filter((attribute) => envelope[attribute] === undefined);
	// Pulses are not kept, so a node numbers none of them; their session says whose they are.
	if (!demanded && identity.kind !== "client" && envelope.lane === undefined && envelope.seq === undefined) return undefined;
	if (absent[0] !== undefined) return missing(absent[0], `must have required property '${absent[0]}': session, lane and seq come together`);
	// The numbers under the node's own source are the node's: a client that used one up would make the node's message look forged.
	if (identity.kind === "client" && envelope.source === `/nodes/${identity.node}`)
		return fault("SOURCE_FOREIGN", { source: `numbered ${envelope.source}`, identity: identity.clientId });
	return undefined;
};

const belongs = (identity: Identity, mesh: string, envelope: Envelope): Fault | undefined => {
	if (!sourceFits(identity, envelope.source)) return fault("SOURCE_FOREIGN", { source: envelope.source, identity: identity.clientId });
	if (envelope.mesh === undefined) return identity.kind === "client" ? undefined : missing("mesh", "must have required property 'mesh'");
	return envelope.mesh === mesh ? undefined : fault("MESH_FOREIGN", { found: envelope.mesh, expected: mesh });
};

const wellNumbered = (identity: Identity, channel: NodeChannel, envelope: Envelope, said: "now" | "as will"): Fault | undefined => {
	// A will is written before anyone knows when it is said, so it can carry neither a number nor a date.
	const demanded = identity.kind !== "client" && NODE_CHANNELS[channel].logged === "always" && said === "now";
	const broken = numbering(identity, envelope, demanded);
	if (broken !== undefined || !demanded) return broken;
	const absent = DATED.find((attribute) => envelope[attribute] === undefined);
	return absent === undefined ? undefined : missing(absent, `must have required property '${absent}'`);
};

const idOf = (value: unknown): string | undefined => {
	const id = typeof value === "object" && value !== null && "id" in value ? value.id : undefined;
	return typeof id === "string" && id !== "" ? id.slice(0, MESSAGE_ID_MAX) : undefined;
};

/** Judges one message of an identity; the bytes are parsed here and nowhere else. */
export const judge = (mesh: string, identity: Identity, { topic, qos, retain, bytes }: Publication, said: "now" | "as will" = "now"): Judgement => {
	const place = mayPublish(identity, topic, said === "now" ? "publish" : "will");
	if (isFault(place)) return { kind: "quarantine", fault: place };
	const { channel, node } = place;
	// An order to stop is never turned away for its form; the flag is dropped where it is handed on.
	if (channel === "stop" || channel === "cut") return { kind: "order", verb: channel, node };
	if (retain && !NODE_CHANNELS[channel].retained) return { kind: "quarantine", fault: fault("RETAIN_REFUSED", { topic }) };
	const json = parseJson(bytes);
	if (!json.ok) return { kind: "quarantine", fault: json.fault };
	const id = idOf(json.value);
	const bad = (found: Fault): Judgement => ({ kind: "quarantine", fault: found, ...(id === undefined ? {} : { messageId: id }) });
	const parsed = checkEnvelope(json.value);
	if (!parsed.ok) return bad(parsed.fault);
	const envelope = parsed.value;
	const foreign = belongs(identity, mesh, envelope);
	if (foreign !== undefined) return bad(foreign);
	if (!fits(channel, identity, envelope.type)) return bad(fault("TOPIC_MISMATCH", { type: envelope.type, topic }));
	const broken = wellNumbered(identity, channel, envelope, said);
	if (broken !== undefined) return bad(broken);
	// A measurement sent with QoS 1 asks to be kept, and an answer means that it is.
	const live = channel === "pulse" || (channel === "tlm" && qos === 0);
	return { kind: live ? "live" : "accept", channel, envelope };
};
