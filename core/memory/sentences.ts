// Decides how each record reads: one sentence for a person, and how grave it is.
import { type Envelope, nodeOfSource, type RecordType } from "../../contracts/envelope.ts";
import { sayDuration } from "../../contracts/time.ts";
import type { Severity } from "../policy.ts";

type Say<T extends RecordType> = (envelope: Extract<Envelope, { readonly type: T }>) => string;

/** Every type has its sentence: a new one breaks the build here. */
type Sentences = { readonly [T in RecordType]: Say<T> };

const simulated = (is: true | undefined): string => (is === true ? ", simulated" : "");
const because = (detail: string | undefined): string => (detail === undefined || detail === "" ? "" : `: ${detail}`);
const percent = (ratio: number): string => `${Math.round(ratio * 100)} %`;
const pairs = (args: Readonly<Record<string, unknown>>): string => {
	const said = Object.entries(args).map(([name, value]) => `${name} ${String(value)}`);
	return said.length === 0 ? "" : ` (${said.join(", ")})`;
};

const CAUSES = {
	exited: "it ended",
	killed: "it was killed",
	"not-started": "it could not be started",
	"gone-while-away": "it ended while its agent was away",
} as const;

const SETTLED = { taken: "had judged again, and it was taken,", duplicate: "had judged again, and it was known already,", dropped: "dropped" } as const;

const ENDS = {
	approved: "approved",
	denied: "denied",
	expired: "expired without an answer",
	superseded: "superseded",
	revoked: "withdrawn",
	void: "void",
} as const;

const SENTENCES: Sentences = {
	"dev.orion.action.asked.v1": ({ data }) => `${data.node} is asked what became of ${data.action} (${data.times}. time)`,
	"dev.orion.action.closed.v1": ({ data }) => `${data.action} ended ${data.end} after ${sayDuration(data.tookMs)}: ${data.detail}`,
	"dev.orion.action.dispatched.v1": ({ data }) => `${data.action} was signed for ${data.node}`,
	"dev.orion.action.receipt.v1": ({ data }) =>
		`${data.action}: ${data.phase}${because([data.reason, data.detail].filter(Boolean).join(": "))} (${data.command})`,
	"dev.orion.action.requested.v1": ({ data }) => `${data.name}${pairs(data.args)} on ${data.node} is to be done, attempt ${data.attempt} (${data.action})`,
	"dev.orion.action.undelivered.v1": ({ data }) => `${data.action} did not happen: ${data.why}`,
	"dev.orion.alert.firing.v1": ({ data }) => `alert ${data.name}: ${data.summary}`,
	"dev.orion.alert.resolved.v1": ({ data }) => `alert ${data.name} is over${because(data.summary)}`,
	"dev.orion.allowance.granted.v1": ({ data }) =>
		`${data.node} may do alone: ${
			Object.entries(data.left)
				.map(([row, uses]) => `${row} ${uses}x`)
				.join(", ") || "nothing"
		} (allowance ${data.number}, ${data.why})`,
	"dev.orion.alone.acted.v1": ({ data, source }) =>
		`${nodeOfSource(source) ?? source} did ${data.action}${pairs(data.args)} by itself: ${data.outcome}${because(data.detail)}; ${data.left} left`,
	"dev.orion.alone.ended.v1": ({ data, source }) =>
		`${nodeOfSource(source) ?? source} was alone for ${sayDuration(data.aloneMs)}: ${data.acted} done, ${data.refused} refused`,
	"dev.orion.alone.refused.v1": ({ data, source }) =>
		`${nodeOfSource(source) ?? source} did not do ${data.action}${pairs(data.args)} by itself: ${data.reason}`,
	"dev.orion.approval.closed.v1": ({ data }) =>
		`${data.approval} is ${ENDS[data.end]}${data.by === undefined ? "" : ` by ${data.by} (${data.via ?? "unknown"})`} after ${sayDuration(data.tookMs)}${because(data.why)}`,
	"dev.orion.approval.decided.v1": ({ data }) => `${data.by} says ${data.verdict} to ${data.approval} (${data.via})${because(data.why)}`,
	"dev.orion.approval.refused.v1": ({ data }) =>
		`${data.verdict} of ${data.by} (${data.via}) counts for nothing, ${data.reason}: ${data.detail} (${data.approval})`,
	"dev.orion.approval.requested.v1": ({ data }) => `may this run? ${data.plan}; ${sayDuration(data.decideWithinMs)} to decide (${data.approval})`,
	"dev.orion.approval.seen.v1": ({ data }) => `${data.by} looked at ${data.approval} (${data.via})`,
	"dev.orion.approval.undone.v1": ({ data }) => `${data.by} takes back what ${data.approval} allowed (${data.via})${because(data.why)}`,
	"dev.orion.breaker.closed.v1": ({ data }) => `the breaker of ${data.key} closed (${data.why})`,
	"dev.orion.breaker.opened.v1": ({ data }) => `the breaker of ${data.key} opened after ${data.failures} failed repairs in a row`,
	"dev.orion.chat.bound.v1": ({ data }) => `${data.name} (${data.channel} ${data.user}) may answer asks, invited by ${data.by}`,
	"dev.orion.chat.invited.v1": ({ data }) => `${data.by} invited somebody to answer asks on ${data.channel}, for ${sayDuration(data.forMs)}`,
	"dev.orion.chat.refused.v1": ({ data }) =>
		`${data.channel}: ${data.user === undefined ? "something" : `${data.name ?? "somebody"} (${data.user})`} did not count: ${data.reason}${data.count === undefined ? "" : `, after ${data.count} more`}`,
	"dev.orion.clock.tick.v1": ({ data }) => `clock: ${sayDuration(data.engineMs)} of engine time, ${data.quality}`,
	"dev.orion.decision.made.v1": ({ data }) => `${data.verdict.toUpperCase()}: ${data.why} (${data.decision})`,
	"dev.orion.engine.started.v1": ({ data }) =>
		`core ${data.code} started, term ${data.coreTerm.counter}, ${data.downtimeMs === null ? "downtime unknown" : `after ${sayDuration(data.downtimeMs)} of downtime`}`,
	"dev.orion.gadget.changed.v1": ({ data, source }) =>
		`${data.kind} ${data.gadget} of ${nodeOfSource(source) ?? source} is ${data.state}${data.rangeMm === undefined ? "" : `, ${data.rangeMm} mm`}${because(data.detail)}`,
	"dev.orion.hexapod.changed.v1": ({ data, source }) =>
		`${nodeOfSource(source) ?? source} is ${data.state}${data.before === undefined ? "" : ` after ${data.before}`}${because(data.cause)}${simulated(data.simulated)}`,
	"dev.orion.hexapod.pose.v1": ({ data, source }) =>
		`${nodeOfSource(source) ?? source} is ${data.state}, ${Math.round(data.travelled.pathMm)} mm walked${data.servoMv === undefined ? "" : `, ${Math.round(data.servoMv)} mV`}${simulated(data.simulated)}`,
	"dev.orion.host.metrics.v1": ({ data }) =>
		[
			data.cpuRatio === undefined ? undefined : `cpu ${percent(data.cpuRatio)}`,
			data.memoryUsedRatio === undefined ? undefined : `memory ${percent(data.memoryUsedRatio)}`,
			data.diskUsedRatioMax === undefined ? undefined : `fullest disk ${percent(data.diskUsedRatioMax)}`,
			data.temperatureMaxCelsius === undefined ? undefined : `${Math.round(data.temperatureMaxCelsius)} degrees Celsius`,
		]
			.filter((part) => part !== undefined)
			.join(", ") || `up for ${sayDuration(data.uptimeSeconds * 1_000)}`,
	"dev.orion.incident.opened.v1": ({ data }) => `incident opened: ${data.title} (${data.incident})`,
	"dev.orion.incident.reopened.v1": ({ data }) => `incident is open again, ${data.times}. time (${data.incident})`,
	"dev.orion.incident.resolved.v1": ({ data }) =>
		`incident resolved, ${data.how === "repaired" ? "repaired" : "cleared by itself"} after ${sayDuration(data.openMs)} (${data.incident})`,
	"dev.orion.incident.updated.v1": ({ data }) => `incident seen ${data.count} times, ${data.severity} (${data.incident})`,
	"dev.orion.lease.opened.v1": ({ data }) =>
		data.purpose === "sit"
			? `${data.holder} has ${data.node} sit down (${data.via})`
			: `${data.holder} may ${data.purpose} ${data.node}, at most ${sayDuration(data.bounds.timeMs)} and ${data.bounds.distanceMm} mm (${data.via})`,
	"dev.orion.lease.ended.v1": ({ data }) => `nobody holds ${data.node} any more (${data.why === "let-go" ? "let go" : "not renewed"})`,
	"dev.orion.level.answered.v1": ({ data }) => `the ask for another level (${data.ask}) was ${data.end}${data.by === undefined ? "" : ` by ${data.by}`}`,
	"dev.orion.level.asked.v1": ({ data }) => `${data.by} asks for level ${data.level} instead of ${data.before} (${data.ask})`,
	"dev.orion.level.set.v1": ({ data }) => `level set to ${data.level} by ${data.by}${because(data.why)}`,
	"dev.orion.log.gap.v1": ({ data }) => `${data.source} ${data.lane} ${data.fromSeq} to ${data.toSeq} never came (${data.why})`,
	"dev.orion.log.loss.v1": ({ data }) => `${data.count} lost (${data.what})${data.source === undefined ? "" : ` of ${data.source}`}: ${data.why}`,
	"dev.orion.node.about.v1": ({ data, source }) =>
		`${nodeOfSource(source) ?? source} offers ${data.actions.join(", ") || "no actions"}; supervises ${data.services.join(", ") || "nothing"}; agent ${data.version}`,
	"dev.orion.node.safety.v1": ({ data, source }) => {
		const held = data.latch?.orders.find(({ verb }) => verb === "cut") ?? data.latch?.orders[0];
		return `${nodeOfSource(source) ?? source} says that it is ${data.state}${held === undefined ? "" : `, ${held.verb === "cut" ? "cut" : "stopped"} by ${held.by}`}`;
	},
	"dev.orion.audit.verified.v1": ({ data }) =>
		data.good
			? `${data.by} had the audit verified: ${data.entryCount} entries are what was signed`
			: `${data.by} had the audit verified: it is NOT what was signed, from entry ${data.badPosition ?? 0} on`,
	"dev.orion.stop.requested.v1": ({ data }) => `${data.by} ordered ${data.verb} for ${data.node} (${data.via})`,
	"dev.orion.stop.released.v1": ({ data }) => `${data.by} released ${data.node} (${data.via})`,
	"dev.orion.node.added.v1": ({ data }) => `${data.client === true ? "client" : "node"} ${data.node} got a credential from ${data.by}`,
	"dev.orion.node.removed.v1": ({ data }) => {
		const many = data.certificates?.length ?? 0;
		const certificates = many === 0 ? "" : `, and ${many === 1 ? "its certificate counts" : `${many} certificates of it count`} no more`;
		return `node ${data.node} ${data.how === "revoked" ? "was revoked by" : "lost its credential through"} ${data.by}${certificates}`;
	},
	"dev.orion.node.silence.v1": ({ data }) => {
		if (data.found === "over") return `${data.node} is heard again, or its end was said otherwise`;
		const why = data.parent === undefined ? `${data.missed} pulses in a row are missing` : `nothing is heard through ${data.parent}`;
		return `${data.node} is ${data.found}: ${why}`;
	},
	"dev.orion.node.state.v1": ({ data, source }) => `${nodeOfSource(source) ?? source} is ${data.state}`,
	"dev.orion.outcome.failed.v1": ({ data }) => `${data.action} did not help: ${data.why}`,
	"dev.orion.outcome.undone.v1": ({ data }) => `${data.action} ${data.how}: ${data.detail}`,
	"dev.orion.outcome.verified.v1": ({ data }) => `${data.action} verified: the symptom cleared and stayed clear for ${sayDuration(data.clearForMs)}`,
	"dev.orion.outcome.verifying.v1": ({ data }) =>
		`${data.action} is done; the symptom must stay clear for ${sayDuration(data.clearForMs)} within ${sayDuration(data.withinMs)}`,
	"dev.orion.person.asked.v1": ({ data }) => `a person is asked: ${data.why}`,
	"dev.orion.policy.activated.v1": ({ data }) => `policy ${data.hash.slice(7, 15)} is in force`,
	"dev.orion.process.down.v1": ({ data }) => {
		const how = data.signal ?? (data.exitCode === undefined ? CAUSES[data.cause] : `exit code ${data.exitCode}`);
		return `${data.service} is down, ${how}${because(data.detail)}`;
	},
	"dev.orion.process.flapping.v1": ({ data }) => `${data.service} ended ${data.downs} times in ${sayDuration(data.windowMs)}`,
	"dev.orion.process.stopped.v1": ({ data }) => `${data.service} was stopped on purpose (${data.why})`,
	"dev.orion.process.up.v1": ({ data }) => `${data.service} runs${data.how === "running" ? "" : `, ${data.how}`}, pid ${data.pid}`,
	"dev.orion.reconciliation.made.v1": ({ data }) =>
		`${data.node} is back after ${sayDuration(data.aloneMs)} alone: ${data.acted.length} done, ${data.refused.length} refused, ${data.incidents.length} incidents`,
	"dev.orion.quarantine.entry.v1": ({ data }) => `a message of ${data.identity} went into quarantine: ${data.detail}`,
	"dev.orion.quarantine.settled.v1": ({ data }) =>
		`${data.by} ${SETTLED[data.how]} the message of #${data.entryPosition} in quarantine${data.position === undefined ? "" : `: #${data.position}`}${because(data.why)}`,
	"dev.orion.quarantine.storm.v1": ({ data }) => `${data.count} more bad messages of ${data.identity} in ${sayDuration(data.windowMs)} were not kept`,
	"dev.orion.service.down.v1": ({ data }) =>
		`${data.service} (${data.runtime}) is ${data.state}${data.exitCode === undefined ? "" : `, exit code ${data.exitCode}`}${because(data.detail)}`,
	"dev.orion.service.stopped.v1": ({ data }) => `${data.service} (${data.runtime}) was stopped on purpose (${data.why})`,
	"dev.orion.service.up.v1": ({ data }) => `${data.service} (${data.runtime}) is ${data.state}`,
};

/** One sentence for a person. A type of another version of this code is named, not guessed at. */
export const sayRecord = (envelope: Envelope): string => {
	const say = (SENTENCES as Readonly<Record<string, Say<RecordType> | undefined>>)[envelope.type];
	return say === undefined ? `a record of type ${envelope.type}` : say(envelope);
};

type Gravity = Severity | "good";

const GRAVITY: Readonly<Partial<Record<RecordType, Gravity>>> = {
	"dev.orion.action.undelivered.v1": "warning",
	"dev.orion.alert.resolved.v1": "good",
	"dev.orion.alone.acted.v1": "warning",
	"dev.orion.alone.refused.v1": "warning",
	"dev.orion.approval.refused.v1": "warning",
	"dev.orion.approval.requested.v1": "warning",
	"dev.orion.breaker.closed.v1": "good",
	"dev.orion.breaker.opened.v1": "error",
	"dev.orion.chat.refused.v1": "warning",
	"dev.orion.incident.resolved.v1": "good",
	"dev.orion.log.gap.v1": "warning",
	"dev.orion.log.loss.v1": "error",
	"dev.orion.outcome.failed.v1": "error",
	"dev.orion.outcome.undone.v1": "warning",
	"dev.orion.outcome.verified.v1": "good",
	"dev.orion.person.asked.v1": "error",
	"dev.orion.process.down.v1": "error",
	"dev.orion.process.flapping.v1": "warning",
	"dev.orion.process.up.v1": "good",
	"dev.orion.quarantine.entry.v1": "warning",
	"dev.orion.quarantine.storm.v1": "warning",
	"dev.orion.service.down.v1": "error",
	"dev.orion.service.up.v1": "good",
};

const SILENCE_GRAVITY = { suspect: "warning", unreachable: "warning", lost: "error", over: "good" } as const;

/** How grave a record is: as it says itself, else as its type is. */
export const gravityOf = (envelope: Envelope): Gravity => {
	if (envelope.type === "dev.orion.node.state.v1") return envelope.data.state === "lost" ? "error" : "info";
	if (envelope.type === "dev.orion.audit.verified.v1") return envelope.data.good ? "good" : "critical";
	if (envelope.type === "dev.orion.node.silence.v1") return SILENCE_GRAVITY[envelope.data.found];
	if (envelope.type === "dev.orion.action.receipt.v1") return ["refused", "failed", "unknown"].includes(envelope.data.phase) ? "error" : "info";
	const fixed = GRAVITY[envelope.type];
	return fixed ?? ("severity" in envelope.data && envelope.data.severity !== undefined ? envelope.data.severity : "info");
};
