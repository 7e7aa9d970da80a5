// Connects tests to the pure engine: inputs go in as core records them, every output is held against its contract, and the whole makes one log.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { digest } from "../../contracts/digest.ts";
import { checkEnvelope, type Envelope, encodeEnvelope, type RecordType, type RecordTypes } from "../../contracts/envelope.ts";
import { sayFault } from "../../contracts/errors.ts";
import { step } from "../../core/engine.ts";
import type { Level, Policy } from "../../core/policy.ts";
import { isOutput, type Recorded } from "../../core/record.ts";
import { type LoadedPolicy, loadPolicy, POLICY_FILES, type PolicyTexts } from "../../core/service/policies.ts";
import { type EngineState, emptyState, type Incident } from "../../core/state.ts";

export const MESH = "mesh-test";
export const SESSION = "1.00112233445566aa";
const WALL_MS = Date.UTC(2026, 0, 2, 3, 4, 5);
const FOLDER = join(fileURLToPath(new URL("../..", import.meta.url)), "policies");

/** The texts of the policies that are shipped; `change` gives other texts for some of them. */
export const policyTexts = (change: Partial<Record<(typeof POLICY_FILES)[number], (text: string) => string>> = {}, folder = FOLDER): PolicyTexts =>
	Object.fromEntries(
		POLICY_FILES.map((file) => {
			const text = readFileSync(join(folder, file), "utf8");
			return [file, { shownAs: `policies/${file}`, text: change[file]?.(text) ?? text }];
		}),
	) as unknown as PolicyTexts;

export const shippedPolicy = (folder = FOLDER): LoadedPolicy => {
	const loaded = loadPolicy(policyTexts({}, folder));
	if (!loaded.ok) throw new Error(sayFault(loaded.fault));
	return loaded.value;
};

/** The shipped policy with something changed, under a hash of its own. */
export const policyWith = (change: (policy: Policy) => Policy): LoadedPolicy => {
	const content = JSON.parse(JSON.stringify(change(shippedPolicy().content))) as Policy;
	return { hash: digest(content), content, files: [...POLICY_FILES] };
};

export const limitsWith = (limits: Partial<Policy["limits"]>): LoadedPolicy => policyWith((policy) => ({ ...policy, limits: { ...policy.limits, ...limits } }));

export const actionWith = (change: Partial<Policy["actions"][number]>): LoadedPolicy =>
	policyWith((policy) => ({ ...policy, actions: policy.actions.map((rule) => (rule.id === "process.restart" ? { ...rule, ...change } : rule)) }));

type More = Partial<Pick<Envelope, "id" | "session" | "lane" | "seq" | "traceparent">>;

export const inputOf = <T extends RecordType>(position: number, source: string, type: T, data: RecordTypes[T], more: More = {}): Recorded => ({
	position,
	envelope: { specversion: "1.0", id: `in-${position}`, source, type, ...more, data } as unknown as Envelope,
});

/** Throws unless the engine wrote what its contracts say. */
const held = (output: Envelope): Envelope => {
	const checked = checkEnvelope(JSON.parse(JSON.stringify(output)));
	if (!checked.ok) throw new Error(`${output.type}: ${sayFault(checked.fault)}: ${JSON.stringify(output)}`);
	return output;
};

export interface RigOptions {
	readonly policy?: LoadedPolicy;
	readonly level?: Level;
	/** Nodes that are there from the beginning, each with the service `web`. */
	readonly nodes?: readonly string[];
}

/** An engine with its log. Outputs stand behind their input, as core writes them when nothing else comes in between. */
export class EngineRig {
	readonly records: Recorded[] = [];
	state: EngineState = emptyState(MESH);

	constructor({ policy = shippedPolicy(), level = "N2", nodes = ["pi-1"] }: RigOptions = {}) {
		this.feed("/core/policy", "dev.orion.policy.activated.v1", activated(policy));
		this.started(0);
		this.level(level);
		for (const node of nodes) {
			this.presence(node, "ready");
			this.about(node, ["web"]);
		}
	}

	get engineMs(): number {
		return this.state.clock.engineMs;
	}

	/** What the newest input led to. */
	feed<T extends RecordType>(source: string, type: T, data: RecordTypes[T], more: More = {}): readonly Envelope[] {
		const input = inputOf(this.records.length + 1, source, type, data, more);
		const next = step(this.state, input);
		this.records.push(input);
		for (const output of next.outputs) this.records.push({ position: this.records.length + 1, envelope: held(output) });
		this.state = next.state;
		return next.outputs;
	}

	started(downtimeMs: number | null, engineMs = this.engineMs): readonly Envelope[] {
		const { policyHash } = this.state;
		const coreTerm = { counter: 1, keyId: "k" };
		return this.feed("/core/engine", "dev.orion.engine.started.v1", {
			code: "0.1.0",
			stateSchema: 1,
			policyHash,
			coreTerm,
			decidedUpTo: 0,
			downtimeMs,
			engineMs,
		});
	}

	level(level: Level): readonly Envelope[] {
		return this.feed("/core/operator", "dev.orion.level.set.v1", { level, by: "test" });
	}

	policy(policy: LoadedPolicy): readonly Envelope[] {
		return this.feed("/core/policy", "dev.orion.policy.activated.v1", activated(policy));
	}

	presence(node: string, state: "init" | "ready" | "disconnected" | "lost", conn = 1, session = SESSION): readonly Envelope[] {
		return this.feed(`/nodes/${node}`, "dev.orion.node.state.v1", { state, session, conn });
	}

	about(node: string, services: readonly string[], actions: readonly string[] = ["process.restart", "process.stop"]): readonly Envelope[] {
		return this.feed(`/nodes/${node}`, "dev.orion.node.about.v1", {
			role: "node",
			version: "0.1.0",
			capabilities: ["process"],
			actions: [...actions],
			services: [...services],
			contracts: 1,
			keyId: "k",
		});
	}

	/** Lets engine time pass in one step. */
	tick(byMs: number, wallMs = WALL_MS + this.engineMs + byMs): readonly Envelope[] {
		return this.tickTo(this.engineMs + byMs, wallMs);
	}

	tickTo(engineMs: number, wallMs = WALL_MS + engineMs): readonly Envelope[] {
		return this.feed("/core/clock", "dev.orion.clock.tick.v1", { engineMs, wallMs, quality: "synced", offsetMinutes: 0 });
	}

	down(node = "pi-1", service = "web", more: More = {}): readonly Envelope[] {
		return this.feed(`/nodes/${node}`, "dev.orion.process.down.v1", { service, cause: "exited", exitCode: 1, downs: 1 }, more);
	}

	up(node = "pi-1", service = "web", more: More = {}): readonly Envelope[] {
		return this.feed(`/nodes/${node}`, "dev.orion.process.up.v1", { service, pid: 7, startTicks: 7, how: "started", starts: 1 }, more);
	}

	dispatched(action: string, node = "pi-1"): readonly Envelope[] {
		return this.feed("/core/dispatcher", "dev.orion.action.dispatched.v1", { action, node, position: 1, jws: "a.b.c", tick: 1, session: SESSION });
	}

	undelivered(action: string, node = "pi-1"): readonly Envelope[] {
		return this.feed("/core/dispatcher", "dev.orion.action.undelivered.v1", { action, node, why: "nobody" });
	}

	receipt(command: string, phase: RecordTypes["dev.orion.action.receipt.v1"]["phase"], node = "pi-1"): readonly Envelope[] {
		return this.feed(`/nodes/${node}`, "dev.orion.action.receipt.v1", { command, action: "process.restart", phase });
	}

	alert(name: string, node = "pi-1", more: Partial<RecordTypes["dev.orion.alert.firing.v1"]> = {}): readonly Envelope[] {
		return this.feed(`/nodes/${node}`, "dev.orion.alert.firing.v1", { name, severity: "warning", summary: "test", ...more });
	}

	metrics(node: string, figures: Partial<RecordTypes["dev.orion.host.metrics.v1"]>): readonly Envelope[] {
		return this.feed(`/nodes/${node}`, "dev.orion.host.metrics.v1", { cpuCount: 4, uptimeSeconds: 5, bootId: "b", windowMs: 1_000, ...figures } as never);
	}

	/** The one incident, or a complaint. */
	incident(): Incident {
		const [incident, ...others] = Object.values(this.state.incidents);
		if (incident === undefined || others.length > 0) throw new Error(`${others.length + (incident === undefined ? 0 : 1)} incidents, not one`);
		return incident;
	}

	/** The one action that is under way. */
	action(): string {
		const [action, ...others] = Object.keys(this.state.actions);
		if (action === undefined || others.length > 0) throw new Error(`${others.length + (action === undefined ? 0 : 1)} actions are under way, not one`);
		return action;
	}

	/** Outputs of a type since the beginning. */
	all<T extends RecordType>(type: T): readonly Envelope<T>[] {
		return this.records.flatMap(({ envelope }) => (envelope.type === type && isOutput(envelope) ? [envelope as Envelope<T>] : []));
	}
}

export const activated = ({ hash, content, files }: LoadedPolicy): RecordTypes["dev.orion.policy.activated.v1"] => ({
	hash,
	content: content as unknown as Record<string, never>,
	files: [...files],
});

/** Short names of what came out, in order. */
export const types = (outputs: readonly Envelope[]): readonly string[] => outputs.map(({ type }) => type.replace(/^dev\.orion\./, "").replace(/\.v1$/, ""));

export const bytesOf = (records: readonly Recorded[]): readonly { readonly position: number; readonly envelope: Envelope; readonly bytes: Uint8Array }[] =>
	records.map((record) => ({ ...record, bytes: encodeEnvelope(record.envelope) }));
