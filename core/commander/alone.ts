// What the engine knows of nodes that hear no core from time to time: plain JSON, as all of its state.

/** What one node was allowed to do alone, and did. */
export interface Allowance {
	/** Number of the newest grant; 0: none yet. */
	readonly number: number;
	/** Newest grant of which everything that was done under it is counted. */
	readonly reconciled: number;
	readonly left: Readonly<Record<string, number>>;
	/** What was counted when `left` was reckoned. */
	readonly countedThen: Readonly<Record<string, number>>;
	readonly counter: number;
	readonly validMs: number;
	/** Engine times at which core learnt of a use, by row; as long as they count. */
	readonly usedMs: Readonly<Record<string, readonly number[]>>;
	/** How often the node used each row, ever, as far as it was told. */
	readonly counted: Readonly<Record<string, number>>;
	/** Records since the last reconciliation. */
	readonly acted: readonly number[];
	readonly refused: readonly number[];
}

export interface Reconciliation {
	readonly node: string;
	readonly grant: number;
	readonly aloneMs: number;
	readonly acted: readonly number[];
	readonly refused: readonly number[];
	readonly incidents: readonly string[];
	readonly wallMs: number;
}
