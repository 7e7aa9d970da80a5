// Connects the real parts of core (shell, journal, intake, dispatcher, rounds) to a virtual host, disk and network: one process of core.
import { type Envelope, encodeEnvelope } from "../../contracts/envelope.ts";
import type { step } from "../../core/engine.ts";
import type { Level } from "../../core/policy.ts";
import { type Delivery, Dispatcher, type DispatcherOptions } from "../../core/service/dispatcher.ts";
import { CoreIntake, type KeptMessage } from "../../core/service/intake.ts";
import { coreEnvelope, type Incoming, type Journal, openJournal, parseStored } from "../../core/service/journal.ts";
import type { CoreKey } from "../../core/service/keys.ts";
import { Live } from "../../core/service/live.ts";
import type { LoadedPolicy } from "../../core/service/policies.ts";
import type { CoreTerm, LogRecord } from "../../core/service/ports.ts";
import { type Publish, Rounds } from "../../core/service/rounds.ts";
import { Shell } from "../../core/service/shell.ts";
import type { Life, VirtualDisk } from "./disk.ts";
import { MESH, SESSION, shippedPolicy } from "./engine.ts";
import type { VirtualHost, VirtualWorld } from "./world.ts";

export interface CoreProcessOptions {
	readonly host: VirtualHost;
	readonly disk: VirtualDisk;
	readonly policy?: LoadedPolicy;
	readonly code?: string;
	readonly level?: Level;
	readonly term?: number;
	readonly delivery?: Delivery;
	readonly publish?: Publish;
	readonly step?: typeof step;
	readonly audit?: DispatcherOptions["audit"];
	readonly spoolsEmptyMs?: () => number;
}

/** Signs nothing: shows what was signed by whom. What it gives has the form of a signed text, and the same content gives the same text. */
export const openlySigned = (keyId: string): CoreKey => ({
	keyId,
	publicKey: keyId,
	sign: (kind, payload) => Promise.resolve(`${Buffer.from(kind).toString("base64url")}.${Buffer.from(JSON.stringify(payload)).toString("base64url")}.${keyId}`),
});

export const payloadOf = (jws: string): unknown => JSON.parse(Buffer.from(jws.split(".")[1] ?? "", "base64url").toString("utf8"));

const NOBODY: Delivery = { deliver: () => Promise.resolve("nobody") };
/** Every record has its entry at once. */
const ENTERED: DispatcherOptions["audit"] = { entered: () => Promise.resolve("entered") };
const SILENT: Publish = { publish: () => Promise.resolve() };

export class CoreProcess {
	readonly world: VirtualWorld;
	readonly log: Life;
	readonly journal: Journal;
	readonly shell: Shell;
	readonly live: Live;
	readonly intake: CoreIntake;
	readonly dispatcher: Dispatcher;
	readonly rounds: Rounds;
	readonly #options: CoreProcessOptions;

	constructor(options: CoreProcessOptions) {
		const { host, disk, policy = shippedPolicy(), code = "0.1.0", term: counter = 1, delivery = NOBODY, publish = SILENT, audit = ENTERED } = options;
		this.#options = options;
		this.world = host.process();
		const log = disk.open();
		this.log = log;
		const { world } = this;
		const term: CoreTerm = { counter, keyId: "core-key" };
		const key = openlySigned("core-key");
		const mesh = MESH;
		const shell: Shell = new Shell({
			log,
			mesh,
			code,
			term,
			policy,
			world,
			journal: () => this.journal,
			...(options.step === undefined ? {} : { step: options.step }),
		});
		this.shell = shell;
		this.journal = openJournal({ log, mesh, clock: world.clock, time: shell });
		this.live = new Live(world.clock);
		this.intake = new CoreIntake(this.journal, this.live, world);
		const state = () => shell.state;
		this.dispatcher = new Dispatcher({ log, journal: this.journal, key, term, mesh, live: this.live, delivery, audit, world, state });
		this.rounds = new Rounds({
			mesh,
			instance: "i",
			log,
			journal: this.journal,
			intake: this.intake,
			live: this.live,
			key,
			term,
			publish,
			world,
			state,
			spoolsEmptyMs: options.spoolsEmptyMs ?? (() => Number.POSITIVE_INFINITY),
			stops: () => ({ latched: [] }),
			onBeacon: () => undefined,
		});
	}

	/** As the composition of core does it: the engine first, then what carries out. */
	async start(extra: readonly Incoming[] = []): Promise<void> {
		const { level } = this.#options;
		const set = level === undefined ? [] : [{ envelope: coreEnvelope(MESH, 0, "/core/operator", "dev.orion.level.set.v1", { level, by: "command line" }) }];
		await this.shell.start([...extra, ...set]);
	}

	async connect(): Promise<void> {
		await this.dispatcher.start();
	}

	/** kill -9 */
	kill(): void {
		this.world.alive = false;
		this.log.alive = false;
	}

	async stop(): Promise<void> {
		await this.rounds.stop();
		await this.dispatcher.stop();
		await this.intake.settle("all");
		await this.shell.stop();
		this.kill();
	}

	accept(envelope: Envelope, client?: string): Promise<KeptMessage> {
		const node = envelope.source.split("/")[2]?.split(".")[0] ?? "pi-1";
		return this.intake.accept({ identity: { node, clientId: client ?? node }, topic: "test", envelope, bytes: encodeEnvelope(envelope) });
	}
}

/** Everything that is durable. */
export const recordsOf = async (disk: VirtualDisk): Promise<readonly LogRecord[]> =>
	(await disk.log.read(1, Number.MAX_SAFE_INTEGER)).map(({ position, bytes }) => ({ position, envelope: parseStored(bytes) }));

/** A message of a node, numbered if `seq` is given. */
export const messageOf = (node: string, type: string, data: object, seq?: number, session = SESSION, lane = "event"): Envelope =>
	({
		specversion: "1.0",
		id: `${node} ${type} ${session} ${seq ?? JSON.stringify(data)}`.replaceAll(/[^a-z0-9.-]+/gi, "-").slice(0, 128),
		source: `/nodes/${node}`,
		type: `dev.orion.${type}.v1`,
		...(seq === undefined ? {} : { session, lane, seq }),
		data,
	}) as unknown as Envelope;
