// Decides by which code of MQTT a fault is told to whom it concerns.
import { type ErrorCode, type Fault, sayFault } from "../contracts/errors.ts";

/** CONNACK: return code of MQTT 3.1.1, reason code of MQTT 5. */
const CONNACK: Readonly<Partial<Record<ErrorCode, readonly [number, number]>>> = {
	VERSION_UNSUPPORTED: [1, 0x84],
	CLIENT_ID_REFUSED: [2, 0x85],
	BROKER_BUSY: [3, 0x88],
	CONNECTIONS_MAX: [3, 0x97],
	CLIENT_ID_CONTESTED: [3, 0x9f],
	PASSWORDS_WRONG: [3, 0x88],
	NOT_AUTHENTICATED: [4, 0x86],
	WILL_REFUSED: [5, 0x87],
	QOS_REFUSED: [5, 0x9b],
};
/** PUBACK of MQTT 5 for what went into quarantine; everything else broke its contract (0x99, payload format). */
const PUBACK: Readonly<Partial<Record<ErrorCode, number>>> = {
	TOPIC_REFUSED: 0x87,
	SOURCE_FOREIGN: 0x87,
	MESH_FOREIGN: 0x87,
	IDENTITY_FORK: 0x83,
	ID_REUSED: 0x83,
};
const PUBACK_OTHER = 0x99;
const REASON_CHARACTERS_MAX = 512;

/** For who connects and may not. */
export const connackOf = ({ code }: Fault): { readonly returnCode: number; readonly reasonCode: number } => {
	const [returnCode, reasonCode] = CONNACK[code] ?? [5, 0x87];
	return { returnCode, reasonCode };
};

/** For the sender of what went into quarantine; only MQTT 5 has a place for it. */
export const pubackOf = ({ code }: Fault): number => PUBACK[code] ?? PUBACK_OTHER;

/** The reason string of MQTT 5. */
export const reasonOf = (found: Fault): string => sayFault(found).slice(0, REASON_CHARACTERS_MAX);
