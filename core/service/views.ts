// Decides what the API shows of the mesh: pure functions from what the desk knows to versioned JSON shapes.

import { type Presence, presenceOf } from "../guardian/presence.ts";
import { stoppedBy } from "../guardian/stops.ts";
import type { GateVerdict, Level, Policy, Risk } from "../policy.ts";
import { type EngineState, type Incident, type NodeView, openIncidents } from "../state.ts";
import { credentialView } from "./node-credential.ts";
import type { CoreInfo, KnownNode, LiveNode, LogRecord, Notice } from "./ports.ts";
import { bytesPerDay } from "./wear.ts";

/** What one answer is made from, taken at one moment. */
export interface Seen {
	readonly info: CoreInfo;
	readonly state: EngineState;
	readonly live: readonly LiveNode[];
	readonly known: readonly KnownNode[];
	readonly notices: readonly Notice[];
	readonly wallMs: number;
}

const STATUS_NODES_MAX = 200;
export const SEVERITIES = ["info", "warning", "error", "critical"] as const;

const iso = (wallMs: number): string => new Date(wallMs).toISOString();
export const envelopeOf = (seen: Seen, schema: string) => ({ schema, rev: seen.info.head, at: iso(seen.wallMs) });

export const gravest = (incidents: readonly Incident[]): Incident | undefined =>
	incidents.reduce<Incident | undefined>(
		(worst, incident) => (worst === undefined || SEVERITIES.indexOf(incident.severity) > SEVERITIES.indexOf(worst.severity) ? incident : worst),
		undefined,
	);

export const lostNodes = (state: EngineState): readonly string[] =>
	Object.entries(state.nodes).flatMap(([node, view]) => (presenceOf(view) === "lost" ? [node] : []));

/** Not heard now, and not known to be lost. */
const SILENT: readonly string[] = ["suspect", "unreachable"];
export const isSilent = ({ silent }: { readonly silent?: boolean }): boolean => silent === true;

/** Who stopped what, until it is released and the node has said so. */
export const stopRows = (state: EngineState) =>
	Object.entries(state.stops).flatMap(([node, view]) => {
		const held = stoppedBy(view);
		if (held === undefined) return [];
		const { verb, by, via, atWallMs } = held;
		return [{ node, verb, by, via, at: iso(atWallMs), orders: view.orders.length, said: view.said }];
	});

/** Of the mesh itself: no incident is about it. */
export const hasTrouble = (notices: readonly Notice[]): boolean => notices.some(({ severity }) => severity === "error");

/** One sentence about now. */
const sentence = (state: EngineState, notices: readonly Notice[]): string => {
	const stops = stopRows(state);
	const first = stops[0];
	if (first !== undefined && stops.length === 1) return `${first.node} is ${first.verb === "cut" ? "cut" : "stopped"} by ${first.by}`;
	if (first !== undefined) return `${stops.length} nodes are stopped, ${first.node} by ${first.by}`;
	const open = openIncidents(state);
	const worst = gravest(open);
	const lost = lostNodes(state);
	if (worst !== undefined && open.length === 1) return `1 incident is open: ${worst.title}`;
	if (worst !== undefined) return `${open.length} incidents are open, the gravest: ${worst.title}`;
	if (lost.length > 0) return `${lost.length === 1 ? "1 node is" : `${lost.length} nodes are`} lost: ${lost.join(", ")}`;
	return hasTrouble(notices) ? "no incident is open, but the mesh itself has trouble" : "nothing is wrong";
};

export const incidentRow = (seen: Seen, incident: Incident) => {
	const { state, wallMs } = seen;
	const { id, key, rule, node, service, severity, title, status, count, reopened, attempts, events, decision, asked, resolvedWallMs, resolvedHow } = incident;
	const action = Object.values(state.actions).find((run) => run.incident === id);
	return {
		id,
		key,
		rule,
		node,
		...(service === undefined ? {} : { service }),
		severity,
		title,
		status,
		openedAt: iso(incident.openedWallMs),
		openForMs: Math.max(0, (resolvedWallMs ?? wallMs) - incident.openedWallMs),
		...(resolvedWallMs === undefined ? {} : { resolvedAt: iso(resolvedWallMs), resolvedForMs: Math.max(0, wallMs - resolvedWallMs) }),
		...(resolvedHow === undefined ? {} : { resolvedHow }),
		count,
		reopened,
		attempts,
		events,
		...(decision === undefined ? {} : { decision }),
		...(action === undefined ? {} : { action: { id: action.id, name: action.name, phase: action.phase } }),
		asked,
	};
};

/** Open ones first, then the newest first; equal times by id, so that a page can go on after any row. */
export const inOrder = (left: Incident, right: Incident): number =>
	Number(left.status === "resolved") - Number(right.status === "resolved") || right.openedWallMs - left.openedWallMs || (left.id < right.id ? -1 : 1);

export interface IncidentsQuery {
	readonly status: "open" | "resolved" | "all";
	readonly limit: number;
	/** Id of the last row of the page before. */
	readonly after?: string;
}

export const incidentsView = (seen: Seen, { status, limit, after }: IncidentsQuery) => {
	const matching = Object.values(seen.state.incidents)
		.filter((incident) => status === "all" || incident.status === status)
		.sort(inOrder);
	const begin = after === undefined ? 0 : matching.findIndex(({ id }) => id === after) + 1;
	const page = matching.slice(begin, begin + limit);
	const last = page.at(-1);
	const next = last !== undefined && begin + limit < matching.length ? last.id : null;
	return { ...envelopeOf(seen, "orion.incidents/1"), total: matching.length, incidents: page.map((incident) => incidentRow(seen, incident)), next };
};

/** The row of one incident; undefined when the engine's state does not hold it (any more). */
export const incidentView = (seen: Seen, id: string) => {
	const incident = seen.state.incidents[id];
	return incident === undefined ? undefined : incidentRow(seen, incident);
};

/** What the register knows of it comes first: a client has no presence, and of what was revoked nothing is believed. */
const presenceOfNode = (view: NodeView | undefined, credential: KnownNode | undefined): Presence | "never-seen" | "client" | "revoked" => {
	if (credential?.revokedWallMs !== undefined) return "revoked";
	if (credential?.client === true) return "client";
	return view === undefined ? "never-seen" : presenceOf(view);
};

const nodeRow = (seen: Seen, node: string) => {
	const { state, live, known } = seen;
	const view = state.nodes[node];
	const heard = live.find((row) => row.node === node);
	const credential = known.find((row) => row.node === node);
	const open = openIncidents(state).filter((incident) => incident.node === node);
	const presence = presenceOfNode(view, credential);
	// What runs on a node that is not heard may run well: it is neither up nor down.
	const reach = presence === "lost" || presence === "unreachable" ? { unreachable: true } : {};
	const services = (view?.services ?? []).map((service) => {
		const incident = open.find((row) => row.service === service);
		return { service, ...(incident === undefined ? {} : { incident: incident.id }), ...reach };
	});
	const { node: _node, connected: _connected, ...told } = heard ?? { node, connected: false, metricsNotRecorded: 0 };
	return {
		node,
		presence,
		...(SILENT.includes(presence) ? { silent: true } : {}),
		connected: heard?.connected ?? false,
		...(view?.silence === undefined ? {} : { missed: view.silence.missed, ...(view.silence.parent === undefined ? {} : { parent: view.silence.parent }) }),
		...(credential === undefined ? {} : { addedAt: iso(credential.addedWallMs), credential: credentialView(credential, seen.wallMs) }),
		capabilities: view?.capabilities ?? [],
		actions: view?.actions ?? [],
		services,
		incidents: open.map(({ id }) => id),
		...told,
	};
};

export const nodeRows = (seen: Seen) =>
	[...new Set([...seen.known.map(({ node }) => node), ...seen.live.map(({ node }) => node), ...Object.keys(seen.state.nodes)])]
		.sort()
		.map((node) => nodeRow(seen, node));

/** By name; `after` is the last name of the page before. */
export const nodesView = (seen: Seen, limit: number, after: string | undefined) => {
	const rows = nodeRows(seen);
	const begin = after === undefined ? 0 : rows.filter(({ node }) => node <= after).length;
	const nodes = rows.slice(begin, begin + limit);
	return { ...envelopeOf(seen, "orion.nodes/1"), total: rows.length, nodes, next: begin + limit < rows.length ? (nodes.at(-1)?.node ?? null) : null };
};

const perDay = (bytes: number | undefined) => (bytes === undefined ? {} : { bytesPerDay: bytes });

export const statusView = (seen: Seen) => {
	const { info, state, notices, wallMs } = seen;
	const open = openIncidents(state);
	const nodes = nodeRows(seen);
	return {
		...envelopeOf(seen, "orion.status/1"),
		mesh: info.mesh,
		level: state.level,
		levelSays: levelRow(state.policy, state.level).says,
		sentence: sentence(state, notices),
		/** What `orion status --exit-code` answers by: no open incident, no lost node. */
		healthy: open.length === 0 && lostNodes(state).length === 0,
		core: {
			code: info.code,
			term: info.term,
			startedAt: iso(info.startedWallMs),
			upMs: Math.max(0, wallMs - info.startedWallMs),
			head: info.head,
			first: info.first,
			decidedUpTo: info.decidedUpTo,
			lag: Math.max(0, info.head - info.decidedUpTo),
			bytesAppended: info.bytesAppended,
			...perDay(bytesPerDay(info.bytesAppended, wallMs - info.startedWallMs)),
			clock: state.clock.quality,
			mqtt: info.mqtt,
			http: info.http,
			data: info.data,
		},
		...(info.redis === undefined ? {} : { redis: info.redis }),
		...(info.brokers === undefined ? {} : { brokers: info.brokers }),
		policy: { hash: state.policyHash },
		stops: stopRows(state),
		// Two parts that miss the same thing say it once.
		notices: notices.filter(({ text }, index) => notices.findIndex((other) => other.text === text) === index),
		nodesTotal: nodes.length,
		nodes: nodes.slice(0, STATUS_NODES_MAX),
		incidents: {
			open: open.length,
			total: Object.keys(state.incidents).length,
			rows: [...open]
				.sort(inOrder)
				.slice(0, 20)
				.map((incident) => incidentRow(seen, incident)),
		},
		actions: Object.values(state.actions).map(({ id, name, node, args, incident, phase, requestedMs }) => ({
			id,
			name,
			node,
			args,
			incident,
			phase,
			forMs: Math.max(0, state.clock.engineMs - requestedMs),
		})),
	};
};

const VERDICT_SAYS: Readonly<Record<GateVerdict, string>> = {
	act: "run by themselves",
	ask: "need a person",
	would: "are only said, not done",
	refused: "are refused",
};
export const LEVELS: readonly Level[] = ["N0", "N2", "N3"];
const RISKS: readonly Risk[] = ["SAFE", "RISKY"];

export const levelRow = (policy: Policy | null, level: Level) => {
	const gate = RISKS.map((risk) => {
		const row = policy?.gate.find((candidate) => candidate.level.includes(level) && candidate.risk.includes(risk));
		return { risk, verdict: row?.verdict ?? ("refused" as const), ...(row === undefined ? {} : { at: row.at }) };
	});
	const [safe, risky] = gate;
	const same = safe?.verdict === risky?.verdict;
	const says = same
		? `actions ${VERDICT_SAYS[safe?.verdict ?? "refused"]}`
		: gate.map(({ risk, verdict }) => `${risk} actions ${VERDICT_SAYS[verdict]}`).join("; ");
	return { level, says, gate };
};

export const levelView = (seen: Seen) => ({
	...envelopeOf(seen, "orion.level/1"),
	level: seen.state.level,
	levels: LEVELS.map((level) => levelRow(seen.state.policy, level)),
});

export const logView = (seen: Seen, records: readonly LogRecord[]) => {
	const last = records.at(-1);
	return {
		...envelopeOf(seen, "orion.log/1"),
		mesh: seen.info.mesh,
		first: seen.info.first,
		records,
		next: last !== undefined && last.position < seen.info.head ? last.position + 1 : null,
	};
};

export type StatusView = ReturnType<typeof statusView>;
export type IncidentsView = ReturnType<typeof incidentsView>;
export type IncidentRow = ReturnType<typeof incidentRow>;
export type NodesView = ReturnType<typeof nodesView>;
export type LevelView = ReturnType<typeof levelView>;
export type LogView = ReturnType<typeof logView>;
