// Connects tests to a desk over the real engine: inputs are stepped as core steps them, and everything that follows stands in one log in memory.

import { readFileSync } from "node:fs";
import { derivedId } from "../../contracts/digest.ts";
import { type Envelope, parseEnvelope, type RecordType, type RecordTypes } from "../../contracts/envelope.ts";
import { fail } from "../../contracts/errors.ts";
import { ok } from "../../contracts/result.ts";
import { wallTime } from "../../contracts/time.ts";
import { openBreaker } from "../../core/brain/open-breaker.ts";
import { step } from "../../core/engine.ts";
import type { Level } from "../../core/policy.ts";
import { approvalDesk } from "../../core/service/approvals-desk.ts";
import { loadPolicy, POLICY_FILES, type PolicyTexts } from "../../core/service/policies.ts";
import type { CoreDesk, CoreInfo, KnownNode, LiveNode, LogRecord, Notice } from "../../core/service/ports.ts";
import { Quarantine } from "../../core/service/quarantine.ts";
import { Tally } from "../../core/service/tally.ts";
import { type EngineState, emptyState } from "../../core/state.ts";

const START_WALL_MS = Date.UTC(2026, 0, 2, 3, 4, 5);
const MESH = "mesh-test";
export const SESSION = "1.00112233445566aa";

export const realPolicy = () => {
	const texts = Object.fromEntries(POLICY_FILES.map((file) => [file, { shownAs: `policies/${file}`, text: readFileSync(`policies/${file}`, "utf8") }]));
	const loaded = loadPolicy(texts as unknown as PolicyTexts);
	if (!loaded.ok) throw new Error(JSON.stringify(loaded.fault));
	return loaded.value;
};

/** A core without disk and network, whose time is moved by the test. */
export class DeskWorld {
	readonly records: LogRecord[] = [];
	state: EngineState = emptyState(MESH);
	engineMs = 0;
	first = 1;
	notices: Notice[] = [];
	lives: LiveNode[] = [];
	credentials: KnownNode[] = [];
	policyFault: ReturnType<typeof fail> | undefined;
	/** Nodes that do not answer to an order to stop. */
	readonly mute = new Set<string>();
	readonly tally = new Tally(() => this.engineMs);
	readonly #listeners = new Set<(head: number) => void>();

	readonly #startWallMs: number;

	constructor(startWallMs = START_WALL_MS) {
		this.#startWallMs = startWallMs;
		const policy = realPolicy();
		// As core does it: time is recorded before anything else.
		this.tick(0);
		this.input("/core/policy", "dev.orion.policy.activated.v1", {
			hash: policy.hash,
			content: policy.content as unknown as Record<string, never>,
			files: [...policy.files],
		});
		this.input("/core/engine", "dev.orion.engine.started.v1", {
			code: "0.1.0",
			stateSchema: 1,
			policyHash: policy.hash,
			coreTerm: { counter: 1, keyId: "k" },
			decidedUpTo: 0,
			downtimeMs: null,
			engineMs: 0,
		});
	}

	get wallMs(): number {
		return this.#startWallMs + this.engineMs;
	}
	get head(): number {
		return this.records.length;
	}
	clock() {
		return { now: () => this.engineMs as never, wall: () => wallTime(this.wallMs) };
	}

	#append(envelope: Envelope): number {
		this.records.push({ position: this.records.length + 1, envelope });
		this.tally.count(this.records.length, envelope);
		return this.records.length;
	}

	/** One input, and what follows from it. */
	input<T extends RecordType>(source: string, type: T, data: RecordTypes[T], more: Readonly<Record<string, unknown>> = {}): number {
		const at = new Date(this.wallMs).toISOString();
		const id = derivedId(`${source} ${this.records.length + 1}`, 0);
		return this.take({ specversion: "1.0", id, source, type, time: at, mesh: MESH, recordedtime: at, data, ...more } as unknown as Envelope);
	}

	take(envelope: Envelope): number {
		const position = this.#append(envelope);
		const { state, outputs } = step(this.state, { position, envelope });
		this.state = state;
		for (const output of outputs) this.#append(output);
		for (const listener of this.#listeners) listener(this.head);
		return position;
	}

	/** Time passes, and a clock record says so. */
	tick(ms: number): number {
		this.engineMs += ms;
		return this.input("/core/clock", "dev.orion.clock.tick.v1", { engineMs: this.engineMs, wallMs: this.wallMs, quality: "synced", offsetMinutes: 0 });
	}

	/** A node that is ready and supervises these services. */
	node(node: string, services: readonly string[]): void {
		this.credentials.push({ node, addedWallMs: this.wallMs });
		this.input(`/nodes/${node}`, "dev.orion.node.about.v1", {
			role: "node",
			version: "0.1.0",
			capabilities: ["host", "process"],
			actions: ["process.restart", "process.stop"],
			services: [...services],
			contracts: 1,
			keyId: "k",
		});
		this.input(`/nodes/${node}`, "dev.orion.node.state.v1", { state: "ready", session: SESSION, conn: 1 });
	}

	down(node: string, service: string): number {
		return this.input(`/nodes/${node}`, "dev.orion.process.down.v1", {
			service,
			pid: 7,
			signal: "SIGKILL",
			cause: "killed",
			detail: "cannot find its disk",
			downs: 1,
		});
	}

	up(node: string, service: string, action?: string): number {
		const data = { service, pid: 8, startTicks: 9, how: "restarted", starts: 2, ...(action === undefined ? {} : { action }) } as const;
		return this.input(`/nodes/${node}`, "dev.orion.process.up.v1", data);
	}

	alert(name: string, severity: "info" | "warning" | "error" | "critical" = "warning", summary = "left open"): number {
		return this.input("/core/operator", "dev.orion.alert.firing.v1", { name, severity, summary });
	}

	level(level: Level, why?: string): number {
		return this.input("/core/operator", "dev.orion.level.set.v1", { level, by: "lars", ...(why === undefined ? {} : { why }) });
	}

	/** The newest action that was requested. */
	action(): RecordTypes["dev.orion.action.requested.v1"] {
		const found = this.records.findLast(({ envelope }) => envelope.type === "dev.orion.action.requested.v1")?.envelope;
		if (found?.type !== "dev.orion.action.requested.v1") throw new Error("no action was requested");
		return found.data;
	}

	/** What the dispatcher and the node of the newest action say. */
	receipts(...phases: readonly RecordTypes["dev.orion.action.receipt.v1"]["phase"][]): void {
		const { action, node, name, session } = this.action();
		this.input("/core/dispatcher", "dev.orion.action.dispatched.v1", { action, node, position: this.head, jws: "a.b.c", tick: 1, session });
		for (const phase of phases) this.input(`/nodes/${node}`, "dev.orion.action.receipt.v1", { command: action, action: name, phase });
	}

	incident(): string {
		const found = this.records.findLast(({ envelope }) => envelope.type === "dev.orion.incident.opened.v1")?.envelope;
		if (found?.type !== "dev.orion.incident.opened.v1") throw new Error("no incident was opened");
		return found.data.incident;
	}

	info(): CoreInfo {
		return {
			mesh: MESH,
			code: "0.1.0",
			commit: "0123456789ab",
			term: { counter: 1, keyId: "k" },
			startedWallMs: this.#startWallMs,
			head: this.head,
			decidedUpTo: this.head,
			first: this.first,
			bytesAppended: 1_000,
			mqtt: "mqtt://127.0.0.1:1883",
			http: "http://127.0.0.1:7070",
			data: "/data",
			host: "host",
		};
	}

	desk(): CoreDesk {
		return {
			info: () => this.info(),
			state: () => this.state,
			live: () => this.lives,
			notices: () => this.notices,
			tally: () => this.tally,
			records: async (from, max) => {
				const begin = Math.max(from, this.first) - 1;
				return this.records.slice(begin, begin + Math.min(max, 1_000));
			},
			onRecords: (listener) => {
				this.#listeners.add(listener);
				return () => this.#listeners.delete(listener);
			},
			submit: async (bytes) => {
				const parsed = parseEnvelope(bytes);
				if (!parsed.ok) return parsed;
				const { source, id } = parsed.value;
				if (source !== "/core/operator" && !source.startsWith("/nodes/host.")) return fail("SOURCE_FOREIGN", { source, identity: "the operator" });
				if (this.records.some(({ envelope }) => envelope.id === id)) return ok({ position: 0, id, duplicate: true });
				return ok({ position: this.take(parsed.value), id, duplicate: false });
			},
			setLevel: async (level, by, why) => {
				const before = this.state.level;
				return { before, position: this.input("/core/operator", "dev.orion.level.set.v1", { level, by, ...(why === undefined ? {} : { why }) }) };
			},
			retry: async (named, by) => {
				const found = openBreaker(this.state, named);
				if (!found.ok) return found;
				return ok({ ...found.value, position: this.input("/core/operator", "dev.orion.breaker.closed.v1", { key: found.value.key, why: "person", by }) });
			},
			stop: async (verb, target, by, via) => {
				const order = "00112233445566aa";
				const nodes = target === "all" ? Object.keys(this.state.nodes) : [target];
				this.input("/core/operator", "dev.orion.stop.requested.v1", { order, verb, node: target, nodes, by, via });
				return { verb, order, nodes: nodes.map((node) => (this.mute.has(node) ? { node, ms: null, safety: "unknown" } : { node, ms: 3, safety: "stopped" })) };
			},
			openLease: async ({ node }) => fail("MOVER_NOT_HEARD", { node }),
			renewLease: (node) => fail("MOVER_NOT_HEARD", { node }),
			endLease: (node) => fail("MOVER_NOT_HEARD", { node }),
			release: async (node, by, via) => {
				const orders = (this.state.stops[node]?.orders ?? []).map(({ order }) => order);
				if (orders.length === 0) return fail("STOP_NOT_HELD", { node });
				this.input("/core/operator", "dev.orion.stop.released.v1", { orders, node, by, via });
				return ok({ node, ms: 5, safety: "working" });
			},
			nodes: () => this.credentials,
			addNode: async (node, _by, client) => {
				if (this.credentials.some((row) => row.node === node)) return fail("USAGE", { detail: `there is a node ${node} already` });
				this.credentials.push({ node, addedWallMs: this.wallMs, ...(client ? { client } : {}) });
				return ok({ node, username: node, password: "secret-of-test" });
			},
			removeNode: async (node) => {
				if (!this.credentials.some((row) => row.node === node)) return fail("NOT_FOUND", { what: "node", id: node, detail: "See: orion node ls" });
				this.credentials = this.credentials.filter((row) => row.node !== node);
				return ok({ node, certificates: [] });
			},
			revokeNode: async (node) => {
				if (!this.credentials.some((row) => row.node === node)) return fail("NOT_FOUND", { what: "node", id: node, detail: "See: orion node ls" });
				this.credentials = this.credentials.map((row) => (row.node === node ? { ...row, revokedWallMs: this.wallMs } : row));
				return ok({ node, certificates: ["01A7"] });
			},
			...approvalDesk({
				mesh: MESH,
				journal: {
					// Only chats put in answers with ids of their own, and there is none here.
					append: () => Promise.reject(new Error("no chat")),
					tick: async () => void this.tick(0),
					note: async (source, type, data) => this.input(source, type, data),
					read: async (from, max) => this.records.slice(from - 1, from - 1 + max),
				},
				state: () => this.state,
				idle: async () => undefined,
				// Time moves when somebody waits for it.
				world: {
					timers: {
						after: (ms, run) => {
							this.tick(ms);
							run();
							return () => undefined;
						},
					},
				},
			}),
			signAudit: async () => ok({ signedUpTo: this.head }),
			verifiedAudit: async (verified) => void this.input("/core/operator", "dev.orion.audit.verified.v1", verified),
			quarantine: new Quarantine({
				records: async (from, max) => this.records.slice(from - 1, from - 1 + max),
				ends: () => ({ first: this.first, head: this.head }),
				judge: (clientId, topic, bytes) => {
					const parsed = parseEnvelope(bytes);
					return parsed.ok ? ok({ identity: { node: clientId, clientId }, topic, envelope: parsed.value, bytes }) : parsed;
				},
				accept: async ({ envelope }) => ({ kind: "stored", position: this.take(envelope) }),
				note: async (settled) => this.input("/core/operator", "dev.orion.quarantine.settled.v1", settled),
			}),
			reloadPolicy: async () => this.policyFault ?? ok({ hash: this.state.policyHash, changed: false }),
		};
	}
}

/** A service dies at N2, is restarted and verified. */
export const repaired = (): DeskWorld => {
	const world = new DeskWorld();
	world.node("host", ["web"]);
	world.level("N2", "trust it");
	world.tick(1_000);
	world.down("host", "web");
	world.receipts("received", "accepted", "started", "done");
	world.up("host", "web", world.action().action);
	world.tick(1_000);
	world.tick(5_000);
	return world;
};

/** A service that dies again and again until the breaker opens. */
export const hopeless = (): DeskWorld => {
	const world = new DeskWorld();
	world.node("host", ["web"]);
	world.level("N2");
	world.down("host", "web");
	for (let attempt = 1; attempt <= 2; attempt++) {
		world.receipts("received", "accepted", "started", "done");
		world.tick(21_000);
		world.tick(6_000);
	}
	return world;
};
