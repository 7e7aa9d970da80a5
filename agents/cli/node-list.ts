// Decides how `orion node ls` reads: who may connect, whether it is here, and what it needs a person for.
import { sayDuration } from "../../contracts/time.ts";
import type { NodesView } from "../../core/service/views.ts";
import { presenceStyle } from "./colours.ts";
import { type Cell, type Column, grouped, plain, sizeOf, table, wrap } from "./layout.ts";
import type { MeshClient } from "./mesh-client.ts";
import type { Paint, Session } from "./session.ts";

type NodeRow = NodesView["nodes"][number];

const COLUMNS: readonly Column[] = [
	{ title: "NODE" },
	{ title: "PRESENCE" },
	{ title: "PULSE", right: true },
	{ title: "CERTIFICATE" },
	{ title: "SESSION" },
	{ title: "VERSION" },
	{ title: "OUTBOX", right: true },
	{ title: "CLOCK" },
	{ title: "WRITTEN A DAY", right: true, spare: true },
];

const SOON_DAYS = 60;

const certificateCell = (paint: Paint, { credential }: NodeRow): Cell => {
	const { certificate, certificateDaysLeft: daysLeft = 0 } = credential ?? { certificate: "none" };
	if (certificate === "none") return { text: "" };
	if (certificate === "revoked") return { text: "revoked", paint: paint.red };
	if (certificate === "expired") return { text: "expired", paint: paint.red };
	return { text: `${daysLeft} d`, ...(daysLeft < SOON_DAYS ? { paint: paint.yellow } : {}) };
};

/** The number of the session; the rest of its name is chance. */
const sessionOf = ({ session }: NodeRow): string => (session === undefined ? "" : (session.split(".")[0] ?? ""));

const cells = ({ paint }: Session, row: NodeRow): readonly Cell[] => {
	const presence = row.silent === true ? "silent" : row.presence;
	return [
		{ text: row.node },
		{ text: presence, paint: presenceStyle(paint, presence) },
		{ text: row.pulseAgeMs === undefined ? "" : sayDuration(row.pulseAgeMs) },
		certificateCell(paint, row),
		{ text: sessionOf(row) },
		{ text: plain(row.version ?? "") },
		{ text: row.outboxCount === undefined ? "" : grouped(row.outboxCount) },
		{ text: row.clock ?? "", ...(row.clock === "unsynced" ? { paint: paint.yellow } : {}) },
		{ text: row.outboxDailyBytes === undefined ? "" : sizeOf(row.outboxDailyBytes) },
	];
};

const advice = (rows: readonly NodeRow[]): readonly string[] => {
	const named = (certificate: string): string =>
		rows
			.filter(({ credential }) => credential?.certificate === certificate)
			.map(({ node }) => node)
			.join(", ");
	const [expired, revoked] = [named("expired"), named("revoked")];
	return [
		...(expired === "" ? [] : [`${expired}: health and stop only, until the agent there has asked for a new certificate (or: orion renew, there)`]),
		...(revoked === "" ? [] : [`${revoked}: let in again with orion node add NAME, then orion join there; gone for good: orion node rm NAME`]),
	];
};

/** Every node, page after page. */
const allNodes = async (mesh: MeshClient): Promise<NodesView> => {
	const first = await mesh.get<NodesView>("/state/nodes");
	const nodes = [...first.nodes];
	for (let next = first.next; next !== null; ) {
		const page: NodesView = await mesh.get<NodesView>(`/state/nodes?after=${encodeURIComponent(next)}`);
		nodes.push(...page.nodes);
		next = page.next;
	}
	return { ...first, nodes, next: null };
};

export const listNodes = async (session: Session): Promise<number> => {
	const mesh = await session.mesh();
	const view = await session.waiting(() => "asking", allNodes(mesh));
	if (session.json) {
		session.print(view);
		return 0;
	}
	const { nodes } = view;
	if (nodes.length === 0) session.say("no nodes yet; add one with: orion node add NAME");
	else {
		const rows = nodes.map((row) => cells(session, row));
		session.say(
			[...table(COLUMNS, rows, session.width, session.paint.dim), ...advice(nodes).map((line) => session.paint.dim(wrap(line, session.width, "  ")))].join(
				"\n",
			),
		);
	}
	return 0;
};
