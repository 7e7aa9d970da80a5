// Decides how the why card reads as plain text in a chat: the same facts in the same order as everywhere.
import type { WhyView } from "../http-why.ts";

const ROWS_MAX = 40;

const clock = (at: string): string => at.slice(11, 19);

const decisionLines = ({ decisions }: WhyView): readonly string[] =>
	decisions.flatMap((decision, index) => {
		const line = `${clock(decision.at)} ${decision.verdict.toUpperCase()}${decision.action === undefined ? "" : ` ${decision.action}`} at ${decision.level}: ${decision.why}`;
		if (index < decisions.length - 1) return [line];
		return [
			line,
			...decision.facts.map(
				({ name, value, threshold }) => `  fact: ${name} ${String(value ?? "")}${threshold === undefined ? "" : ` (bound ${String(threshold)})`}`,
			),
			...decision.rows.filter(({ matched }) => matched).map(({ at, id, detail }) => `  row: ${at} ${id}: ${detail}`),
			...decision.guards.map(({ guard, ok, detail }) => `  guard: ${ok ? "pass" : "BLOCK"} ${guard}: ${detail}`),
			...decision.change.map((change) => `  would change it: ${typeof change === "string" ? change : JSON.stringify(change)}`),
		];
	});

/** Questions to a person, and an ask for a level, each with every answer. */
const askedLines = ({ approvals, levelAsk }: WhyView): readonly string[] => {
	const told = approvals.map(({ id, plan, status, steps }) => ({ title: `${plan} (${id}): ${status}`, steps }));
	if (levelAsk !== undefined) {
		const { id, level, before, status, steps } = levelAsk;
		told.push({ title: `level ${level} instead of ${before} (${id}): ${status}`, steps });
	}
	return told.flatMap(({ title, steps }) => [title, ...steps.slice(-ROWS_MAX).map(({ at, text }) => `  ${clock(at)} ${text}`)]);
};

const section = (title: string, lines: readonly string[]): readonly string[] => (lines.length === 0 ? [] : ["", title, ...lines]);

export const whyText = (view: WhyView): string => {
	const { incident, events, actions, asked, none } = view;
	return [
		incident === undefined ? `${view.subject.kind} ${view.subject.id}` : `${incident.title} (${incident.id}), ${incident.severity}, ${incident.status}`,
		...section(
			"What happened",
			events.slice(-ROWS_MAX).map(({ at, position, text }) => `${clock(at)} #${position} ${text}`),
		),
		...section("What was decided", decisionLines(view)),
		...section("What was asked", askedLines(view)),
		...section(
			"What was done",
			actions.flatMap(({ name, phase, steps }) => [`${name}: ${phase}`, ...steps.slice(-ROWS_MAX).map(({ at, text }) => `  ${clock(at)} ${text}`)]),
		),
		...section(
			"A person is needed",
			asked.map(({ why, suggestion }) => `${why} Try: ${suggestion}`),
		),
		...section("Why it belongs to no incident", none ?? []),
	].join("\n");
};
