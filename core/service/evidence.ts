// Connects an incident about a number to the measurements around it, drawn as a picture.
import { nodeOfSource } from "../../contracts/envelope.ts";
import { drawChart, type Point } from "./picture.ts";
import { sayBound, unitOf } from "./picture-scale.ts";
import type { CoreDesk } from "./ports.ts";

const PAGE_RECORDS = 500;
const PAGES_MAX = 8;
const POINTS_MAX = 240;

type EvidenceDesk = Pick<CoreDesk, "info" | "records" | "state">;

const LABELS: Readonly<Record<string, string>> = { diskUsedRatioMax: "fullest disk", memoryUsedRatio: "memory in use", temperatureMaxCelsius: "temperature" };

/** What an incident measures: the field and bound of its rule, or the value that an alert named. */
const measured = (desk: EvidenceDesk, incidentId: string) => {
	const { incidents, policy } = desk.state();
	const incident = incidents[incidentId];
	const rule = policy?.rules.find(({ id }) => id === incident?.rule);
	if (incident === undefined || rule === undefined) return undefined;
	if (rule.kind === "threshold" && rule.field !== undefined)
		return { incident, type: rule.on, field: rule.field, label: LABELS[rule.field] ?? rule.field, threshold: rule.above };
	const label = incident.key.split("/").at(-1) ?? "value";
	return rule.on === "dev.orion.alert.firing.v1" ? { incident, type: rule.on, field: "value", label, threshold: undefined } : undefined;
};

const minuteOf = ({ wallMs }: Point): string => new Date(wallMs).toISOString().slice(0, 16).replace("T", " ");

/** A PNG of the newest measurements; undefined where the incident has no number, or too few of them are on record. */
export const evidenceOf = async (desk: EvidenceDesk, incidentId: string): Promise<{ readonly png: Uint8Array; readonly caption: string } | undefined> => {
	const about = measured(desk, incidentId);
	if (about === undefined) return undefined;
	const { incident, type, field, label } = about;
	const { first, head } = desk.info();
	const points: Point[] = [];
	let { threshold } = about;
	for (let page = 0, to = head; page < PAGES_MAX && to >= first && points.length < POINTS_MAX; page++) {
		const from = Math.max(first, to - PAGE_RECORDS + 1);
		const records = await desk.records(from, to - from + 1);
		const found = records.flatMap(({ envelope }) => {
			const data = envelope.data as unknown as Readonly<Record<string, unknown>>;
			const value = data[field];
			const same = type !== "dev.orion.alert.firing.v1" || incident.key.endsWith(`/${String(data["name"])}`);
			if (envelope.type !== type || nodeOfSource(envelope.source) !== incident.node || typeof value !== "number" || !same) return [];
			if (typeof data["threshold"] === "number") threshold ??= data["threshold"];
			return [{ wallMs: Date.parse(envelope.recordedtime ?? envelope.time ?? ""), value }];
		});
		points.unshift(...found.filter(({ wallMs }) => Number.isFinite(wallMs)));
		to = from - 1;
	}
	const shown = points.slice(-POINTS_MAX);
	const [oldest, newest] = [shown[0], shown.at(-1)];
	if (oldest === undefined || newest === undefined || shown.length < 2) return undefined;
	const unit = unitOf(field);
	const title = `${label} of ${incident.node}`;
	const png = drawChart({ title, unit, points: shown, ...(threshold === undefined ? {} : { threshold }) });
	const bound = threshold === undefined ? "" : `, bound ${sayBound(threshold, unit)}`;
	const caption = `${title}${bound}: ${shown.length} measurements, ${minuteOf(oldest)} to ${minuteOf(newest)} UTC`;
	return png === undefined ? undefined : { png, caption };
};
