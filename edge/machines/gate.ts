// Decides of every command that reaches this node: carried out, answered once more, or refused with a typed reason. No silence, no second effect.
import type { ActionCommand } from "../../contracts/gen/types.ts";
import type { KnownPolicies } from "./beacon.ts";
import type { CommandArgs, Known, MarkEntry, Marks, Receipt } from "./marks.ts";

/** What the adapter found out about the signature and the form; only a verified one has a command to speak of. */
export type Read =
	| { readonly kind: "not-verified"; readonly reason: "malformed" | "bad-signature" | "unknown-key"; readonly detail: string }
	| { readonly kind: "not-a-command"; readonly detail: string }
	| { readonly kind: "command"; readonly keyId: string; readonly command: ActionCommand };

export type RefusalReason =
	| "malformed"
	| "bad-signature"
	| "unknown-key"
	| "contract-violated"
	| "key-mismatch"
	| "other-mesh"
	| "other-node"
	| "other-topic"
	| "id-reused"
	| "core-deposed"
	| "core-term-forked"
	| "other-session"
	| "tick-from-the-future"
	| "too-old"
	| "unknown-action"
	| "args-wrong"
	| "policy-unknown"
	| "booting"
	| "alone"
	| "stopped"
	| "restricted"
	| "overtaken"
	| "busy";

/** Arguments of an action by name, each with the values that it may have. */
export type ActionArgs = Readonly<Record<string, readonly string[]>>;

/** What the safe-stop of this node says to a command. */
export type GateSafety = "boot" | "working" | "alone" | "stopped" | "restricted";

/** What is so at this node now. */
export interface GateView {
	readonly mesh: string;
	readonly node: string;
	readonly session: string;
	/** Milliseconds since this session began, on this node's clock alone. */
	readonly nowTick: number;
	readonly safety: GateSafety;
	/** Who stopped it, for whoever asks why. */
	readonly stoppedBy?: string;
	readonly actions: Readonly<Record<string, ActionArgs>>;
	readonly policies: KnownPolicies;
	/** Commands whose effect is under way in this process. */
	readonly running: readonly string[];
	readonly runningMax: number;
}

export interface Arrival {
	/** Last level of the topic it came on. */
	readonly topicAction: string;
	/** First 16 hex characters of the SHA-256 of its bytes: names what cannot be trusted to name itself. */
	readonly fingerprint: string;
	readonly read: Read;
}

/** In this order: what is to be on disk first, then the effect; a receipt at once. */
export type GateEffect =
	| { readonly kind: "write"; readonly entry: MarkEntry }
	| { readonly kind: "run"; readonly command: string; readonly action: string; readonly args: CommandArgs }
	| { readonly kind: "say"; readonly receipt: Receipt };

export interface GateVerdict {
	readonly kind: "accept" | "refuse" | "repeat" | "unknown";
	readonly effects: readonly GateEffect[];
}

const refusal = (command: string, action: string, reason: RefusalReason, detail: string, marks?: Marks): GateVerdict => ({
	kind: "refuse",
	effects: [
		{
			kind: "say",
			receipt: { command, action, phase: "refused", reason, detail: detail.slice(0, 2_000), ...(marks === undefined ? {} : { marks: sayMarks(marks) }) },
		},
	],
});

/** What core needs to see what it is behind of. */
const sayMarks = (marks: Marks): NonNullable<Receipt["marks"]> => ({
	seq: marks.seq,
	...(marks.coreTerm === undefined ? {} : { coreTermCounter: marks.coreTerm.counter, coreTermKeyId: marks.coreTerm.keyId }),
});

/** "1.ab" -> 1. */
const counterOf = (session: string): number => Number(session.slice(0, session.indexOf(".")));

const sameArgs = (left: CommandArgs, right: CommandArgs): boolean => {
	const names = Object.keys(left);
	return names.length === Object.keys(right).length && names.every((name) => Object.hasOwn(right, name) && left[name] === right[name]);
};

/** A command that was accepted before: its last receipt once more, or that it is under way. Never a second effect. */
const repeat = (known: Known, running: readonly string[]): GateVerdict => {
	const { command, action, receipt } = known;
	if (receipt !== undefined) return { kind: "repeat", effects: [{ kind: "say", receipt: { ...receipt, repeat: true } }] };
	const detail = running.includes(command) ? "it is under way" : "its outcome is being found out";
	return { kind: "repeat", effects: [{ kind: "say", receipt: { command, action, phase: "started", reason: "in-flight", detail, repeat: true } }] };
};

/** Whether core is the one to be obeyed. */
const judgeCore = ({ coreTerm: mark }: Marks, { coreTerm }: ActionCommand): readonly [RefusalReason, string] | undefined => {
	if (mark === undefined || coreTerm.counter > mark.counter) return undefined;
	if (coreTerm.counter < mark.counter) return ["core-deposed", `term ${coreTerm.counter} is lower than ${mark.counter}, which was heard before`];
	return coreTerm.keyId === mark.keyId ? undefined : ["core-term-forked", `term ${coreTerm.counter} belongs to key ${mark.keyId}, not to ${coreTerm.keyId}`];
};

/** Age is counted from the newest tick that core had heard: a delay can only make a command older. */
const judgeAge = (view: GateView, { session, tick, notAfterMs }: ActionCommand): readonly [RefusalReason, string] | undefined => {
	if (session !== view.session) return ["other-session", `it is for session ${session}; this is ${view.session}`];
	if (tick > view.nowTick) return ["tick-from-the-future", `tick ${tick} is later than this node's ${view.nowTick}`];
	const ageMs = view.nowTick - tick;
	return ageMs > notAfterMs ? ["too-old", `it is ${ageMs} ms old; at most ${notAfterMs} ms are allowed`] : undefined;
};

const judgeAction = ({ actions }: GateView, { action, args }: ActionCommand): readonly [RefusalReason, string] | undefined => {
	const wanted = Object.hasOwn(actions, action) ? actions[action] : undefined;
	if (wanted === undefined) return ["unknown-action", `this node cannot do ${action}`];
	const odd = Object.keys(args).find((name) => !Object.hasOwn(wanted, name));
	if (odd !== undefined) return ["args-wrong", `${action} has no argument ${odd}`];
	for (const [name, values] of Object.entries(wanted)) {
		const value = Object.hasOwn(args, name) ? args[name] : undefined;
		if (value === undefined) return ["args-wrong", `${action} needs ${name}`];
		if (typeof value !== "string" || !values.includes(value)) return ["args-wrong", `${name} ${JSON.stringify(value)} is none of: ${values.join(", ")}`];
	}
	return undefined;
};

const judgePolicy = ({ policies, nowTick }: GateView, { policyHash }: ActionCommand): readonly [RefusalReason, string] | undefined => {
	if (policyHash === policies.current) return undefined;
	const { previous } = policies;
	if (previous !== undefined && policyHash === previous.hash && nowTick <= previous.goodUntilTick) return undefined;
	return ["policy-unknown", `it was decided under ${policyHash}, which is neither in force nor was it until lately`];
};

const judgeState = ({ safety, stoppedBy, running, runningMax }: GateView): readonly [RefusalReason, string] | undefined => {
	if (safety === "stopped") return ["stopped", stoppedBy === undefined ? "this node is stopped" : `this node was stopped by ${stoppedBy}`];
	if (safety === "restricted") return ["restricted", "this node's certificate is over or was taken back"];
	if (safety === "boot") return ["booting", "this node has not yet heard its core"];
	if (safety === "alone") return ["alone", "this node does not hear its core well enough"];
	return running.length >= runningMax ? ["busy", `${running.length} commands are under way`] : undefined;
};

/** A command of which this node would not know: neither "refused" nor "done" would be true. */
const isBeyondMemory = (marks: Marks, view: GateView, { session, seq }: ActionCommand): boolean =>
	seq <= marks.forgottenSeq || (session !== view.session && counterOf(session) < marks.bornCounter);

const accept = (marks: Marks, { command, seq, action, args, coreTerm }: ActionCommand): GateVerdict => {
	const raised = marks.coreTerm === undefined || coreTerm.counter > marks.coreTerm.counter;
	return {
		kind: "accept",
		effects: [
			...(raised ? [{ kind: "write" as const, entry: { kind: "term" as const, ...coreTerm } }] : []),
			{ kind: "write", entry: { kind: "intent", command, seq, action, args } },
			{ kind: "say", receipt: { command, action, phase: "accepted" } },
			{ kind: "run", command, action, args },
		],
	};
};

/** Every command gets exactly one verdict; the order of the questions is part of it: who speaks, to whom, known before, still valid, possible now. */
export const judgeCommand = (marks: Marks, view: GateView, { topicAction, fingerprint, read }: Arrival): GateVerdict => {
	const unnamed = `refused-${fingerprint}`;
	if (read.kind === "not-verified") return refusal(unnamed, topicAction, read.reason, read.detail);
	if (read.kind === "not-a-command") return refusal(unnamed, topicAction, "contract-violated", read.detail);
	const { command: asked, keyId } = read;
	// A command for someone else is not answered by its own id: the answer would count as that one's.
	if (asked.coreTerm.keyId !== keyId) return refusal(unnamed, topicAction, "key-mismatch", `signed by ${keyId} for a term of ${asked.coreTerm.keyId}`);
	if (asked.mesh !== view.mesh) return refusal(unnamed, topicAction, "other-mesh", `it is for mesh ${asked.mesh}`);
	if (asked.node !== view.node) return refusal(unnamed, topicAction, "other-node", `it is for ${asked.node}`);
	if (asked.action !== topicAction) return refusal(unnamed, topicAction, "other-topic", `${asked.action} came on the topic of ${topicAction}`);
	const known = marks.known.find(({ command }) => command === asked.command);
	if (known !== undefined) {
		const same = known.seq === asked.seq && known.action === asked.action && sameArgs(known.args, asked.args);
		return same ? repeat(known, view.running) : refusal(unnamed, topicAction, "id-reused", `${asked.command} was another command before`);
	}
	if (isBeyondMemory(marks, view, asked)) {
		const detail = "this node's memory does not reach back to it";
		return {
			kind: "unknown",
			effects: [{ kind: "say", receipt: { command: asked.command, action: asked.action, phase: "unknown", reason: "forgotten", detail } }],
		};
	}
	const overtaken = asked.seq <= marks.seq ? (["overtaken", `seq ${asked.seq} is not above ${marks.seq}, which was accepted before`] as const) : undefined;
	const found = judgeCore(marks, asked) ?? judgeAge(view, asked) ?? judgeAction(view, asked) ?? judgePolicy(view, asked) ?? judgeState(view) ?? overtaken;
	return found === undefined ? accept(marks, asked) : refusal(asked.command, asked.action, found[0], found[1], marks);
};
