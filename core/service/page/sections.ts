// Decides how nodes, level, history and the latched stops are shown.
import type { HistoryView, Latch, NodeRow, NowView } from "./answers.ts";
import { byId, code, el, keepRows, setText, show } from "./element.ts";
import { age, clock } from "./times.ts";

const percent = (ratio: number): string => `${Math.round(ratio * 100)}\u00a0%`;

const measured = ({ cpuRatio, memoryUsedRatio, diskUsedRatioMax, temperatureMaxCelsius }: NodeRow): string =>
	[
		cpuRatio === undefined ? undefined : `cpu ${percent(cpuRatio)}`,
		memoryUsedRatio === undefined ? undefined : `memory ${percent(memoryUsedRatio)}`,
		diskUsedRatioMax === undefined ? undefined : `fullest disk ${percent(diskUsedRatioMax)}`,
		temperatureMaxCelsius === undefined ? undefined : `${Math.round(temperatureMaxCelsius)}\u00a0°C`,
	]
		.filter((part) => part !== undefined)
		.join(", ");

const PRESENCE_CLASS: Readonly<Record<string, string>> = { ready: "good", lost: "bad", suspect: "warn", unreachable: "warn", disconnected: "warn" };

const nodeCard = (row: NodeRow, atMs: number): HTMLElement => {
	const heardMs = row.pulseAgeMs ?? row.metricsAgeMs;
	const services = row.services.map(({ service, incident, unreachable }) =>
		incident === undefined ? `${service}${unreachable === true ? " (unreachable)" : ""}` : `${service} (trouble)`,
	);
	const values = measured(row);
	return el(
		"li",
		{
			class: `card ${row.presence === "lost" ? "bad" : row.incidents.length > 0 || row.presence === "suspect" || row.presence === "unreachable" ? "warn" : ""}`,
		},
		el("h3", {}, row.node, " ", el("span", { class: `badge ${PRESENCE_CLASS[row.presence] ?? "dim"}` }, row.presence)),
		el("p", { class: "dim" }, heardMs === undefined ? "never heard" : age(heardMs, atMs, "heard ", " ago"), row.safety === undefined ? "" : `, ${row.safety}`),
		services.length === 0 ? undefined : el("p", {}, `runs ${services.join(", ")}`),
		values === "" ? undefined : el("p", { class: "dim" }, values),
	);
};

export const showNodes = ({ nodes }: NowView, atMs: number): void => {
	keepRows(
		byId("nodes"),
		nodes.rows,
		(row) => row.node,
		// Each answer brings new ages: nodes hold nothing that could have the focus, so they are made anew.
		(row) => JSON.stringify(row),
		(row) => nodeCard(row, atMs),
		() => el("li", { class: "dim" }, "No node yet. Add one with ", code("orion node add NAME")),
	);
	setText(byId("nodes-more"), nodes.total > nodes.rows.length ? `and ${nodes.total - nodes.rows.length} more: orion node ls` : "");
};

/** Why somebody would be at this level, and how to leave it; raising is done where a person proves who he is. */
const LEVEL_HINTS = {
	N0: "it observes, and says what it would do",
	N2: "it repairs what is safe to repair",
	N3: "as N2, and asks you before anything risky",
} as const;

export const showLevel = ({ level, levels }: NowView): void => {
	setText(byId("level-short"), `level ${level}`);
	const rows = levels.flatMap((row) => {
		const current = row.level === level;
		const label = el("dt", { class: current ? "current" : undefined }, row.level);
		const text = el(
			"dd",
			{ class: current ? "current" : undefined },
			current ? "now: " : "",
			`${LEVEL_HINTS[row.level]}; ${row.says}. `,
			current ? undefined : code(`orion level ${row.level}`),
		);
		return [label, text];
	});
	const list = byId("level");
	const sign = JSON.stringify([level, levels]);
	if (list.dataset["sign"] === sign) return;
	list.dataset["sign"] = sign;
	list.replaceChildren(...rows);
};

export const showHistory = ({ rows }: HistoryView): void =>
	keepRows(
		byId("history"),
		rows,
		({ position }) => String(position),
		({ position }) => String(position),
		({ at, text, gravity, node, position }) =>
			el(
				"li",
				{},
				el("time", { datetime: at, title: `record ${position}` }, clock(at)),
				el(
					"span",
					{ class: gravity === "info" ? undefined : gravity },
					gravity === "info" || gravity === "good" ? "" : `${gravity}: `,
					`${text}`,
					node === "core" ? "" : ` [${node}]`,
				),
			),
		() => el("li", { class: "dim" }, "Nothing has happened yet."),
	);

export const showStops = (stops: readonly Latch[]): void => {
	const banner = byId("stopped");
	const lines = stops.map(
		({ node, verb, by, at, said }) => `${verb === "cut" ? "CUT" : "STOPPED"}: ${node}, by ${by} at ${clock(at)}${said ? "" : "; the node has NOT said so yet"}`,
	);
	setText(banner, lines.length === 0 ? "" : `${lines.join("\n")}\nIt stays so until a person releases it: orion release NODE`);
	show(banner, lines.length > 0);
};

export const showNotices = ({ notices }: NowView): void =>
	keepRows(
		byId("notices"),
		notices,
		({ text }) => text,
		({ severity, text }) => severity + text,
		({ severity, text }) => el("li", { class: severity }, `${severity}: ${text}`),
	);
