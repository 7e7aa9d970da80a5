// Connects one core (its real parts), its disk and host, a network that loses and repeats, and nodes that die: one seed, one world, no real time.
import type { Envelope } from "../../contracts/envelope.ts";
import { step } from "../../core/engine.ts";
import { Replay } from "../../core/memory/replay.ts";
import type { Level } from "../../core/policy.ts";
import type { Recorded } from "../../core/record.ts";
import { parseStored } from "../../core/service/journal.ts";
import type { LoadedPolicy } from "../../core/service/policies.ts";
import { type EngineState, openIncidents } from "../../core/state.ts";
import { CoreProcess } from "../support/core.ts";
import { VirtualDisk } from "../support/disk.ts";
import { MESH } from "../support/engine.ts";
import { settle, VirtualHost } from "../support/world.ts";
import { Chance, type Faults, faultsOf } from "./chance.ts";
import type { Coverage } from "./coverage.ts";
import { type Left, mustAgree } from "./memory-of-runs.ts";
import { type Letter, SimNode } from "./node.ts";
import { Oracles } from "./oracles.ts";
import { observingStep } from "./other-code.ts";
import { alertAt, answers, operatorNote } from "./people.ts";

const YEAR_MS = 365 * 24 * 3_600_000;
const KEEPALIVE_MS = 5_000;

export interface SimOptions {
	readonly seed: number;
	readonly policies: readonly [LoadedPolicy, ...LoadedPolicy[]];
	/** Milliseconds with faults. */
	readonly faultsForMs: number;
	/** Milliseconds in which everything must come to an end once the faults are over; 0: not asked for. */
	readonly healsWithinMs: number;
	/** Added to the wall clock from the beginning: no decision may depend on it. */
	readonly wallShiftMs: number;
	readonly coverage: Coverage;
}

export class SimWorld {
	readonly #options: SimOptions;
	readonly #chance: Chance;
	/** The wall clock's own chance, so that it changes nothing else. */
	readonly #wallChance: Chance;
	readonly #faults: Faults;
	readonly #firstLevel: Level;
	readonly host = new VirtualHost();
	readonly disk = new VirtualDisk({ now: () => this.host.time.nowMs });
	readonly oracles = new Oracles();
	readonly nodes: readonly SimNode[];
	readonly records: Recorded[] = [];
	readonly #broken: Error[] = [];
	readonly #toLookAt: (() => void)[] = [];
	#core: CoreProcess | undefined;
	#left: Left | undefined;
	#term = 0;
	#starts = 0;
	#beacons = 0;
	#faulty = true;
	#checking = false;
	#otherCodeRan = false;

	constructor(options: SimOptions) {
		this.#options = options;
		this.#chance = new Chance(options.seed);
		this.#wallChance = new Chance(options.seed ^ 0x5f3759df ^ (options.wallShiftMs === 0 ? 0 : 1));
		this.#faults = faultsOf(this.#chance);
		this.#firstLevel = this.#chance.pick(["N2", "N3"]);
		this.host.quality = this.#faults.wallSynced ? "synced" : "unsynced";
		this.host.wallOffsetMs += options.wallShiftMs;
		this.nodes = ["pi-1", "pi-2"].map((name) => {
			const effect = (command: string) => this.#try(() => this.oracles.executed(command));
			const send = (node: SimNode, bytes: Uint8Array, letter: Letter | undefined) => this.#toCore(node, bytes, letter);
			return new SimNode({ name, time: this.host.time, chance: this.#chance, services: ["web", "db"], send, effect });
		});
	}

	get otherCodeRan(): boolean {
		return this.#otherCodeRan;
	}
	get starts(): number {
		return this.#starts;
	}

	/** Throws at the first broken promise. */
	async run(): Promise<void> {
		const { faultsForMs, healsWithinMs } = this.#options;
		const { time } = this.host;
		for (const node of this.nodes) {
			node.start();
			for (const service of node.services.values()) {
				if (this.#chance.hits(this.#faults.brokenServices)) service.kind = this.#chance.pick(["broken", "flaky"]);
			}
			this.#keepNode(node);
		}
		await this.#startCore();
		this.#plan();
		while (await time.turn(faultsForMs)) await this.#check();
		if (healsWithinMs > 0) await this.#heal(healsWithinMs);
		await this.#replay();
	}

	// ---- core

	async #startCore(): Promise<void> {
		if (this.#core !== undefined) return;
		const faulty = this.#faulty && this.#starts > 0;
		const otherCode = faulty && this.#chance.hits(this.#faults.otherCode);
		const policy = faulty && this.#chance.hits(this.#faults.otherPolicy) ? this.#chance.pick(this.#options.policies) : this.#options.policies[0];
		this.#starts += 1;
		this.#term += 1;
		const decides = otherCode ? observingStep : step;
		const core: CoreProcess = new CoreProcess({
			host: this.host,
			disk: this.disk,
			policy,
			code: otherCode ? "other" : "0.1.0",
			term: this.#term,
			...(this.#starts === 1 ? { level: this.#firstLevel } : this.#faulty ? {} : { level: "N2" }),
			delivery: { deliver: (node, topic, bytes) => this.#toNode(node, topic, bytes) },
			step: (state, input) => {
				if (input.envelope.type === "dev.orion.engine.started.v1") this.#recovered(state, input);
				this.#options.coverage.see(input.envelope.type, state);
				return decides(state, input);
			},
		});
		this.#core = core;
		try {
			await core.start();
			await core.connect();
			if (otherCode) this.#otherCodeRan = true;
		} catch {
			// A disk that is full refuses the start; it is tried again.
			this.#coreEnded(core);
		}
	}

	/** What a start knows is looked at when the records before it are at hand. */
	#recovered(state: EngineState, { position }: Recorded): void {
		const left = this.#left;
		this.#left = undefined;
		this.#toLookAt.push(() => mustAgree(state, this.records.slice(0, position - 1), left));
	}

	/** The process is gone, whichever way; the broker in it takes all connections along. */
	#coreEnded(core: CoreProcess): void {
		if (this.#core !== core) return;
		// A decision is in the state a moment before it counts as read.
		const readUpTo = Math.max(core.shell.readUpTo, core.shell.decidedUpTo);
		this.#left = readUpTo === 0 ? this.#left : { state: core.shell.state, readUpTo };
		core.kill();
		this.#core = undefined;
		for (const node of this.nodes) node.linked = false;
		if (this.#faulty && this.#chance.hits(this.#faults.hostReboots)) this.host.reboot();
		this.host.time.after(this.#faulty ? 100 + this.#chance.mostlySmall(90_000) : 100, () => void this.#startCore());
	}

	#endCore(): void {
		const core = this.#core;
		if (core === undefined) return;
		if (this.#chance.hits(0.25)) {
			core
				.stop()
				.catch(() => undefined)
				.then(() => this.#coreEnded(core));
			return;
		}
		core.log.endAt = { batches: this.#chance.whole(1, 8), kept: this.#chance.hits(0.5), ended: () => this.#coreEnded(core) };
	}

	// ---- network

	#delay(): number {
		return this.#faulty ? this.#chance.whole(1, this.#faults.delayMsMax) : 1;
	}

	#copies(): number {
		if (!this.#faulty) return 1;
		if (this.#chance.hits(this.#faults.dropped)) return 0;
		return this.#chance.hits(this.#faults.duplicated) ? 2 : 1;
	}

	#toCore(node: SimNode, bytes: Uint8Array, letter: Letter | undefined): void {
		// A measurement has no number and is sent once: it is lost or comes, never twice.
		const copies = letter === undefined ? Math.min(1, this.#copies()) : this.#copies();
		for (let copy = copies; copy > 0; copy--) {
			this.host.time.after(this.#delay(), () => {
				const core = this.#core;
				if (core === undefined || !node.linked) return;
				const envelope = parseStored(bytes);
				const message = { identity: { node: node.name, clientId: node.name }, topic: "simulated", envelope, bytes };
				if (letter === undefined) core.intake.live(message);
				else
					core.intake
						.accept(message)
						.then(() => {
							if (this.#copies() > 0) this.host.time.after(this.#delay(), () => node.acknowledged(letter));
						})
						// A full disk: nobody is thanked, and the node sends it again.
						.catch(() => undefined);
			});
		}
	}

	async #toNode(name: string, topic: string, bytes: Uint8Array): Promise<"delivered" | "nobody"> {
		const node = this.nodes.find((one) => one.name === name);
		if (node === undefined || !node.linked) return "nobody";
		const action = topic.split("/").at(-1) ?? "";
		const text = Buffer.from(bytes).toString();
		for (let copy = this.#copies(); copy > 0; copy--) this.host.time.after(this.#delay(), () => node.receive(action, text));
		return "delivered";
	}

	/** What a node does as long as it lives: connect, say that it lives, send what waits, measure. */
	#keepNode(node: SimNode): void {
		const { time } = this.host;
		const each = (ms: number, run: () => void): void => {
			time.after(ms, () => {
				run();
				each(ms, run);
			});
		};
		each(1_000, () => {
			const core = this.#core;
			if (core === undefined || !node.alive) return;
			if (!node.linked) {
				if (this.#cut.has(node.name)) return;
				node.link();
			}
			node.flush();
			if (this.#copies() === 0) return;
			core.live.pulse(node.name, { session: node.session, tick: node.tick, safety: "working" });
			this.#beacons += 1;
			const { level, policyHash } = core.shell.state;
			node.hear({ v: 1, mesh: MESH, coreTerm: { counter: this.#term, keyId: "core-key" }, counter: this.#beacons, level, policyHash, latched: [], ticks: {} });
		});
		each(30_000, () => {
			if (node.alive && node.linked) node.metrics();
		});
	}

	readonly #cut = new Set<string>();

	/** A connection ends without goodbye: the broker says so when it notices, sometimes long after the node is back. */
	#linkEnds(node: SimNode): void {
		if (!node.linked) return;
		const will = node.will();
		const core = this.#core;
		node.linked = false;
		this.host.time.after(KEEPALIVE_MS + this.#chance.mostlySmall(30_000), () => {
			if (core === undefined || this.#core !== core) return;
			const identity = { node: node.name, clientId: node.name };
			core.intake.accept({ identity, topic: "simulated", envelope: parseStored(will), bytes: will }).catch(() => undefined);
		});
	}

	// ---- faults

	#plan(): void {
		const {
			serviceEndsEveryMs,
			agentEndsEveryMs,
			linkEndsEveryMs,
			coreEndsEveryMs,
			diskFullEveryMs,
			operatorEveryMs,
			alertEveryMs,
			personEveryMs,
			wallSynced,
		} = this.#faults;
		const chance = this.#chance;
		const node = (): SimNode => chance.pick(this.nodes as readonly [SimNode, ...SimNode[]]);
		this.#often(serviceEndsEveryMs, () => node().serviceEnds(chance.pick(["web", "db"])));
		this.#often(alertEveryMs, () => {
			const one = node();
			if (one.alive) alertAt(chance, one);
		});
		this.#often(agentEndsEveryMs, () => {
			const one = node();
			if (!one.alive) return;
			this.#linkEnds(one);
			one.end();
			this.host.time.after(500 + chance.mostlySmall(60_000), () => {
				if (!one.alive) one.start();
			});
		});
		this.#often(linkEndsEveryMs, () => {
			const one = node();
			this.#linkEnds(one);
			this.#cut.add(one.name);
			this.host.time.after(200 + chance.mostlySmall(60_000), () => this.#cut.delete(one.name));
		});
		this.#often(coreEndsEveryMs, () => this.#endCore());
		this.#often(diskFullEveryMs, () => {
			this.#full(true);
			this.host.time.after(chance.whole(100, 20_000), () => this.#full(false));
		});
		this.#often(operatorEveryMs, () => this.#record([operatorNote(chance, this.#options.policies)]));
		this.#often(personEveryMs, () => this.#record(answers(chance, Object.values(this.#core?.shell.state.approvals ?? {}))));
		if (wallSynced) return;
		const steps = (): void => {
			this.host.wallOffsetMs = this.#options.wallShiftMs + this.#wallChance.whole(-40, 40) * YEAR_MS + Date.UTC(2026, 0, 2);
			this.host.time.after(20_000, steps);
		};
		this.host.time.after(20_000, steps);
	}

	/** The moments come from the seed, at this distance on the average, as long as faults come at all. */
	#often(everyMs: number, run: () => void): void {
		if (everyMs === 0) return;
		this.host.time.after(this.#chance.whole(1, everyMs * 2), () => {
			if (!this.#faulty) return;
			run();
			this.#often(everyMs, run);
		});
	}

	#full(full: boolean): void {
		this.disk.full = full;
		this.host.files.full = full;
	}

	#record(envelopes: readonly Envelope[]): void {
		if (envelopes.length > 0) this.#core?.journal.append(envelopes.map((envelope) => ({ envelope }))).catch(() => undefined);
	}

	// ---- oracles

	#try(check: () => void): void {
		try {
			check();
		} catch (error) {
			this.#broken.push(error instanceof Error ? error : new Error(String(error)));
		}
	}

	/** After every event: what has become durable, and whether anything broke. */
	async #check(): Promise<void> {
		if (this.#checking) return;
		this.#checking = true;
		for (const { position, bytes } of await this.disk.log.read(this.records.length + 1, 10_000)) {
			const record = { position, envelope: parseStored(bytes) };
			this.records.push(record);
			this.#try(() => this.oracles.read(record));
		}
		for (const look of this.#toLookAt.splice(0)) this.#try(look);
		this.#checking = false;
		const [fatality] = this.#core?.world.fatalities ?? [];
		if (fatality !== undefined) this.#broken.push(fatality instanceof Error ? fatality : new Error(String(fatality)));
		const [first] = this.#broken;
		if (first !== undefined) throw first;
	}

	/** All faults end; services stay as they are, broken ones too. Then all must come to an end, or a person knows. */
	async #heal(withinMs: number): Promise<void> {
		const { time } = this.host;
		this.#faulty = false;
		this.#full(false);
		this.#cut.clear();
		for (const node of this.nodes) {
			if (!node.alive) node.start();
			for (const name of ["disk", "fan", "service-runaway"]) node.alert(name, false);
			for (const service of node.services.values()) if (service.kind === "flaky") service.kind = "sound";
		}
		const core = this.#core;
		if (core !== undefined) {
			core.kill();
			this.#coreEnded(core);
		}
		const untilMs = time.nowMs + withinMs;
		while (await time.turn(untilMs)) {
			await this.#check();
			if (time.nowMs > untilMs - withinMs + 10_000 && this.#core !== undefined && this.#unfinished().length === 0) return;
		}
		const [open] = this.#unfinished();
		if (open !== undefined) throw new Error(`HARM-6: ${withinMs} ms after the last fault this is open and nobody was asked: ${open}`);
	}

	#unfinished(): readonly string[] {
		const state = this.#core?.shell.state;
		if (state === undefined) return ["core is away"];
		const waiting = this.nodes.filter(({ waiting: letters }) => letters > 0).map(({ name }) => `messages of ${name}`);
		const open = openIncidents(state).filter(({ asked }) => !asked);
		return [...waiting, ...open.map(({ id, key, decision }) => `${id} ${key} ${JSON.stringify(decision)}`)];
	}

	/** The whole log again: the same code gives the same bytes; other code may differ, but only where it ran. */
	async #replay(): Promise<void> {
		await settle();
		await this.#check();
		const replay = new Replay(MESH);
		for (const { position, bytes } of await this.disk.log.read(1, Number.MAX_SAFE_INTEGER)) replay.push({ position, bytes, envelope: parseStored(bytes) });
		replay.finish();
		const { divergence } = replay;
		if (divergence === undefined || divergence.recordedBy === "other") return;
		throw new Error(`TELL-1: replay differs at ${divergence.position}, output ${divergence.index}, byte ${divergence.byte}`);
	}
}
