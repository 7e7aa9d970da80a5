// Connects whoever orders stop, cut or release to the nodes and to the log: the order leaves first, nothing in front of it, and is recorded after that.
import { fail } from "../../contracts/errors.ts";
import type { CoreBeacon } from "../../contracts/gen/types.ts";
import { ok, type Result } from "../../contracts/result.ts";
import { readStopOrder, type StopVerb, UNNAMED, writeStopOrder } from "../../contracts/stop-order.ts";
import { nodeTopic } from "../../contracts/topics.ts";
import { holding, stoppedBy } from "../guardian/stops.ts";
import { type EngineState, type KeptOrder, rowOf, type StopView } from "../state.ts";
import { onceDiskHasRoom } from "./full-disk.ts";
import type { Journal } from "./journal.ts";
import type { Live } from "./live.ts";
import type { Publish } from "./rounds.ts";
import type { World } from "./world.ts";

export interface StopsOptions {
	readonly journal: Journal;
	readonly live: Live;
	readonly world: World;
	readonly state: () => EngineState;
	/** Everything up to this position is in the state. */
	readonly foldedUpTo: () => number;
	/** Every node that may have something to stop. */
	readonly nodes: () => readonly string[];
	/** 16 hex characters that no other order has. */
	readonly newOrder: () => string;
}

export interface StoppedNode {
	readonly node: string;
	/** Until the node itself said so; null: it did not. */
	readonly ms: number | null;
	readonly safety: string;
}

export interface StopAnswer {
	readonly verb: StopVerb;
	readonly order: string;
	readonly nodes: readonly StoppedNode[];
}

type BeaconStops = Required<Pick<CoreBeacon, "latched" | "stops" | "releases">>;

interface Pending {
	readonly nodes: readonly string[];
	readonly order: KeptOrder;
	/** Where it stands in the log, once it does. */
	position: number | undefined;
}

const SAID_WITHIN_MS = 2_000;
const RELEASED_WITHIN_MS = 4_000;
const LOOK_EVERY_MS = 20;
const ALL = "all";
const UNKNOWN = "unknown";
/** So many orders on a stopped node are recorded; more of them change nothing, and nobody shall fill the disk with them. */
const RECORDED_MAX = 8;
const LISTED_MAX = 256;

const none: StopView = { orders: [], releasing: [], said: false };

export class Stops {
	readonly #options: StopsOptions;
	#pending: Pending[] = [];
	#publish: Publish | undefined;
	#hurry: () => void = () => undefined;
	#closed = false;

	constructor(options: StopsOptions) {
		this.#options = options;
	}

	/** `hurry`: says the beacon now. */
	connect(publish: Publish, hurry: () => void): void {
		this.#publish = publish;
		this.#hurry = hurry;
	}

	close(): void {
		this.#closed = true;
	}

	/** By a person or a program of this host. The order is on its way before this returns for the first time. */
	order(verb: StopVerb, target: string, by: string, via: string): Promise<StopAnswer> {
		const { live, world, nodes, newOrder } = this.#options;
		const beganMs = world.clock.now();
		const order = newOrder();
		const sinceMs = (): number => Math.max(0, Math.round((world.clock.now() - beganMs) * 10) / 10);
		this.#publish?.publish(nodeTopic(target, verb), writeStopOrder({ order, by, via }), { qos: 1, retain: false }).catch(() => undefined);
		const targets = target === ALL ? nodes() : [target];
		const waiting = new Map(targets.map((node): [string, StoppedNode] => [node, { node, ms: null, safety: live.safety(node) ?? UNKNOWN }]));
		let silent = waiting.size;
		const answered = new Promise<void>((resolve) => {
			const finish = (): void => {
				cancel();
				stopListening();
				resolve();
			};
			const cancel = world.timers.after(silent === 0 ? 0 : SAID_WITHIN_MS, finish);
			const stopListening = live.onPulse((node, pulse) => {
				if (pulse.order !== order || waiting.get(node)?.ms !== null) return;
				waiting.set(node, { node, ms: sinceMs(), safety: pulse.safety });
				silent -= 1;
				if (silent === 0) finish();
			});
		});
		this.#record(verb, target, targets, { order, verb, by, via, atWallMs: world.clock.wall() });
		return answered.then(() => ({ verb, order, nodes: [...waiting.values()] }));
	}

	/** A node or a person at one ordered it, and the broker has handed it on. */
	heard(verb: StopVerb, target: string, sender: string, bytes: Uint8Array): void {
		const { nodes, world } = this.#options;
		const said = readStopOrder(bytes);
		const ordered = said.by === UNNAMED ? { ...said, by: sender, via: "mqtt" } : said;
		const targets = target === ALL ? nodes() : [target];
		this.#record(verb, target, targets, { ...ordered, verb, atWallMs: world.clock.wall() });
	}

	/** Faults: STOP_NOT_HELD, CUT_NEEDS_PRESENCE. */
	async release(node: string, by: string, via: string): Promise<Result<StoppedNode>> {
		const { journal, world, live } = this.#options;
		const beganMs = world.clock.now();
		const view = this.#view(node);
		const held = holding(view);
		const holder = stoppedBy(view);
		if (view.orders.length === 0) return fail("STOP_NOT_HELD", { node });
		if (holder?.verb === "cut") return fail("CUT_NEEDS_PRESENCE", { node, by: holder.by });
		if (held.length > 0) {
			const orders = held.map(({ order }) => order);
			const position = await journal.note("/core/operator", "dev.orion.stop.released.v1", { orders, node, by, via });
			await this.#until(() => this.#options.foldedUpTo() >= position, RELEASED_WITHIN_MS);
		}
		this.#hurry();
		const isOver = await this.#until(() => this.#view(node).orders.length === 0, RELEASED_WITHIN_MS);
		return ok({ node, ms: isOver ? Math.max(0, world.clock.now() - beganMs) : null, safety: live.safety(node) ?? UNKNOWN });
	}

	/** What the beacon says: to those who missed an order or a release. */
	listed(): BeaconStops {
		const names = [...new Set([...Object.keys(this.#options.state().stops), ...this.#unfolded().flatMap(({ nodes }) => nodes)])].sort().slice(0, LISTED_MAX);
		const stops: BeaconStops["stops"] = [];
		const releases: BeaconStops["releases"] = [];
		for (const node of names) {
			const view = this.#view(node);
			const newest = holding(view).findLast(({ verb }) => verb === stoppedBy(view)?.verb);
			if (newest !== undefined) stops.push({ node, verb: newest.verb, order: newest.order, by: newest.by });
			if (view.releasing.length > 0) releases.push({ node, orders: [...view.releasing] });
		}
		return { latched: stops.map(({ node }) => node), stops, releases };
	}

	#unfolded(): readonly Pending[] {
		const upTo = this.#options.foldedUpTo();
		this.#pending = this.#pending.filter(({ position }) => position === undefined || position > upTo);
		return this.#pending;
	}

	/** What is recorded and what is about to be. */
	#view(node: string): StopView {
		const view = rowOf(this.#options.state().stops, node) ?? none;
		const more = this.#unfolded().flatMap(({ nodes, order }) =>
			nodes.includes(node) && !view.orders.some((known) => known.order === order.order) ? [order] : [],
		);
		return more.length === 0 ? view : { ...view, orders: [...view.orders, ...more] };
	}

	#isNews(verb: StopVerb, targets: readonly string[]): boolean {
		return targets.some((node) => {
			const held = holding(this.#view(node));
			return held.length < RECORDED_MAX || (verb === "cut" && !held.some((order) => order.verb === "cut"));
		});
	}

	/** After the delivery, and nobody waits for it: a disk that is full or slow delays the record, not the stop. */
	#record(verb: StopVerb, target: string, targets: readonly string[], kept: KeptOrder): void {
		if (!this.#isNews(verb, targets)) return;
		const { journal, world } = this.#options;
		const pending: Pending = { nodes: targets, order: kept, position: undefined };
		this.#pending.push(pending);
		const { order, by, via } = kept;
		const data = { order, verb, node: target, nodes: [...targets], by, via };
		onceDiskHasRoom(
			() => journal.note("/core/operator", "dev.orion.stop.requested.v1", data),
			world.timers,
			() => this.#closed,
		).then(
			(stored) => {
				pending.position = stored?.value ?? 0;
			},
			(error: unknown) => {
				if (!this.#closed) world.fatal(error);
			},
		);
	}

	#until(isSo: () => boolean, withinMs: number): Promise<boolean> {
		const { world } = this.#options;
		const endMs = world.clock.now() + withinMs;
		return new Promise((resolve) => {
			const look = (): void => {
				if (isSo()) resolve(true);
				else if (this.#closed || world.clock.now() >= endMs) resolve(false);
				else world.timers.after(LOOK_EVERY_MS, look);
			};
			look();
		});
	}
}
