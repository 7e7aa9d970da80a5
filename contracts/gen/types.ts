// Generated from contracts/schemas by `npm run generate`. Do not edit.
/**
 * The node was asked what became of a command.
 */
export interface ActionAsked {
/**
 * action id
 */
action: string
/**
 * node id
 */
node: string
/**
 * how often
 */
times: number
}

/**
 * How an action ended.
 */
export interface ActionClosed {
/**
 * action id
 */
action: string
/**
 * incident
 */
incident: string
/**
 * end
 */
end: ("verified" | "not-verified" | "refused" | "failed" | "undelivered" | "unknown")
/**
 * for a person
 */
detail: string
/**
 * from request to end, engine milliseconds
 */
tookMs: number
}

/**
 * The signed part of a command; travels as the payload of a compact JWS.
 */
export interface ActionCommand {
/**
 * format
 */
v: 1
/**
 * mesh id
 */
mesh: string
/**
 * the only node that may carry it out
 */
node: string
/**
 * command id = action id
 */
command: string
/**
 * action
 */
action: string
/**
 * arguments of the action
 */
args: {
/**
 * value
 */
[k: string]: string | number | boolean
}
/**
 * incident
 */
incident: string
/**
 * decision
 */
decision: string
/**
 * approval
 */
approval?: string
/**
 * policy it was decided under
 */
policyHash: string
/**
 * which core, and which of its starts: fences off a deposed one
 */
coreTerm: {
/**
 * raised at each start of core
 */
counter: number
/**
 * key id of core
 */
keyId: string
}
/**
 * log position of the action
 */
seq: number
/**
 * how old it may be when it is carried out, milliseconds
 */
notAfterMs: number
/**
 * the node's session
 */
session: string
/**
 * newest tick of that session that core had heard
 */
tick: number
}

/**
 * The command as it was signed and handed over.
 */
export interface ActionDispatched {
/**
 * action id
 */
action: string
/**
 * node id
 */
node: string
/**
 * log position of the action
 */
position: number
/**
 * the command as a compact JWS
 */
jws: string
/**
 * newest tick of the node
 */
tick: number
/**
 * node session
 */
session: string
}

/**
 * What a node says of a command that it got.
 */
export interface ActionReceipt {
/**
 * command id = action id
 */
command: string
/**
 * action
 */
action: string
/**
 * how far it is
 */
phase: ("received" | "accepted" | "refused" | "started" | "done" | "failed" | "unknown")
/**
 * code of a refusal or failure
 */
reason?: string
/**
 * for a person
 */
detail?: string
/**
 * the last receipt once more
 */
repeat?: boolean
/**
 * the node's own marks, so that core can see what it is behind of
 */
marks?: {
/**
 * mark
 */
[k: string]: string | number
}
/**
 * what the action reports
 */
result?: {
/**
 * value
 */
[k: string]: string | number | boolean
}
}

/**
 * An action is to be carried out; the dispatcher sends it.
 */
export interface ActionRequested {
/**
 * action id
 */
action: string
/**
 * decision
 */
decision: string
/**
 * incident
 */
incident: string
/**
 * node id
 */
node: string
/**
 * action
 */
name: string
/**
 * arguments of the action
 */
args: {
/**
 * value
 */
[k: string]: string | number | boolean
}
/**
 * class of the action
 */
risk: ("SAFE" | "RISKY")
/**
 * how old the command may be, milliseconds
 */
notAfterMs: number
/**
 * policy
 */
policyHash: string
/**
 * attempt at this incident
 */
attempt: number
/**
 * node session it was decided for
 */
session: string
/**
 * the approval that allows it, if one was needed
 */
approval?: string
/**
 * the approval whose action a person takes back with it
 */
undoes?: string
}

/**
 * Nobody received the command, so it did not happen.
 */
export interface ActionUndelivered {
/**
 * action id
 */
action: string
/**
 * node id
 */
node: string
/**
 * reason
 */
why: string
}

/**
 * A script or program raises an alert; it stays until the same name is resolved.
 */
export interface AlertFiring {
/**
 * name of the alert, unique per node
 */
name: string
/**
 * how bad
 */
severity: ("info" | "warning" | "error" | "critical")
/**
 * one sentence for a person
 */
summary: string
/**
 * labels
 */
labels?: {
/**
 * label value
 */
[k: string]: string
}
/**
 * measured value
 */
value?: number
/**
 * the value's bound
 */
threshold?: number
}

/**
 * The alert of this name is over.
 */
export interface AlertResolved {
/**
 * name of the alert, unique per node
 */
name: string
/**
 * how bad
 */
severity?: ("info" | "warning" | "error" | "critical")
/**
 * one sentence for a person
 */
summary?: string
/**
 * labels
 */
labels?: {
/**
 * label value
 */
[k: string]: string
}
/**
 * measured value
 */
value?: number
/**
 * the value's bound
 */
threshold?: number
}

/**
 * What a node may do by itself while it hears no core.
 */
export interface AllowanceGranted {
/**
 * node
 */
node: string
/**
 * rises with each grant to this node
 */
number: number
/**
 * session of the node that it is for, or a later one
 */
counter: number
/**
 * newest grant of which everything that was done under it is counted in this one
 */
reconciled: number
/**
 * time alone for which it can be used, milliseconds
 */
validMs: number
/**
 * uses that are left, by row
 */
left: {
/**
 * uses
 */
[k: string]: number
}
/**
 * how often the node had used each row, ever, as far as core knew when it granted this; absent: none of them is counted
 */
counted?: {
/**
 * uses
 */
[k: string]: number
}
/**
 * why it is granted anew
 */
why: ("first" | "reconciled" | "time" | "policy")
}

/**
 * A node did something by itself while it heard no core.
 */
export interface AloneActed {
/**
 * number of the allowance
 */
grant: number
/**
 * row of autonomy.yaml, alone
 */
row: string
/**
 * action
 */
action: string
/**
 * arguments
 */
args: {
/**
 * value
 */
[k: string]: string
}
/**
 * what came of it
 */
outcome: ("done" | "failed" | "unknown")
/**
 * for a person
 */
detail?: string
/**
 * uses that are left of this row
 */
left: number
/**
 * how often this node used this row, ever, this time included; absent: once more than was known
 */
uses?: number
}

/**
 * A node hears its core again after it was alone.
 */
export interface AloneEnded {
/**
 * number of the allowance that it had, 0: none
 */
grant: number
/**
 * how long it was alone this time, milliseconds
 */
aloneMs: number
/**
 * what it did by itself, count
 */
acted: number
/**
 * what it did not do, count
 */
refused: number
}

/**
 * A node did not do by itself what a row speaks of.
 */
export interface AloneRefused {
/**
 * number of the allowance
 */
grant?: number
/**
 * row of autonomy.yaml, alone
 */
row: string
/**
 * action
 */
action: string
/**
 * arguments
 */
args: {
/**
 * value
 */
[k: string]: string
}
/**
 * why not
 */
reason: ("no-grant" | "other-lineage" | "level" | "spent" | "over" | "busy" | "stopped" | "booting" | "disk-full")
}

/**
 * How a question ended; each ends once.
 */
export interface ApprovalClosed {
/**
 * approval
 */
approval: string
/**
 * incident
 */
incident: string
/**
 * end
 */
end: ("approved" | "denied" | "expired" | "superseded" | "revoked" | "void")
/**
 * who
 */
by?: string
/**
 * the way it came
 */
via?: ("cli" | "page" | "telegram")
/**
 * why it ended so
 */
why?: string
/**
 * from the question to its end, engine milliseconds
 */
tookMs: number
}

/**
 * A person answered what was asked.
 */
export interface ApprovalDecided {
/**
 * approval
 */
approval: string
/**
 * answer
 */
verdict: ("approve" | "deny" | "revoke")
/**
 * of what was shown; an approve without it counts for nothing
 */
boundHash?: string
/**
 * who
 */
by: string
/**
 * the way it came
 */
via: ("cli" | "page" | "telegram")
/**
 * why
 */
why?: string
}

/**
 * An answer counted for nothing, and why.
 */
export interface ApprovalRefused {
/**
 * approval
 */
approval: string
/**
 * answer
 */
verdict: ("approve" | "deny" | "revoke" | "undo")
/**
 * who
 */
by: string
/**
 * the way it came
 */
via: ("cli" | "page" | "telegram")
/**
 * why the answer counts for nothing
 */
reason: ("late" | "used" | "denied" | "expired" | "superseded" | "revoked" | "void" | "drift" | "unknown" | "foreign-hash")
/**
 * that, for a person
 */
detail: string
/**
 * log position of the answer
 */
position: number
}

/**
 * A person is asked before an action runs; silence means that it does not.
 */
export interface ApprovalRequested {
/**
 * approval
 */
approval: string
/**
 * incident
 */
incident: string
/**
 * decision that asks
 */
decision: string
/**
 * node id
 */
node: string
/**
 * action
 */
name: string
/**
 * arguments of the action
 */
args: {
/**
 * value
 */
[k: string]: string | number | boolean
}
/**
 * class of the action
 */
risk: ("SAFE" | "RISKY")
/**
 * targets
 * 
 * Items: what it is done to
 */
targets: string[]
/**
 * one sentence: what runs
 */
plan: string
/**
 * one sentence: why it is asked
 */
why: string
/**
 * what it touches
 */
blast: string
/**
 * what taking it back means
 */
undo: ("left-as-found" | "impossible")
/**
 * that, for a person
 */
undoSays: string
/**
 * records that show the incident
 * 
 * Items: log position
 */
evidence: number[]
/**
 * policy that it is asked under
 */
policyHash: string
/**
 * digest of plan, arguments, targets, policy hash and both deadlines: what an answer is bound to
 */
boundHash: string
/**
 * the node's session that it is asked for
 */
session: string
/**
 * how often this was asked about the incident
 */
times: number
/**
 * an answer must come before this, engine time
 */
decideByEngineMs: number
/**
 * it must be handed over before this, engine time
 */
executeByEngineMs: number
/**
 * how long a person has to decide, milliseconds
 */
decideWithinMs: number
/**
 * how old an answer may be when it is carried out, milliseconds
 */
executeWithinMs: number
/**
 * decide-by on the wall clock, only for people
 */
decideBy: string
}

/**
 * A person who could decide looked at what was asked.
 */
export interface ApprovalSeen {
/**
 * approval
 */
approval: string
/**
 * who
 */
by: string
/**
 * the way it came
 */
via: ("cli" | "page" | "telegram")
}

/**
 * A person takes back what was approved and done.
 */
export interface ApprovalUndone {
/**
 * approval
 */
approval: string
/**
 * who
 */
by: string
/**
 * the way it came
 */
via: ("cli" | "page" | "telegram")
/**
 * why
 */
why?: string
}

/**
 * A person had the audit verified against the log; what came of it.
 */
export interface AuditVerified {
/**
 * who
 */
by: string
/**
 * nothing was found that differs from what was signed
 */
good: boolean
/**
 * entries that were looked at
 */
entryCount: number
/**
 * newest entry that a checkpoint vouches for
 */
signedUpToPosition: number
/**
 * first entry that cannot be relied on
 */
badPosition?: number
}

/**
 * Attempts are allowed again.
 */
export interface BreakerClosed {
/**
 * action and target
 */
key: string
/**
 * why
 */
why: ("verified" | "waited" | "person")
/**
 * who closed it, if a person did
 */
by?: string
}

/**
 * No more attempts of this action on this target until a person or time closes it.
 */
export interface BreakerOpened {
/**
 * action and target
 */
key: string
/**
 * failed verifications in a row
 */
failures: number
/**
 * when one more attempt is allowed, engine time
 */
untilEngineMs: number
}

/**
 * A person may answer asks in a chat from now on.
 */
export interface ChatBound {
/**
 * where
 */
channel: "telegram"
/**
 * number of the person at that channel; names change hands
 */
user: string
/**
 * as the person calls himself
 */
name: string
/**
 * first half of the invitation's hash
 */
invite: string
/**
 * who invited
 */
by: string
}

/**
 * Somebody was invited to answer asks in a chat; the invitation itself is not recorded.
 */
export interface ChatInvited {
/**
 * where
 */
channel: "telegram"
/**
 * first half of the invitation's hash
 */
invite: string
/**
 * who invited
 */
by: string
/**
 * how long it can be used, milliseconds
 */
forMs: number
}

/**
 * Something that came by a chat did not count.
 */
export interface ChatRefused {
/**
 * where
 */
channel: "telegram"
/**
 * why it did not count
 */
reason: ("no-sender" | "bot" | "not-private" | "anonymous" | "forwarded" | "edited" | "through-a-bot" | "inline-mode" | "not-text" | "another-kind" | "malformed" | "stranger" | "invite-unknown" | "forged" | "another-message" | "over" | "used" | "unknown-ask")
/**
 * number of the person at that channel; names change hands
 */
user?: string
/**
 * as the person calls himself
 */
name?: string
/**
 * approval
 */
approval?: string
/**
 * refusals of the same source before it that were only counted
 */
count?: number
}

/**
 * Time as a record: engine time never goes backwards.
 */
export interface ClockTick {
/**
 * engine time, milliseconds since the mesh began to run
 */
engineMs: number
/**
 * wall time, milliseconds since 1970 UTC, up to the end of the year 9999
 */
wallMs: number
/**
 * how far wall time can be trusted
 */
quality: ("synced" | "holdover" | "unsynced")
/**
 * UTC offset of the host, minutes
 */
offsetMinutes: number
/**
 * boot of the host that monoMs counts from
 */
bootId?: string
/**
 * the host's monotonic clock, milliseconds: tells a downtime exactly within one boot
 */
monoMs?: number
}

/**
 * The file of a plain MQTT broker: no mesh, no contracts, no log; open to everybody on loopback.
 */
export interface ConfigBroker {
/**
 * where it listens
 */
listen?: {
/**
 * loopback address to listen on (default 127.0.0.1)
 */
host?: string
/**
 * port, 0 = any free one (default 1883)
 */
port?: number
}
/**
 * nobody is asked who he is; said in the file so that nobody gets it by accident
 */
anonymous: true
/**
 * take QoS 2 (default false)
 */
qos2?: boolean
/**
 * filters that nobody may subscribe to
 * 
 * Items: filter
 */
refuseSubscribe?: string[]
/**
 * connections at a time (default 1024)
 */
connectionsMax?: number
}

/**
 * node.json: how one node reaches its mesh, whom it obeys, and what it looks after. Written by whoever made the node.
 */
export interface ConfigNode {
/**
 * format
 */
schema: "orion.node-config/1"
/**
 * mesh id
 */
mesh: string
/**
 * name of this node; `all` and `core` are taken
 */
node: string
/**
 * address of the broker; mqtts with the key and certificate beside this file, as `orion join` makes them
 */
url: string
/**
 * user at the broker
 */
username: string
/**
 * password at the broker
 */
password: string
/**
 * keys whose commands and beacons are obeyed
 */
coreKeys: {
/**
 * first 16 hex characters of the SHA-256 of the public key
 */
keyId: string
/**
 * raw Ed25519 public key, base64url
 */
publicKey: string
}[]
/**
 * HOST:PORT of core's join listener, where the certificate is renewed; `orion join` writes it
 */
join?: string
/**
 * supervised commands by service name
 */
processes?: {
[k: string]: {
/**
 * program and arguments, no shell
 * 
 * Items: argument
 */
command: string[]
/**
 * working folder
 */
cwd?: string
/**
 * environment added to the agent's
 */
env?: {
/**
 * value
 */
[k: string]: string
}
/**
 * how long it may take to end before it is killed
 */
stopWithin?: string
}
}
/**
 * what this host measures of itself
 */
host?: {
/**
 * how often the host is measured
 */
every?: string
}
/**
 * systemd units that this node looks after
 */
systemd?: {
/**
 * units of systemd that may be watched, restarted and stopped; no others are touched
 * 
 * Items: unit
 */
units: string[]
/**
 * units of the user's own manager instead of the system's
 */
user?: boolean
}
/**
 * containers that this node looks after
 */
docker?: {
/**
 * containers that may be watched, restarted and stopped; no others are touched
 * 
 * Items: name
 */
containers: string[]
/**
 * socket of the Engine (default /var/run/docker.sock)
 */
socket?: string
}
/**
 * buttons, lamps and range finders on an Arduino with StandardFirmata; nothing that moves
 */
gadgets?: {
/**
 * serial port of the Arduino, /dev/serial/by-id/... for one that keeps its name
 */
port: string
/**
 * buttons by name
 */
buttons?: {
[k: string]: {
/**
 * digital pin, D2 to D13; pressed connects it to ground
 */
pin: string
}
}
/**
 * lamps by name, that blink as this node is: slowly working, fast alone, in flashes stopped
 */
lamps?: {
[k: string]: {
/**
 * digital pin, D2 to D13
 */
pin: string
}
}
/**
 * range finders by name
 */
ranges?: {
[k: string]: {
/**
 * analogue input, A0 to A5
 */
input: string
/**
 * which sensor it is, on 5 V
 */
sensor: ("GP2Y0A21YK" | "MB1000")
/**
 * what is this far away or nearer is near
 */
nearMm: number
}
}
}
}

/**
 * orion.yaml: what this host is and watches.
 */
export interface ConfigOrion {
/**
 * name of this node (default: the host name); `all` and `core` are taken
 */
node?: string
/**
 * a Redis beside the log: a copy of every record for other programs
 */
redis?: {
/**
 * redis://[user:password@]host[:port][/number], rediss:// for TLS: gets a copy of every record, and brokers elsewhere speak through it
 */
url: string
/**
 * file with the certificate authority of a rediss:// (default: those of the system)
 */
ca?: string
/**
 * names of the brokers elsewhere that speak through it; see `orion broker add NAME`
 * 
 * Items: 1 to 32 of a-z, 0-9 and -
 */
brokers?: string[]
/**
 * newest records that stay in each family stream, about (default 10000, 0 = no family streams)
 */
familyRecordsMax?: number
}
/**
 * where the broker listens
 */
mqtt?: {
/**
 * address to listen on
 */
host?: string
/**
 * port, 0 = any free one
 */
port?: number
/**
 * how much one client may take of the broker
 */
limits?: {
/**
 * connections in all (default 1024)
 */
connectionsMax?: number
/**
 * connections from one address (default 768)
 */
connectionsPerAddressMax?: number
/**
 * connections of one node and its NAME.something (default 32)
 */
connectionsPerNodeMax?: number
/**
 * connections that have not said who they are (default 128); beyond it the oldest makes room
 */
halfOpenMax?: number
/**
 * packets of one node (default 20000); what comes faster is read more slowly
 */
packetsPerSecondMax?: number
/**
 * bytes of one node (default 16777216); what comes faster is read more slowly
 */
bytesPerSecondMax?: number
}
}
/**
 * where the API listens, on loopback
 */
http?: {
/**
 * port on loopback, 0 = any free one
 */
port?: number
}
/**
 * supervised commands by service name
 */
processes?: {
[k: string]: {
/**
 * program and arguments, no shell
 * 
 * Items: argument
 */
command: string[]
/**
 * working folder
 */
cwd?: string
/**
 * environment added to the agent's
 */
env?: {
/**
 * value
 */
[k: string]: string
}
/**
 * how long it may take to end before it is killed
 */
stopWithin?: string
}
}
/**
 * what this host measures of itself
 */
host?: {
/**
 * how often the host is measured
 */
every?: string
}
/**
 * folder with policy files that replace the built-in ones of the same name
 */
policies?: string
/**
 * approvals in a Telegram chat
 */
telegram?: {
/**
 * file with the bot's token, readable by its owner only
 */
tokenFile: string
/**
 * who may answer asks, beside those who were invited
 * 
 * Items: number of a Telegram user who may answer asks
 */
admins?: number[]
/**
 * asks sent to a chat in an hour (default 20); the rest wait in one digest
 */
asksPerHour?: number
/**
 * server of the Bot API (default https://api.telegram.org)
 */
api?: string
}
/**
 * systemd units that this node looks after
 */
systemd?: {
/**
 * units of systemd that may be watched, restarted and stopped; no others are touched
 * 
 * Items: unit
 */
units: string[]
/**
 * units of the user's own manager instead of the system's
 */
user?: boolean
}
/**
 * containers that this node looks after
 */
docker?: {
/**
 * containers that may be watched, restarted and stopped; no others are touched
 * 
 * Items: name
 */
containers: string[]
/**
 * socket of the Engine (default /var/run/docker.sock)
 */
socket?: string
}
/**
 * buttons, lamps and range finders on an Arduino with StandardFirmata; nothing that moves
 */
gadgets?: {
/**
 * serial port of the Arduino, /dev/serial/by-id/... for one that keeps its name
 */
port: string
/**
 * buttons by name
 */
buttons?: {
[k: string]: {
/**
 * digital pin, D2 to D13; pressed connects it to ground
 */
pin: string
}
}
/**
 * lamps by name, that blink as this node is: slowly working, fast alone, in flashes stopped
 */
lamps?: {
[k: string]: {
/**
 * digital pin, D2 to D13
 */
pin: string
}
}
/**
 * range finders by name
 */
ranges?: {
[k: string]: {
/**
 * analogue input, A0 to A5
 */
input: string
/**
 * which sensor it is, on 5 V
 */
sensor: ("GP2Y0A21YK" | "MB1000")
/**
 * what is this far away or nearer is near
 */
nearMm: number
}
}
}
}

/**
 * Core's heartbeat; the payload of a compact JWS.
 */
export interface CoreBeacon {
/**
 * format
 */
v: 1
/**
 * mesh id
 */
mesh: string
/**
 * which core, and which of its starts: fences off a deposed one
 */
coreTerm: {
/**
 * raised at each start of core
 */
counter: number
/**
 * key id
 */
keyId: string
}
/**
 * rises with each beacon
 */
counter: number
/**
 * autonomy level
 */
level: ("N0" | "N2" | "N3")
/**
 * active policy
 */
policyHash: string
/**
 * nodes with a latched stop
 * 
 * Items: node id
 */
latched: string[]
/**
 * newest tick heard per node, its monotonic milliseconds
 */
ticks: {
/**
 * tick
 */
[k: string]: number
}
/**
 * stops and cuts that core keeps: who missed one latches on hearing it
 */
stops?: {
/**
 * node id
 */
node: string
/**
 * stop settles first, cut is at once
 */
verb: ("stop" | "cut")
/**
 * newest order
 */
order: string
/**
 * who ordered it
 */
by: string
}[]
/**
 * releases that their nodes have not yet confirmed
 */
releases?: {
/**
 * node id
 */
node: string
/**
 * the orders that are released: one that came later still holds
 * 
 * Items: id of the order
 */
orders: string[]
}[]
}

/**
 * What nodes keep for the time without core; the payload of a compact JWS.
 */
export interface CoreBundle {
/**
 * format
 */
v: 1
/**
 * mesh id
 */
mesh: string
/**
 * which core
 */
coreTerm: {
/**
 * raised at each start of core
 */
counter: number
/**
 * key id
 */
keyId: string
}
/**
 * rises with each bundle: the log position of what it says last
 */
version: number
/**
 * policy that it is from
 */
policyHash: string
/**
 * autonomy level
 */
level: ("N0" | "N2" | "N3")
/**
 * what a node may do alone
 */
rows: {
/**
 * row of autonomy.yaml, alone
 */
id: string
/**
 * event of the node itself
 */
on: string
/**
 * action
 */
action: string
/**
 * arguments
 */
with: {
/**
 * value
 */
[k: string]: string
}
/**
 * for a person
 */
says: string
}[]
/**
 * allowance of each node
 */
grants: {
/**
 * node
 */
node: string
/**
 * rises with each grant to this node
 */
number: number
/**
 * session of the node that it is for, or a later one
 */
counter: number
/**
 * newest grant of which everything that was done under it is counted in this one
 */
reconciled: number
/**
 * time alone for which it can be used, milliseconds
 */
validMs: number
/**
 * uses that are left, by row
 */
left: {
/**
 * uses
 */
[k: string]: number
}
/**
 * how often the node had used each row, ever, as far as core knew when it granted this; absent: none of them is counted
 */
counted?: {
/**
 * uses
 */
[k: string]: number
}
}[]
}

/**
 * What may be done about an incident, and why.
 */
export interface DecisionMade {
/**
 * decision
 */
decision: string
/**
 * incident
 */
incident: string
/**
 * what follows
 */
verdict: ("act" | "would" | "refused" | "wait" | "nothing" | "ask")
/**
 * action
 */
action?: string
/**
 * arguments of the action
 */
args?: {
/**
 * value
 */
[k: string]: string | number | boolean
}
/**
 * node id
 */
node: string
/**
 * class of the action
 */
risk?: ("SAFE" | "RISKY")
/**
 * level in force
 */
level: ("N0" | "N2" | "N3")
/**
 * one sentence
 */
why: string
/**
 * policy rows, matched first
 */
rows: {
/**
 * where the row stands: file:line
 */
at: string
/**
 * row
 */
id: string
/**
 * whether it matched
 */
matched: boolean
/**
 * what decided
 */
detail: string
}[]
/**
 * facts it rests on
 */
facts: {
/**
 * what was looked at
 */
name: string
/**
 * what was seen
 */
value?: (string | number | boolean)
/**
 * what it was held against
 */
threshold?: (string | number | boolean)
/**
 * unit of value and threshold
 */
unit?: string
/**
 * log position of the record that says so
 */
position?: number
/**
 * whether this spoke for the verdict
 */
ok?: boolean
}[]
/**
 * guards
 */
guards: {
/**
 * guard
 */
guard: string
/**
 * lets it pass
 */
ok: boolean
/**
 * what decided
 */
detail: string
/**
 * when it opens by itself, engine time
 */
untilEngineMs?: number
}[]
/**
 * what would have changed the verdict
 * 
 * Items: one thing
 */
change: string[]
}

/**
 * A core started; inputs after decidedUpTo and before this record are folded without acting.
 */
export interface EngineStarted {
/**
 * version of the code
 */
code: string
/**
 * format of the engine's state
 */
stateSchema: number
/**
 * policy in force
 */
policyHash: string
/**
 * which core, and which of its starts: fences off a deposed one
 */
coreTerm: {
/**
 * raised at each start
 */
counter: number
/**
 * key id
 */
keyId: string
}
/**
 * last input that was decided before
 */
decidedUpTo: number
/**
 * how long no core ran, milliseconds; null = unknown
 */
downtimeMs: (number | null)
/**
 * engine time at the start
 */
engineMs: number
}

/**
 * CloudEvents 1.0 in JSON with the attributes of the mesh. Unknown attributes are kept.
 */
export interface Envelope {
/**
 * CloudEvents version
 */
specversion: "1.0"
/**
 * unique per source
 */
id: string
/**
 * /nodes/<node> or /core/<part>
 */
source: string
/**
 * dev.orion.<family>.<name>.v<N>
 */
type: string
/**
 * what it is about
 */
subject?: string
/**
 * wall time, RFC 3339
 */
time?: string
/**
 * always JSON
 */
datacontenttype?: "application/json"
/**
 * URI of the contract
 */
dataschema?: string
/**
 * as the contract of type says
 */
data: {

}
/**
 * mesh id
 */
mesh?: string
/**
 * <counter>.<64 random bits>
 */
session?: string
/**
 * delivery lane
 */
lane?: ("safety" | "decision" | "event" | "metric")
/**
 * counts per lane and session, from 1
 */
seq?: number
/**
 * milliseconds since the session began
 */
mono?: number
/**
 * incident thread
 */
correlationid?: string
/**
 * direct parent
 */
causationid?: string
/**
 * log position of the direct parent
 */
causeposition?: number
/**
 * W3C trace context
 */
traceparent?: string
/**
 * wall time of the append, RFC 3339
 */
recordedtime?: string
/**
 * policy in force
 */
policyhash?: string
/**
 * how far wall time can be trusted
 */
clockquality?: ("synced" | "holdover" | "unsynced")
}

/**
 * A button, lamp or range finder of a node is another than before, as far as the node knows.
 */
export interface GadgetChanged {
/**
 * its name on this node
 */
gadget: string
/**
 * what it is
 */
kind: ("button" | "lamp" | "range")
/**
 * there: its board answers, and nothing else is known yet; away: its board does not answer
 */
state: ("there" | "away" | "pressed" | "released" | "near" | "far")
/**
 * how far away something is; absent: nearer or farther than can be told
 */
rangeMm?: number
/**
 * why it is away, for a person
 */
detail?: string
}

/**
 * A six-legged robot came into another state of its safe-stop.
 */
export interface HexapodChanged {
/**
 * state of its safe-stop
 */
state: ("boot" | "off" | "rising" | "armed" | "moving" | "hold" | "settling" | "calibrating" | "cut" | "fault")
/**
 * state that it was in; absent: it was not heard before
 */
before?: ("boot" | "off" | "rising" | "armed" | "moving" | "hold" | "settling" | "calibrating" | "cut" | "fault")
/**
 * raised at each arming and each stop
 */
armEpoch: number
/**
 * row of the rules that brought it here
 */
cause?: string
/**
 * of a robot that is only calculated; absent: it is none
 */
simulated?: true
}

/**
 * Where a six-legged robot is and how it stands, ten times a second; what it does not measure is absent.
 */
export interface HexapodPose {
/**
 * which body it has
 */
model?: string
/**
 * state of its safe-stop
 */
state: ("boot" | "off" | "rising" | "armed" | "moving" | "hold" | "settling" | "calibrating" | "cut" | "fault")
/**
 * of a robot that is only calculated; absent: it is none
 */
simulated?: true
/**
 * by its own count of steps
 */
travelled: {
/**
 * to the right of where it stood up
 */
xMm: number
/**
 * forward of where it stood up
 */
yMm: number
/**
 * to the left
 */
headingDegrees: number
/**
 * length of the way
 */
pathMm: number
}
/**
 * how it carries its body; absent: without power
 */
body?: {
/**
 * to the right of the middle of its feet
 */
xMm: number
/**
 * before the middle of its feet
 */
yMm: number
/**
 * right side down
 */
rollDegrees: number
/**
 * nose up
 */
pitchDegrees: number
/**
 * to the left
 */
yawDegrees: number
}
/**
 * of the body over the ground
 */
heightMm?: number
/**
 * battery of the servos, over one second
 */
servoMv?: number
/**
 * battery of board and computer, over one second
 */
boardMv?: number
/**
 * between down as it takes it and as gravity says
 */
tiltDegrees?: number
/**
 * of the centre of mass inside the feet that carry
 */
marginMm?: number
/**
 * to what is before it
 */
rangeMm?: number
}

/**
 * What a host measured of itself; what a machine does not have is absent.
 */
export interface HostMetrics {
/**
 * busy share of all CPUs since the last sample
 */
cpuRatio?: number
/**
 * load average over 1 minute
 */
load1?: number
/**
 * load average over 5 minutes
 */
load5?: number
/**
 * load average over 15 minutes
 */
load15?: number
/**
 * logical CPUs
 */
cpuCount?: number
/**
 * physical memory
 */
memoryTotalBytes?: number
/**
 * memory that can be had without swapping
 */
memoryAvailableBytes?: number
/**
 * 1 - available / total
 */
memoryUsedRatio?: number
/**
 * swap space
 */
swapTotalBytes?: number
/**
 * swap in use
 */
swapUsedBytes?: number
/**
 * real file systems
 */
disks?: {
/**
 * mount point
 */
mount: string
/**
 * device or file system name
 */
device: string
/**
 * size
 */
totalBytes: number
/**
 * free for ordinary users
 */
freeBytes: number
/**
 * 1 - free / total
 */
usedRatio: number
}[]
/**
 * temperature sensors
 */
temperatures?: {
/**
 * sensor
 */
name: string
/**
 * degrees Celsius
 */
celsius: number
}[]
/**
 * hottest sensor, degrees Celsius
 */
temperatureMaxCelsius?: number
/**
 * fullest disk
 */
diskUsedRatioMax?: number
/**
 * since boot
 */
uptimeSeconds: number
/**
 * boot id of the kernel
 */
bootId?: string
/**
 * the kernel says that its clock is disciplined
 */
clockSynced?: boolean
/**
 * span that cpuRatio covers, milliseconds
 */
windowMs?: number
}

/**
 * Something is wrong.
 */
export interface IncidentOpened {
/**
 * incident
 */
incident: string
/**
 * correlation key
 */
key: string
/**
 * correlation rule
 */
rule: string
/**
 * node id
 */
node: string
/**
 * service
 */
service?: string
/**
 * how bad
 */
severity: ("info" | "warning" | "error" | "critical")
/**
 * one sentence
 */
title: string
/**
 * records that show it
 * 
 * Items: log position
 */
events: number[]
/**
 * measured value
 */
value?: number
/**
 * its bound
 */
threshold?: number
}

/**
 * The symptom is back within the reopen window.
 */
export interface IncidentReopened {
/**
 * incident
 */
incident: string
/**
 * how bad
 */
severity: ("info" | "warning" | "error" | "critical")
/**
 * records that show it
 * 
 * Items: log position
 */
events: number[]
/**
 * how often it was reopened
 */
times: number
}

/**
 * The symptom is gone.
 */
export interface IncidentResolved {
/**
 * incident
 */
incident: string
/**
 * what is known
 */
how: ("cleared-by-itself" | "repaired")
/**
 * action that repaired it
 */
action?: string
/**
 * records that show it
 * 
 * Items: log position
 */
events: number[]
/**
 * how long it was open, milliseconds
 */
openMs: number
}

/**
 * The same again while it is open.
 */
export interface IncidentUpdated {
/**
 * incident
 */
incident: string
/**
 * how often it was seen
 */
count: number
/**
 * how bad
 */
severity: ("info" | "warning" | "error" | "critical")
/**
 * newest records that show it
 * 
 * Items: log position
 */
events: number[]
/**
 * measured value
 */
value?: number
}

/**
 * robot-rehearsal.json: which steps of its rehearsal a robot passed, each bound to the programs and the configuration that it was passed with, and the trims that a person set.
 */
export interface KeptRehearsal {
/**
 * format
 */
schema: "orion.robot-rehearsal/1"
/**
 * degrees added to each joint beyond what the robot's policy file says: leg 1 coxa, femur, tibia, leg 2 coxa, ...
 */
trimDegrees: number[]
/**
 * oldest first
 */
records: {
/**
 * number of the step
 */
step: number
/**
 * how it ended
 */
outcome: ("passed" | "failed" | "aborted")
/**
 * on a calculated robot or an emulated board: it unlocks nothing real
 */
simulated: boolean
/**
 * first eight bytes of the hash of the leg board's sources, as the board said; null: no leg board
 */
firmware: (string | null)
/**
 * first eight bytes of the hash of the linux-guard's sources, as it said; null: no guard
 */
guard: (string | null)
/**
 * digest of the robot's plan, without the trims of this file
 */
robot: string
/**
 * digest of the robot's plan with the trims of this file
 */
configuration: string
/**
 * wall time of its end; no decision depends on it
 */
at: string
/**
 * by name, with the unit in it
 */
measured: {
[k: string]: number
}
/**
 * why it did not pass, or what the person confirmed
 */
said: string
}[]
}

/**
 * services.json: what a node knows of the processes that it supervises, across its own restarts.
 */
export interface KeptServices {
/**
 * format
 */
schema: "orion.services/1"
/**
 * by service name
 */
services: {
[k: string]: {
/**
 * what it was when this was written
 */
phase: ("starting" | "running" | "down" | "stopped-by-agent" | "stopped-by-action")
/**
 * starts since this folder was made
 */
starts: number
/**
 * the process, if one runs or did
 */
process?: {
/**
 * process id
 */
pid: number
/**
 * start time, clock ticks since boot (field 22 of /proc/<pid>/stat)
 */
startTicks: number
/**
 * SHA-256 of its command line as the kernel shows it
 */
argvHash: string
/**
 * boot that the ticks count from
 */
bootId: string
}
/**
 * a start that was about to happen: its process is found by this if the agent died before it was recorded
 */
intent?: {
/**
 * value of ORION_START in the environment of the process
 */
mark: string
/**
 * no earlier than this, clock ticks since boot
 */
fromTicks: number
/**
 * boot that the ticks count from
 */
bootId: string
/**
 * action that asked for the start
 */
action?: string
}
/**
 * newest action that started or stopped it
 */
action?: string
/**
 * its newest unasked ends
 * 
 * Items: milliseconds since boot
 */
downsBootMs: number[]
/**
 * boot that downsBootMs counts from
 */
bootId?: string
/**
 * when its flapping was last reported, milliseconds since boot
 */
flappingSaidBootMs?: number
/**
 * how it ended the last time
 */
lastDown?: {
/**
 * what is known
 */
cause: ("exited" | "killed" | "not-started" | "gone-while-away")
/**
 * process id it had
 */
pid?: number
/**
 * exit code
 */
exitCode?: number
/**
 * signal that ended it
 */
signal?: string
/**
 * its last line, or why it could not be started
 */
detail?: string
/**
 * how long it ran, milliseconds
 */
aliveMs?: number
}
}
}
}

/**
 * The holder lets go; the payload of a compact JWS by the holder.
 */
export interface LeaseEnd {
/**
 * format
 */
v: 1
/**
 * mesh id
 */
mesh: string
/**
 * node id
 */
node: string
/**
 * id of the lease
 */
lease: string
}

/**
 * A lease is over: its holder let go, or was not heard any more.
 */
export interface LeaseEnded {
/**
 * id of the lease
 */
lease: string
/**
 * node id
 */
node: string
/**
 * how it ended
 */
why: ("let-go" | "not-renewed")
}

/**
 * A person takes a node that moves, or has it sit down; the payload of a compact JWS by core, which names the key of the holder.
 */
export interface LeaseOpen {
/**
 * format
 */
v: 1
/**
 * mesh id
 */
mesh: string
/**
 * node id
 */
node: string
/**
 * session of the node
 */
session: string
/**
 * id of the lease
 */
lease: string
/**
 * arming that it is for
 */
armEpoch: number
/**
 * newest tick of the node that the holder heard
 */
tick: number
/**
 * how long after that tick it is good
 */
ttlMs: number
/**
 * who holds it
 */
holder: string
/**
 * raw Ed25519 public key of the holder, base64url
 */
holderKey: string
/**
 * what for; sit: nothing is held, it sits down
 */
purpose: ("move" | "calibrate" | "sit")
/**
 * bounds of the motion
 */
bounds: {
/**
 * how far it may go
 */
distanceMm: number
/**
 * how far from where it began
 */
radiusMm: number
/**
 * how long, whatever is renewed
 */
timeMs: number
}
}

/**
 * Core vouched for a person who takes a node that moves, or has it sit down.
 */
export interface LeaseOpened {
/**
 * id of the lease
 */
lease: string
/**
 * node id
 */
node: string
/**
 * who holds it
 */
holder: string
/**
 * what for; sit: nothing is held, it sits down
 */
purpose: ("move" | "calibrate" | "sit")
/**
 * arming that it is for
 */
armEpoch: number
/**
 * bounds of the motion
 */
bounds: {
/**
 * how far it may go
 */
distanceMm: number
/**
 * how far from where it began
 */
radiusMm: number
/**
 * how long, whatever is renewed
 */
timeMs: number
}
/**
 * the way it came: cli, http, page, mqtt, local
 */
via: string
}

/**
 * The holder is still there; the payload of a compact JWS by the holder.
 */
export interface LeaseRenew {
/**
 * format
 */
v: 1
/**
 * mesh id
 */
mesh: string
/**
 * node id
 */
node: string
/**
 * session of the node
 */
session: string
/**
 * id of the lease
 */
lease: string
/**
 * arming that it is for
 */
armEpoch: number
/**
 * newest tick of the node that the holder heard
 */
tick: number
/**
 * rises with each renewal
 */
number: number
/**
 * what is wanted until the next renewal; absent: it stands
 */
motion?: {
/**
 * which feet swing together
 */
gait: ("tripod" | "ripple")
/**
 * how far one cycle goes; absent: it stands
 */
stride?: {
/**
 * to the right in one cycle
 */
xMm: number
/**
 * forward in one cycle
 */
yMm: number
/**
 * to the left in one cycle
 */
turnDegrees: number
}
/**
 * how it carries its body; what is absent: straight
 */
body?: {
/**
 * to the right of the middle of its feet
 */
xMm?: number
/**
 * before the middle of its feet
 */
yMm?: number
/**
 * over the ground
 */
heightMm?: number
/**
 * right side down
 */
rollDegrees?: number
/**
 * nose up
 */
pitchDegrees?: number
/**
 * to the left
 */
yawDegrees?: number
}
}
}

/**
 * What became of an ask for a higher level.
 */
export interface LevelAnswered {
/**
 * this ask
 */
ask: string
/**
 * how it ended
 */
end: ("approved" | "denied" | "expired" | "void" | "revoked")
/**
 * who answered
 */
by?: string
/**
 * where
 */
via?: string
/**
 * why
 */
why?: string
}

/**
 * Somebody in a chat asks for a higher level; silence means no.
 */
export interface LevelAsked {
/**
 * this ask
 */
ask: string
/**
 * autonomy level
 */
level: ("N0" | "N2" | "N3")
/**
 * autonomy level
 */
before: ("N0" | "N2" | "N3")
/**
 * who asks
 */
by: string
/**
 * where
 */
via: string
/**
 * how long it stands, milliseconds
 */
decideWithinMs: number
}

/**
 * An operator set the autonomy level.
 */
export interface LevelSet {
/**
 * autonomy level
 */
level: ("N0" | "N2" | "N3")
/**
 * who
 */
by: string
/**
 * why
 */
why?: string
}

/**
 * Sequence numbers that never came.
 */
export interface LogGap {
/**
 * source
 */
source: string
/**
 * session
 */
session: string
/**
 * delivery lane
 */
lane: ("safety" | "decision" | "event" | "metric")
/**
 * first missing
 */
fromSeq: number
/**
 * last missing
 */
toSeq: number
/**
 * how it is known
 */
why: ("node-said" | "session-ended" | "timed-out")
}

/**
 * Something was dropped; this record takes its place.
 */
export interface LogLoss {
/**
 * what was lost
 */
what: ("records" | "lane" | "archive" | "quarantine")
/**
 * source
 */
source?: string
/**
 * session
 */
session?: string
/**
 * delivery lane
 */
lane?: ("safety" | "decision" | "event" | "metric")
/**
 * first lost
 */
fromSeq?: number
/**
 * last lost
 */
toSeq?: number
/**
 * first lost log position
 */
fromPosition?: number
/**
 * last lost log position
 */
toPosition?: number
/**
 * how many
 */
count: number
/**
 * how many bytes
 */
bytes?: number
/**
 * reason
 */
why: string
}

/**
 * What a node is and can do.
 */
export interface NodeAbout {
/**
 * role
 */
role: "node"
/**
 * version of the agent
 */
version: string
/**
 * capabilities
 * 
 * Items: capability
 */
capabilities: string[]
/**
 * actions
 * 
 * Items: action that it can carry out
 */
actions: string[]
/**
 * services that it supervises
 * 
 * Items: service
 */
services: string[]
/**
 * contract generation
 */
contracts: number
/**
 * key id of this node
 */
keyId: string
/**
 * policy that it holds
 */
policyHash?: string
}

/**
 * A node got a credential.
 */
export interface NodeAdded {
/**
 * node id
 */
node: string
/**
 * who
 */
by: string
/**
 * it publishes events and is no node
 */
client?: boolean
}

/**
 * Heartbeat of a node.
 */
export interface NodePulse {
/**
 * session
 */
session: string
/**
 * its monotonic milliseconds
 */
tick: number
/**
 * state of its safe-stop
 */
safety: ("boot" | "working" | "alone" | "stopped" | "restricted" | "off" | "rising" | "armed" | "moving" | "hold" | "settling" | "calibrating" | "cut" | "fault")
/**
 * newest order to stop that was heard in this session
 */
order?: string
/**
 * of a mover: what an arm or a lease must name
 */
armEpoch?: number
/**
 * version of the agent
 */
version?: string
/**
 * messages that wait for their PUBACK
 */
outboxCount?: number
/**
 * of a robot that is only calculated; absent: it is none
 */
simulated?: true
/**
 * bytes that it keeps until core has them
 */
outboxBytes?: number
/**
 * bytes that it writes into its outbox a day; absent within the first hour
 */
outboxDailyBytes?: number
}

/**
 * A node lost its credential: it was removed, or only its credential was taken back.
 */
export interface NodeRemoved {
/**
 * node id
 */
node: string
/**
 * who
 */
by: string
/**
 * removed: it is forgotten; revoked: its place is kept, and it may join anew
 */
how?: ("removed" | "revoked")
/**
 * newest certificates that count no more
 * 
 * Items: serial, hex
 */
certificates?: string[]
}

/**
 * State of a node's safe-stop, said by the node when it changes and at each connection.
 */
export interface NodeSafety {
/**
 * whether it moves anything
 */
kind: ("still" | "mover")
/**
 * state of its safe-stop
 */
state: ("boot" | "working" | "alone" | "stopped" | "restricted" | "off" | "rising" | "armed" | "moving" | "hold" | "settling" | "calibrating" | "cut" | "fault")
/**
 * the stop or cut that holds; absent: none
 */
latch?: {
/**
 * stop settles first, cut is at once
 */
verb: ("stop" | "cut")
/**
 * the orders that hold, oldest first
 */
orders: {
/**
 * id of the order
 */
order: string
/**
 * stop settles first, cut is at once
 */
verb: ("stop" | "cut")
/**
 * who ordered it
 */
by: string
/**
 * the way it came: cli, http, page, mqtt, local
 */
via: string
}[]
/**
 * orders that came while it was latched
 */
repeats: number
}
/**
 * orders that were released here, newest last
 * 
 * Items: id of the order
 */
released: string[]
/**
 * row of the rules that brought it here
 */
cause?: string
/**
 * of a mover: raised at each arming and each stop
 */
armEpoch?: number
/**
 * of a robot that is only calculated; absent: it is none
 */
simulated?: true
}

/**
 * What core finds of a node by the pulses that are missing; written when that changes, because pulses themselves are not recorded.
 */
export interface NodeSilence {
/**
 * node id
 */
node: string
/**
 * session of the node that is not heard
 */
session: string
/**
 * what the policy row calls it; over: it is heard again, or its end was said otherwise
 */
found: ("suspect" | "lost" | "unreachable" | "over")
/**
 * pulses missed in a row while core listened
 */
missed: number
/**
 * policy row that says so
 */
row?: string
/**
 * broker elsewhere that holds its connection and is not heard itself
 */
parent?: string
}

/**
 * Presence of a node; `lost` is its will.
 */
export interface NodeState {
/**
 * presence
 */
state: ("init" | "ready" | "disconnected" | "lost")
/**
 * session it belongs to
 */
session: string
/**
 * grows by 1 with each CONNECT of the safety connection
 */
conn: number
}

/**
 * Why a message was quarantined or dropped.
 */
export interface NodeVerdict {
/**
 * id of the message, if it had one
 */
messageId?: string
/**
 * topic it came on
 */
topic: string
/**
 * what became of it
 */
outcome: ("quarantined" | "duplicate")
/**
 * error code
 */
code: string
/**
 * contract it broke
 */
contract?: string
/**
 * JSON pointer to what broke it
 */
pointer?: string
/**
 * for a person
 */
detail: string
/**
 * log position of the quarantine record
 */
position?: number
}

/**
 * Everything up to here is durable on core.
 */
export interface NodeWatermark {
/**
 * node id
 */
node: string
/**
 * highest session counter that core knows of this node
 */
counter: number
/**
 * session that the lanes speak of; empty if core knows none
 */
session: string
/**
 * per lane: the highest seq up to which everything is durable or accounted for
 */
lanes: {
/**
 * highest contiguous seq
 */
[k: string]: number
}
/**
 * instance of the broker
 */
instance: string
}

/**
 * The action did not help.
 */
export interface OutcomeFailed {
/**
 * action id
 */
action: string
/**
 * incident
 */
incident: string
/**
 * reason
 */
why: string
}

/**
 * What was done to take the action back.
 */
export interface OutcomeUndone {
/**
 * action id
 */
action: string
/**
 * incident
 */
incident: string
/**
 * kind of undo
 */
how: ("left-as-found" | "reversed" | "impossible")
/**
 * what that means here
 */
detail: string
}

/**
 * The symptom cleared and stayed clear.
 */
export interface OutcomeVerified {
/**
 * action id
 */
action: string
/**
 * incident
 */
incident: string
/**
 * how long it was clear, milliseconds
 */
clearForMs: number
/**
 * records that show it
 * 
 * Items: log position
 */
events: number[]
}

/**
 * The action is done; now the symptom must clear and stay clear.
 */
export interface OutcomeVerifying {
/**
 * action id
 */
action: string
/**
 * incident
 */
incident: string
/**
 * how long it must stay clear, milliseconds
 */
clearForMs: number
/**
 * how long it may take, milliseconds
 */
withinMs: number
}

/**
 * A person is needed.
 */
export interface PersonAsked {
/**
 * incident
 */
incident: string
/**
 * reason
 */
why: string
/**
 * what to try
 */
suggestion: string
}

/**
 * Every action that the mesh knows: its risk, how it is verified, undone and limited.
 */
export interface PolicyActions {
/**
 * format of this file
 */
version: 1
/**
 * actions
 */
actions: {
/**
 * action
 */
id: string
/**
 * SAFE may run by itself at N2, RISKY needs a person
 */
risk: ("SAFE" | "RISKY")
/**
 * capability of the node that carries it out
 */
capability: string
/**
 * arguments, all required
 * 
 * Items: argument
 */
args: string[]
/**
 * how old a command may be when it is carried out
 */
notAfter: string
/**
 * when the action counts as having helped
 */
verify: {
/**
 * how long the symptom must stay clear
 */
clearFor: string
/**
 * how long that may take
 */
within: string
}
/**
 * what taking it back means
 */
undo: ("left-as-found" | "impossible")
/**
 * what that means, for a person
 */
undoSays: string
/**
 * pause on this target after the end of verification
 */
cooldown: string
/**
 * executions per target in an hour
 */
budgetPerHour: number
/**
 * when no more attempts are made
 */
breaker: {
/**
 * failed verifications in a row that open it
 */
failures: number
/**
 * how long it stays open
 */
openFor: string
}
/**
 * what it touches, for a person; {node} and the arguments are filled in
 */
blast?: string
/**
 * the action with which a person takes it back
 */
inverse?: string
}[]
}

/**
 * The policy with this content is in force from here on.
 */
export interface PolicyActivated {
/**
 * digest of content
 */
hash: string
/**
 * the whole policy as judged
 */
content: {

}
/**
 * where it came from
 * 
 * Items: file
 */
files: string[]
}

/**
 * When a person is asked, how long the question stands, and how often.
 */
export interface PolicyApprovals {
/**
 * format of this file
 */
version: 1
/**
 * how long a person has to decide; then nothing is done
 */
decideWithin: string
/**
 * how long after the answer it may still be carried out
 */
executeWithin: string
/**
 * what was denied, withdrawn or not answered is not asked again for this long, unless the incident got worse or came back
 */
askAgainAfter: string
/**
 * questions without an answer about one incident, then it is not asked again
 */
askTimesMax: number
/**
 * questions about one node in an hour
 */
asksPerHour: number
/**
 * an ended question leaves the engine's state after this
 */
forgetAfter: string
/**
 * ended questions that are kept at most
 */
keepMax: number
}

/**
 * What the mesh may do by itself at which level, and which action answers which incident.
 */
export interface PolicyAutonomy {
/**
 * format of this file
 */
version: 1
/**
 * first row that matches decides
 */
gate: {
/**
 * row
 */
id: string
/**
 * levels it speaks of
 * 
 * Items: level
 */
level: ("N0" | "N2" | "N3")[]
/**
 * risks it speaks of
 * 
 * Items: risk
 */
risk: ("SAFE" | "RISKY")[]
/**
 * what follows
 */
verdict: ("act" | "would" | "refused" | "ask")
/**
 * reason, for a person
 */
says: string
}[]
/**
 * first row that matches is the remedy
 */
remedies: {
/**
 * row
 */
id: string
/**
 * correlation rule
 */
rule: string
/**
 * action
 */
action: string
/**
 * arguments
 */
with: {
/**
 * value; {node} and {service} are filled in
 */
[k: string]: string
}
/**
 * what it does, for a person
 */
says: string
/**
 * only for incidents with this key of their rule; {node} and {service} are filled in
 */
key?: string
}[]
/**
 * what a node may do by itself while it hears no core; first row that matches
 */
alone?: {
/**
 * row
 */
id: string
/**
 * action
 */
action: string
/**
 * arguments
 */
with: {
/**
 * value; {node} and {service} are filled in
 */
[k: string]: string
}
/**
 * what it does, for a person
 */
says: string
/**
 * event of the node itself
 */
on: string
/**
 * how often, in that time
 */
uses: number
/**
 * the time in which the uses count
 */
within: string
}[]
}

/**
 * Which events raise a symptom, which clear it, and when a symptom is an incident.
 */
export interface PolicyCorrelation {
/**
 * format of this file
 */
version: 1
/**
 * rules
 */
rules: {
/**
 * rule
 */
id: string
/**
 * how it looks
 */
kind: ("event" | "threshold" | "absence")
/**
 * event type
 */
on: string
/**
 * events that clear it
 * 
 * Items: event type
 */
clear?: string[]
/**
 * what tells one symptom from another; {node}, {service} and {name} are filled in
 */
key: string
/**
 * threshold: field of data
 */
field?: string
/**
 * threshold: raises above this
 */
above?: number
/**
 * threshold: clears below this
 */
clearBelow?: number
/**
 * raises only if these fields of data have these values
 */
equals?: {
/**
 * value
 */
[k: string]: string | number | boolean
}
/**
 * clears only if these fields of data have these values
 */
clearEquals?: {
/**
 * value
 */
[k: string]: string | number | boolean
}
/**
 * how long it must last; absence: how long nothing may come
 */
for?: string
/**
 * severity, or as the event says
 */
severity: (("info" | "warning" | "error" | "critical") | "from-event")
/**
 * one sentence; {node}, {service}, {name}, {value}, {threshold} and {summary} are filled in
 */
title: string
/**
 * event: over when it was not seen for this long, for events that nothing clears
 */
quietFor?: string
}[]
}

/**
 * Bounds of the engine.
 */
export interface PolicyLimits {
/**
 * format of this file
 */
version: 1
/**
 * an incident that comes back within this is the same one
 */
reopenWithin: string
/**
 * records kept as evidence
 */
evidencePerIncidentMax: number
/**
 * a resolved incident leaves the engine's state after this
 */
forgetResolvedAfter: string
/**
 * a command without a final receipt is unknown after this
 */
receiptWithin: string
/**
 * how often a node is asked what became of a command
 */
askTimesMax: number
}

/**
 * What is found of a node whose pulses are missing.
 */
export interface PolicyPresence {
/**
 * format of this file
 */
version: 1
/**
 * how long a pulse may take to be counted as missed
 */
pulse: string
/**
 * the one with the most missed pulses that are reached counts
 */
rows: {
/**
 * name of the row
 */
id: string
/**
 * so many missed in a row
 */
missed: number
/**
 * here: core itself or the broker that holds its connection is heard; away: that broker is not
 */
parent: ("here" | "away")
/**
 * what the node is then called
 */
found: ("suspect" | "lost" | "unreachable")
/**
 * why, for people
 */
says: string
}[]
}

/**
 * What a six-legged robot is and what it may do: geometry, channels, trims and limits.
 */
export interface PolicyRobot {
/**
 * format of this file
 */
version: 1
/**
 * name of this file
 */
model: string
/**
 * what people call it
 */
title: string
/**
 * lengths of a leg's parts
 */
linksMm: {
/**
 * hip axis to femur axis
 */
coxa: number
/**
 * femur axis to knee
 */
femur: number
/**
 * knee to foot
 */
tibia: number
}
reachMm: Range
/**
 * limits of the joints
 */
jointDegrees: {
coxa: Range1
femur: Range2
tibia: Range3
}
/**
 * least angle between the headings of neighbouring legs
 */
neighbourMinDegrees: number
/**
 * fastest allowed change of any joint
 */
slewDegreesPerSecond: number
/**
 * heights of the hip axes
 */
heightsMm: {
/**
 * hip axis above the floor when the belly touches it
 */
sit: number
/**
 * hip axis above the floor when standing
 */
stand: number
}
/**
 * level distance of a resting foot from its hip axis
 */
restReachMm: number
/**
 * of the whole robot, seen from the middle of the hips
 */
centreOfMassMm: {
/**
 * to the right
 */
x: number
/**
 * forward
 */
y: number
/**
 * above the hip axes
 */
z: number
}
/**
 * least distance of the centre of mass inside the standing feet
 */
marginMinMm: number
/**
 * how far a person may pose the body, either way
 */
bodyLimits: {
/**
 * to the side
 */
xMm: number
/**
 * forward
 */
yMm: number
/**
 * above and below standing
 */
heightMm: number
/**
 * about forward
 */
rollDegrees: number
/**
 * about right
 */
pitchDegrees: number
/**
 * about up
 */
yawDegrees: number
}
/**
 * longest sweep of a standing foot
 */
strideMaxMm: number
/**
 * widest sweep of a standing foot about the middle
 */
turnMaxDegrees: number
/**
 * how legs take turns
 */
gaits: {
tripod: Gait
ripple: Gait1
}
/**
 * legs that get power together, in this order
 */
powerGroups: number[][]
/**
 * between two groups
 */
powerGapMs: number
/**
 * at the fastest, sitting to standing
 */
riseMs: number
/**
 * how it sits down
 */
sit: {
/**
 * at the fastest, raised feet to the floor
 */
lowerFeetMs: number
/**
 * at the fastest, standing to sitting
 */
lowerBodyMs: number
/**
 * on the belly before power goes
 */
waitMs: number
/**
 * between two pairs of legs losing power
 */
offGapMs: number
/**
 * bound of the whole
 */
withinMs: number
}
/**
 * of a two-cell pack, filtered over 1 s
 */
batteryMv: {
/**
 * say so
 */
warn: number
/**
 * sit down
 */
sit: number
/**
 * power off
 */
cut: number
/**
 * no arm below
 */
armMin: number
}
/**
 * leg 1 to 6; neighbours says how they stand around the body
 * 
 * Items: a leg
 */
legs: {
/**
 * where it is
 */
name: string
/**
 * its hip axis, seen from the middle of the hips
 */
mountMm: {
/**
 * to the right
 */
x: number
/**
 * forward
 */
y: number
}
/**
 * straight out, counter-clockwise from the right
 */
bearingDegrees: number
/**
 * the next leg clockwise, the next counter-clockwise
 */
neighbours: number[]
/**
 * its three servos
 */
servos: {
coxa: Servo
femur: Servo1
tibia: Servo2
}
}[]
}
/**
 * distance of a foot from its hip
 */
export interface Range {
/**
 * not below
 */
min: number
/**
 * not above
 */
max: number
}
/**
 * 0 = straight out, positive counter-clockwise seen from above
 */
export interface Range1 {
/**
 * not below
 */
min: number
/**
 * not above
 */
max: number
}
/**
 * 0 = level, positive up
 */
export interface Range2 {
/**
 * not below
 */
min: number
/**
 * not above
 */
max: number
}
/**
 * 0 = straight, positive bends down
 */
export interface Range3 {
/**
 * not below
 */
min: number
/**
 * not above
 */
max: number
}
/**
 * three feet at a time
 */
export interface Gait {
/**
 * part of a cycle that a foot stands
 */
dutyRatio: number
/**
 * a cycle at the fastest
 */
periodMs: number
/**
 * height of a step
 */
liftMm: number
/**
 * leg 1 to 6
 * 
 * Items: of the leg's own phase
 */
offsets: number[]
}
/**
 * one foot at a time
 */
export interface Gait1 {
/**
 * part of a cycle that a foot stands
 */
dutyRatio: number
/**
 * a cycle at the fastest
 */
periodMs: number
/**
 * height of a step
 */
liftMm: number
/**
 * leg 1 to 6
 * 
 * Items: of the leg's own phase
 */
offsets: number[]
}
/**
 * hip
 */
export interface Servo {
/**
 * as the vendor numbers it
 */
channel: number
/**
 * of the servo when the joint is at 0
 */
neutralDegrees: number
/**
 * of the servo when the joint grows
 */
direction: (1 | -1)
/**
 * added to the joint: how the horn was mounted
 */
trimDegrees: number
}
/**
 * thigh
 */
export interface Servo1 {
/**
 * as the vendor numbers it
 */
channel: number
/**
 * of the servo when the joint is at 0
 */
neutralDegrees: number
/**
 * of the servo when the joint grows
 */
direction: (1 | -1)
/**
 * added to the joint: how the horn was mounted
 */
trimDegrees: number
}
/**
 * shin
 */
export interface Servo2 {
/**
 * as the vendor numbers it
 */
channel: number
/**
 * of the servo when the joint is at 0
 */
neutralDegrees: number
/**
 * of the servo when the joint grows
 */
direction: (1 | -1)
/**
 * added to the joint: how the horn was mounted
 */
trimDegrees: number
}

/**
 * When a node stops, how, and what lets it go on.
 */
export interface PolicySafeStop {
/**
 * format of this file
 */
version: 1
/**
 * what moves
 */
mover: {
/**
 * times of the mechanism
 */
timing: {
/**
 * an update of the loop that comes later than this is late; never zero
 */
loopLateAfter: string
/**
 * how long core must be heard before anything is armed; never zero
 */
linkGoodFor: string
/**
 * it must stand by then; never zero
 */
riseWithin: string
/**
 * how long it holds before it sits; never zero
 */
holdFor: string
/**
 * outputs go off by then, whether it sits or not; never zero
 */
settleWithin: string
/**
 * no lease is longer; never zero
 */
leaseMax: string
}
/**
 * rows
 * 
 * Items: a row for what moves
 */
rules: {
/**
 * name of the row
 */
id: string
/**
 * what is so
 */
cause: ("cut" | "stop" | "found-armed" | "driver-error" | "board-reset" | "tilt" | "battery-empty" | "battery-low" | "battery-weak" | "battery-warn" | "rise-late" | "lease-over" | "link-silent" | "loop-late" | "obstacle" | "not-sitting")
/**
 * where it does more than inhibit
 */
in: ("any" | "energised" | "unpowered")
/**
 * how long the cause may be there; 0ms means at once
 */
grace: string
/**
 * what it does
 */
action: ("warn" | "inhibit" | "hold" | "settle" | "fault" | "cut")
/**
 * what lets it go on: the cause being gone, a release, a person at the node
 */
clears: ("itself" | "release" | "presence")
/**
 * how long the cause must be gone
 */
clearAfter: string
/**
 * the same for a person
 */
says: string
}[]
}
/**
 * what moves nothing
 */
still: {
/**
 * rows
 * 
 * Items: a row for what moves nothing
 */
rules: {
/**
 * name of the row
 */
id: string
/**
 * what is so
 */
cause: ("cut" | "stop" | "link-silent")
/**
 * how long the cause may be there; 0ms means at once
 */
grace: string
/**
 * state
 */
becomes: ("alone" | "stopped")
/**
 * what lets it go on: the cause being gone, a release, a person at the node
 */
clears: ("itself" | "release" | "presence")
/**
 * how long the cause must be gone
 */
clearAfter: string
/**
 * the same for a person
 */
says: string
}[]
}
}

/**
 * A supervised process ended without being asked to.
 */
export interface ProcessDown {
/**
 * service
 */
service: string
/**
 * process id it had
 */
pid?: number
/**
 * exit code
 */
exitCode?: number
/**
 * signal that ended it
 */
signal?: string
/**
 * what is known
 */
cause: ("exited" | "killed" | "not-started" | "gone-while-away")
/**
 * why it could not be started, or its last line on stderr
 */
detail?: string
/**
 * how long it ran, milliseconds
 */
aliveMs?: number
/**
 * ends in the last 10 minutes, this one included
 */
downs: number
}

/**
 * A supervised process ends again and again.
 */
export interface ProcessFlapping {
/**
 * service
 */
service: string
/**
 * ends within the window
 */
downs: number
/**
 * window, milliseconds
 */
windowMs: number
}

/**
 * A supervised process was stopped on purpose.
 */
export interface ProcessStopped {
/**
 * service
 */
service: string
/**
 * who asked
 */
why: ("agent-stop" | "action")
/**
 * action that stopped it
 */
action?: string
}

/**
 * A supervised process runs.
 */
export interface ProcessUp {
/**
 * service
 */
service: string
/**
 * process id
 */
pid: number
/**
 * start time of the process, clock ticks since boot
 */
startTicks: number
/**
 * how it came to run
 */
how: ("started" | "adopted" | "restarted" | "running")
/**
 * action that restarted it
 */
action?: string
/**
 * starts by this node since its state folder was made
 */
starts: number
}

/**
 * A message that broke its contract, kept as it came.
 */
export interface QuarantineEntry {
/**
 * who sent it
 */
identity: string
/**
 * topic
 */
topic: string
/**
 * error code
 */
code: string
/**
 * contract it broke
 */
contract?: string
/**
 * JSON pointer
 */
pointer?: string
/**
 * for a person
 */
detail: string
/**
 * the message
 */
bytesBase64?: string
/**
 * its size
 */
bytes: number
}

/**
 * A person dealt with a message in quarantine: it was taken after all, or dropped.
 */
export interface QuarantineSettled {
/**
 * log position of its quarantine.entry
 */
entryPosition: number
/**
 * what became of it: judged again and taken, known already, or dropped
 */
how: ("taken" | "duplicate" | "dropped")
/**
 * who did it
 */
by: string
/**
 * why, for whoever reads the log
 */
why?: string
/**
 * log position of the message that was taken
 */
position?: number
}

/**
 * More bad messages than are worth a record each.
 */
export interface QuarantineStorm {
/**
 * who sent them
 */
identity: string
/**
 * how many were not kept
 */
count: number
/**
 * in this span, milliseconds
 */
windowMs: number
/**
 * the last one's fault
 */
lastDetail: string
}

/**
 * What a node saw, did and refused while it was alone, in one place.
 */
export interface ReconciliationMade {
/**
 * node
 */
node: string
/**
 * number of the allowance
 */
grant: number
/**
 * how long it was alone, milliseconds
 */
aloneMs: number
/**
 * records of what it did
 * 
 * Items: log position
 */
acted: number[]
/**
 * records of what it did not do
 * 
 * Items: log position
 */
refused: number[]
/**
 * incidents of this node in that time
 * 
 * Items: incident
 */
incidents: string[]
}

/**
 * A unit or container that this node looks after does not run, or is not healthy.
 */
export interface ServiceDown {
/**
 * unit or container
 */
service: string
/**
 * who runs it
 */
runtime: ("systemd" | "docker")
/**
 * as its runtime calls it
 */
state: string
/**
 * exit code
 */
exitCode?: number
/**
 * last words, for a person
 */
detail?: string
}

/**
 * A unit or container that this node looks after was stopped on purpose.
 */
export interface ServiceStopped {
/**
 * unit or container
 */
service: string
/**
 * who runs it
 */
runtime: ("systemd" | "docker")
/**
 * by an action of the mesh, or by somebody at the node
 */
why: ("action" | "person")
/**
 * action that stopped it
 */
action?: string
}

/**
 * A unit or container that this node looks after runs.
 */
export interface ServiceUp {
/**
 * unit or container
 */
service: string
/**
 * who runs it
 */
runtime: ("systemd" | "docker")
/**
 * as its runtime calls it
 */
state: string
/**
 * action that restarted it
 */
action?: string
}

/**
 * What an order to stop or cut says of itself; one that says nothing readable is obeyed all the same.
 */
export interface StopOrder {
/**
 * format
 */
v: 1
/**
 * id of the order
 */
order: string
/**
 * who ordered it
 */
by: string
/**
 * the way it came: cli, http, page, mqtt, local
 */
via: string
}

/**
 * A person with the right to it took stops of a node back; the node is told until it says so.
 */
export interface StopReleased {
/**
 * the orders that are released: one that came later still holds
 * 
 * Items: id of the order
 */
orders: string[]
/**
 * node id
 */
node: string
/**
 * who released it
 */
by: string
/**
 * the way it came: cli, http, page, mqtt, local
 */
via: string
}

/**
 * A person or node ordered stop or cut; it was delivered before this was written.
 */
export interface StopRequested {
/**
 * id of the order
 */
order: string
/**
 * stop settles first, cut is at once
 */
verb: ("stop" | "cut")
/**
 * node that was meant, or all
 */
node: string
/**
 * the nodes whose latch core keeps for it
 * 
 * Items: node id
 */
nodes: string[]
/**
 * who ordered it
 */
by: string
/**
 * the way it came: cli, http, page, mqtt, local
 */
via: string
}

/** What is recorded in the log, by CloudEvents type. */
export interface RecordTypes {
	"dev.orion.action.asked.v1": ActionAsked;
	"dev.orion.action.closed.v1": ActionClosed;
	"dev.orion.action.dispatched.v1": ActionDispatched;
	"dev.orion.action.receipt.v1": ActionReceipt;
	"dev.orion.action.requested.v1": ActionRequested;
	"dev.orion.action.undelivered.v1": ActionUndelivered;
	"dev.orion.alert.firing.v1": AlertFiring;
	"dev.orion.alert.resolved.v1": AlertResolved;
	"dev.orion.allowance.granted.v1": AllowanceGranted;
	"dev.orion.alone.acted.v1": AloneActed;
	"dev.orion.alone.ended.v1": AloneEnded;
	"dev.orion.alone.refused.v1": AloneRefused;
	"dev.orion.approval.closed.v1": ApprovalClosed;
	"dev.orion.approval.decided.v1": ApprovalDecided;
	"dev.orion.approval.refused.v1": ApprovalRefused;
	"dev.orion.approval.requested.v1": ApprovalRequested;
	"dev.orion.approval.seen.v1": ApprovalSeen;
	"dev.orion.approval.undone.v1": ApprovalUndone;
	"dev.orion.audit.verified.v1": AuditVerified;
	"dev.orion.breaker.closed.v1": BreakerClosed;
	"dev.orion.breaker.opened.v1": BreakerOpened;
	"dev.orion.chat.bound.v1": ChatBound;
	"dev.orion.chat.invited.v1": ChatInvited;
	"dev.orion.chat.refused.v1": ChatRefused;
	"dev.orion.clock.tick.v1": ClockTick;
	"dev.orion.decision.made.v1": DecisionMade;
	"dev.orion.engine.started.v1": EngineStarted;
	"dev.orion.gadget.changed.v1": GadgetChanged;
	"dev.orion.hexapod.changed.v1": HexapodChanged;
	"dev.orion.hexapod.pose.v1": HexapodPose;
	"dev.orion.host.metrics.v1": HostMetrics;
	"dev.orion.incident.opened.v1": IncidentOpened;
	"dev.orion.incident.reopened.v1": IncidentReopened;
	"dev.orion.incident.resolved.v1": IncidentResolved;
	"dev.orion.incident.updated.v1": IncidentUpdated;
	"dev.orion.lease.ended.v1": LeaseEnded;
	"dev.orion.lease.opened.v1": LeaseOpened;
	"dev.orion.level.answered.v1": LevelAnswered;
	"dev.orion.level.asked.v1": LevelAsked;
	"dev.orion.level.set.v1": LevelSet;
	"dev.orion.log.gap.v1": LogGap;
	"dev.orion.log.loss.v1": LogLoss;
	"dev.orion.node.about.v1": NodeAbout;
	"dev.orion.node.added.v1": NodeAdded;
	"dev.orion.node.removed.v1": NodeRemoved;
	"dev.orion.node.safety.v1": NodeSafety;
	"dev.orion.node.silence.v1": NodeSilence;
	"dev.orion.node.state.v1": NodeState;
	"dev.orion.outcome.failed.v1": OutcomeFailed;
	"dev.orion.outcome.undone.v1": OutcomeUndone;
	"dev.orion.outcome.verified.v1": OutcomeVerified;
	"dev.orion.outcome.verifying.v1": OutcomeVerifying;
	"dev.orion.person.asked.v1": PersonAsked;
	"dev.orion.policy.activated.v1": PolicyActivated;
	"dev.orion.process.down.v1": ProcessDown;
	"dev.orion.process.flapping.v1": ProcessFlapping;
	"dev.orion.process.stopped.v1": ProcessStopped;
	"dev.orion.process.up.v1": ProcessUp;
	"dev.orion.quarantine.entry.v1": QuarantineEntry;
	"dev.orion.quarantine.settled.v1": QuarantineSettled;
	"dev.orion.quarantine.storm.v1": QuarantineStorm;
	"dev.orion.reconciliation.made.v1": ReconciliationMade;
	"dev.orion.service.down.v1": ServiceDown;
	"dev.orion.service.stopped.v1": ServiceStopped;
	"dev.orion.service.up.v1": ServiceUp;
	"dev.orion.stop.released.v1": StopReleased;
	"dev.orion.stop.requested.v1": StopRequested;
}

/** Every contract, by name. */
export interface Contracts {
	"action.asked": ActionAsked;
	"action.closed": ActionClosed;
	"action.command": ActionCommand;
	"action.dispatched": ActionDispatched;
	"action.receipt": ActionReceipt;
	"action.requested": ActionRequested;
	"action.undelivered": ActionUndelivered;
	"alert.firing": AlertFiring;
	"alert.resolved": AlertResolved;
	"allowance.granted": AllowanceGranted;
	"alone.acted": AloneActed;
	"alone.ended": AloneEnded;
	"alone.refused": AloneRefused;
	"approval.closed": ApprovalClosed;
	"approval.decided": ApprovalDecided;
	"approval.refused": ApprovalRefused;
	"approval.requested": ApprovalRequested;
	"approval.seen": ApprovalSeen;
	"approval.undone": ApprovalUndone;
	"audit.verified": AuditVerified;
	"breaker.closed": BreakerClosed;
	"breaker.opened": BreakerOpened;
	"chat.bound": ChatBound;
	"chat.invited": ChatInvited;
	"chat.refused": ChatRefused;
	"clock.tick": ClockTick;
	"config.broker": ConfigBroker;
	"config.node": ConfigNode;
	"config.orion": ConfigOrion;
	"core.beacon": CoreBeacon;
	"core.bundle": CoreBundle;
	"decision.made": DecisionMade;
	"engine.started": EngineStarted;
	"envelope": Envelope;
	"gadget.changed": GadgetChanged;
	"hexapod.changed": HexapodChanged;
	"hexapod.pose": HexapodPose;
	"host.metrics": HostMetrics;
	"incident.opened": IncidentOpened;
	"incident.reopened": IncidentReopened;
	"incident.resolved": IncidentResolved;
	"incident.updated": IncidentUpdated;
	"kept.rehearsal": KeptRehearsal;
	"kept.services": KeptServices;
	"lease.end": LeaseEnd;
	"lease.ended": LeaseEnded;
	"lease.open": LeaseOpen;
	"lease.opened": LeaseOpened;
	"lease.renew": LeaseRenew;
	"level.answered": LevelAnswered;
	"level.asked": LevelAsked;
	"level.set": LevelSet;
	"log.gap": LogGap;
	"log.loss": LogLoss;
	"node.about": NodeAbout;
	"node.added": NodeAdded;
	"node.pulse": NodePulse;
	"node.removed": NodeRemoved;
	"node.safety": NodeSafety;
	"node.silence": NodeSilence;
	"node.state": NodeState;
	"node.verdict": NodeVerdict;
	"node.watermark": NodeWatermark;
	"outcome.failed": OutcomeFailed;
	"outcome.undone": OutcomeUndone;
	"outcome.verified": OutcomeVerified;
	"outcome.verifying": OutcomeVerifying;
	"person.asked": PersonAsked;
	"policy.actions": PolicyActions;
	"policy.activated": PolicyActivated;
	"policy.approvals": PolicyApprovals;
	"policy.autonomy": PolicyAutonomy;
	"policy.correlation": PolicyCorrelation;
	"policy.limits": PolicyLimits;
	"policy.presence": PolicyPresence;
	"policy.robot": PolicyRobot;
	"policy.safe-stop": PolicySafeStop;
	"process.down": ProcessDown;
	"process.flapping": ProcessFlapping;
	"process.stopped": ProcessStopped;
	"process.up": ProcessUp;
	"quarantine.entry": QuarantineEntry;
	"quarantine.settled": QuarantineSettled;
	"quarantine.storm": QuarantineStorm;
	"reconciliation.made": ReconciliationMade;
	"service.down": ServiceDown;
	"service.stopped": ServiceStopped;
	"service.up": ServiceUp;
	"stop.order": StopOrder;
	"stop.released": StopReleased;
	"stop.requested": StopRequested;
}
