// Decides how an open incident is shown: what is wrong and what is done about it, and on demand why, with what would change it.
import type { IncidentRow, WhyView } from "./answers.ts";
import { code, el, list, pairs } from "./element.ts";
import { age, clock } from "./times.ts";

type Decision = WhyView["decisions"][number];
type Action = WhyView["actions"][number];

const VERDICTS: Readonly<Record<string, string>> = {
	act: "acts",
	would: "would act",
	wait: "waits",
	ask: "asks a person",
	refused: "refuses",
	nothing: "knows no remedy",
};

/** What the mesh does about it, in a few words. */
const answerOf = ({ action, decision }: IncidentRow): string => {
	if (action !== undefined)
		return action.phase === "verifying" ? `${action.name} was done; it is watched whether it helped` : `${action.name}: ${action.phase}`;
	if (decision === undefined) return "not decided yet";
	const { verdict, action: name = "", blockedBy } = decision;
	return `${VERDICTS[verdict] ?? verdict}${name === "" ? "" : `: ${name}`}${blockedBy === "" ? "" : ` (${blockedBy})`}`;
};

const factText = ({ name, value, threshold, unit, ok }: Decision["facts"][number]): string => {
	const units = unit === undefined ? "" : ` ${unit}`;
	const bound = threshold === undefined ? "" : `, bound ${String(threshold)}${units}`;
	return `${ok === false ? "against: " : ""}${name}${value === undefined ? "" : ` = ${String(value)}${units}`}${bound}`;
};

const actionText = ({ name, node, args, attempt, phase, end, detail }: Action): string => {
	const with_ = Object.entries(args)
		.map(([key, value]) => `${key} ${String(value)}`)
		.join(", ");
	return `${name}${with_ === "" ? "" : ` (${with_})`} on ${node}, attempt ${attempt}: ${end ?? phase}${detail === undefined ? "" : `, ${detail}`}`;
};

/** The number that it is about, around its bound; most incidents have none, and then there is no picture. */
const evidence = ({ incident, decisions }: WhyView): readonly (readonly [string, HTMLElement])[] => {
	const bound = decisions.at(-1)?.facts.find(({ value, threshold }) => typeof value === "number" && typeof threshold === "number")?.threshold;
	if (incident === undefined || (incident.value === undefined && bound === undefined)) return [];
	const picture = el("img", {
		class: "evidence",
		src: `/evidence/${incident.id}.png`,
		alt: `Chart of the measurements over time${bound === undefined ? "" : `, with their bound ${bound}`}: ${incident.title}`,
		width: "720",
		height: "380",
		loading: "lazy",
	});
	picture.addEventListener("error", () => picture.replaceWith("too few measurements are on record for a picture"));
	return [["measured", picture]];
};

/** The seven questions that a decision answers, in the order in which people ask them. */
export const whyCard = (answer: WhyView): HTMLElement => {
	const decision = answer.decisions.at(-1);
	if (decision === undefined) return el("p", { class: "dim" }, "Nothing was decided about it yet.");
	const matched = decision.rows.filter((row) => row.matched);
	return pairs([
		["seen", list(answer.events.slice(-3).map((row) => `${clock(row.at)} ${row.text}`))],
		[
			"decided",
			`${(VERDICTS[decision.verdict] ?? decision.verdict).toUpperCase()} at ${decision.level}${decision.risk === undefined ? "" : `, ${decision.risk}`}: ${decision.why}`,
		],
		["facts", decision.facts.length === 0 ? "none" : list(decision.facts.map(factText))],
		...evidence(answer),
		["policy", list(matched.map((row) => el("span", {}, code(row.at), ` ${row.id}: ${row.detail}`)))],
		[
			"guards",
			decision.guards.length === 0
				? "none was asked"
				: list(decision.guards.map(({ guard, ok, detail }) => el("span", { class: ok ? "good" : "bad" }, `${ok ? "pass" : "stop"} ${guard}: ${detail}`))),
		],
		["would change it", decision.change.length === 0 ? "nothing" : list(decision.change)],
		...(answer.actions.length === 0 ? [] : [["done", list(answer.actions.map(actionText))] as const]),
		...(answer.asked.length === 0 ? [] : [["asks you", list(answer.asked.slice(-1).map(({ why, suggestion }) => `${why}. ${suggestion}`))] as const]),
		["whole thread", code(`orion why ${answer.incident?.id ?? ""}`)],
	]);
};

export const incidentCard = (row: IncidentRow, atMs: number, loadWhy: (id: string) => Promise<HTMLElement>, isOpen: boolean): HTMLElement => {
	const card = el("article", { class: `card ${row.severity === "info" ? "" : row.severity === "warning" ? "warn" : "bad"}`, "aria-label": row.title });
	const details = el("details", {}, el("summary", {}, "Why, and what would change it"));
	details.addEventListener("toggle", () => {
		if (!details.open || details.children.length > 1) return;
		const waiting = el("p", { class: "dim" }, "asking core ...");
		details.append(waiting);
		loadWhy(row.id).then(
			(why) => waiting.replaceWith(why),
			(error: unknown) => waiting.replaceWith(el("p", { class: "bad" }, error instanceof Error ? error.message : "core did not answer")),
		);
	});
	details.open = isOpen;
	const often = row.count > 1 ? `, seen ${row.count} times` : "";
	const again = row.reopened > 0 ? `, came back ${row.reopened} times` : "";
	card.append(
		el("h3", {}, row.title),
		el("p", {}, el("span", { class: `badge ${row.severity}` }, row.severity), " ", age(row.openForMs, atMs, "open for "), `${often}${again}`),
		el("p", {}, el("strong", {}, "The mesh "), answerOf(row)),
		details,
	);
	return card;
};
