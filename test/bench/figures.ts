// The shape of a figure: a value with its unit, and what it stands beside, measured in the same run.

export interface Figure {
	readonly name: string;
	readonly value: number;
	readonly unit: string;
	/** The peer or the machine's raw figure of the same run. */
	readonly beside: { readonly name: string; readonly value: number; readonly unit: string };
	/** value / beside.value */
	readonly ratio: number;
	/** What it must be, for people; the goal behind it in brackets. */
	readonly must: string;
	readonly ok: boolean;
}

const round = (value: number): number => Number(value.toPrecision(4));

export const figure = (
	name: string,
	value: number,
	unit: string,
	beside: Figure["beside"],
	must: string,
	isOk: (value: number, ratio: number) => boolean,
): Figure => {
	const ratio = value / beside.value;
	return { name, value: round(value), unit, beside: { ...beside, value: round(beside.value) }, ratio: round(ratio), must, ok: isOk(value, ratio) };
};
