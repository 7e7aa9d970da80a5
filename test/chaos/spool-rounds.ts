// Shows that a power cut of a broker elsewhere, of core, of the Redis between them or of all at once, which drops or tears what was not synced, loses and doubles nothing that the broker thanked for: LOSS-62.

import { encodeEnvelope, parseEnvelope } from "../../contracts/envelope.ts";
import { CoreIntake } from "../../core/service/intake.ts";
import { gapOfRecord, identityOf, keyOfRecord, openJournal } from "../../core/service/journal.ts";
import { Live } from "../../core/service/live.ts";
import { acceptSpooled, spoolJournal } from "../../core/service/spooled.ts";
import { Feed } from "../../log/redis-feed.ts";
import { BrokerLines } from "../../log/redis-lines.ts";
import type { SegmentsLog } from "../../log/segment-options.ts";
import { openSegments } from "../../log/segments.ts";
import { messageOf } from "../support/core.ts";
import { MESH, SESSION } from "../support/engine.ts";
import { FakeFiles } from "../support/files.ts";
import { until } from "../support/mesh.ts";
import { quickTimers } from "../support/quick-timers.ts";
import { seeded } from "../support/random.ts";
import { TestRedis } from "../support/redis.ts";
import { VirtualHost } from "../support/world.ts";

const FAULTS = ["broker", "core", "redis", "broker+core", "broker+redis", "core+redis", "broker+core+redis", "broker-kill", "core-kill"] as const;
type FaultName = (typeof FAULTS)[number];

export interface SpoolCounts {
	readonly rounds: number;
	readonly faults: Readonly<Partial<Record<FaultName, number>>>;
	/** What the broker thanked for. */
	readonly accepted: number;
	readonly missing: number;
	readonly twice: number;
	readonly outOfOrder: number;
	/** Facts of loss, and forks: there is nothing to tell. */
	readonly untrue: number;
	/** A spool that was set back takes another name; a power cut sets none back. */
	readonly epochs: number;
	readonly redisBytesLost: number;
	readonly lanesOpen: number;
}

const BROKER = "attic";
const SEGMENT_BYTES_MAX = 4_096;
const DRAINED_WITHIN_MS = 30_000;
const FLOWS_WITHIN_MS = 500;
/** How long a disk may take: a small file is soon there, a segment waits for the whole queue, and now and then a card stalls. */
const SYNC_MS_MAX = 2;
const SEGMENT_SYNC_MS_MAX = 8;
const STALL_MS_MAX = 150;
const STALLS_ONE_IN = 6;

/** A computer with a log: its disk survives it, as far as it was synced. */
class Disk {
	files = new FakeFiles();
	/** So many times segments were begun to be synced. */
	syncs = 0;
	readonly #random: () => number;

	constructor(random: () => number) {
		this.#random = random;
	}

	open(folder: string): Promise<SegmentsLog> {
		// A sync takes a while, and that is when the power goes.
		this.files.before = ({ kind }) => {
			if (kind === "fsync") return lasts(this.#random, SYNC_MS_MAX);
			if (kind !== "fdatasync") return;
			this.syncs += 1;
			return lasts(this.#random, this.#random() < 1 / STALLS_ONE_IN ? STALL_MS_MAX : SEGMENT_SYNC_MS_MAX);
		};
		return openSegments({
			files: this.files,
			folder,
			mesh: MESH,
			keyOf: keyOfRecord,
			identityOf,
			gapOf: gapOfRecord,
			onFatal: (error) => {
				throw error;
			},
			segmentBytesMax: SEGMENT_BYTES_MAX,
		});
	}

	end(how: "power" | "kill"): void {
		const dead = this.files;
		const torn = this.#random();
		this.files =
			how === "kill"
				? dead.afterKill()
				: dead.afterPowerCut({ tornBytes: (_path, pendingBytes) => Math.floor(torn * (pendingBytes + 1)), names: this.#random() < 0.5 ? "live" : "kept" });
		// What the dead process still does is done on a disk that nobody sees.
		dead.capacityBytes = 0;
	}
}

/** The broker elsewhere: what is judged goes into its spool, and from there to Redis. */
class BrokerSide {
	readonly disk: Disk;
	/** Lies beside the spool, and was synced before anything was taken. */
	epochs = 1;
	spool: SegmentsLog | undefined;
	#feed: Feed | undefined;
	readonly #url: string;

	constructor(disk: Disk, url: string) {
		this.disk = disk;
		this.#url = url;
	}

	async start(): Promise<void> {
		const spool = await this.disk.open("/spool");
		this.spool = spool;
		this.#feed = new Feed({
			url: this.#url,
			name: BROKER,
			epoch: `e${this.epochs}`,
			newEpoch: () => {
				this.epochs += 1;
				return `e${this.epochs}`;
			},
			spool,
			timers: quickTimers,
			here: () => ({ nodes: [], rows: "" }),
			heard: () => undefined,
			moved: () => undefined,
			notice: () => undefined,
			// A dead process may still try to move its cursor on the disk that is no more.
			fatal: () => undefined,
		});
		this.#feed.start();
	}

	async end(how: "power" | "kill"): Promise<void> {
		this.spool = undefined;
		this.disk.end(how);
		await this.#feed?.stop();
	}
}

/** Core: what comes from the spool is judged again and appended; how far it is stands beside its log. */
class CoreSide {
	readonly disk: Disk;
	log: SegmentsLog | undefined;
	#lines: BrokerLines | undefined;
	readonly #url: string;
	readonly #host = new VirtualHost();

	constructor(disk: Disk, url: string) {
		this.disk = disk;
		this.#url = url;
	}

	async start(): Promise<void> {
		const log = await this.disk.open("/core");
		this.log = log;
		const world = this.#host.process();
		const journal = openJournal({ log, mesh: MESH, clock: world.clock, time: { engineMs: () => 0 } });
		const intake = new CoreIntake(journal, new Live(world.clock), world);
		this.#lines = new BrokerLines({
			url: this.#url,
			brokers: [BROKER],
			timers: quickTimers,
			now: () => performance.now(),
			accept: async (records) => {
				await Promise.all(records.map(({ broker, bytes }) => acceptSpooled({ intake, journal, mesh: MESH }, broker, bytes)));
			},
			cursor: (broker, epoch) => log.cursor(`in.${broker}.${epoch}`),
			setCursor: (broker, epoch, position) => log.setCursor(`in.${broker}.${epoch}`, position),
			lost: () => Promise.reject(new Error("nothing is lost here")),
			heard: () => undefined,
			came: () => undefined,
			notice: () => undefined,
		});
		this.#lines.start();
	}

	async end(how: "power" | "kill"): Promise<void> {
		this.log = undefined;
		this.disk.end(how);
		await this.#lines?.stop();
	}
}

const few = (random: () => number, max: number): number => 1 + Math.floor(random() * max);
const lasts = (random: () => number, maxMs: number): Promise<void> =>
	new Promise((resolve) => {
		setTimeout(resolve, random() * maxMs);
	});

class World {
	readonly redis: TestRedis;
	readonly broker: BrokerSide;
	readonly core: CoreSide;
	/** Numbers that the broker thanked for, and all that the node has said: what has no answer it says again, in order. */
	readonly accepted = new Set<number>();
	redisBytesLost = 0;
	#said = 0;
	/** So much of Redis' file is taken for synced. */
	#syncedBytes = 0;
	readonly #random: () => number;

	constructor(redis: TestRedis, random: () => number) {
		this.redis = redis;
		this.#random = random;
		this.broker = new BrokerSide(new Disk(random), redis.url);
		this.core = new CoreSide(new Disk(random), redis.url);
	}

	/** The node says what it has not been thanked for, and so many more. Not waited for: whoever dies thanks nobody. */
	say(count: number): void {
		const { spool } = this.broker;
		if (spool === undefined) return;
		const world = new VirtualHost().process();
		const journal = spoolJournal(spool, MESH, world.clock);
		const intake = new CoreIntake(journal, new Live(world.clock), world);
		const open = Array.from({ length: this.#said }, (_, index) => index + 1).filter((seq) => !this.accepted.has(seq));
		const fresh = Array.from({ length: count }, (_, index) => this.#said + 1 + index);
		this.#said += count;
		for (const seq of [...open, ...fresh]) {
			const envelope = messageOf("pi-1", "alert.firing", { name: `a${seq % 7}`, severity: "info", summary: `number ${seq}` }, seq, SESSION);
			intake.accept({ identity: { node: "pi-1", clientId: "pi-1" }, topic: "orion/v1/pi-1/evt/alert", envelope, bytes: encodeEnvelope(envelope) }).then(
				() => {
					// An answer that comes after the death reaches nobody.
					if (this.broker.spool === spool) this.accepted.add(seq);
				},
				() => undefined,
			);
		}
	}

	/** Until core begins to sync what came to it; a way that was cut a moment ago may not carry anything for a while. */
	async coreWrites(): Promise<void> {
		const { disk } = this.core;
		const before = disk.syncs;
		await until("core writes", async () => (disk.syncs > before ? true : undefined), FLOWS_WITHIN_MS).catch(() => undefined);
	}

	async fault(name: FaultName): Promise<void> {
		const how = name.endsWith("-kill") ? "kill" : "power";
		const parts = name.replace("-kill", "").split("+");
		await Promise.all(parts.map((part) => this.#end(part, how)));
		await lasts(this.#random, 30);
		for (const part of this.#random() < 0.5 ? parts : parts.toReversed()) {
			if (part === "redis") await this.redis.start();
			else await (part === "broker" ? this.broker : this.core).start();
			await lasts(this.#random, 30);
		}
		this.#syncedBytes = this.redis.appendedBytes();
	}

	async #end(part: string, how: "power" | "kill"): Promise<void> {
		if (part !== "redis") return (part === "broker" ? this.broker : this.core).end(how);
		const before = this.redis.appendedBytes();
		const left = this.#syncedBytes + Math.floor(this.#random() * Math.max(0, before - this.#syncedBytes));
		await this.redis.cutPower(left);
		this.redisBytesLost += Math.max(0, before - left);
	}

	/** Numbers in core's log, in its order, and how many records there are that nobody should have had to write. */
	async found(): Promise<{ readonly seqs: readonly number[]; readonly untrue: number }> {
		const { log } = this.core;
		if (log === undefined) throw new Error("core is not there");
		const seqs: number[] = [];
		let untrue = 0;
		for (let from = log.first(); from <= log.head(); ) {
			const page = await log.read(from, 256);
			for (const { position, bytes } of page) {
				from = position + 1;
				const parsed = parseEnvelope(bytes);
				if (!parsed.ok || /quarantine|log\.(loss|gap)/.test(parsed.value.type)) untrue += 1;
				else if (parsed.value.type === "dev.orion.alert.firing.v1") seqs.push(parsed.value.seq ?? 0);
			}
			if (page.length === 0) break;
		}
		return { seqs, untrue };
	}

	async drained(): Promise<void> {
		await until(
			"core has everything that the broker thanked for",
			async () => {
				const seqs = new Set((await this.found()).seqs);
				return [...this.accepted].every((seq) => seqs.has(seq)) ? true : undefined;
			},
			DRAINED_WITHIN_MS,
		).catch(() => undefined);
	}

	async close(): Promise<void> {
		await this.broker.end("kill");
		await this.core.end("kill");
	}
}

/** Every few rounds all of it drains; then the node has been thanked for all, too. */
const DRAIN_EVERY = 10;

export const runSpoolRounds = async (options: {
	readonly rounds: number;
	readonly seed: number;
	readonly say: (line: string) => void;
}): Promise<SpoolCounts> => {
	const random = seeded(options.seed);
	const redis = await TestRedis.start();
	const world = new World(redis, random);
	const faults: Partial<Record<FaultName, number>> = {};
	try {
		await world.core.start();
		await world.broker.start();
		for (let round = 1; round <= options.rounds; round += 1) {
			world.say(few(random, 30));
			await lasts(random, 60);
			world.say(few(random, 30));
			if (random() < 0.5) await world.coreWrites();
			await lasts(random, 20);
			const name = FAULTS[Math.floor(random() * FAULTS.length)] ?? "broker";
			await world.fault(name);
			faults[name] = (faults[name] ?? 0) + 1;
			if (round % DRAIN_EVERY !== 0 && round !== options.rounds) continue;
			world.say(1);
			await world.drained();
			options.say(`${round} of ${options.rounds} rounds: ${world.accepted.size} accepted, ${(await world.found()).seqs.length} in core's log`);
		}
		const { seqs, untrue } = await world.found();
		const seen = new Set(seqs);
		return {
			rounds: options.rounds,
			faults,
			accepted: world.accepted.size,
			missing: [...world.accepted].filter((seq) => !seen.has(seq)).length,
			twice: seqs.length - seen.size,
			outOfOrder: seqs.filter((seq, index) => index > 0 && seq < (seqs[index - 1] ?? 0)).length,
			untrue,
			epochs: world.broker.epochs,
			redisBytesLost: world.redisBytesLost,
			lanesOpen: (world.core.log?.lanes() ?? []).filter(({ contiguous, highest }) => contiguous !== highest).length,
		};
	} finally {
		await world.close();
		await redis.end();
	}
};

export const isDelivered = (counts: SpoolCounts): boolean =>
	counts.accepted > 0 &&
	counts.redisBytesLost >= 0 &&
	counts.missing === 0 &&
	counts.twice === 0 &&
	counts.outOfOrder === 0 &&
	counts.untrue === 0 &&
	counts.epochs === 1 &&
	counts.lanesOpen === 0;
