// The registry of everything that can go wrong: a code, whose fault it is, whether trying again helps, and what to tell the operator.

export type Culprit = "caller" | "operator" | "peer" | "machine" | "ours";

export interface ErrorKind {
	readonly culprit: Culprit;
	/** True when the same request may succeed later without anybody changing anything. */
	readonly retryable: boolean;
	/** What the operator reads; {names} are filled from the fault's facts. */
	readonly text: string;
	/** Exit code of the command line when this ends a command. */
	readonly exit: number;
}

const kind = (culprit: Culprit, retryable: boolean, exit: number, text: string): ErrorKind => ({ culprit, retryable, exit, text });

export const ERRORS = {
	USAGE: kind("caller", false, 2, "{detail}"),
	CONFIG_INVALID: kind("operator", false, 2, "{file}:{line}:{column}: {detail}. Mend it and check with `orion config check`."),
	POLICY_INVALID: kind("operator", false, 2, "{file}:{line}:{column}: {detail}. Mend it: the mesh starts only with a policy that it understands."),
	PORT_IN_USE: kind("operator", false, 1, "port {port} on {host} is in use. Stop what listens there, or choose another with {flag} (0 = any free port)."),
	PORT_REFUSED: kind("operator", false, 1, "port {port} on {host} cannot be opened ({detail}). Choose another with {flag} (0 = any free port)."),
	FOLDER_NOT_WRITABLE: kind("operator", false, 1, "{folder} cannot be written ({detail}). Choose another with --data, or change its owner."),
	FOLDER_OWNED: kind("operator", false, 1, "{folder} is in use by process {pid}. Stop that one first, or choose another folder with --data."),
	FOLDER_NEWER: kind(
		"operator",
		false,
		1,
		"{folder} was written by a newer version (format {found}; this one reads up to {known}). Install that version, or choose another folder with --data.",
	),
	FOLDER_FOREIGN: kind("operator", false, 1, "{folder} belongs to mesh {found}, not to {expected}. Choose another folder with --data."),
	RECORD_DAMAGED: kind(
		"machine",
		false,
		1,
		"{file} has a damaged record at byte {offset} that is not at the end. Restore the folder from a backup, or start once with --accept-loss to record the loss and go on.",
	),
	AUDIT_DAMAGED: kind(
		"machine",
		false,
		8,
		"the audit is damaged at entry {position} ({file}: {detail}). Nothing is handed over to a node until it is mended: look with `orion audit verify`, keep the folder for whoever asks, move it away, and start again.",
	),
	QUARANTINE_SETTLED: kind("caller", false, 1, "the message in quarantine at {position} was dealt with already: {how} by {by}"),
	QUARANTINE_NOT_KEPT: kind("caller", false, 1, "the message at {position} was too large to be kept ({bytes} bytes): it cannot be judged again, only dropped"),
	DISK_FULL: kind("machine", true, 1, "the disk that holds {folder} is full. Free some space; nothing acknowledged was lost."),
	FSYNC_FAILED: kind(
		"machine",
		false,
		70,
		"writing to {folder} failed ({detail}). The process ends, because what is on disk is no longer known; start it again.",
	),
	LOG_CLOSED: kind("ours", true, 1, "the log is closed"),
	NOT_RUNNING: kind("operator", true, 3, "no mesh answers at {url}. Start one with `orion up`, or name another with --url or --data."),
	NO_CHAT: kind("operator", false, 1, "this mesh has no chat. Give it one: `telegram:` in orion.yaml, as docs/telegram.md says."),
	CHAT_DOWN: kind("peer", true, 3, "the chat's server did not answer ({detail}). Approvals work on the page and with: orion approvals."),
	DEMO_NOT_STARTED: kind("operator", true, 1, "the demo's mesh did not start ({detail}). Try `orion up` in an empty folder; it says more."),
	UNREACHABLE: kind("peer", true, 3, "{url} did not answer ({detail})."),
	TOKEN_MISSING: kind("operator", false, 4, "no token in {file}. It is made at the first `orion up`; name another with --token-file."),
	NOT_AUTHENTICATED: kind("caller", false, 4, "the credential was refused. Check the token file, or the user and password of the node."),
	TOKEN_REFUSED: kind("caller", false, 4, "the token was refused: {detail}. Make a new one on core: `orion node rm NAME`, then `orion node add NAME`."),
	JOIN_BUSY: kind("caller", true, 4, "too many wrong tokens from {address}; wait a little and try again"),
	JOIN_ADDRESS: kind("operator", true, 3, "{address} did not answer ({detail}). Check this: {advice}"),
	AUTHORITY_FOREIGN: kind(
		"peer",
		false,
		4,
		"{address} is not the mesh that made this token: the hash of its authority differs. Nothing was sent to it. Look at the address, and who answers there.",
	),
	CERTIFICATE_MISSING: kind(
		"operator",
		false,
		4,
		"{url} needs a certificate, and there is none in the folder of this node. Ask core for a token with `orion node add NAME`, then `orion join` here.",
	),
	CERTIFICATE_EXPIRED: kind(
		"operator",
		true,
		4,
		"the certificate of {node} is over by core's clock: until it has a new one it only says how it is and can be stopped. Start `orion agent` there, which asks for one by itself, or say `orion renew`.",
	),
	CERTIFICATE_REVOKED: kind(
		"operator",
		false,
		4,
		"the certificate of {node} was taken back. What the node keeps stays as it is. Use `orion node add {node}` on core and `orion join` there to let it in again.",
	),
	CERTIFICATE_REFUSED: kind(
		"caller",
		true,
		4,
		"the broker lets this certificate in no more: it is over, or was taken back. Ask for a new one with `orion renew`; the answer says which it is.",
	),
	REQUEST_UNREADABLE: kind("caller", false, 2, "the request for a certificate cannot be read: {detail}"),
	NOT_FOUND: kind("caller", false, 1, "there is no {what} {id}. {detail}"),
	CONTRACT_VIOLATED: kind("caller", false, 8, "{schema} {pointer}: {detail}"),
	NOT_JSON: kind("caller", false, 8, "not a JSON object: {detail}"),
	TYPE_UNKNOWN: kind("caller", false, 8, "no contract for type {type}. Custom signals travel as dev.orion.alert.firing.v1."),
	TOO_LARGE: kind("caller", false, 8, "{bytes} bytes; at most {bytesMax} are allowed"),
	TOO_DEEP: kind("caller", false, 8, "nested deeper than {depthMax} levels"),
	SOURCE_FOREIGN: kind("caller", false, 8, "source {source} does not belong to {identity}"),
	TOPIC_MISMATCH: kind("caller", false, 8, "type {type} does not belong on topic {topic}"),
	MESH_FOREIGN: kind("caller", false, 8, "mesh {found} is not this mesh {expected}"),
	IDENTITY_FORK: kind("peer", false, 8, "{source} sent two different messages as {key}: a restored or cloned card, or a forger"),
	DUPLICATE: kind("caller", false, 8, "{source} sent {id} before; it was kept then"),
	ID_REUSED: kind("peer", false, 8, "{source} used id {id} for two different messages"),
	TOPIC_REFUSED: kind("caller", false, 5, "{identity} may not {verb} {topic}"),
	RETAIN_REFUSED: kind("caller", false, 8, "messages on {topic} are never retained: publish it again without the retained flag"),
	PACKET_MALFORMED: kind("peer", false, 1, "not a packet as MQTT has it: {detail}. The connection was closed."),
	QOS_REFUSED: kind("peer", false, 1, "QoS 2 is not offered: publish with QoS 1, the mesh recognises what it has by its id. The connection was closed."),
	PEER_STALLED: kind("peer", true, 1, "the connection was closed because its other end takes too little: {detail}"),
	CONNECTIONS_MAX: kind(
		"peer",
		true,
		1,
		"{what} has {connections} connections; at most {connectionsMax} are allowed. Look who does not close his own, or raise mqtt.limits.{limit} in orion.yaml.",
	),
	CLIENT_ID_CONTESTED: kind(
		"operator",
		true,
		1,
		"two devices take the client id {clientId} from each other; the one that is here stays for now. Give one of them another id, or another name with `orion node add`.",
	),
	THROTTLED: kind(
		"peer",
		true,
		1,
		"{node} sends more than {perSecond} ({limit}); it is read more slowly, and nothing of it is lost. Look what it sends, or raise mqtt.limits.{limit} in orion.yaml.",
	),
	PASSWORDS_WRONG: kind(
		"peer",
		true,
		4,
		"too many wrong passwords for {node} from {address}; the next are not looked at for a while. Look who tries, or take the node away with `orion node rm {node}`.",
	),
	CLIENT_ID_REFUSED: kind("caller", false, 4, "{clientId} is no client id: use the name of the node, or NAME.something with 1 to 32 of A-Z a-z 0-9 _ -"),
	WILL_REFUSED: kind("caller", false, 5, "the will on {topic} is refused: {detail}"),
	BROKER_BUSY: kind("machine", true, 1, "the broker cannot check who is connecting now ({detail}); try again"),
	REQUEST_FOREIGN: kind("caller", false, 4, "requests with {header} {found} are refused: the API is asked on loopback and by no foreign page"),
	LINK_SPENT: kind("caller", false, 4, "this link was used before, or is older than {validS} s. Print a new one with `orion open`."),
	PAGE_MAY_NOT: kind("caller", false, 5, "a page may not ask for {asked}: use the command line"),
	AMBIGUOUS: kind("caller", false, 2, "{id} may be any of {candidates}. Give more of it."),
	RECORDS_ARCHIVED: kind("operator", false, 1, "the record at position {position} is archived; ask from {first} on, the oldest one that is still here"),
	INSTALL_REFUSED: kind("operator", false, 1, "nothing was installed: {detail}. Mend that, and install again."),
	APPROVAL_OVER: kind("caller", false, 6, "{approval} cannot be answered any more ({reason}): {detail}. See: orion approvals show {approval}"),
	APPROVAL_REFUSED: kind("caller", false, 5, "the answer to {approval} counts for nothing ({reason}): {detail}. See: orion approvals show {approval}"),
	TOO_MANY_READERS: kind("machine", true, 1, "{readersMax} readers follow the log already; close one first"),
	INTERNAL: kind("ours", false, 1, "this is a bug of orion, not of yours: {detail}"),
	FRAME_INVALID: kind("peer", true, 8, "not a frame of the line to what moves: {detail}"),
	ROBOT_NOT_REHEARSED: kind(
		"operator",
		false,
		5,
		"{driver} would move real legs, and these were never rehearsed with this configuration. Begin with `orion robot calibrate`, or use `--robot twin`, the simulated one.",
	),
	NO_ROBOT_HERE: kind("operator", true, 3, "no robot answers at {path} ({detail}). Start one with `orion up --robot twin`, or name its folder with --data."),
	ROBOT_REFUSED: kind("caller", false, 5, "the robot refuses ({why}) {detail}. Ask `orion robot status` what it is doing."),
	PORT_CLOSED: kind(
		"operator",
		true,
		3,
		"{path} cannot be opened ({detail}). Check the cable, who may open it (group dialout), and that nothing else has it open.",
	),
	PACKAGES_MISSING: kind(
		"operator",
		false,
		1,
		"{packages} cannot be loaded ({detail}). Install them where orion-mesh is installed: npm install --omit=optional --ignore-scripts {packages}",
	),
	IMAGE_INVALID: kind("operator", false, 1, "not a firmware image: {detail}. Restore the committed one, or build it with `node build/avr.mjs`."),
	FLASH_REFUSED: kind("operator", true, 5, "nothing was written to {port} ({why}): {detail}. Mend that, and try again."),
	FLASH_FAILED: kind("machine", true, 8, "{port}: {detail}. Outputs stay off while the pull-up is in place; leave the servo battery out, and run it again."),
	ROBOT_INVALID: kind("operator", false, 2, "{model}: {detail}. Mend the robot's policy file; nothing moves before."),
	POINTS_INVALID: kind("operator", false, 2, "line {line} of the calibration points: {detail}. Give six lines of three whole numbers, in millimetres."),
	OUT_OF_REACH: kind("caller", false, 5, "leg {leg} cannot reach there: {detail}"),
	JOINT_LIMIT: kind("caller", false, 5, "{joint} of leg {leg} would stand at {degrees} degrees; {minDegrees} to {maxDegrees} are allowed"),
	LEGS_COLLIDE: kind("caller", false, 5, "legs {leg} and {other} would stand {degrees} degrees apart; at least {minDegrees} are needed"),
	BODY_LIMIT: kind("caller", false, 5, "{axis} of {found} is outside {min} to {max}"),
	UNSTABLE: kind("caller", false, 5, "the centre of mass would stand {marginMm} mm inside its feet; at least {minMm} mm are needed"),
	MOVER_NOT_HEARD: kind(
		"peer",
		true,
		3,
		"{node} was not heard as a node that moves within the last second. Check it with `orion node ls`; nothing moves meanwhile.",
	),
	STOP_NOT_HELD: kind("caller", false, 1, "{node} is not stopped: there is nothing to release."),
	CUT_NEEDS_PRESENCE: kind("caller", false, 5, "{node} was cut by {by}, and a cut is released only at the node itself: `orion release {node} --local` there."),
	NO_NODE_HERE: kind(
		"operator",
		false,
		3,
		"no node answers at {path} ({detail}). Start it, or name its folder with --data; the switch at the machine works always.",
	),
	REDIS_URL: kind("operator", false, 2, "{url} is no address of a Redis. Give redis://[user:password@]host[:port][/number], or rediss:// for TLS."),
	REDIS_AWAY: kind("peer", true, 3, "Redis at {url} cannot be reached ({detail}). Nothing is lost: what it misses is written when it is back."),
	REDIS_AUTH: kind(
		"operator",
		false,
		4,
		"Redis at {url} refused the credential ({detail}). Mend user and password in the address, or the rights of that user.",
	),
	REDIS_SETTING: kind(
		"operator",
		false,
		1,
		"Redis at {url} has {setting} {found}, with which it may lose records; it must be {needed}. Mend it: redis-cli CONFIG SET {setting} {needed}",
	),
	REDIS_FOREIGN: kind(
		"operator",
		false,
		1,
		"{key} in Redis at {url} was not written by this mesh: {detail}. Nothing is written over it. Name another Redis or database, or, if nobody needs it, run: redis-cli DEL {key} orion:mirror",
	),
	REDIS_REFUSED: kind("peer", true, 1, "Redis at {url} does not take records ({detail}). Give it memory and disk; what it misses is written afterwards."),
	TOOL_MISSING: kind("machine", false, 1, "{tool} is not on this machine ({detail})"),
	VERSION_UNSUPPORTED: kind("machine", false, 1, "{what} {found} is too old; at least {needed} is needed"),
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;
export type Facts = Readonly<Record<string, string | number | boolean>>;

/** A registered fault with the facts of this occurrence. */
export interface Fault {
	readonly code: ErrorCode;
	readonly facts: Facts;
}

export const fault = (code: ErrorCode, facts: Facts = {}): Fault => ({ code, facts });

/** A failed Result; beside `fault` so that result.ts stays a type. */
export const fail = (code: ErrorCode, facts: Facts = {}): { readonly ok: false; readonly fault: Fault } => ({ ok: false, fault: fault(code, facts) });

/** The sentence the operator reads. A fact that is missing stays visible as {name}. */
export const sayFault = (found: Fault): string =>
	ERRORS[found.code].text.replace(/\{(\w+)\}/g, (whole, name: string) => (found.facts[name] === undefined ? whole : String(found.facts[name])));

/** A fault on its way up through code that cannot return a Result (constructors, callbacks of libraries, the command line). */
export class OrionError extends Error {
	readonly fault: Fault;
	constructor(code: ErrorCode, facts: Facts = {}, options?: ErrorOptions) {
		super(sayFault(fault(code, facts)), options);
		this.name = `OrionError(${code})`;
		this.fault = fault(code, facts);
	}
}
