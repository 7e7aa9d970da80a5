// Connects a question about nodes that were alone to what the engine summed up and to the records themselves.
import { type LogRow, rowOf as logRow } from "../memory/log-row.ts";
import type { CoreDesk } from "./ports.ts";
import type { Seen } from "./views.ts";

export interface ReconciliationRow {
	readonly node: string;
	/** Number of the allowance that it had; 0: none. */
	readonly grant: number;
	readonly at: string;
	readonly aloneMs: number;
	readonly acted: readonly LogRow[];
	readonly refused: readonly LogRow[];
	readonly incidents: readonly { readonly id: string; readonly title: string; readonly status: string }[];
}

export interface ReconciliationsView {
	readonly schema: "orion.reconciliations/1";
	readonly rev: number;
	readonly at: string;
	/** Newest first. */
	readonly reconciliations: readonly ReconciliationRow[];
	/** What each node may do the next time. */
	readonly allowances: readonly {
		readonly node: string;
		readonly number: number;
		readonly left: Readonly<Record<string, number>>;
		readonly unaccounted: number;
	}[];
}

const rowsAt = async (desk: CoreDesk, positions: readonly number[]): Promise<readonly LogRow[]> => {
	const rows: LogRow[] = [];
	for (const position of positions) {
		const [record] = await desk.records(position, 1);
		if (record?.position === position) rows.push(logRow(record));
	}
	return rows;
};

/** Records that are archived are left out of their lists. */
export const reconciliationsAnswer = async (desk: CoreDesk, { info, state, wallMs }: Seen, limit: number): Promise<ReconciliationsView> => {
	const newest = [...state.reconciliations].reverse().slice(0, limit);
	const reconciliations = await Promise.all(
		newest.map(async ({ node, grant, aloneMs, acted, refused, incidents, wallMs: madeMs }) => ({
			node,
			grant,
			at: new Date(madeMs).toISOString(),
			aloneMs,
			acted: await rowsAt(desk, acted),
			refused: await rowsAt(desk, refused),
			incidents: incidents.flatMap((id) => {
				const incident = state.incidents[id];
				return incident === undefined ? [] : [{ id, title: incident.title, status: incident.status }];
			}),
		})),
	);
	const allowances = Object.entries(state.allowances).map(([node, { number, left, acted, refused }]) => ({
		node,
		number,
		left,
		unaccounted: acted.length + refused.length,
	}));
	return { schema: "orion.reconciliations/1", rev: info.head, at: new Date(wallMs).toISOString(), reconciliations, allowances };
};
