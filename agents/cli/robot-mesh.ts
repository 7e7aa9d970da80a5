// Connects `orion robot walk --node` to a lease of the mesh: opened when it begins, renewed with what is wanted, given back when the key is released.
import { OrionError } from "../../contracts/errors.ts";
import type { MoverHeard } from "../../core/service/motion-leases.ts";
import { type Hold, hold } from "./holder.ts";
import type { MeshClient } from "./mesh-client.ts";
import { type Held, type Stride, type Walker, walkByKeys, walkFor } from "./robot.ts";
import type { Session } from "./session.ts";

/** The node's tick is up to 100 ms old when it is echoed. */
const TTL_MS = 600;
const BOUNDS = { distanceMm: 20_000, radiusMm: 10_000, timeMs: 600_000 } as const;
/** A robot says at its next pulse that it took a lease. */
const TAKEN_WITHIN_MS = 1_500;

class MeshWalker implements Walker {
	readonly #client: MeshClient;
	readonly #mesh: string;
	readonly #node: string;
	readonly #holder: string;
	#hold: Hold | undefined;
	#openedAtMs = 0;
	#stride: Stride | undefined;
	#isLost = false;
	hasMoved = false;

	constructor(client: MeshClient, mesh: string, node: string, holder: string) {
		this.#client = client;
		this.#mesh = mesh;
		this.#node = node;
		this.#holder = holder;
	}

	/** Faults: MOVER_NOT_HEARD once the hold is lost or the robot does not take it: whoever wants it to walk begins anew. */
	async renew(stride: Stride): Promise<Held> {
		this.#stride = stride;
		if (this.#hold === undefined) {
			const asked = { node: this.#node, holder: this.#holder, purpose: "move", ttlMs: TTL_MS, bounds: BOUNDS } as const;
			const opened = await hold(this.#client, this.#mesh, asked, () => ({ gait: "tripod", ...(this.#stride === undefined ? {} : { stride: this.#stride }) }));
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
		this.#stride = undefined;
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

/** `forSeconds` absent: while a key is held. */
export const walkNode = async (session: Session, node: string, stride: Stride, forSeconds: number | undefined): Promise<number> => {
	const client = await session.mesh();
	const { mesh } = await client.get<{ readonly mesh: string }>("/state/now");
	const walker = new MeshWalker(client, mesh, node, session.host.user);
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
