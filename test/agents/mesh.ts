// A mesh of one node for agent tests: the real broker on a free port, a core that signs beacons and commands, and a node's agent in this process.

import type { Capability, CapabilityContext } from "../../agents/capabilities/capability.ts";
import { type Agent, type AgentOptions, startAgent } from "../../agents/roles/agent.ts";
import { hostTimers } from "../../agents/roles/host-clock.ts";
import { nodeClock, nodeRandomness } from "../../agents/roles/node-clock.ts";
import { openBroker } from "../../broker/broker.ts";
import type { Accepted, OpenBroker, Rejected } from "../../broker/ports.ts";
import type { Envelope, RecordType } from "../../contracts/envelope.ts";
import type { ActionCommand, CoreBeacon, NodePulse, NodeWatermark } from "../../contracts/gen/types.ts";
import { mqttConnect } from "../../edge/mqtt.ts";
import { beaconOf, commandOf, Disk, MemoryFiles, Notes, noSweep, Signer } from "../edge/world.ts";

const WITHIN_MS = 10_000;
export const PASSWORD = "secret";

/** Waits for a fact, not for a time. */
export const until = async <T>(what: string, look: () => T | undefined | false): Promise<T> => {
	const deadline = performance.now() + WITHIN_MS;
	for (;;) {
		const found = look();
		if (found !== undefined && found !== false) return found;
		if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 5));
	}
};

type Heard = { readonly topic: string; readonly envelope: Envelope };

export class Mesh {
	readonly signer = new Signer();
	readonly heard: Heard[] = [];
	readonly live: Heard[] = [];
	readonly quarantined: Rejected[] = [];
	/** Orders to stop that came to the broker. */
	readonly stops: { readonly verb: string; readonly node: string; readonly by: string; readonly bytes: Uint8Array }[] = [];
	term = 3;
	#counter = 0;
	#instance = 0;
	#broker: OpenBroker | undefined;
	#beacons: NodeJS.Timeout | undefined;
	/** The disk of core: while it is down nothing is acknowledged; while it is stuck nothing is even refused. */
	disk: "up" | "down" | "stuck" = "up";

	async open(port = 0): Promise<this> {
		this.#instance += 1;
		const accept = ({ topic, envelope }: Accepted) => {
			if (this.disk === "down") return Promise.reject(new Error("the disk is down"));
			if (this.disk === "stuck") return new Promise<never>(() => undefined);
			this.heard.push({ topic, envelope });
			return Promise.resolve({ kind: "stored" as const, position: this.heard.length });
		};
		this.#broker = await openBroker({
			mesh: "mesh-1",
			host: "127.0.0.1",
			port,
			instance: `i${this.#instance}`,
			onStop: (verb, node, by, bytes) => this.stops.push({ verb, node, by: by.clientId, bytes }),
			credentials: { check: (_, password) => Promise.resolve(Buffer.from(password).toString() === PASSWORD) },
			intake: {
				accept,
				quarantine: (message) => {
					this.quarantined.push(message);
					return Promise.resolve({ position: this.quarantined.length });
				},
				live: ({ topic, envelope }) => void this.live.push({ topic, envelope }),
			},
		});
		return this;
	}

	get broker(): OpenBroker {
		if (this.#broker === undefined) throw new Error("no broker");
		return this.#broker;
	}
	get url(): string {
		return `mqtt://127.0.0.1:${this.broker.port}`;
	}

	speak(change: Partial<CoreBeacon> = {}): void {
		const say = (): void => {
			this.#counter += 1;
			const beacon = beaconOf(this.signer, {
				counter: this.#counter,
				coreTerm: { counter: this.term, keyId: this.signer.keyId },
				ticks: this.#ticks(),
				...change,
			});
			void this.broker.publish("orion/v1/core/beacon", this.signer.beacon(beacon), { qos: 0, retain: false });
		};
		this.silence();
		say();
		this.#beacons = setInterval(say, 200);
	}

	/** What core echoes of the pulses that it heard. */
	#ticks(): Readonly<Record<string, number>> {
		return Object.fromEntries(
			this.live.flatMap(({ topic, envelope }) => (topic.endsWith("/pulse") ? [[topic.split("/")[2] ?? "", (envelope.data as unknown as NodePulse).tick]] : [])),
		);
	}

	silence(): void {
		clearInterval(this.#beacons);
	}

	watermark(change: Partial<NodeWatermark>): Promise<void> {
		const mark: NodeWatermark = { node: "pi-1", counter: 0, session: "", lanes: {}, instance: `i${this.#instance}`, ...change };
		return this.broker.publish("orion/v1/pi-1/watermark", Buffer.from(JSON.stringify(mark)), { qos: 1, retain: true });
	}

	pulse(): NodePulse | undefined {
		return this.live.findLast(({ topic }) => topic.endsWith("/pulse"))?.envelope.data as NodePulse | undefined;
	}

	/** A command as core would send it now, from what it heard last. */
	command(change: Partial<ActionCommand> = {}): ActionCommand {
		const { session = "", tick = 0 } = this.pulse() ?? {};
		return commandOf(this.signer, { session, tick, coreTerm: { counter: this.term, keyId: this.signer.keyId }, ...change });
	}

	send(command: ActionCommand): Promise<"delivered" | "nobody"> {
		return this.broker.deliver("pi-1", `orion/v1/pi-1/cmd/${command.action}`, this.signer.command(command));
	}

	of<T extends RecordType>(type: T): readonly Extract<Envelope, { readonly type: T }>[] {
		return this.heard.flatMap(({ envelope }) => (envelope.type === type ? [envelope as Extract<Envelope, { readonly type: T }>] : []));
	}

	states(): readonly string[] {
		return this.of("dev.orion.node.state.v1").map(({ data }) => `${data.state} ${data.conn}`);
	}

	async close(): Promise<void> {
		this.silence();
		await this.#broker?.close();
		this.#broker = undefined;
	}
}

/** A capability that counts. */
export class Counting implements Capability {
	readonly name = "process";
	readonly actions = { "process.restart": { service: ["web"] } };
	readonly services = ["web"];
	readonly ran: string[] = [];
	announced = 0;
	stopped: string | undefined;
	context: CapabilityContext | undefined;
	start(context: CapabilityContext): Promise<void> {
		this.context = context;
		return Promise.resolve();
	}
	stop(reason: string): Promise<void> {
		this.stopped = reason;
		return Promise.resolve();
	}
	run(_action: string, _args: unknown, command: string) {
		this.ran.push(command);
		return Promise.resolve({ phase: "done" as const });
	}
	probe() {
		return Promise.resolve({ phase: "unknown" as const });
	}
	announce(): Promise<void> {
		this.announced += 1;
		return Promise.resolve();
	}
}

/** What of a node survives its agent. */
export class NodeFolder {
	readonly files = new MemoryFiles();
	readonly outbox = new Disk();
	readonly commands = new Disk();
}

export const startNode = async (
	mesh: Mesh,
	folder: NodeFolder,
	change: { readonly password?: string; readonly more?: readonly Capability[] } & Partial<
		Pick<AgentOptions, "openStopSocket" | "openRobot" | "connect" | "certificate" | "clock">
	> = {},
): Promise<{ agent: Agent; counting: Counting; notes: Notes }> => {
	const counting = new Counting();
	const notes = new Notes();
	const { keyId, publicKey } = mesh.signer;
	const config = {
		schema: "orion.node-config/1",
		mesh: "mesh-1",
		node: "pi-1",
		url: mesh.url,
		username: "pi-1",
		password: change.password ?? PASSWORD,
		coreKeys: [{ keyId, publicKey }],
	} as const;
	const agent = await startAgent({
		config: { ...config, coreKeys: [...config.coreKeys] },
		version: "1.0.0",
		files: folder.files,
		openLog: (name) => Promise.resolve({ log: folder[name].log(), sweep: noSweep }),
		connect: change.connect ?? mqttConnect(config),
		clock: change.clock ?? nodeClock(),
		timers: hostTimers(),
		random: nodeRandomness(),
		capabilities: [counting, ...(change.more ?? [])],
		note: notes.note,
		outboxBytesMax: 1_000_000,
		...(change.openRobot === undefined ? {} : { openRobot: change.openRobot }),
		...(change.certificate === undefined ? {} : { certificate: change.certificate }),
		...(change.openStopSocket === undefined ? {} : { openStopSocket: change.openStopSocket }),
	});
	return { agent, counting, notes };
};
