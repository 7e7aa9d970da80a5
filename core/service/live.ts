// Connects what nodes say all the time (pulses, measurements) to the newest view of it; only samples of measurements are recorded.
import { type Envelope, isType, nodeOfSource, sessionCounter } from "../../contracts/envelope.ts";
import type { Clock, ClockQuality } from "../../contracts/time.ts";
import type { LiveNode } from "./ports.ts";

/** At most one measurement of a node in this time is recorded: a year of a node is then some gigabytes, not hundreds. */
const SAMPLE_EVERY_MS = 10_000;

export interface Pulse {
	readonly session: string;
	readonly tick: number;
	readonly safety: string;
	/** Newest order to stop that the node heard. */
	readonly order?: string;
	/** Of a node that moves: what an arm or a lease must name. */
	readonly armEpoch?: number;
	readonly version?: string;
	/** Messages that wait at the node. */
	readonly outboxCount?: number;
	readonly outboxBytes?: number;
	readonly outboxDailyBytes?: number;
	readonly clock?: ClockQuality;
}

interface Heard {
	metrics?: Envelope<"dev.orion.host.metrics.v1">["data"];
	metricsMs?: number;
	recordedMs?: number;
	poseRecordedMs?: number;
	notRecorded: number;
	session?: string;
	tick?: number;
	pulseMs?: number;
	safety?: string;
	armEpoch?: number | undefined;
	said?: Pick<LiveNode, "version" | "outboxCount" | "outboxBytes" | "outboxDailyBytes" | "clock">;
}

const saidIn = ({ version, outboxCount, outboxBytes, outboxDailyBytes, clock }: Pulse): NonNullable<Heard["said"]> => ({
	...(version === undefined ? {} : { version }),
	...(outboxCount === undefined ? {} : { outboxCount }),
	...(outboxBytes === undefined ? {} : { outboxBytes }),
	...(outboxDailyBytes === undefined ? {} : { outboxDailyBytes }),
	...(clock === undefined ? {} : { clock }),
});

export class Live {
	readonly #clock: Clock;
	readonly #heard = new Map<string, Heard>();
	readonly #listeners = new Set<(node: string, pulse: Pulse) => void>();

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	#of(node: string): Heard {
		const heard = this.#heard.get(node) ?? { notRecorded: 0 };
		this.#heard.set(node, heard);
		return heard;
	}

	/** Takes a pulse or a measurement; true when it is a sample to record. */
	hear(envelope: Envelope): boolean {
		const node = nodeOfSource(envelope.source);
		if (node === undefined) return false;
		const heard = this.#of(node);
		const now = this.#clock.now();
		if (isType(envelope, "dev.orion.hexapod.pose.v1")) {
			if (heard.poseRecordedMs !== undefined && now - heard.poseRecordedMs < SAMPLE_EVERY_MS) return false;
			heard.poseRecordedMs = now;
			return true;
		}
		if (!isType(envelope, "dev.orion.host.metrics.v1")) return false;
		heard.metrics = envelope.data;
		heard.metricsMs = now;
		if (heard.recordedMs !== undefined && now - heard.recordedMs < SAMPLE_EVERY_MS) {
			heard.notRecorded += 1;
			return false;
		}
		heard.recordedMs = now;
		return true;
	}

	/** A pulse of an older session or an older tick is late and tells nothing. */
	pulse(node: string, pulse: Pulse): void {
		const heard = this.#of(node);
		const age = heard.session === undefined ? 1 : sessionCounter(pulse.session) - sessionCounter(heard.session) || pulse.tick - (heard.tick ?? -1);
		if (age < 0) return;
		heard.session = pulse.session;
		heard.tick = pulse.tick;
		heard.safety = pulse.safety;
		heard.armEpoch = pulse.armEpoch;
		heard.said = saidIn(pulse);
		heard.pulseMs = this.#clock.now();
		for (const listener of this.#listeners) listener(node, pulse);
	}

	/** Called with each pulse that is news; returns how to end it. */
	onPulse(listener: (node: string, pulse: Pulse) => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	/** The newest pulse of a node, and how long ago it came. */
	newest(node: string): (Pulse & { readonly ageMs: number }) | undefined {
		const { session, tick, safety, armEpoch, pulseMs } = this.#heard.get(node) ?? {};
		if (session === undefined || tick === undefined || safety === undefined || pulseMs === undefined) return undefined;
		return { session, tick, safety, ageMs: this.#clock.now() - pulseMs, ...(armEpoch === undefined ? {} : { armEpoch }) };
	}

	/** What the node said of its safe-stop last. */
	safety(node: string): string | undefined {
		return this.#heard.get(node)?.safety;
	}

	nodes(): readonly string[] {
		return [...this.#heard].flatMap(([node, { session }]) => (session === undefined ? [] : [node]));
	}

	/** Newest tick of this session that was heard; undefined if none was. */
	tick(node: string, session: string): number | undefined {
		const heard = this.#heard.get(node);
		return heard?.session === session ? heard.tick : undefined;
	}

	forget(node: string): void {
		this.#heard.delete(node);
	}

	ticks(): Readonly<Record<string, number>> {
		return Object.fromEntries([...this.#heard].flatMap(([node, { tick }]) => (tick === undefined ? [] : [[node, tick]])));
	}

	view(connected: (node: string) => boolean, known: readonly string[]): readonly LiveNode[] {
		const now = this.#clock.now();
		return [...new Set([...known, ...this.#heard.keys()])].sort().map((node): LiveNode => {
			const heard = this.#heard.get(node);
			return {
				node,
				connected: connected(node),
				metricsNotRecorded: heard?.notRecorded ?? 0,
				...(heard?.metrics === undefined || heard.metricsMs === undefined ? {} : { metrics: heard.metrics, metricsAgeMs: now - heard.metricsMs }),
				...heard?.said,
				...(heard?.session === undefined || heard.tick === undefined || heard.pulseMs === undefined
					? {}
					: { session: heard.session, tick: heard.tick, pulseAgeMs: now - heard.pulseMs, safety: heard.safety ?? "boot" }),
			};
		});
	}
}
