// Connects `orion stop`, `cut` and `release` to the mesh, and where no mesh answers to the nodes of this machine; says of each node how long it took to say so itself.
import { OrionError } from "../../contracts/errors.ts";
import type { StopVerb } from "../../contracts/stop-order.ts";
import type { StopAnswer as MeshAnswer, StoppedNode } from "../../core/service/stops.ts";
import { dataFolder } from "../roles/data-folder.ts";
import type { Session } from "./session.ts";
import { askStopSocket, type LocalAnswer, stopSockets } from "./stop-line.ts";

const PARTIAL = 7;
const ALL = "all";

export interface StopOptions {
	readonly all?: boolean;
	readonly local?: boolean;
}

const DONE: Readonly<Record<StopVerb, string>> = { stop: "stopped", cut: "cut" };

const nodeLine = ({ paint }: Session, verb: StopVerb, { node, ms, safety }: StoppedNode, width: number): string => {
	const name = node.padEnd(width);
	if (ms === null) return `${paint.red("silent ")}  ${name}  did not say that it is ${DONE[verb]}; its state was ${safety}`;
	return `${paint.green(DONE[verb].padEnd(7))}  ${name}  ${Math.round(ms)} ms, it says ${safety}`;
};

/** 0 only when every node that was meant said so itself. */
const show = (session: Session, verb: StopVerb, nodes: readonly StoppedNode[], more: object): number => {
	const isWhole = nodes.length > 0 && nodes.every(({ ms }) => ms !== null);
	if (session.json) session.print({ schema: "orion.stop/1", verb, nodes, ...more });
	else {
		const width = Math.max(0, ...nodes.map(({ node }) => node.length));
		for (const row of nodes) session.say(nodeLine(session, verb, row, width));
		if (nodes.length === 0) session.say(`no node is known that could be ${DONE[verb]}`);
		if (!isWhole) session.note("not every node answered: go there, or use the switch at the machine. Who comes back is told again and stays stopped");
	}
	return isWhole ? 0 : PARTIAL;
};

const rowOf = ({ node, ms, safety, outcome }: LocalAnswer): readonly StoppedNode[] => (outcome === undefined ? [] : [{ node, ms: ms ?? 0, safety }]);

/** By the sockets of the nodes on this machine; the first that has a broker hands the order on to the others. */
const stopHere = async (session: Session, verb: StopVerb, target: string | undefined): Promise<number> => {
	const folder = dataFolder(session.flags.data);
	const paths = await stopSockets(folder);
	if (paths.length === 0) throw new OrionError("NO_NODE_HERE", { path: folder, detail: "no stop.sock below it" });
	const by = session.host.user;
	const asked = await Promise.allSettled(paths.map((path) => askStopSocket(path, { verb, by, ...(target === undefined ? {} : { node: target }) })));
	const answers = asked.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
	const lost = asked.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
	if (answers.length === 0) throw lost[0];
	const others = answers.some((answer) => answer.others === "handed-over")
		? "handed-over"
		: answers.some((answer) => answer.others !== undefined)
			? "not-reached"
			: undefined;
	const here = answers.flatMap(rowOf);
	const silent = lost.length > 0 || (target !== undefined && here.length === 0) ? [{ node: target ?? "a node here", ms: null, safety: "unknown" }] : [];
	const code = show(session, verb, [...here, ...silent], others === undefined ? {} : { others });
	if (others === "handed-over") session.note("the broker took the order for the other nodes; whether they heard it is not known here");
	if (others === "not-reached") session.note("no broker took the order for the other nodes");
	return others === undefined ? code : PARTIAL;
};

const isAway = (error: unknown): boolean =>
	error instanceof OrionError && ["NOT_RUNNING", "UNREACHABLE", "TOKEN_MISSING", "NOT_AUTHENTICATED"].includes(error.fault.code);

export const order = async (session: Session, verb: StopVerb, node: string | undefined, options: StopOptions): Promise<number> => {
	if (node !== undefined && options.all === true) throw new OrionError("USAGE", { detail: "name one node, or say --all" });
	if (options.local === true) return stopHere(session, verb, options.all === true ? ALL : node);
	const target = node ?? ALL;
	try {
		const mesh = await session.mesh();
		const body = { node: target, by: session.host.user, via: "cli" };
		const answer = await session.waiting(() => "waiting for the nodes", mesh.post<MeshAnswer>(`/${verb}`, body));
		return show(session, verb, answer.nodes, { order: answer.order });
	} catch (error) {
		if (!isAway(error)) throw error;
		session.note(`orion: ${error instanceof Error ? error.message : "no mesh answers"}\nthe nodes of this machine are asked directly`);
		return stopHere(session, verb, target);
	}
};

const releaseHere = async (session: Session, node: string): Promise<number> => {
	const folder = dataFolder(session.flags.data);
	const by = session.host.user;
	for (const path of await stopSockets(folder)) {
		const answer = await askStopSocket(path, { verb: "release", node, by }).catch(() => undefined);
		if (answer === undefined) continue;
		if (answer.outcome === "not-latched") throw new OrionError("STOP_NOT_HELD", { node });
		if (session.json) session.print({ schema: "orion.release/1", node, ms: answer.ms ?? 0, safety: answer.safety });
		else session.say(`released ${node}; it says ${answer.safety}`);
		return 0;
	}
	throw new OrionError("NO_NODE_HERE", { path: folder, detail: `none of the nodes here is ${node}` });
};

export const release = async (session: Session, node: string, options: { readonly local?: boolean; readonly yes?: boolean }): Promise<number> => {
	if (options.yes !== true) {
		if (!session.host.inIsTty || session.json) throw new OrionError("USAGE", { detail: `nobody can be asked here; to release ${node} give --yes` });
		const typed = await session.host.askLine(`Is it safe at ${node}? Type its name to release it: `);
		if (typed.trim() !== node) {
			session.note("that is another name; nothing was released");
			return 1;
		}
	}
	if (options.local === true) return releaseHere(session, node);
	const mesh = await session.mesh();
	const answer = await session.waiting(() => "releasing", mesh.post<StoppedNode>("/release", { node, by: session.host.user, via: "cli" }));
	if (session.json) session.print(answer);
	else if (answer.ms === null) session.say(`${node} is released, and is told so when it is heard again; it has not confirmed yet`);
	else session.say(`released ${node} after ${Math.round(answer.ms)} ms; it says ${answer.safety}`);
	return answer.ms === null ? PARTIAL : 0;
};
