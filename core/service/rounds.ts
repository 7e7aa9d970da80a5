// Connects time to what core says regularly: the beacon, the watermarks of nodes, gaps that turn into facts, storms that are over.
import { LANES, sessionCounter } from "../../contracts/envelope.ts";
import type { CoreBeacon, CoreBundle, NodeWatermark } from "../../contracts/gen/types.ts";
import { CORE_TOPICS, nodeTopic } from "../../contracts/topics.ts";
import type { Gap, LaneMark, Log } from "../../log/port.ts";
import { presenceOf } from "../guardian/presence.ts";
import { type EngineState, type NodeView, rowOf } from "../state.ts";
import type { CoreIntake } from "./intake.ts";
import type { Journal } from "./journal.ts";
import type { CoreKey } from "./keys.ts";
import type { Live } from "./live.ts";
import type { CoreTerm } from "./ports.ts";
import type { World } from "./world.ts";

const EVERY_MS = 1_000;
/** What moves holds when it misses three. */
const BEACON_EVERY_MS = 500;
/** A hole that nobody filled for this long is a fact. */
const GAP_AFTER_MS = 60_000;

export interface Publish {
	publish(topic: string, bytes: Uint8Array, options: { readonly qos: 0 | 1; readonly retain: boolean }): Promise<void>;
}

export interface RoundsOptions {
	readonly mesh: string;
	readonly instance: string;
	readonly log: Log;
	readonly journal: Journal;
	readonly intake: CoreIntake;
	readonly live: Live;
	readonly key: CoreKey;
	readonly term: CoreTerm;
	readonly publish: Publish;
	readonly world: World;
	readonly state: () => EngineState;
	/** Up to when no broker elsewhere held anything that is missing here, ms; -Infinity while one of them may hold it: then no hole is given up. */
	readonly spoolsEmptyMs: () => number;
	/** Stops and releases that their nodes may have missed. */
	readonly stops: () => Pick<CoreBeacon, "latched" | "stops" | "releases">;
	/** A beacon was signed and handed over: what core is for goes on. */
	readonly onBeacon: () => void;
}

const isLost = (view: NodeView | undefined): boolean => view !== undefined && presenceOf(view) === "lost";

const nodeOfLane = (mark: LaneMark): string => mark.source.slice("/nodes/".length);

export class Rounds {
	readonly #options: RoundsOptions;
	readonly #encoder = new TextEncoder();
	readonly #seen = new Map<string, { readonly gap: Gap; readonly sinceMs: number }>();
	readonly #marked = new Map<string, string>();
	#counter = 0;
	#bundled = "";
	#cancel: (() => void) | undefined;
	#cancelBeacon: (() => void) | undefined;
	#turning: Promise<void> | undefined;

	constructor(options: RoundsOptions) {
		this.#options = options;
	}

	start(): void {
		this.#cancel = this.#options.world.timers.after(0, () => this.#turn());
		this.#cancelBeacon = this.#options.world.timers.after(0, () => this.#speak());
	}

	async stop(): Promise<void> {
		this.#cancel?.();
		this.#cancelBeacon?.();
		this.#cancel = undefined;
		await this.#turning;
	}

	/** Says the beacon now, beside the regular ones. */
	hurry(): void {
		this.#beacon().catch(() => undefined);
	}

	/** The beacon waits for nothing. */
	#speak(): void {
		this.#cancelBeacon = this.#options.world.timers.after(BEACON_EVERY_MS, () => this.#speak());
		this.hurry();
	}

	/** Of the rounds that touch the disk one at a time, or two would record the same hole. */
	#turn(): void {
		this.#cancel = this.#options.world.timers.after(EVERY_MS, () => this.#turn());
		this.#turning ??= Promise.all([this.#bundle(), this.#watermarks(), this.#gaps(), this.#options.intake.settle("over")])
			.then(() => undefined)
			// A round that fails (a full disk, a broker that closes) is made again in a second; nothing depends on one of them.
			.catch(() => undefined)
			.finally(() => {
				this.#turning = undefined;
			});
	}

	async #beacon(): Promise<void> {
		const { mesh, term, key, live, publish, state, stops } = this.#options;
		this.#counter += 1;
		const { level, policyHash, nodes } = state();
		// A node that is held for lost is not echoed: it hears by that, if it hears anything, that it has to say so again.
		const ticks = Object.fromEntries(Object.entries(live.ticks()).filter(([node]) => !isLost(rowOf(nodes, node))));
		const beacon: CoreBeacon = { v: 1, mesh, coreTerm: { ...term }, counter: this.#counter, level, policyHash, ...stops(), ticks };
		await publish.publish(CORE_TOPICS.beacon, this.#encoder.encode(await key.sign("orion-beacon+jws", beacon)), { qos: 0, retain: false });
		this.#options.onBeacon();
	}

	/** What nodes keep for the time without core: kept at the broker, said anew when it changed. */
	async #bundle(): Promise<void> {
		const { mesh, term, key, publish, state } = this.#options;
		const { level, policy, policyHash, allowances, bundlePosition } = state();
		if (policy === null || bundlePosition === 0) return;
		const rows = (policy.alone ?? []).map(({ id, on, action, with: args, says }) => ({ id, on, action, with: { ...args }, says }));
		const grants = Object.entries(allowances).flatMap(([node, { number, counter, reconciled, validMs, left, countedThen }]) =>
			number === 0 ? [] : [{ node, number, counter, reconciled, validMs, left: { ...left }, counted: { ...countedThen } }],
		);
		const bundle: CoreBundle = { v: 1, mesh, coreTerm: { ...term }, version: bundlePosition, policyHash, level, rows, grants };
		const text = JSON.stringify(bundle);
		if (this.#bundled === text) return;
		await publish.publish(CORE_TOPICS.policy, this.#encoder.encode(await key.sign("orion-policy+jws", bundle)), { qos: 1, retain: true });
		this.#bundled = text;
	}

	/** Per node: the newest session that is known, and up to where each of its lanes is on disk here. */
	async #watermarks(): Promise<void> {
		const { log, publish, instance } = this.#options;
		const byNode = new Map<string, LaneMark[]>();
		for (const mark of log.lanes()) byNode.set(nodeOfLane(mark), [...(byNode.get(nodeOfLane(mark)) ?? []), mark]);
		for (const [node, marks] of byNode) {
			const newest = marks.reduce((best, mark) => (sessionCounter(mark.session) > sessionCounter(best.session) ? mark : best));
			const lanes = Object.fromEntries(
				LANES.flatMap((lane) => marks.filter((mark) => mark.lane === lane && mark.session === newest.session).map((mark) => [lane, mark.contiguous])),
			);
			const watermark: NodeWatermark = { node, counter: sessionCounter(newest.session), session: newest.session, lanes, instance };
			const text = JSON.stringify(watermark);
			if (this.#marked.get(node) === text) continue;
			this.#marked.set(node, text);
			await publish.publish(nodeTopic(node, "watermark"), this.#encoder.encode(text), { qos: 1, retain: true });
		}
	}

	/** A hole becomes a fact when its session ended, or after a minute; first the fact, then the mark moves. */
	async #gaps(): Promise<void> {
		const { log, journal, world } = this.#options;
		const now = world.clock.now();
		const newestOf = new Map<string, number>();
		for (const mark of log.lanes()) newestOf.set(mark.source, Math.max(newestOf.get(mark.source) ?? 0, sessionCounter(mark.session)));
		const open = new Set<string>();
		const spoolsEmptyMs = this.#options.spoolsEmptyMs();
		if (spoolsEmptyMs === Number.NEGATIVE_INFINITY) {
			this.#seen.clear();
			return;
		}
		for (const gap of log.gaps()) {
			const id = JSON.stringify([gap.source, gap.session, gap.lane, gap.fromSeq]);
			open.add(id);
			const seen = this.#seen.get(id) ?? { gap, sinceMs: now };
			this.#seen.set(id, seen);
			const ended = sessionCounter(gap.session) < (newestOf.get(gap.source) ?? 0);
			// A resend of an ended session may still be on its way: a few rounds of grace.
			const dueMs = seen.sinceMs + (ended ? 5 * EVERY_MS : GAP_AFTER_MS);
			// Who was heard before that may have taken it since, and be cut off although nobody knows it yet.
			if (now < dueMs || spoolsEmptyMs < dueMs) continue;
			await journal.note("/core/intake", "dev.orion.log.gap.v1", { ...gap, why: ended ? "session-ended" : "timed-out" });
			log.closeGap(gap);
		}
		for (const id of [...this.#seen.keys()]) if (!open.has(id)) this.#seen.delete(id);
	}
}
