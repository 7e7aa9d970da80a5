// Decides whether one whole MQTT packet from a client is as the standard has it and of a kind that this broker takes.
import { type Fault, fault } from "../contracts/errors.ts";
import { Fields, Malformed } from "./mqtt-fields.ts";

/** MQTT 5 reason codes of a DISCONNECT. */
export const REASONS = { malformed: 0x81, protocol: 0x82, tooLarge: 0x95, qos: 0x9b } as const;

export interface PacketRefusal {
	readonly fault: Fault;
	readonly reasonCode: number;
}

export type CheckedPacket =
	| { readonly kind: "connect"; readonly version: number }
	| { readonly kind: "publish"; readonly topic: string; readonly payload: Uint8Array }
	| { readonly kind: "disconnect" }
	| { readonly kind: "other" }
	| { readonly kind: "refused"; readonly refusal: PacketRefusal };

export const TYPE = {
	connect: 1,
	publish: 3,
	puback: 4,
	pubrec: 5,
	pubrel: 6,
	pubcomp: 7,
	subscribe: 8,
	unsubscribe: 10,
	pingreq: 12,
	disconnect: 14,
} as const;
/** The only flags that a type may have; PUBLISH has its own. */
const FLAGS: Readonly<Record<number, number>> = {
	[TYPE.connect]: 0,
	[TYPE.puback]: 0,
	[TYPE.pubrec]: 0,
	[TYPE.pubrel]: 2,
	[TYPE.pubcomp]: 0,
	[TYPE.subscribe]: 2,
	[TYPE.unsubscribe]: 2,
	[TYPE.pingreq]: 0,
	[TYPE.disconnect]: 0,
};

/** The rest of a QoS 2 exchange. */
const OF_QOS_2: readonly number[] = [TYPE.pubrec, TYPE.pubrel, TYPE.pubcomp];
export type QosMax = 1 | 2;

const V5 = 5;
/** No connection of the mesh needs more, and each costs memory for as long as it lasts. */
const FILTERS_MAX = 64;
/** The library's matcher throws above this; no topic of the mesh has more than five. */
const LEVELS_MAX = 100;
/** A plain object is keyed by filter in the library, and this key replaces its prototype. */
const PROTOTYPE_KEY = "__proto__";

class QosRefused extends Error {}

const readWill = (fields: Fields, version: number): void => {
	if (version === V5) fields.properties();
	if (fields.text("the will topic") === "") throw new Malformed("the will topic is empty");
	fields.take(fields.two("the will"), "the will");
};

const checkConnect = (fields: Fields): CheckedPacket => {
	const protocol = fields.text("the protocol name");
	const version = fields.byte("the protocol version");
	if (!(protocol === "MQTT" && (version === 4 || version === V5)) && !(protocol === "MQIsdp" && version === 3))
		throw new Malformed(`protocol ${JSON.stringify(protocol.slice(0, 8))} ${version} is unknown`);
	const flags = fields.byte("the connect flags");
	const [user, password, retain, qos, will] = [flags & 0x80, flags & 0x40, flags & 0x20, (flags >> 3) & 3, flags & 0x04];
	if ((flags & 1) !== 0) throw new Malformed("a reserved connect flag is set");
	if (qos === 3 || (will === 0 && (qos !== 0 || retain !== 0))) throw new Malformed("the will flags contradict each other");
	if (version !== V5 && user === 0 && password !== 0) throw new Malformed("a password without a user name");
	fields.two("the keep alive");
	if (version === V5) fields.properties();
	fields.text("the client id");
	if (will !== 0) readWill(fields, version);
	if (user !== 0) fields.text("the user name");
	if (password !== 0) fields.take(fields.two("the password"), "the password");
	fields.end();
	return { kind: "connect", version };
};

const checkPublish = (flags: number, fields: Fields, version: number, qosMax: QosMax): CheckedPacket => {
	const qos = (flags >> 1) & 3;
	if (qos === 3) throw new Malformed("QoS 3");
	if (qos === 0 && (flags & 8) !== 0) throw new Malformed("a repeat with QoS 0");
	if (qos > qosMax) throw new QosRefused();
	const topic = fields.text("the topic");
	if (topic === "") throw new Malformed("the topic is empty");
	if (topic.includes("#") || topic.includes("+")) throw new Malformed("a wildcard in the topic of a message");
	// Shorter than that it cannot have as many, and hardly any is longer.
	if (topic.length >= LEVELS_MAX && topic.split("/", LEVELS_MAX + 1).length > LEVELS_MAX) throw new Malformed(`a topic of more than ${LEVELS_MAX} levels`);
	if (qos > 0) fields.packetId();
	if (version === V5) fields.properties();
	return { kind: "publish", topic, payload: fields.rest() };
};

const checkFilter = (filter: string): void => {
	if (filter === "" || filter === PROTOTYPE_KEY) throw new Malformed(`the filter is ${JSON.stringify(filter)}`);
	const levels = filter.split("/", LEVELS_MAX + 1);
	if (levels.length > LEVELS_MAX) throw new Malformed(`a filter of more than ${LEVELS_MAX} levels`);
	for (const [index, level] of levels.entries()) {
		if (level.includes("+") && level !== "+") throw new Malformed("+ beside other characters");
		if (level.includes("#") && (level !== "#" || index < levels.length - 1)) throw new Malformed("# that is not the last level");
	}
};

const checkFilters = (fields: Fields, version: number, options: "with options" | "without"): CheckedPacket => {
	fields.packetId();
	if (version === V5) fields.properties();
	let count = 0;
	do {
		count += 1;
		if (count > FILTERS_MAX) throw new Malformed(`more than ${FILTERS_MAX} filters in one packet`);
		checkFilter(fields.text("a filter"));
		if (options === "without") continue;
		const bits = fields.byte("the options of a filter");
		const reserved = version === V5 ? 0xc0 : 0xfc;
		if ((bits & 3) === 3 || (bits & reserved) !== 0 || (bits & 0x30) === 0x30) throw new Malformed("the options of a filter are not allowed");
	} while (fields.left > 0);
	return { kind: "other" };
};

const checkPuback = (fields: Fields, version: number): CheckedPacket => {
	fields.packetId();
	if (version === V5 && fields.left > 0) fields.byte("the reason code");
	if (version === V5 && fields.left > 0) fields.properties();
	fields.end();
	return { kind: "other" };
};

const checkDisconnect = (fields: Fields, version: number): CheckedPacket => {
	if (version === V5 && fields.left > 0) fields.byte("the reason code");
	if (version === V5 && fields.left > 0) fields.properties();
	fields.end();
	return { kind: "disconnect" };
};

const checkByType = (type: number, flags: number, fields: Fields, version: number, qosMax: QosMax): CheckedPacket => {
	if (type === TYPE.publish) return checkPublish(flags, fields, version, qosMax);
	if (FLAGS[type] === undefined || (qosMax < 2 && OF_QOS_2.includes(type))) throw new Malformed(`a packet of type ${type} from a client`);
	if (FLAGS[type] !== flags) throw new Malformed("reserved flags are set");
	switch (type) {
		case TYPE.connect:
			return checkConnect(fields);
		case TYPE.puback:
		case TYPE.pubrec:
		case TYPE.pubrel:
		case TYPE.pubcomp:
			return checkPuback(fields, version);
		case TYPE.subscribe:
			return checkFilters(fields, version, "with options");
		case TYPE.unsubscribe:
			return checkFilters(fields, version, "without");
		case TYPE.disconnect:
			return checkDisconnect(fields, version);
		default:
			fields.end();
			return { kind: "other" };
	}
};

export const malformed = (detail: string, reasonCode: number = REASONS.malformed): CheckedPacket => ({
	kind: "refused",
	refusal: { fault: fault("PACKET_MALFORMED", { detail }), reasonCode },
});

/** `version` is that of the CONNECT before it; 0 as long as there was none. */
export const checkPacket = (header: number, body: Uint8Array, version: number, qosMax: QosMax = 1): CheckedPacket => {
	const type = header >> 4;
	if (version === 0 && type !== TYPE.connect) return malformed("the first packet is no CONNECT", REASONS.protocol);
	if (version !== 0 && type === TYPE.connect) return malformed("a second CONNECT", REASONS.protocol);
	try {
		return checkByType(type, header & 15, new Fields(body), version, qosMax);
	} catch (error) {
		if (error instanceof Malformed) return malformed(error.message);
		if (error instanceof QosRefused) return { kind: "refused", refusal: { fault: fault("QOS_REFUSED"), reasonCode: REASONS.qos } };
		throw error;
	}
};
