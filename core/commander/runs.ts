// Decides the life of an action: requested, handed over, done, verified or not, undone; and when a node is asked what became of it.
import { derivedId } from "../../contracts/digest.ts";
import { type Envelope, nodeOfSource, type RecordTypes } from "../../contracts/envelope.ts";
import { freshTarget, targetKey } from "../brain/guards.ts";
import { isRaised, ruleOf } from "../guardian/symptoms.ts";
import { type ActionRule, actionRule } from "../policy.ts";
import { type Draft, draft, type Recorded } from "../record.ts";
import { type ActionRun, type EngineState, type Incident, rowOf } from "../state.ts";

type End = RecordTypes["dev.orion.action.closed.v1"]["end"];

const PART = "commander";

interface Allowed {
	readonly incident: Incident;
	readonly rule: ActionRule;
	readonly decision: string;
	readonly args: ActionRun["args"];
	readonly session: string;
	/** What the action's id follows from: the same leave gives the same action, and so never two. */
	readonly cause: string;
	readonly notAfterMs: number;
	readonly approval?: string;
}

const isClaimed = (state: EngineState, incident: string, target: string): boolean =>
	Object.values(state.actions).some((run) => run.target === target || run.incident === incident);

const requested = (state: EngineState, { incident, rule, decision, args, session, cause, notAfterMs, approval }: Allowed): readonly Draft[] => {
	if (isClaimed(state, incident.id, targetKey(rule.id, incident.node, args))) return [];
	const data = {
		action: `act-${derivedId(cause, 0).slice(0, 12)}`,
		decision,
		incident: incident.id,
		node: incident.node,
		name: rule.id,
		args,
		risk: rule.risk,
		notAfterMs,
		policyHash: state.policyHash,
		attempt: incident.attempts + 1,
		session,
		...(approval === undefined ? {} : { approval }),
	};
	return [draft(PART, "dev.orion.action.requested.v1", data, incident.id, data.action)];
};

/** A person said yes, and the gates were asked once more: it is done once, and the answer's age counts. */
const requestApproved = (state: EngineState, { data }: Envelope<"dev.orion.approval.closed.v1">): readonly Draft[] => {
	const approval = rowOf(state.approvals, data.approval);
	const incident = rowOf(state.incidents, data.incident);
	if (data.end !== "approved" || incident === undefined || approval?.answer === undefined || approval.action !== undefined) return [];
	const { name, decision, args, session, executeWithinMs } = approval.asked;
	const rule = state.policy === null ? undefined : actionRule(state.policy, name);
	if (rule === undefined) return [];
	const leftMs = approval.answer.atMs + executeWithinMs - state.clock.engineMs;
	const notAfterMs = Math.max(1, Math.min(rule.notAfterMs, leftMs));
	return requested(state, { incident, rule, decision, args, session, cause: approval.id, notAfterMs, approval: approval.id });
};

/** The decision says act: the pre-check asks once more whether the symptom is still there and nothing else is under way. */
const request = (state: EngineState, envelope: Envelope<"dev.orion.decision.made.v1">): readonly Draft[] => {
	const { decision, incident: incidentId, action: name, args, verdict } = envelope.data;
	const incident = state.incidents[incidentId];
	const rule = state.policy === null || name === undefined ? undefined : actionRule(state.policy, name);
	const node = rowOf(state.nodes, incident?.node ?? "");
	if (verdict !== "act" || incident?.status !== "open" || rule === undefined || node?.state !== "ready" || args === undefined) return [];
	const symptom = state.symptoms[incident.key];
	if (symptom === undefined || !isRaised(symptom, ruleOf(state, symptom), state.clock.engineMs)) return [];
	return requested(state, { incident, rule, decision, args, session: node.session, cause: decision, notAfterMs: rule.notAfterMs });
};

const close = (state: EngineState, run: ActionRun, end: End, detail: string): Draft =>
	draft(
		PART,
		"dev.orion.action.closed.v1",
		{ action: run.id, incident: run.incident, end, detail: detail.slice(0, 2_000), tookMs: state.clock.engineMs - run.requestedMs },
		run.incident,
		run.id,
	);

const undo = (run: ActionRun, rule: ActionRule | undefined): Draft => {
	const how = rule?.undo ?? "impossible";
	const detail = (rule?.undoSays ?? "no policy row says how to take it back").slice(0, 500);
	return draft(PART, "dev.orion.outcome.undone.v1", { action: run.id, incident: run.incident, how, detail }, run.incident, run.id);
};

/** An attempt that did not help: it is taken back as far as the policy says, counted, and the breaker opens when there were too many. */
const failed = (state: EngineState, run: ActionRun, end: End, why: string): readonly Draft[] => {
	const rule = state.policy === null ? undefined : actionRule(state.policy, run.name);
	const failures = (state.targets[run.target] ?? freshTarget).failures + 1;
	const outcome = draft(PART, "dev.orion.outcome.failed.v1", { action: run.id, incident: run.incident, why: why.slice(0, 500) }, run.incident, run.id);
	const opens = rule !== undefined && failures >= rule.breakerFailures;
	const untilEngineMs = state.clock.engineMs + (rule?.breakerOpenMs ?? 0);
	// What a restart changed cannot be changed back: taking it back means to stop trying, leave it as found, and call a person.
	const breaker = opens
		? [undo(run, rule), draft(PART, "dev.orion.breaker.opened.v1", { key: run.target, failures, untilEngineMs }, run.incident, run.target)]
		: [];
	return [outcome, ...breaker, close(state, run, end, why)];
};

const verified = (state: EngineState, run: ActionRun, clearForMs: number): readonly Draft[] => {
	const incident = state.incidents[run.incident];
	const symptom = state.symptoms[incident?.key ?? ""];
	const events = [...(symptom?.events ?? run.events)];
	const drafts: Draft[] = [draft(PART, "dev.orion.outcome.verified.v1", { action: run.id, incident: run.incident, clearForMs, events }, run.incident, run.id)];
	if (incident?.status === "open") {
		const openMs = state.clock.engineMs - incident.openedMs;
		drafts.push(
			draft(PART, "dev.orion.incident.resolved.v1", { incident: run.incident, how: "repaired", action: run.id, events, openMs }, run.incident, run.incident),
		);
	}
	if ((state.targets[run.target]?.breakerUntilMs ?? 0) > 0)
		drafts.push(draft(PART, "dev.orion.breaker.closed.v1", { key: run.target, why: "verified" }, run.incident, run.target));
	return [...drafts, close(state, run, "verified", "the symptom cleared and stayed clear")];
};

/** Level-triggered: asks of the symptom as it is now whether the action helped. */
const verify = (state: EngineState, run: ActionRun): readonly Draft[] => {
	const rule = state.policy === null ? undefined : actionRule(state.policy, run.name);
	const symptom = state.symptoms[state.incidents[run.incident]?.key ?? ""];
	if (rule === undefined || symptom === undefined) return failed(state, run, "not-verified", "the policy or the symptom that it was for is gone");
	const { engineMs } = state.clock;
	if (symptom.firing) {
		if (run.cleared) return failed(state, run, "not-verified", `the symptom came back after it had cleared: ${symptom.title}`);
		return engineMs - run.sinceMs >= rule.withinMs
			? failed(state, run, "not-verified", `the symptom did not clear within ${rule.withinMs} ms: ${symptom.title}`)
			: [];
	}
	const clearForMs = engineMs - Math.max(symptom.sinceMs, run.sinceMs);
	return clearForMs >= rule.clearForMs ? verified(state, run, clearForMs) : [];
};

const asked = (run: ActionRun): Draft =>
	draft(PART, "dev.orion.action.asked.v1", { action: run.id, node: run.node, times: run.asked + 1 }, run.incident, run.id);

/** Asks what became of a command, a bounded number of times; at the last one a person is called, and the target stays claimed. */
const ask = (state: EngineState, run: ActionRun): readonly Draft[] => {
	const max = state.policy?.limits.askTimesMax ?? 1;
	if (run.asked >= max) return [];
	if (run.asked + 1 < max) return [asked(run)];
	const why = `${run.node} does not say what became of ${run.name} (${run.id}); nothing else runs on that target until it does`;
	return [
		asked(run),
		draft(
			PART,
			"dev.orion.person.asked.v1",
			{ incident: run.incident, why, suggestion: `Is ${run.node} reachable? See: orion node ls` },
			run.incident,
			run.incident,
		),
	];
};

const onReceipt = (state: EngineState, { data, source }: Envelope<"dev.orion.action.receipt.v1">): readonly Draft[] => {
	const run = rowOf(state.actions, data.command);
	// Only the node that was told may say what became of it.
	if (run === undefined || run.phase === "verifying" || nodeOfSource(source) !== run.node) return [];
	const said = [data.reason, data.detail].filter((part) => part !== undefined).join(": ");
	switch (data.phase) {
		case "done": {
			if (run.undoes !== undefined) return [close(state, run, "verified", "a person took it back, and the node says that it is done")];
			const rule = state.policy === null ? undefined : actionRule(state.policy, run.name);
			const times = { clearForMs: rule?.clearForMs ?? 0, withinMs: rule?.withinMs ?? 0 };
			return [draft(PART, "dev.orion.outcome.verifying.v1", { action: run.id, incident: run.incident, ...times }, run.incident, run.id)];
		}
		case "refused":
			// Refused means that nothing happened: no failed repair, so the breaker does not count it; cooldown and budget bound the repeats.
			return [close(state, run, "refused", `${run.node} refused it: ${said || "no reason given"}`)];
		case "failed":
			return failed(state, run, "failed", `${run.node} could not do it: ${said || "no reason given"}`);
		case "unknown":
			return failed(state, run, "unknown", `${run.node} cannot say whether it happened: ${said || "it died in between"}`);
		default:
			return [];
	}
};

const onTick = (state: EngineState, run: ActionRun): readonly Draft[] => {
	if (run.phase === "verifying") return verify(state, run);
	const withinMs = state.policy?.limits.receiptWithinMs ?? 0;
	return run.phase !== "requested" && state.clock.engineMs - run.sinceMs >= withinMs ? ask(state, run) : [];
};

export const decideRuns = (state: EngineState, { envelope }: Recorded): readonly Draft[] => {
	const runs = Object.values(state.actions);
	switch (envelope.type) {
		case "dev.orion.decision.made.v1":
			return request(state, envelope);
		case "dev.orion.approval.closed.v1":
			return requestApproved(state, envelope);
		case "dev.orion.action.receipt.v1":
			return onReceipt(state, envelope);
		case "dev.orion.action.undelivered.v1": {
			const run = rowOf(state.actions, envelope.data.action);
			return run === undefined ? [] : [close(state, run, "undelivered", envelope.data.why)];
		}
		case "dev.orion.outcome.verifying.v1":
		case "dev.orion.engine.started.v1":
			return runs.flatMap((run) => (run.phase === "verifying" ? verify(state, run) : []));
		case "dev.orion.clock.tick.v1":
			return runs.flatMap((run) => onTick(state, run));
		case "dev.orion.node.state.v1":
			// A node that is back is asked about what it was doing when it left.
			return envelope.data.state === "ready"
				? runs.flatMap((run) => ((run.phase === "unknown" || run.phase === "dispatched") && envelope.source === `/nodes/${run.node}` ? [asked(run)] : []))
				: [];
		default:
			return runs.flatMap((run) => (run.phase === "verifying" && isAbout(state, run, envelope) ? verify(state, run) : []));
	}
};

const isAbout = (state: EngineState, run: ActionRun, envelope: Envelope): boolean =>
	envelope.source.startsWith("/nodes/") && state.symptoms[state.incidents[run.incident]?.key ?? ""]?.node === run.node;
