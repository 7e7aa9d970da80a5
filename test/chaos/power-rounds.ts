// Shows that a power cut, which drops or tears what was not synced, and a full disk, at any moment and on both sides, lose and double nothing that was accepted: LOSS-43, LOSS-44.
import { type Envelope, parseEnvelope } from "../../contracts/envelope.ts";
import { gapOfEnvelope, gapOfRecord, keyOfEnvelope, keyOfRecord } from "../../core/service/journal.ts";
import { Outbox } from "../../edge/outbox.ts";
import type { Connection } from "../../edge/ports.ts";
import { Voice } from "../../edge/voice.ts";
import type { Log } from "../../log/port.ts";
import { openSegments } from "../../log/segments.ts";
import { noSweep, VirtualTime } from "../edge/world.ts";
import { FakeFiles } from "../support/files.ts";
import { seeded } from "../support/random.ts";

const FAULTS = ["node-power", "core-power", "both-power", "node-kill", "core-kill", "node-full", "core-full", "link"] as const;

export interface PowerCounts {
	readonly rounds: number;
	readonly faults: Readonly<Partial<Record<(typeof FAULTS)[number], number>>>;
	readonly accepted: number;
	readonly refusedByFullDisk: number;
	readonly missing: number;
	readonly twice: number;
	readonly forks: number;
	readonly told: number;
	readonly lanes: number;
	/** In sessions that live: a number that is neither received nor told as lost. */
	readonly lanesOpen: number;
	readonly highest: number;
}

const MESH = "mesh-1";
const NODE = "pi-1";
const SEGMENT_BYTES_MAX = 4_096;
const ROOM_BYTES = 65_536;
const ROUNDS_PER_WORLD = 40;

const usedBytes = (files: FakeFiles): number => files.paths().reduce((sum, path) => sum + files.content(path).length, 0);

/** One computer: its disk survives it, as far as it was synced. */
class Computer {
	files = new FakeFiles();
	readonly #folder: string;
	readonly #random: () => number;
	log: Log | undefined;

	constructor(folder: string, random: () => number) {
		this.#folder = folder;
		this.#random = random;
	}

	async start(): Promise<Log> {
		const opened = await openSegments({
			files: this.files,
			folder: this.#folder,
			mesh: MESH,
			keyOf: this.#folder === "/core" ? keyOfRecord : () => undefined,
			gapOf: this.#folder === "/core" ? gapOfRecord : () => undefined,
			onFatal: (error) => {
				throw error;
			},
			segmentBytesMax: SEGMENT_BYTES_MAX,
		});
		this.log = opened;
		return opened;
	}

	end(how: "power" | "kill"): void {
		this.log = undefined;
		const torn = this.#random();
		this.files.before = undefined;
		const dead = this.files;
		this.files =
			how === "kill"
				? dead.afterKill()
				: dead.afterPowerCut({ tornBytes: (_path, pendingBytes) => Math.floor(torn * (pendingBytes + 1)), names: this.#random() < 0.5 ? "live" : "kept" });
		// What the dead process still does is done on a disk that nobody sees.
		dead.capacityBytes = 0;
	}
}

class World {
	readonly accepted = new Set<string>();
	refusedByFullDisk = 0;
	forks = 0;
	told = 0;
	readonly time = new VirtualTime();
	readonly node: Computer;
	readonly core: Computer;
	readonly #random: () => number;
	#outbox: Outbox | undefined;
	#counter = 0;
	#number = 0;
	/** Each connection is one of these; an older one is not listened to. */
	#link = 0;

	constructor(random: () => number) {
		this.#random = random;
		this.node = new Computer("/node", random);
		this.core = new Computer("/core", random);
	}

	async startNode(): Promise<void> {
		const log = await this.node.start();
		this.#counter += 1;
		const id = `${this.#counter}.${this.#counter.toString(16).padStart(16, "0")}`;
		const session = { id, counter: this.#counter, tick: () => this.time.nowMs };
		const voice = new Voice({ mesh: MESH, node: NODE, clock: this.time.clock(), session: () => session });
		this.#outbox = await Outbox.open({ log, voice, node: NODE, timers: this.time, note: () => undefined, bytesMax: 10_000_000, sweep: noSweep });
	}

	get session(): string {
		return `${this.#counter}.${this.#counter.toString(16).padStart(16, "0")}`;
	}

	link(): void {
		this.#link += 1;
		this.#outbox?.linkDown();
		if (this.core.log !== undefined) this.#outbox?.linkUp(this.#connection(this.#link));
	}

	cut(): void {
		this.#link += 1;
		this.#outbox?.linkDown();
	}

	/** The broker at core: stores, then thanks; some thanks get lost. */
	#connection(link: number): Connection {
		return {
			publish: async (_topic, bytes) => {
				const { log } = this.core;
				const parsed = parseEnvelope(bytes);
				if (log === undefined || link !== this.#link || !parsed.ok) throw new Error("Connection closed");
				await this.#store(log, parsed.value, bytes);
				if (link !== this.#link || this.core.log !== log) throw new Error("Connection closed");
				if (this.#random() < 0.02) throw new Error("no answer");
			},
			subscribe: () => Promise.resolve(),
			close: () => Promise.resolve(),
			destroy: () => undefined,
		};
	}

	async #store(log: Log, envelope: Envelope, bytes: Uint8Array): Promise<void> {
		const key = keyOfEnvelope(envelope);
		const [outcome] = await log.append([{ bytes, ...(key === undefined ? {} : { key }) }]);
		if (outcome?.kind === "fork") this.forks += 1;
		if (outcome?.kind !== "stored") return;
		const gap = gapOfEnvelope(envelope);
		if (gap === undefined) return;
		this.told += 1;
		log.closeGap(gap);
	}

	/** Not waited for: what a dead process accepted is accepted, what it had not answered is not. */
	emit(count: number): void {
		const outbox = this.#outbox;
		for (let index = 0; index < count; index += 1) {
			this.#number += 1;
			const service = `s${this.#number}`;
			const { files } = this.node;
			outbox?.emit("dev.orion.process.up.v1", { service, pid: this.#number, startTicks: 1, how: "started", starts: 1 }).then(
				() => {
					// An answer that comes after the death reaches nobody.
					if (this.#outbox === outbox && this.node.files === files) this.accepted.add(service);
				},
				() => {
					this.refusedByFullDisk += 1;
				},
			);
		}
	}

	endNode(how: "power" | "kill"): void {
		this.cut();
		this.#outbox = undefined;
		this.node.end(how);
	}
}

const few = (random: () => number, max: number): number => 1 + Math.floor(random() * max);

/** A moment in which things are half done. */
const moment = async (random: () => number): Promise<void> => {
	for (let turns = Math.floor(random() * 30); turns > 0; turns -= 1)
		await (random() < 0.3 ? new Promise<void>((resolve) => setImmediate(resolve)) : Promise.resolve());
};

const fill = async (world: World, computer: Computer, random: () => number): Promise<void> => {
	computer.files.capacityBytes = usedBytes(computer.files) + Math.floor(random() * 600);
	world.emit(few(random, 12));
	await world.time.advance(1_000);
	computer.files.capacityBytes = Number.POSITIVE_INFINITY;
	// The next one that is taken tells of those that were refused.
	world.emit(1);
	await world.time.advance(1_000);
};

const RUNS: Readonly<Record<(typeof FAULTS)[number], (world: World, random: () => number) => Promise<void>>> = {
	"node-power": async (world) => {
		world.endNode("power");
		await world.startNode();
	},
	"node-kill": async (world) => {
		world.endNode("kill");
		await world.startNode();
	},
	"core-power": async (world) => {
		world.cut();
		world.core.end("power");
		await world.core.start();
	},
	"core-kill": async (world) => {
		world.cut();
		world.core.end("kill");
		await world.core.start();
	},
	"both-power": async (world) => {
		world.endNode("power");
		world.core.end("power");
		await world.core.start();
		await world.startNode();
	},
	"node-full": (world, random) => fill(world, world.node, random),
	"core-full": (world, random) => fill(world, world.core, random),
	link: async (world, random) => {
		world.cut();
		await world.time.advance(Math.floor(random() * 1_000));
	},
};

const inLog = async (log: Log): Promise<ReadonlyMap<string, number>> => {
	const seen = new Map<string, number>();
	for (let from = log.first(); from <= log.head(); ) {
		const page = await log.read(from, 256);
		for (const { position, bytes } of page) {
			from = position + 1;
			const parsed = parseEnvelope(bytes);
			if (!parsed.ok || parsed.value.type !== "dev.orion.process.up.v1") continue;
			const { service } = parsed.value.data;
			seen.set(service, (seen.get(service) ?? 0) + 1);
		}
		if (page.length === 0) break;
	}
	return seen;
};

const runWorld = async (rounds: number, seed: number): Promise<PowerCounts> => {
	const random = seeded(seed);
	const world = new World(random);
	await world.core.start();
	await world.startNode();
	const faults: Partial<Record<(typeof FAULTS)[number], number>> = {};
	for (let round = 1; round <= rounds; round += 1) {
		// So many numbers that segments are closed, and so much room that nothing has to be dropped.
		for (const computer of [world.node, world.core]) computer.files.capacityBytes = usedBytes(computer.files) + ROOM_BYTES;
		world.link();
		world.emit(few(random, 20));
		await moment(random);
		world.emit(few(random, 20));
		await moment(random);
		const name = FAULTS[Math.floor(random() * FAULTS.length)] ?? "link";
		await RUNS[name](world, random);
		faults[name] = (faults[name] ?? 0) + 1;
	}
	for (const computer of [world.node, world.core]) computer.files.capacityBytes = Number.POSITIVE_INFINITY;
	world.emit(1);
	// Enough time for every pause between two attempts.
	for (let again = 0; again < 10; again += 1) {
		world.link();
		await world.time.advance(5_000);
	}
	const log = world.core.log;
	if (log === undefined) throw new Error("core is not there");
	const seen = await inLog(log);
	const lanes = log.lanes();
	return {
		rounds,
		faults,
		accepted: world.accepted.size,
		refusedByFullDisk: world.refusedByFullDisk,
		missing: [...world.accepted].filter((service) => !seen.has(service)).length,
		twice: [...seen.values()].filter((count) => count > 1).length,
		forks: world.forks,
		told: world.told,
		lanes: lanes.length,
		lanesOpen: lanes.filter(({ session, contiguous, highest }) => session === world.session && contiguous !== highest).length,
		highest: lanes.reduce((sum, lane) => sum + lane.highest, 0),
	};
};

const added = (one: PowerCounts, other: PowerCounts): PowerCounts => {
	const faults = { ...one.faults };
	for (const name of FAULTS) faults[name] = (one.faults[name] ?? 0) + (other.faults[name] ?? 0);
	const sum = (name: Exclude<keyof PowerCounts, "faults">): number => one[name] + other[name];
	return {
		rounds: sum("rounds"),
		faults,
		accepted: sum("accepted"),
		refusedByFullDisk: sum("refusedByFullDisk"),
		missing: sum("missing"),
		twice: sum("twice"),
		forks: sum("forks"),
		told: sum("told"),
		lanes: sum("lanes"),
		lanesOpen: sum("lanesOpen"),
		highest: sum("highest"),
	};
};

/** Young worlds, one after the other: an old one spends its time reading what it has. */
export const runPowerRounds = async (options: {
	readonly rounds: number;
	readonly seed: number;
	readonly say: (line: string) => void;
}): Promise<PowerCounts> => {
	let all: PowerCounts | undefined;
	for (let done = 0; done < options.rounds; done += ROUNDS_PER_WORLD) {
		const found = await runWorld(Math.min(ROUNDS_PER_WORLD, options.rounds - done), options.seed + done / ROUNDS_PER_WORLD);
		all = all === undefined ? found : added(all, found);
		options.say(`${all.rounds} of ${options.rounds} rounds: ${all.accepted} accepted, ${all.missing} missing, ${all.twice} twice`);
	}
	if (all === undefined) throw new Error("no round was run");
	return all;
};

export const isKept = (counts: PowerCounts): boolean =>
	counts.accepted > 0 && counts.missing === 0 && counts.twice === 0 && counts.forks === 0 && counts.lanes > 0 && counts.lanesOpen === 0;
