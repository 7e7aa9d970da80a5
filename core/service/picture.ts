// Decides how a measured number around its threshold looks as a small picture: a line, the bound, the scale, the hours; drawn without a browser.
import { crc32, deflateSync } from "node:zlib";

export interface Point {
	readonly wallMs: number;
	readonly value: number;
}

export interface Chart {
	/** In order of time, at least one. */
	readonly points: readonly Point[];
	readonly threshold?: number;
}

const WIDTH = 640;
const HEIGHT = 280;
const LEFT = 76;
const RIGHT = 16;
const TOP = 16;
const BOTTOM = 34;
const SCALE = 3;

type Colour = readonly [red: number, green: number, blue: number];
const PAPER: Colour = [255, 255, 255];
const INK: Colour = [60, 66, 74];
const GRID: Colour = [225, 229, 234];
const LINE: Colour = [20, 98, 180];
const OVER: Colour = [200, 40, 40];

/** Three by five dots each: what numbers and times are written with. */
const DOTS: Readonly<Record<string, readonly string[]>> = {
	"0": ["111", "101", "101", "101", "111"],
	"1": ["010", "110", "010", "010", "111"],
	"2": ["111", "001", "111", "100", "111"],
	"3": ["111", "001", "111", "001", "111"],
	"4": ["101", "101", "111", "001", "001"],
	"5": ["111", "100", "111", "001", "111"],
	"6": ["111", "100", "111", "101", "111"],
	"7": ["111", "001", "010", "010", "010"],
	"8": ["111", "101", "111", "101", "111"],
	"9": ["111", "101", "111", "001", "111"],
	".": ["000", "000", "000", "000", "010"],
	":": ["000", "010", "000", "010", "000"],
	"-": ["000", "000", "111", "000", "000"],
	k: ["100", "101", "110", "101", "101"],
	M: ["101", "111", "111", "101", "101"],
	G: ["111", "100", "101", "101", "111"],
};
const GLYPH_WIDTH = 4 * SCALE;

class Canvas {
	/** One filter byte, then red, green and blue of each dot, row by row: as PNG wants it. */
	readonly rows = new Uint8Array(HEIGHT * (1 + WIDTH * 3)).fill(255);

	constructor() {
		for (let y = 0; y < HEIGHT; y++) this.rows[y * (1 + WIDTH * 3)] = 0;
	}

	dot(x: number, y: number, [red, green, blue]: Colour): void {
		if (x < 0 || y < 0 || x >= WIDTH || y >= HEIGHT) return;
		this.rows.set([red, green, blue], y * (1 + WIDTH * 3) + 1 + x * 3);
	}

	box(x: number, y: number, width: number, height: number, colour: Colour): void {
		for (let dy = 0; dy < height; dy++) for (let dx = 0; dx < width; dx++) this.dot(x + dx, y + dy, colour);
	}

	/** Two dots thick, with no gaps. */
	line(fromX: number, fromY: number, toX: number, toY: number, colour: Colour): void {
		const steps = Math.max(1, Math.abs(toX - fromX), Math.abs(toY - fromY));
		for (let step = 0; step <= steps; step++) {
			this.box(Math.round(fromX + ((toX - fromX) * step) / steps), Math.round(fromY + ((toY - fromY) * step) / steps), 2, 2, colour);
		}
	}

	text(x: number, y: number, text: string, colour: Colour): void {
		for (const [index, letter] of [...text].entries()) {
			for (const [dy, row] of (DOTS[letter] ?? []).entries()) {
				for (const [dx, dot] of [...row].entries()) if (dot === "1") this.box(x + index * GLYPH_WIDTH + dx * SCALE, y + dy * SCALE, SCALE, SCALE, colour);
			}
		}
	}
}

/** A number in at most five letters. */
export const shortNumber = (value: number): string => {
	const size = Math.abs(value);
	if (size >= 1e9) return `${(value / 1e9).toFixed(size >= 1e11 ? 0 : 1)}G`;
	if (size >= 1e6) return `${(value / 1e6).toFixed(size >= 1e8 ? 0 : 1)}M`;
	if (size >= 1e4) return `${(value / 1e3).toFixed(size >= 1e5 ? 0 : 1)}k`;
	if (size >= 100) return value.toFixed(0);
	return value.toFixed(size >= 10 ? 1 : 2);
};

const chunk = (type: string, data: Uint8Array): Buffer => {
	const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
	const framed = Buffer.alloc(body.length + 8);
	framed.writeUInt32BE(data.byteLength, 0);
	body.copy(framed, 4);
	framed.writeUInt32BE(crc32(body), body.length + 4);
	return framed;
};

const pngOf = (canvas: Canvas): Uint8Array => {
	const head = Buffer.alloc(13);
	head.writeUInt32BE(WIDTH, 0);
	head.writeUInt32BE(HEIGHT, 4);
	// Eight bits a colour, red green blue, no interlacing.
	head.set([8, 2, 0, 0, 0], 8);
	const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
	return new Uint8Array(Buffer.concat([signature, chunk("IHDR", head), chunk("IDAT", deflateSync(canvas.rows)), chunk("IEND", new Uint8Array(0))]));
};

/** What the picture shows from bottom to top: all values and the bound, with a little room. */
export const rangeOf = ({ points, threshold }: Chart): readonly [low: number, high: number] => {
	const values = [...points.map(({ value }) => value), ...(threshold === undefined ? [] : [threshold])];
	const [low, high] = [Math.min(...values), Math.max(...values)];
	const room = (high - low || Math.abs(high) || 1) * 0.08;
	return [low - room, high + room];
};

/** A PNG of 640 by 280 dots; undefined if there is nothing to draw. */
export const drawChart = (chart: Chart): Uint8Array | undefined => {
	const [first] = chart.points;
	const last = chart.points.at(-1);
	if (first === undefined || last === undefined) return undefined;
	const canvas = new Canvas();
	canvas.box(0, 0, WIDTH, HEIGHT, PAPER);
	for (let y = 0; y < HEIGHT; y++) canvas.rows[y * (1 + WIDTH * 3)] = 0;
	const [low, high] = rangeOf(chart);
	const spanMs = Math.max(1, last.wallMs - first.wallMs);
	const xOf = (wallMs: number): number => Math.round(LEFT + ((wallMs - first.wallMs) / spanMs) * (WIDTH - LEFT - RIGHT));
	const yOf = (value: number): number => Math.round(HEIGHT - BOTTOM - ((value - low) / (high - low)) * (HEIGHT - TOP - BOTTOM));
	for (const part of [0, 0.25, 0.5, 0.75, 1]) {
		const value = low + (high - low) * part;
		canvas.box(LEFT, yOf(value), WIDTH - LEFT - RIGHT, 1, GRID);
		canvas.text(8, yOf(value) - 7, shortNumber(value), INK);
	}
	if (chart.threshold !== undefined) for (let x = LEFT; x < WIDTH - RIGHT; x += 12) canvas.box(x, yOf(chart.threshold), 7, 2, OVER);
	for (const [index, point] of chart.points.entries()) {
		const before = chart.points[index - 1] ?? point;
		const isOver = chart.threshold !== undefined && point.value > chart.threshold;
		canvas.line(xOf(before.wallMs), yOf(before.value), xOf(point.wallMs), yOf(point.value), isOver ? OVER : LINE);
		canvas.box(xOf(point.wallMs) - 2, yOf(point.value) - 2, 5, 5, isOver ? OVER : LINE);
	}
	const clock = (wallMs: number): string => new Date(wallMs).toISOString().slice(11, 19);
	canvas.text(LEFT, HEIGHT - BOTTOM + 12, clock(first.wallMs), INK);
	const end = clock(last.wallMs);
	canvas.text(WIDTH - RIGHT - end.length * GLYPH_WIDTH, HEIGHT - BOTTOM + 12, end, INK);
	return pngOf(canvas);
};
