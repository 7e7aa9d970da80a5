// Composition root of `orion broker --core`: a broker with a spool of its own, on a machine without core. Chooses adapters, decides nothing.
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { openBroker } from "../../broker/broker.ts";
import type { OpenBroker } from "../../broker/ports.ts";
import type { CoreWord, NodeRows } from "../../contracts/bridge.ts";
import { digest } from "../../contracts/digest.ts";
import { parseJson } from "../../contracts/envelope.ts";
import { OrionError, sayFault } from "../../contracts/errors.ts";
import { DiskRoom, type RoomHere, sayRoom } from "../../core/service/disk-room.ts";
import { CoreIntake } from "../../core/service/intake.ts";
import { gapOfRecord, type Journal, keyOfRecord } from "../../core/service/journal.ts";
import { Live } from "../../core/service/live.ts";
import { spoolJournal } from "../../core/service/spooled.ts";
import { bytesPerDay } from "../../core/service/wear.ts";
import type { World } from "../../core/service/world.ts";
import { nodeFiles } from "../../log/node-files.ts";
import { checkRedisUrl } from "../../log/redis-connection.ts";
import { Feed, type FeedView } from "../../log/redis-feed.ts";
import type { SegmentsLog } from "../../log/segment-options.ts";
import { openSegments } from "../../log/segments.ts";
import { isLoopback } from "./config.ts";
import { hostClock, hostTimers } from "./host-clock.ts";
import { hostFacts } from "./host-facts.ts";
import { keptFiles } from "./kept-files.ts";
import { type OpenRegister, openNodeRegister } from "./node-register.ts";
import { forgetOldDays } from "./spool-days.ts";

export interface AwayOptions {
	readonly core: string;
	readonly name: string;
	readonly mesh: string;
	readonly data: string;
	readonly host: string;
	readonly port: number;
	readonly ca?: string;
	readonly acceptLoss: boolean;
	readonly onLine: (line: string) => void;
	readonly onFatal: (error: unknown) => void;
	/** A message of its own went through the broker: it hands on what it is given. */
	readonly onTurn: () => void;
}

export interface AwayBroker {
	readonly url: string;
	view(): FeedView & { readonly lag: number };
	stop(): Promise<void>;
}

const EPOCH = "epoch";
const SWEEP_EVERY_RECORDS = 4_096;
const SEGMENT_BYTES_MAX = 4_194_304;

const newEpoch = (): string => randomBytes(8).toString("hex");

/** A node that meets another spool sends again what core does not have: this one cannot know what the other held. */
const withInstance = (topic: string, bytes: Uint8Array, instance: string): Uint8Array => {
	if (!topic.endsWith("/watermark")) return bytes;
	const parsed = parseJson(bytes);
	return parsed.ok && typeof parsed.value === "object" && parsed.value !== null ? Buffer.from(JSON.stringify({ ...parsed.value, instance })) : bytes;
};

interface Hearing {
	readonly broker: OpenBroker;
	readonly register: OpenRegister;
	readonly instance: () => string;
	readonly answer: (id: string, outcome: "delivered" | "nobody") => void;
	readonly onLine: (line: string) => void;
}

const hear = (word: Exclude<CoreWord, { readonly kind: "mark" }>, { broker, register, instance, answer, onLine }: Hearing): void => {
	const failed = (error: unknown): void => onLine(error instanceof OrionError ? sayFault(error.fault) : String(error));
	switch (word.kind) {
		case "publish": {
			const bytes = withInstance(word.topic, Buffer.from(word.bytes, "base64"), instance());
			broker.publish(word.topic, bytes, { qos: word.qos, retain: word.retain }).catch(failed);
			break;
		}
		case "deliver":
			broker.deliver(word.node, word.topic, Buffer.from(word.bytes, "base64")).then((outcome) => answer(word.id, outcome), failed);
			break;
		case "drop":
			broker.drop(word.node).catch(failed);
			break;
		case "rows":
			replaceRows(broker, register, word.rows).catch(failed);
			break;
		default:
	}
};

/** A word of core is not kept for a broker that is away: whose credential ended meanwhile is put out when the rows come. */
const replaceRows = async (broker: OpenBroker, register: OpenRegister, rows: NodeRows): Promise<void> => {
	const before = register.rows();
	await register.replace(rows);
	const after = register.rows();
	for (const node of Object.keys(before)) if (before[node]?.password !== after[node]?.password) await broker.drop(node);
};

interface Rooms {
	readonly world: World;
	readonly register: OpenRegister;
	readonly spool: SegmentsLog;
	readonly epoch: { now: string };
}

const openRooms = async ({ data, mesh, acceptLoss, onFatal }: AwayOptions): Promise<Rooms> => {
	const folder = join(data, "spool");
	const clock = hostClock();
	const files = await keptFiles(data);
	const world: World = { clock, timers: hostTimers(), files, fatal: onFatal };
	const register = await openNodeRegister(files, clock);
	const spool = await openSegments({
		files: nodeFiles(),
		folder,
		mesh,
		keyOf: keyOfRecord,
		gapOf: gapOfRecord,
		acceptLoss,
		onFatal,
		segmentBytesMax: SEGMENT_BYTES_MAX,
	});
	// In the spool's own folder: who removes that one removes what its numbers meant.
	const beside = await keptFiles(folder);
	const epoch = { now: (await beside.read(EPOCH))?.trim() ?? "" };
	if (epoch.now === "") {
		epoch.now = newEpoch();
		await beside.write(EPOCH, `${epoch.now}\n`, "plain");
	}
	return { world, register, spool, epoch };
};

/** Damage that was accepted at this start is a fact, before anything else is said. */
const noteLosses = async (spool: SegmentsLog, journal: Journal, name: string): Promise<void> => {
	for (const { fromPosition, toPosition, bytes } of spool.losses) {
		const data = { what: "records" as const, fromPosition, toPosition, count: toPosition - fromPosition + 1, bytes, why: `damaged in the spool of ${name}` };
		await journal.note("/core/intake", "dev.orion.log.loss.v1", data);
	}
};

const nodesAt = (broker: OpenBroker): readonly string[] => broker.connections().flatMap(({ identity }) => (identity.kind === "node" ? [identity.node] : []));

/** A broker records no measurements: only a disk that is all but full concerns it. */
const roomOf = (folder: string, { timers }: World, onLine: (line: string) => void): DiskRoom =>
	new DiskRoom({
		folder,
		timers,
		facts: () => hostFacts().disk(folder),
		looked: (now, disk, before) => {
			if ((now === "scarce") === (before === "scarce")) return;
			onLine((now === "scarce" && disk !== undefined ? sayRoom(now, disk, folder) : undefined) ?? `the disk of ${folder} has room again`);
		},
	});

interface SpoolDisk {
	readonly full: boolean;
	readonly bytesPerDay?: number;
}

const diskOf = ({ isFull, bytesAppended }: ReturnType<typeof spoolJournal>, { now }: RoomHere, sinceMs: number): SpoolDisk => {
	const perDay = bytesPerDay(bytesAppended, sinceMs);
	return { full: isFull || now === "scarce", ...(perDay === undefined ? {} : { bytesPerDay: perDay }) };
};

/** Each attempt fails for the same reason: that is one line. */
const once = (say: (text: string | undefined) => void): ((text: string | undefined) => void) => {
	let last: string | undefined = "";
	return (text) => {
		if (text !== last) say(text);
		last = text;
	};
};

const TURN_EVERY_MS = 1_000;
/** Beside the table of topics: no client may listen here. */
const TURN_TOPIC = "orion/turn";

/** Sends a message that nobody may hear the way of all others, again and again: `turned` when it came out. */
const turnThrough = (broker: OpenBroker, { timers }: World, turned: () => void): (() => void) => {
	const turn = (): void => {
		cancel = timers.after(TURN_EVERY_MS, turn);
		broker.publish(TURN_TOPIC, new Uint8Array(), { qos: 0, retain: false }).then(turned, () => undefined);
	};
	let cancel = timers.after(TURN_EVERY_MS, turn);
	return () => cancel();
};

/** What core has goes to the archive, and from there when it is old enough: not for each record. */
const sweeper = (spool: SegmentsLog, archive: string, { clock }: World, onFatal: (error: unknown) => void): ((upTo: number) => void) => {
	let swept = 0;
	return (upTo) => {
		if (upTo - swept < SWEEP_EVERY_RECORDS) return;
		swept = upTo;
		spool.archive(upTo).then(() => forgetOldDays(archive, clock.wall()), onFatal);
	};
};

/** Rejects with OrionError: USAGE, REDIS_URL, PORT_IN_USE, PORT_REFUSED, and those of the log. */
export const startAwayBroker = async (options: AwayOptions): Promise<AwayBroker> => {
	const { core, name, mesh, data, host, port, ca, onLine, onFatal } = options;
	checkRedisUrl(core);
	if (!isLoopback(host)) throw new OrionError("USAGE", { detail: `${host} is not loopback: passwords would cross the network in the clear` });
	const { world, register, spool, epoch } = await openRooms(options);
	const beganMs = world.clock.now();
	const journal = spoolJournal(spool, mesh, world.clock);
	await noteLosses(spool, journal, name);
	const room = roomOf(join(data, "spool"), world, onLine);
	await room.start();
	const intake = new CoreIntake(journal, new Live(world.clock), world, undefined, room);
	const feed: Feed = new Feed({
		url: core,
		...(ca === undefined ? {} : { ca }),
		name,
		epoch: epoch.now,
		newEpoch: () => {
			epoch.now = newEpoch();
			keptFiles(join(data, "spool")).then((files) => files.write(EPOCH, `${epoch.now}\n`, "plain"), onFatal);
			return epoch.now;
		},
		spool,
		timers: world.timers,
		here: () => ({ nodes: nodesAt(broker), rows: digest(register.rows()), ...diskOf(journal, room, world.clock.now() - beganMs) }),
		heard: (word) =>
			hear(word, { broker, register, instance: () => epoch.now, onLine, answer: (id, outcome) => void feed.say({ v: 1, kind: "answer", id, outcome }) }),
		moved: sweeper(spool, join(data, "spool", "archive"), world, onFatal),
		notice: once((text) => onLine(text ?? "Redis can be reached")),
		fatal: onFatal,
	});
	const broker: OpenBroker = await openBroker({
		mesh,
		host,
		port,
		credentials: register,
		instance: randomBytes(8).toString("hex"),
		intake: {
			accept: (message) => intake.accept(message),
			quarantine: (message) => intake.quarantine(message),
			live: ({ identity: { node, clientId }, topic, bytes }) =>
				void feed.say({ v: 1, kind: "live", node, clientId, topic, bytes: Buffer.from(bytes).toString("base64") }),
		},
		onStop: (verb, target, { node }, bytes) => void feed.say({ v: 1, kind: "stop", verb, target, node, bytes: Buffer.from(bytes).toString("base64") }),
		onRefusal: ({ clientId, remote, fault }) => onLine(`${clientId ?? remote}: ${sayFault(fault)}`),
	});
	feed.start();
	const endTurns = turnThrough(broker, world, options.onTurn);
	return {
		url: `mqtt://${host}:${broker.port}`,
		view: () => ({ ...feed.view(), lag: spool.head() - feed.view().upTo }),
		stop: async () => {
			endTurns();
			room.stop();
			await broker.close();
			await intake.settle("all");
			await feed.stop();
			await spool.close();
		},
	};
};
