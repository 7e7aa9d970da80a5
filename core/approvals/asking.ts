// Decides whether a person may be asked now: what was denied or not answered is not asked again at once, and nobody is asked without end.
import { canonicalText } from "../../contracts/digest.ts";
import { sayDuration } from "../../contracts/time.ts";
import type { ApprovalLimits, Scalar, Severity } from "../policy.ts";
import type { Approval, EngineState, Incident } from "../state.ts";
import { isLive } from "./machine.ts";

const HOUR_MS = 3_600_000;
const SEVERITIES: readonly Severity[] = ["info", "warning", "error", "critical"];

interface Asking {
	readonly guard: "approval";
	readonly ok: boolean;
	readonly detail: string;
	readonly untilEngineMs?: number;
}

type Args = Readonly<Record<string, Scalar>>;

const pass = (detail: string): Asking => ({ guard: "approval", ok: true, detail });
const block = (detail: string, untilEngineMs?: number): Asking => ({
	guard: "approval",
	ok: false,
	detail,
	...(untilEngineMs === undefined ? {} : { untilEngineMs }),
});

const isSame = ({ asked }: Approval, incident: Incident, name: string, args: Args): boolean =>
	asked.incident === incident.id && asked.name === name && canonicalText(asked.args) === canonicalText(args);

/** It got worse, or it came back: that is another question. */
const isNews = (approval: Approval, incident: Incident): boolean =>
	incident.reopened > approval.reopened || SEVERITIES.indexOf(incident.severity) > SEVERITIES.indexOf(approval.severity);

const SAID_NO: readonly string[] = ["denied", "revoked", "expired"];

const recentNo = (same: readonly Approval[], incident: Incident, limits: ApprovalLimits, engineMs: number): Asking | undefined => {
	for (const approval of same) {
		const { status, closedMs = 0, by, forgiven } = approval;
		const untilMs = closedMs + limits.askAgainAfterMs;
		if (!SAID_NO.includes(status) || isNews(approval, incident) || untilMs <= engineMs) continue;
		if (status === "expired" && forgiven) continue;
		const how = status === "expired" ? "nobody answered" : `${status === "denied" ? "denied" : "withdrawn"} by ${by ?? "somebody"}`;
		return block(`${how} ${sayDuration(engineMs - closedMs)} ago; not asked again for another ${sayDuration(untilMs - engineMs)}`, untilMs);
	}
	return undefined;
};

/** How often this was asked about this incident, the next time included. */
export const timesOf = (state: EngineState, incident: Incident, name: string, args: Args): number =>
	Object.values(state.approvals).filter((approval) => isSame(approval, incident, name, args)).length + 1;

export const askingGuard = (state: EngineState, incident: Incident, name: string, args: Args, limits: ApprovalLimits | undefined): Asking => {
	if (limits === undefined) return block("the policy in force does not say how a person is asked");
	const { engineMs } = state.clock;
	const all = Object.values(state.approvals);
	const same = all.filter((approval) => isSame(approval, incident, name, args));
	const standing = same.find(({ status }) => isLive(status));
	if (standing !== undefined) return pass(`${standing.id} asks already`);
	const unanswered = same.filter(({ status, forgiven }) => status === "expired" && !forgiven).length;
	if (unanswered >= limits.askTimesMax) return block(`asked ${unanswered} times without an answer; setting the level again asks anew`);
	const no = recentNo(same, incident, limits, engineMs);
	if (no !== undefined) return no;
	const recent = all
		.filter(({ asked, askedMs }) => asked.node === incident.node && engineMs - askedMs < HOUR_MS)
		.map(({ askedMs }) => askedMs)
		.sort((left, right) => left - right);
	const said = `${recent.length} of ${limits.asksPerHour} questions about ${incident.node} in the last hour`;
	const oldest = recent[recent.length - limits.asksPerHour];
	return recent.length < limits.asksPerHour || oldest === undefined ? pass(said) : block(said, oldest + HOUR_MS);
};

/** When asking again may be allowed, for the clock. */
export function* askingTimers(state: EngineState, limits: ApprovalLimits): Iterable<number> {
	for (const { status, closedMs, askedMs } of Object.values(state.approvals)) {
		yield askedMs + HOUR_MS;
		if (SAID_NO.includes(status) && closedMs !== undefined) yield closedMs + limits.askAgainAfterMs;
	}
}
