// Decides how the rules of the safe-stop read on a terminal: the rows that every agent carries, in the order of the policy file.
import { sayDuration } from "../../contracts/time.ts";
import { MOVER_RULES, STILL_RULES } from "../../edge/machines/safe-stop-rows.ts";
import { type Column, table } from "./layout.ts";
import type { Session } from "./session.ts";

const COLUMNS: readonly Column[] = [
	{ title: "ROW" },
	{ title: "DOES" },
	{ title: "AFTER", right: true },
	{ title: "GOES ON AFTER" },
	{ title: "WHEN", flexible: true },
];

const CLEARS = { itself: "it is gone", release: "a release", presence: "a person there" } as const;

interface Row {
	readonly id: string;
	readonly does: string;
	readonly graceMs: number;
	readonly clears: keyof typeof CLEARS;
	readonly clearAfterMs: number;
	readonly says: string;
}

const cells = ({ id, does, graceMs, clears, clearAfterMs, says }: Row) => [
	{ text: id },
	{ text: does },
	{ text: graceMs === 0 ? "at once" : sayDuration(graceMs) },
	{ text: clearAfterMs === 0 ? CLEARS[clears] : `${CLEARS[clears]}, ${sayDuration(clearAfterMs)}` },
	{ text: says },
];

export const explainSafeStop = (session: Session): Promise<number> => {
	const { timing, rules } = MOVER_RULES;
	if (session.json) {
		session.print({ schema: "orion.safe-stop/1", mover: MOVER_RULES, still: STILL_RULES });
		return Promise.resolve(0);
	}
	const { paint, width } = session;
	const mover = rules.map((rule) => cells({ ...rule, does: rule.in === "energised" && rule.action !== "inhibit" ? `${rule.action}*` : rule.action }));
	const still = Object.values(STILL_RULES).map((rule) => cells({ ...rule, does: rule.becomes }));
	const hold = `hold sits after ${sayDuration(timing.holdForMs)}, and is off ${sayDuration(timing.settleWithinMs)} after that at the latest; no lease is longer than ${sayDuration(timing.leaseMaxMs)}`;
	session.say(
		[
			paint.bold("What moves"),
			...table(COLUMNS, mover, width, paint.dim),
			paint.dim("* only inhibits while outputs are off"),
			hold,
			"",
			paint.bold("What moves nothing"),
			...table(COLUMNS, still, width, paint.dim),
			"",
			paint.dim("nothing arms or resumes by itself; the same with words: docs/safe-stop.md"),
		].join("\n"),
	);
	return Promise.resolve(0);
};
