// Connects the real gate and the memory of commands to a node that can die at any moment: services, an outbox, receipts, and a count of every effect.
import { type Envelope, encodeEnvelope, type RecordType, type RecordTypes } from "../../contracts/envelope.ts";
import type { ActionCommand, CoreBeacon } from "../../contracts/gen/types.ts";
import { type Heard, hearBeacon, nothingHeard } from "../../edge/machines/beacon.ts";
import { type GateEffect, judgeCommand } from "../../edge/machines/gate.ts";
import { foldMarks, freshMarks, type Marks, type Receipt } from "../../edge/machines/marks.ts";
import { payloadOf } from "../support/core.ts";
import { MESH } from "../support/engine.ts";
import type { VirtualTime } from "../support/world.ts";
import type { Chance } from "./chance.ts";

type Lane = "safety" | "decision" | "event" | "metric";

export interface Letter {
	readonly id: string;
	readonly bytes: Uint8Array;
	sentMs: number;
}

interface SimService {
	running: boolean;
	/** Stopped by a command: it stays so until another one starts it. */
	stopped: boolean;
	/** What a restart brings: it runs, it ends again soon, or now one and now the other. */
	kind: "sound" | "broken" | "flaky";
	pid: number;
	/** Command of its newest restart. */
	by: string | undefined;
	downsMs: number[];
}

export interface NodeOptions {
	readonly name: string;
	readonly time: VirtualTime;
	readonly chance: Chance;
	readonly services: readonly string[];
	/** Puts a message on its way to core; a letter comes back as acknowledged. */
	readonly send: (node: SimNode, bytes: Uint8Array, letter: Letter | undefined) => void;
	/** An effect happened: the only place where the world is changed by a command. */
	readonly effect: (command: string) => void;
}

const FLAPPING_WINDOW_MS = 600_000;
const RESEND_AFTER_MS = 3_000;
const WINDOW = 20;

export class SimNode {
	readonly name: string;
	readonly services = new Map<string, SimService>();
	readonly #options: NodeOptions;
	/** What is on its disk. */
	#marks: Marks = freshMarks(1);
	#counter = 0;
	readonly #outbox: Letter[] = [];
	/** What ends with the agent. */
	alive = false;
	#life = 0;
	#session = "";
	#bornMs = 0;
	#conn = 0;
	#seq: Record<Lane, number> = { safety: 0, decision: 0, event: 0, metric: 0 };
	#running: string[] = [];
	#heard: Heard = nothingHeard(undefined);
	linked = false;

	constructor(options: NodeOptions) {
		this.#options = options;
		this.name = options.name;
		for (const service of options.services) this.services.set(service, { running: true, stopped: false, kind: "sound", pid: 1, by: undefined, downsMs: [] });
	}

	get session(): string {
		return this.#session;
	}
	get conn(): number {
		return this.#conn;
	}
	get tick(): number {
		return this.#options.time.nowMs - this.#bornMs;
	}
	get waiting(): number {
		return this.#outbox.length;
	}

	start(): void {
		this.alive = true;
		this.#life += 1;
		this.#counter += 1;
		this.#session = `${this.#counter}.${this.#counter.toString(16).padStart(16, "0")}`;
		this.#bornMs = this.#options.time.nowMs;
		this.#conn = 0;
		this.#seq = { safety: 0, decision: 0, event: 0, metric: 0 };
		this.#running = [];
		this.#heard = nothingHeard(this.#marks.coreTerm);
		for (const known of this.#marks.known) if (known.receipt === undefined) this.#finish(known.command, known.action, this.#probe(known.command, known.args));
	}

	/** kill -9 of the agent: services live on, the disk stays. */
	end(): void {
		this.alive = false;
		this.linked = false;
	}

	link(): void {
		this.linked = true;
		this.#conn += 1;
		this.#emit("dev.orion.node.state.v1", { state: "ready", session: this.#session, conn: this.#conn }, "safety");
		const services = [...this.services.keys()];
		const said = {
			role: "node" as const,
			version: "1",
			capabilities: ["process"],
			actions: ["process.restart", "process.stop"],
			services,
			contracts: 1,
			keyId: "k",
		};
		this.#emit("dev.orion.node.about.v1", said, "event");
		for (const [name, { running, stopped, pid, downsMs }] of this.services) {
			if (running) this.#emit("dev.orion.process.up.v1", { service: name, pid, startTicks: pid, how: "running", starts: pid }, "event");
			else if (stopped) this.#emit("dev.orion.process.stopped.v1", { service: name, why: "action" }, "event");
			else this.#emit("dev.orion.process.down.v1", { service: name, cause: "exited", exitCode: 1, downs: Math.max(1, downsMs.length) }, "event");
		}
	}

	/** The broker's word when a connection of this session ends without goodbye. */
	will(): Uint8Array {
		const data = { state: "lost" as const, session: this.#session, conn: this.#conn };
		return this.#encode(`${this.name}-will-${this.#counter}-${this.#conn}`, "dev.orion.node.state.v1", data, {});
	}

	/** Sends what has no answer, oldest first, a window at a time. */
	flush(): void {
		if (!this.alive || !this.linked) return;
		const { nowMs } = this.#options.time;
		for (const letter of this.#outbox.slice(0, WINDOW)) {
			if (nowMs - letter.sentMs < RESEND_AFTER_MS) continue;
			letter.sentMs = nowMs;
			this.#options.send(this, letter.bytes, letter);
		}
	}

	acknowledged(letter: Letter): void {
		const at = this.#outbox.indexOf(letter);
		if (at >= 0) this.#outbox.splice(at, 1);
	}

	metrics(): void {
		const data = { cpuCount: 4, cpuRatio: 0.1, uptimeSeconds: 1, bootId: "b", windowMs: 1_000 };
		this.#seq.metric += 1;
		const place = { session: this.#session, lane: "metric" as const, seq: this.#seq.metric };
		this.#options.send(
			this,
			this.#encode(`${this.name}-${this.#counter}-metric-${this.#seq.metric}`, "dev.orion.host.metrics.v1", data as never, place),
			undefined,
		);
	}

	alert(name: string, firing: boolean, service?: string): void {
		const labels = service === undefined ? {} : { labels: { service } };
		const data = { name, severity: "warning" as const, summary: "simulated", ...labels };
		this.#emit(firing ? "dev.orion.alert.firing.v1" : "dev.orion.alert.resolved.v1", data, "event");
	}

	hear(beacon: CoreBeacon): void {
		const step = hearBeacon(this.#heard, MESH, beacon.coreTerm.keyId, beacon, this.tick);
		if (step.kind === "ignored") return;
		this.#heard = step.heard;
		if (step.termRaised) this.#marks = foldMarks(this.#marks, { kind: "term", ...beacon.coreTerm });
	}

	serviceEnds(name: string): void {
		const service = this.services.get(name);
		if (service?.running !== true) return;
		const { nowMs } = this.#options.time;
		service.running = false;
		service.downsMs = [...service.downsMs.filter((ms) => nowMs - ms < FLAPPING_WINDOW_MS), nowMs];
		if (!this.alive) return;
		this.#emit("dev.orion.process.down.v1", { service: name, cause: "exited", exitCode: 1, downs: service.downsMs.length }, "event");
		if (service.downsMs.length === 3) this.#emit("dev.orion.process.flapping.v1", { service: name, downs: 3, windowMs: FLAPPING_WINDOW_MS }, "event");
	}

	receive(topicAction: string, jws: string): void {
		if (!this.alive) return;
		const command = payloadOf(jws) as ActionCommand;
		const services = [...this.services.keys()];
		const view = {
			mesh: MESH,
			node: this.name,
			session: this.#session,
			nowTick: this.tick,
			safety: this.linked ? ("working" as const) : ("alone" as const),
			actions: { "process.restart": { service: services }, "process.stop": { service: services } },
			policies: this.#heard.policies,
			running: this.#running,
			runningMax: 16,
		};
		const verdict = judgeCommand(this.#marks, view, { topicAction, fingerprint: "0", read: { kind: "command", keyId: command.coreTerm.keyId, command } });
		for (const effect of verdict.effects) this.#carryOut(effect);
	}

	#carryOut(effect: GateEffect): void {
		if (!this.alive) return;
		if (effect.kind === "say") this.#say(effect.receipt);
		else if (effect.kind === "write") this.#marks = foldMarks(this.#marks, effect.entry);
		else this.#run(effect.command, effect.action, String(effect.args["service"]));
	}

	/** The effect, and later its receipt; the agent may die before, between and after. */
	#run(command: string, action: string, name: string): void {
		const { time, chance } = this.#options;
		const life = this.#life;
		this.#running.push(command);
		time.after(chance.whole(10, 1_500), () => {
			if (!this.alive || life !== this.#life) return;
			const works = action === "process.stop" ? this.#stop(command, name) : this.#restart(command, name);
			time.after(chance.whole(10, 1_500), () => {
				if (!this.alive || life !== this.#life) return;
				this.#running = this.#running.filter((one) => one !== command);
				this.#finish(command, action, works ? "done" : "failed");
			});
		});
	}

	/** Its watcher has nothing to complain of any more, in most cases. */
	#stop(command: string, name: string): boolean {
		const service = this.services.get(name);
		if (service === undefined) return false;
		this.#options.effect(command);
		service.by = command;
		service.running = false;
		service.stopped = true;
		this.#emit("dev.orion.process.stopped.v1", { service: name, why: "action", action: command }, "event");
		if (this.#options.chance.hits(0.7)) this.alert("service-runaway", false);
		return true;
	}

	#restart(command: string, name: string): boolean {
		const { time, chance } = this.#options;
		const service = this.services.get(name);
		if (service === undefined) return false;
		this.#options.effect(command);
		service.by = command;
		const works = service.kind === "sound" || (service.kind === "flaky" && chance.hits(0.5));
		if (!works && chance.hits(0.3)) return false;
		service.running = true;
		service.stopped = false;
		service.pid += 1;
		this.#emit(
			"dev.orion.process.up.v1",
			{ service: name, pid: service.pid, startTicks: service.pid, how: "restarted", action: command, starts: service.pid } as never,
			"event",
		);
		if (!works) time.after(chance.whole(50, 2_500), () => this.serviceEnds(name));
		return true;
	}

	#probe(command: string, args: Readonly<Record<string, unknown>>): "done" | "failed" | "unknown" {
		if (this.services.get(String(args["service"]))?.by === command) return "done";
		return this.#options.chance.hits(0.5) ? "failed" : "unknown";
	}

	#finish(command: string, action: string, phase: "done" | "failed" | "unknown"): void {
		const receipt: Receipt = { command, action, phase };
		this.#marks = foldMarks(this.#marks, { kind: "receipt", receipt });
		this.#say(receipt);
	}

	#say(receipt: Receipt): void {
		this.#emit("dev.orion.action.receipt.v1", receipt, "decision");
	}

	#emit<T extends RecordType>(type: T, data: RecordTypes[T], lane: Lane): void {
		this.#seq[lane] += 1;
		const seq = this.#seq[lane];
		const id = `${this.name}-${this.#counter}-${lane}-${seq}`;
		const letter: Letter = { id, bytes: this.#encode(id, type, data, { session: this.#session, lane, seq }), sentMs: Number.NEGATIVE_INFINITY };
		this.#outbox.push(letter);
		this.flush();
	}

	#encode<T extends RecordType>(id: string, type: T, data: RecordTypes[T], place: object): Uint8Array {
		return encodeEnvelope({ specversion: "1.0", id, source: `/nodes/${this.name}`, type, mesh: MESH, ...place, data } as unknown as Envelope);
	}
}
