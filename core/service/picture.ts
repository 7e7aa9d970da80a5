// Decides how a measured number around its bound looks as a small picture: what it is, its line, the bound, round marks on both axes; drawn without a browser.
import { Canvas, type Colour, widthOf } from "./picture-canvas.ts";
import { sayBound, timeMarks, type Unit, valueAxis } from "./picture-scale.ts";

export interface Point {
	readonly wallMs: number;
	readonly value: number;
}

export interface Chart {
	/** What is measured, and where. */
	readonly title: string;
	readonly unit: Unit;
	/** In order of time, at least one. */
	readonly points: readonly Point[];
	readonly threshold?: number;
}

const WIDTH = 720;
const HEIGHT = 380;
const EDGE = 14;
const TOP = 62;
const BOTTOM = 58;
/** Large enough to be read on a phone, where the picture is half as wide. */
const SCALE = 3;
const SMALL = 2;
const LETTER_HEIGHT = 7 * SCALE;

const PAPER: Colour = [255, 255, 255];
const INK: Colour = [50, 56, 64];
const GRID: Colour = [222, 226, 231];
const LINE: Colour = [20, 98, 180];
const OVER: Colour = [200, 40, 40];

const title = (canvas: Canvas, text: string): void => {
	const scale = widthOf(text, SCALE) <= WIDTH - 2 * EDGE ? SCALE : SMALL;
	const fits = Math.floor((WIDTH - 2 * EDGE) / widthOf("x", scale));
	canvas.text(EDGE, EDGE, text.length <= fits ? text : `${text.slice(0, fits - 2)}..`, scale, INK);
};

interface Plane {
	readonly left: number;
	readonly x: (wallMs: number) => number;
	readonly y: (value: number) => number;
}

/** Both axes with their marks, and where a point lies between them. */
const plane = (canvas: Canvas, { points, threshold, unit }: Chart): Plane => {
	const axis = valueAxis([...points.map(({ value }) => value), ...(threshold === undefined ? [] : [threshold])], unit);
	const left = EDGE + Math.max(...axis.marks.map(({ text }) => widthOf(text, SCALE))) + SCALE;
	const right = WIDTH - EDGE;
	const bottom = HEIGHT - BOTTOM;
	const [fromMs, toMs] = [points[0]?.wallMs ?? 0, points.at(-1)?.wallMs ?? 0];
	const x = (wallMs: number): number =>
		toMs === fromMs ? Math.round((left + right) / 2) : Math.round(left + ((wallMs - fromMs) / (toMs - fromMs)) * (right - left - 6));
	const y = (value: number): number => Math.round(bottom - ((value - axis.low) / (axis.high - axis.low)) * (bottom - TOP));
	for (const { at, text } of axis.marks) {
		canvas.box(left, y(at), right - left, 1, GRID);
		canvas.text(left - SCALE - widthOf(text, SCALE), y(at) - Math.floor(LETTER_HEIGHT / 2), text, SCALE, INK);
	}
	canvas.text(EDGE, bottom + 24, "UTC", SCALE, INK);
	for (const { wallMs, text } of timeMarks(fromMs, toMs, toMs - fromMs < 120_000 ? 3 : 4)) {
		canvas.box(x(wallMs), TOP, 1, bottom - TOP + 8, GRID);
		const width = widthOf(text, SCALE);
		canvas.text(Math.max(left, Math.min(x(wallMs) - Math.floor(width / 2), WIDTH - EDGE - width)), bottom + 24, text, SCALE, INK);
	}
	return { left, x, y };
};

/** Blue up to the bound, red above it, changing where it crosses. */
const curve = (canvas: Canvas, { points, threshold = Number.POSITIVE_INFINITY }: Chart, { x, y }: Plane): void => {
	const colour = (value: number): Colour => (value > threshold ? OVER : LINE);
	for (const [index, point] of points.entries()) {
		const before = points[index - 1] ?? point;
		const [from, to] = [before.value > threshold, point.value > threshold];
		if (from === to) canvas.line(x(before.wallMs), y(before.value), x(point.wallMs), y(point.value), colour(point.value));
		else {
			const crossingMs = before.wallMs + ((threshold - before.value) / (point.value - before.value)) * (point.wallMs - before.wallMs);
			canvas.line(x(before.wallMs), y(before.value), x(crossingMs), y(threshold), colour(before.value));
			canvas.line(x(crossingMs), y(threshold), x(point.wallMs), y(point.value), colour(point.value));
		}
		if (points.length <= 60) canvas.box(x(point.wallMs) - 3, y(point.value) - 3, 7, 7, colour(point.value));
	}
};

const bound = (canvas: Canvas, { points, threshold, unit }: Chart, { left, y }: Plane): void => {
	if (threshold === undefined) return;
	for (let x = left; x < WIDTH - EDGE; x += 14) canvas.box(x, y(threshold) - 1, Math.min(8, WIDTH - EDGE - x), 2, OVER);
	const text = `bound ${sayBound(threshold, unit)}`;
	const width = widthOf(text, SCALE);
	// Written where the line is farther away: at the left if it begins farther from the bound than it ends.
	const far = (point: Point | undefined): number => Math.abs((point?.value ?? threshold) - threshold);
	const x = far(points[0]) > far(points.at(-1)) ? left + 8 : WIDTH - EDGE - width - 4;
	const isAbove = y(threshold) - LETTER_HEIGHT - 10 >= TOP - LETTER_HEIGHT;
	const top = isAbove ? y(threshold) - LETTER_HEIGHT - 6 : y(threshold) + 8;
	canvas.box(x - 4, top - 2, width + 4, LETTER_HEIGHT + 4, PAPER);
	canvas.text(x, top, text, SCALE, OVER);
};

/** A PNG of 720 by 380 dots; undefined if there is nothing to draw. */
export const drawChart = (chart: Chart): Uint8Array | undefined => {
	if (chart.points.length === 0) return undefined;
	const canvas = new Canvas(WIDTH, HEIGHT, PAPER);
	title(canvas, chart.title);
	const drawn = plane(canvas, chart);
	bound(canvas, chart, drawn);
	curve(canvas, chart, drawn);
	return canvas.png();
};
