// Decides how the actions that exist are shown: how risky, whether they can be undone, what the level in force says of them, and who offers them.
import { type ActionRule, type Policy, riskOf } from "../policy.ts";
import { envelopeOf, levelRow, type Seen } from "./views.ts";

const nowOf = (policy: Policy | null, seen: Seen, action: string) => {
	const risk = policy === null ? "RISKY" : riskOf(policy, action);
	const gate = levelRow(policy, seen.state.level).gate.find((row) => row.risk === risk);
	return { risk, now: { level: seen.state.level, verdict: gate?.verdict ?? "refused", ...(gate?.at === undefined ? {} : { at: gate.at }) } };
};

const ruleSays = ({ at, capability, args, notAfterMs, clearForMs, withinMs, undo, undoSays, cooldownMs, budgetPerHour, ...rest }: ActionRule) => ({
	at,
	capability,
	args,
	notAfterMs,
	verify: { clearForMs, withinMs },
	undo,
	undoSays,
	cooldownMs,
	budgetPerHour,
	breaker: { failures: rest.breakerFailures, openForMs: rest.breakerOpenMs },
});

/** By name; `after` is the last name of the page before. */
export const actionsView = (seen: Seen, limit: number, after: string | undefined) => {
	const { policy, nodes } = seen.state;
	const offered = Object.entries(nodes).flatMap(([node, view]) => view.actions.map((action) => ({ node, action })));
	const names = [...new Set([...(policy?.actions ?? []).map(({ id }) => id), ...offered.map(({ action }) => action)])].sort();
	const from = after === undefined ? 0 : names.findIndex((name) => name > after);
	const begin = from < 0 ? names.length : from;
	const page = names.slice(begin, begin + limit);
	const actions = page.map((id) => {
		const rule = policy?.actions.find((candidate) => candidate.id === id);
		const offering = offered.filter(({ action }) => action === id).map(({ node }) => node);
		// An action that no policy row names is RISKY and is not done.
		return {
			id,
			known: rule !== undefined,
			...nowOf(policy, seen, id),
			...(rule === undefined ? {} : ruleSays(rule)),
			nodes: offering.slice(0, 50),
			nodesTotal: offering.length,
		};
	});
	return { ...envelopeOf(seen, "orion.actions/1"), total: names.length, actions, next: begin + limit < names.length ? (page.at(-1) ?? null) : null };
};
