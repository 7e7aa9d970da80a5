// Connects core to the brokers elsewhere that orion.yaml names: their records go into the log, and what core says reaches their nodes.
import { randomBytes } from "node:crypto";
import type { Broker } from "../../broker/broker.ts";
import type { BrokerWord } from "../../contracts/bridge.ts";
import { digest } from "../../contracts/digest.ts";
import { type Envelope, encodeEnvelope, parseEnvelope } from "../../contracts/envelope.ts";
import { nodeTopic } from "../../contracts/topics.ts";
import type { BrokerLink, Core } from "../../core/service/core.ts";
import { coreEnvelope } from "../../core/service/journal.ts";
import type { World } from "../../core/service/world.ts";
import type { Log } from "../../log/port.ts";
import type { RedisOptions } from "../../log/redis-connection.ts";
import { BrokerLines } from "../../log/redis-lines.ts";
import type { OpenRegister } from "./node-register.ts";

export interface ElsewhereOptions {
	readonly redis: Pick<RedisOptions, "url" | "ca">;
	readonly brokers: readonly string[];
	readonly mesh: string;
	readonly log: Log;
	readonly core: Core;
	readonly register: OpenRegister;
	readonly world: World;
}

/** After this nobody knows whether the node has it: it counts as handed over, and core asks the node. */
const ANSWERED_WITHIN_MS = 2_000;

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
const bytesOf = (base64: string): Uint8Array => Buffer.from(base64, "base64");

export class Elsewhere {
	readonly #options: ElsewhereOptions;
	readonly #lines: BrokerLines;
	/** What stays visible, by topic. */
	readonly #retained = new Map<string, Uint8Array>();
	readonly #asked = new Map<string, (outcome: "delivered" | "nobody") => void>();
	#local: Broker | undefined;

	constructor(options: ElsewhereOptions) {
		this.#options = options;
		const { redis, brokers, world, log, core, mesh } = options;
		const reader = (broker: string, epoch: string): string => `in.${broker}.${epoch}`;
		this.#lines = new BrokerLines({
			...redis,
			brokers,
			timers: world.timers,
			now: () => world.clock.now(),
			accept: async (records) => {
				await Promise.all(records.map(({ broker, bytes }) => core.spooled(broker, bytes)));
			},
			cursor: (broker, epoch) => log.cursor(reader(broker, epoch)),
			setCursor: (broker, epoch, position) => log.setCursor(reader(broker, epoch), position),
			lost: async (broker, fromPosition, toPosition) => {
				const why = `the spool of broker ${broker} does not have them any more`;
				const data = { what: "records" as const, fromPosition, toPosition, count: toPosition - fromPosition + 1, bytes: 0, why };
				await core.spooled(broker, encodeEnvelope(coreEnvelope(mesh, world.clock.wall(), "/core/intake", "dev.orion.log.loss.v1", data)));
			},
			heard: (broker, word) => this.#heard(broker, word),
			came: (broker, said) => this.#came(broker, said),
			notice: (said) => core.notice("brokers", said === undefined ? undefined : { severity: "error", text: said }),
		});
	}

	/** `local`: the broker beside core, where there is one. */
	start(local: Broker | undefined): void {
		this.#local = local;
		this.#options.core.show({ brokers: this.#lines });
		this.#lines.start();
	}

	stop(): Promise<void> {
		return this.#lines.stop();
	}

	/** The brokers of the mesh as if they were one. */
	link(local: BrokerLink): BrokerLink {
		return {
			publish: async (topic, bytes, options) => {
				if (options.retain) this.#retained.set(topic, bytes);
				this.#publish(topic, bytes, options.qos, options.retain);
				await local.publish(topic, bytes, options);
			},
			deliver: async (node, topic, bytes) => {
				const here = await local.deliver(node, topic, bytes);
				return here === "delivered" ? here : this.#deliver(node, topic, bytes);
			},
			drop: async (node) => {
				// Who is put out must not come in again with what counted before.
				for (const broker of this.#options.brokers) {
					void this.#lines.say(broker, { v: 1, kind: "rows", rows: this.#options.register.rows() });
					void this.#lines.say(broker, { v: 1, kind: "drop", node });
				}
				await local.drop(node);
			},
			judge: local.judge,
			connected: (node) => local.connected(node) || this.#lines.brokerOf(node) !== undefined,
			parentOf: (node) => (local.connected(node) ? undefined : this.#lines.holderOf(node)),
		};
	}

	/** An order to stop that a node here gave: the others hear it too. */
	relay(verb: "stop" | "cut", target: string, bytes: Uint8Array): void {
		this.#publish(nodeTopic(target, verb), bytes, 1, false);
	}

	#publish(topic: string, bytes: Uint8Array, qos: 0 | 1, retain: boolean, except?: string): void {
		for (const broker of this.#options.brokers)
			if (broker !== except) void this.#lines.say(broker, { v: 1, kind: "publish", topic, bytes: text(bytes), qos, retain });
	}

	async #deliver(node: string, topic: string, bytes: Uint8Array): Promise<"delivered" | "nobody"> {
		const broker = this.#lines.brokerOf(node);
		if (broker === undefined) return "nobody";
		const id = randomBytes(8).toString("hex");
		return new Promise((resolve) => {
			const answer = (outcome: "delivered" | "nobody"): void => {
				cancel();
				this.#asked.delete(id);
				resolve(outcome);
			};
			const cancel = this.#options.world.timers.after(ANSWERED_WITHIN_MS, () => answer("delivered"));
			this.#asked.set(id, answer);
			void this.#lines.say(broker, { v: 1, kind: "deliver", id, node, topic, bytes: text(bytes) }).then((listened) => {
				if (!listened) answer("nobody");
			});
		});
	}

	#came(broker: string, { rows, isNew }: { readonly rows: string; readonly isNew: boolean }): void {
		const known = this.#options.register.rows();
		if (rows !== digest(known)) void this.#lines.say(broker, { v: 1, kind: "rows", rows: known });
		if (!isNew) return;
		for (const [topic, bytes] of this.#retained) void this.#lines.say(broker, { v: 1, kind: "publish", topic, bytes: text(bytes), qos: 1, retain: true });
	}

	#heard(broker: string, word: Exclude<BrokerWord, { readonly kind: "here" }>): void {
		const { core } = this.#options;
		if (word.kind === "answer") {
			this.#asked.get(word.id)?.(word.outcome);
			return;
		}
		const bytes = bytesOf(word.bytes);
		if (word.kind === "stop") {
			const topic = nodeTopic(word.target, word.verb);
			// Outputs first: whoever else listens hears it before anything is recorded.
			this.#publish(topic, bytes, 1, false, broker);
			this.#local?.publish(topic, bytes, { qos: 1, retain: false }).catch(() => undefined);
			core.stopped(word.verb, word.target, { node: word.node }, bytes);
			return;
		}
		const envelope = liveOf(bytes, word.node, this.#options.mesh);
		if (envelope !== undefined) core.intake.live({ identity: { node: word.node, clientId: word.clientId }, topic: word.topic, envelope, bytes });
	}
}

const LIVE_TYPES: readonly string[] = ["dev.orion.node.pulse.v1", "dev.orion.host.metrics.v1", "dev.orion.hexapod.pose.v1"];

/** A pulse or a measurement in the name of that node; undefined for anything else. */
const liveOf = (bytes: Uint8Array, node: string, mesh: string): Envelope | undefined => {
	const parsed = parseEnvelope(bytes);
	if (!parsed.ok) return undefined;
	const { source, mesh: said } = parsed.value;
	const type: string = parsed.value.type;
	const isLive = LIVE_TYPES.includes(type);
	return isLive && source === `/nodes/${node}` && said === mesh ? parsed.value : undefined;
};
