// Connects `orion incidents` and `orion incident show` to what core knows of them.
import { sayDuration } from "../../contracts/time.ts";
import type { IncidentAnswer } from "../../core/service/http-why.ts";
import type { IncidentRow, IncidentsView } from "../../core/service/views.ts";
import { gravityStyle } from "./colours.ts";
import { clockTime, plain, wrap } from "./layout.ts";
import type { Session } from "./session.ts";
import { gravest, incidentLines } from "./status.ts";

const PAGE = 500;

export const listIncidents = async (session: Session, options: { readonly all?: boolean }): Promise<number> => {
	const mesh = await session.mesh();
	const status = options.all === true ? "all" : "open";
	const rows: IncidentRow[] = [];
	let view = await session.waiting(() => "asking", mesh.get<IncidentsView>(`/state/incidents?status=${status}&limit=${PAGE}`));
	rows.push(...view.incidents);
	while (view.next !== null) {
		view = await mesh.get<IncidentsView>(`/state/incidents?status=${status}&limit=${PAGE}&after=${encodeURIComponent(view.next)}`);
		rows.push(...view.incidents);
	}
	if (session.json) {
		session.print({ ...view, incidents: rows, next: null });
		return 0;
	}
	const open = rows.filter((row) => row.status === "open");
	const first = gravest(open.length > 0 ? open : rows);
	if (first === undefined)
		session.say(
			options.all === true ? "no incidents in the last 24 hours" : `${session.paint.green("no open incidents")}; the ones that are over: orion incidents --all`,
		);
	else session.say([...incidentLines(session, rows), "", `${session.paint.dim("next:")} orion why ${first.id}`].join("\n"));
	return 0;
};

const told = ({ paint, width }: Session, { at, incident, timeline }: IncidentAnswer): readonly string[] => {
	const lines: string[] = [];
	if (incident !== undefined) {
		lines.push(wrap(`${paint.bold(plain(incident.title))}  ${paint.dim(incident.id)}`, width, ""));
		const facts = [
			gravityStyle(paint, incident.severity)(incident.severity),
			incident.status,
			`rule ${incident.rule}`,
			`since ${clockTime(incident.openedAt, at)}`,
		];
		if ("openForMs" in incident)
			facts.push(`${incident.status === "open" ? "open" : "was open"} for ${sayDuration(incident.openForMs)}`, `seen ${incident.count}x`);
		if (incident.reopened > 0) facts.push(`came back ${incident.reopened}x`);
		if (incident.resolvedHow !== undefined) facts.push(incident.resolvedHow === "repaired" ? "repaired" : "cleared by itself");
		lines.push(wrap(facts.join(paint.dim(" · ")), width, ""), "");
	}
	for (const row of timeline) {
		const begin = `${clockTime(row.at, at)}  ${`#${row.position}`.padEnd(8)}`;
		lines.push(`${paint.dim(begin)}${gravityStyle(paint, row.gravity)(wrap(plain(row.text), width, " ".repeat(begin.length)))}`);
	}
	if (incident !== undefined) lines.push("", `${paint.dim("next:")} orion why ${incident.id}`);
	return lines;
};

export const showIncident = async (session: Session, id: string): Promise<number> => {
	const mesh = await session.mesh();
	const answer = await session.waiting(() => "reading the log", mesh.get<IncidentAnswer>(`/state/incidents/${encodeURIComponent(id)}`));
	if (session.json) session.print(answer);
	else session.say(told(session, answer).join("\n"));
	return 0;
};
