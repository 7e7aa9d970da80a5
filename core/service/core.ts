// Connects the parts of orion-core to each other and to the ports it was given, and answers what the desk is asked.
import { randomBytes } from "node:crypto";
import type { RecordType, RecordTypes } from "../../contracts/envelope.ts";
import { fail } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";
import type { StopVerb } from "../../contracts/stop-order.ts";
import type { Gap, Log } from "../../log/port.ts";
import { openBreaker } from "../brain/open-breaker.ts";
import type { Level } from "../policy.ts";
import { approvalDesk } from "./approvals-desk.ts";
import { Audit, type AuditStore } from "./audit.ts";
import { type DiskRoom, type DiskUnder, toldRoom } from "./disk-room.ts";
import { type Delivery, Dispatcher } from "./dispatcher.ts";
import { CoreIntake } from "./intake.ts";
import { type Journal, openJournal } from "./journal.ts";
import { type CoreKey, openCoreKey, raiseTerm } from "./keys.ts";
import { Live } from "./live.ts";
import { MotionLeases } from "./motion-leases.ts";
import type { LoadedPolicy } from "./policies.ts";
import type { CoreDesk, CoreTerm, KnownNode, NodeTaken, Notice, Outside } from "./ports.ts";
import { type Parent, PresenceWatch } from "./presence-watch.ts";
import { type JudgeAgain, Quarantine } from "./quarantine.ts";
import { type Publish, Rounds } from "./rounds.ts";
import { Shell } from "./shell.ts";
import { acceptSpooled } from "./spooled.ts";
import { startRecords } from "./start-records.ts";
import { Stops } from "./stops.ts";
import { bySomebody, judgeSubmitted, POST_EVENTS, submit } from "./submitted.ts";
import { Tally } from "./tally.ts";
import { noteRefusal, type TurnedAway } from "./turned-away.ts";
import type { World } from "./world.ts";

export interface NodeCredential {
	readonly username: string;
	readonly password: string;
	/** Where the mesh listens beyond this machine: what another device joins with. */
	readonly join?: { readonly address: string; readonly token: string; readonly untilWallMs: number };
}

/** Who may connect; kept beside core, because it says who is who and not what happened. */
export interface NodeRegister {
	nodes(): readonly KnownNode[];
	/** `client`: it publishes events and is no node. */
	add(node: string, client: boolean): Promise<Result<NodeCredential>>;
	/** Its credential ends, and it is forgotten. */
	remove(node: string): Promise<Result<NodeTaken>>;
	/** Its credential ends, and its place is kept. */
	revoke(node: string): Promise<Result<NodeTaken>>;
}

/** The broker as core uses it; given after core is open, because the broker asks core before it thanks anyone. */
export interface BrokerLink extends Publish, Delivery {
	drop(node: string): Promise<void>;
	/** What today's rules say of a message that a client sent. */
	readonly judge: JudgeAgain;
	connected(node: string): boolean;
	/** The broker elsewhere through which a node is heard; undefined: this one. */
	parentOf?(node: string): Parent | undefined;
}

export interface CoreOptions {
	readonly log: Log;
	/** The files of the audit, or why they cannot be gone on with: then nothing is handed over to a node. */
	readonly audit: Result<AuditStore>;
	readonly mesh: string;
	readonly code: string;
	/** What it was built from. */
	readonly commit: string;
	readonly data: string;
	/** Node that events of an operator on this host speak for. */
	readonly host: string;
	readonly instance: string;
	readonly policy: LoadedPolicy;
	readonly readPolicy: () => Promise<Result<LoadedPolicy>>;
	readonly register: NodeRegister;
	readonly world: World;
	/** The disk under the log. */
	readonly disk: DiskUnder;
	/** Level asked for on the command line, if any. */
	readonly level?: Level;
	/** A beacon was signed and handed over. */
	readonly onBeacon?: () => void;
	/** Damage that was accepted at the start, to be recorded as loss. */
	readonly losses: readonly { readonly fromPosition: number; readonly toPosition: number; readonly bytes: number }[];
}

export interface Core {
	readonly intake: CoreIntake;
	readonly key: CoreKey;
	readonly desk: CoreDesk;
	/** Engine time now, milliseconds. */
	engineMs(): number;
	/** A record of one of core's own parts; resolves when it is durable and decided on. */
	record<T extends RecordType>(source: `/core/${string}`, type: T, data: RecordTypes[T]): Promise<void>;
	/** Somebody was turned away at the door: said to the operator, the newest few of them. */
	refused(refusal: TurnedAway): void;
	/** What a part outside of core has to tell the operator; undefined: nothing any more. */
	notice(about: string, notice: Notice | undefined): void;
	/** Takes a record from the spool of a broker elsewhere; durable when it resolves. */
	spooled(broker: string, bytes: Uint8Array): Promise<void>;
	/** What parts outside of core show in its status, from now on. */
	show(outside: Outside): void;
	/** An order to stop that came to the broker, after it was handed on. */
	stopped(verb: StopVerb, target: string, by: { readonly node: string }, bytes: Uint8Array): void;
	/** Begins to dispatch and to say who it is; only now commands can leave. */
	connect(link: BrokerLink, where: { readonly mqtt: string; readonly http: () => string }): Promise<void>;
	close(): Promise<void>;
}

interface Parts {
	readonly options: CoreOptions;
	readonly journal: Journal;
	readonly shell: Shell;
	readonly live: Live;
	readonly intake: CoreIntake;
	readonly key: CoreKey;
	readonly term: CoreTerm;
	readonly notices: Map<string, Notice>;
	readonly stops: Stops;
	readonly leases: MotionLeases;
	readonly tally: Tally;
	link: BrokerLink | undefined;
	readonly audit: Audit;
	readonly room: DiskRoom;
	outside: Outside;
	where: { readonly mqtt: string; readonly http: () => string };
}

const RECORDS_MAX = 1_000;
/** A record is small; the list beside core has all of them. */
const CERTIFICATES_TOLD_MAX = 16;

/** A message in quarantine is judged by whoever judged it when it came. */
const quarantineOf = (parts: Parts): Quarantine => {
	const { options, journal, intake } = parts;
	const { log, host } = options;
	return new Quarantine({
		records: (from, recordsMax) => journal.read(from, recordsMax),
		ends: () => ({ first: log.first(), head: log.head() }),
		judge: (clientId, topic, bytes) => {
			if (topic !== POST_EVENTS) return parts.link?.judge(clientId, topic, bytes) ?? fail("LOG_CLOSED");
			const judged = judgeSubmitted(bytes, host);
			return judged.ok ? ok({ identity: { node: host, clientId }, topic, ...bySomebody(judged.value, bytes, host) }) : judged;
		},
		accept: (message) => intake.accept(message),
		note: (settled) => journal.note("/core/operator", "dev.orion.quarantine.settled.v1", settled),
	});
};

const retry = async ({ journal, shell }: Parts, named: string, by: string): ReturnType<CoreDesk["retry"]> => {
	const found = openBreaker(shell.state, named);
	if (!found.ok) return found;
	const { incident, key } = found.value;
	const position = await journal.note("/core/operator", "dev.orion.breaker.closed.v1", { key, why: "person", by }, key);
	await shell.idle();
	return ok({ incident, key, position });
};

/** Who may connect: each change is a record. */
const nodeDesk = (parts: Parts): Pick<CoreDesk, "nodes" | "addNode" | "removeNode" | "revokeNode"> => {
	const { options, journal, live } = parts;
	const { register } = options;
	/** First nobody comes in with it any more, then who is in is put out, then it is told. */
	const take = async (node: string, how: "removed" | "revoked", by: string): ReturnType<CoreDesk["removeNode"]> => {
		const taken = await (how === "removed" ? register.remove(node) : register.revoke(node));
		if (!taken.ok) return taken;
		await parts.link?.drop(node);
		live.forget(node);
		const certificates = taken.value.certificates.slice(-CERTIFICATES_TOLD_MAX);
		await journal.note("/core/operator", "dev.orion.node.removed.v1", { node, by, how, certificates });
		return taken;
	};
	return {
		nodes: () => register.nodes(),
		addNode: async (node, by, client) => {
			const added = await register.add(node, client);
			if (!added.ok) return added;
			await journal.note("/core/operator", "dev.orion.node.added.v1", { node, by, ...(client ? { client } : {}) });
			return ok({ node, ...added.value });
		},
		removeNode: (node, by) => take(node, "removed", by),
		revokeNode: (node, by) => take(node, "revoked", by),
	};
};

const deskOf = (parts: Parts): CoreDesk => {
	const { options, journal, shell, live, notices, term, tally } = parts;
	const { log, register, world } = options;
	const startedWallMs = world.clock.wall();
	return {
		info: () => ({
			mesh: options.mesh,
			code: options.code,
			commit: options.commit,
			term,
			startedWallMs,
			head: log.head(),
			decidedUpTo: shell.readUpTo,
			first: log.first(),
			bytesAppended: journal.bytesAppended,
			mqtt: parts.where.mqtt,
			http: parts.where.http(),
			data: options.data,
			host: options.host,
			...(parts.outside.redis === undefined ? {} : { redis: parts.outside.redis() }),
			...(parts.outside.brokers === undefined ? {} : { brokers: parts.outside.brokers.view() }),
		}),
		state: () => shell.state,
		live: () =>
			live.view(
				(node) => parts.link?.connected(node) ?? false,
				register.nodes().map(({ node }) => node),
			),
		notices: () => [...notices.values()],
		tally: () => tally,
		records: (from, recordsMax) => journal.read(Math.max(from, log.first()), Math.min(recordsMax, RECORDS_MAX)),
		onRecords: (listener) => log.onCommit(listener),
		submit: (bytes) => submit(parts.intake, options.host, bytes),
		setLevel: async (level, by, why) => {
			const before = shell.state.level;
			const position = await journal.note("/core/operator", "dev.orion.level.set.v1", { level, by, ...(why === undefined ? {} : { why }) });
			await shell.idle();
			return { position, before };
		},
		retry: (incident, by) => retry(parts, incident, by),
		stop: (verb, target, by, via) => parts.stops.order(verb, target, by, via),
		openLease: (asked) => parts.leases.open(asked),
		renewLease: (node, lease, signed) => parts.leases.renew(node, lease, signed),
		endLease: (node, lease, signed) => parts.leases.end(node, lease, signed),
		release: (node, by, via) => parts.stops.release(node, by, via),
		quarantine: quarantineOf(parts),
		signAudit: () => parts.audit.sign(),
		verifiedAudit: async (verified) => void (await journal.note("/core/operator", "dev.orion.audit.verified.v1", verified)),
		...nodeDesk(parts),
		...approvalDesk({ journal, mesh: options.mesh, state: () => shell.state, idle: () => shell.idle(), world }),
		reloadPolicy: () => reloadPolicy(parts),
	};
};

/** A bad policy changes nothing and is said until a good one comes. */
const reloadPolicy = async ({ options, journal, shell, notices }: Parts): Promise<Result<{ readonly hash: string; readonly changed: boolean }>> => {
	const loaded = await options.readPolicy();
	if (!loaded.ok) {
		const { file, line, column, detail } = loaded.fault.facts;
		notices.set("policy", {
			severity: "error",
			text: `the policy on disk was not taken over, the one before is in force: ${file}:${line}:${column}: ${detail}`,
		});
		return loaded;
	}
	notices.delete("policy");
	const { hash, content, files } = loaded.value;
	const changed = hash !== shell.state.policyHash;
	if (changed)
		await journal.note("/core/policy", "dev.orion.policy.activated.v1", { hash, content: content as unknown as Record<string, never>, files: [...files] });
	await shell.idle();
	return ok({ hash, changed });
};

const auditOf = ({ log, world, audit: store }: CoreOptions, notices: Map<string, Notice>): Audit => {
	const notice = (text: string | undefined) => (text === undefined ? notices.delete("audit") : notices.set("audit", { severity: "error", text }));
	return new Audit({ log, world, store, notice });
};

/** Of an order or a lease. */
const newName = (): string => randomBytes(8).toString("hex");

/** Every node that ever spoke may have something to stop. */
const stopsOf = (journal: Journal, live: Live, world: World, shell: Shell): Stops =>
	new Stops({
		journal,
		live,
		world,
		state: () => shell.state,
		foldedUpTo: () => shell.readUpTo,
		nodes: () => [...new Set([...Object.keys(shell.state.nodes), ...live.nodes()])].sort(),
		newOrder: newName,
	});

const presenceWatchOf = ({ options: { world }, journal, shell, live }: Parts, link: BrokerLink): PresenceWatch => {
	const parentOf = (node: string) => link.parentOf?.(node);
	return new PresenceWatch({ journal, live, world, state: () => shell.state, foldedUpTo: () => shell.readUpTo, parentOf });
};

/** What core says regularly, and to whom it may say it. */
const roundsOf = (parts: Parts, publish: BrokerLink): Rounds => {
	const { options, journal, shell, intake, live, key, term, stops } = parts;
	const { mesh, instance, log, world } = options;
	const spoolsEmptyMs = () => parts.outside.brokers?.spoolsEmptyMs() ?? Number.POSITIVE_INFINITY;
	const state = () => shell.state;
	const onBeacon = options.onBeacon ?? (() => undefined);
	return new Rounds({ onBeacon, mesh, instance, log, journal, intake, live, key, term, publish, world, state, spoolsEmptyMs, stops: () => stops.listed() });
};

const dispatcherOf = ({ options, journal, shell, live, key, term, audit }: Parts, delivery: BrokerLink): Dispatcher => {
	const { log, mesh, world } = options;
	return new Dispatcher({ log, journal, key, term, mesh, live, delivery, audit, world, state: () => shell.state });
};

/** Before there is a broker. */
const NOWHERE: Parts["where"] = { mqtt: "", http: () => "" };

/** Every part of core, each given the others that it needs; nothing runs yet. */
const partsOf = async (options: CoreOptions): Promise<Parts> => {
	const { log, mesh, world, code, policy } = options;
	const key = await openCoreKey(world.files);
	const term = await raiseTerm(world.files, key.keyId);
	const live = new Live(world.clock);
	// Each needs the other: the shell appends through the journal, the journal stamps with the shell's time.
	const shell: Shell = new Shell({ log, mesh, code, term, policy, world, journal: () => journal });
	const tally = new Tally(() => world.clock.now());
	const journal = openJournal({ log, mesh, clock: world.clock, time: shell, onStored: (position, envelope) => tally.count(position, envelope) });
	const notices = new Map<string, Notice>();
	const room = toldRoom(options.disk, world.timers, notices);
	const told = {
		notice: (about: string, text: string) => notices.set(about, { severity: "info", text }),
		gone: (gap: Gap) => log.closeGap(gap),
	};
	const intake = new CoreIntake(journal, live, world, told, room);
	const stops = stopsOf(journal, live, world, shell);
	const audit = auditOf(options, notices);
	const leases = new MotionLeases({ mesh, key, journal, live, world, newLease: newName });
	return {
		options,
		journal,
		shell,
		live,
		intake,
		key,
		term,
		notices,
		stops,
		leases,
		tally,
		audit,
		room,
		outside: {},
		link: undefined,
		where: NOWHERE,
	};
};

export const openCore = async (options: CoreOptions): Promise<Core> => {
	const parts = await partsOf(options);
	const { journal, shell, intake, key, notices, stops, leases, audit, room } = parts;
	await room.start();
	await shell.start(startRecords(options));
	audit.start();
	let dispatcher: Dispatcher | undefined;
	let rounds: Rounds | undefined;
	let presence: PresenceWatch | undefined;
	return {
		intake,
		key,
		desk: deskOf(parts),
		engineMs: () => shell.engineMs(),
		record: async (source, type, data) => {
			await journal.note(source, type, data);
			await shell.idle();
		},
		notice: (about, notice) => (notice === undefined ? notices.delete(about) : notices.set(about, notice)),
		show: (outside) => {
			parts.outside = { ...parts.outside, ...outside };
		},
		spooled: (broker, bytes) => acceptSpooled({ intake, journal, mesh: options.mesh }, broker, bytes),
		refused: (refusal) => noteRefusal(notices, refusal),
		stopped: (verb, target, by, bytes) => stops.heard(verb, target, by.node, bytes),
		connect: async (link, where) => {
			parts.link = link;
			parts.where = where;
			leases.connect(link);
			stops.connect(link, () => rounds?.hurry());
			dispatcher = dispatcherOf(parts, link);
			await dispatcher.start();
			rounds = roundsOf(parts, link);
			rounds.start();
			presence = presenceWatchOf(parts, link);
			presence.start();
		},
		close: async () => {
			room.stop();
			stops.close();
			leases.close();
			await presence?.stop();
			await rounds?.stop();
			audit.end();
			await dispatcher?.stop();
			await intake.settle("all");
			await shell.stop();
			await audit.stop();
		},
	};
};
