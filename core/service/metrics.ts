// Decides what monitoring reads: the text that Prometheus understands, from what the desk knows, with labels that stay bounded.
import { isLive } from "../approvals/machine.ts";
import { openIncidents } from "../state.ts";
import { questionsOf } from "./approvals-desk.ts";
import type { Counts, Histogram, Tally } from "./tally.ts";
import { LEVELS, nodeRows, SEVERITIES, type Seen } from "./views.ts";

/** Without it Prometheus 3 refuses the scrape. */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Gauges of parts that this room does not know; one that is absent is not shown. */
export interface Gauges {
	readonly mqttClients?: () => number;
	readonly residentBytes?: () => number;
}

interface Sample {
	readonly suffix?: string;
	readonly labels?: Readonly<Record<string, string>>;
	readonly value: number;
}

type Kind = "counter" | "gauge" | "histogram";

/** Nodes that have gauges of their own. */
const NODES_MAX = 1_000;
/** States in which a node does nothing more of its own, until it or a person has seen to it. */
const SAFE_STATES: readonly string[] = ["stopped", "hold", "settling", "cut", "fault"];

const escaped = (value: string): string => value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

const sampleLine = (name: string, { suffix = "", labels = {}, value }: Sample): string => {
	const said = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
	return `${name}${suffix}${said.length === 0 ? "" : `{${said.join(",")}}`} ${value === Number.POSITIVE_INFINITY ? "+Inf" : String(value)}`;
};

const family = (name: string, kind: Kind, help: string, samples: readonly Sample[]): readonly string[] => [
	`# HELP ${name} ${help}`,
	`# TYPE ${name} ${kind}`,
	...samples.map((sample) => sampleLine(name, sample)),
];

const histogram = (name: string, help: string, { bounds, counts, sum }: Histogram): readonly string[] => {
	let below = 0;
	const buckets = counts.map((count, index): Sample => {
		below += count;
		return { suffix: "_bucket", labels: { le: index < bounds.length ? String(bounds[index]) : "+Inf" }, value: below };
	});
	return family(name, "histogram", help, [...buckets, { suffix: "_sum", value: sum }, { suffix: "_count", value: below }]);
};

const counted = (counts: Counts, one: string, other: string): readonly Sample[] =>
	[...counts].flatMap(([first, inner]) => [...inner].map(([second, value]) => ({ labels: { [one]: first, [other]: second }, value })));

const nodeFamilies = (seen: Seen): readonly string[] => {
	const rows = nodeRows(seen).slice(0, NODES_MAX);
	const each = (measure: (row: (typeof rows)[number]) => number | undefined): readonly Sample[] =>
		rows.flatMap((row) => {
			const value = measure(row);
			return value === undefined ? [] : [{ labels: { node: row.node }, value }];
		});
	return [
		...family(
			"orion_node_up",
			"gauge",
			"1 while the node is ready and its pulse is heard.",
			each((row) => Number(row.presence === "ready")),
		),
		...family(
			"orion_node_safe_mode",
			"gauge",
			"1 while the node is stopped and does nothing of its own.",
			each((row) => (row.safety === undefined ? undefined : Number(SAFE_STATES.includes(row.safety)))),
		),
		...family(
			"orion_edge_outbox_bytes",
			"gauge",
			"What the node keeps until core has it.",
			each((row) => row.outboxBytes),
		),
		...family(
			"orion_node_pulse_age_seconds",
			"gauge",
			"How long ago the newest pulse of the node was heard.",
			each((row) => (row.pulseAgeMs === undefined ? undefined : row.pulseAgeMs / 1_000)),
		),
	];
};

const approvalFamilies = ({ state }: Seen, { approvals, approvalWaits }: Tally): readonly string[] => [
	...family("orion_approvals_pending", "gauge", "Questions that wait for a person.", [
		{ value: questionsOf(state).filter(({ status }) => isLive(status)).length },
	]),
	...family(
		"orion_approval_outcomes_total",
		"counter",
		"How questions ended since core was started.",
		[...approvals].map(([outcome, value]) => ({ labels: { outcome }, value })),
	),
	...histogram("orion_approval_wait_seconds", "From the question to the answer of a person.", approvalWaits),
];

const coreFamilies = ({ info, state }: Seen, { mqttClients, residentBytes }: Gauges): readonly string[] => [
	...family("orion_build_info", "gauge", "The version that runs.", [{ labels: { version: info.code, commit: info.commit }, value: 1 }]),
	...family("orion_core_started_timestamp_seconds", "gauge", "When core was started.", [{ value: info.startedWallMs / 1_000 }]),
	...family(
		"orion_autonomy_level",
		"gauge",
		"1 for the level in force.",
		LEVELS.map((level) => ({ labels: { level }, value: Number(state.level === level) })),
	),
	...family("orion_log_head_position", "gauge", "Position of the newest record.", [{ value: info.head }]),
	...family("orion_log_appended_bytes_total", "counter", "Bytes written to the log since core was started.", [{ value: info.bytesAppended }]),
	...family("orion_engine_behind_records", "gauge", "Records that are not decided on yet.", [{ value: Math.max(0, info.head - info.decidedUpTo) }]),
	...(state.auditVerifiedWallMs === undefined
		? []
		: family("orion_audit_last_verified_timestamp_seconds", "gauge", "When the audit was last verified and found whole.", [
				{ value: state.auditVerifiedWallMs / 1_000 },
			])),
	...(mqttClients === undefined ? [] : family("orion_mqtt_clients", "gauge", "Connected MQTT clients.", [{ value: mqttClients() }])),
	...(residentBytes === undefined ? [] : family("process_resident_memory_bytes", "gauge", "Memory of the process of core.", [{ value: residentBytes() }])),
];

export const metricsText = (seen: Seen, tally: Tally, gauges: Gauges): string => {
	const open = openIncidents(seen.state);
	const lines = [
		...coreFamilies(seen, gauges),
		...family("orion_events_total", "counter", "Records that became durable since core was started.", counted(tally.events, "type", "node")),
		...family("orion_lost_records_total", "counter", "What loss records of this time account for.", [{ value: tally.lost }]),
		...family(
			"orion_incidents_open",
			"gauge",
			"Open incidents.",
			SEVERITIES.map((severity) => ({ labels: { severity }, value: open.filter((incident) => incident.severity === severity).length })),
		),
		...histogram("orion_decision_duration_seconds", "From a record being durable to the decision about it being durable.", tally.decisions),
		...family("orion_actions_running", "gauge", "Actions that are under way.", [{ value: Object.keys(seen.state.actions).length }]),
		...family("orion_action_outcomes_total", "counter", "How actions ended since core was started.", counted(tally.outcomes, "action", "outcome")),
		...approvalFamilies(seen, tally),
		...nodeFamilies(seen),
	];
	return `${lines.join("\n")}\n`;
};
