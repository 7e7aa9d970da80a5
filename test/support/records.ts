// Connects tests to core's log as it grows, and decides from it what is still under way on a node, what it obeyed too late, and what has a hole.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openCoreLog } from "../../agents/roles/core-log.ts";
import { sessionCounter } from "../../contracts/envelope.ts";
import type { LogLine, TestMesh } from "./mesh.ts";

/** As the policies of the rounds say. */
const NOT_AFTER_MS = 10_000;
/** Between the gate's look at a command and its receipt lies a disk. */
const RECEIPT_WITHIN_MS = 5_000;

/** Core's log as it grows. */
export class Records {
	readonly all: LogLine[] = [];
	readonly #mesh: TestMesh;
	#reading: Promise<void> | undefined;

	constructor(mesh: TestMesh) {
		this.#mesh = mesh;
	}

	/** Everything that is there now; several who ask at once are answered by one reading. */
	read(): Promise<void> {
		this.#reading ??= this.#mesh
			.records((this.all.at(-1)?.position ?? 0) + 1)
			.then((lines) => void this.all.push(...lines))
			.finally(() => {
				this.#reading = undefined;
			});
		return this.#reading;
	}

	/** Was this incident opened because a service of this node was down? */
	isAbout(incident: string, node: string): boolean {
		return this.of("dev.orion.incident.opened.v1").some(
			({ envelope: { data } }) => data.incident === incident && data.node === node && data.rule === "service-down",
		);
	}

	of<T extends LogLine["envelope"]["type"]>(
		type: T,
	): readonly { readonly position: number; readonly envelope: Extract<LogLine["envelope"], { readonly type: T }> }[] {
		return this.all.flatMap(({ position, envelope }) =>
			envelope.type === type ? [{ position, envelope: envelope as Extract<LogLine["envelope"], { readonly type: T }> }] : [],
		);
	}
}

/** Every action of core on this node is closed, and no incident about it is open. */
export const isQuiet = (log: Records, node: string): boolean => {
	const requested = log.of("dev.orion.action.requested.v1").filter(({ envelope }) => envelope.data.node === node);
	const closed = new Set(log.of("dev.orion.action.closed.v1").map(({ envelope }) => envelope.data.action));
	const open = new Set<string>();
	for (const { envelope } of log.all) {
		if (envelope.type === "dev.orion.incident.opened.v1" && envelope.data.node === node && envelope.data.rule === "service-down")
			open.add(envelope.data.incident);
		else if (envelope.type === "dev.orion.incident.resolved.v1") open.delete(envelope.data.incident);
		else if (envelope.type === "dev.orion.incident.reopened.v1" && log.isAbout(envelope.data.incident, node)) open.add(envelope.data.incident);
	}
	return open.size === 0 && requested.every(({ envelope }) => closed.has(envelope.data.action));
};

/** Commands that a node accepted in another session than the one they were meant for, or later than they were good for. */
export const obeyedTooLate = (log: Records, node: string): number =>
	log
		.of("dev.orion.action.receipt.v1")
		.filter(({ envelope: { source, data } }) => source === `/nodes/${node}` && data.phase === "accepted" && data.repeat !== true)
		.filter(({ envelope: { data, session, mono } }) => {
			const orders = log.of("dev.orion.action.dispatched.v1").filter(({ envelope }) => envelope.data.action === data.command);
			return !orders.some(({ envelope: { data: order } }) => order.session === session && (mono ?? 0) - order.tick <= NOT_AFTER_MS + RECEIPT_WITHIN_MS);
		}).length;

/** How many lanes of these nodes core has, and how many of them with a hole; its mesh has ended. */
export const lanesOf = async (mesh: TestMesh, nodes: readonly string[]): Promise<{ readonly lanes: number; readonly lanesOpen: number }> => {
	const { mesh: name } = JSON.parse(readFileSync(join(mesh.data, "mesh.json"), "utf8")) as { mesh: string };
	const log = await openCoreLog({
		data: mesh.data,
		mesh: name,
		acceptLoss: false,
		onFatal: (error) => {
			throw error;
		},
	});
	try {
		const lanes = log.lanes().filter(({ source, session }) => nodes.some((node) => source === `/nodes/${node}`) && sessionCounter(session) > 0);
		return { lanes: lanes.length, lanesOpen: lanes.filter(({ contiguous, highest }) => contiguous !== highest).length };
	} finally {
		await log.close();
	}
};
