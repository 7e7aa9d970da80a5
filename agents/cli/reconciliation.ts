// Connects `orion reconciliation` to what nodes did while they heard no core: one card for each return, and what each may do the next time.
import { sayDuration } from "../../contracts/time.ts";
import type { ReconciliationRow, ReconciliationsView } from "../../core/service/http-alone.ts";
import { gravityStyle } from "./colours.ts";
import { clockTime, plain, wrap } from "./layout.ts";
import type { Session } from "./session.ts";

const SHOWN = 10;

const card = ({ paint, width }: Session, now: string, { node, grant, at, aloneMs, acted, refused, incidents }: ReconciliationRow): readonly string[] => {
	const lines = [
		`${paint.bold(node)} was alone for ${sayDuration(aloneMs)}, back at ${clockTime(at, now)}${grant === 0 ? "" : paint.dim(` (allowance ${grant})`)}`,
	];
	const section = (title: string, rows: ReconciliationRow["acted"]): void => {
		for (const [index, row] of rows.entries()) {
			const begin = `  ${(index === 0 ? title : "").padEnd(9)}${clockTime(row.at, now)}  ${`#${row.position}`.padEnd(8)}`;
			lines.push(`${paint.dim(begin)}${gravityStyle(paint, row.gravity)(wrap(plain(row.text), width, " ".repeat(begin.length)))}`);
		}
	};
	section("did", acted);
	section("refused", refused);
	for (const [index, { id, title, status }] of incidents.entries()) {
		lines.push(`${paint.dim(`  ${(index === 0 ? "saw" : "").padEnd(9)}`)}${wrap(`${plain(title)}, ${status}`, width, " ".repeat(11))}  ${paint.dim(id)}`);
	}
	if (acted.length + refused.length + incidents.length === 0) lines.push("  nothing was wrong and nothing was done");
	return lines;
};

export const showReconciliations = async (session: Session): Promise<number> => {
	const mesh = await session.mesh();
	const view = await session.waiting(() => "asking", mesh.get<ReconciliationsView>(`/state/reconciliations?limit=${SHOWN}`));
	if (session.json) {
		session.print(view);
		return 0;
	}
	const { paint } = session;
	const cards = view.reconciliations.map((row) => card(session, view.at, row).join("\n"));
	const left = view.allowances.map(({ node, left: uses, unaccounted }) => {
		const rows = Object.entries(uses).map(([row, count]) => `${row} ${count}x`);
		return `  ${plain(node).padEnd(14)}${rows.join(", ") || "nothing"}${unaccounted === 0 ? "" : paint.yellow(`  (alone now, or not yet accounted for: ${unaccounted})`)}`;
	});
	session.say(
		[
			...(cards.length === 0 ? ["no node was alone yet"] : [cards.join("\n\n")]),
			...(left.length === 0 ? [] : ["", `${paint.bold("May be done alone the next time")} ${paint.dim("(policies/autonomy.yaml, alone)")}`, ...left]),
		].join("\n"),
	);
	return 0;
};
