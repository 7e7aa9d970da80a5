// Decides what a person is shown first: one sentence, then what is troubled before what is well, never more than fits a screen.
import { type EngineState, openIncidents } from "../state.ts";
import {
	envelopeOf,
	gravest,
	hasTrouble,
	incidentRow,
	inOrder,
	isSilent,
	LEVELS,
	levelRow,
	lostNodes,
	nodeRows,
	SEVERITIES,
	type Seen,
	stopRows,
} from "./views.ts";

const NODES_MAX = 50;
const INCIDENTS_MAX = 20;
const NOTICES_MAX = 20;
const ACTIONS_MAX = 20;
const DAY_MS = 86_400_000;

const counted = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

const nodesSay = (total: number, silent: readonly string[]): string => {
	if (total === 0) return "no node is here yet";
	if (silent.length === 0) return total === 1 ? "its one node is here" : `all ${total} nodes are here`;
	return `${counted(silent.length, "node")} of ${total} ${silent.length === 1 ? "is" : "are"} silent: ${silent.slice(0, 3).join(", ")}`;
};

const stopsSay = (state: EngineState): string => {
	const stops = stopRows(state);
	const [first] = stops;
	if (first === undefined) return "";
	const verb = first.verb === "cut" ? "cut" : "stopped";
	return stops.length === 1 ? `${first.node} is ${verb} by ${first.by}. ` : `${stops.length} nodes are stopped, ${first.node} by ${first.by}. `;
};

const sentence = ({ state, notices }: Seen, total: number, silent: readonly string[]): string => {
	const open = openIncidents(state);
	const worst = gravest(open);
	const lost = lostNodes(state);
	if (worst !== undefined) {
		const doing = Object.values(state.actions).find((run) => run.incident === worst.id);
		const what = open.length === 1 ? `1 incident is open: ${worst.title}` : `${open.length} incidents are open, the gravest: ${worst.title}`;
		return doing === undefined ? `${what}.` : `${what}; ${doing.name} is under way.`;
	}
	if (lost.length > 0) return `${counted(lost.length, "node")} ${lost.length === 1 ? "is" : "are"} lost: ${lost.slice(0, 3).join(", ")}.`;
	return `${hasTrouble(notices) ? "No incident is open, but the mesh itself has trouble" : "Nothing is wrong"}: ${nodesSay(total, silent)}.`;
};

/** What became of the incidents that were over within a day. */
const lastDay = ({ state, wallMs }: Seen) => {
	const over = Object.values(state.incidents).filter(({ resolvedWallMs }) => resolvedWallMs !== undefined && wallMs - resolvedWallMs < DAY_MS);
	const repaired = over.filter(({ resolvedHow }) => resolvedHow === "repaired").length;
	return { repaired, cleared: over.length - repaired };
};

type NodeRow = ReturnType<typeof nodeRows>[number];

const nodeOfNow = ({ node, presence, connected, services, incidents, pulseAgeMs, metricsAgeMs, metrics, safety }: NodeRow) => ({
	node,
	presence,
	connected,
	...(safety === undefined ? {} : { safety }),
	...(pulseAgeMs === undefined ? {} : { pulseAgeMs }),
	...(metricsAgeMs === undefined ? {} : { metricsAgeMs }),
	...(metrics?.cpuRatio === undefined ? {} : { cpuRatio: metrics.cpuRatio }),
	...(metrics?.memoryUsedRatio === undefined ? {} : { memoryUsedRatio: metrics.memoryUsedRatio }),
	...(metrics?.diskUsedRatioMax === undefined ? {} : { diskUsedRatioMax: metrics.diskUsedRatioMax }),
	...(metrics?.temperatureMaxCelsius === undefined ? {} : { temperatureMaxCelsius: metrics.temperatureMaxCelsius }),
	services,
	incidents,
});

const isTroubled = (row: NodeRow): boolean => row.presence === "lost" || isSilent(row) || row.incidents.length > 0;

export const nowView = (seen: Seen) => {
	const { info, state, notices, wallMs } = seen;
	const open = openIncidents(state);
	const stops = stopRows(state);
	const nodes = nodeRows(seen);
	const silent = nodes.filter(isSilent).map(({ node }) => node);
	const troubledFirst = [...nodes].sort((left, right) => Number(isTroubled(right)) - Number(isTroubled(left)));
	return {
		...envelopeOf(seen, "orion.now/1"),
		mesh: info.mesh,
		sentence: `${stopsSay(state)}${sentence(seen, nodes.length, silent)}`,
		healthy: stops.length === 0 && open.length === 0 && lostNodes(state).length === 0 && silent.length === 0,
		level: state.level,
		levels: LEVELS.map((level) => levelRow(state.policy, level)),
		core: { code: info.code, upMs: Math.max(0, wallMs - info.startedWallMs), lag: Math.max(0, info.head - info.decidedUpTo), clock: state.clock.quality },
		policy: { hash: state.policyHash },
		stops: stops.slice(0, NODES_MAX),
		notices: notices.slice(0, NOTICES_MAX),
		nodes: { total: nodes.length, troubled: nodes.filter(isTroubled).length, rows: troubledFirst.slice(0, NODES_MAX).map(nodeOfNow) },
		incidents: {
			open: open.length,
			rows: [...open]
				.sort((left, right) => SEVERITIES.indexOf(right.severity) - SEVERITIES.indexOf(left.severity) || inOrder(left, right))
				.slice(0, INCIDENTS_MAX)
				.map((incident) => incidentRow(seen, incident)),
		},
		actions: Object.values(state.actions)
			.slice(0, ACTIONS_MAX)
			.map(({ id, name, node, args, incident, phase, requestedMs }) => ({
				id,
				name,
				node,
				args,
				incident,
				phase,
				forMs: Math.max(0, state.clock.engineMs - requestedMs),
			})),
		lastDay: lastDay(seen),
	};
};

export type NowView = ReturnType<typeof nowView>;
