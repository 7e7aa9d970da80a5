// Decides how each record reads: one sentence for a person, and how grave it is.
import { type Envelope, nodeOfSource, type RecordType } from "../../contracts/envelope.ts";
import { sayDuration } from "../../contracts/time.ts";
import type { Severity } from "../policy.ts";

type Say<T extends RecordType> = (envelope: Extract<Envelope, { readonly type: T }>) => string;

/** Every type has its sentence: a new one breaks the build here. */
type Sentences = { readonly [T in RecordType]: Say<T> };

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
	"dev.orion.clock.tick.v1": ({ data }) => `clock: ${sayDuration(data.engineMs)} of engine time, ${data.quality}`,
	"dev.orion.decision.made.v1": ({ data }) => `${data.verdict.toUpperCase()}: ${data.why} (${data.decision})`,
	"dev.orion.engine.started.v1": ({ data }) =>
		`core ${data.code} started, term ${data.coreTerm.counter}, ${data.downtimeMs === null ? "downtime unknown" : `after ${sayDuration(data.downtimeMs)} of downtime`}`,
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
	"dev.orion.level.set.v1": ({ data }) => `level set to ${data.level} by ${data.by}${because(data.why)}`,
	"dev.orion.log.gap.v1": ({ data }) => `${data.source} ${data.lane} ${data.fromSeq} to ${data.toSeq} never came (${data.why})`,
	"dev.orion.log.loss.v1": ({ data }) => `${data.count} lost (${data.what})${data.source === undefined ? "" : ` of ${data.source}`}: ${data.why}`,
	"dev.orion.node.about.v1": ({ data, source }) =>
		`${nodeOfSource(source) ?? source} offers ${data.actions.join(", ") || "no actions"}; supervises ${data.services.join(", ") || "nothing"}; agent ${data.version}`,
	"dev.orion.node.added.v1": ({ data }) => `node ${data.node} got a credential from ${data.by}`,
	"dev.orion.node.removed.v1": ({ data }) => `node ${data.node} lost its credential through ${data.by}`,
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
	"dev.orion.quarantine.entry.v1": ({ data }) => `a message of ${data.identity} went into quarantine: ${data.detail}`,
	"dev.orion.quarantine.storm.v1": ({ data }) => `${data.count} more bad messages of ${data.identity} in ${sayDuration(data.windowMs)} were not kept`,
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
	"dev.orion.approval.refused.v1": "warning",
	"dev.orion.approval.requested.v1": "warning",
	"dev.orion.breaker.closed.v1": "good",
	"dev.orion.breaker.opened.v1": "error",
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
};

/** How grave a record is: as it says itself, else as its type is. */
export const gravityOf = (envelope: Envelope): Gravity => {
	if (envelope.type === "dev.orion.node.state.v1") return envelope.data.state === "lost" ? "error" : "info";
	if (envelope.type === "dev.orion.action.receipt.v1") return ["refused", "failed", "unknown"].includes(envelope.data.phase) ? "error" : "info";
	const fixed = GRAVITY[envelope.type];
	return fixed ?? ("severity" in envelope.data && envelope.data.severity !== undefined ? envelope.data.severity : "info");
};
