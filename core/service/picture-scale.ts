// Decides at which round numbers and times the axes of a picture are marked, and how a number is written with its unit.

export interface Unit {
	/** What a measured number is multiplied with before it is written. */
	readonly factor: number;
	/** Behind each number. */
	readonly sign: string;
}

const NONE: Unit = { factor: 1, sign: "" };
const UNITS: readonly (readonly [ends: RegExp, unit: Unit])[] = [
	[/Ratio(?:Max)?$/, { factor: 100, sign: "%" }],
	[/Celsius$/, { factor: 1, sign: "°C" }],
	[/Bytes$/, { factor: 1, sign: "B" }],
	[/Seconds$/, { factor: 1, sign: "s" }],
	[/Ms$/, { factor: 1, sign: "ms" }],
];

/** The unit that the name of a field ends with, as all contracts have it. */
export const unitOf = (field: string): Unit => UNITS.find(([ends]) => ends.test(field))?.[1] ?? NONE;

const SIZES: readonly (readonly [from: number, letter: string])[] = [
	[1e12, "T"],
	[1e9, "G"],
	[1e6, "M"],
	[1e4, "k"],
];

/** `digits`: behind the point, where the number is not shortened. */
export const sayNumber = (value: number, { factor, sign }: Unit, digits = 1): string => {
	const shown = value * factor;
	const [from, letter] = SIZES.find(([least]) => Math.abs(shown) >= least) ?? [1, ""];
	const divisor = letter === "k" ? 1e3 : from;
	const text = (shown / divisor).toFixed(letter === "" ? digits : Math.abs(shown / divisor) >= 100 ? 0 : 1);
	return `${Number(text) === 0 ? text.replace("-", "") : text}${letter}${sign}`;
};

/** With a digit behind the point only where it has one. */
export const sayBound = (value: number, unit: Unit): string => {
	const shown = value * unit.factor;
	return sayNumber(value, unit, Math.abs(shown - Math.round(shown)) < 1e-6 ? 0 : 1);
};

const STEPS = [1, 2, 2.5, 5, 10];

/** The smallest round number that is not below it. */
const roundStep = (least: number): number => {
	const power = 10 ** Math.floor(Math.log10(least));
	return (STEPS.find((step) => step * power >= least * 0.999_999) ?? 10) * power;
};

export interface Axis {
	readonly low: number;
	readonly high: number;
	/** From the lowest to the highest, as measured. */
	readonly marks: readonly { readonly at: number; readonly text: string }[];
}

const MARKS_WANTED = 4;
/** A change that is smaller, beside the number, is noise, and drawn large it would look like one. */
const SPAN_LEAST = 1e-3;

const spanOf = (least: number, most: number): number => {
	const size = Math.max(Math.abs(least), Math.abs(most));
	if (size < 1e-6) return 1;
	return most - least < size * SPAN_LEAST ? size * 0.1 : most - least;
};

/** Round marks around all of these values. A share of something stays between none and all of it. */
export const valueAxis = (values: readonly number[], unit: Unit): Axis => {
	const shown = values.map((value) => value * unit.factor);
	const [least, most] = [Math.min(...shown), Math.max(...shown)];
	const step = roundStep(spanOf(least, most) / MARKS_WANTED);
	const isShare = unit.sign === "%" && least >= 0 && most <= 100;
	const [first, last] = [Math.floor(least / step), Math.ceil(most / step)];
	const from = first === last ? first - 1 : first;
	const to = first === last ? last + 1 : last;
	const digits = Math.max(0, Math.min(6, Math.ceil(-Math.log10(step) - 1e-9) + (step / 10 ** Math.floor(Math.log10(step)) === 2.5 ? 1 : 0)));
	const all = Array.from({ length: to - from + 1 }, (_none, index) => (from + index) * step);
	const marks = all.filter((at) => !isShare || (at >= 0 && at <= 100)).map((at) => ({ at: at / unit.factor, text: sayNumber(at / unit.factor, unit, digits) }));
	return { low: marks[0]?.at ?? least / unit.factor, high: marks.at(-1)?.at ?? most / unit.factor, marks };
};

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const TIME_STEPS_MS = [
	...[1, 2, 5, 10, 15, 30].map((seconds) => seconds * SECOND_MS),
	...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE_MS),
	...[1, 2, 3, 6, 12].map((hours) => hours * HOUR_MS),
	...[1, 2, 7, 14, 30, 90, 365].map((days) => days * DAY_MS),
];

const sayTime = (wallMs: number, stepMs: number): string => {
	const iso = new Date(wallMs).toISOString();
	return stepMs >= DAY_MS ? iso.slice(5, 10) : stepMs >= MINUTE_MS ? iso.slice(11, 16) : iso.slice(11, 19);
};

/** Round times within the span, at most so many; UTC. */
export const timeMarks = (fromMs: number, toMs: number, marksMax: number): readonly { readonly wallMs: number; readonly text: string }[] => {
	const stepMs = TIME_STEPS_MS.find((step) => Math.floor(toMs / step) - Math.ceil(fromMs / step) + 1 <= marksMax) ?? 365 * DAY_MS;
	const marks: { readonly wallMs: number; readonly text: string }[] = [];
	for (let wallMs = Math.ceil(fromMs / stepMs) * stepMs; wallMs <= toMs; wallMs += stepMs) marks.push({ wallMs, text: sayTime(wallMs, stepMs) });
	return marks;
};
