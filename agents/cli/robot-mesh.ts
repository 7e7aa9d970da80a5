// Connects `orion robot walk`, `turn`, `pose` and `sit` with `--node` to a lease of the mesh: opened when it begins, renewed with what is wanted, given back at its end.
import { OrionError } from "../../contracts/errors.ts";
import type { MoverHeard } from "../../core/service/motion-leases.ts";
import type { GaitName } from "../../firmware-bridge/body/plan.ts";
import { askToSit, type Hold, hold } from "./holder.ts";
import type { MeshClient } from "./mesh-client.ts";
import { type BodyAsked, type Held, pause, type Stride, type Walker, walkByKeys, walkFor } from "./robot.ts";
import type { Session } from "./session.ts";

/** The node's tick is up to 100 ms old when it is echoed. */
const TTL_MS = 600;
const WALK_BOUNDS = { distanceMm: 20_000, radiusMm: 10_000, timeMs: 600_000 } as const;
/** A body that leans goes no further than this. */
const POSE_BOUNDS = { distanceMm: 200, radiusMm: 200, timeMs: 30_000 } as const;
const POSE_SECONDS = 3;
const NO_STRIDE: Stride = { xMm: 0, yMm: 0, turnDegrees: 0 };
/** A robot says at its next pulse that it took a lease. */
const TAKEN_WITHIN_MS = 1_500;

interface WayAsked {
	readonly bounds: typeof WALK_BOUNDS | typeof POSE_BOUNDS;
	readonly gait?: GaitName;
}

class MeshWalker implements Walker {
	readonly #client: MeshClient;
	readonly #mesh: string;
	readonly #node: string;
	readonly #holder: string;
	#hold: Hold | undefined;
	#openedAtMs = 0;
	readonly #bounds: WayAsked["bounds"];
	readonly #gait: GaitName;
	#wanted: { readonly stride: Stride; readonly body?: BodyAsked } | undefined;
	#isLost = false;
	hasMoved = false;

	constructor(client: MeshClient, mesh: string, node: string, holder: string, { bounds, gait = "tripod" }: WayAsked) {
		this.#bounds = bounds;
		this.#gait = gait;
		this.#client = client;
		this.#mesh = mesh;
		this.#node = node;
		this.#holder = holder;
	}

	/** Faults: MOVER_NOT_HEARD once the hold is lost or the robot does not take it: whoever wants it to walk begins anew. */
	async renew(stride: Stride, body?: BodyAsked): Promise<Held> {
		this.#wanted = { stride, ...(body === undefined ? {} : { body }) };
		if (this.#hold === undefined) {
			const asked = { node: this.#node, holder: this.#holder, purpose: "move", ttlMs: TTL_MS, bounds: this.#bounds } as const;
			const opened = await hold(this.#client, this.#mesh, asked, () => ({ gait: this.#gait, ...this.#wanted }));
			this.#hold = opened;
			this.#openedAtMs = performance.now();
			void opened.over.then((how) => (this.#isLost ||= how === "lost"));
		}
		const { heard } = this.#hold;
		if (heard.safety === "moving") this.hasMoved = true;
		if (this.#isLost) throw new OrionError("MOVER_NOT_HEARD", { node: this.#node });
		if (heard.safety !== "moving" && performance.now() - this.#openedAtMs > TAKEN_WITHIN_MS)
			throw new OrionError("ROBOT_REFUSED", { why: heard.safety, detail: "it does not take a lease now; at its own machine: orion robot status" });
		return this.#said(heard);
	}

	async end(): Promise<Held> {
		const held = this.#hold;
		this.#hold = undefined;
		this.#wanted = undefined;
		await held?.letGo();
		return this.look();
	}

	look(): Promise<Held> {
		return Promise.resolve(this.#hold === undefined ? { state: "let go", detail: this.#node } : this.#said(this.#hold.heard));
	}

	#said({ safety }: MoverHeard): Held {
		return { state: safety, detail: this.#node };
	}
}

const walkerOf = async (session: Session, client: MeshClient, node: string, way: WayAsked): Promise<MeshWalker> => {
	const { mesh } = await client.get<{ readonly mesh: string }>("/state/now");
	return new MeshWalker(client, mesh, node, session.host.user, way);
};

/** As long as the longest way between two poses takes; whether it is there, its pose says. */
export const poseNode = async (session: Session, node: string, body: BodyAsked): Promise<number> => {
	const walker = await walkerOf(session, await session.mesh(), node, { bounds: POSE_BOUNDS });
	try {
		await walkFor(session, walker, NO_STRIDE, POSE_SECONDS * 1_000, body);
	} finally {
		await walker.end().catch(() => undefined);
	}
	if (session.json) session.print({ schema: "orion.robot-pose/1", node, taken: walker.hasMoved });
	else session.say(walker.hasMoved ? `${node} took the pose, and was let go` : `${node} did not take it`);
	return walker.hasMoved ? 0 : 8;
};

/** `forSeconds` absent: while a key is held. */
export const walkNode = async (
	session: Session,
	node: string,
	{ stride, gait }: { readonly stride: Stride; readonly gait: GaitName },
	forSeconds: number | undefined,
): Promise<number> => {
	const client = await session.mesh();
	const walker = await walkerOf(session, client, node, { bounds: WALK_BOUNDS, gait });
	const stop = (): Promise<unknown> => client.post("/stop", { node, by: session.host.user, via: "cli" });
	try {
		if (forSeconds === undefined) return await walkByKeys(session, walker, stop);
		await walkFor(session, walker, stride, forSeconds * 1_000);
	} finally {
		// Also when it broke: what was held is given back, and runs out by itself if that fails.
		await walker.end().catch(() => undefined);
	}
	if (session.json) session.print({ schema: "orion.robot-walk/1", node, moved: walker.hasMoved });
	else session.say(walker.hasMoved ? `${node} walked, and was let go` : `${node} did not move`);
	return walker.hasMoved ? 0 : 8;
};

/** From here it can sit down. */
const UP: readonly string[] = ["rising", "armed", "moving", "hold", "calibrating"];
const SITS: readonly string[] = ["settling", "off"];
interface Nodes {
	readonly nodes: readonly { readonly node: string; readonly safety?: string }[];
}
const SAT_WITHIN_MS = 3_000;
const LOOK_EVERY_MS = 50;

/** Only down: standing up is asked at the robot's own machine. Faults: ROBOT_REFUSED, MOVER_NOT_HEARD. */
export const sitNode = async (session: Session, node: string): Promise<number> => {
	const client = await session.mesh();
	const { safety: before } = await askToSit(client, node, session.host.user);
	if (!UP.includes(before)) throw new OrionError("ROBOT_REFUSED", { why: before, detail: `${node} does not stand` });
	const untilMs = performance.now() + SAT_WITHIN_MS;
	const seen = async (): Promise<string> => {
		for (;;) {
			const { nodes } = await client.get<Nodes>("/state/nodes");
			const safety = nodes.find((one) => one.node === node)?.safety ?? "unknown";
			if (SITS.includes(safety) || performance.now() > untilMs) return safety;
			await pause(LOOK_EVERY_MS);
		}
	};
	const safety = await session.waiting(() => `waiting for ${node}`, seen());
	const sits = SITS.includes(safety);
	if (session.json) session.print({ schema: "orion.robot-sit/1", node, before, safety, sits });
	else session.say(sits ? `${node} sits down (${safety})` : `${node} did not sit: it is ${safety}. What it never refuses: orion stop --node ${node}`);
	return sits ? 0 : 8;
};
