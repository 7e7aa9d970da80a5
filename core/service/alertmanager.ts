// Decides what an alert of Alertmanager or Grafana means here: one event each, the same bytes for the same alert, whatever else stands around it.
import { canonicalText, sha256Hex } from "../../contracts/digest.ts";
import { type Fault, fail, fault } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";
import { isoTime } from "../../contracts/time.ts";

type Fields = Readonly<Record<string, unknown>>;

export interface TakenAlert {
	readonly status: "firing" | "resolved";
	/** Unique per alert: two instances of one rule are two incidents. */
	readonly name: string;
	/** When it began, as its sender says; the same alert keeps it until it is over. */
	readonly startsAt: string;
	readonly event: Readonly<Record<string, unknown>>;
}

export type ReadAlert = { readonly ok: true; readonly alert: TakenAlert } | { readonly ok: false; readonly fault: Fault; readonly raw: unknown };

const ALERTS_MAX = 512;
const NAME_LENGTH_MAX = 48;
const LABELS_MAX = 32;
const LABEL_LENGTH_MAX = 128;
const VALUE_LENGTH_MAX = 1_024;
const SUMMARY_LENGTH_MAX = 2_000;

const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);
const textOf = (value: unknown): string | undefined => (typeof value === "string" && value.trim() !== "" ? value.trim() : undefined);

/** What others call a severity; what is not known is a warning. */
const SEVERITIES: Readonly<Record<string, "info" | "warning" | "error" | "critical">> = {
	info: "info",
	information: "info",
	informational: "info",
	none: "info",
	low: "info",
	warning: "warning",
	warn: "warning",
	minor: "warning",
	medium: "warning",
	error: "error",
	err: "error",
	high: "error",
	major: "error",
	critical: "critical",
	crit: "critical",
	page: "critical",
	emergency: "critical",
	fatal: "critical",
};

const severityOf = (labels: Fields): string => {
	const said = String(labels["severity"] ?? labels["priority"] ?? "").toLowerCase();
	return Object.hasOwn(SEVERITIES, said) ? (SEVERITIES[said] ?? "warning") : "warning";
};

const labelsOf = (labels: Fields): Readonly<Record<string, string>> =>
	Object.fromEntries(
		Object.entries(labels)
			.filter(([, value]) => ["string", "number", "boolean"].includes(typeof value))
			.sort(([left], [right]) => (left < right ? -1 : 1))
			.slice(0, LABELS_MAX)
			.map(([label, value]) => [label.slice(0, LABEL_LENGTH_MAX), String(value).slice(0, VALUE_LENGTH_MAX)]),
	);

const nameOf = (alertname: string, fingerprint: string): string => {
	const slug = alertname
		.replaceAll(/[^A-Za-z0-9._-]+/g, "-")
		.replaceAll(/^[^A-Za-z0-9]+|-+$/g, "")
		.slice(0, NAME_LENGTH_MAX);
	return `${slug === "" ? "alert" : slug}.${sha256Hex(fingerprint).slice(0, 8)}`;
};

const summaryOf = (annotations: Fields, labels: Fields, alertname: string): string => {
	const said = ["summary", "message", "title", "description"].map((field) => textOf(annotations[field])).find((text) => text !== undefined) ?? alertname;
	const instance = textOf(labels["instance"]);
	return (instance === undefined || said.includes(instance) ? said : `${said} (${instance})`).slice(0, SUMMARY_LENGTH_MAX);
};

/** The first number that Grafana measured. */
const measuredOf = (values: unknown): number | undefined =>
	isFields(values) ? Object.values(values).find((value): value is number => typeof value === "number" && Number.isFinite(value)) : undefined;

/** RFC 3339 in UTC; empty for what is no time, or Go's zero. */
const timeOf = (value: unknown): string => {
	const wallMs = typeof value === "string" ? Date.parse(value) : Number.NaN;
	return Number.isFinite(wallMs) && wallMs > 0 ? isoTime(wallMs) : "";
};

const statusOf = (alert: Fields, payload: Fields): "firing" | "resolved" => ((alert["status"] ?? payload["status"]) === "resolved" ? "resolved" : "firing");

const takenFrom = (alert: Fields, payload: Fields, host: string): TakenAlert => {
	const labels = isFields(alert["labels"]) ? alert["labels"] : {};
	const annotations = isFields(alert["annotations"]) ? alert["annotations"] : {};
	const alertname = textOf(labels["alertname"]) ?? textOf(payload["title"]) ?? "alert";
	const fingerprint = textOf(alert["fingerprint"]) ?? sha256Hex(canonicalText(labelsOf(labels)));
	const status = statusOf(alert, payload);
	const startsAt = timeOf(alert["startsAt"]);
	const value = measuredOf(alert["values"]);
	const name = nameOf(alertname, fingerprint);
	const data = {
		name,
		severity: severityOf(labels),
		summary: summaryOf(annotations, labels, alertname),
		labels: labelsOf(labels),
		...(value === undefined ? {} : { value }),
	};
	const at = status === "resolved" ? timeOf(alert["endsAt"]) || startsAt : startsAt;
	const event = {
		specversion: "1.0",
		// Made from what it says and nothing else: sent again it is the same message, and the log knows that.
		id: `alert-${sha256Hex(canonicalText({ fingerprint, startsAt, status, data })).slice(0, 32)}`,
		source: `/nodes/${host}.alertmanager`,
		type: `dev.orion.alert.${status}.v1`,
		subject: name,
		...(at === "" ? {} : { time: at }),
		data,
	};
	return { status, name, startsAt, event };
};

export interface AlertsRead {
	readonly alerts: readonly ReadAlert[];
	/** Alerts that the sender left out of its message. */
	readonly leftOut: number;
}

/** Unknown fields are passed over; what is needed and missing has a default. Faults: CONTRACT_VIOLATED. */
export const readAlerts = (payload: unknown, host: string): Result<AlertsRead> => {
	const violated = (pointer: string, detail: string) => fail("CONTRACT_VIOLATED", { schema: "Alertmanager webhook", pointer, detail });
	if (!isFields(payload)) return violated("", "must be an object");
	const { alerts, truncatedAlerts } = payload;
	if (!Array.isArray(alerts)) return violated("/alerts", "must be a list of alerts");
	if (alerts.length > ALERTS_MAX) return violated("/alerts", `must have at most ${ALERTS_MAX} alerts; set max_alerts or group by more labels`);
	return ok({
		alerts: alerts.map((raw: unknown, index): ReadAlert => {
			if (isFields(raw)) return { ok: true, alert: takenFrom(raw, payload, host) };
			return {
				ok: false,
				raw,
				fault: fault("CONTRACT_VIOLATED", { schema: "Alertmanager webhook", pointer: `/alerts/${index}`, detail: "must be an object" }),
			};
		}),
		leftOut: typeof truncatedAlerts === "number" && truncatedAlerts > 0 ? Math.floor(truncatedAlerts) : 0,
	});
};
