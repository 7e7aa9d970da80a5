// Decides whether what stands in the log may stand there: written anew from the promises, knowing nothing of the engine's own state.
import type { Envelope } from "../../contracts/envelope.ts";
import type { Level, Policy } from "../../core/policy.ts";
import { isOutput, type Recorded } from "../../core/record.ts";
import { ApprovalOracles, type At } from "./approval-oracles.ts";

/** What was in force from a position on. */
interface Since<T> {
	readonly position: number;
	readonly value: T;
}

const inForce = <T>(history: readonly Since<T>[], position: number): T | undefined => history.findLast((entry) => entry.position <= position)?.value;

interface Decided {
	readonly incident: string;
	readonly verdict: string;
	readonly cause: number;
	readonly node: string;
	readonly action: string | undefined;
}
interface Requested {
	readonly incident: string;
	readonly target: string;
	readonly name: string;
	dispatched: boolean;
	done: boolean;
	verified: boolean;
}
interface Tries {
	failures: number;
	untilMs: number;
}

/** Reads the log as it grows and throws at the first record that breaks a promise; the message begins with the promise's id. */
export class Oracles {
	#levels: readonly Since<Level>[] = [{ position: 0, value: "N0" }];
	readonly #policies: Since<Policy>[] = [];
	readonly #times: Since<number>[] = [{ position: 0, value: 0 }];
	readonly #incidents = new Map<string, "open" | "resolved">();
	readonly #decisions = new Map<string, Decided>();
	readonly #actions = new Map<string, Requested>();
	readonly #underWay = new Map<string, string>();
	readonly #tries = new Map<string, Tries>();
	readonly #batches = new Map<number, number>();
	readonly #ids = new Set<string>();
	readonly executions = new Map<string, number>();
	readonly approvals = new ApprovalOracles((holds, promise, what) => this.#must(holds, promise, what));
	#last = 0;

	/** An effect happened at a node. */
	executed(command: string): void {
		const times = (this.executions.get(command) ?? 0) + 1;
		this.executions.set(command, times);
		this.#must(times === 1, "HARM-3", `${command} had ${times} effects`);
		this.#must(this.#actions.get(command)?.dispatched === true, "HARM-1", `${command} had an effect, and no record says that it was sent`);
	}

	read({ position, envelope }: Recorded): void {
		this.#must(position === this.#last + 1, "LOSS-2", `record ${position} follows ${this.#last}`);
		this.#last = position;
		const key = `${envelope.source} ${envelope.id}`;
		this.#must(!this.#ids.has(key), "LOSS-4", `${key} stands there twice`);
		this.#ids.add(key);
		if (isOutput(envelope)) this.#output(position, envelope);
		else this.#input(position, envelope);
	}

	#must(holds: boolean, promise: string, what: string): asserts holds {
		if (!holds) throw new Error(`${promise} at record ${this.#last}: ${what}`);
	}

	#at(cause: number): At {
		return {
			cause,
			engineMs: inForce(this.#times, cause) ?? 0,
			level: inForce(this.#levels, cause) ?? "N0",
			policy: inForce(this.#policies, cause),
		};
	}

	#input(position: number, envelope: Envelope): void {
		switch (envelope.type) {
			case "dev.orion.clock.tick.v1":
			case "dev.orion.engine.started.v1": {
				const before = this.#times.at(-1)?.value ?? 0;
				this.#must(envelope.data.engineMs >= before, "HARM-7", `engine time goes back from ${before} to ${envelope.data.engineMs}`);
				this.#times.push({ position, value: envelope.data.engineMs });
				break;
			}
			case "dev.orion.level.set.v1":
				this.#sets(position, envelope);
				break;
			case "dev.orion.policy.activated.v1":
				this.#policies.push({ position, value: envelope.data.content as unknown as Policy });
				break;
			case "dev.orion.action.dispatched.v1": {
				const action = this.#actions.get(envelope.data.action);
				this.#must(action !== undefined && !action.dispatched, "HARM-3", `${envelope.data.action} is sent without a request, or in a second form`);
				action.dispatched = true;
				break;
			}
			case "dev.orion.action.receipt.v1": {
				const action = this.#actions.get(envelope.data.command);
				if (action !== undefined && envelope.data.phase === "done") action.done = true;
				break;
			}
			case "dev.orion.approval.decided.v1":
				this.approvals.answers(position, envelope, inForce(this.#times, position) ?? 0);
				break;
			case "dev.orion.quarantine.entry.v1":
				this.#must(false, "LOSS-4", `${envelope.data.identity} was quarantined: ${envelope.data.detail}`);
				break;
			default:
		}
	}

	#output(position: number, envelope: Envelope): void {
		const cause = envelope.causeposition ?? 0;
		const before = this.#batches.get(cause);
		this.#must(cause > 0 && cause < position, "TELL-1", `its cause stands at ${cause}`);
		// One cause, one batch: its outputs stand without a hole.
		this.#must(before === undefined || before === position - 1, "LOSS-2", `the batch of ${cause} is torn: ${before}, then ${position}`);
		this.#batches.set(cause, position);
		switch (envelope.type) {
			case "dev.orion.incident.opened.v1":
			case "dev.orion.incident.reopened.v1":
				this.#opens(position, envelope);
				break;
			case "dev.orion.incident.resolved.v1":
				this.#resolves(envelope, cause);
				break;
			case "dev.orion.decision.made.v1":
				this.#decides(envelope, cause);
				break;
			case "dev.orion.action.requested.v1":
				this.#requests(envelope, cause);
				break;
			case "dev.orion.approval.requested.v1":
				this.approvals.asks(envelope, this.#decisions.get(envelope.data.decision)?.verdict);
				break;
			case "dev.orion.approval.closed.v1":
				this.approvals.closes(envelope, this.#at(cause));
				break;
			case "dev.orion.level.set.v1":
				this.#must(envelope.data.why?.includes("apr-") === true, "TELL-44", `core sets ${envelope.data.level} by itself`);
				// From its cause on: what else came in meanwhile is dealt with afterwards.
				this.#sets(cause, envelope);
				break;
			case "dev.orion.outcome.verified.v1":
				this.#verifies(envelope);
				break;
			case "dev.orion.action.closed.v1":
				this.#closes(envelope, cause);
				break;
			default:
		}
	}

	#sets(position: number, { data }: Envelope<"dev.orion.level.set.v1">): void {
		this.#levels = [...this.#levels, { position, value: data.level }].sort((left, right) => left.position - right.position);
	}

	#opens(position: number, { type, data }: Envelope<"dev.orion.incident.opened.v1" | "dev.orion.incident.reopened.v1">): void {
		this.#must(data.events.length > 0 && data.events.every((at) => at > 0 && at < position), "TELL-5", `${data.incident} names no record that shows it`);
		const reopens = type === "dev.orion.incident.reopened.v1";
		this.#must(
			this.#incidents.get(data.incident) === (reopens ? "resolved" : undefined),
			"TELL-5",
			`${data.incident} opens while ${this.#incidents.get(data.incident)}`,
		);
		this.#incidents.set(data.incident, "open");
	}

	#resolves({ data }: Envelope<"dev.orion.incident.resolved.v1">, cause: number): void {
		this.#must(this.#incidents.get(data.incident) === "open", "TELL-5", `${data.incident} is resolved while ${this.#incidents.get(data.incident)}`);
		this.#incidents.set(data.incident, "resolved");
		if (data.how !== "repaired") return;
		const action = this.#actions.get(data.action ?? "");
		this.#must(
			action?.verified === true && action.incident === data.incident,
			"HARM-5",
			`${data.incident} counts as repaired by ${data.action}, which was not verified (cause ${cause})`,
		);
	}

	#decides({ data }: Envelope<"dev.orion.decision.made.v1">, cause: number): void {
		this.#must(this.#incidents.has(data.incident), "TELL-5", `${data.decision} is about ${data.incident}, which was never opened`);
		this.#must(!this.#decisions.has(data.decision), "HARM-1", `${data.decision} was made twice`);
		this.#must(data.level === inForce(this.#levels, cause), "HARM-1", `${data.decision} speaks of ${data.level}, in force was ${inForce(this.#levels, cause)}`);
		this.#decisions.set(data.decision, { incident: data.incident, verdict: data.verdict, cause, node: data.node, action: data.action });
	}

	/** By itself: the decision is of the same moment, and the gate lets it act. */
	#runsByItself({ data }: Envelope<"dev.orion.action.requested.v1">, decision: Decided, { cause, level, policy }: At): void {
		this.#must(
			decision.verdict === "act" && decision.cause === cause,
			"HARM-1",
			`${data.action} rests on ${data.decision}, which says ${decision.verdict} (cause ${decision.cause})`,
		);
		const rule = policy?.actions.find(({ id }) => id === data.name);
		const gate = policy?.gate.find((row) => row.level.includes(level) && row.risk.includes(rule?.risk ?? "RISKY"));
		this.#must(gate?.verdict === "act" && level !== "N0" && rule?.risk === "SAFE", "HARM-2", `${data.name} at ${level}: the gate says ${gate?.verdict}`);
	}

	#requests(envelope: Envelope<"dev.orion.action.requested.v1">, cause: number): void {
		const { data, policyhash } = envelope;
		const decision = this.#decisions.get(data.decision);
		this.#must(decision !== undefined, "HARM-1", `${data.action} has no decision`);
		this.#must(
			decision.incident === data.incident && decision.node === data.node && decision.action === data.name,
			"TELL-5",
			`${data.action} is another one than ${data.decision} speaks of`,
		);
		if (data.approval === undefined) this.#runsByItself(envelope, decision, this.#at(cause));
		else this.approvals.runs(data.approval, envelope, this.#at(cause));
		this.#must(data.policyHash === policyhash, "HARM-1", `${data.action} names another policy than the one in force`);
		this.#must(!this.#actions.has(data.action), "HARM-3", `${data.action} was requested before`);
		const target = `${data.name} ${data.node} ${JSON.stringify(data.args)}`;
		for (const claim of [target, data.incident]) {
			this.#must(!this.#underWay.has(claim), "HARM-8", `${data.action} runs on ${claim}, where ${this.#underWay.get(claim)} is under way`);
			this.#underWay.set(claim, data.action);
		}
		const now = inForce(this.#times, cause) ?? 0;
		const tries = this.#tries.get(target);
		this.#must(
			tries === undefined || now >= tries.untilMs,
			"HARM-6",
			`${data.action} is attempt after ${tries?.failures} failed ones at ${now}, not before ${tries?.untilMs}`,
		);
		this.#actions.set(data.action, { incident: data.incident, target, name: data.name, dispatched: false, done: false, verified: false });
	}

	#verifies({ data }: Envelope<"dev.orion.outcome.verified.v1">): void {
		const action = this.#actions.get(data.action);
		this.#must(action?.done === true, "HARM-5", `${data.action} is verified, and nobody said that it was done`);
		action.verified = true;
	}

	#closes({ data }: Envelope<"dev.orion.action.closed.v1">, cause: number): void {
		const action = this.#actions.get(data.action);
		this.#must(action !== undefined && this.#underWay.get(action.target) === data.action, "TELL-5", `${data.action} is closed, and was not under way`);
		this.#underWay.delete(action.target);
		this.#underWay.delete(action.incident);
		this.#must((data.end === "verified") === action.verified, "HARM-5", `${data.action} ends as ${data.end}`);
		const rule = inForce(this.#policies, cause)?.actions.find(({ id }) => id === action.name);
		const tries = this.#tries.get(action.target) ?? { failures: 0, untilMs: 0 };
		if (data.end === "verified") tries.failures = 0;
		if (data.end === "failed" || data.end === "unknown" || data.end === "not-verified") tries.failures += 1;
		const opens = tries.failures >= (rule?.breakerFailures ?? 2) && data.end !== "refused" && data.end !== "undelivered" && data.end !== "verified";
		const now = inForce(this.#times, cause) ?? 0;
		// After the end of an attempt there is a pause; after too many failed ones a long one.
		if (opens) tries.untilMs = now + (rule?.breakerOpenMs ?? 0);
		else if (data.end !== "undelivered") tries.untilMs = Math.max(tries.untilMs, now + (rule?.cooldownMs ?? 0));
		this.#tries.set(action.target, tries);
	}
}
