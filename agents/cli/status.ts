// Decides how `orion status` and `orion node ls` read: one sentence about now, the nodes as they measure themselves, what is open and under way.
import { sayDuration } from "../../contracts/time.ts";
import type { StatusView } from "../../core/service/views.ts";
import { gravityStyle, phaseStyle, presenceStyle, verdictStyle } from "./colours.ts";
import { type Cell, type Column, gigabytes, grouped, percent, plain, sizeOf, table, wrap } from "./layout.ts";
import type { Session } from "./session.ts";

type NodeRow = StatusView["nodes"][number];
type IncidentRows = StatusView["incidents"]["rows"];

const UNHEALTHY = 9;

const NODE_COLUMNS: readonly Column[] = [
	{ title: "NODE" },
	{ title: "PRESENCE" },
	{ title: "PULSE", right: true },
	{ title: "CPU", right: true },
	{ title: "MEMORY", right: true },
	{ title: "DISK", right: true },
	{ title: "WRITTEN A DAY", right: true, spare: true },
	{ title: "TEMP", right: true, spare: true },
	{ title: "SERVICES", flexible: true },
];

const memoryOf = ({ metrics }: NodeRow): string => {
	const { memoryTotalBytes, memoryAvailableBytes } = metrics ?? {};
	if (memoryTotalBytes === undefined || memoryAvailableBytes === undefined) return "";
	return `${gigabytes(memoryTotalBytes - memoryAvailableBytes)}/${gigabytes(memoryTotalBytes)} GB`;
};

const diskOf = ({ metrics }: NodeRow): string => {
	const fullest = [...(metrics?.disks ?? [])].sort((left, right) => right.usedRatio - left.usedRatio)[0];
	return fullest === undefined ? "" : `${percent(fullest.usedRatio)} ${plain(fullest.mount)}`;
};

const temperatureOf = ({ metrics }: NodeRow): string => (metrics?.temperatureMaxCelsius === undefined ? "" : `${Math.round(metrics.temperatureMaxCelsius)} °C`);

const nodeCells = ({ paint }: Session, row: NodeRow): readonly Cell[] => {
	const { presence } = row;
	const services = row.services
		.map(({ service, incident, unreachable }) => `${service}${unreachable === true ? "?" : ""}${incident === undefined ? "" : "!"}`)
		.join(", ");
	const troubled = row.services.some(({ incident }) => incident !== undefined);
	return [
		{ text: row.node },
		{ text: presence, paint: presenceStyle(paint, presence) },
		{ text: row.pulseAgeMs === undefined ? "" : sayDuration(row.pulseAgeMs) },
		{ text: row.metrics?.cpuRatio === undefined ? "" : percent(row.metrics.cpuRatio) },
		{ text: memoryOf(row) },
		{ text: diskOf(row) },
		{ text: row.outboxDailyBytes === undefined ? "" : sizeOf(row.outboxDailyBytes) },
		{ text: temperatureOf(row) },
		{ text: services, ...(troubled ? { paint: paint.red } : {}) },
	];
};

const nodeLines = (session: Session, nodes: StatusView["nodes"]): readonly string[] =>
	nodes.length === 0
		? ["no nodes yet; add one with: orion node add NAME"]
		: [
				...table(
					NODE_COLUMNS,
					nodes.map((row) => nodeCells(session, row)),
					session.width,
					session.paint.dim,
				),
				...(nodes.some((row) => row.services.some(({ incident }) => incident !== undefined)) ? [session.paint.dim("! has an open incident")] : []),
				...(nodes.some((row) => row.services.some(({ unreachable }) => unreachable))
					? [session.paint.dim("? cannot be reached: up or down is not known")]
					: []),
			];

const INCIDENT_COLUMNS: readonly Column[] = [
	{ title: "INCIDENT" },
	{ title: "SEVERITY" },
	{ title: "WHAT", flexible: true },
	{ title: "SINCE", right: true },
	{ title: "HAPPENED", right: true, spare: true },
	{ title: "ANSWER" },
];

/** What the mesh does about it, in a word or two. */
const answerOf = (row: IncidentRows[number]): string => {
	if (row.status === "resolved") return row.resolvedHow === "repaired" ? "repaired" : "cleared by itself";
	if (row.action !== undefined) return row.action.phase === "verifying" ? "verifying" : `${row.action.name} ${row.action.phase}`;
	if (row.decision === undefined) return "";
	const { verdict, action = "", blockedBy } = row.decision;
	const said: Readonly<Record<string, string>> = {
		act: action,
		would: `would ${action}`,
		wait: `waits (${blockedBy})`,
		ask: "needs a person",
		refused: `${action} refused`,
		nothing: "no remedy",
	};
	return said[verdict] ?? verdict;
};

const SEVERITIES: readonly string[] = ["info", "warning", "error", "critical"];

/** The one to look at first. */
export const gravest = (rows: IncidentRows): IncidentRows[number] | undefined =>
	[...rows].sort((left, right) => SEVERITIES.indexOf(right.severity) - SEVERITIES.indexOf(left.severity))[0];

export const incidentLines = ({ paint, width }: Session, rows: IncidentRows): readonly string[] =>
	table(
		INCIDENT_COLUMNS,
		rows.map((row) => [
			{ text: row.id },
			{ text: row.severity, paint: gravityStyle(paint, row.severity) },
			{ text: plain(row.title) },
			{ text: row.status === "open" ? sayDuration(row.openForMs) : `${sayDuration(row.openForMs)}, over` },
			{ text: row.reopened === 0 ? `${row.count}x` : `${row.count}x, again ${row.reopened}x` },
			{ text: answerOf(row), paint: row.status === "resolved" ? paint.green : verdictStyle(paint, row.decision?.verdict ?? "") },
		]),
		width,
		paint.dim,
	);

const REDIS_SAYS = { connecting: "being looked for", mirroring: "has a copy of every record", away: "cannot be reached", refused: "gets nothing" } as const;

const redisLine = ({ paint }: Session, { redis }: StatusView): readonly string[] => {
	if (redis === undefined) return [];
	const lag = redis.lag > 100 ? `, ${grouped(redis.lag)} behind` : "";
	const says = `Redis ${plain(redis.url)} ${REDIS_SAYS[redis.state]}${lag}`;
	return [redis.state === "mirroring" ? paint.dim(says) : paint.yellow(says)];
};

const written = (bytesPerDay: number | undefined): string => (bytesPerDay === undefined ? "" : `, ${sizeOf(bytesPerDay)} written a day`);

/** Why nothing is heard of a broker, and what to do about it. */
const silence = (broker: string, redis: StatusView["redis"]): string =>
	redis !== undefined && redis.state !== "mirroring"
		? "it is heard through Redis only; what its nodes say is on its own disk"
		: `what its nodes say is on its own disk. Look there: does orion broker run as ${broker}, does it reach Redis, and does Redis still know its user (ACL LIST)?`;

const brokerLines = ({ paint, width }: Session, { brokers = [], redis }: StatusView): readonly string[] =>
	brokers.map(({ broker, state, lag, nodes, silentMs, full, bytesPerDay }) => {
		const since = silentMs === undefined ? "" : ` for ${sayDuration(silentMs)}`;
		const behind = lag > 0 ? `, ${grouped(lag)} records of it are not here yet` : "";
		const says = `broker ${broker} is ${state === "never heard" ? "not heard of yet" : state}${since}${state === "here" ? `, ${nodes.length} nodes` : ""}${behind}`;
		if (full === true)
			return paint.red(wrap(`${says}, and its disk is full: it thanks nobody, and its nodes keep what they have. Free some space there`, width, "  "));
		return state === "here" ? paint.dim(`${says}${written(bytesPerDay)}`) : paint.yellow(wrap(`${says}: ${silence(broker, redis)}`, width, "  "));
	});

const headLines = (session: Session, status: StatusView): readonly string[] => {
	const { paint, width } = session;
	const { core } = status;
	const lag = core.lag > 100 ? paint.yellow(`, ${grouped(core.lag)} behind`) : "";
	const healthy = status.healthy ? paint.green : paint.red;
	return [
		wrap(`${paint.bold(status.mesh)}  level ${paint.bold(status.level)}: ${status.levelSays}`, width, "  "),
		healthy(wrap(plain(status.sentence), width, "  ")),
		paint.dim(
			wrap(
				`core ${core.code}, term ${core.term.counter}, up ${sayDuration(core.upMs)}, ${grouped(core.head)} records${written(core.bytesPerDay)}, policy ${status.policy.hash.slice(7, 15)}`,
				width,
				"  ",
			),
		) + lag,
		...redisLine(session, status),
		...brokerLines(session, status),
		...status.stops.map((stop) =>
			paint.red(
				wrap(
					`${stop.node} is ${stop.verb === "cut" ? "cut" : "stopped"} by ${plain(stop.by)} (${stop.via})${stop.said ? "" : ", and has not said so"}: orion release ${stop.node}${stop.verb === "cut" ? " --local" : ""}`,
					width,
					"  ",
				),
			),
		),
		...status.notices.map(({ severity, text }) => gravityStyle(paint, severity)(wrap(`${severity}: ${plain(text)}`, width, "  "))),
	];
};

export const showStatus = async (session: Session, options: { readonly exitCode?: boolean }): Promise<number> => {
	const mesh = await session.mesh();
	const status = await session.waiting(() => "asking", mesh.get<StatusView>("/state/status"));
	const code = options.exitCode === true && !status.healthy ? UNHEALTHY : 0;
	if (session.json) {
		session.print(status);
		return code;
	}
	const { paint } = session;
	const { rows, open } = status.incidents;
	const first = gravest(rows);
	const lines = [...headLines(session, status), "", ...nodeLines(session, status.nodes)];
	if (status.nodesTotal > status.nodes.length) lines.push(paint.dim(`and ${status.nodesTotal - status.nodes.length} more: orion node ls`));
	if (rows.length > 0) lines.push("", ...incidentLines(session, rows));
	if (open > rows.length) lines.push(paint.dim(`and ${open - rows.length} more: orion incidents`));
	for (const action of status.actions)
		lines.push("", `${phaseStyle(paint, action.phase)(action.phase)}  ${action.name} on ${action.node} for ${sayDuration(action.forMs)} (${action.id})`);
	if (first !== undefined) lines.push("", `${paint.dim("next:")} orion why ${first.id}`);
	session.say(lines.join("\n"));
	return code;
};
