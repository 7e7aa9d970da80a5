// Composition of one node's agent: identity, session, outbox, gate, capabilities and the two connections. Chooses what belongs together, decides nothing.

import type { RecordType, RecordTypes } from "../../contracts/envelope.ts";
import type { ConfigNode, NodeWatermark } from "../../contracts/gen/types.ts";
import { readStopOrder } from "../../contracts/stop-order.ts";
import { bytesPerDay } from "../../core/service/wear.ts";
import { Alone } from "../../edge/alone.ts";
import type { CertificateWatch } from "../../edge/certificate-watch.ts";
import { CommandJournal } from "../../edge/command-journal.ts";
import { Commands, type Outcome, type Runner } from "../../edge/commands.ts";
import { CoreWatch } from "../../edge/core-watch.ts";
import { DataChannel } from "../../edge/data-channel.ts";
import { type NodeIdentity, openIdentity } from "../../edge/identity.ts";
import { heldBy, heldVerb, type LatchOutcome } from "../../edge/machines/latch.ts";
import { Outbox } from "../../edge/outbox.ts";
import type { Connect, KeptFiles, NodeClock, Note, Randomness, Timers } from "../../edge/ports.ts";
import { SafetyChannel, type SafetyChannelOptions } from "../../edge/safety-channel.ts";
import { openSessions, type SessionStore } from "../../edge/session.ts";
import { coreKeysOf } from "../../edge/signed.ts";
import { StopDesk, type StopDeskOptions } from "../../edge/stop-desk.ts";
import { StopLatch, type StopLatchOptions } from "../../edge/stop-latch.ts";
import { Voice } from "../../edge/voice.ts";
import type { Log } from "../../log/port.ts";
import type { Capability, CapabilityContext, StopReason } from "../capabilities/capability.ts";
import type { AgentLine } from "../robot/agent-line.ts";
import { type NodeSafe, nodeSafe, onLatch, openRobotOf, type RobotContext } from "./agent-safety.ts";

export interface AgentOptions {
	readonly config: ConfigNode;
	readonly version: string;
	readonly files: KeptFiles;
	/** `outbox` or `commands`, and how to remove what it put away. */
	readonly openLog: (name: "outbox" | "commands") => Promise<{ readonly log: Log; readonly sweep: () => Promise<void> }>;
	readonly connect: Connect;
	readonly clock: NodeClock;
	readonly timers: Timers;
	readonly random: Randomness;
	readonly capabilities: readonly Capability[];
	readonly note: Note;
	readonly outboxBytesMax: number;
	/** Of a node with a certificate: while it is over or was taken back, the node is restricted. */
	readonly certificate?: CertificateWatch;
	/** Of a node that moves: the line to the process that moves it. */
	readonly openRobot?: (context: RobotContext) => AgentLine;
	/** Where a person at this node stops it without any mesh. */
	readonly openStopSocket?: (desk: StopDesk) => Promise<{ close(): Promise<void> }>;
	/** Its safety loop went round. */
	readonly onTurn?: () => void;
}

export interface Agent {
	/** Ends in order: "agent-stop" ends the services too, "agent-leave" leaves them running. */
	stop(reason: StopReason): Promise<void>;
}

const CONTRACTS = 1;
const FLUSH_WITHIN_MS = 3_000;

const runnerOf = (capabilities: readonly Capability[]): Runner => {
	const capable = (action: string): Capability | undefined => capabilities.find(({ actions }) => Object.hasOwn(actions, action));
	const cannot: Outcome = { phase: "failed", reason: "no-such-action" };
	return {
		actions: () => Object.assign({}, ...capabilities.map(({ actions }) => actions)),
		run: (action, args, command) => capable(action)?.run(action, args, command) ?? Promise.resolve(cannot),
		probe: (action, args, command) => capable(action)?.probe(action, args, command) ?? Promise.resolve({ phase: "unknown", reason: "no-such-action" }),
	};
};

const aboutOf = (version: string, capabilities: readonly Capability[], keyId: string): RecordTypes["dev.orion.node.about.v1"] => ({
	role: "node",
	version,
	capabilities: capabilities.map(({ name }) => name),
	actions: capabilities.flatMap(({ actions }) => Object.keys(actions)),
	services: capabilities.flatMap(({ services }) => services),
	contracts: CONTRACTS,
	keyId,
});

interface Kept {
	readonly identity: NodeIdentity;
	readonly sessions: SessionStore;
	readonly voice: Voice;
	readonly outbox: Outbox;
	readonly journal: CommandJournal;
	readonly latch: StopLatch;
}

/** The lock of the outbox is what keeps a second agent out of this folder, so it comes before anything is written. */
const openKept = async (options: AgentOptions, onOutcome: StopLatchOptions["onOutcome"]): Promise<Kept> => {
	const { config, files, clock, timers, random, note, openLog, outboxBytesMax } = options;
	const { mesh, node } = config;
	const letters = await openLog("outbox");
	const memory = await openLog("commands");
	const identity = await openIdentity(files);
	const sessions = await openSessions(files, clock, random);
	const voice = new Voice({ mesh, node, clock, session: () => sessions.current() });
	const outbox = await Outbox.open({ ...letters, voice, node, timers, note, bytesMax: outboxBytesMax });
	const journal = await CommandJournal.open(memory.log, sessions.current().counter, memory.sweep);
	const latch = await StopLatch.open({ files, note, onOutcome });
	return { identity, sessions, voice, outbox, journal, latch };
};

interface Obedience {
	readonly watch: CoreWatch;
	readonly commands: Commands;
}

/** What a node says because of what it hears. */
interface Saying {
	readonly onWorking: () => void;
	readonly onSafety: () => void;
	readonly sayEverything: () => void;
	readonly sayReady: () => void;
}

/** Whom this node hears, and what it then does. */
const openObedience = (
	options: AgentOptions,
	{ sessions, outbox, journal }: Kept,
	safe: NodeSafe,
	{ onWorking, onSafety, sayEverything, sayReady }: Saying,
): Obedience => {
	const { config, clock, timers, capabilities, note } = options;
	const keys = coreKeysOf("node.json", config.coreKeys);
	const common = { mesh: config.mesh, node: config.node, keys, sessions, timers, note };
	const watch: CoreWatch = new CoreWatch(
		{
			...common,
			clock,
			onChange: (presence) => {
				note("safety", { safety: safe.said(watch).state });
				onSafety();
				if (presence === "working") onWorking();
			},
			onBeacon: ({ stops = [], releases = [] }) => {
				const { latch, robot } = safe;
				robot?.heard();
				const mine = stops.find(({ node }) => node === config.node);
				if (mine !== undefined) latch.listed(mine.verb, { order: mine.order, by: mine.by, via: "beacon" });
				const release = releases.find(({ node }) => node === config.node);
				if (release !== undefined) latch.release(release.orders);
			},
			onTerm: (term) => {
				void commands.termRaised(term);
				sayEverything();
			},
			onUnechoed: sayReady,
			...(options.onTurn === undefined ? {} : { onTurn: options.onTurn }),
		},
		journal.marks.coreTerm,
	);
	const commands = new Commands({
		...common,
		journal,
		runner: runnerOf(capabilities),
		heard: () => watch.heard,
		safety: () => safe.gate(watch),
		stoppedBy: () => safe.stoppedBy(),
		say: (receipt) => outbox.emit("dev.orion.action.receipt.v1", receipt),
	});
	return { watch, commands };
};

/** What this node may do while it hears no core. */
const openAlone = (
	{ config, files, clock, timers, capabilities, note, certificate }: AgentOptions,
	{ sessions, outbox, journal, latch }: Kept,
	{ watch, commands }: Obedience,
): Promise<Alone> =>
	Alone.open({
		mesh: config.mesh,
		node: config.node,
		keys: coreKeysOf("node.json", config.coreKeys),
		files,
		sessions,
		clock,
		timers,
		note,
		runner: runnerOf(capabilities),
		safety: () => (latch.isLatched || certificate?.isRestricted === true ? "stopped" : watch.presence),
		heardLevel: () => watch.heard.level,
		busy: () => commands.busy,
		emit: (type, data) => outbox.emit(type, data),
		termCounter: () => Math.max(watch.heard.term?.counter ?? 0, journal.marks.coreTerm?.counter ?? 0),
	});

/** What capabilities say goes to core, and to what this node may do without core. */
const watchedEmit =
	(outbox: Outbox, alone: Alone) =>
	async <T extends RecordType>(type: T, data: RecordTypes[T]): Promise<void> => {
		await outbox.emit(type, data);
		alone.observed(type, data);
	};

/** Says what this node is and what it can do. */
const announcer =
	({ version, capabilities, note }: AgentOptions, { outbox, identity }: Kept) =>
	(): void => {
		const said = [
			outbox.emit("dev.orion.node.about.v1", aboutOf(version, capabilities, identity.keyId)),
			...capabilities.map((capability) => capability.announce()),
		];
		Promise.all(said).catch((error: unknown) => note("announce-failed", { detail: error instanceof Error ? error.message : "unknown" }));
	};

/** Faults: CONFIG_INVALID, FOLDER_OWNED and the other faults of opening a log. */
export const startAgent = async (options: AgentOptions): Promise<Agent> => {
	const { clock, timers, random, capabilities, note } = options;
	// A robot may say how it is before there is a connection to say it on; the first pulse says it then.
	let channels: Channels | undefined;
	const onSafety = (outcome?: LatchOutcome): void => channels?.safety.safetyChanged(outcome);
	const kept = await openKept(options, (outcome, book) => {
		onLatch(robot, book, onSafety, outcome);
		note("safe-stop", { outcome, verb: heldVerb(book) ?? "none", by: heldBy(book)?.by ?? "nobody" });
	});
	const { outbox, journal, latch, sessions } = kept;
	const { mesh, node, coreKeys } = options.config;
	const robot = openRobotOf(options.openRobot, { mesh, node, keys: coreKeysOf("node.json", coreKeys), sessions }, () => onSafety());
	robot?.held(heldVerb(latch.book));
	const safe = nodeSafe(latch, robot, () => options.certificate?.isRestricted ?? false);
	const sayEverything = announcer(options, kept);
	const onWorking = (): void => {
		if (commands.recovered && watch.presence === "working") channels?.safety.ready();
	};
	const saying: Saying = { onWorking, onSafety: () => onSafety(), sayEverything, sayReady: () => channels?.safety.readyAgain() };
	const { watch, commands } = openObedience(options, kept, safe, saying);
	const alone = await openAlone(options, kept, { watch, commands });
	const open = openChannels(options, { ...kept, safe, watch, commands, alone, onWorking, sayEverything });
	channels = open;

	// Before anything that may wait: a person at this node can stop it from now on.
	const order: StopDeskOptions["order"] = (node, verb, ordered) => open.safety.order(node, verb, ordered);
	const socket = await options.openStopSocket?.(
		new StopDesk({ node, latch, clock, random, safety: () => safe.said(watch).state, presence: () => safe.presence(), order }),
	);

	sayEverything();
	watch.start();
	open.data.start();
	heedCertificate(options.certificate, open);
	const emit = watchedEmit(outbox, alone);
	const measure: CapabilityContext["measure"] = (type, data) => open.data.measure(type, data);
	const context: CapabilityContext = { emit, measure, safety: () => safe.said(watch).state, clock, timers, note };
	await Promise.all(capabilities.map((capability) => capability.start(context)));
	await commands.recover();
	onWorking();
	alone.start();

	return {
		stop: async (reason) => {
			await options.certificate?.stop();
			await alone.stop();
			await Promise.all(capabilities.map((capability) => capability.stop(reason)));
			if (reason === "agent-stop") note("flushed", { all: await outbox.flushed(FLUSH_WITHIN_MS), waiting: outbox.waiting });
			watch.stop();
			await Promise.all([reason === "agent-stop" ? open.safety.stop() : open.safety.leave(), open.data.stop()]);
			await latch.settled();
			await socket?.close();
			robot?.close();
			await outbox.close();
			await journal.close();
		},
	};
};

/** A certificate that is over still opens the safety connection: how it is, and stop. */
const heedCertificate = (certificate: CertificateWatch | undefined, { safety }: Channels): void => {
	if (certificate === undefined) return;
	const onChange = (): void => {
		if (certificate.isRestricted) safety.start();
		safety.safetyChanged();
	};
	certificate.onChange(onChange);
	if (certificate.isRestricted) onChange();
	certificate.start();
};

interface Channels {
	readonly data: DataChannel;
	readonly safety: SafetyChannel;
}

interface Parts extends Kept, Obedience {
	readonly safe: NodeSafe;
	readonly alone: Alone;
	readonly onWorking: () => void;
	readonly sayEverything: () => void;
}

const leasesOf = ({ robot }: NodeSafe, { note, certificate }: AgentOptions): Pick<SafetyChannelOptions, "onLease"> =>
	robot === undefined
		? {}
		: {
				onLease: (bytes) => {
					if (certificate?.isRestricted === true) {
						note("lease-refused", { reason: "restricted", detail: "this node's certificate is over or was taken back" });
						return;
					}
					const news = robot.lease(bytes);
					if (news.kind === "refused") note("lease-refused", { reason: news.reason, detail: news.detail });
					if (news.kind === "sit") note("robot-sits", { by: news.by });
				},
			};

/** What each pulse says of the outbox; what it writes a day is known after an hour. */
const outboxSays = ({ version, clock }: AgentOptions, outbox: Outbox): SafetyChannelOptions["beside"] => {
	const beganMs = clock.now();
	return () => {
		const outboxDailyBytes = bytesPerDay(outbox.bytesWritten, clock.now() - beganMs);
		return { version, outboxCount: outbox.waiting, outboxBytes: outbox.bytes, ...(outboxDailyBytes === undefined ? {} : { outboxDailyBytes }) };
	};
};

/** Data first: it settles the session. The safety connection follows, because its will names that session. */
const openChannels = (options: AgentOptions, parts: Parts): Channels => {
	const { config, connect, timers, random, note } = options;
	const { voice, outbox, sessions, latch, safe, watch, commands, alone, onWorking, sayEverything } = parts;
	const common = { node: config.node, connect, timers, random, note, voice };
	let linked = { data: false, safety: false };
	const link = (change: Partial<typeof linked>): void => {
		const before = linked.data && linked.safety;
		linked = { ...linked, ...change };
		const now = linked.data && linked.safety;
		if (now !== before) note(now ? "link-up" : "link-down", { session: sessions.current().id });
		if (!now) watch.linkLost();
	};
	const safety = new SafetyChannel({
		...common,
		sessions,
		beside: outboxSays(options, outbox),
		safety: () => ({ said: safe.said(watch), order: safe.obeyed() }),
		...leasesOf(safe, options),
		onStop: (verb, bytes) => void latch.order(verb, readStopOrder(bytes)),
		onBeacon: (bytes) => {
			watch.beacon(bytes);
			onWorking();
		},
		onUp: () => link({ safety: true }),
		onDown: () => link({ safety: false }),
	});
	const onWatermark = async (mark: NodeWatermark): Promise<void> => {
		if (!sessions.isBehind(mark)) return;
		await sessions.begin(mark);
		note("session-began", { session: sessions.current().id, because: "core knows of later sessions than this folder" });
		watch.sessionBegan();
		await safety.stop();
		if (linked.data) safety.start();
		sayEverything();
	};
	const data = new DataChannel({
		...common,
		outbox,
		onCommand: (action, bytes) => void commands.receive(action, bytes),
		onBundle: (bytes) => void alone.bundle(bytes),
		onWatermark,
		onUp: () => {
			link({ data: true });
			safety.start();
		},
		onDown: () => link({ data: false }),
	});
	return { data, safety };
};
